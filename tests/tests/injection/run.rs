//! Tries values: many tenants in one world, or many keys of the operator.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::ops::Add;
use std::panic::{AssertUnwindSafe, catch_unwind};

use haproxy_ingress_core::bundle::{Compiled, Role};
use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::keys::{Key, REGISTRY};
use haproxy_ingress_tests::hostile::{bytes, nasty};
use haproxy_ingress_tests::random::{Random, number, seed};

use crate::KNOWN;
use crate::judge::{Judge, Violation};
use crate::learned::{Learned, random_tenant, written};
use crate::reader;
use crate::world::{Place, QUIET, World, Written, namespace, places};

/// How many tenants write something in one compilation.
const TENANTS: usize = 128;

/// How many tenants there are below an operator's values.
const BELOW: usize = 4;

/// How many values are tried, and which.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) inputs: u64,
    pub(crate) seed: u64,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) inputs: u64,
    pub(crate) compilations: u64,
    /// By the key and what is wrong, with one example of each.
    violations: BTreeMap<String, String>,
}

/// Values on Ingresses and Services: of four inputs three.
pub(crate) fn tenants(effort: &Effort, learned: &Learned) -> Outcome {
    in_threads(effort.inputs * 3 / 4, effort.seed, |inputs, random| {
        tenants_alone(inputs, random, learned)
    })
}

/// Values in the global ConfigMap: of four inputs one.
pub(crate) fn operators(effort: &Effort, learned: &Learned) -> Outcome {
    in_threads(effort.inputs / 4, effort.seed ^ 1, |inputs, random| {
        operators_alone(inputs, random, learned)
    })
}

/// Shares the work among all processors.
pub(crate) fn in_threads(
    inputs: u64,
    seed: u64,
    work: impl Fn(u64, Random) -> Outcome + Sync,
) -> Outcome {
    let count = std::thread::available_parallelism().map_or(2, usize::from);
    let share = inputs / u64::try_from(count).unwrap_or(1) + 1;
    let work = &work;
    let mut source = Random::new(seed);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|_| {
                let random = Random::new(source.number());
                scope.spawn(move || work(share, random))
            })
            .collect();
        threads
            .into_iter()
            .map(|it| it.join().expect("a failure is an outcome"))
            .fold(Outcome::default(), Add::add)
    })
}

fn tenants_alone(inputs: u64, mut random: Random, learned: &Learned) -> Outcome {
    let keys: Vec<&'static Key> = REGISTRY
        .keys
        .iter()
        .copied()
        .filter(|it| !places(it.scope).is_empty())
        .collect();
    let mut world = World::new(TENANTS, &KNOWN);
    let mut judge = Judge::new(learned, false);
    let mut outcome = Outcome::default();
    let mut quiet = Vec::new();
    while outcome.inputs < inputs && outcome.is_worth_more() {
        if outcome.compilations % 16 == 0 {
            // Who may use what is another one's is for the operator to say: here nobody.
            let mut config_map = random.pick(&learned.config_maps);
            config_map.retain(|it| !it.key.name.starts_with("cross-namespace"));
            world.configure(&config_map);
            for tenant in 0..TENANTS {
                world.write(tenant, &[]);
            }
            quiet = quiet_lines(&compile(&world.snapshot, &world.options, None));
        }
        let mut texts = Vec::with_capacity(TENANTS);
        for tenant in 0..TENANTS {
            let mut text = vec![hostile(random.pick(&keys), &mut random)];
            // Every other tenant has a second key, which may be as bad or a good one.
            outcome.inputs += 1;
            match random.below(4) {
                0 => {
                    text.push(hostile(random.pick(&keys), &mut random));
                    outcome.inputs += 1;
                }
                1 => text.extend(random_tenant(&KNOWN, &mut random).into_iter().next()),
                _ => {}
            }
            world.write(tenant, &text);
            texts.push(text);
        }
        outcome.compilations += 1;
        match compiled(&world) {
            Ok(compiled) => {
                for violation in judge.bundle(&compiled.bundle) {
                    let tenant = violation.tenant.as_deref();
                    let number = (0..TENANTS).find(|it| Some(&*namespace(*it)) == tenant);
                    let text = number.map_or(&[][..], |it| &texts[it]);
                    outcome.note(&violation, text);
                }
                let after = quiet_lines(&compiled);
                if after != quiet {
                    let gone = quiet.iter().find(|it| !after.contains(it));
                    let new = after.iter().find(|it| !quiet.contains(it));
                    outcome.note(&quiet_violation([gone, new]), &texts.concat());
                }
            }
            Err(violation) => {
                for (tenant, text) in texts.iter().enumerate() {
                    (0..TENANTS).for_each(|it| world.write(it, &[]));
                    world.write(tenant, text);
                    if compiled(&world).is_err() {
                        outcome.note(&violation, text);
                    }
                }
            }
        }
    }
    outcome
}

