//! Configuration that HAProxy does not take.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::haproxy::Haproxy;
use haproxy_ingress_tests::http::{Load, Request};
use haproxy_ingress_tests::rig::{Rig, app, own_app, slice, until};
use haproxy_ingress_tests::terminal::Program;

use crate::{has_begun, seen, unharmed};

/// Words that no HAProxy takes, each with what to call it, and the word that is looked for on the disk.
const SNIPPETS: [(&str, &str, &str); 4] = [
    (
        "an unknown keyword",
        "no-such-keyword at all",
        "no-such-keyword",
    ),
    (
        "a bad regular expression",
        "http-request deny if { path_reg (never-closed }",
        "never-closed",
    ),
    (
        "a server that is not there",
        "use-server no-such-server if { path / }",
        "no-such-server",
    ),
    (
        "a file that is missing",
        "http-request deny if { src -f /nowhere/no-such-file }",
        "no-such-file",
    ),
];

#[test]
fn a_snippet_that_haproxy_refuses_holds_back_its_ingress_only() {
    let (backend, later) = (Backend::start("app"), Backend::start("later"));
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests_with(&["--disable-config-keywords="]);
    rig.soon_served_by(&controller, "app.example", "app");
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
    for (number, (fault, snippet, word)) in SNIPPETS.into_iter().enumerate() {
        let (name, host) = (format!("bad-{number}"), format!("bad-{number}.example"));
        let mut bad = app(&host, &name, &[&backend]);
        let good = bad[0].clone();
        bad[0] = good.clone().annotation("config-backend", snippet);
        rig.manifest(&name, &bad);
        let other = format!("other-{number}");
        let host_of_other = format!("{other}.example");
        rig.manifest(&other, &app(&host_of_other, &other, &[&backend]));
        let blamed = format!("held back: Ingress default/{name}");
        controller
            .output
            .wait_for(&blamed, |it| it.contains(&blamed));
        let on_disk = || fs::read_to_string(rig.folder.config()).unwrap_or_default();
        until(&controller, "last good configuration on the disk", || {
            !on_disk().contains(word)
        });
        rig.soon_served_by(&controller, &host_of_other, "app");
        assert_eq!(rig.get(&host, "/").map(|it| it.status), Some(404));
        let verdict = Haproxy::find().check_files(&rig.folder.path().join("etc/haproxy"));
        assert!(verdict.accepted, "{}", verdict.output);
        let words = controller.output.text();
        assert!(
            !words.contains("held back: Ingress default/other"),
            "{words}"
        );
        assert!(!words.contains("held back: Ingress default/app"), "{words}");

        bad[0] = good;
        bad[2] = slice(&name, &[&later]);
        rig.manifest(&name, &bad);
        rig.soon_served_by(&controller, &host, "later");
        controller.output.wait_for("word that it is over", |it| {
            it.contains("no longer: ") && it.contains(&name)
        });
        seen(
            fault,
            "its Ingress is blamed by name, all else is served, and so is it when it is mended",
        );
    }
    seen("four rejected snippets", &unharmed(&load.stop()));
}

#[test]
fn a_port_that_somebody_else_has_is_not_tried_again_and_again() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&first]));
    let controller = rig.reads_manifests_with(&["--reload-retry=50ms"]);
    rig.soon_served_by(&controller, "app.example", "first");
    let reloads = rig.haproxy().reloads();

    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    let port = taken.local_addr().expect("it is bound").port();
    rig.configures(&[("http-port", &port.to_string())]);
    controller
        .output
        .wait_for("rejection", |it| it.contains("rejected the configuration"));
    controller.output.wait_for("blame", |it| {
        it.contains("held back: ConfigMap ingress-controller/haproxy-ingress")
    });
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
    for turn in 0..6 {
        let backend = if turn % 2 == 0 { &second } else { &first };
        let mut objects = app("app.example", "app", &[]);
        objects[2] = slice("app", &[backend]);
        rig.manifest("app", &objects);
        rig.soon_served_by(&controller, "app.example", &backend.name);
    }
    assert_eq!(
        rig.haproxy().reloads(),
        reloads + 1,
        "{}",
        controller.output.text()
    );
    rig.manifest("new", &own_app("new.example", "new", &[&first]));
    rig.soon_served_by(&controller, "new.example", "first");
    assert_eq!(rig.haproxy().reloads(), reloads + 2, "for the new host");
    let report = load.stop();

    rig.configures(&[]);
    controller
        .output
        .wait_for("word that it is over", |it| it.contains("no longer: "));
    rig.manifest("last", &app("last.example", "last", &[&first]));
    rig.soon_served_by(&controller, "last.example", "first");
    drop(taken);
    seen(
        "somebody else has the port",
        &format!(
            "tried once; then {}; six endpoints and a host in the meantime",
            unharmed(&report)
        ),
    );
}

