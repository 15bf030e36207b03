//! What must not happen while nothing changes: writes, reloads and commands.

use std::net::Ipv4Addr;
use std::time::Duration;

use haproxy_ingress_tests::http::Request;
use haproxy_ingress_tests::object::{self, Object};

use super::scaled;
use super::scene::{Scene, app};
use super::upstream::ADDRESS;
use crate::Measured;

/// How many applications there are.
const APPS: u32 = 50;

/// How long after its start a controller compares what HAProxy has with the files, and a little more.
const COMPARED: Duration = Duration::from_millis(1_500);

/// Which of the restarts waits for that: the last of so many.
const WAITS: u32 = 10;

/// What the controller says when it has changed something.
const DONE: [&str; 4] = [
    "updated without reload",
    "haproxy successfully reloaded",
    "haproxy differs from its configuration",
    "haproxy was not updated",
];

/// The same objects are written again and again, and listed anew each tenth time.
pub(crate) fn resyncs() -> Measured {
    let (scene, count) = (start(), scaled(1_000));
    let (before, reloads, done) = (scene.generation(), scene.haproxy().reloads(), scene.done());
    let runs = scene.count("starting haproxy update");
    let objects = objects(scene.upstream.port);
    let lists = scene.lists();
    for number in 1..=count {
        scene.api.has_all(objects.iter().cloned());
        // Watches shall see each round by itself.
        std::thread::sleep(Duration::from_millis(5));
        if number % 10 == 0 {
            scene.api.forgets_its_history();
        }
    }
    let lists = scene.lists() - lists;
    let runs = scene.count("starting haproxy update") - runs;
    // Two real changes behind all of these, so that it is known that they were read.
    let moved = Ipv4Addr::new(127, 0, 1, 1);
    let slice = object::endpoints("app-0", &[moved.into()], scene.upstream.port);
    scene.api.has(slice);
    scene.soon("answer of the endpoint that moved", || {
        let request = Request::get("/").host("app-0.example");
        let answer = request.header("connection", "close").send_to(scene.http);
        answer.is_ok_and(|it| it.header(ADDRESS) == Some(&moved.to_string()))
    });
    scene.soon("end of the update", || scene.done() > done);
    // It is written behind the update.
    scene.soon("files of the update", || scene.generation() > before);
    let writes = scene.generation() - before - 1;
    let reloads = scene.haproxy().reloads() - reloads;
    let updates = scene.done() - done - 1;
    measured(
        writes,
        reloads,
        updates,
        &format!(
            "{count} times {} objects, {lists} lists, {runs} runs",
            objects.len()
        ),
    )
}

/// The controller is started again.
pub(crate) fn restarts() -> Measured {
    let (mut scene, count) = (start(), scaled(100));
    let (disk, reloads) = (scene.disk(), scene.haproxy().reloads());
    let mut updates = 0;
    for number in 1..=count {
        scene.restarts_controller();
        scene.says("finish haproxy update", 1);
        // A second run would come now; a comparison of HAProxy's memory is later.
        let waits = number % WAITS == 0 || number == count;
        std::thread::sleep(if waits {
            COMPARED
        } else {
            Duration::from_millis(300)
        });
        updates += scene.done();
    }
    let now = scene.disk();
    // The date tells of files that were written in their places, too.
    let writes = (now.generation - disk.generation).max(u64::from(now != disk));
    let reloads = scene.haproxy().reloads() - reloads;
    measured(writes, reloads, updates, &format!("{count} restarts"))
}

fn measured(writes: u64, reloads: u32, updates: usize, of: &str) -> Measured {
    Measured {
        value: writes as f64 + f64::from(reloads) + updates as f64,
        unit: "done",
        goal: 0.0,
        remark: format!("{of}: {writes} writes, {reloads} reloads, {updates} updates"),
    }
}

impl Scene {
    /// How often the controller says that it has changed something.
    fn done(&self) -> usize {
        DONE.iter().map(|it| self.count(it)).sum()
    }

    /// How often it has asked for a list.
    fn lists(&self) -> usize {
        let seen = self.api.seen();
        let lists = seen.iter().filter(|it| !it.target.contains("watch="));
        lists.filter(|it| it.method == "GET").count()
    }
}

fn start() -> Scene {
    Scene::start(|upstream| objects(upstream.port), "app-0.example")
}

fn objects(port: u16) -> Vec<Object> {
    let each = |number| {
        let (name, host) = (format!("app-{number}"), format!("app-{number}.example"));
        app(&host, &name, "/", Ipv4Addr::LOCALHOST, port)
    };
    (0..APPS).flat_map(each).collect()
}
