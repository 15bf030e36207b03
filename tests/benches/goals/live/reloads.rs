//! Reloads, good and refused ones, while clients ask.

use std::net::Ipv4Addr;
use std::time::Instant;

use haproxy_ingress_tests::object::{self, Object};

use super::load::{Load, Report, Way};
use super::scaled;
use super::scene::{Scene, app};
use crate::Measured;

/// The host that clients ask for.
const HOST: &str = "app.example";

/// How many requests must be sent meanwhile at least, by the way they are sent.
const CLOSED: u32 = 300_000;
const KEPT: u32 = 1_000_000;
const HTTP2: u32 = 200_000;

/// One connection for each request.
pub(crate) fn closed() -> Measured {
    reloads(Way::Closed, CLOSED)
}

/// Kept connections.
pub(crate) fn kept() -> Measured {
    reloads(Way::Kept, KEPT)
}

/// HTTP/2 over TLS.
pub(crate) fn http2() -> Measured {
    reloads(Way::Http2, HTTP2)
}

/// Configurations that HAProxy refuses, and clients of all three kinds.
pub(crate) fn rejected() -> Measured {
    let (scene, count) = (start(), scaled(20));
    let since = Instant::now();
    let load = load(&scene, &[Way::Closed, Way::Kept, Way::Http2]);
    let per_reload = u64::from(scaled(200_000) / count);
    for number in 1..=count {
        let line = format!("no-such-keyword-{number}");
        scene.api.has(other().annotation("config-backend", &line));
        let times = usize::try_from(number).expect("there are few");
        scene.says("haproxy rejected the configuration", times);
        scene.says("held back: Ingress default/other", times);
        load.reaches(per_reload * u64::from(number));
    }
    measured(
        &load.stop(&scene, since),
        &format!("{count} refused reloads"),
    )
}

/// As many reloads as fit in, while so many requests are sent.
fn reloads(way: Way, requests: u32) -> Measured {
    let (scene, count) = (start(), scaled(100));
    let before = scene.haproxy().reloads();
    let done = scene.count("haproxy successfully reloaded");
    let since = Instant::now();
    let load = load(&scene, &[way]);
    let per_reload = u64::from(scaled(requests).div_ceil(count));
    for number in 1..=count {
        let limit = format!("{}s", 100 + number);
        scene.api.has(other().annotation("timeout-server", &limit));
        let times = usize::try_from(number).expect("there are few");
        scene.says("haproxy successfully reloaded", done + times);
        load.reaches(per_reload * u64::from(number));
    }
    let report = load.stop(&scene, since);
    let reloads = scene.haproxy().reloads() - before;
    assert!(reloads >= count, "HAProxy counts {reloads} reloads");
    measured(&report, &format!("{reloads} reloads"))
}

fn load(scene: &Scene, ways: &[Way]) -> Load {
    Load::start(scene, ways, vec![(HOST.into(), "/".into())])
}

fn measured(report: &Report, reloads: &str) -> Measured {
    Measured {
        value: report.lost.max(report.unanswered) as f64,
        unit: "lost",
        goal: 0.0,
        remark: format!("{reloads}, {}", report.text()),
    }
}

/// One application that clients ask for, and one that changes.
fn start() -> Scene {
    let objects = |port| {
        let mut objects = app(HOST, "app", "/", Ipv4Addr::LOCALHOST, port);
        objects[0] = objects[0].clone().tls(HOST, "app-tls");
        objects.push(object::tls_secret("app-tls", &[HOST]));
        objects.push(other());
        objects.push(object::service("other", 80));
        objects.push(object::endpoints(
            "other",
            &[Ipv4Addr::LOCALHOST.into()],
            port,
        ));
        objects
    };
    Scene::start(|upstream| objects(upstream.port), HOST)
}

/// The Ingress that changes.
fn other() -> Object {
    object::ingress("other").route("other.example", "/", "other", 80)
}
