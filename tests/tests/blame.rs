//! Faults that only HAProxy sees, through the whole controller: the object that has one is blamed, all
//! others are served. A thousand of them, with all but HAProxy's process:
//! `cli/src/controller/reconcile/tests/blame.rs`.

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::haproxy::Haproxy;
use haproxy_ingress_tests::random::{Random, seed};
use haproxy_ingress_tests::refused::{FAULTS, World, host, name};
use haproxy_ingress_tests::rig::{Rig, app, until};
use haproxy_ingress_tests::show::show;

/// How many faults each of the stories has.
const FAULTS_EACH: usize = 10;

#[test]
fn a_bad_object_is_found_by_what_haproxy_answers_or_by_reloads() {
    blame("by the answer to a reload, or by further reloads", &[]);
}

#[test]
fn a_bad_object_is_found_by_the_program_of_haproxy() {
    let program = Haproxy::find().program.display();
    blame("by haproxy -c", &[&format!("--haproxy-binary={program}")]);
}

/// Brings one fault after the other to a controller, each time among changes that are good.
fn blame(how: &str, flags: &[&str]) {
    let seed = seed();
    show(&format!("SEED={seed}"));
    let mut random = Random::new(seed);
    let backend = Backend::start("app");
    let rig = Rig::external();
    let mut world = World::new(&mut random, 6);
    for (number, objects) in world.apps.iter_mut().enumerate() {
        objects[2] = app(&host(number), &name(number), &[&backend]).remove(2);
        rig.manifest(&name(number), objects);
    }
    let mut all = vec!["--disable-config-keywords="];
    all.extend(flags);
    let controller = rig.reads_manifests_with(&all);
    rig.soon_served_by(&controller, &host(0), "app");
    let mut reloads = 0;
    let mut first = random.below(FAULTS.len());
    for round in 0..FAULTS_EACH {
        first += 3;
        let fault = FAULTS[first % FAULTS.len()];
        let number = match random.below(world.apps.len()) {
            it if fault.is_of_certificate() && world.apps[it].len() < 4 => 0,
            it => it,
        };
        let (place, bad) = world.bad(fault, number, &mut random);
        let object = bad.decoded().object_ref();
        let mut objects = world.apps[number].clone();
        objects[place] = bad;
        // One manifest, so that all of it comes at once.
        let new = format!("new-{round}");
        let host_of_new = format!("{new}.example");
        objects.extend(app(&host_of_new, &new, &[&backend]));
        let before = rig.haproxy().reloads();
        let said = controller.output.lines().len();
        rig.manifest(&name(number), &objects);
        rig.soon_served_by(&controller, &host_of_new, "app");
        let since = || controller.output.lines().split_off(said);
        let held = |lines: Vec<String>| -> Vec<String> {
            let held = lines.iter().filter_map(|it| it.split_once("held back: "));
            held.map(|it| it.1.trim().to_owned()).collect()
        };
        until(&controller, "blame", || !held(since()).is_empty());
        assert_eq!(
            held(since()),
            [object.to_string()],
            "{}: {}",
            fault.name,
            since().join("\n")
        );
        for number in 0..world.apps.len() {
            rig.soon_served_by(&controller, &host(number), "app");
        }
        reloads += rig.haproxy().reloads() - before;
        // It is mended.
        let said = controller.output.lines().len();
        objects[place] = world.apps[number][place].clone();
        rig.manifest(&name(number), &objects);
        controller.output.wait_for("word that it is over", |it| {
            it.contains("no longer: ") && it.contains(&object.to_string())
        });
        until(&controller, "end of the run", || {
            let lines = controller.output.lines().split_off(said);
            lines.iter().any(|it| it.contains("finish haproxy update"))
        });
    }
    show(&format!(
        "{FAULTS_EACH} of {FAULTS_EACH} blamed on the right object, {how}, with {reloads} reloads"
    ));
}
