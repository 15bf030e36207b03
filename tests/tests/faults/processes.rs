//! Processes that die, and processes that come back as others.

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::haproxy::Haproxy;
use haproxy_ingress_tests::http::{Load, Request};
use haproxy_ingress_tests::rig::{Rig, app, slice};
use rustix::process::{Signal, kill_process};

use crate::{process, seen, unharmed};

#[test]
fn a_killed_haproxy_serves_the_state_of_now_when_it_comes_back() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let mut rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&first]));
    let controller = rig.reads_manifests();
    rig.soon_served_by(&controller, "app.example", "first");
    for (turn, victim) in ["worker", "master"].into_iter().enumerate() {
        let backend = if turn % 2 == 0 { &second } else { &first };
        let haproxy = rig.haproxy.take().expect("it runs");
        if victim == "worker" {
            kill_process(process(haproxy.worker()), Signal::KILL).expect("it runs");
        }
        haproxy.kill(rig.http);
        let mut objects = app("app.example", "app", &[]);
        objects[2] = slice("app", &[backend]);
        rig.manifest("app", &objects);
        let (host, name) = (format!("{victim}.example"), format!("of-the-{victim}"));
        rig.manifest(&name, &app(&host, &name, &[backend]));
        rig.starts_haproxy();
        // What is on the disk is good enough until the controller has noticed.
        let answer = rig.get("app.example", "/").map(|it| it.status);
        assert_eq!(answer, Some(200), "{}", controller.output.text());
        rig.soon_served_by(&controller, "app.example", &backend.name);
        rig.soon_served_by(&controller, &host, &backend.name);
        seen(
            &format!("the {victim} is killed, and HAProxy started again"),
            "serves from the disk at once, and then what changed in between",
        );
    }
}

#[test]
fn haproxy_is_replaced_by_one_of_another_version() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let mut rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&first]));
    let controller = rig.reads_manifests();
    rig.soon_served_by(&controller, "app.example", "first");
    let another = Haproxy::find_another();
    let mut versions = vec![Haproxy::find().version.to_string()];
    for (haproxy, backend) in [(&another, &second), (Haproxy::find(), &first)] {
        rig.haproxy.take().expect("it runs").stop();
        rig.starts(haproxy);
        let said = format!("haproxy is version {}", haproxy.version);
        controller
            .output
            .wait_for("word about the version", |it| it.contains(&said));
        let mut objects = app("app.example", "app", &[]);
        objects[2] = slice("app", &[backend]);
        rig.manifest("app", &objects);
        rig.soon_served_by(&controller, "app.example", &backend.name);
        let host = format!("{}.example", backend.name);
        rig.manifest(&backend.name, &app(&host, &backend.name, &[backend]));
        rig.soon_served_by(&controller, &host, &backend.name);
        versions.push(haproxy.version.to_string());
    }
    seen(
        "HAProxy is replaced by another version",
        &format!("{}: commands and reloads go on", versions.join(", ")),
    );
}

#[test]
fn a_limit_that_the_system_does_not_grant_harms_nobody() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests();
    rig.soon_served_by(&controller, "app.example", "app");
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
    // More than any process may have open (`fs.nr_open`), so that root cannot have it either.
    let reloads = rig.haproxy().reloads();
    rig.configures(&[("max-connections", "2000000000")]);
    let said = controller.output.wait_for("word about the limit", |it| {
        it.contains("error[held-back]") && it.contains("ConfigMap")
    });
    assert!(
        said.contains("needs at least 4000000000 file descriptors and may open "),
        "{said}"
    );
    assert_eq!(rig.haproxy().reloads(), reloads, "it is not even tried");
    rig.manifest("other", &app("other.example", "other", &[&backend]));
    rig.soon_served_by(&controller, "other.example", "app");
    rig.configures(&[("max-connections", "100")]);
    rig.manifest("third", &app("third.example", "third", &[&backend]));
    rig.soon_served_by(&controller, "third.example", "app");
    seen(
        "more connections are asked for than the system has files",
        &format!("{}; all else goes on", unharmed(&load.stop())),
    );
}
