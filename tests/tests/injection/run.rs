//! Tries values: many tenants in one world, or many keys of the operator.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::ops::Add;
use std::panic::{AssertUnwindSafe, catch_unwind};

use haproxy_ingress_core::bundle::{Compiled, Role};
use haproxy_ingress_core::compile::compile;
use haproxy_ingress_tests::hostile::{bytes, nasty};
use haproxy_ingress_tests::random::{Random, number, seed};

use crate::KNOWN;
use crate::judge::{Judge, Violation};
use crate::learned::{Learned, random_tenant, written};
use crate::place::{Pair, Place, Written, is_placed, pairs};
use crate::reader;
use crate::world::{QUIET, QUIET_PORT, World, namespace};

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
    /// How many values were tried of each key at each place.
    tried: BTreeMap<(Place, &'static str), u64>,
    /// How many lines of each kind of file were judged that somebody wrote.
    lines: BTreeMap<Role, u64>,
    /// By the key and what is wrong, with one example of each.
    violations: BTreeMap<String, String>,
}

/// What to try next: every key at every place, in random order, again and again.
struct Deck {
    pairs: Vec<Pair>,
    at: usize,
}

/// Values of tenants: of four inputs three.
pub(crate) fn tenants(effort: &Effort, learned: &Learned) -> Outcome {
    in_threads(effort.inputs * 3 / 4, effort.seed, |inputs, random| {
        tenants_alone(inputs, random, learned)
    })
}

/// Values of the operator: of four inputs one.
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
    let mut deck = Deck::new(Place::TENANTS, &mut random);
    let mut world = World::new(TENANTS, &KNOWN);
    let mut judge = Judge::new(learned, false);
    let mut outcome = Outcome::default();
    let mut quiet = Vec::new();
    while outcome.inputs < inputs && outcome.is_worth_more() {
        if outcome.compilations % 16 == 0 {
            // Who may use what is another one's is for the operator to say: here nobody.
            let mut operator = random.pick(&learned.operators);
            operator.retain(|it| !it.key.name.starts_with("cross-namespace"));
            world.configure(&operator);
            for tenant in 0..TENANTS {
                world.write(tenant, &[]);
            }
            quiet = quiet_lines(&compile(&world.snapshot, &world.options, None));
        }
        let mut texts = Vec::with_capacity(TENANTS);
        for tenant in 0..TENANTS {
            let mut text = vec![hostile(deck.deal(), &mut random)];
            // Every other tenant has a second key, which may be as bad or a good one.
            outcome.count(&text[0]);
            match random.below(4) {
                0 => {
                    let second = hostile(deck.deal(), &mut random);
                    outcome.count(&second);
                    text.push(second);
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
    outcome.lines = judge.lines;
    outcome
}

fn operators_alone(inputs: u64, mut random: Random, learned: &Learned) -> Outcome {
    let mut deck = Deck::new(Place::OPERATORS, &mut random);
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
            let text = hostile(deck.deal(), &mut random);
            outcome.count(&text);
            texts.push(text);
        }
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
    outcome.lines = judge.lines;
    outcome
}

/// A value that nobody planned for.
fn hostile(pair: Pair, random: &mut Random) -> Written {
    let (_, key) = pair;
    let text = match random.below(4000) {
        0 => "x".repeat(100_000),
        1 => nasty(random).repeat(1000),
        it if it % 8 < 4 => KNOWN.spoilt(key, random),
        it if it % 8 < 6 => nasty(random),
        _ => bytes(random),
    };
    // Tenants may share a port, and the quiet one's is watched.
    if key.name == "tcp-service-port" && text.trim().parse() == Ok(QUIET_PORT) {
        return written(pair, String::new());
    }
    written(pair, text)
}

impl Deck {
    fn new(places: &[Place], random: &mut Random) -> Self {
        // What has no meaning at its place needs fewer values to show it.
        let times = |pair: &Pair| if is_placed(*pair) { 8 } else { 1 };
        let all = pairs(places).into_iter();
        let mut pairs: Vec<Pair> = all
            .flat_map(|it| std::iter::repeat_n(it, times(&it)))
            .collect();
        for last in (1..pairs.len()).rev() {
            pairs.swap(last, random.below(last + 1));
        }
        Self { pairs, at: 0 }
    }

    fn deal(&mut self) -> Pair {
        let pair = self.pairs[self.at];
        self.at = (self.at + 1) % self.pairs.len();
        pair
    }
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

/// What serves the quiet tenant: its sections, and the entries of maps without what a
/// frontend adds for all of its hosts.
fn quiet_lines(compiled: &Compiled) -> Vec<String> {
    let mut lines = Vec::new();
    reader::each(&compiled.bundle, |entry| {
        let is_section = reader::is_quiet(entry.section);
        // Another one's host may well begin with the same letters.
        let key = entry.line.split(['#', ' ', '/']).next().unwrap_or_default();
        let is_entry = entry.file.role.is_map()
            && (key.strip_prefix(QUIET)).is_some_and(|it| it == ".example" || it.starts_with('_'));
        if is_section {
            // Sessions of TLS are resumed nowhere or everywhere, for everybody's sake.
            let line = entry.line.trim_end_matches(" no-tls-tickets");
            lines.push(line.to_owned());
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

    /// Counts a value.
    fn count(&mut self, written: &Written) {
        self.inputs += 1;
        let pair = (written.place, written.key.name);
        *self.tried.entry(pair).or_default() += 1;
    }

    /// At how many places how many keys were tried, and how often at least.
    pub(crate) fn places(&self) -> String {
        let mut places: Vec<Place> = self.tried.keys().map(|it| it.0).collect();
        places.dedup();
        format!(
            "of {} keys at {} places, each at least {} times",
            self.tried.len(),
            places.len(),
            self.tried.values().min().unwrap_or(&0)
        )
    }

    /// How many lines of each kind of file were judged.
    pub(crate) fn lines(&self) -> String {
        let lines = self.lines.iter();
        let lines = lines.map(|(role, count)| format!("{role:?} {count}"));
        lines.collect::<Vec<_>>().join(", ")
    }

    /// Kinds of files of which no line was judged that somebody wrote.
    pub(crate) fn unjudged(&self) -> Vec<Role> {
        const ROLES: &[Role] = &[
            Role::Config,
            Role::Map,
            Role::CertificateList,
            Role::Certificate,
            Role::Authorities,
            Role::Revocations,
            Role::DhParameters,
            Role::List,
            Role::Response,
            Role::Lua,
            Role::Agent,
        ];
        let roles = ROLES.iter().copied();
        roles.filter(|it| !self.lines.contains_key(it)).collect()
    }

    /// What was not tried at all.
    pub(crate) fn untried(&self, pairs: &[Pair]) -> Vec<(Place, &'static str)> {
        let names = pairs.iter().map(|(place, key)| (*place, key.name));
        names.filter(|it| !self.tried.contains_key(it)).collect()
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
        for (pair, count) in other.tried {
            *self.tried.entry(pair).or_default() += count;
        }
        for (role, count) in other.lines {
            *self.lines.entry(role).or_default() += count;
        }
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
