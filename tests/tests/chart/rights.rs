//! The roles permit what the controller asks for, and nothing else.

use std::collections::BTreeSet;

use haproxy_ingress_tests::acme::Acme;
use haproxy_ingress_tests::apiserver::{ApiServer, Seen};
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::rig::{Rig, app, until};
use haproxy_ingress_tests::terminal::{Program, command};
use serde_json::{Value, json};

use crate::helm::{Install, NAMESPACE, Rendered, words};

/// A row: where (`*` is everywhere, `.` the namespace of the release), API group, resource, verbs, why.
type Right = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
);

/// Everything that the controller asks the API for.
#[rustfmt::skip]
const RIGHTS: &[Right] = &[
    ("*", "", "configmaps", &["list", "watch"], "global configuration, parameters of classes, TCP services"),
    ("*", "", "namespaces", &["list", "watch"], "those that are on their way out"),
    ("*", "", "nodes", &["get"], "addresses for the status, where no Service and no flag has them"),
    ("*", "", "pods", &["list", "watch"], "labels, for weights by groups"),
    ("*", "", "secrets", &["list", "watch"], "certificates, authorities, passwords"),
    ("*", "", "services", &["list", "watch"], "backends, and the Service that is published"),
    ("*", "discovery.k8s.io", "endpointslices", &["list", "watch"], "servers"),
    ("*", "events.k8s.io", "events", &["create", "patch"], "findings, at the object that they are about"),
    ("*", "networking.k8s.io", "ingressclasses", &["list", "watch"], "which Ingresses are ours"),
    ("*", "networking.k8s.io", "ingresses", &["list", "watch"], "what is served"),
    ("*", "networking.k8s.io", "ingresses/status", &["patch"], "the addresses"),
    (".", "", "pods", &["get", "list", "watch"], "the replicas: their nodes, and whether one is the last"),
    (".", "apps", "replicasets", &["get"], "which Pods are replicas"),
    (".", "coordination.k8s.io", "leases", &["create", "get", "update"], "who leads"),
];

/// What it asks for with `--acme-server` beside that.
#[rustfmt::skip]
const SIGNING: &[Right] = &[
    ("*", "", "secrets", &["create", "get", "patch"], "certificates from an authority, the key of the account"),
    (".", "", "configmaps", &["create", "get", "patch"], "tokens of challenges"),
];

/// The controller's own Pod.
const POD: &str = "haproxy-ingress-0";

/// A request, as roles see it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Request {
    namespace: String,
    group: String,
    resource: String,
    verb: &'static str,
    /// The one object that it is about.
    name: Option<String>,
}

/// One rule of a role: where it counts, and what it permits.
struct Rule {
    namespace: Option<String>,
    groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
    names: Vec<String>,
}

/// The rules of all roles.
fn rules(rendered: &Rendered) -> Vec<Rule> {
    let mut found = Vec::new();
    for role in &rendered.objects {
        let namespace = match role["kind"].as_str() {
            Some("ClusterRole") => None,
            Some("Role") => role["metadata"]["namespace"].as_str().map(Into::into),
            _ => continue,
        };
        for rule in role["rules"].as_array().expect("a role has rules") {
            found.push(Rule {
                namespace: namespace.clone(),
                groups: words(&rule["apiGroups"]),
                resources: words(&rule["resources"]),
                verbs: words(&rule["verbs"]),
                names: words(&rule["resourceNames"]),
            });
        }
    }
    found
}

impl Rule {
    fn permits(&self, request: &Request) -> bool {
        let is_here = self
            .namespace
            .as_ref()
            .is_none_or(|it| *it == request.namespace);
        let is_named = self.names.is_empty()
            || request
                .name
                .as_ref()
                .is_some_and(|it| self.names.contains(it));
        is_here
            && is_named
            && self.groups.contains(&request.group)
            && self.resources.contains(&request.resource)
            && self.verbs.iter().any(|it| it == request.verb)
    }
}

