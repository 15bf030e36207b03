//! Paths of the API → kinds and names.

use serde_json::{Value, json};

/// A kind of object that is served.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Kind {
    /// As in `kind:`.
    pub name: &'static str,
    /// As in paths.
    pub plural: &'static str,
    /// The API group; empty for the core.
    pub group: &'static str,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
}

const fn kind(
    name: &'static str,
    plural: &'static str,
    group: &'static str,
    namespaced: bool,
) -> Kind {
    Kind {
        name,
        plural,
        group,
        namespaced,
    }
}

/// All kinds that are served, each in version `v1` of its group.
pub static KINDS: &[Kind] = &[
    kind("ConfigMap", "configmaps", "", true),
    kind("Endpoints", "endpoints", "", true),
    kind("Event", "events", "", true),
    kind("Event", "events", "events.k8s.io", true),
    kind("EndpointSlice", "endpointslices", "discovery.k8s.io", true),
    kind("Ingress", "ingresses", "networking.k8s.io", true),
    kind("IngressClass", "ingressclasses", "networking.k8s.io", false),
    kind("Lease", "leases", "coordination.k8s.io", true),
    kind("Namespace", "namespaces", "", false),
    kind("Node", "nodes", "", false),
    kind("Pod", "pods", "", true),
    kind("ReplicaSet", "replicasets", "apps", true),
    kind("Secret", "secrets", "", true),
    kind("Service", "services", "", true),
];

/// What a path names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Route {
    /// A document about the server itself.
    Discovery(Value),
    /// Objects of a kind, in all namespaces or in one.
    Collection(&'static Kind, Option<String>),
    /// One object, or a subresource of it.
    Object {
        kind: &'static Kind,
        namespace: String,
        name: String,
        subresource: Option<String>,
    },
}

impl Kind {
    /// As in `apiVersion:`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            "v1".into()
        } else {
            format!("{}/v1", self.group)
        }
    }
}

impl Route {
    /// The plural of the kind, with the subresource behind a slash, as in rules of RBAC.
    pub(super) fn resource(&self) -> String {
        match self {
            Self::Discovery(_) => String::new(),
            Self::Collection(kind, _) => kind.plural.into(),
            Self::Object {
                kind, subresource, ..
            } => match subresource {
                Some(subresource) => format!("{}/{subresource}", kind.plural),
                None => kind.plural.into(),
            },
        }
    }
}

/// The kind with a name, or a panic: the test is wrong.
pub(super) fn kind_named(name: &str) -> &'static Kind {
    // Of the two groups with events the newer one counts.
    let found = KINDS.iter().rev().find(|it| it.name == name);
    found.unwrap_or_else(|| panic!("no kind `{name}` is served"))
}

pub(super) fn kind_of_plural(plural: &str) -> &'static Kind {
    let found = KINDS.iter().rev().find(|it| it.plural == plural);
    found.unwrap_or_else(|| panic!("no kind `{plural}` is served"))
}

/// The kind of an object that a test gives.
pub(super) fn kind_of(object: &Value) -> &'static Kind {
    let (name, version) = (&object["kind"], &object["apiVersion"]);
    let found = KINDS
        .iter()
        .find(|it| *name == it.name && *version == it.api_version());
    found.unwrap_or_else(|| panic!("no kind {name} of {version} is served"))
}

/// Reads a path without its query; `None` for what is not served.
pub(super) fn read(path: &str) -> Option<Route> {
    let words: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
    let (group, rest) = match words.as_slice() {
        ["version"] => {
            let version = json!({ "major": "1", "minor": "33", "gitVersion": "v1.33.0" });
            return Some(Route::Discovery(version));
        }
        ["api"] => {
            return Some(Route::Discovery(
                json!({ "kind": "APIVersions", "versions": ["v1"] }),
            ));
        }
        ["apis"] => return Some(Route::Discovery(groups())),
        ["api", "v1", rest @ ..] => ("", rest),
        ["apis", group, "v1", rest @ ..] => (*group, rest),
        _ => return None,
    };
    let find = |plural: &str| {
        KINDS
            .iter()
            .find(|it| it.group == group && it.plural == plural)
    };
    let object = |kind, namespace: &str, name: &str, subresource: Option<&str>| Route::Object {
        kind,
        namespace: namespace.into(),
        name: name.into(),
        subresource: subresource.map(Into::into),
    };
    Some(match rest {
        [] if KINDS.iter().any(|it| it.group == group) => Route::Discovery(resources(group)),
        ["namespaces", namespace, plural] if find(plural).is_some_and(|it| it.namespaced) => {
            Route::Collection(find(plural)?, Some((*namespace).into()))
        }
        ["namespaces", namespace, plural, name] => object(find(plural)?, namespace, name, None),
        ["namespaces", namespace, plural, name, sub] => {
            object(find(plural)?, namespace, name, Some(sub))
        }
        [plural] => Route::Collection(find(plural)?, None),
        [plural, name] => object(find(plural)?, "", name, None),
        [plural, name, sub] => object(find(plural)?, "", name, Some(sub)),
        _ => return None,
    })
}

fn groups() -> Value {
    let mut names: Vec<&str> = KINDS.iter().map(|it| it.group).collect();
    names.sort_unstable();
    names.dedup();
    let groups: Vec<Value> = names
        .into_iter()
        .filter(|it| !it.is_empty())
        .map(|name| {
            let version = json!({ "groupVersion": format!("{name}/v1"), "version": "v1" });
            json!({ "name": name, "versions": [version], "preferredVersion": version })
        })
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

fn resources(group: &str) -> Value {
    let verbs = [
        "create", "delete", "get", "list", "patch", "update", "watch",
    ];
    let resources: Vec<Value> = KINDS
        .iter()
        .filter(|it| it.group == group)
        .map(|it| {
            json!({
                "name": it.plural,
                "singularName": it.name.to_lowercase(),
                "namespaced": it.namespaced,
                "kind": it.name,
                "verbs": verbs,
            })
        })
        .collect();
    let version = if group.is_empty() {
        "v1".into()
    } else {
        format!("{group}/v1")
    };
    json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": resources,
    })
}
