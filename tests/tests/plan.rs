//! A plan leads from any configuration to any other: whatever it asks a running HAProxy to do, in the
//! end that HAProxy has in memory what one has that was started with the new configuration. On the way
//! there, a request finds what it found before or what it finds in the end, with all that is asked of it:
//! at no instant is a path more open than before and after. The same plan is made from what is left of a
//! configuration on the disk.

use haproxy_ingress_core::compile::{Compiled, compile};
use haproxy_ingress_core::options::{Name, Options, Version};
use haproxy_ingress_core::plan::{Command, Entry, Plan};
use haproxy_ingress_core::snapshot::Snapshot;
use haproxy_ingress_tests::case::{Case, Settings};
use haproxy_ingress_tests::haproxy::in_parallel;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::random::{Random, number, seed};
use haproxy_ingress_tests::recall::{anonymous, recalled};
use haproxy_ingress_tests::show::show;
use haproxy_ingress_tests::world::{Found, Memory, World, requests};

fn options(haproxy: Version) -> Options {
    let options = Settings::default().options();
    Options {
        haproxy,
        ..options.expect("these are the defaults")
    }
}

#[test]
fn commands_lead_from_any_world_to_the_next() {
    let added = lead(Version::new(2, 6));
    assert_eq!(added, 0, "no backend can be added");
}

#[test]
fn commands_lead_from_any_world_to_the_next_where_haproxy_makes_backends() {
    let added = lead(Version::new(3, 4));
    assert!(added > 0, "some backends need no reload");
}

