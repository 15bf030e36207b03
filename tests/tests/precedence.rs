//! A higher source wins, whatever the key: built-in < global ConfigMap < parameters of an IngressClass <
//! Ingress < Service.
//!
//! Each key is tried in the worlds of the cases that write it: the key is taken out of them and written
//! again in one source or two, with the values that the cases know.
//!
//! *Invariant:* a pair of sources that no world shows is in [`SHOWS_NOTHING`], with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::diagnostic::Severity;
use haproxy_ingress_core::keys::{Key, REGISTRY, Scope, Tier};
use haproxy_ingress_core::options::{Name, Options};
use haproxy_ingress_core::origin::{Field, Origin};
use haproxy_ingress_core::snapshot::Snapshot;
use haproxy_ingress_tests::case::Case;
use haproxy_ingress_tests::haproxy::in_parallel;
use haproxy_ingress_tests::hostile::Known;
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::show::show;

/// What the cases say, read once.
static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let mut known = Known::of_cases();
    // Most pages have one value in the cases.
    let pages = REGISTRY.keys.iter().filter(|it| it.name.starts_with(PAGES));
    for key in pages {
        known.add(key, vec!["x-page: another one\n\nanother page".into()]);
    }
    known
});

/// How the names of pages begin.
const PAGES: &str = "http-response-";

/// The worlds of all cases.
static WORLDS: LazyLock<Vec<World>> = LazyLock::new(worlds);

/// The class of every Ingress, and the ConfigMap with its parameters.
const CLASS: &str = "precedence";

const TIERS: [Tier; 4] = [Tier::Global, Tier::Class, Tier::Ingress, Tier::Service];

/// How many values of a key are tried in a world.
const VALUES: usize = 8;

/// Keys that one source, or two, cannot show, and why.
const SHOWS_NOTHING: &[(&str, &[Tier], &str)] = &[
    (
        "close-sessions-duration",
        &[Tier::Global],
        "it is unsupported",
    ),
    ("external-has-lua", &[Tier::Global], "it has no effect"),
    ("load-server-state", &[Tier::Global], "it has no effect"),
    ("http-frontend", &[Tier::Global], HAS_NO_EFFECT_THERE),
    (
        "http-frontend",
        &[Tier::Global, Tier::Class],
        HAS_NO_EFFECT_THERE,
    ),
    (
        "http-frontend",
        &[Tier::Global, Tier::Ingress],
        HAS_NO_EFFECT_THERE,
    ),
    ("tcp-service-port", &[Tier::Global], HAS_NO_EFFECT_THERE),
    (
        "tcp-service-port",
        &[Tier::Global, Tier::Class],
        HAS_NO_EFFECT_THERE,
    ),
    (
        "tcp-service-port",
        &[Tier::Global, Tier::Ingress],
        HAS_NO_EFFECT_THERE,
    ),
    (
        "bind-http-passthrough",
        &[Tier::Global, Tier::Ingress],
        "the one goes for the default ports, the other one for a pair",
    ),
];

const HAS_NO_EFFECT_THERE: &str = "every Ingress would be on it, so it is refused there";

/// Worlds in which every key is tried, and values where the cases have too few.
const EXTRA: &str = r#"
## An Ingress

```yaml
kind: Ingress
spec:
  tls:
    - hosts: [app.example]
      secretName: tls
```

```haproxy-absent
nothing
```

## Ingresses on a pair of frontends

```yaml global
http-frontends: internal=8080/8443
allow-local-bind: "true"
```

```yaml
kind: Ingress
metadata:
  annotations:
    haproxy-ingress.github.io/http-frontend: internal
    haproxy-ingress.github.io/redirect-from: old.example
---
kind: Ingress
metadata:
  name: redirect
  annotations:
    haproxy-ingress.github.io/http-frontend: internal
    haproxy-ingress.github.io/redirect-to: https://new.example/
spec:
  rules:
    - host: moved.example
      http: {paths: [{path: /, pathType: Prefix}]}
```

```haproxy-absent
nothing
```

## Ingresses on a pair behind a proxy

```yaml global
http-frontends: internal=8080/8443
allow-local-bind: "true"
```

