//! What harmless values make: the ground on which all others are judged.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::LazyLock;

use haproxy_ingress_core::bundle::{Bundle, Role};
use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::keys::Key;
use haproxy_ingress_core::origin::Kind;
use haproxy_ingress_tests::case::Case;
use haproxy_ingress_tests::hostile::Known;
use haproxy_ingress_tests::random::Random;

use crate::lexer;
use crate::place::{Pair, Place, Written, is_placed, pairs};
use crate::reader::{self, general, shape, without_numbers};
use crate::world::World;

/// How many tenants a world has in which harmless values are tried.
pub(crate) const TENANTS: usize = 64;

/// How many worlds of random harmless values are looked at.
const WORLDS: usize = 400;

/// What tenants may write where it has a meaning.
static TENANTS_PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(|| placed(Place::TENANTS));

/// What operators may write where it has a meaning.
static OPERATORS_PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(|| placed(Place::OPERATORS));

fn placed(places: &[Place]) -> Vec<Pair> {
    let mut pairs = pairs(places);
    pairs.retain(|it| is_placed(*it));
    pairs
}

/// What harmless values make.
#[derive(Default)]
pub(crate) struct Learned {
    /// What the lines of each key do, with the kind of their section in front.
    shapes: BTreeMap<&'static str, BTreeSet<String>>,
    /// What all lines do, in the same way.
    lines: BTreeSet<String>,
    /// Words of lines that no key made, without numbers.
    words: HashSet<Vec<u8>>,
    /// Expressions in log-formats of tenants and of the engine.
    expressions: HashSet<String>,
    /// Headers of sections, without numbers.
    headers: HashSet<String>,
    /// Names of fetches in conditions.
    fetches: HashSet<String>,
    /// Lines of scripts without their strings.
    code: HashSet<String>,
    /// What operators may write that is harmless, each many values that act together.
    pub(crate) operators: Vec<Vec<Written>>,
}

/// What shows what is harmless.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Teacher {
    /// A world of tenants.
    World,
    /// A case, in which every namespace is one of a tenant.
    Case,
}

impl Teacher {
    fn kind(self, section: &str) -> String {
        let name = section.strip_prefix("backend ");
        let is_tenants =
            name.is_some_and(|it| !it.starts_with('_') || it.starts_with("_auth_svc_"));
        if self == Self::Case && is_tenants {
            return "backend of a tenant".into();
        }
        kind(section)
    }
}

/// The kind of a section: its header without what is different for each tenant.
pub(crate) fn kind(section: &str) -> String {
    let mut words = section.split(' ');
    match (words.next(), words.next()) {
        // A port of the operator's ConfigMap is the operator's, whoever serves it.
        (Some(keyword), Some(name)) if name.starts_with("_tcp_") => format!("{keyword} _tcp"),
        // So is the one who is quiet; and what is asked who may come is a backend like all others.
        (Some(keyword), Some(_))
            if reader::owner(section).is_some()
                || reader::is_asked_host(section)
                || section.starts_with("backend quiet_app_") =>
        {
            format!("{keyword} of a tenant")
        }
        // An operator may ask for more of a kind, at ports of his own.
        (Some(keyword), Some(name)) if name.starts_with('_') => {
            let count = if name.starts_with("_front") { 3 } else { 2 };
            let parts: Vec<&str> = name.split('_').take(count).collect();
            format!("{keyword} {}", general(&parts.join("_")))
        }
        // Some sections have a name of the operator's.
        (Some(keyword @ ("resolvers" | "peers" | "fcgi-app" | "userlist")), Some(_)) => {
            keyword.to_owned()
        }
        _ => general(section),
    }
}

impl Learned {
    /// Tries all of them, each alone and many together.
    pub(crate) fn of_harmless_values(known: &Known) -> Self {
        let mut learned = Self::default();
        let mut random = Random::new(1);
        // Numbers with and without units mean nothing by themselves.
        let units = ["", "us", "ms", "s", "m", "h", "d", "k", "g", "%"];
        learned
            .words
            .extend(units.map(|it| format!("0{it}").into_bytes()));
        let mut world = World::new(TENANTS, known);
        let alone: Vec<Written> = TENANTS_PAIRS
            .iter()
            .flat_map(|(place, key)| {
                let values = known.harmless(key).into_iter();
                values.map(|text| written((*place, *key), text))
            })
            .collect();
        for some in alone.chunks(TENANTS) {
            for tenant in 0..TENANTS {
                world.write(tenant, some.get(tenant..=tenant).unwrap_or_default());
            }
            learned.look_at(&world);
        }
        learned.of_operators(known, &mut random);
        learned.all_cases();
        for number in 0..WORLDS {
            let operator = random_operator(known, &mut random);
            world.configure(&operator);
            if number % 8 == 0 {
                learned.operators.push(operator);
            }
            for tenant in 0..TENANTS {
                world.write(tenant, &random_tenant(known, &mut random));
            }
            learned.look_at(&world);
        }
        learned
    }

