//! Far more of something than anybody should have.

use std::fs;
use std::time::{Duration, Instant};

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::{Rig, app, slice};
use haproxy_ingress_tests::terminal::Program;
use serde_json::{Value, json};

use crate::seen;

/// How long a step may take; the program is not optimised, and the machine has other things to do.
const PATIENCE: Duration = Duration::from_mins(10);

/// The most memory the controller may ever have had, in MB: what operators give such a container.
const MOST: u64 = 512;

/// Waits until a host and path are answered by a backend, and tells how long that took.
fn served(rig: &Rig, controller: &Program, host: &str, path: &str, name: &str) -> Duration {
    let start = Instant::now();
    while rig.get(host, path).and_then(|it| it.backend()).as_deref() != Some(name) {
        let words = controller.output.lines();
        let last = words.len().saturating_sub(20);
        assert!(
            start.elapsed() < PATIENCE,
            "{host}{path} is not served by {name}; the controller said last:\n{}",
            words[last..].join("\n")
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    start.elapsed()
}

/// The most memory that a process ever had, in MB.
fn most_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let number = line.and_then(|it| it.trim().split(' ').next()?.parse::<u64>().ok());
    number.expect("Linux tells it") / 1024
}

/// Shows how long steps took and how much memory that needed, which must not be too much.
fn report(fault: &str, rig: &Rig, controller: &Program, steps: &[(&str, Duration)]) {
    let memory = most_memory(controller.id());
    let steps = steps
        .iter()
        .map(|(what, took)| format!("{what} {took:.1?}"));
    let steps = steps.collect::<Vec<_>>().join(", ");
    let worker = most_memory(rig.haproxy().worker());
    seen(
        fault,
        &format!("{steps}; controller {memory} MB, HAProxy {worker} MB"),
    );
    assert!(memory < MOST, "{memory} MB");
}

/// One of many paths, each of them long.
fn path(number: usize) -> String {
    format!("/{number:05}/{}", "long-".repeat(41))
}

/// An Ingress with this many paths.
fn many_paths(count: usize) -> Object {
    let path = |number: usize| {
        json!({
            "path": path(number),
            "pathType": "Prefix",
            "backend": { "service": { "name": "app", "port": { "number": 80 } } },
        })
    };
    let paths: Vec<Value> = (0..count).map(path).collect();
    let rules = json!([{ "host": "app.example", "http": { "paths": paths } }]);
    object::ingress("app").with("/spec/rules", rules)
}

#[test]
fn an_ingress_with_five_thousand_paths_is_an_ordinary_one() {
    const PATHS: usize = 5_000;
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let rig = Rig::external();
    let mut objects = app("app.example", "app", &[&first]);
    objects[0] = many_paths(PATHS);
    let size = objects[0].0.to_string().len();
    assert!((1_500_000..1_600_000).contains(&size), "{size} bytes");
    rig.manifest("app", &objects);
    let controller = rig.reads_manifests();
    let last = path(PATHS - 1);
    let start = served(&rig, &controller, "app.example", &last, "first");

    rig.manifest("other", &app("other.example", "other", &[&first]));
    let other = served(&rig, &controller, "other.example", "/", "first");
    objects[2] = slice("app", &[&second]);
    rig.manifest("app", &objects);
    let endpoint = served(&rig, &controller, "app.example", &last, "second");
    objects[0] = many_paths(PATHS + 1);
    rig.manifest("app", &objects);
    let more = served(&rig, &controller, "app.example", &path(PATHS), "second");
    report(
        "an Ingress of 1.5 MB with 5,000 paths",
        &rig,
        &controller,
        &[
            ("served after", start),
            ("another host", other),
            ("its endpoint", endpoint),
            ("one more path", more),
        ],
    );
}

#[test]
fn twenty_thousand_hosts_are_served() {
    const HOSTS: usize = 20_000;
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let rig = Rig::external();
    for part in 0..20 {
        let hosts = (0..HOSTS).skip(part * HOSTS / 20).take(HOSTS / 20);
        let objects: Vec<Object> = hosts
            .flat_map(|it| {
                app(
                    &format!("host-{it}.example"),
                    &format!("app-{it}"),
                    &[&first],
                )
            })
            .collect();
        rig.manifest(&format!("part-{part}"), &objects);
    }
    let controller = rig.reads_manifests();
    let last = format!("host-{}.example", HOSTS - 1);
    let start = served(&rig, &controller, &last, "/", "first");

    rig.manifest("new", &app("new.example", "new", &[&first]));
    let host = served(&rig, &controller, "new.example", "/", "first");
    let mut objects = app("new.example", "new", &[]);
    objects[2] = slice("new", &[&second]);
    rig.manifest("new", &objects);
    let endpoint = served(&rig, &controller, "new.example", "/", "second");
    report(
        "20,000 hosts",
        &rig,
        &controller,
        &[
            ("served after", start),
            ("one more host", host),
            ("its endpoint", endpoint),
        ],
    );
}
