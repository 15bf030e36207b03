//! Certificates from an authority that speaks ACME, whose challenges come through HAProxy.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::acme::{self, Acme};
use haproxy_ingress_tests::apiserver::ApiServer;
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::haproxy::free_port;
use haproxy_ingress_tests::http::{Certificate, Connection, Request};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::{Rig, app, until};
use haproxy_ingress_tests::terminal::Program;
use serde_json::Value;
use x509_parser::pem::Pem;

const NAMESPACE: &str = "ingress-controller";
const DAY: Duration = Duration::from_hours(24);

/// The ConfigMap of a rig, with an account at an authority.
fn config(rig: &Rig, authority: &Acme) -> Object {
    [
        ("acme-endpoint", authority.url().as_str()),
        ("acme-emails", "admin@app.example"),
        ("acme-terms-agreed", "true"),
    ]
    .iter()
    .fold(rig.config(), |config, (key, value)| {
        config.with(&format!("/data/{key}"), *value)
    })
}

/// An Ingress of a host whose certificate is to be signed, with what it leads to.
fn shop(hosts: &[&str], backend: &Backend) -> Vec<Object> {
    let mut objects = app(hosts[0], "app", &[backend]);
    let ingress = hosts.iter().fold(object::ingress("app"), |it, host| {
        it.route(host, "/", "app", 80).tls(host, "app-tls")
    });
    objects[0] = ingress
        .annotation("cert-signer", "acme")
        .annotation("ssl-redirect", "false");
    objects
}

/// A replica that obtains certificates.
fn replica(api: &ApiServer, rig: &Rig, authority: &Acme, pod: &str, further: &[&str]) -> Program {
    let mut flags = vec!["--acme-server", "--update-status=false"];
    flags.extend(further);
    let controller = rig.is_replica(api, pod, &flags);
    api.has(config(rig, authority).with("/metadata/name", pod));
    controller
}

/// Some text of a Secret.
fn text(secret: &Value, name: &str) -> String {
    let text = secret["data"][name].as_str().expect("it has this");
    let bytes = STANDARD.decode(text).expect("it is base64");
    String::from_utf8(bytes).expect("it is text")
}

/// Waits for a Secret with a certificate for some names that is not the one from before.
fn wait_for(api: &ApiServer, secret: &str, names: &[&str], before: Option<&Value>) -> Value {
    api.waits_for("Secret", "default", secret, |it| {
        let is_new = before.is_none_or(|before| it["data"] != before["data"]);
        is_new && it["data"]["tls.crt"].is_string() && self::names(&text(it, "tls.crt")) == names
    })
}

/// The names that a certificate is for.
fn names(pem: &str) -> Vec<String> {
    let Some(Ok(first)) = Pem::iter_from_buffer(pem.as_bytes()).next() else {
        return Vec::new();
    };
    let certificate = first.parse_x509().expect("it is a certificate");
    let names = certificate.subject_alternative_name().expect("once");
    let names = names.expect("it has some").value.general_names.iter();
    names
        .map(|it| it.to_string().replace("DNSName(", "").replace(')', ""))
        .collect()
}

/// Whose certificate the last one of a chain was signed by.
fn topmost(pem: &str) -> String {
    let last = Pem::iter_from_buffer(pem.as_bytes()).last();
    let last = last.expect("there is one").expect("it is PEM");
    let certificate = last.parse_x509().expect("it is a certificate");
    let issuer = certificate.issuer().iter_common_name().next();
    let issuer = issuer.expect("it has a name").as_str();
    issuer.expect("it is text").to_owned()
}

/// What a host shows over TLS.
fn shown(rig: &Rig, host: &str) -> Option<Certificate> {
    let connection = Connection::tls(rig.https, Some(host)).ok()?;
    connection.certificate().cloned()
}

/// Waits until a host shows a certificate for some names.
fn wait_until_shown(rig: &Rig, controller: &Program, host: &str, names: &[&str]) -> Certificate {
    until(controller, "such a certificate", || {
        shown(rig, host).is_some_and(|it| it.names == names)
    });
    shown(rig, host).expect("it was shown a moment ago")
}