    /// Values of the operator, each alone above tenants who want something.
    fn of_operators(&mut self, known: &Known, random: &mut Random) {
        const SOME: usize = 8;
        let mut world = World::new(SOME, known);
        for pair in pairs(Place::OPERATORS) {
            for text in known.harmless(pair.1) {
                for tenant in 0..SOME {
                    world.write(tenant, &random_tenant(known, random));
                }
                world.configure(&[written(pair, text)]);
                self.look_at(&world);
            }
        }
    }

    /// What the cases make: there are keys that do something only together.
    fn all_cases(&mut self) {
        let cases = Case::all(&Case::folder()).unwrap_or_else(|error| panic!("{error}"));
        for case in cases {
            let input = case.input().unwrap_or_else(|failure| panic!("{failure}"));
            self.read(&input.compile("").bundle, Teacher::Case);
        }
    }

    fn look_at(&mut self, world: &World) {
        let compiled = compile(&world.snapshot, &world.options, None);
        self.read(&compiled.bundle, Teacher::World);
    }

    /// Takes what a bundle has.
    fn read(&mut self, bundle: &Bundle, teacher: Teacher) {
        reader::each(bundle, |entry| {
            let keys = || entry.origins.iter().filter_map(reader::key);
            let is_other = matches!(
                entry.file.role,
                Role::Lua
                    | Role::Map
                    | Role::Checks
                    | Role::RegexMap
                    | Role::List
                    | Role::Response
                    | Role::Certificate
                    | Role::Authorities
                    | Role::Revocations
                    | Role::DhParameters
            );
            if is_other {
                return;
            }
            let is_verbatim = keys().any(is_verbatim);
            if is_verbatim {
                return;
            }
            if reader::is_header(entry.line) && entry.file.role == Role::Config {
                self.headers.insert(kind(entry.section));
            }
            // What cannot be read teaches nothing; the judge finds it.
            let Ok(words) = lexer::words(entry.line) else {
                return;
            };
            self.fetches.extend(fetches(&words));
            // What an operator may ask for, a tenant may not.
            let is_operators = entry.origins.iter().any(|it| {
                let kind = it.object().map(|it| it.kind);
                reader::key(it).is_some() && kind == Some(Kind::ConfigMap)
            });
            if !is_operators {
                self.expressions.extend(expressions(&words));
            }
            let mut has_key = false;
            let place = place(&teacher.kind(entry.section), &words);
            for key in keys() {
                has_key = true;
                let shapes = self.shapes.entry(key.name).or_default();
                shapes.insert(place.clone());
            }
            self.lines.insert(place);
            if !has_key {
                for word in &words {
                    self.words.insert(without_ports(word));
                }
            }
        });
        let scripts = bundle.files.iter().filter(|it| it.role == Role::Lua);
        for file in scripts {
            let script = without_strings(&file.content).unwrap_or_default();
            self.code.extend(script.lines().map(str::to_owned));
        }
    }

    /// Whether a key makes lines of this kind.
    pub(crate) fn has_shape(&self, key: &Key, place: &str) -> bool {
        self.shapes
            .get(key.name)
            .is_some_and(|it| it.contains(place))
    }

    /// Whether there are lines of this kind, whoever makes them.
    pub(crate) fn has_line(&self, place: &str) -> bool {
        self.lines.contains(place)
    }

    /// Whether a word stands in lines that no key made.
    pub(crate) fn has_word(&self, word: &[u8]) -> bool {
        self.words.contains(&without_ports(word))
    }

    pub(crate) fn has_expression(&self, expression: &str) -> bool {
        self.expressions.contains(&general(expression))
    }

    pub(crate) fn has_header(&self, header: &str) -> bool {
        self.headers.contains(&kind(header))
    }

    pub(crate) fn has_fetch(&self, name: &str) -> bool {
        self.fetches.contains(&general(name))
    }

    pub(crate) fn has_code(&self, line: &str) -> bool {
        self.code.contains(line)
    }
}

impl fmt::Display for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} keys make {} kinds of lines; {} words, {} expressions, {} sections",
            self.shapes.len(),
            self.shapes.values().map(BTreeSet::len).sum::<usize>(),
            self.words.len(),
            self.expressions.len(),
            self.headers.len()
        )
    }
}

