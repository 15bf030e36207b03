//! A plan leads from any configuration to any other: whatever it asks a running HAProxy to do, in the
//! end that HAProxy has in memory what one has that was started with the new configuration. On the way
//! there, a request finds what it found before or what it finds in the end, with all that is asked of it:
//! at no instant is a path more open than before and after.

use haproxy_ingress_core::compile::{Compiled, compile};
use haproxy_ingress_core::plan::{Command, Entry, Plan};
use haproxy_ingress_tests::case::Settings;
use haproxy_ingress_tests::random::{Random, number, seed};
use haproxy_ingress_tests::show::show;
use haproxy_ingress_tests::world::{Found, Memory, World, requests};

#[test]
fn commands_lead_from_any_world_to_the_next() {
    let seed = seed();
    let steps = number("STEPS").unwrap_or(5_000);
    let mut random = Random::new(seed);
    let options = Settings::default()
        .options()
        .expect("these are the defaults");
    let (mut nothing, mut updates, mut commands, mut reloads) = (0_u32, 0_u32, 0, 0_u32);
    let mut looks = 0_u32;
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
                let those: Vec<Command> = those.iter().flat_map(one_by_one).collect();
                let mut left = those.iter().filter(|it| is_about_tables(it)).count();
                let mut ends: Option<[_; 2]> = None;
                for command in &those {
                    if let Err(why) = memory.carry_out(command) {
                        panic!(
                            "SEED={seed}, step {step}: `{command}` is refused: {why}\n{world:#?}\n{next:#?}"
                        );
                    }
                    if !is_about_tables(command) {
                        continue;
                    }
                    left -= 1;
                    if left == 0 {
                        // What is there in the end is compared as a whole.
                        continue;
                    }
                    looks += 1;
                    let now = finds(&memory, &wanted);
                    let of = |it| finds(&Memory::of(it), &wanted);
                    let ends = ends.get_or_insert_with(|| [of(&running), of(&wanted)]);
                    for (place, asked) in requests().enumerate() {
                        let [before, after] = [&ends[0][place], &ends[1][place]];
                        assert!(
                            now[place] == *before || now[place] == *after,
                            "SEED={seed}, step {step}, behind `{command}`: {asked:?} finds\n{:#?}\nand \
                             neither\n{before:#?}\nnor\n{after:#?}\n{those:#?}\n{world:#?}\n{next:#?}",
                            now[place],
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
         {reloads} a reload; {looks} instants in between were looked at"
    ));
    assert!(
        updates > nothing && updates * 4 > reloads,
        "most of it is worth testing"
    );
}

/// What every request finds.
fn finds(memory: &Memory, compiled: &Compiled) -> Vec<Option<Found>> {
    let found = requests().map(|it| memory.find(it, compiled));
    found.collect()
}

/// Whether a command changes what requests find.
fn is_about_tables(command: &Command) -> bool {
    matches!(
        command,
        Command::AddEntries { .. }
            | Command::SetEntry { .. }
            | Command::ReplaceEntries { .. }
            | Command::RemoveEntry { .. }
    )
}

/// A command as HAProxy carries it out, which adds one entry after the other.
fn one_by_one(command: &Command) -> Vec<Command> {
    let Command::AddEntries { table, entries } = command else {
        return vec![command.clone()];
    };
    let one = |it: &Entry| Command::AddEntries {
        table: table.clone(),
        entries: vec![it.clone()],
    };
    entries.iter().map(one).collect()
}
