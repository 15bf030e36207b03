//! HAProxy accepts what the engine writes for any world.
//!
//! A world has an Ingress, a Service and a global ConfigMap with random keys; their values come from
//! the cases, from the shapes of the keys and from a list of texts that have hurt others. `SEED=number`
//! repeats a run, `WORLDS=number` says how many worlds it has.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::keys::{Key, REGISTRY, Scope};
use haproxy_ingress_core::snapshot::Snapshot;
use haproxy_ingress_core::value::cipher::Ciphers;
use haproxy_ingress_core::value::regex::Regex;
use haproxy_ingress_core::value::{KeyValue, Shape};
use haproxy_ingress_tests::case::Settings;
use haproxy_ingress_tests::haproxy::{Folder, Haproxy, in_parallel};
use haproxy_ingress_tests::hostile::{Known, nasty};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::random::{Random, number, seed};
use haproxy_ingress_tests::show::show;

/// What the cases say, read once.
static KNOWN: LazyLock<Known> = LazyLock::new(Known::of_cases);

/// Makes worlds.
struct Maker(Random);

/// What a tenant or the operator wrote.
#[derive(Clone)]
enum Piece {
    /// A key and its value.
    Key(Place, &'static str, String),
    /// The host of the rule.
    Host(String),
    /// The path of the rule and its type.
    Path(String, &'static str),
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Place {
    Ingress,
    Service,
    ConfigMap,
}

impl Maker {
    fn world(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for _ in 0..=self.0.below(10) {
            let key = self.0.pick(&REGISTRY.keys);
            let place = match (key.scope, self.0.below(3)) {
                (Scope::Global | Scope::Frontend | Scope::Tcp, _) | (_, 0) => Place::ConfigMap,
                (Scope::Host, _) | (_, 1) => Place::Ingress,
                _ => Place::Service,
            };
            let text = KNOWN.text(key, &mut self.0);
            if !is_operators(key, &text, place) {
                pieces.push(Piece::Key(place, key.name, text));
            }
        }
        match self.0.below(6) {
            0 => pieces.push(Piece::Host("*.loud.example".into())),
            1 => pieces.push(Piece::Host(nasty(&mut self.0))),
            _ => {}
        }
        if self.0.below(3) == 0 {
            let path = match self.0.below(2) {
                0 => nasty(&mut self.0),
                _ => format!("/{}", nasty(&mut self.0)),
            };
            let kind = self.0.pick(&["Exact", "Prefix", "ImplementationSpecific"]);
            pieces.push(Piece::Path(path, kind));
        }
        pieces
    }
}

/// Whether a text is the operator's own, so that the engine does not vouch for it: configuration, files,
/// names that HAProxy looks up when it starts, lists for the OpenSSL at hand, log-format expressions.
fn is_operators(key: &Key, text: &str, place: Place) -> bool {
    let is_configuration = match key.shape {
        Shape::Text { grammar } | Shape::Lines { grammar } => grammar.contains("HAProxy"),
        _ => false,
    };
    let is_known = KNOWN.values(key).iter().any(|it| it == text);
    let is_uncertain = match key.name {
        "syslog-endpoint" => !is_known,
        "ssl-ciphers" | "ssl-ciphers-backend" => {
            Ciphers::parse(text).is_ok_and(|it| !it.is_certain())
        }
        "balance-algorithm" => text.trim_start().starts_with("hash"),
        name => name.ends_with("headers") && text.contains('%'),
    };
    key.name.starts_with("config-")
        || is_configuration
        || (place == Place::ConfigMap && (is_uncertain || text.contains("file:")))
}

/// The objects that the pieces stand in.
fn snapshot(pieces: &[Piece]) -> Snapshot {
    static TLS: LazyLock<Object> = LazyLock::new(|| object::tls_secret("tls", &["loud.example"]));
    let (mut host, mut path, mut path_type) = ("loud.example", "/", "Prefix");
    for piece in pieces {
        match piece {
            Piece::Host(it) => host = it,
            Piece::Path(it, kind) => (path, path_type) = (it, kind),
            Piece::Key(..) => {}
        }
    }
    let mut ingress = object::ingress("loud")
        .route(host, path, "loud", 8080)
        .with("/spec/rules/0/http/paths/0/pathType", path_type)
        .tls(host, "tls");
    let mut service = object::service("loud", 8080);
    let mut data = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Key(Place::Ingress, key, text) => ingress = ingress.annotation(key, text),
            Piece::Key(Place::Service, key, text) => service = service.annotation(key, text),
            Piece::Key(Place::ConfigMap, key, text) => data.push((*key, text.as_str())),
            Piece::Host(_) | Piece::Path(..) => {}
        }
    }
    let objects = [
        TLS.clone(),
        ingress,
        service,
        object::endpoints("loud", &[[10, 0, 0, 1].into()], 8080),
        object::service("quiet", 8080),
        object::endpoints("quiet", &[[10, 0, 0, 2].into()], 8080),
        object::ingress("quiet").route("quiet.example", "/", "quiet", 8080),
        object::config_map("haproxy-ingress", &data),
    ];
    objects.iter().map(Object::decoded).collect()
}

/// What HAProxy says against a world.
fn refusal(pieces: &[Piece]) -> Option<String> {
    let haproxy = Haproxy::find();
    let folder = Folder::new();
    let mut options = Settings::default()
        .options()
        .expect("these are the defaults");
    options.haproxy = haproxy.version;
    options.prefix = folder.prefix();
    let compiled = compile(&snapshot(pieces), &options, None);
    let verdict = haproxy.check(&compiled.bundle, &folder);
    let alerts = verdict.output.lines().filter(|it| it.contains("[ALERT]"));
    (!verdict.accepted).then(|| alerts.collect::<Vec<_>>().join("\n"))
}

/// The pieces that are needed for HAProxy to refuse, and what it says.
fn smallest(mut pieces: Vec<Piece>) -> (Vec<Piece>, String) {
    let mut says = refusal(&pieces).unwrap_or_default();
    let mut index = 0;
    while index < pieces.len() {
        let mut fewer = pieces.clone();
        fewer.remove(index);
        match refusal(&fewer) {
            Some(it) => (pieces, says) = (fewer, it),
            None => index += 1,
        }
    }
    (pieces, says)
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(place, key, text) => write!(f, "{place:?} {key}: {text:?}"),
            Self::Host(text) => write!(f, "host: {text:?}"),
            Self::Path(text, kind) => write!(f, "path: {text:?} ({kind})"),
        }
    }
}