/// A word without numbers, and without what tells names of frontends apart: an operator may ask for more,
/// and those for TLS find paths as the others do.
fn without_ports(word: &[u8]) -> Vec<u8> {
    let short = without_numbers(word);
    if !short.windows(8).any(|it| it == b"_front_h") {
        return short.into_owned();
    }
    let text = String::from_utf8_lossy(&short);
    let text = text.replace("_front_https", "_front_http");
    text.replace("_front_http_0", "_front_http").into_bytes()
}

/// Whether a key's value is configuration, which only an operator may write.
pub(crate) fn is_verbatim(key: &Key) -> bool {
    key.name.starts_with("config-")
}

pub(crate) fn written((place, key): Pair, text: String) -> Written {
    Written { key, place, text }
}

/// A few harmless values of a tenant.
pub(crate) fn random_tenant(known: &Known, random: &mut Random) -> Vec<Written> {
    let count = random.below(4);
    harmless(&TENANTS_PAIRS, count, known, random)
}

/// Harmless values of an operator, without snippets.
fn random_operator(known: &Known, random: &mut Random) -> Vec<Written> {
    let count = random.below(40);
    let mut written = harmless(&OPERATORS_PAIRS, count, known, random);
    // These would take every tenant from where it is.
    let is_for_all = |it: &Written| {
        it.place == Place::Class && matches!(it.key.name, "tcp-service-port" | "http-frontend")
    };
    written.retain(|it| !is_verbatim(it.key) && !is_for_all(it));
    written
}

/// Some harmless values.
fn harmless(some: &[Pair], count: usize, known: &Known, random: &mut Random) -> Vec<Written> {
    let pairs = (0..count).map(|_| random.pick(some));
    let pairs: Vec<Pair> = pairs.collect();
    pairs
        .into_iter()
        .filter_map(|pair| {
            let values = known.harmless(pair.1);
            (!values.is_empty()).then(|| written(pair, random.pick(&values)))
        })
        .collect()
}

/// What a line does, and in which kind of section.
pub(crate) fn place(kind: &str, words: &[Vec<u8>]) -> String {
    format!("{kind}: {}", shape(words))
}

/// The name of a fetch, without its arguments and converters.
pub(crate) fn fetch_of(expression: &str) -> &str {
    expression.split(['(', ',']).next().unwrap_or_default()
}

/// The names of the fetches in the conditions of a line.
fn fetches(words: &[Vec<u8>]) -> impl Iterator<Item = String> {
    let pairs = words.iter().zip(words.iter().skip(1));
    let opens = |it: &[u8]| matches!(it, b"{" | b"!{");
    pairs.filter(move |it| opens(it.0)).map(|(_, word)| {
        let text = String::from_utf8_lossy(word);
        general(fetch_of(&text))
    })
}

/// The expressions of a line: what stands between `%[` and `]`.
pub(crate) fn expressions(words: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    for word in words {
        let text = String::from_utf8_lossy(word);
        let mut rest = &*text;
        while let Some((_, behind)) = rest.split_once('%') {
            if let Some(inside) = behind.strip_prefix('[') {
                let (expression, after) = inside.split_once(']').unwrap_or((inside, ""));
                let short = without_ports(expression.as_bytes());
                found.push(String::from_utf8_lossy(&short).into_owned());
                rest = after;
            } else {
                rest = behind.strip_prefix('%').unwrap_or(behind);
            }
        }
    }
    found
}

/// A header of a page in a script without strings.
const HEADER: &str = "{ \"\", \"\" }, ";

/// Two of them: there may be any number.
const TWO_HEADERS: &str = "{ \"\", \"\" }, { \"\", \"\" }, ";

/// A script without what stands in its strings, if each of them ends on its line.
pub(crate) fn without_strings(script: &str) -> Option<String> {
    let mut short = String::with_capacity(script.len());
    let mut chars = script.chars();
    let mut is_inside = false;
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                is_inside = !is_inside;
                short.push('"');
            }
            '\\' if is_inside => {
                if matches!(chars.next()?, '\n' | '\r') {
                    return None;
                }
            }
            '\n' | '\r' if is_inside => return None,
            _ if is_inside => {}
            other => short.push(other),
        }
    }
    // Headers are lines of their own, of which an operator may write any number.
    let mut lines: Vec<&str> = short.lines().collect();
    lines.retain(|it| *it != "    applet:add_header(\"\", \"\")");
    let mut short = lines.join("\n");
    while short.contains(TWO_HEADERS) {
        short = short.replace(TWO_HEADERS, HEADER);
    }
    (!is_inside).then(|| general(&short))
}