/// Waits for an Event about the Ingress.
fn wait_for_event(api: &ApiServer, reason: &str, text: &str) {
    api.waits_for_some("Event", &format!("{reason} with {text}"), |it| {
        let note = it["note"].as_str().unwrap_or_default();
        it["regarding"]["kind"] == "Ingress" && it["reason"] == reason && note.contains(text)
    });
}

/// A page of the controller.
fn page(rig: &Rig, method: &str, path: &str) -> (u16, String) {
    let request = Request::new(method, path)
        .host("controller")
        .header("Connection", "close");
    let answer = request.send_to(rig.pages).expect("it is there");
    (answer.status, answer.text())
}

#[test]
fn a_certificate_is_signed_served_and_signed_anew_for_further_hosts() {
    let backend = Backend::start("app");
    let (api, rig) = (ApiServer::start(), Rig::external());
    let authority = Acme::start(rig.http);
    api.has_all(shop(&["app.example"], &backend));
    let controller = replica(&api, &rig, &authority, "one", &[]);
    let first = wait_for(&api, "app-tls", &["app.example"], None);
    let reloads = rig.haproxy().reloads();
    assert_eq!(first["type"], "kubernetes.io/tls");
    assert_eq!(topmost(&text(&first, "tls.crt")), acme::ROOT);
    let certificate = wait_until_shown(&rig, &controller, "app.example", &["app.example"]);
    assert_eq!(
        rig.haproxy().reloads(),
        reloads,
        "a reload for a certificate"
    );
    wait_for_event(&api, "CertificateSigned", "app.example");
    let tokens = api.waits_for("ConfigMap", NAMESPACE, "acme-validation-tokens", |it| {
        it["data"].as_object().is_none_or(serde_json::Map::is_empty)
    });
    assert_eq!(tokens["metadata"]["namespace"], NAMESPACE);
    let [account] = authority.accounts().try_into().expect("one account");
    assert_eq!(account.contacts, ["mailto:admin@app.example"]);

    // What somebody else wrote to the Secret stays.
    let mut labelled = first.clone();
    labelled["metadata"]["labels"]["team"] = "shop".into();
    api.has(labelled);
    let both = ["app.example", "www.example"];
    api.has_all(shop(&both, &backend));
    let second = wait_for(&api, "app-tls", &both, Some(&first));
    assert_eq!(second["metadata"]["labels"]["team"], "shop");
    assert_ne!(text(&second, "tls.key"), text(&first, "tls.key"));
    let shown = wait_until_shown(&rig, &controller, "www.example", &both);
    assert_ne!(shown.serial, certificate.serial);

    // Somebody else's Secret is not touched, and another chain is there for those who ask.
    let other = Object::new(Kind::Secret, "default", "other").with("/stringData/x", "y");
    api.has(other.with("/type", "Opaque"));
    let signed = |name: &str, secret: &str| {
        let host = format!("{name}.example");
        object::ingress(name)
            .route(&host, "/", "app", 80)
            .tls(&host, secret)
            .annotation("cert-signer", "acme")
    };
    api.has(signed("other", "other"));
    api.has(signed("chain", "chain-tls").annotation("acme-preferred-chain", acme::OTHER_ROOT));
    let chain = wait_for(&api, "chain-tls", &["chain.example"], None);
    assert_eq!(topmost(&text(&chain, "tls.crt")), acme::OTHER_ROOT);
    wait_for_event(&api, "CertificateNotSigned", "Opaque");
    let other = api.object("Secret", "default", "other").expect("it stays");
    assert_eq!(other["data"].as_object().map(serde_json::Map::len), Some(1));

    for line in [
        r#"cert_signing_count{domains="app.example",reason="missing",success="true"} 1"#,
        r#"cert_signing_count{domains="app.example,www.example",reason="outdated",success="true"} 1"#,
        r#"cert_signing_count{domains="other.example",reason="missing",success="false"} 1"#,
    ] {
        until(&controller, line, || {
            page(&rig, "GET", "/metrics").1.contains(line)
        });
    }
    let (status, text) = page(&rig, "POST", "/acme/check");
    assert_eq!(
        (status, text.as_str()),
        (200, "looking at 3 certificates\n")
    );
    assert_eq!(page(&rig, "GET", "/acme/check").0, 404);
    assert_eq!(authority.refused(), [""; 0]);
    // A host without a token is answered, and not by a tenant.
    let path = "/.well-known/acme-challenge/nothing";
    let answer = rig.get("app.example", path).expect("it is answered");
    assert_eq!(answer.status, 404);
    assert!(!controller.output.text().contains("PRIVATE KEY"));
}

