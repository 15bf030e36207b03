//! Changes that HAProxy hears of while it runs, and how long they take until a client sees them.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use haproxy_ingress_tests::http::{Connection, Request};
use haproxy_ingress_tests::object::{self, Object};

use super::scaled;
use super::scene::{PATIENCE, Scene};
use super::upstream::ADDRESS;
use crate::Measured;

/// How many backends there are.
const BACKENDS: u32 = 1_000;

/// How many changes come at one instant, as with a Deployment that is rolled out.
const BATCH: usize = 10;

/// How often changes come: the shortest time between two runs of the controller, and a little more.
const PERIOD: Duration = Duration::from_millis(110);

/// How long an endpoint may be asked after another one has taken its place.
const REPLACED: Duration = Duration::from_secs(1);

/// A client that looks whether a change is there, over one connection: without a reload it lasts.
struct Client<'a> {
    scene: &'a Scene,
    kept: Option<Connection>,
}

/// Endpoints move. The old ones keep no connection, as if they were gone.
pub(crate) fn endpoints() -> Measured {
    let scene = start(false);
    scene.upstream.closes_connections();
    let mut client = Client::new(&scene);
    measured(
        &scene,
        scaled(10_000),
        |number| slice(number, &scene),
        |number| client.is_served_by_new(number),
    )
}

/// Endpoints move, and the old ones go on answering over the connections that HAProxy has to them, as Pods
/// do that are only not ready or have other labels: they must not be asked any more.
pub(crate) fn replaced() -> Measured {
    let scene = start(false);
    let mut client = Client::new(&scene);
    let numbers: Vec<u32> = (0..scaled(200)).collect();
    let mut asked = 0;
    for batch in numbers.chunks(BATCH) {
        let mut pending = batch.to_vec();
        // Connections to the old endpoints are there, and some of them are in use.
        pending.retain(|it| !client.is_served_by_new(*it));
        scene.api.has_all(batch.iter().map(|it| slice(*it, &scene)));
        let start = Instant::now();
        while !pending.is_empty() && start.elapsed() < REPLACED {
            pending.retain(|it| !client.is_served_by_new(*it));
        }
        asked += pending.len();
    }
    Measured {
        value: asked as f64,
        unit: "asked",
        goal: 0.0,
        remark: format!("of {} after {REPLACED:?}", numbers.len()),
    }
}

/// Certificates are renewed.
pub(crate) fn certificates() -> Measured {
    let scene = start(true);
    let serial = |number: u32| {
        let connection = Connection::tls(scene.https, Some(&host(number)));
        let connection = connection.expect("HAProxy listens");
        let certificate = connection.certificate().expect("it is TLS");
        assert_eq!(certificate.names, [host(number)], "it is another one's");
        certificate.serial.clone()
    };
    let count = scaled(BACKENDS);
    let before: Vec<String> = (0..count).map(serial).collect();
    measured(&scene, count, secret, |number| {
        let place = usize::try_from(number).expect("there are few");
        serial(number) != before[place]
    })
}

/// Paths move.
pub(crate) fn paths() -> Measured {
    let scene = start(false);
    let mut client = Client::new(&scene);
    measured(
        &scene,
        scaled(BACKENDS),
        |number| ingress(number, false).route(&host(number), "/b", &name(number), 80),
        |number| client.get(&host(number), "/b").map(|it| it.0) == Some(200),
    )
}

