//! Who has a name that a host asks for beside its own, as an alias or to redirect it.
//!
//! The oldest object has the name: the one that asks for it, or the one that names a host so and gives
//! it paths. Without this rule a tenant could take another one's requests with an annotation. Hosts of
//! one object share.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, codes};
use crate::haproxy::{Config, Host, HostKey};
use crate::keys::Cx;
use crate::options::Name;
use crate::origin::{Kind, Origin, Setting};
use crate::value::hostname::Hostname;

/// The names of one kind that a host asks for.
type Names = fn(&mut Host) -> &mut Vec<Setting<Hostname>>;

/// Takes names from hosts that cannot have them; each is reported.
pub(super) fn settle(config: &mut Config, cx: &mut Cx<'_>) {
    for names in [(|it| &mut it.aliases) as Names, |it| &mut it.redirect_from] {
        let mut owners: BTreeMap<HostKey, (Arc<str>, Origin)> = BTreeMap::new();
        for (host, name) in claims(names, config, cx) {
            let wanted = HostKey::new(host.group, &name.value.shared());
            let own = config.hosts.get(&wanted);
            let own = own.filter(|it| !it.paths.is_empty() && it.name != host.name);
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
            let message = format!("the name `{}` is another host's, `{}`", name.value, owner.0);
            let outcome = format!("it is left out of the names of `{}`", host.name);
            cx.sink.report(
                Diagnostic::new(&codes::CONFLICT, name.origin, message, outcome).related(owner.1),
            );
        }
    }
}

/// All names with the host that asks, those of the oldest objects first.
fn claims(names: Names, config: &mut Config, cx: &Cx<'_>) -> Vec<(HostKey, Setting<Hostname>)> {
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