/// What a request asks for; `None` for documents about the server itself.
fn request(seen: &Seen) -> Option<Request> {
    let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let words: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
    let (group, rest) = match words.as_slice() {
        ["api", "v1", rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let (resource, name) = match rest {
        [resource] => ((*resource).to_owned(), None),
        [resource, name] => ((*resource).to_owned(), Some((*name).to_owned())),
        [resource, name, sub] => (format!("{resource}/{sub}"), Some((*name).to_owned())),
        _ => return None,
    };
    let is_watch = query
        .split('&')
        .any(|it| matches!(it, "watch=true" | "watch=1"));
    let verb = match (seen.method.as_str(), &name) {
        ("GET", _) if is_watch => "watch",
        ("GET", None) => "list",
        ("GET", Some(_)) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", _) => "delete",
        (method, _) => panic!("nobody expects {method}"),
    };
    // A list of one object is one of that name for roles.
    let field = query
        .split('&')
        .find_map(|it| it.strip_prefix("fieldSelector=metadata.name%3D"))
        .or_else(|| query.split("fieldSelector=metadata.name=").nth(1));
    let field = field.and_then(|it| it.split('&').next()).map(Into::into);
    Some(Request {
        namespace: namespace.into(),
        group: group.into(),
        resource,
        verb,
        name: name.or(field),
    })
}

#[test]
fn the_roles_are_the_table() {
    is_the_table(&Install::of("external"), RIGHTS);
    let install = Install::of("external")
        .set("rbac.secret.write", "true")
        .set("controller.extraArgs", r#"{"acme-server":true}"#);
    is_the_table(&install, &[RIGHTS, SIGNING].concat());
}

/// Whether the roles of an installation permit what is in a table, and nothing else.
fn is_the_table(install: &Install, table: &[Right]) {
    let rendered = install.rendered();
    let mut given = BTreeSet::new();
    for rule in rules(&rendered) {
        assert!(rule.names.is_empty());
        let place = match rule.namespace.as_deref() {
            None => "*",
            Some(NAMESPACE) => ".",
            Some(other) => panic!("a role in {other}"),
        };
        for group in &rule.groups {
            for resource in &rule.resources {
                for verb in &rule.verbs {
                    let right = [place, group, resource, verb].map(str::to_owned);
                    assert!(given.insert(right.clone()), "{right:?} is given twice");
                }
            }
        }
    }
    let mut expected = BTreeSet::new();
    for (place, group, resource, verbs, _) in table {
        for verb in *verbs {
            expected.insert([*place, *group, *resource, *verb].map(str::to_owned));
        }
    }
    assert_eq!(given, expected);
}

#[test]
fn what_is_not_asked_for_is_not_permitted() {
    let has = |rendered: &Rendered, resource: &str| {
        rules(rendered)
            .iter()
            .any(|it| it.resources.iter().any(|it| it == resource))
    };
    let published = Install::of("external").set("controller.publishService.enabled", "true");
    assert!(!has(&published.rendered(), "nodes"));
    for flag in [
        r#"{"publish-address":"192.0.2.1"}"#,
        r#"{"update-status":false}"#,
    ] {
        let install = Install::of("external").set("controller.extraArgs", flag);
        assert!(!has(&install.rendered(), "nodes"), "{flag}");
    }
    let classless = Install::of("external").set(
        "controller.extraArgs",
        r#"{"disable-ingress-class-api":true}"#,
    );
    assert!(!has(&classless.rendered(), "ingressclasses"));
    let legacy = Install::default().set(
        "controller.extraArgs",
        r#"{"enable-endpointslices-api":false}"#,
    );
    let legacy = legacy.rendered();
    assert!(has(&legacy, "endpoints") && !has(&legacy, "endpointslices"));
    let daemons = Install::of("daemonset").rendered();
    assert!(has(&daemons, "daemonsets") && !has(&daemons, "replicasets"));
    let none = Install::default().set("rbac.create", "false").rendered();
    assert!(rules(&none).is_empty());
}

#[test]
fn one_namespace_needs_rights_in_it_and_by_name_in_others() {
    let rendered = Install::of("namespace")
        .set("controller.tcp", r#"{"5432":"shop/postgres:5432"}"#)
        .set("controller.defaultBackendService", r#""other/app""#)
        .rendered();
    for rule in rules(&rendered) {
        match rule.namespace.as_deref() {
            None => {
                for resource in &rule.resources {
                    assert!(
                        ["namespaces", "ingressclasses", "nodes"].contains(&resource.as_str()),
                        "{resource} is read everywhere"
                    );
                }
            }
            Some("shop") => {}
            Some(place) => {
                let is_own = place == NAMESPACE
                    && rule
                        .resources
                        .iter()
                        .all(|it| ["leases", "pods", "replicasets"].contains(&it.as_str()));
                let is_slice = rule.resources == ["endpointslices"];
                assert!(
                    is_own || is_slice || !rule.names.is_empty(),
                    "all {:?} of {place}",
                    rule.resources
                );
            }
        }
    }
}

/// Starts a controller with the flags of an installation, and waits until it has asked for all it wants.
fn asks(install: &Install, has_authority: bool) -> (Rendered, BTreeSet<Request>) {
    let rendered = install.rendered();
    let rig = Rig::external();
    let api = ApiServer::start();
    let authority = has_authority.then(|| Acme::start(rig.http));
    let backend = Backend::start("app");
    let [ingress, service, slice]: [object::Object; 3] = app("app.example", "app", &[&backend])
        .try_into()
        .expect("three objects");
    let ingress = ingress
        .annotation("blue-green-balance", "color=blue=1,color=green=0")
        .annotation("cors-max-age", "soon");
    let (mut config, mut ingress) = (rig.config(), ingress);
    if let Some(authority) = &authority {
        config = config
            .with("/data/acme-endpoint", authority.url())
            .with("/data/acme-emails", "admin@app.example")
            .with("/data/acme-terms-agreed", "true");
        ingress = ingress
            .tls("app.example", "app-tls")
            .annotation("cert-signer", "acme");
        // It is there, without a certificate.
        let secret = object::Object::new(
            haproxy_ingress_core::resource::Kind::Secret,
            "default",
            "app-tls",
        );
        api.has(
            secret
                .with("/type", "kubernetes.io/tls")
                .with("/stringData/tls.crt", "")
                .with("/stringData/tls.key", ""),
        );
    }
    api.has_all([config, ingress, service, slice]);
    for object in replica() {
        api.has(object);
    }
    let mut flags = rendered.args("haproxy-ingress");
    // A later flag wins.
    flags.extend(rig.external_flags());
    flags.push(format!("--apiserver-host={}", api.url()));
    let mut command = command(flags);
    command.env("POD_NAMESPACE", NAMESPACE);
    command.env("POD_NAME", POD);
    let controller = Program::start(command);
    until(&controller, "confirmed configuration", || {
        controller
            .output
            .text()
            .contains("finish haproxy update id=1")
    });
    for kind in ["ingresses", "services", "secrets", "configmaps"] {
        api.is_watched(kind);
    }
    api.is_watched("pods");
    // It leads, and goes on leading; the leader writes addresses, and what it found.
    api.waits_for("Ingress", "default", "app", |it| {
        it["status"]["loadBalancer"]["ingress"][0]["ip"] == "203.0.113.7"
    });
    until(&controller, "Event", || !api.objects("Event").is_empty());
    until(&controller, "renewal of the Lease", || {
        let seen = api.seen();
        seen.iter()
            .any(|it| it.method == "PUT" && it.target.contains("/leases/"))
    });
    if authority.is_some() {
        api.waits_for("Secret", "default", "app-tls", |it| {
            it["data"]["tls.crt"]
                .as_str()
                .is_some_and(|it| !it.is_empty())
        });
    }
    let seen = api.seen();
    (rendered, seen.iter().filter_map(request).collect())
}

/// The Pod of the controller, what owns it, and where it runs.
fn replica() -> [Value; 3] {
    let labels = json!({ "app.kubernetes.io/name": "haproxy-ingress" });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": POD, "namespace": NAMESPACE, "labels": labels,
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "haproxy-ingress", "uid": "1",
                "controller": true,
            }],
        },
        "spec": { "nodeName": "node", "containers": [] },
        "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
    });
    let owner = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": { "name": "haproxy-ingress", "namespace": NAMESPACE },
        "spec": { "selector": { "matchLabels": labels } },
    });
    let node = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": "node" },
        "status": { "addresses": [{ "type": "ExternalIP", "address": "203.0.113.7" }] },
    });
    [pod, owner, node]
}

