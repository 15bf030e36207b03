//! The whole controller with no cluster: a folder of manifests that is edited.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::haproxy::Haproxy;
use haproxy_ingress_tests::http::{Load, Request};
use haproxy_ingress_tests::rig::{Rig, app, rests, slice, until};

/// The messages of a first run, in the order in which a user knows them.
const FIRST_RUN: [&str; 5] = [
    "HAProxy Ingress successfully initialized",
    "starting haproxy update id=1",
    "using auto generated fake certificate",
    "haproxy successfully reloaded (external)",
    "finish haproxy update id=1: ",
];

#[test]
fn an_empty_cluster_answers_404_and_both_logs_say_so() {
    let rig = Rig::external();
    let controller = rig.reads_manifests();
    let answer = rig.soon_answers(&controller, "192.0.2.1", 404);
    assert_eq!(
        answer
            .header("content-type")
            .map(|it| it.starts_with("text/")),
        Some(true)
    );

    controller
        .output
        .wait_for("end of the first run", |it| it.contains(FIRST_RUN[4]));
    let lines = controller.output.lines();
    let places: Vec<_> = FIRST_RUN
        .iter()
        .map(|message| lines.iter().position(|it| it.contains(message)))
        .collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?} in:\n{}",
        lines.join("\n")
    );
    let timers = lines
        .iter()
        .find(|it| it.contains(FIRST_RUN[4]))
        .expect("it was found above");
    for key in [
        "parse_ingress=",
        "write_maps=",
        "write_config=",
        "reload_haproxy=",
        "total=",
    ] {
        assert!(timers.contains(key), "no {key} in: {timers}");
    }

    let line = rig.haproxy().output.wait_for("request in the log", |it| {
        it.contains("_front_http _error404/<lua.send-404>")
    });
    assert!(line.ends_with("\"GET / HTTP/1.1\""), "{line}");
    assert!(line.contains(" 404 "), "{line}");
    assert!(line.contains("LR--"), "{line}");
}

#[test]
fn an_ingress_is_served_as_soon_as_it_is_written_and_gone_when_removed() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    let controller = rig.reads_manifests();
    rig.soon_answers(&controller, "app-0.example", 404);

    // A busy machine may take its time; of several changes one is as fast as it should be.
    let times: Vec<Duration> = (0..5)
        .map(|number| {
            let host = format!("app-{number}.example");
            let written = Instant::now();
            rig.manifest("app", &app(&host, "app", &[&backend]));
            rig.soon_served_by(&controller, &host, "app");
            written.elapsed()
        })
        .collect();
    assert!(
        times.iter().any(|it| *it < Duration::from_secs(1)),
        "{times:?}"
    );
    assert_eq!(rig.get("app-0.example", "/").map(|it| it.status), Some(404));

    rig.removes_manifest("app");
    rig.soon_answers(&controller, "app-4.example", 404);
}

#[test]
fn endpoints_change_without_a_reload_and_without_a_lost_request() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&first]));
    let controller = rig.reads_manifests();
    rig.soon_served_by(&controller, "app.example", "first");

    let reloads = rig.haproxy().reloads();
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 4);
    for turn in 0..6 {
        let backend = if turn % 2 == 0 { &second } else { &first };
        let mut objects = app("app.example", "app", &[]);
        objects[2] = slice("app", &[backend]);
        rig.manifest("app", &objects);
        rig.soon_served_by(&controller, "app.example", &backend.name);
        load.goes_on_for(20);
    }
    let report = load.stop();
    assert_eq!(
        report.failures,
        Vec::<String>::new(),
        "of {}",
        report.answered
    );
    assert_eq!(
        rig.haproxy().reloads(),
        reloads,
        "{}",
        controller.output.text()
    );
}

#[test]
fn new_hosts_lose_no_request_of_those_that_are_there() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests();
    rig.soon_served_by(&controller, "app.example", "app");

    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 4);
    for number in 0..4 {
        let host = format!("new-{number}.example");
        rig.manifest(
            &format!("new-{number}"),
            &app(&host, &format!("new-{number}"), &[&backend]),
        );
        rig.soon_served_by(&controller, &host, "app");
        load.goes_on_for(20);
    }
    let report = load.stop();
    assert_eq!(
        report.failures,
        Vec::<String>::new(),
        "of {}",
        report.answered
    );
}

