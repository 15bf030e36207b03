//! What a tenant does changes nothing of what serves another one.
//!
//! A world has two tenants. One stays as it is, the other one changes: writes other keys, other paths,
//! other Secrets, or goes away. Every byte that serves the first one stays: its sections, its entries in
//! maps and lists, its certificates and files. And no byte of the other one's Secrets is among them.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use haproxy_ingress_core::bundle::{Bundle, Role};
use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::keys::{REGISTRY, Scope};
use haproxy_ingress_core::origin::Origin;
use haproxy_ingress_core::resource::{Object as Decoded, SecretData};
use haproxy_ingress_core::snapshot::Snapshot;
use haproxy_ingress_tests::case::Settings;
use haproxy_ingress_tests::hostile::nasty;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::random::Random;

use crate::KNOWN;
use crate::learned::{Learned, is_verbatim};
use crate::place::{Place, Written};
use crate::reader;
use crate::run::{Effort, Outcome, in_threads};

/// The tenant who stays, and who is older.
const ALPHA: &str = "alpha";
/// The tenant who changes.
const BETA: &str = "beta";
/// What stands in every Secret of the tenant who changes.
const SECRET: &str = "5ecret0fbeta";

/// Certificates of both, each made once.
static CERTIFICATES: LazyLock<[Object; 2]> = LazyLock::new(|| {
    [ALPHA, BETA].map(|it| {
        let hosts = [format!("{it}.example"), format!("*.{it}.example")];
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        object::tls_secret("tls", &hosts).within(it)
    })
});

/// Tries worlds: two for each count.
pub(crate) fn worlds(effort: &Effort, learned: &Learned) -> Outcome {
    in_threads(effort.inputs, effort.seed ^ 2, |count, random| {
        some(count, random, learned)
    })
}

fn some(count: u64, mut random: Random, learned: &Learned) -> Outcome {
    let options = Settings::default()
        .options()
        .expect("these are the defaults");
    let config_map = options.config_map.clone().expect("the cases name one");
    let mut outcome = Outcome::default();
    while outcome.inputs < count && outcome.is_worth_more() {
        let operator = random.pick(&learned.operators);
        // A name that the operator gives to every host is nobody's, and who may read whose Secrets is
        // for him to say.
        let data: Vec<(&str, &str)> = operator
            .iter()
            .filter(|it| it.place == Place::ConfigMap && it.key.scope != Scope::Host)
            .filter(|it| !it.key.name.starts_with("cross-namespace"))
            .map(|it| (it.key.name, it.text.as_str()))
            .collect();
        let map = object::config_map(&config_map.name, &data).decoded();
        let mut keys = Vec::new();
        let alpha = tenant(ALPHA, &mut random, &mut keys);
        let mut before = None;
        // One who stays, and several states of the other one.
        for state in 0..4 {
            outcome.inputs += 1;
            outcome.compilations += 1;
            let mut written = keys.clone();
            let mut snapshot = Snapshot::default();
            snapshot.insert(map.clone());
            for it in &alpha {
                snapshot.insert(it.clone());
            }
            if state > 0 {
                for it in tenant(BETA, &mut random, &mut written) {
                    snapshot.insert(it);
                }
            }
            let compiled = compile(&snapshot, &options, None);
            let serves = serves_alpha(&compiled.bundle);
            let leaks = serves.iter().find(|it| it.contains(SECRET));
            if let Some(line) = leaks {
                outcome.note(&violation("a Secret of another tenant", line), &written);
            }
            let before = before.get_or_insert_with(|| serves.clone());
            if let Some(line) = before.symmetric_difference(&serves).next() {
                let what = if before.contains(line) {
                    "is gone, because another tenant has changed"
                } else {
                    "is new, because another tenant has changed"
                };
                outcome.note(&violation(what, line), &written);
            }
        }
    }
    outcome
}

fn violation(what: &str, line: &str) -> crate::judge::Violation {
    crate::judge::Violation {
        what: what.into(),
        line: line.into(),
        origins: Vec::new(),
        tenant: None,
    }
}