```yaml
kind: Ingress
metadata:
  annotations:
    haproxy-ingress.github.io/http-frontend: internal
    haproxy-ingress.github.io/http-passthrough: "true"
    haproxy-ingress.github.io/bind-http-passthrough: ":8090"
```

```haproxy-absent
nothing
```

## An application that may not be named

```yaml global
fcgi-enabled-apps: internal
config-sections: |
  fcgi-app php
      docroot /srv/www
  fcgi-app internal
      docroot /srv/internal
```

```yaml
kind: Ingress
metadata:
  annotations:
    haproxy-ingress.github.io/backend-protocol: fcgi
    haproxy-ingress.github.io/fcgi-app: php
```

```haproxy-absent
nothing
```
"#;

/// Keys of which the global ConfigMap's value stands once for all, so that it looks different; as do
/// pages, which an empty value does not take back for the same reason.
const ONCE_FOR_ALL: &[(&[&str], &str)] = &[
    (
        &["bind-http", "bind-https"],
        "it goes for the default ports, and a pair listens on its own",
    ),
    (
        &[
            "ssl-ciphers",
            "ssl-cipher-suites",
            "ssl-ciphers-backend",
            "ssl-cipher-suites-backend",
            "ssl-options-backend",
            "tls-alpn",
        ],
        "it is HAProxy's default, and a word for a host or a server otherwise",
    ),
];

/// A case without what it expects.
#[derive(Clone)]
struct World {
    title: String,
    snapshot: Snapshot,
    options: Options,
    /// The keys that the case writes, with their values.
    keys: BTreeMap<&'static str, BTreeSet<Arc<str>>>,
    is_for_all: bool,
}

/// What a configuration says: the text of each section and file by its name.
type Units = BTreeMap<String, String>;

/// What came of one key.
struct Outcome {
    key: &'static Key,
    compared: usize,
    /// The sources, or pairs of them, that no world shows.
    unseen: Vec<Vec<Tier>>,
    wrong: Vec<String>,
}

/// What one source alone makes of one value.
struct Alone {
    tier: Tier,
    text: Arc<str>,
    units: Units,
}

fn worlds() -> Vec<World> {
    let cases = Case::all(&Case::folder()).unwrap_or_else(|error| panic!("{error}"));
    let extra = Case::read(Path::new("precedence.rs"), EXTRA);
    let extra = extra.unwrap_or_else(|error| panic!("{error}"));
    let worlds = cases.iter().chain(&extra).map(|case| {
        let input = case.input().unwrap_or_else(|failure| panic!("{failure}"));
        World::new(
            format!("{}:{}", case.file.display(), case.line),
            input.snapshot,
            input.options,
        )
    });
    let worlds = worlds.filter(|it| it.options.ingress_class_api);
    worlds.collect()
}

/// The key of an annotation or an entry of a ConfigMap.
fn key_of(name: &str) -> Option<&'static Key> {
    let index = REGISTRY.find(name.rsplit('/').next()?)?;
    Some(REGISTRY.key(index))
}

/// Whether a value of the global ConfigMap stands once for all.
fn is_once_for_all(key: &Key) -> bool {
    key.name.starts_with(PAGES)
        || ONCE_FOR_ALL
            .iter()
            .any(|(keys, _)| keys.contains(&key.name))
}

/// Whether a key may stand in a source.
fn may_stand(key: &Key, tier: Tier) -> bool {
    match key.scope {
        Scope::Global => tier == Tier::Global,
        Scope::Frontend | Scope::Host | Scope::Tcp => tier != Tier::Service,
        Scope::Backend | Scope::Path => true,
    }
}

