//! Workers that live on because their clients do.

use std::time::{Duration, Instant};

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::rig::{Rig, app, own_app, slice, until};
use haproxy_ingress_tests::terminal::Program;

use crate::sessions::{Upgraded, chat, reload};
use crate::{has_begun, memory_of, metric, seen};

/// A connection to the worker that serves now.
fn open(rig: &Rig) -> Upgraded {
    Upgraded::open(rig.http, "chat.example").expect("it was upgraded before")
}

/// A rig with a chat and an application.
fn rig(backend: &Backend, keys: &[(&str, &str)]) -> Rig {
    let rig = Rig::external();
    rig.configures(keys);
    rig.manifest("chat", &chat());
    rig.manifest("app", &app("app.example", "app", &[backend]));
    rig
}

fn is_served(rig: &Rig, controller: &Program) {
    rig.soon_served_by(controller, "app.example", "first");
    until(controller, "upgrade", || {
        Upgraded::open(rig.http, "chat.example").is_ok()
    });
}

#[test]
fn sessions_of_an_old_worker_are_closed_one_after_the_other() {
    const STOP: Duration = Duration::from_secs(8);
    /// When the first may be closed.
    const FIRST: Duration = Duration::from_secs(3);
    const SESSIONS: usize = 10;
    let keys = [("timeout-stop", "8s"), ("close-sessions-duration", "5s")];
    let backend = Backend::start("first");
    let rig = rig(&backend, &keys);
    let controller = rig.reads_manifests_with(&["--track-old-instances"]);
    is_served(&rig, &controller);

    let connections: Vec<_> = (0..SESSIONS).map(|_| open(&rig)).collect();
    let before = Instant::now();
    let ends = connections.into_iter().map(|mut it| {
        std::thread::spawn(move || {
            assert!(it.ends());
            Instant::now()
        })
    });
    let ends: Vec<_> = ends.collect();
    reload(&rig, &controller, &keys, 0);
    let after = Instant::now();
    let mut young = open(&rig);
    let mut ends: Vec<_> = ends
        .into_iter()
        .map(|it| it.join().expect("it ends in time"))
        .collect();
    ends.sort();
    let words = controller.output.text();
    let times: Vec<_> = ends.iter().map(|it| *it - before).collect();
    assert!(
        times[0] >= FIRST,
        "none is closed earlier: {times:?}\n{words}"
    );
    // HAProxy would close what is left at once. Evenly, it is two or three in a second.
    let crowd = ends.windows(6).map(|it| it[5] - it[0]).min();
    assert!(crowd > Some(Duration::from_secs(1)), "{times:?}\n{words}");
    assert!(ends[SESSIONS - 1] < after + STOP, "{times:?}\n{words}");
    assert!(young.lives(), "only old sessions are closed");
    // A client sees the end before HAProxy has answered who asked for it.
    until(&controller, "count of the sessions", || {
        metric(&rig, "haproxyingress_haproxy_sessions_closed_total") == Some(10.0)
    });
    until(&controller, "end of the old worker", || {
        metric(&rig, "haproxyingress_haproxy_old_workers") == Some(0.0)
    });
    assert!(
        words.contains("old workers that finish their sessions: 1"),
        "{words}"
    );
    seen(
        "10 idle connections of an old worker, `close-sessions-duration: 5s` of 8 s",
        &format!("closed after {times:.1?}"),
    );
}

#[test]
fn a_reload_waits_for_old_workers_and_endpoints_do_not() {
    let backends = ["first", "second"].map(Backend::start);
    let rig = rig(&backends[0], &[]);
    let flags = ["--max-old-workers=2", "--max-reload-wait=1h"];
    let controller = rig.reads_manifests_with(&flags);
    is_served(&rig, &controller);
    let mut connections = Vec::new();
    for turn in 0..3 {
        connections.push(open(&rig));
        reload(&rig, &controller, &[], turn);
    }
    let reloads = rig.haproxy().reloads();
    rig.manifest("new", &own_app("new.example", "new", &[&backends[0]]));
    let said = controller
        .output
        .wait_for("word about the wait", |it| it.contains("the reload waits"));
    assert!(said.contains("3 old workers"), "{said}");

    // What needs no reload goes on: endpoints, and a host of a backend that is there.
    let mut objects = app("app.example", "app", &[]);
    objects[2] = slice("app", &[&backends[1]]);
    objects.push(haproxy_ingress_tests::object::ingress("more").route(
        "more.example",
        "/",
        "app",
        80,
    ));
    rig.manifest("app", &objects);
    rig.soon_served_by(&controller, "app.example", "second");
    rig.soon_served_by(&controller, "more.example", "second");
    assert_eq!(
        rig.haproxy().reloads(),
        reloads,
        "{}",
        controller.output.text()
    );
    assert_eq!(rig.get("new.example", "/").map(|it| it.status), Some(404));

    connections.pop();
    rig.soon_served_by(&controller, "new.example", "first");
    let words = controller.output.text();
    assert_eq!(words.matches("the reload waits").count(), 1, "{words}");
    assert!(connections.iter_mut().all(Upgraded::lives));
    seen(
        "old workers that do not end, `--max-old-workers=2`",
        "the next reload waits for one to end, all else is applied",
    );
}

#[test]
fn a_reload_waits_until_memory_is_enough() {
    let backend = Backend::start("first");
    let rig = rig(&backend, &[]);
    let controller = rig.reads_manifests();
    is_served(&rig, &controller);
    // Two old workers are so much more than none that it does not matter by how much a worker grows.
    let connections = [0, 1].map(|turn| {
        let connection = open(&rig);
        reload(&rig, &controller, &[], turn);
        connection
    });
    controller.kill();
    let haproxy = rig.haproxy();
    let master = u32::try_from(haproxy.pid().as_raw_nonzero().get()).expect("it is a number");
    let (master, worker) = (memory_of(master), memory_of(haproxy.worker()));
    // Enough for three workers beside the master, and not for four.
    let limit = format!("--max-haproxy-memory={}", master + worker * 3);
    let controller = rig.reads_manifests_with(&[&limit, "--max-reload-wait=1s"]);
    has_begun(&controller);
    let reloads = rig.haproxy().reloads();
    rig.manifest("new", &own_app("new.example", "new", &[&backend]));
    let said = controller
        .output
        .wait_for("word about memory", |it| it.contains("the reload waits"));
    for word in ["2 old workers included", "--max-haproxy-memory"] {
        assert!(said.contains(word), "no {word} in: {said}");
    }
    assert_eq!(rig.haproxy().reloads(), reloads, "it was not reloaded");
    drop(connections);
    rig.soon_served_by(&controller, "new.example", "first");
    seen(
        "old workers take the memory of the next one, `--max-haproxy-memory`",
        "the next reload waits for them to end, whatever --max-reload-wait says",
    );
}