/// The objects of a tenant; what is written in them is noted.
fn tenant(namespace: &'static str, random: &mut Random, all: &mut Vec<Written>) -> Vec<Decoded> {
    let mut objects = Vec::new();
    let services = ["app", "web"];
    for service in services {
        let address = [10, 0, random.below(2).try_into().unwrap_or(0), 1].into();
        let slice = object::endpoints(service, &[address], 8080);
        let mut object = object::service(service, 8080);
        for it in keys(namespace, Place::Service, random) {
            object = object.annotation(it.key.name, &it.text);
            all.push(it);
        }
        objects.extend([object, slice]);
    }
    for number in 0..=random.below(3) {
        let mut ingress = object::ingress(&format!("web{number}"));
        for it in keys(namespace, Place::Ingress, random) {
            ingress = ingress.annotation(it.key.name, &it.text);
            all.push(it);
        }
        let created = if namespace == ALPHA { "2020" } else { "2024" };
        ingress = ingress.with(
            "/metadata/creationTimestamp",
            format!("{created}-01-0{}T00:00:00Z", number + 1),
        );
        for rule in 0..=random.below(2) {
            let host = match random.below(3) {
                0 => format!("{namespace}.example"),
                1 => format!("www.{namespace}.example"),
                _ => format!("*.{namespace}.example"),
            };
            let path = random.pick(&["/", "/a", "/a/b", "/A", "/[ab]+"]);
            ingress = ingress.route(&host, path, random.pick(&services), 8080);
            let kind = random.pick(&["Exact", "Prefix", "ImplementationSpecific"]);
            let last = ingress.0["spec"]["rules"].as_array().map_or(0, Vec::len);
            if last == rule + 1 {
                let pointer = format!("/spec/rules/{rule}/http/paths/0/pathType");
                ingress = ingress.with(&pointer, kind);
            }
            if random.below(2) == 0 {
                ingress = ingress.tls(&host, "tls");
            }
        }
        objects.push(ingress);
    }
    let [ours, theirs] = &*CERTIFICATES;
    let certificate = if namespace == ALPHA { ours } else { theirs };
    let objects = objects.into_iter().map(|it| it.within(namespace));
    let mut objects: Vec<_> = objects.map(|it| it.decoded()).collect();
    objects.push(certificate.decoded());
    objects.extend(secrets(namespace));
    objects
}

/// Every Secret that a case names, with contents of its own.
fn secrets(namespace: &str) -> impl Iterator<Item = Decoded> {
    let others = KNOWN.secrets.values().filter(|it| &*it.meta.name != "tls");
    others.map(move |secret| {
        let mut secret = secret.clone();
        secret.meta.namespace = namespace.into();
        if namespace == BETA {
            for (name, data) in secret.data.iter_mut().chain(&mut secret.string_data) {
                // Users of a list stay users, so that it is taken.
                if &**name == "auth" {
                    let text = format!("{SECRET}::{SECRET}\n");
                    *data = SecretData::new(text.into_bytes());
                }
            }
        }
        Decoded::Secret(Arc::new(secret))
    })
}

/// Some keys of an object.
fn keys(namespace: &str, place: Place, random: &mut Random) -> Vec<Written> {
    let mut written = Vec::new();
    for _ in 0..random.below(4) {
        let key = random.pick(&REGISTRY.keys);
        // A name that two tenants write is the older one's; which paths of it are whose is no secret.
        if !place.takes(key.scope) || is_verbatim(key) {
            continue;
        }
        let other = if namespace == ALPHA { BETA } else { ALPHA };
        let text = match random.below(6) {
            0 => KNOWN.spoilt(key, random),
            1 => nasty(random),
            2 => {
                let name = KNOWN.plausible(key, random);
                let name = name.rsplit('/').next().unwrap_or_default();
                format!("{}{other}/{name}", random.pick(&["", "secret://"]))
            }
            _ => KNOWN.plausible(key, random),
        };
        written.push(Written { key, place, text });
    }
    written
}

/// Everything that serves the tenant who stays, one text each.
fn serves_alpha(bundle: &Bundle) -> BTreeSet<String> {
    let mut serves = BTreeSet::new();
    let is_ours = |it: &str| it.contains(ALPHA);
    let mut place = 0;
    let mut section = "";
    reader::each(bundle, |entry| {
        let path = &entry.file.path;
        if is_ours(path) {
            serves.insert(format!("{path}: {}", entry.line));
            return;
        }
        match entry.file.role {
            Role::Map | Role::Checks | Role::RegexMap => {
                // The name of a host, which is quoted in a regular expression; another tenant may well
                // write something else that has the word.
                let key = entry.line.split(['#', ' ']).next().unwrap_or_default();
                let name = key.trim_start_matches('^').replace('\\', "");
                let host = format!("{ALPHA}.example");
                let of_ours = |it: &Origin| it.object().is_some_and(|it| is_ours(&it.namespace));
                if name.ends_with(&host) || entry.origins.iter().any(of_ours) {
                    // Files of paths that want headers are numbered.
                    let path = reader::general(path);
                    serves.insert(format!("{path}: {}", entry.line));
                }
            }
            Role::CertificateList => {
                // Several names share a line; which certificate and options a name has is what counts.
                let (what, names) = entry
                    .line
                    .rsplit_once(']')
                    .unwrap_or_else(|| entry.line.split_once(' ').unwrap_or((entry.line, "")));
                for name in names.split(' ').filter(|it| is_ours(it)) {
                    serves.insert(format!("{path}: {what} {name}"));
                }
            }
            // An empty line belongs to the section behind it, which may be anybody's, and the last line to
            // nobody's.
            Role::Config
                if is_ours(entry.section)
                    && !entry.line.is_empty()
                    && !entry.line.starts_with('#') =>
            {
                if entry.section != section {
                    (section, place) = (entry.section, 0);
                }
                place += 1;
                serves.insert(format!("{section} {place}: {}", entry.line));
            }
            _ => {}
        }
    });
    serves
}