impl World {
    fn new(title: String, mut snapshot: Snapshot, options: Options) -> Self {
        let mut keys: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        let ingresses = snapshot.ingresses.values().map(|it| &it.meta.annotations);
        let services = snapshot.services.values().map(|it| &it.meta.annotations);
        let data = snapshot.config_maps.values().map(|it| &it.data);
        let annotations = ingresses.chain(services).flatten();
        for (name, text) in annotations.chain(data.flatten()) {
            if let Some(key) = key_of(name) {
                keys.entry(key.name).or_default().insert(text.clone());
            }
        }
        for ingress in snapshot.ingresses.values_mut() {
            let ingress = Arc::make_mut(ingress);
            ingress.spec.ingress_class_name = Some(CLASS.into());
            let of_class = "kubernetes.io/ingress.class";
            ingress
                .meta
                .annotations
                .retain(|name, _| &**name != of_class);
        }
        let class = object::ingress_class(CLASS, &options.controller_name)
            .with("/spec/parameters/kind", "ConfigMap")
            .with("/spec/parameters/name", CLASS);
        snapshot.insert(class.decoded());
        let global = options.config_map.clone().expect("the cases name one");
        for name in [CLASS, &*global.name] {
            let name = Name::new(options.controller_namespace.as_str(), name);
            if !snapshot.config_maps.contains_key(&name) {
                snapshot.insert(object::config_map(&name.name, &[]).decoded());
            }
        }
        Self {
            snapshot,
            options,
            keys,
            is_for_all: title.starts_with("precedence.rs"),
            title,
        }
    }

    /// The same without a key.
    fn without(&self, key: &Key) -> Self {
        let mut world = self.clone();
        let stays = |name: &str| key_of(name).is_none_or(|it| it.name != key.name);
        let snapshot = &mut world.snapshot;
        for it in snapshot.ingresses.values_mut() {
            Arc::make_mut(it)
                .meta
                .annotations
                .retain(|name, _| stays(name));
        }
        for it in snapshot.services.values_mut() {
            Arc::make_mut(it)
                .meta
                .annotations
                .retain(|name, _| stays(name));
        }
        for it in snapshot.config_maps.values_mut() {
            Arc::make_mut(it).data.retain(|name, _| stays(name));
        }
        world
    }

    /// The same with a key in a source, or in all of several: on each Ingress, on each Service.
    fn with(&self, key: &Key, tier: Tier, text: &Arc<str>) -> Self {
        let mut world = self.clone();
        let global = world.options.config_map.clone();
        let class = Name::new(world.options.controller_namespace.as_str(), CLASS);
        let snapshot = &mut world.snapshot;
        let annotation: Arc<str> =
            format!("{}/{}", world.options.annotation_prefixes[0], key.name).into();
        match tier {
            Tier::Global | Tier::Class => {
                let name = if tier == Tier::Class {
                    class
                } else {
                    global.expect("the cases name one")
                };
                let map = snapshot.config_maps.get_mut(&name).expect("it was made");
                let data = &mut Arc::make_mut(map).data;
                data.insert(key.name.into(), text.clone());
            }
            Tier::Ingress => {
                for it in snapshot.ingresses.values_mut() {
                    let annotations = &mut Arc::make_mut(it).meta.annotations;
                    annotations.insert(annotation.clone(), text.clone());
                }
            }
            Tier::Service => {
                for it in snapshot.services.values_mut() {
                    let annotations = &mut Arc::make_mut(it).meta.annotations;
                    annotations.insert(annotation.clone(), text.clone());
                }
            }
        }
        world
    }