#[test]
fn a_new_service_comes_and_goes_without_a_reload_where_haproxy_makes_backends() {
    let makes_backends = Haproxy::find().version.is_at_least(3, 4);
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests_with(&["--sync-period=1s"]);
    rig.soon_served_by(&controller, "app.example", "app");

    let reloads = rig.haproxy().reloads();
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
    let comes = || {
        rig.manifest("new", &app("new.example", "new", &[&backend]));
        rig.soon_served_by(&controller, "new.example", "app");
    };
    let goes = || {
        rig.removes_manifest("new");
        rig.soon_answers(&controller, "new.example", 404);
    };
    let told = || rig.haproxy().admin("show stat default_new_80 2 -1");
    let stat = |column: &str| {
        let answer = told();
        let mut lines = answer.lines().map(|it| it.split(','));
        let place = lines
            .next()
            .and_then(|mut it| it.position(|it| it == column));
        let value = lines
            .next()
            .zip(place)
            .and_then(|(mut it, place)| it.nth(place));
        value.unwrap_or_default().to_owned()
    };
    let is_gone = || told().contains("No such proxy.");
    let is_there = || stat("status").starts_with("UP");
    for _ in 0..2 {
        comes();
        assert!(is_there(), "{}", told());
        goes();
        until(&controller, "end of the backend", is_gone);
    }

    // One that goes while it is asked for something stays as long, and takes nothing else.
    comes();
    let mut request = TcpStream::connect(rig.http).expect("HAProxy listens");
    request
        .write_all(b"POST / HTTP/1.1\r\nHost: new.example\r\nContent-Length: 2\r\n\r\n")
        .expect("HAProxy reads");
    until(&controller, "request", || stat("scur") == "1");
    goes();
    if makes_backends {
        let is_taken_out = || stat("status").ends_with(" (UNPUB)");
        until(&controller, "backend without a way to it", is_taken_out);
    }
    drop(request);
    until(&controller, "end of the backend", is_gone);

    comes();
    let report = load.stop();
    let failures = report.failures;
    assert_eq!(failures, Vec::<String>::new(), "of {}", report.answered);
    assert_eq!(
        rig.haproxy().reloads() == reloads,
        makes_backends,
        "{}",
        controller.output.text()
    );

    // The file says what was made.
    let worker = rig.haproxy().worker();
    rig.haproxy().master("reload");
    until(&controller, "reload", || rig.haproxy().worker() != worker);
    until(&controller, "backend in the new worker", is_there);
    rig.soon_served_by(&controller, "new.example", "app");
}

#[test]
fn a_broken_manifest_holds_nobody_back() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    let controller = rig.reads_manifests();
    rig.manifest_text("broken", "kind: Ingress\n  metadata: [\n");
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    rig.soon_served_by(&controller, "app.example", "app");
    controller
        .output
        .wait_for("word about the broken manifest", |it| {
            it.contains("invalid-yaml") && it.contains("broken.yaml")
        });
}

#[test]
fn the_last_good_configuration_survives_a_stop_of_haproxy() {
    let backend = Backend::start("app");
    let mut rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests();
    rig.soon_served_by(&controller, "app.example", "app");

    rig.haproxy.take().expect("it runs").stop();
    assert!(rig.get("app.example", "/").is_none());
    // It comes up by itself with what it had, and the controller finds it again.
    rig.starts_haproxy();
    rig.soon_served_by(&controller, "app.example", "app");
    rig.manifest("other", &app("other.example", "other", &[&backend]));
    rig.soon_served_by(&controller, "other.example", "app");
}

#[test]
fn a_controller_that_died_leaves_everything_running_and_takes_over_without_a_reload() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests();
    rig.soon_served_by(&controller, "app.example", "app");
    controller
        .output
        .wait_for("end of a run", |it| it.contains("finish haproxy update"));

    let (worker, reloads) = (rig.haproxy().worker(), rig.haproxy().reloads());
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 4);
    controller.kill();
    load.goes_on_for(50);
    let controller = rig.reads_manifests();
    controller
        .output
        .wait_for("end of a run", |it| it.contains("finish haproxy update"));
    load.goes_on_for(50);
    let report = load.stop();
    assert_eq!(
        report.failures,
        Vec::<String>::new(),
        "of {}",
        report.answered
    );
    assert_eq!(
        (rig.haproxy().worker(), rig.haproxy().reloads()),
        (worker, reloads),
        "{}",
        controller.output.text()
    );

    rig.manifest("other", &app("other.example", "other", &[&backend]));
    rig.soon_served_by(&controller, "other.example", "app");
}