/// Takes many steps, and returns how many backends came without a reload.
fn lead(haproxy: Version) -> usize {
    let seed = seed();
    let steps = number("STEPS").unwrap_or(5_000);
    let mut random = Random::new(seed);
    let options = options(haproxy);
    let (mut nothing, mut updates, mut commands, mut reloads) = (0_u32, 0_u32, 0, 0_u32);
    let (mut looks, mut added) = (0_u32, 0);
    let mut world = World::new(&mut random);
    let mut running = compile(&world.snapshot(), &options, None);
    let mut memory = Memory::of(&running);
    for step in 0..steps {
        if step % 50 == 0 {
            world = World::new(&mut random);
            running = compile(&world.snapshot(), &options, None);
            memory = Memory::of(&running);
        }
        let next = world.step(&mut random);
        let wanted = compile(&next.snapshot(), &options, Some(&running.places));
        let plan = Plan::between(Some(&running), &wanted);
        let from_disk = Plan::between(Some(&recalled(&running)), &wanted);
        assert_eq!(
            anonymous(from_disk),
            anonymous(plan.clone()),
            "SEED={seed}, step {step}, from what the disk has\n{world:#?}\n{next:#?}"
        );
        match plan {
            Plan::Nothing => nothing += 1,
            Plan::Update { commands: those } => {
                updates += 1;
                commands += those.len();
                let those: Vec<Command> = those.iter().flat_map(one_by_one).collect();
                let mut left = those.iter().filter(|it| is_about_tables(it)).count();
                let mut ends: Option<[_; 2]> = None;
                let adds = |it: &&Command| matches!(it, Command::AddBackend { .. });
                added += those.iter().filter(adds).count();
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
            memory.clone().effective(&wanted),
            Memory::of(&wanted).effective(&wanted),
        );
        assert_eq!(
            found, expected,
            "SEED={seed}, step {step}\n{world:#?}\n{next:#?}"
        );
        (world, running) = (next, wanted);
    }
    show(&format!(
        "{steps} steps of {haproxy} with SEED={seed}: {nothing} needed nothing, {updates} needed \
         {commands} commands, {added} of them for a new backend, {reloads} a reload; {looks} instants in \
         between were looked at"
    ));
    assert!(
        updates * 2 > nothing && updates * 4 > reloads,
        "most of it is worth testing"
    );
    added
}

/// A host with a Service of its own, whose name they have.
fn app(name: &str, endpoints: &[[u8; 4]]) -> [Object; 3] {
    let addresses: Vec<_> = endpoints.iter().map(|it| (*it).into()).collect();
    [
        object::ingress(name).route(&format!("{name}.example"), "/", name, 80),
        object::service(name, 80),
        object::endpoints(name, &addresses, 80),
    ]
}

fn compiled(haproxy: Version, apps: &[[Object; 3]]) -> Compiled {
    let mut snapshot = Snapshot::default();
    for object in apps.iter().flatten() {
        snapshot.insert(object.decoded());
    }
    compile(&snapshot, &options(haproxy), None)
}

fn plan(old: &Compiled, new: &Compiled) -> Vec<String> {
    match Plan::between(Some(old), new) {
        Plan::Nothing => Vec::new(),
        Plan::Update { commands } => commands.iter().map(ToString::to_string).collect(),
        Plan::Reload { reasons } => {
            let reasons = reasons.iter();
            reasons.map(|it| format!("reload: {it}")).collect()
        }
    }
}

#[test]
fn a_new_service_needs_no_reload_from_3_4_on() {
    let (one, two) = (
        app("one", &[[10, 0, 0, 1]]),
        app("two", &[[10, 0, 0, 2], [10, 0, 0, 3]]),
    );
    let both = |haproxy| {
        let old = compiled(haproxy, std::slice::from_ref(&one));
        (old, compiled(haproxy, &[one.clone(), two.clone()]))
    };
    let (old, new) = both(Version::new(3, 4));
    assert_eq!(
        plan(&old, &new),
        [
            "add backend default_two_80 from _backend",
            "add server default_two_80/srv001 10.0.0.2:80 weight 1",
            "set server default_two_80/srv001 state ready",
            "add server default_two_80/srv002 10.0.0.3:80 weight 1",
            "set server default_two_80/srv002 state ready",
            "publish backend default_two_80",
            "add map /etc/haproxy/maps/_front_http_host__prefix.map two.example#/ default_two_80/path01",
        ]
    );
    assert_eq!(
        plan(&new, &old),
        [
            "del map /etc/haproxy/maps/_front_http_host__prefix.map two.example#/",
            "del backend default_two_80",
        ]
    );
    let (old, new) = both(Version::new(3, 3));
    let plan = plan(&old, &new);
    let reason = "reload: backend default_two_80 added by Ingress default/two";
    assert!(plan.len() == 1 && plan[0].starts_with(reason), "{plan:?}");
}

#[test]
fn what_two_backends_say_a_third_one_can_say_without_a_reload() {
    let slow = |name: &str| {
        let mut app = app(name, &[[10, 0, 0, 1]]);
        app[0] = app[0].clone().annotation("timeout-server", "10s");
        app
    };
    let apps = ["one", "two", "three"].map(slow);
    let of = |count: usize| compiled(Version::new(3, 4), &apps[..count]);
    // The first reload is for the first that says so, the second for what is made of it.
    for (count, is_reload) in [(1, true), (2, false)] {
        let plan = plan(&of(count), &of(count + 1));
        assert_eq!(
            plan[0].starts_with("reload: backend"),
            is_reload,
            "{plan:?}"
        );
        assert!(!is_reload || plan.len() == 1, "{plan:?}");
    }
    // What is no longer needed may stay where it is.
    let plan = plan(&of(3), &of(1));
    assert!(plan.iter().all(|it| it.starts_with("del ")), "{plan:?}");
}

#[test]
fn what_is_left_on_the_disk_plans_as_what_was_compiled() {
    let cases = Case::all(&Case::folder()).unwrap_or_else(|error| panic!("{error}"));
    let counts = in_parallel(&cases, |case| {
        let of = |haproxy| plans_alike(case, haproxy);
        of(None) + of(Some(Version::new(3, 4)))
    });
    let count: usize = counts.iter().sum();
    show(&format!("{count} plans of {} cases", cases.len()));
    assert!(count > 6 * cases.len(), "each case has some objects");
}

/// Compares the plans between a case and each of what is left of it without one of its objects, to and
/// fro, and returns how many these are.
fn plans_alike(case: &Case, haproxy: Option<Version>) -> usize {
    let input = case.input().unwrap_or_else(|error| panic!("{error}"));
    let mut options = input.options.clone();
    options.haproxy = haproxy.unwrap_or(options.haproxy);
    let whole = compile(&input.snapshot, &options, None);
    let of_whole = recalled(&whole);
    let place = format!("{}:{}", case.file.display(), case.line);
    assert_eq!(of_whole.bundle.sections, whole.bundle.sections, "{place}");
    assert_eq!(
        Plan::between(Some(&of_whole), &whole),
        Plan::Nothing,
        "{place}"
    );
    let objects = haproxy_ingress_core::manifest::read(&[("case".into(), case.manifest())]).objects;
    let mut count = 1;
    for object in objects {
        let object = object.object_ref();
        let mut snapshot = input.snapshot.clone();
        let name = Name::new(object.namespace.clone(), object.name.clone());
        snapshot.remove(object.kind, &name);
        let less = compile(&snapshot, &options, Some(&whole.places));
        let again = compile(&input.snapshot, &options, Some(&less.places));
        let steps = [
            (&whole, &of_whole, &less),
            (&less, &recalled(&less), &again),
        ];
        for (old, of_old, new) in steps {
            let wanted = Plan::between(Some(old), new);
            let found = Plan::between(Some(of_old), new);
            assert_eq!(
                anonymous(found),
                anonymous(wanted),
                "{place}, without {object}, and back"
            );
            count += 1;
        }
    }
    count
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
