//! What the controller keeps in memory.

use std::fs;

use haproxy_ingress_tests::apiserver::ApiServer;
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::rig::{Rig, app, slice, until};
use haproxy_ingress_tests::show::show;

/// How many Ingresses, Services and EndpointSlices there are.
const SIZE: usize = 1_000;

/// The most memory that a controller may have that has nothing to do, in MB, beside its program.
const MOST: u64 = 25;

/// Memory of a process in MB that is no part of a file.
fn own_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|it| it.strip_prefix("RssAnon:"));
    let number = line.and_then(|it| it.trim().split(' ').next()?.parse::<u64>().ok());
    number.expect("Linux tells it") / 1024
}

#[test]
fn what_updates_have_needed_is_given_back() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let api = ApiServer::start();
    let objects = (0..SIZE).flat_map(|it| app(&host(it), &name(it), &[&first]));
    api.has_all(objects);
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, &host(SIZE - 1), "first");
    for number in 0..5 {
        api.has(slice(&name(number), &[&second]));
        rig.soon_served_by(&controller, &host(number), "second");
    }
    let memory = || own_memory(controller.id());
    let busy = memory();
    until(&controller, "memory back", || memory() <= MOST);
    let rest = memory();
    show(&format!(
        "memory with {SIZE} Ingresses: {busy} MB after updates, {rest} MB at rest"
    ));
}

fn name(number: usize) -> String {
    format!("app-{number}")
}

fn host(number: usize) -> String {
    format!("app-{number}.example")
}