/// Makes changes and measures each of them.
fn measured(
    scene: &Scene,
    count: u32,
    change: impl Fn(u32) -> Object,
    mut is_effective: impl FnMut(u32) -> bool,
) -> Measured {
    let (reloads, updates) = (scene.haproxy().reloads(), scene.count(UPDATED));
    let mut times = Vec::new();
    let numbers: Vec<u32> = (0..count).collect();
    for batch in numbers.chunks(BATCH) {
        let objects: Vec<Object> = batch.iter().map(|it| change(*it)).collect();
        let start = Instant::now();
        scene.api.has_all(objects);
        // One after the other: looking takes time from those who are looked at. What became effective
        // while another one was looked for counts from when it is seen.
        for number in batch {
            while !is_effective(*number) {
                assert!(
                    start.elapsed() < PATIENCE,
                    "nobody sees change {number}; the controller said last:\n{}",
                    scene.said()
                );
                std::thread::sleep(Duration::from_millis(1));
            }
            times.push(start.elapsed().as_secs_f64() * 1_000.0);
        }
        std::thread::sleep(PERIOD.saturating_sub(start.elapsed()));
    }
    let reloads = scene.haproxy().reloads() - reloads;
    assert_eq!(reloads, 0, "HAProxy was reloaded:\n{}", scene.said());
    times.sort_by(f64::total_cmp);
    let quantile = |part: usize| times[(times.len() - 1) * part / 100];
    Measured {
        value: quantile(99),
        unit: "ms",
        goal: 100.0,
        remark: format!(
            "half within {:.1} ms, all within {:.1} ms; {count} changes in {} updates, {reloads} reloads",
            quantile(50),
            quantile(100),
            scene.count(UPDATED) - updates,
        ),
    }
}

/// What the controller says of an update without reload.
const UPDATED: &str = "updated without reload";

impl<'a> Client<'a> {
    fn new(scene: &'a Scene) -> Self {
        Self { scene, kept: None }
    }

    /// Whether it is the endpoint after a change that answers.
    fn is_served_by_new(&mut self, number: u32) -> bool {
        let wanted = new_address(number).to_string();
        self.get(&host(number % BACKENDS), "/a") == Some((200, Some(wanted)))
    }

    /// The status, and at which address the server was asked; nothing if there was no answer.
    fn get(&mut self, host: &str, path: &str) -> Option<(u16, Option<String>)> {
        let kept = self.kept.take();
        let mut connection = kept.or_else(|| Connection::plain(self.scene.http).ok())?;
        let answer = connection.send(&Request::get(path).host(host)).ok()?;
        self.kept = Some(connection);
        Some((answer.status, answer.header(ADDRESS).map(ToOwned::to_owned)))
    }
}

fn start(tls: bool) -> Scene {
    let objects = |port| {
        let each = |number| {
            let mut objects = vec![
                ingress(number, tls),
                object::service(&name(number), 80),
                object::endpoints(&name(number), &[address(number, 0).into()], port),
            ];
            if tls {
                objects.push(secret(number));
            }
            objects
        };
        let mut objects: Vec<Object> = (0..BACKENDS).flat_map(each).collect();
        objects.push(object::ingress("root").route("root.example", "/", &name(0), 80));
        objects
    };
    Scene::start(|upstream| objects(upstream.port), "root.example")
}

fn name(number: u32) -> String {
    format!("app-{number}")
}

fn host(number: u32) -> String {
    format!("app-{number}.example")
}

fn ingress(number: u32, tls: bool) -> Object {
    let it = object::ingress(&name(number)).route(&host(number), "/a", &name(number), 80);
    if tls {
        it.tls(&host(number), &name(number))
    } else {
        it
    }
}

fn secret(number: u32) -> Object {
    object::tls_secret(&name(number), &[&host(number)])
}

/// The endpoint that a backend has after a change.
fn slice(number: u32, scene: &Scene) -> Object {
    let addresses = [new_address(number).into()];
    object::endpoints(&name(number % BACKENDS), &addresses, scene.upstream.port)
}

fn new_address(number: u32) -> Ipv4Addr {
    address(number % BACKENDS, number / BACKENDS + 1)
}

/// An address of this machine that no other backend and no other generation has.
fn address(number: u32, generation: u32) -> Ipv4Addr {
    let first = Ipv4Addr::new(127, 16, 0, 1).to_bits();
    Ipv4Addr::from_bits(first + generation * BACKENDS + number)
}