#[test]
fn what_ends_soon_is_signed_again_by_the_same_account() {
    let backend = Backend::start("app");
    let (api, rig) = (ApiServer::start(), Rig::external());
    let authority = Acme::start(rig.http);
    let pair = |left: Duration| authority.signed(&["app.example"], 60 * DAY, left);
    let secret = |(certificate, key): &(String, String)| {
        Object::new(Kind::Secret, "default", "app-tls")
            .with("/type", "kubernetes.io/tls")
            .with("/stringData/tls.crt", certificate.as_str())
            .with("/stringData/tls.key", key.as_str())
    };
    api.has_all(shop(&["app.example"], &backend));
    api.has(secret(&pair(40 * DAY)));
    let controller = replica(&api, &rig, &authority, "one", &[]);
    until(&controller, "account", || authority.accounts().len() == 1);
    wait_until_shown(&rig, &controller, "app.example", &["app.example"]);
    assert_eq!(authority.orders().len(), 0, "it is good for long enough");
    let ending = pair(20 * DAY);
    api.has(secret(&ending));
    let first = api.waits_for("Secret", "default", "app-tls", |it| {
        let certificate = text(it, "tls.crt");
        certificate != ending.0 && names(&certificate) == ["app.example"]
    });
    wait_for_event(&api, "CertificateSigned", "expiring");
    let key = api.object("Secret", NAMESPACE, "acme-private-key");
    let key = key.expect("it was made");

    // Another controller later: the same account, and nothing to do.
    controller.kill();
    api.loses(
        "Lease",
        NAMESPACE,
        "class-haproxy.haproxy-ingress.github.io",
    );
    let controller = replica(&api, &rig, &authority, "two", &[]);
    until(&controller, "account", || {
        controller.output.text().contains("is ready")
    });
    until(&controller, "look", || {
        page(&rig, "POST", "/acme/check").0 == 200
    });
    assert_eq!(authority.orders().len(), 1);
    api.loses("Secret", "default", "app-tls");
    wait_for(&api, "app-tls", &["app.example"], Some(&first));
    assert_eq!(authority.accounts().len(), 1);
    let after = api.object("Secret", NAMESPACE, "acme-private-key");
    assert_eq!(after, Some(key));
}

#[test]
fn a_challenge_that_fails_is_told_and_tried_again_later_each_time() {
    let backend = Backend::start("app");
    let (api, rig) = (ApiServer::start(), Rig::external());
    let nowhere = ([127, 0, 0, 1], free_port()).into();
    let authority = Acme::start(nowhere);
    api.has_all(shop(&["app.example"], &backend));
    let wait = ["--acme-fail-initial-duration=1s"];
    let controller = replica(&api, &rig, &authority, "one", &wait);
    wait_for_event(&api, "CertificateNotSigned", "app.example cannot be asked");
    until(&controller, "third order", || authority.orders().len() >= 3);
    let times: Vec<_> = authority.orders().iter().map(|it| it.since).collect();
    for (pair, least) in times.windows(2).zip([1, 2]) {
        let waited = pair[1].duration_since(pair[0]).expect("it is later");
        assert!(waited >= Duration::from_secs(least), "{waited:?}");
    }
    assert!(api.object("Secret", "default", "app-tls").is_none());
    authority.finds_hosts_at(rig.http);
    // Whoever put it right need not wait.
    until(&controller, "certificate", || {
        page(&rig, "POST", "/acme/check");
        api.object("Secret", "default", "app-tls").is_some()
    });
    wait_until_shown(&rig, &controller, "app.example", &["app.example"]);
}

