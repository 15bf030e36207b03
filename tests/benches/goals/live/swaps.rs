//! A large map whose entries all change, while clients look them up.

use std::net::Ipv4Addr;
use std::time::Instant;

use haproxy_ingress_tests::http::Request;
use haproxy_ingress_tests::object::{self, Object};

use super::load::{Load, Target, Way};
use super::scaled;
use super::scene::{Scene, app};
use super::upstream::ADDRESS;
use crate::Measured;

/// How many hosts there are, and how many paths of each.
const HOSTS: usize = 100;
const PATHS: usize = 100;

/// The two services between which all paths move.
const SERVICES: [(&str, Ipv4Addr); 2] = [
    ("one", Ipv4Addr::new(127, 0, 0, 2)),
    ("two", Ipv4Addr::new(127, 0, 0, 3)),
];

pub(crate) fn swaps() -> Measured {
    let count = scaled(100);
    let scene = Scene::start(|upstream| objects(upstream.port), "root.example");
    let reloads = scene.haproxy().reloads();
    let since = Instant::now();
    let load = Load::start(&scene, &[Way::Kept], targets());
    for number in 1..=count {
        let (service, address) = SERVICES[usize::from(number % 2 == 1)];
        scene.api.has_all((0..HOSTS).map(|it| ingress(it, service)));
        // The last of them may come a run later than the first.
        for place in 0..HOSTS {
            scene.soon("answer of the other service", || {
                let request = Request::get(path(PATHS - 1)).host(host(place));
                let answer = request.header("connection", "close").send_to(scene.http);
                let address = address.to_string();
                answer.is_ok_and(|it| it.header(ADDRESS) == Some(&address))
            });
        }
    }
    let report = load.stop(&scene, since);
    assert_eq!(
        scene.haproxy().reloads(),
        reloads,
        "HAProxy was reloaded:\n{}",
        scene.said()
    );
    let updates = scene.count("updated without reload");
    Measured {
        value: report.lost as f64,
        unit: "missed",
        goal: 0.0,
        remark: format!(
            "{count} swaps of {} entries in {updates} updates, {}",
            HOSTS * PATHS,
            report.text()
        ),
    }
}

fn objects(port: u16) -> Vec<Object> {
    let (first, address) = SERVICES[0];
    let mut objects = app("root.example", first, "/", address, port);
    let (second, address) = SERVICES[1];
    objects.push(object::service(second, 80));
    objects.push(object::endpoints(second, &[address.into()], port));
    // The other service has to be known, or the first swap needs a reload.
    objects.push(object::ingress("known").route("known.example", "/", second, 80));
    objects.extend((0..HOSTS).map(|it| ingress(it, first)));
    objects
}

fn ingress(number: usize, service: &str) -> Object {
    let ingress = object::ingress(&format!("host-{number}"));
    let paths = (0..PATHS).map(path);
    paths.fold(ingress, |it, path| {
        it.route(&host(number), &path, service, 80)
    })
}

fn targets() -> Vec<Target> {
    let hosts = (0..HOSTS).map(host);
    hosts
        .flat_map(|host| (0..PATHS).map(move |it| (host.clone(), path(it))))
        .collect()
}

fn host(number: usize) -> String {
    format!("host-{number}.example")
}

fn path(number: usize) -> String {
    format!("/path-{number}")
}
