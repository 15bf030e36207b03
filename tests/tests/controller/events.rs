//! What `kubectl describe` says of objects.

use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::apiserver::ApiServer;
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::{Rig, app, until};
use serde_json::Value;

/// The Events about an object: type, reason and note.
fn told(api: &ApiServer, kind: &str, name: &str) -> Vec<[String; 3]> {
    let object = api.object(kind, "default", name).expect("it is there");
    let events = api.objects("Event").into_iter();
    let of = events.filter(|it| {
        // As `kubectl describe` asks for them.
        let regarding = &it["regarding"];
        regarding["kind"] == kind
            && regarding["name"] == name
            && regarding["uid"] == object["metadata"]["uid"]
    });
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    of.map(|it| [text(&it["type"]), text(&it["reason"]), text(&it["note"])])
        .collect()
}

/// Waits for an Event about an object.
fn wait_for(api: &ApiServer, object: &str, reason: &str) {
    let what = format!("Event {reason} on {object}");
    api.waits_for_some("Event", &what, |it| {
        it["regarding"]["name"] == object && it["reason"] == reason
    });
}

#[test]
fn findings_are_told_once_and_so_is_their_end() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.has(object::ingress_class("other", "other.example/controller"));
    let wrong = |name: &str| object::ingress(name).annotation("timeout-queue", "soon");
    api.has_all(app("app.example", "app", &[&backend]));
    let web = wrong("web").route("fine.example", "/", "app", 80);
    api.has(web.clone().route("web.example", "/a b", "app", 80));
    api.has(
        wrong("other")
            .class("other")
            .route("other.example", "/", "app", 80),
    );
    let rig = Rig::external();
    let controller = rig.is_replica(&api, "replica", &["--update-status=false"]);
    wait_for(&api, "web", "InvalidPath");
    wait_for(&api, "web", "InvalidValue");
    let events = told(&api, "Ingress", "web");
    assert_eq!(events.len(), 2, "{events:#?}");
    let value = events
        .iter()
        .find(|it| it[1] == "InvalidValue")
        .expect("it was told");
    assert_eq!(value[0], "Warning");
    assert!(
        value[2].contains("timeout-queue") && value[2].contains("soon"),
        "{value:?}"
    );
    assert_eq!(told(&api, "Ingress", "other"), Vec::<[String; 3]>::new());

    // Runs in which it is as it was, then one in which the path is right.
    // The Ingress last: one without its Service is a finding, too, if somebody looks just then.
    api.has_all(app("new.example", "new", &[&backend]).into_iter().rev());
    rig.soon_served_by(&controller, "new.example", "app");
    api.has(web.route("web.example", "/", "app", 80));
    wait_for(&api, "web", "Served");
    rig.soon_served_by(&controller, "web.example", "app");
    let events = told(&api, "Ingress", "web");
    assert_eq!(events.len(), 3, "{events:#?}");
    assert!(
        events
            .iter()
            .any(|it| it[0] == "Normal" && it[1] == "Served")
    );
    let posts: Vec<_> = api
        .seen()
        .into_iter()
        .filter(|it| it.writes("/events"))
        .collect();
    assert_eq!(posts.len(), 3, "nothing was told twice: {posts:#?}");
}

#[test]
fn an_object_that_haproxy_refuses_is_told_so_and_when_it_is_served_again() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.has_all(app("app.example", "app", &[&backend]));
    let good = object::ingress("bad").route("bad.example", "/", "app", 80);
    api.has(good.clone().annotation("config-backend", "no-such-keyword"));
    let rig = Rig::external();
    let flags = [
        "--update-status=false",
        "--disable-config-keywords=",
        "--debug-pages",
    ];
    let controller = rig.is_replica(&api, "replica", &flags);
    wait_for(&api, "bad", "HeldBack");
    rig.soon_served_by(&controller, "app.example", "app");
    let events = told(&api, "Ingress", "bad");
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0][0], "Warning");
    assert_eq!(told(&api, "Ingress", "app"), Vec::<[String; 3]>::new());
    let held = || rig.metric("haproxyingress_held_objects");
    until(&controller, "number of what is held back", || {
        held() == Some(1.0)
    });
    // The page is brought up to date at the end of the run.
    until(&controller, "finding on its page", || {
        let page = rig.page("/debug/diagnostics").expect("it is served").json();
        let diagnostics = page["diagnostics"].as_array().expect("there are some");
        let found = diagnostics.iter().find(|it| it["code"] == "held-back");
        found.is_some_and(|it| it["origin"].to_string().contains("\"bad\""))
    });

    api.has(good);
    wait_for(&api, "bad", "Served");
    rig.soon_served_by(&controller, "bad.example", "app");
    let events = told(&api, "Ingress", "bad");
    assert!(
        events
            .iter()
            .any(|it| it[0] == "Normal" && it[1] == "Served"),
        "{events:#?}"
    );
    until(&controller, "end of that", || held() == Some(0.0));
}

#[test]
fn what_a_secret_contains_is_never_told() {
    const HIDDEN: &str = "hunter2";
    let backend = Backend::start("app");
    let api = ApiServer::start();
    let [ingress, service, slice] = app("app.example", "app", &[&backend])
        .try_into()
        .expect("three objects");
    let users = format!("{HIDDEN}\ntom:{HIDDEN}\nann::{HIDDEN}-plain\n{HIDDEN}::\n");
    let secret = Object::new(Kind::Secret, "default", "users").with("/stringData/auth", users);
    let broken = Object::new(Kind::Secret, "default", "broken")
        .with("/type", "kubernetes.io/tls")
        .with("/stringData/tls.crt", format!("-----BEGIN {HIDDEN}"))
        .with("/stringData/tls.key", HIDDEN);
    let ingress = ingress
        .annotation("auth-secret", "users")
        .tls("app.example", "broken");
    api.has_all([ingress, service, slice, secret, broken]);
    let rig = Rig::external();
    let controller = rig.is_replica(&api, "replica", &["--update-status=false"]);
    wait_for(&api, "users", "InvalidValue");
    wait_for(&api, "broken", "BadCertificate");
    let texts = api.objects("Event");
    let texts = texts.iter().map(ToString::to_string).collect::<String>();
    assert!(!texts.contains(HIDDEN), "{texts}");
    assert!(!controller.output.text().contains(HIDDEN));
}

#[test]
fn without_the_right_to_events_all_else_goes_on() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.forbids_writes("events");
    api.has_all(app("app.example", "app", &[&backend]));
    api.has(object::ingress("web").route("web.example", "/a b", "app", 80));
    let rig = Rig::external();
    let controller = rig.is_replica(&api, "replica", &["--publish-address=192.0.2.1"]);
    rig.soon_served_by(&controller, "app.example", "app");
    api.waits_for("Ingress", "default", "app", |it| {
        it["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"
    });
    api.waits_until_seen("a second try", |seen| {
        let refused = seen
            .iter()
            .filter(|it| it.method == "POST" && it.status == 403);
        refused.count() >= 2
    });
    let text = controller.output.text();
    assert_eq!(
        text.matches("not permitted to use Events").count(),
        1,
        "{text}"
    );
    api.permits("events");
    wait_for(&api, "web", "InvalidPath");
}