#[test]
fn a_port_that_is_known_to_be_taken_is_not_tried_at_all() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests();
    rig.soon_served_by(&controller, "app.example", "app");
    has_begun(&controller);
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
    let reloads = rig.haproxy().reloads();
    let port = rig.http.port().to_string();
    let mut objects = app("db.example", "db", &[&backend]);
    objects[0] = objects[0].clone().annotation("tcp-service-port", &port);
    rig.manifest("db", &objects);
    let taken = format!("has port {port} already");
    let said = controller
        .output
        .wait_for("word about the port", |it| it.contains(&taken));
    assert!(said.contains("Ingress default/db"), "{said}");
    // Whatever would be tried because of it is tried by then.
    rig.manifest("new", &own_app("new.example", "new", &[&backend]));
    rig.soon_served_by(&controller, "new.example", "app");
    let words = controller.output.text();
    assert!(!words.contains("rejected the configuration"), "{words}");
    assert_eq!(rig.haproxy().reloads(), reloads + 1, "for the new host");
    seen(
        "a port that is asked for is one of HAProxy's own",
        &format!(
            "never tried, and its Ingress is named; {}",
            unharmed(&load.stop())
        ),
    );
}

#[test]
fn a_rejected_configuration_is_off_the_disk_within_a_second() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests();
    rig.soon_served_by(&controller, "app.example", "app");
    has_begun(&controller);
    let on_disk = || fs::read_to_string(rig.folder.config()).expect("it stays");
    let good = on_disk();
    // The link is another one after each change, whether it leads elsewhere or back.
    let link = rig.folder.path().join("etc/haproxy/.current");
    let generation = || fs::symlink_metadata(&link).map(|it| (it.ino(), it.ctime_nsec()));
    let generation = || generation().expect("there is always one");
    let mut times = Vec::new();
    for word in ["first-bad-word", "second-bad-word", "third-bad-word"] {
        // The operator is trusted to write what HAProxy understands, and here it does not.
        let before = generation();
        rig.configures(&[("config-global", word)]);
        // On a busy machine it may be gone before anybody has looked.
        until(&controller, "try of the configuration", || {
            on_disk().contains(word) || generation() != before
        });
        let since = Instant::now();
        until(&controller, "end of the try", || on_disk() == good);
        times.push(since.elapsed());
        // Older versions tell the master's socket only that it failed.
        let said = if Haproxy::find().version.is_at_least(2, 7) {
            &controller.output
        } else {
            &rig.haproxy().output
        };
        said.wait_for("HAProxy's own words", |it| it.contains(word));
    }
    // A busy machine may take its time; of several one is as fast as it should be.
    let is_quick = |it: &Duration| *it < Duration::from_secs(1);
    assert!(times.iter().any(is_quick), "{times:?}");
    rig.soon_served_by(&controller, "app.example", "app");
    rig.configures(&[]);
    rig.manifest("other", &app("other.example", "other", &[&backend]));
    rig.soon_served_by(&controller, "other.example", "app");
    seen(
        "a rejected configuration",
        &format!("is on the disk for {times:?}"),
    );
}

/// Waits until the run with the newest reload has ended. What is killed before that may have to be asked for
/// again.
fn is_noted(controller: &Program) {
    until(controller, "end of the run", || {
        let words = controller.output.text();
        let last = |it: &str| words.rfind(it);
        let reload = last("successfully reloaded");
        reload.is_some() && reload < last("finish haproxy update")
    });
}

