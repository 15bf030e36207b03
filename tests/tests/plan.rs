//! A plan leads from any configuration to any other: whatever it asks a running HAProxy to do, in the
//! end that HAProxy has in memory what one has that was started with the new configuration.

use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::plan::Plan;
use haproxy_ingress_tests::case::Settings;
use haproxy_ingress_tests::random::{Random, number, seed};
use haproxy_ingress_tests::show::show;
use haproxy_ingress_tests::world::{Memory, World};

#[test]
fn commands_lead_from_any_world_to_the_next() {
    let seed = seed();
    let steps = number("STEPS").unwrap_or(5_000);
    let mut random = Random::new(seed);
    let options = Settings::default()
        .options()
        .expect("these are the defaults");
    let (mut nothing, mut updates, mut commands, mut reloads) = (0_u32, 0_u32, 0, 0_u32);
    let mut world = World::new(&mut random);
    let mut running = compile(&world.snapshot(), &options, None);
    for step in 0..steps {
        if step % 50 == 0 {
            world = World::new(&mut random);
            running = compile(&world.snapshot(), &options, None);
        }
        let next = world.step(&mut random);
        let wanted = compile(&next.snapshot(), &options, Some(&running.places));
        let mut memory = Memory::of(&running);
        match Plan::between(Some(&running), &wanted) {
            Plan::Nothing => nothing += 1,
            Plan::Update { commands: those } => {
                updates += 1;
                commands += those.len();
                for command in &those {
                    if let Err(why) = memory.carry_out(command) {
                        panic!(
                            "SEED={seed}, step {step}: `{command}` is refused: {why}\n{world:#?}\n{next:#?}"
                        );
                    }
                }
            }
            Plan::Reload { .. } => {
                reloads += 1;
                memory = Memory::of(&wanted);
            }
        }
        let (found, expected) = (
            memory.effective(&wanted),
            Memory::of(&wanted).effective(&wanted),
        );
        assert_eq!(
            found, expected,
            "SEED={seed}, step {step}\n{world:#?}\n{next:#?}"
        );
        (world, running) = (next, wanted);
    }
    show(&format!(
        "{steps} steps with SEED={seed}: {nothing} needed nothing, {updates} needed {commands} commands, \
         {reloads} a reload"
    ));
    assert!(
        updates > nothing && updates * 4 > reloads,
        "most of it is worth testing"
    );
}
