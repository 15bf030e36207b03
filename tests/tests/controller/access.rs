//! What the controller may read, and as whom.
//!
//! Tests begin in the order of their names, and one of these takes a minute: here nobody waits for it at the
//! end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use haproxy_ingress_tests::apiserver::ApiServer;
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::haproxy::in_parallel;
use haproxy_ingress_tests::http::Connection;
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::rig::{Rig, app, slice, until};
use haproxy_ingress_tests::terminal::{Program, command};

use crate::watch::generation;

/// Starts a controller that reads its token from a file.
fn with_token_file(rig: &Rig, api: &ApiServer, token: &str) -> (Program, PathBuf) {
    api.has(rig.config());
    let file = rig.folder.path().join("token");
    std::fs::write(&file, token).expect("the folder is ours");
    let kubeconfig = rig.folder.path().join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{name: test, cluster: {{server: \"{}\"}}}}]\n\
         contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n\
         users: [{{name: test, user: {{tokenFile: \"{}\"}}}}]\n",
        api.url(),
        file.display()
    );
    std::fs::write(&kubeconfig, text).expect("the folder is ours");
    let mut flags = rig.external_flags();
    flags.push(format!("--kubeconfig={}", kubeconfig.display()));
    let mut command = command(flags);
    command.env("POD_NAMESPACE", "ingress-controller");
    command.env("POD_NAME", "haproxy-ingress-test");
    (Program::start(command), file)
}

#[test]
fn a_token_that_is_renewed_is_used() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let api = ApiServer::start();
    api.has_all(app("app.example", "app", &[&first]));
    let rig = Rig::external();
    let (controller, file) = with_token_file(&rig, &api, "old");
    rig.soon_served_by(&controller, "app.example", "first");

    // Kubernetes renews it long before the old one ends, and it is read again each minute.
    std::fs::write(file, "new").expect("the folder is ours");
    let renewed = Instant::now();
    while !api.seen().iter().any(|it| it.user == "new") {
        assert!(
            renewed.elapsed() < Duration::from_mins(2),
            "the new token is not used"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    // What was on its way with the old one has come.
    std::thread::sleep(Duration::from_secs(1));
    api.knows_only("new");
    api.drops_every_connection();
    api.has(slice("app", &[&second]));
    rig.soon_served_by(&controller, "app.example", "second");
    let seen = api.seen();
    let refused: Vec<_> = seen.iter().filter(|it| it.status == 401).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

/// What a controller serves that may not read a kind from its start, by status of a host without class.
const DENIED: [(&str, &str, Option<u16>); 7] = [
    ("ingresses", "Ingress", Some(404)),
    ("ingressclasses", "IngressClass", Some(200)),
    ("services", "Service", Some(503)),
    ("endpointslices", "EndpointSlice", Some(503)),
    ("secrets", "Secret", Some(200)),
    // It says which ports are bound, and what protects.
    ("configmaps", "ConfigMap", None),
    ("namespaces", "Namespace", Some(200)),
];

#[test]
fn a_kind_that_may_not_be_read_stops_only_what_needs_it_and_is_named_once() {
    in_parallel(&DENIED, |(plural, kind, status)| {
        let backend = Backend::start("app");
        let api = ApiServer::start();
        api.has(object::ingress_class(
            "haproxy",
            "haproxy-ingress.github.io/controller",
        ));
        api.has_all(app("app.example", "app", &[&backend]));
        api.has(object::ingress("classed").class("haproxy").route(
            "classed.example",
            "/",
            "app",
            80,
        ));
        api.forbids(plural);
        let rig = Rig::external();
        let controller = rig.reads(&api);
        match status {
            Some(status) => {
                rig.soon_answers(&controller, "app.example", *status);
            }
            None => std::thread::sleep(Duration::from_secs(2)),
        }
        if status.is_none() {
            assert!(rig.get("app.example", "/").is_none(), "nothing is served");
        }
        if *plural == "ingressclasses" {
            rig.soon_answers(&controller, "classed.example", 404);
        }
        api.waits_until_seen("another try", |seen| {
            let refused = seen.iter().filter(|it| it.status == 403);
            refused.filter(|it| it.target.contains(plural)).count() >= 2
        });
        let words = format!("not permitted to read objects of kind {kind}");
        let text = controller.output.text();
        assert_eq!(text.matches(&words).count(), 1, "{text}");
        api.permits(plural);
        rig.soon_served_by(&controller, "app.example", "app");
        rig.soon_served_by(&controller, "classed.example", "app");
    });
}

#[test]
fn what_is_served_is_not_lost_to_a_right_that_is_missing_after_a_restart() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.has(object::tls_secret("tls", &["app.example"]));
    let [ingress, service, slice] = app("app.example", "app", &[&backend])
        .try_into()
        .expect("three objects");
    api.has_all([ingress.tls("app.example", "tls"), service, slice]);
    let rig = Rig::external();
    let controller = rig.reads(&api);
    let serial = || {
        let connection = Connection::tls(rig.https, Some("app.example"));
        connection.ok()?.certificate().map(|it| it.serial.clone())
    };
    until(&controller, "certificate", || serial().is_some());
    rig.soon(&controller, "app.example", "redirect", |it| {
        it.status == 302
    });
    // HAProxy serves a moment before it is noted that it does.
    controller.output.wait_for("end of the update", |it| {
        it.contains("finish haproxy update")
    });
    let (before, own) = (generation(&rig), serial());
    controller.kill();

    api.forbids("secrets");
    let controller = rig.reads(&api);
    controller.output.wait_for("word about Secrets", |it| {
        it.contains("not permitted to read objects of kind Secret")
    });
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!((generation(&rig), serial()), (before, own));
    api.permits("secrets");
    api.has(object::ingress("other").route("other.example", "/", "app", 80));
    rig.soon_served_by(&controller, "other.example", "app");
}