#[test]
fn a_controller_asks_for_nothing_that_the_roles_deny() {
    for install in [
        Install::of("external"),
        Install::of("namespace").set(
            "controller.extraArgs",
            r#"{"watch-namespace":"default","watch-ingress-without-class":true}"#,
        ),
    ] {
        asks_what_is_permitted(&install, RIGHTS);
    }
}

#[test]
fn a_controller_that_obtains_certificates_asks_for_nothing_that_the_roles_deny() {
    for flags in [
        r#"{"acme-server":true}"#,
        r#"{"acme-server":true,"watch-namespace":"default","watch-ingress-without-class":true}"#,
    ] {
        let install = Install::of("external")
            .set("rbac.secret.write", "true")
            .set("controller.extraArgs", flags);
        asks_what_is_permitted(&install, &[RIGHTS, SIGNING].concat());
    }
}

/// Whether a controller with the flags of an installation asks for what the roles permit and for all that
/// is in a table.
fn asks_what_is_permitted(install: &Install, table: &[Right]) {
    let has_authority = table.len() > RIGHTS.len();
    let (rendered, asked) = asks(install, has_authority);
    let rules = rules(&rendered);
    assert!(asked.len() > 10, "{asked:#?}");
    for request in &asked {
        assert!(
            rules.iter().any(|it| it.permits(request)),
            "no role permits {request:?}"
        );
    }
    // Nothing is permitted that nobody asks for. An Event that is told again is patched, an hour later.
    for (place, group, resource, verbs, why) in table {
        for verb in verbs
            .iter()
            .filter(|it| **it != "patch" || *resource != "events")
        {
            let is_it = |it: &&Request| {
                it.group == *group
                    && it.resource == *resource
                    && it.verb == *verb
                    && (*place == "*" || it.namespace == NAMESPACE)
            };
            assert!(
                asked.iter().any(|it| is_it(&it)),
                "nobody asks to {verb} {resource} in {place}: {why}"
            );
        }
    }
}

#[test]
fn a_request_is_read_as_roles_see_it() {
    let read = |method: &str, target: &str| {
        request(&Seen {
            method: method.into(),
            target: target.into(),
            status: 200,
            user: String::new(),
        })
        .map(|it| {
            format!(
                "{} {}/{} in {:?} {:?}",
                it.verb, it.group, it.resource, it.namespace, it.name
            )
        })
    };
    for (method, target, expected) in [
        (
            "GET",
            "/api/v1/secrets?limit=500",
            "list /secrets in \"\" None",
        ),
        (
            "GET",
            "/api/v1/namespaces?watch=true",
            "watch /namespaces in \"\" None",
        ),
        (
            "PATCH",
            "/apis/networking.k8s.io/v1/namespaces/a/ingresses/b/status",
            "patch networking.k8s.io/ingresses/status in \"a\" Some(\"b\")",
        ),
        (
            "GET",
            "/api/v1/namespaces/a/configmaps?fieldSelector=metadata.name%3Dx&limit=1",
            "list /configmaps in \"a\" Some(\"x\")",
        ),
    ] {
        assert_eq!(read(method, target).as_deref(), Some(expected));
    }
    assert_eq!(read("GET", "/version"), None);
}
