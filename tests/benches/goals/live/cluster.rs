//! A controller with a cluster of ten thousand from the API: what it weighs, what it does while nothing
//! happens, and how long something takes that does.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use haproxy_ingress_tests::http::{Connection, Request};
use haproxy_ingress_tests::object::{self, Object};
use serde_json::{Value, json};

use super::scaled;
use super::scene::{PATIENCE, Scene};
use super::upstream::ADDRESS;
use crate::{Measured, clock};

/// How many Ingresses, Services and EndpointSlices there are.
const SIZE: u32 = 10_000;

/// How many endpoints each Service has.
const ENDPOINTS: u32 = 3;

/// How long after an update the controller is at rest.
const SETTLED: Duration = Duration::from_secs(5);

/// How long nothing happens.
const REST: Duration = Duration::from_secs(30);

/// The controller's memory at rest after some changes, and what it was before and meanwhile.
pub(crate) fn memory() -> Measured {
    let scene = start();
    let id = scene.controller.id().to_string();
    let first = clock::memory(&id);
    let updates = scene.count(DONE);
    for number in 0..20 {
        scene.api.has(slice(number, 1, scene.upstream.port));
        scene.says(DONE, updates + 1 + number as usize);
    }
    let busy = clock::memory(&id);
    std::thread::sleep(SETTLED);
    Measured {
        value: clock::memory(&id),
        unit: "MB",
        goal: 120.0,
        remark: format!(
            "{first:.0} MB before the first of 20 changes, {busy:.0} MB right after the last one, \
             {:.0} MB at the most",
            clock::most_memory(&id)
        ),
    }
}

/// What the controller does of a core while nothing happens.
pub(crate) fn idle() -> Measured {
    let scene = start();
    // What the first update leaves to do is done.
    std::thread::sleep(Duration::from_secs(5));
    let id = scene.controller.id();
    let (before, began) = (clock::process_time(id), Instant::now());
    std::thread::sleep(REST);
    let used = clock::process_time(id) - before;
    Measured {
        value: 100.0 * used / began.elapsed().as_secs_f64(),
        unit: "%",
        goal: 1.0,
        remark: format!("of a core, over {REST:?}, with the watches of {SIZE} of each"),
    }
}

/// From the event of the API server to the first request that the new endpoint answers.
pub(crate) fn event() -> Measured {
    let scene = start();
    let mut times = Vec::new();
    let mut connection = Connection::plain(scene.http).expect("HAProxy listens");
    for number in 0..scaled(50) {
        let updates = scene.count(DONE);
        let host = host(number);
        let request = Request::get("/").host(&host);
        let began = Instant::now();
        scene.api.has(slice(number, 1, scene.upstream.port));
        let wanted = address(number, 0, 1).to_string();
        loop {
            // One of three endpoints is new.
            let answer = connection.send(&request).expect("HAProxy answers");
            if answer.header(ADDRESS) == Some(wanted.as_str()) {
                break;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "no new endpoint: {}",
                scene.said()
            );
        }
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        scene.says(DONE, updates + 1);
    }
    times.sort_by(f64::total_cmp);
    let quantile = |part: usize| times[(times.len() - 1) * part / 100];
    Measured {
        value: quantile(50),
        unit: "ms",
        goal: 300.0,
        remark: format!(
            "the slowest within {:.0} ms, of {}",
            quantile(100),
            times.len()
        ),
    }
}

/// What the controller says at the end of each update.
const DONE: &str = "finish haproxy update";

fn start() -> Scene {
    let objects = |port| {
        let each = |number| [ingress(number), service(number), slice(number, 0, port)];
        (0..scaled(SIZE)).flat_map(each).collect()
    };
    Scene::start(|upstream| objects(upstream.port), &host(0))
}

fn name(number: u32) -> String {
    format!("app-{number}")
}

fn host(number: u32) -> String {
    format!("app-{number}.example.com")
}

/// An address of 127.0.0.0/8; every generation has one that no other has.
fn address(number: u32, endpoint: u32, generation: u32) -> Ipv4Addr {
    let generation = if endpoint == 0 { generation } else { 0 };
    let place = number * 8 + endpoint * 2 + generation + 2;
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 0, 0).to_bits() + place)
}

/// Puts it where it belongs, with what the API server and `kubectl` add to objects.
fn dressed(object: Object, number: u32) -> Object {
    let copy = object.0.to_string();
    let manager = json!({
        "manager": "kubectl-client-side-apply",
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": { "f:metadata": { "f:labels": { "f:app": {} } }, "f:spec": { "f:ports": {} } },
    });
    object
        .within(&format!("team-{}", number % 100))
        .with("/metadata/labels/app", name(number))
        .with("/metadata/labels/team", format!("team-{}", number % 100))
        .with(
            "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
            copy,
        )
        .with("/metadata/managedFields", json!([manager, manager]))
}

fn ingress(number: u32) -> Object {
    let (name, host) = (name(number), host(number));
    let object = object::ingress(&name)
        .route(&host, "/", &name, 80)
        .route(&host, "/api", &name, 80)
        .annotation("ssl-redirect", "false")
        .annotation("timeout-server", "30s")
        .annotation("balance-algorithm", "leastconn");
    dressed(object, number)
}

fn service(number: u32) -> Object {
    dressed(object::service(&name(number), 80), number)
}

fn slice(number: u32, generation: u32, port: u16) -> Object {
    let addresses: Vec<_> = (0..ENDPOINTS)
        .map(|it| address(number, it, generation).into())
        .collect();
    let mut object = object::endpoints(&name(number), &addresses, port);
    let endpoints = object.0["endpoints"].as_array_mut().expect("it is a list");
    for (index, endpoint) in endpoints.iter_mut().enumerate() {
        endpoint["targetRef"] = json!({
            "kind": "Pod",
            "name": format!("{}-{index}", name(number)),
            "uid": format!("00000000-0000-4000-8000-{number:06}{index:06}"),
        });
        endpoint["nodeName"] = Value::from(format!("node-{}", number % 50));
    }
    dressed(object, number).with("/metadata/labels/kubernetes.io~1service-name", name(number))
}
