//! A cluster that never rests: a thousand changes a second.
//!
//! Ten seconds of it; `SECONDS=60` for a minute.

use std::time::{Duration, Instant};

use haproxy_ingress_tests::apiserver::ApiServer;
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::http::{Load, Request};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::random::number;
use haproxy_ingress_tests::rig::{Rig, app, slice, until};

use crate::{memory_of, metric, seen, unharmed};

const APPS: usize = 20;
const EACH_SECOND: u32 = 1_000;
const RELOAD_INTERVAL: u64 = 2;

fn name(app: usize) -> String {
    format!("app-{app}")
}

fn host(app: usize) -> String {
    format!("app-{app}.example")
}

/// An Ingress whose mark the servers see: another mark is a reload.
fn ingress(app: usize, mark: usize) -> Object {
    object::ingress(&name(app))
        .route(&host(app), "/", &name(app), 80)
        .annotation("headers", &format!("X-Mark: {mark}"))
}

/// The times of day at which updates ended, in seconds.
fn ends(lines: &[String]) -> Vec<f64> {
    let ended = lines
        .iter()
        .filter(|it| it.contains("finish haproxy update"));
    let time = |line: &String| {
        let mut parts = line.split_whitespace().nth(1)?.splitn(3, ':');
        let mut next = || parts.next()?.parse::<f64>().ok();
        Some(next()? * 3600.0 + next()? * 60.0 + next()?)
    };
    ended.filter_map(time).collect()
}

#[test]
fn a_thousand_changes_a_second_neither_starve_nor_thrash() {
    let seconds = number("SECONDS").unwrap_or(10);
    let backends = ["first", "second"].map(Backend::start);
    let api = ApiServer::start();
    for number in 0..APPS {
        api.has_all(app(&host(number), &name(number), &[&backends[0]]));
        api.has(ingress(number, 0));
    }
    api.has_all(app("calm.example", "calm", &[&backends[0]]));
    let rig = Rig::external();
    let interval = format!("--reload-interval={RELOAD_INTERVAL}s");
    let controller = rig.reads_with(&api, &[&interval]);
    rig.soon_served_by(&controller, "calm.example", "first");

    let reloads = rig.haproxy().reloads();
    let loads = ["calm.example", "app-0.example"]
        .map(|host| Load::start(rig.http, &Request::get("/").host(host), 1));
    let mut marks = [0; APPS];
    let mut served_by = [0; APPS];
    let start = Instant::now();
    let changes = usize::try_from(seconds).expect("a few") * EACH_SECOND as usize;
    let mut memory = 0;
    for change in 0..changes {
        let app = change * 7 % APPS;
        if change % 10 == 9 {
            marks[app] = change;
            api.has(ingress(app, change));
        } else {
            served_by[app] = (served_by[app] + 1) % backends.len();
            api.has(slice(&name(app), &[&backends[served_by[app]]]));
        }
        if change == changes / 4 {
            memory = memory_of(controller.id());
        }
        let due = start + Duration::from_secs(1) / EACH_SECOND * u32::try_from(change).unwrap_or(0);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let took = start.elapsed();
    let grown = memory_of(controller.id()).saturating_sub(memory);
    let busy = controller.output.lines();

    // Every change has its effect in the end.
    for app in 0..APPS {
        let (mark, name) = (marks[app].to_string(), &backends[served_by[app]].name);
        rig.soon(
            &controller,
            &host(app),
            &format!("{name} and {mark}"),
            |it| {
                it.backend().as_ref() == Some(name) && it.received("x-mark").as_ref() == Some(&mark)
            },
        );
    }
    until(&controller, "rest", || {
        metric(&rig, "haproxyingress_update_success") == Some(1.0)
    });
    let unharmed = loads.map(|it| unharmed(&it.stop())).join(", ");
    // Reloads are as far apart as asked for, however much changes. Those of the end count as well.
    let reloads = rig.haproxy().reloads() - reloads;
    let most = start.elapsed().as_secs() / RELOAD_INTERVAL + 3;
    assert!(
        u64::from(reloads) <= most,
        "{reloads} reloads in {:?}",
        start.elapsed()
    );
    // Clients see a reload before the controller knows of it.
    until(&controller, "count of the reloads", || {
        metric(&rig, "haproxyingress_reloads_total{outcome=\"done\"}") >= Some(f64::from(reloads))
    });
    // And nothing waits for a pause that never comes.
    let ends = ends(&busy);
    let gaps = ends.windows(2).map(|it| it[1] - it[0]);
    let longest = gaps.fold(0.0, f64::max);
    assert!(
        ends.len() as u64 >= took.as_secs() && longest < 15.0,
        "{} updates in {took:?}, {longest} s apart",
        ends.len()
    );
    assert!(grown < 64 << 20, "{grown} bytes more in {took:?}");
    seen(
        &format!("{EACH_SECOND} changes a second for {seconds} s"),
        &format!(
            "took {:.1} s: {} updates, at most {longest:.1} s apart, {reloads} reloads, {} MiB more memory; \
             {unharmed}",
            took.as_secs_f64(),
            ends.len(),
            grown >> 20
        ),
    );
}
