//! Starting and stopping.

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::http::{Load, Request};
use haproxy_ingress_tests::rig::{Rig, app, until};
use haproxy_ingress_tests::terminal::run;
use rustix::process::Signal;

#[test]
fn it_waits_for_an_haproxy_that_is_not_there_yet() {
    let backend = Backend::start("app");
    let mut rig = Rig::without_haproxy();
    let prefix = format!("--local-filesystem-prefix={}", rig.folder.prefix());
    let printed = run(["--init", &prefix], "");
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests();
    controller.output.wait_for("word about the wait", |it| {
        it.contains("waiting for the external haproxy")
    });
    rig.starts_haproxy();
    rig.soon_served_by(&controller, "app.example", "app");
}

#[test]
fn a_signal_stops_it_and_leaves_an_external_haproxy_alone() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let mut controller = rig.reads_manifests();
    rig.soon_served_by(&controller, "app.example", "app");
    let worker = rig.haproxy().worker();
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
    controller.signal(Signal::TERM);
    assert_eq!(controller.wait(), Some(0), "{}", controller.output.text());
    load.goes_on_for(50);
    assert_eq!(load.stop().failures, Vec::<String>::new());
    assert_eq!(rig.haproxy().worker(), worker);
    let lines = controller.output.lines();
    let place = |what: &str| lines.iter().position(|it| it.contains(what));
    let (received, stopped) = (place("SIGTERM received"), place("stopped"));
    assert!(
        received.is_some() && received < stopped,
        "{}",
        lines.join("\n")
    );
}

#[test]
fn it_says_when_it_is_alive_and_when_it_is_ready() {
    let rig = Rig::external();
    let controller = rig.reads_manifests();
    rig.soon_answers(&controller, "app.example", 404);
    controller
        .output
        .wait_for("end of a run", |it| it.contains("finish haproxy update"));
    for path in ["/healthz", "/readyz"] {
        let request = Request::get(path)
            .host("localhost")
            .header("Connection", "close");
        let answer = request.send_to(rig.pages).expect("the pages are served");
        assert_eq!(answer.status, 200, "{path}: {answer}");
    }
}

#[test]
fn it_stops_when_it_is_asked_to_and_permitted() {
    let rig = Rig::external();
    let stop = Request::new("POST", "/stop")
        .host("localhost")
        .header("Connection", "close");
    let controller = rig.reads_manifests();
    rig.soon_answers(&controller, "app.example", 404);
    let answer = stop.send_to(rig.pages).expect("the pages are served");
    assert_eq!(answer.status, 404);
    controller.kill();

    let mut controller = rig.reads_manifests_with(&["--stop-handler"]);
    let pages_are_there = || {
        stop.clone()
            .send_to(rig.pages)
            .is_ok_and(|it| it.status == 200)
    };
    until(&controller, "answer to POST /stop", pages_are_there);
    assert_eq!(controller.wait(), Some(0), "{}", controller.output.text());
}

#[test]
fn flags_that_mean_nothing_are_a_usage_error() {
    let printed = run(["--no-such-flag"], "");
    assert_eq!(printed.code, 2, "{}", printed.stderr);
    assert!(
        printed.stderr.contains("no-such-flag"),
        "{}",
        printed.stderr
    );
}
