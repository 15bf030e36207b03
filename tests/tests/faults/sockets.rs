//! Sockets that are gone or that nobody answers.

use std::fs;

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::http::{Connection, Load, Request};
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::rig::{Rig, app, slice, until};
use haproxy_ingress_tests::terminal::Program;
use rustix::process::{Signal, kill_process};

use crate::{Frozen, has_begun, seen, unharmed};

/// So that a test does not wait as long as an operator would.
const HURRY: [&str; 2] = ["--connection-timeout=1s", "--reload-retry=200ms"];

/// How often a line of the log says something.
fn times(controller: &Program, what: &str) -> usize {
    let lines = controller.output.lines();
    lines.iter().filter(|it| it.contains(what)).count()
}

#[test]
fn changes_arrive_although_the_admin_socket_is_unlinked() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let rig = Rig::external();
    let of = |backend: &Backend, certificate: &object::Object| {
        let mut objects = app("app.example", "app", &[backend]);
        objects[0] = objects[0]
            .clone()
            .tls("app.example", "app")
            .annotation("ssl-redirect", "false");
        objects.push(certificate.clone());
        rig.manifest("app", &objects);
    };
    let [old, new] = [(); 2].map(|()| object::tls_secret("app", &["app.example"]));
    of(&first, &old);
    let controller = rig.reads_manifests();
    rig.soon_served_by(&controller, "app.example", "first");
    has_begun(&controller);
    let reloads = rig.haproxy().reloads();
    let serial = || {
        let tls = Connection::tls(rig.https, Some("app.example"));
        tls.ok()?.certificate().map(|it| it.serial.clone())
    };
    let before = serial();
    assert!(before.is_some(), "it is served over TLS");

    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
    fs::remove_file(rig.folder.admin_socket()).expect("it is there");
    of(&second, &new);
    rig.soon_served_by(&controller, "app.example", "second");
    until(&controller, "new certificate", || serial() != before);
    assert_eq!(
        rig.haproxy().reloads(),
        reloads,
        "{}",
        controller.output.text()
    );
    seen(
        "the admin socket is unlinked",
        &format!(
            "{}; an endpoint and a certificate come through the master, without a reload",
            unharmed(&load.stop())
        ),
    );
}

#[test]
fn a_master_socket_that_is_missing_at_the_start_is_waited_for() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    // A master that answers has started itself anew after its worker, and bound its socket again.
    rig.haproxy().reloads();
    fs::remove_file(rig.folder.master_socket()).expect("it is there");
    let controller = rig.reads_manifests();
    controller.output.wait_for("word about the wait", |it| {
        it.contains("waiting for the external haproxy")
    });
    // HAProxy binds it again when it reads its files.
    kill_process(rig.haproxy().pid(), Signal::USR2).expect("it runs");
    rig.soon_served_by(&controller, "app.example", "app");
    let said = times(&controller, "waiting for the external haproxy");
    assert_eq!(said, 1, "{}", controller.output.text());
    seen(
        "the master socket is missing at the start",
        "said once; served as soon as it is there",
    );
}

#[test]
fn endpoints_arrive_while_the_master_socket_is_unlinked() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&first]));
    let controller = rig.reads_manifests_with(&HURRY);
    rig.soon_served_by(&controller, "app.example", "first");
    has_begun(&controller);
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
    fs::remove_file(rig.folder.master_socket()).expect("it is there");
    let said = without_a_master(&rig, &controller, [&first, &second]);
    kill_process(rig.haproxy().pid(), Signal::USR2).expect("it runs");
    rig.soon_served_by(&controller, "new.example", "first");
    seen(
        "the master socket is unlinked",
        &format!(
            "{}; endpoints go on, {said} lines say so, the rest follows when it is back",
            unharmed(&load.stop())
        ),
    );
}

#[test]
fn endpoints_arrive_while_the_master_is_frozen() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&first]));
    let controller = rig.reads_manifests_with(&HURRY);
    rig.soon_served_by(&controller, "app.example", "first");
    has_begun(&controller);
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
    let frozen = Frozen::master(&rig);
    let said = without_a_master(&rig, &controller, [&first, &second]);
    drop(frozen);
    rig.soon_served_by(&controller, "new.example", "first");
    seen(
        "the master is frozen",
        &format!(
            "{}; endpoints go on, {said} lines say so, the rest follows when it goes on",
            unharmed(&load.stop())
        ),
    );
}

/// What needs a reload waits for the master, and endpoints do not. How often that was said is returned.
fn without_a_master(rig: &Rig, controller: &Program, [first, second]: [&Backend; 2]) -> usize {
    const SAID: &str = "haproxy was not updated: ";
    rig.manifest("new", &app("new.example", "new", &[first]));
    controller
        .output
        .wait_for("word about the master", |it| it.contains(SAID));
    let mut objects = app("app.example", "app", &[]);
    objects[2] = slice("app", &[second]);
    rig.manifest("app", &objects);
    rig.soon_served_by(controller, "app.example", "second");
    assert_eq!(rig.get("new.example", "/").map(|it| it.status), Some(404));
    let said = times(controller, SAID);
    assert!(said < 10, "{}", controller.output.text());
    said
}

#[test]
fn a_frozen_worker_is_not_asked_for_ever() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests_with(&["--connection-timeout=1s"]);
    rig.soon_served_by(&controller, "app.example", "app");
    has_begun(&controller);
    let frozen = Frozen::worker(&rig);
    controller
        .output
        .wait_for("word about the worker", |it| it.contains("haproxy is gone"));
    controller
        .output
        .wait_for("end of a try", |it| it.contains("trying again in"));
    rig.manifest("new", &app("new.example", "new", &[&backend]));
    // The next try is 30 s away, and it is not waited for that long.
    drop(frozen);
    rig.soon_served_by(&controller, "new.example", "app");
    rig.soon_served_by(&controller, "app.example", "app");
    let said = times(&controller, "did not answer");
    assert!(said < 10, "{}", controller.output.text());
    seen(
        "the worker is frozen",
        &format!("{said} lines say so; up to date as soon as it goes on"),
    );
}