#[test]
fn a_key_that_cannot_be_used_is_not_overwritten_and_nothing_is_signed() {
    let backend = Backend::start("app");
    let (api, rig) = (ApiServer::start(), Rig::external());
    let authority = Acme::start(rig.http);
    let key = Object::new(Kind::Secret, NAMESPACE, "acme-private-key")
        .with("/stringData/tls.key", "-----BEGIN RSA PRIVATE KEY-----\n");
    api.has(key);
    let before = api.object("Secret", NAMESPACE, "acme-private-key");
    api.has_all(shop(&["app.example"], &backend));
    let wait = ["--acme-fail-initial-duration=1s"];
    let controller = replica(&api, &rig, &authority, "one", &wait);
    until(&controller, "word about the key", || {
        let text = controller.output.text();
        text.contains("`tls.key` is no key that can be used") && !text.contains("BEGIN RSA")
    });
    let (status, reason) = page(&rig, "POST", "/acme/check");
    assert!(
        status == 422 && reason.contains("no account"),
        "{status} {reason}"
    );
    // Not permitted to read it is no reason to make another one either.
    api.forbids("secrets");
    until(&controller, "word about permission", || {
        controller
            .output
            .text()
            .contains("cannot read Secret ingress-controller/acme-private-key")
    });
    api.permits("secrets");
    assert_eq!(api.object("Secret", NAMESPACE, "acme-private-key"), before);
    assert!(authority.accounts().is_empty() && authority.orders().is_empty());
    api.loses("Secret", NAMESPACE, "acme-private-key");
    wait_for(&api, "app-tls", &["app.example"], None);
}

#[test]
fn replicas_that_do_not_lead_answer_challenges_and_sign_nothing() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    let (one, two) = (Rig::external(), Rig::external());
    // What the leader asks for is looked for at the other one.
    let authority = Acme::start(two.http);
    let wait = ["--acme-fail-initial-duration=1s"];
    let first = replica(&api, &one, &authority, "one", &wait);
    until(&first, "leader", || {
        first.output.text().contains("successfully acquired lease")
    });
    let second = replica(&api, &two, &authority, "two", &wait);
    until(&second, "way of challenges", || {
        std::fs::read_to_string(two.folder.config()).is_ok_and(|it| it.contains("_acme_challenge"))
    });
    api.has_all(shop(&["app.example"], &backend));
    let signed = wait_for(&api, "app-tls", &["app.example"], None);
    wait_until_shown(&two, &second, "app.example", &["app.example"]);
    let (status, reason) = page(&two, "POST", "/acme/check");
    assert_eq!(
        (status, reason.as_str()),
        (422, "this replica does not lead\n")
    );
    let seen = api.seen();
    let mut writes = seen
        .iter()
        .filter(|it| it.user == "two" && (it.writes("/secrets") || it.writes("/configmaps")));
    assert_eq!(writes.next(), None);

    // A leader that cannot renew its Lease stops in the middle of an order.
    authority.takes_its_time(Duration::from_secs(14));
    api.forbids_writes("leases");
    let both = ["app.example", "www.example"];
    api.has_all(shop(&both, &backend));
    until(&first, "order", || authority.orders().len() >= 2);
    until(&first, "end of the lease", || {
        first.output.text().contains("lost lease")
    });
    // Who signs hears of it a moment later.
    until(&first, "end of signing", || {
        page(&one, "POST", "/acme/check") == (422, "this replica does not lead\n".into())
    });
    let orders = authority.orders().len();
    let until = Instant::now() + Duration::from_secs(6);
    while Instant::now() < until {
        let secret = api.object("Secret", "default", "app-tls");
        assert_eq!(
            secret.as_ref(),
            Some(&signed),
            "who does not lead writes nothing"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(authority.orders().len(), orders);
}