fn operators_alone(inputs: u64, mut random: Random, learned: &Learned) -> Outcome {
    let mut world = World::new(BELOW, &KNOWN);
    let mut judge = Judge::new(learned, true);
    let mut outcome = Outcome::default();
    while outcome.inputs < inputs && outcome.is_worth_more() {
        if outcome.compilations % 16 == 0 {
            for tenant in 0..BELOW {
                world.write(tenant, &random_tenant(&KNOWN, &mut random));
            }
        }
        let mut texts: Vec<Written> = Vec::new();
        for _ in 0..=random.below(24) {
            let key = random.pick(&REGISTRY.keys);
            let text = hostile(key, &mut random).text;
            texts.push(written(key, Place::ConfigMap, text));
        }
        outcome.inputs += u64::try_from(texts.len()).unwrap_or(1);
        outcome.compilations += 1;
        let mut found = |texts: &[Written]| {
            world.configure(texts);
            match compiled(&world) {
                Ok(compiled) => judge.bundle(&compiled.bundle),
                Err(violation) => vec![violation],
            }
        };
        let violations = found(&texts);
        for violation in violations {
            // Only what is needed for it is shown.
            let mut index = 0;
            while index < texts.len() {
                let mut fewer = texts.clone();
                fewer.remove(index);
                if found(&fewer).iter().any(|it| it.what == violation.what) {
                    texts = fewer;
                } else {
                    index += 1;
                }
            }
            outcome.note(&violation, &texts);
        }
    }
    outcome
}

/// A key with a value that nobody planned for, at one of its places.
fn hostile(key: &'static Key, random: &mut Random) -> Written {
    let place = match places(key.scope) {
        [] => Place::ConfigMap,
        some => random.pick(some),
    };
    let text = match random.below(4000) {
        0 => "x".repeat(100_000),
        1 => nasty(random).repeat(1000),
        it if it % 8 < 4 => KNOWN.spoilt(key, random),
        it if it % 8 < 6 => nasty(random),
        _ => bytes(random),
    };
    written(key, place, text)
}

/// Compiles; a panic is a violation.
fn compiled(world: &World) -> Result<Compiled, Violation> {
    let compile = || compile(&world.snapshot, &world.options, None);
    catch_unwind(AssertUnwindSafe(compile)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Violation {
            what: format!("a panic: {}", text.unwrap_or("without words")),
            line: String::new(),
            origins: Vec::new(),
            tenant: None,
        }
    })
}

/// What serves the quiet tenant: the section of the backend, and the entries of maps without what a
/// frontend adds for all of its hosts.
fn quiet_lines(compiled: &Compiled) -> Vec<String> {
    let mut lines = Vec::new();
    reader::each(&compiled.bundle, |entry| {
        let is_section = entry.section.starts_with("backend ") && reader::is_quiet(entry.section);
        // Another one's host may well begin with the same letters.
        let key = entry.line.split(['#', ' ', '/']).next().unwrap_or_default();
        let is_entry = entry.file.role.is_map()
            && (key.strip_prefix(QUIET)).is_some_and(|it| it == ".example" || it.starts_with('_'));
        if is_section {
            lines.push(entry.line.to_owned());
        } else if is_entry {
            let value: Vec<&str> = entry.line.split('/').collect();
            let value = value.get(..value.len().min(3)).unwrap_or_default();
            // Files of paths that want headers are numbered.
            let path = reader::general(&entry.file.path);
            lines.push(format!("{path}: {}", value.join("/")));
        }
    });
    lines
}

fn quiet_violation(gone_and_new: [Option<&String>; 2]) -> Violation {
    let [gone, new] = gone_and_new.map(|it| it.cloned().unwrap_or_default());
    Violation {
        what: "what serves the quiet tenant has changed".into(),
        line: format!("gone: {gone}, new: {new}"),
        origins: Vec::new(),
        tenant: None,
    }
}

impl Effort {
    /// As much as a variable of the environment says.
    pub(crate) fn of(variable: &str, usual: u64) -> Self {
        Self {
            inputs: number(variable).unwrap_or(usual),
            seed: seed(),
        }
    }
}

impl Outcome {
    /// Whether what is found next can still be of interest.
    pub(crate) fn is_worth_more(&self) -> bool {
        self.violations.len() < 60
    }

    pub(crate) fn note(&mut self, violation: &Violation, texts: &[Written]) {
        let keys: Vec<&str> = texts.iter().take(3).map(|it| it.key.name).collect();
        let what: String = violation.what.chars().take(60).collect();
        let name = format!("{}: {}", keys.join(" "), reader::general(&what));
        self.violations.entry(name).or_insert_with(|| {
            let mut text = violation.to_string();
            for it in texts.iter().take(12) {
                let value: String = it.text.chars().take(300).collect();
                let _ = write!(text, "\n    {:?} {}: {value:?}", it.place, it.key.name);
            }
            text
        });
    }

    /// Fails if anything was found.
    pub(crate) fn judge(&self, effort: &Effort) {
        let count = self.violations.len();
        assert!(
            self.violations.is_empty(),
            "{count} violations with SEED={}:\n\n{}",
            effort.seed,
            self.report()
        );
    }

    /// All violations in words.
    fn report(&self) -> String {
        let all: Vec<&str> = self.violations.values().map(String::as_str).collect();
        all.join("\n\n")
    }
}

impl Add for Outcome {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self.inputs += other.inputs;
        self.compilations += other.compilations;
        self.violations.extend(other.violations);
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in {} compilations, {} violations",
            self.inputs,
            self.compilations,
            self.violations.len()
        )
    }
}
