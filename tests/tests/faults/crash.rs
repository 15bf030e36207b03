//! The machine dies while files are written.

use std::fs;
use std::time::{Duration, Instant};

use haproxy_ingress_tests::http::{Connection, Request};
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::random::{Random, number, seed};
use haproxy_ingress_tests::rig::{Rig, until};

use crate::{has_begun, seen};

/// `ROUNDS` says how often; 200 need two minutes. Each single step of writing is cut in the tests of the
/// controller itself; here it is all processes, at any time.
#[test]
fn a_haproxy_started_after_a_crash_serves_the_old_or_the_new() {
    let seed = seed();
    let rounds = number("ROUNDS").unwrap_or(12);
    let mut random = Random::new(seed);
    let mut rig = Rig::external();
    write(&rig, 0);
    let mut controller = rig.reads_manifests();
    until(&controller, "first state", || served(&rig) == Some(0));
    let written = Instant::now();
    write(&rig, 1);
    until(&controller, "second state", || served(&rig) == Some(1));
    let window = written.elapsed() * 3 / 2;
    let (mut old, mut new) = (0, 0);
    let mut before = 1;
    for round in 2..rounds + 2 {
        // What is served is on the disk a little later.
        until(&controller, "files", || is_on_disk(&rig, before));
        write(&rig, round);
        // The fault is that it happens at any time.
        std::thread::sleep(part(&mut random, window));
        controller.kill();
        rig.haproxy.take().expect("it runs").kill(rig.http);
        rig.starts_haproxy();
        match served(&rig) {
            Some(it) if it == before => old += 1,
            Some(it) if it == round => new += 1,
            it => panic!(
                "SEED={seed}, round {round}: neither {before} nor {round} but {it:?}\n{}",
                rig.haproxy().output.text()
            ),
        }
        controller = rig.reads_manifests();
        has_begun(&controller);
        until(&controller, "new state", || served(&rig) == Some(round));
        before = round;
    }
    seen(
        "controller and HAProxy are killed while files are written",
        &format!("SEED={seed}: of {rounds} times {old} old and {new} new, never an error or a mix"),
    );
}

/// A state that shows in a map and in a certificate.
fn write(rig: &Rig, state: u64) {
    let location = format!("https://elsewhere.example/{state}");
    let ingress = object::ingress("app")
        .annotation("redirect-to", &location)
        .annotation("ssl-redirect", "false")
        .route("app.example", "/", "app", 80)
        .tls("app.example", "app");
    let name = format!("s{state}.app.example");
    let secret = object::tls_secret("app", &["app.example", &name]);
    rig.manifest("app", &[ingress, object::service("app", 80), secret]);
}

/// Whether the disk holds a state.
fn is_on_disk(rig: &Rig, state: u64) -> bool {
    let maps = rig.folder.path().join("etc/haproxy/maps");
    let names = fs::read_dir(maps).into_iter().flatten().flatten();
    let mut maps = names.filter_map(|it| fs::read_to_string(it.path()).ok());
    maps.any(|it| it.contains(&format!("//elsewhere.example/{state}\n")))
}

/// The state that is served, if it is one and not a mix of two.
fn served(rig: &Rig) -> Option<u64> {
    let mut connection = Connection::tls(rig.https, Some("app.example")).ok()?;
    let names = connection.certificate()?.names.clone();
    let certificate = names
        .iter()
        .find_map(|it| it.strip_prefix('s')?.split('.').next()?.parse().ok());
    let request = Request::get("/").host("app.example");
    let answer = connection.send(&request).ok()?;
    let location = answer.header("location")?.rsplit('/').next()?.parse().ok();
    (certificate == location).then_some(location?)
}

fn part(random: &mut Random, whole: Duration) -> Duration {
    let part = random.below(usize::try_from(whole.as_micros()).unwrap_or(usize::MAX));
    Duration::from_micros(u64::try_from(part).unwrap_or_default())
}