#[test]
fn what_haproxy_refused_is_not_asked_again_after_a_restart() {
    let backend = Backend::start("app");
    let mut rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let flags = ["--disable-config-keywords="];
    let controller = rig.reads_manifests_with(&flags);
    rig.soon_served_by(&controller, "app.example", "app");
    // One that was good before, and one that never was.
    let mut bad = app("app.example", "app", &[&backend]);
    bad[0] = bad[0]
        .clone()
        .annotation("config-backend", "no-such-keyword");
    rig.manifest("app", &bad);
    let mut new = app("bad.example", "bad", &[&backend]);
    new[1] = new[1]
        .clone()
        .annotation("config-backend", "no-such-keyword");
    let held = |object: &str| format!("held back: {object}");
    let blamed = |controller: &Program, object: &str| {
        controller
            .output
            .wait_for(object, |it| it.contains(&held(object)));
    };
    blamed(&controller, "Ingress default/app");
    rig.manifest("bad", &new);
    blamed(&controller, "Service default/bad");
    let kept = rig.folder.path().join("var/lib/haproxy/.held.json");
    until(&controller, "both on the disk", || {
        let kept = fs::read_to_string(&kept).unwrap_or_default();
        [r#""name":"app""#, r#""name":"bad""#]
            .iter()
            .all(|it| kept.contains(it))
    });
    // The Ingress is good, and its turn may come after that of its Service.
    rig.soon_answers(&controller, "bad.example", 503);
    is_noted(&controller);
    let reloads = rig.haproxy().reloads();
    controller.kill();

    // Of the controller, then of both.
    for restart in ["the controller", "controller and HAProxy"] {
        let mut reloads = reloads;
        if restart != "the controller" {
            rig.haproxy.take().expect("it runs").kill(rig.http);
            rig.starts_haproxy();
            reloads = rig.haproxy().reloads();
        }
        let controller = rig.reads_manifests_with(&flags);
        has_begun(&controller);
        let words = controller.output.text();
        assert_eq!(rig.haproxy().reloads(), reloads, "{words}");
        for object in ["Ingress default/app", "Service default/bad"] {
            let is_named = |it: &str| it.contains("held-back") && it.contains(object);
            assert!(words.lines().any(is_named), "{words}");
        }
        rig.soon_served_by(&controller, "app.example", "app");
        assert_eq!(rig.get("bad.example", "/").map(|it| it.status), Some(503));
        let name = restart.replace(' ', "-").to_lowercase();
        let host = format!("{name}.example");
        rig.manifest(&name, &own_app(&host, &name, &[&backend]));
        rig.soon_served_by(&controller, &host, "app");
        assert_eq!(rig.haproxy().reloads(), reloads + 1, "for the new host");
        is_noted(&controller);
        controller.kill();
        seen(
            &format!("{restart}: a start with two objects that are held back"),
            "they are named, not tried, and the others are served and changed",
        );
    }
}

#[test]
fn what_became_bad_while_no_controller_ran_holds_nobody_back() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let program = format!("--haproxy-binary={}", Haproxy::find().program.display());
    let flags = ["--disable-config-keywords=", &program];
    let controller = rig.reads_manifests_with(&flags);
    rig.soon_served_by(&controller, "app.example", "app");
    has_begun(&controller);
    controller.kill();
    let mut bad = app("bad.example", "bad", &[&backend]);
    bad[0] = bad[0]
        .clone()
        .annotation("config-backend", "no-such-keyword");
    rig.manifest("bad", &bad);
    rig.manifest("new", &own_app("new.example", "new", &[&backend]));
    let controller = rig.reads_manifests_with(&flags);
    rig.soon_served_by(&controller, "new.example", "app");
    rig.soon_served_by(&controller, "app.example", "app");
    assert_eq!(rig.get("bad.example", "/").map(|it| it.status), Some(404));
    controller.output.wait_for("word about the object", |it| {
        it.contains("held back: Ingress default/bad")
    });
    seen(
        "an object becomes bad while no controller runs",
        "the next one leaves it out and applies the rest",
    );
}