#[test]
fn a_controller_that_died_finds_servers_where_they_stood() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let rig = Rig::external();
    let written = |backends: &[&Backend]| {
        let mut objects = app("app.example", "app", &[]);
        objects.truncate(2);
        // The ports differ, so that each has a slice of its own.
        objects.extend(
            backends
                .iter()
                .map(|it| slice("app", &[it]).with("/metadata/name", &*it.name)),
        );
        rig.manifest("app", &objects);
    };
    written(&[&first, &second]);
    let controller = rig.reads_manifests();
    rig.soon_served_by(&controller, "app.example", "first");
    rig.soon_served_by(&controller, "app.example", "second");
    // The server of the other one stays, in maintenance: a new configuration would not have it.
    written(&[&first]);
    controller
        .output
        .wait_for("update", |it| it.contains("updated without reload"));
    rests(&controller);
    let config = std::fs::read_to_string(rig.folder.config()).expect("it is written");
    assert!(config.contains("127.0.0.1:1023"), "{config}");

    let (worker, reloads) = (rig.haproxy().worker(), rig.haproxy().reloads());
    controller.kill();
    let controller = rig.reads_manifests();
    let timers = controller
        .output
        .wait_for("end of a run", |it| it.contains("finish haproxy update"));
    assert_eq!(
        (rig.haproxy().worker(), rig.haproxy().reloads()),
        (worker, reloads),
        "{}",
        controller.output.text()
    );
    let said = controller.output.text();
    assert!(said.contains("nothing to do"), "{said}");
    // Comparing is all that was done.
    let steps: Vec<_> = timers
        .split_whitespace()
        .filter_map(|it| it.split_once('=')?.1.ends_with("ms").then_some(it))
        .map(|it| it.split('=').next().unwrap_or_default())
        .collect();
    assert_eq!(steps, ["parse_ingress", "write_maps", "total"], "{timers}");
}

#[test]
fn a_server_that_is_added_has_its_cookie_and_what_goes_is_not_missed() {
    let (one, two) = (Backend::start("one"), Backend::start("two"));
    let rig = Rig::external();
    let controller = rig.reads_manifests();
    let objects = |backends: &[&Backend]| {
        let mut objects = app("app.example", "app", &backends[..1]);
        objects[0] = objects[0].clone().annotation("affinity", "cookie");
        let others = backends.iter().skip(1);
        objects.extend(others.map(|it| slice("app", &[*it]).with("/metadata/name", "app-2")));
        objects
    };
    rig.manifest("app", &objects(&[&one]));
    rig.soon_served_by(&controller, "app.example", "one");
    let reloads = rig.haproxy().reloads();

    rig.manifest("app", &objects(&[&one, &two]));
    let answer = rig.soon_served_by(&controller, "app.example", "two");
    let cookie = answer.header("set-cookie").expect("a client gets a cookie");
    let cookie = cookie.split(';').next().expect("a value");
    assert!(!cookie.ends_with('='), "{cookie}");
    for _ in 0..5 {
        let request = Request::get("/").host("app.example");
        let request = request
            .header("Cookie", cookie)
            .header("Connection", "close");
        let answer = request.send_to(rig.http).expect("it answers");
        assert_eq!(answer.backend().as_deref(), Some("two"), "{cookie}");
    }
    rig.manifest("app", &objects(&[&two]));
    rig.soon(&controller, "app.example", "nobody but two", |_| {
        // By chance it is one of both.
        let mut answers = (0..40).map(|_| rig.get("app.example", "/"));
        answers.all(|it| it.and_then(|it| it.backend()).as_deref() == Some("two"))
    });
    assert_eq!(rig.haproxy().reloads(), reloads, "commands were enough");
}
