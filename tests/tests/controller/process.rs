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
fn what_the_port_offers_is_listed_and_there() {
    let rig = Rig::external();
    let flags = ["--debug-pages", "--stop-handler", "--ready-check-path=/ok"];
    let controller = rig.reads_manifests_with(&flags);
    rig.soon_answers(&controller, "app.example", 404);
    until(&controller, "readiness", || {
        rig.page("/ok").is_some_and(|it| it.status == 200)
    });
    let list = rig.page("/").expect("it is served");
    assert_eq!(
        list.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let list = list.text();
    let paths: Vec<_> = list.lines().filter_map(|it| it.split(' ').next()).collect();
    let expected = [
        "/",
        "/acme/check",
        "/build",
        "/debug",
        "/healthz",
        "/metrics",
        "/ok",
        "/stop",
    ];
    assert_eq!(paths, expected, "{list}");
    for (path, line) in paths.iter().zip(list.lines()) {
        let status = rig.page(path).map(|it| it.status);
        let expected = match *path {
            "/acme/check" => 404,
            "/stop" => 405,
            _ => 200,
        };
        assert_eq!(status, Some(expected), "GET {path}");
        assert_eq!(line.contains(" POST "), expected != 200, "{line}");
    }
}

#[test]
fn what_was_built_is_shown() {
    let rig = Rig::external();
    let controller = rig.reads_manifests();
    until(&controller, "page", || rig.page("/build").is_some());
    let page = rig.page("/build").expect("it is served");
    assert_eq!(page.header("content-type"), Some("application/json"));
    let build = page.json();
    let fields: Vec<_> = build.as_object().into_iter().flatten().collect();
    let names: Vec<_> = fields.iter().map(|it| it.0.as_str()).collect();
    let expected = ["Name", "Release", "Build", "Repository", "Compiler"];
    assert_eq!(names, expected, "{build}");
    assert!(fields.iter().all(|it| it.1.is_string()), "{build}");
    let version = run(["--version"], "").stdout;
    let release = build["Release"].as_str().unwrap_or_default();
    assert_eq!(version.trim_end(), format!("haproxy-ingress {release}"));
    let compiler = build["Compiler"].as_str().unwrap_or_default();
    assert!(compiler.starts_with("rustc 1."), "{build}");
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
