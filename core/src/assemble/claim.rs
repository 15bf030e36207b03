//! Who has a name that a host asks for beside its own, as an alias or to redirect it.
//!
//! The oldest object has the name: the one that asks for it, or the one that names a host so and gives
//! it paths. Without this rule a tenant could take another one's requests with an annotation. Hosts of
//! one object share. The same holds for two expressions of names with the same text.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, codes};
use crate::haproxy::{Config, Host, HostKey};
use crate::keys::Cx;
use crate::options::Name;
use crate::origin::{Kind, Origin, Setting};
use crate::value::hostname::Hostname;
use crate::value::regex::Regex;

/// What a host can ask for: a name or an expression of names.
trait Claimed: Clone + Eq + fmt::Display {
    /// What a message calls it.
    const NOUN: &'static str;

    /// Its text.
    fn text(&self) -> Arc<str>;

    /// The host that has it for its own name and serves something under it.
    fn own<'a>(wanted: &HostKey, config: &'a Config) -> Option<&'a Host>;
}

impl Claimed for Hostname {
    const NOUN: &'static str = "name";

    fn text(&self) -> Arc<str> {
        self.shared()
    }

    fn own<'a>(wanted: &HostKey, config: &'a Config) -> Option<&'a Host> {
        let own = config.hosts.get(wanted);
        own.filter(|it| !it.paths.is_empty())
    }
}

impl Claimed for Regex {
    const NOUN: &'static str = "expression";

    fn text(&self) -> Arc<str> {
        self.shared()
    }

    fn own<'a>(_: &HostKey, _: &'a Config) -> Option<&'a Host> {
        // Names of hosts come before all expressions, whatever those match.
        None
    }
}

/// What hosts ask for in one way.
type Names<T> = fn(&mut Host) -> &mut Vec<Setting<T>>;

/// Takes names from hosts that cannot have them; each is reported.
pub(super) fn settle(config: &mut Config, cx: &mut Cx<'_>) {
    for names in [(|it| &mut it.aliases) as Names<Hostname>, |it| {
        &mut it.redirect_from
    }] {
        settle_one(names, config, cx);
    }
    for patterns in [(|it| &mut it.alias_patterns) as Names<Regex>, |it| {
        &mut it.redirect_from_patterns
    }] {
        settle_one(patterns, config, cx);
    }
}

fn settle_one<T: Claimed>(names: Names<T>, config: &mut Config, cx: &mut Cx<'_>) {
    let mut owners: BTreeMap<HostKey, (Arc<str>, Origin)> = BTreeMap::new();
    for (host, name) in claims(names, config, cx) {
        let wanted = HostKey::new(host.group, &name.value.text());
        let own = T::own(&wanted, config).filter(|it| it.name != host.name);
        let older = own
            .and_then(|it| Some((it.name.clone(), it.origin.clone()?)))
            .filter(|it| age(&it.1, cx) < age(&name.origin, cx));
        let owner = older.unwrap_or_else(|| {
            let claim = || (host.name.clone(), name.origin.clone());
            owners.entry(wanted).or_insert_with(claim).clone()
        });
        if owner.1.object() == name.origin.object() {
            continue;
        }
        if let Some(it) = config.hosts.get_mut(&host) {
            names(it).retain(|it| it.value != name.value);
        }
        let noun = T::NOUN;
        let message = format!(
            "the {noun} `{}` is another host's, `{}`",
            name.value, owner.0
        );
        let outcome = format!("it is left out of the names of `{}`", host.name);
        cx.sink.report(
            Diagnostic::new(&codes::CONFLICT, name.origin, message, outcome).related(owner.1),
        );
    }
}

/// All names with the host that asks, those of the oldest objects first.
fn claims<T: Claimed>(
    names: Names<T>,
    config: &mut Config,
    cx: &Cx<'_>,
) -> Vec<(HostKey, Setting<T>)> {
    let mut claims = Vec::new();
    for (host, it) in &mut config.hosts {
        claims.extend(names(it).iter().map(|name| (host.clone(), name.clone())));
    }
    // Sorting is stable, and hosts are in the order of their names.
    claims.sort_by_cached_key(|it| age(&it.1.origin, cx));
    claims
}

/// What is older is less; what no Ingress writes is the operator's, and comes first.
fn age(origin: &Origin, cx: &Cx<'_>) -> Option<(Option<Box<str>>, Name)> {
    let object = origin.object().filter(|it| it.kind == Kind::Ingress)?;
    let name = Name::new(object.namespace.clone(), object.name.clone());
    let created = cx.snapshot.ingresses.get(&name)?.meta.created.clone();
    Some((created, name))
}