/// Parts of regular expressions.
const EXPRESSION: &[&str] = &[
    "a",
    "b",
    "0",
    "z",
    "-",
    "^",
    "$",
    ".",
    "*",
    "+",
    "?",
    "|",
    "(",
    ")",
    "(?:",
    "(?=",
    "(?!",
    "[",
    "[^",
    "]",
    "[a-z]",
    "[:alpha:]",
    "[:x:]",
    "[.",
    "[=",
    "{2}",
    "{1,3}",
    "{",
    "}",
    "\\",
    "\\d",
    "\\w",
    "\\b",
    "\\B",
    "\\R",
    "\\A",
    "\\z",
    "\\1",
    "\\2",
    "\\0",
    "\\x",
    "\\x4",
    "\\xff",
    "\\e",
    "\\-",
    "\\]",
    "\\.",
    "ä",
    "ö",
    "\\h",
    "\\V",
    "\\n",
    "#",
    ",",
    ":",
    "=",
    "!",
];

#[test]
fn haproxy_compiles_every_expression_that_is_taken() {
    let seed = seed();
    let mut random = Random::new(seed);
    let mut taken = String::new();
    let mut count = 0;
    while count < 5000 {
        let parts = 1 + random.below(10);
        let text: String = (0..parts).map(|_| random.pick(EXPRESSION)).collect();
        // In a file, a line that begins with `#` is a comment.
        if !text.starts_with('#') && Regex::parse(&text).is_ok() {
            taken.push_str(&text);
            taken.push_str(" x\n");
            count += 1;
        }
    }
    let folder = Folder::new();
    let map = folder.path().join("etc/haproxy/maps/expressions.map");
    let config = format!(
        "frontend f\n  mode http\n  timeout client 1s\n  bind 127.0.0.1:1\n  \
         http-request set-header X %[path,map_reg({})]\n",
        map.display()
    );
    std::fs::write(map, taken).expect("the folder is ours");
    std::fs::write(folder.config(), config).expect("the folder is ours");
    let verdict = Haproxy::find().check_files(&folder.config());
    assert!(verdict.accepted, "SEED={seed}: {}", verdict.output);
}

#[test]
fn haproxy_accepts_every_random_world() {
    let seed = seed();
    let count = number("WORLDS").unwrap_or(300);
    show(&format!("{count} worlds of SEED={seed}"));
    let mut maker = Maker(Random::new(seed));
    let worlds: Vec<Vec<Piece>> = (0..count).map(|_| maker.world()).collect();
    let refused = in_parallel(&worlds, |it| refusal(it).is_some());
    let refused: Vec<_> = worlds
        .iter()
        .zip(refused)
        .filter(|it| it.1)
        .map(|it| it.0)
        .collect();
    if refused.is_empty() {
        return;
    }
    // Many fail for one reason; a few are enough to see it.
    let some: Vec<_> = refused.iter().copied().take(20).collect();
    let shown: BTreeSet<String> = in_parallel(&some, |pieces| {
        let (pieces, says) = smallest((*pieces).clone());
        let pieces: Vec<String> = pieces.iter().map(ToString::to_string).collect();
        format!("{}\n{says}\n", pieces.join("\n"))
    })
    .into_iter()
    .collect();
    let shown: Vec<String> = shown.into_iter().collect();
    panic!(
        "HAProxy refuses {} of {count} worlds of SEED={seed}:\n\n{}",
        refused.len(),
        shown.join("\n")
    );
}