    /// What it makes, and whether anything is wrong with how a key is written.
    fn units(&self, key: &Key) -> (Units, bool) {
        let compiled = compile(&self.snapshot, &self.options, None);
        let bundle = &compiled.bundle;
        let mut units = Units::new();
        let lines: Vec<&str> = bundle.config().lines().collect();
        for section in &bundle.sections {
            let first = usize::try_from(section.first_line).expect("it is short") - 1;
            let count = usize::try_from(section.lines).expect("it is short");
            let text = lines[first..first + count].join("\n");
            units.insert(section.name.to_string(), text);
        }
        let main = bundle.main().map(|it| &it.path);
        for file in bundle.files.iter().filter(|it| Some(&it.path) != main) {
            // The page that is everybody's stands beside those of tenants.
            let lines = file.content.lines();
            let (all, own): (Vec<&str>, Vec<&str>) =
                lines.partition(|it| it.starts_with("pages_") && it.contains(r#"[""]"#));
            if !all.is_empty() {
                units.insert(format!("{} for all", file.path), all.join("\n"));
            }
            let text = format!("{:o}\n{}", file.mode, own.join("\n"));
            units.insert(file.path.to_string(), text);
        }
        if let Some(acme) = &compiled.acme {
            let mut text = format!("{}\n", acme.expiring);
            for order in &acme.orders {
                let _ = writeln!(text, "{} {:?} {:?}", order.secret, order.hosts, order.chain);
            }
            units.insert("certificates to sign".into(), text);
        }
        let is_of_key = |origin: &Origin| match origin {
            Origin::Object(_, Field::Annotation(name) | Field::Data(name)) => {
                key_of(name).is_some_and(|it| it.name == key.name)
            }
            _ => false,
        };
        let is_wrong = compiled
            .diagnostics
            .iter()
            .any(|it| it.severity() != Severity::Notice && is_of_key(&it.origin));
        (units, is_wrong)
    }
}

/// Whether the Ingresses of a world own a section or file, and not the operator.
fn is_tenants(unit: &str) -> bool {
    unit.strip_prefix("backend ")
        .is_some_and(|it| !it.starts_with('_'))
}

/// How what two sources make differs from what the higher one makes alone. What the global ConfigMap says
/// counts for the whole HAProxy as well, where no Ingress says anything.
fn difference(both: &Units, high: &Units, low: &Alone, none: &Units) -> Option<String> {
    let names: BTreeSet<_> = both.keys().chain(high.keys()).collect();
    for name in names {
        let (both, high) = (both.get(name), high.get(name));
        let is_global = low.tier == Tier::Global
            && !is_tenants(name)
            && !name.starts_with("/etc/haproxy/maps/")
            && high == none.get(name)
            && both == low.units.get(name);
        if both != high && !is_global {
            return Some(changes(name, high, both));
        }
    }
    None
}

/// Whether two sources differ somewhere, and both together are what the higher one is there.
fn is_decided(both: &Units, high: &Units, low: &Units) -> bool {
    let mut names = high.keys().chain(low.keys());
    names.any(|it| high.get(it) != low.get(it) && both.get(it) == high.get(it))
}

/// How what a class makes of a value differs from what the global ConfigMap makes of it. What is one
/// default of HAProxy for all there is a line of each backend here.
fn of_class(class: &Units, global: &Units, none: &Units) -> Option<String> {
    let defaults: BTreeSet<&str> = global.get("defaults").map_or("", |it| it).lines().collect();
    for (name, class) in class {
        let global = global.get(name).map_or("", |it| it);
        let is_same = if is_tenants(name) {
            let lines = class.lines();
            let there: BTreeSet<_> = global.lines().collect();
            let mut more = lines.filter(|it| !there.contains(it));
            more.all(|it| defaults.contains(it))
                && global.lines().all(|it| class.lines().any(|own| own == it))
        } else {
            Some(class) == none.get(name) || class == global
        };
        if !is_same {
            let global = global.to_owned();
            return Some(changes(name, Some(&global), Some(class)));
        }
    }
    None
}

/// The lines that only one of two texts has.
fn changes(name: &str, wanted: Option<&String>, found: Option<&String>) -> String {
    let lines = |it: Option<&String>| -> Vec<String> {
        it.map_or("", |it| it).lines().map(str::to_owned).collect()
    };
    let (wanted, found) = (lines(wanted), lines(found));
    let mut text = format!("    in {name}\n");
    for line in wanted.iter().filter(|it| !found.contains(it)) {
        let _ = writeln!(text, "    - {line}");
    }
    for line in found.iter().filter(|it| !wanted.contains(it)) {
        let _ = writeln!(text, "    + {line}");
    }
    text
}

fn compare(key: &'static Key) -> Outcome {
    let tiers: Vec<Tier> = TIERS.into_iter().filter(|it| may_stand(key, *it)).collect();
    let mut unseen: BTreeSet<Vec<Tier>> = BTreeSet::new();
    for (index, high) in tiers.iter().enumerate() {
        unseen.insert(vec![*high]);
        unseen.extend(tiers[..index].iter().map(|low| vec![*low, *high]));
    }
    let mut outcome = Outcome {
        key,
        compared: 0,
        unseen: Vec::new(),
        wrong: Vec::new(),
    };
    let is_class = |it: &&Alone| it.tier == Tier::Class;
    let worlds = WORLDS.iter();
    for world in worlds.filter(|it| it.is_for_all || it.keys.contains_key(key.name)) {
        if unseen.is_empty() {
            break;
        }
        let own = world.keys.get(key.name).into_iter().flatten().cloned();
        let known = KNOWN.harmless(key).into_iter().map(Arc::from);
        let mut values: Vec<Arc<str>> = Vec::new();
        // What takes a page back is another page, whose case says so.
        let is_told = |it: &Arc<str>| !key.name.starts_with(PAGES) || !it.is_empty();
        for text in own.chain(known).filter(is_told) {
            if values.len() < VALUES && !values.contains(&text) {
                values.push(text);
            }
        }
        // Where there is no default, nothing takes back what a lower source says.
        if key.default.is_none() && !is_once_for_all(key) && !values.contains(&Arc::from("")) {
            values.push("".into());
        }
        let world = world.without(key);
        let (none, _) = world.units(key);
        let mut alone = Vec::new();
        for tier in &tiers {
            for text in &values {
                let (units, is_wrong) = world.with(key, *tier, text).units(key);
                if !is_wrong {
                    alone.push(Alone {
                        tier: *tier,
                        text: text.clone(),
                        units,
                    });
                }
            }
        }
        for low in alone.iter().filter(|it| it.units != none) {
            unseen.remove(&vec![low.tier]);
            if low.tier == Tier::Global {
                let same = alone.iter().filter(is_class).find(|it| it.text == low.text);
                if let Some(class) = same
                    && !is_once_for_all(key)
                    && let Some(difference) = of_class(&class.units, &low.units, &none)
                {
                    outcome.wrong.push(format!(
                        "{} {:?} of a class is not what it is of all ({})\n{difference}",
                        key.name, low.text, world.title
                    ));
                }
            }
            for high in alone
                .iter()
                .filter(|it| it.tier > low.tier && it.units != low.units)
            {
                // Where nothing reads a source, it says nothing about it.
                if !alone
                    .iter()
                    .any(|it| it.tier == high.tier && it.units != none)
                {
                    continue;
                }
                let pair = vec![low.tier, high.tier];
                if !unseen.contains(&pair) || low.text == high.text {
                    continue;
                }
                let both = world.with(key, low.tier, &low.text);
                let (both, _) = both.with(key, high.tier, &high.text).units(key);
                if let Some(difference) = difference(&both, &high.units, low, &none) {
                    outcome.wrong.push(format!(
                        "{} {:?} of {:?} shows under {:?} of {:?} ({})\n{difference}",
                        key.name, low.text, low.tier, high.text, high.tier, world.title
                    ));
                } else if !is_decided(&both, &high.units, &low.units) {
                    continue;
                }
                outcome.compared += 1;
                unseen.remove(&pair);
            }
        }
    }
    outcome.unseen = unseen.into_iter().collect();
    outcome
}

#[test]
fn a_higher_source_wins_whatever_the_key() {
    let outcomes = in_parallel(&REGISTRY.keys, |key| compare(key));
    let compared: usize = outcomes.iter().map(|it| it.compared).sum();
    let mut wrong: Vec<String> = Vec::new();
    let mut listed = 0;
    for it in outcomes {
        wrong.extend(it.wrong);
        let excused = SHOWS_NOTHING.iter().filter(|(key, ..)| *key == it.key.name);
        let excused: BTreeSet<Vec<Tier>> = excused.map(|(_, tiers, _)| tiers.to_vec()).collect();
        let unseen: BTreeSet<Vec<Tier>> = it.unseen.into_iter().collect();
        listed += unseen.len();
        for tiers in unseen.difference(&excused) {
            wrong.push(format!("{} in {tiers:?}: no world shows it", it.key.name));
        }
        for tiers in excused.difference(&unseen) {
            wrong.push(format!("{} in {tiers:?}: it is shown", it.key.name));
        }
    }
    show(&format!(
        "{} keys, {compared} pairs of sources compared, {listed} show nothing",
        REGISTRY.keys.len()
    ));
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
