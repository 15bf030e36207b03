//! Sockets that are gone or that nobody answers.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::http::{Connection, Load, Request};
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::rig::{Rig, app, own_app, slice, until};
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
    // Who says nothing is let go after five seconds otherwise.
    rig.configures(&[("timeout-http-request", "10m")]);
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
    // No reload makes the socket again, and one leaves an old worker behind for as long as somebody
    // is connected to it.
    let idle = Connection::plain(rig.http).expect("it serves");
    rig.manifest("new", &own_app("new.example", "new", &[&first]));
    rig.soon_served_by(&controller, "new.example", "first");
    of(&first, &new);
    rig.soon_served_by(&controller, "app.example", "first");
    let processes = rig.haproxy().master("show proc");
    drop(idle);
    let (_, old) = processes.split_once("# old workers").unwrap_or_default();
    assert!(old.contains("worker"), "{processes}");
    assert!(!rig.folder.admin_socket().exists());
    assert_eq!(
        rig.haproxy().reloads(),
        reloads + 1,
        "{}",
        controller.output.text()
    );
    seen(
        "the admin socket is unlinked",
        &format!(
            "{}; an endpoint and a certificate come through the master without a reload, and reach \
             the worker that serves, also when there is an old one",
            unharmed(&load.stop())
        ),
    );
}

/// Takes from root, if that is who we are, the right to open what belongs to others.
fn without_rights() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() {
        &["setpriv", "--bounding-set=-dac_override"]
    } else {
        &["env"]
    }
}

#[test]
fn a_master_socket_of_somebody_else_is_named_with_its_owner() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    // A master that answers has started itself anew after its worker, and bound its socket again.
    let reloads = rig.haproxy().reloads();
    let socket = rig.folder.master_socket();
    let allow = |mode| fs::set_permissions(&socket, Permissions::from_mode(mode));
    allow(0o000).expect("the socket is ours");
    let controller = rig.reads_manifests_under(without_rights(), &HURRY);
    let said = controller.output.wait_for("word about the socket", |it| {
        it.contains("is not ours to use")
    });
    for word in [
        "master.sock",
        "belongs to user",
        "with mode 0",
        "start HAProxy with",
    ] {
        assert!(said.contains(word), "no {word} in: {said}");
    }
    allow(0o600).expect("the socket is ours");
    assert_eq!(rig.haproxy().reloads(), reloads, "nothing was touched");
    rig.soon_served_by(&controller, "app.example", "app");
    let said = times(&controller, "is not ours to use");
    assert!(said < 10, "{}", controller.output.text());
    seen(
        "the master socket belongs to somebody else",
        &format!("{said} lines name the owner and what to do; served as soon as it is opened"),
    );
}

#[test]
fn reloads_by_somebody_else_hold_nobody_back() {
    const HOSTS: usize = 3;
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests_with(&HURRY);
    rig.soon_served_by(&controller, "app.example", "app");
    has_begun(&controller);
    let reloads = rig.haproxy().reloads();
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
    for turn in 0..HOSTS {
        let (host, name) = (format!("new-{turn}.example"), format!("new-{turn}"));
        rig.manifest(&name, &app(&host, &name, &[&backend]));
        until(&controller, "answer for the new host", || {
            // Each of these may come before, while or after the controller asks for its own.
            kill_process(rig.haproxy().pid(), Signal::USR2).expect("it runs");
            rig.haproxy().reloads();
            rig.get(&host, "/").is_some_and(|it| it.status == 200)
        });
    }
    let words = controller.output.text();
    assert!(!words.contains("held back"), "{words}");
    assert!(!words.contains("rejected"), "{words}");
    let reloads = rig.haproxy().reloads() - reloads;
    seen(
        "somebody else reloads again and again",
        &format!(
            "{}; {HOSTS} new hosts in {reloads} reloads",
            unharmed(&load.stop())
        ),
    );
}

#[test]
fn commands_that_a_reload_swallows_are_given_again() {
    const MOVES: usize = 20;
    const RELOADS: usize = 4;
    let (left, right) = (Backend::start("left"), Backend::start("right"));
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&left]));
    let controller = rig.reads_manifests_with(&HURRY);
    rig.soon_served_by(&controller, "app.example", "left");
    has_begun(&controller);
    // A worker that comes in between hears no part of an update, and serves what was there before.
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
    let mut longest = Duration::ZERO;
    let more_was_needed = || {
        let words = controller.output.text();
        let again = [
            "commands were not enough",
            "haproxy differs",
            "haproxy was started again",
        ];
        again.iter().map(|it| words.matches(it).count()).sum()
    };
    let (mut moves, mut again) = (0, 0_usize);
    // Whether a reload meets a command is chance.
    while moves < MOVES || (again == 0 && moves < MOVES * 10) {
        let to = if moves % 2 == 0 { &right } else { &left };
        let mut objects = app("app.example", "app", &[]);
        objects[2] = slice("app", &[to]);
        rig.manifest("app", &objects);
        let start = Instant::now();
        // A worker that is replaced takes commands, and takes them with it.
        for _ in 0..RELOADS {
            kill_process(rig.haproxy().pid(), Signal::USR2).expect("it runs");
            std::thread::sleep(Duration::from_millis(20));
        }
        rig.soon_served_by(&controller, "app.example", &to.name);
        longest = longest.max(start.elapsed());
        moves += 1;
        again = more_was_needed();
    }
    let words = controller.output.text();
    assert!(!words.contains("held back"), "{words}");
    assert!(again > 0, "no command was lost: {words}");
    seen(
        "commands are given while somebody else reloads",
        &format!(
            "{}; {moves} moves, each effective within {:.1} s; {again} times more was needed",
            unharmed(&load.stop()),
            longest.as_secs_f64(),
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
    let goes = |rig: &Rig| fs::remove_file(rig.folder.master_socket()).expect("it is there");
    without_a_master("the master socket is unlinked", goes, |rig, ()| {
        kill_process(rig.haproxy().pid(), Signal::USR2).expect("it runs");
    });
}

#[test]
fn endpoints_arrive_while_the_master_is_frozen() {
    let thaws = |_: &Rig, frozen| drop(frozen);
    without_a_master("the master is frozen", Frozen::master, thaws);
}

/// What needs a reload waits for a master that goes and comes back, and endpoints do not.
fn without_a_master<T>(
    fault: &str,
    goes: impl FnOnce(&Rig) -> T,
    comes_back: impl FnOnce(&Rig, T),
) {
    const SAID: &str = "haproxy was not updated: ";
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&first]));
    let controller = rig.reads_manifests_with(&HURRY);
    rig.soon_served_by(&controller, "app.example", "first");
    has_begun(&controller);
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
    let gone = goes(&rig);
    rig.manifest("new", &own_app("new.example", "new", &[&first]));
    controller
        .output
        .wait_for("word about the master", |it| it.contains(SAID));
    let mut objects = app("app.example", "app", &[]);
    objects[2] = slice("app", &[&second]);
    rig.manifest("app", &objects);
    rig.soon_served_by(&controller, "app.example", "second");
    assert_eq!(rig.get("new.example", "/").map(|it| it.status), Some(404));
    let said = times(&controller, SAID);
    assert!(said < 10, "{}", controller.output.text());
    comes_back(&rig, gone);
    rig.soon_served_by(&controller, "new.example", "first");
    seen(
        fault,
        &format!(
            "{}; endpoints go on, {said} lines say so, the rest follows when it is back",
            unharmed(&load.stop())
        ),
    );
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
    rig.manifest("new", &own_app("new.example", "new", &[&backend]));
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
