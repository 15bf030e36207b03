//! Paths and their backends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::assemble::names;
use crate::assemble::passthrough::{self, Fate};
use crate::assemble::place::Places;
use crate::assemble::server::Servers;
use crate::assemble::tcp::{self, Unable};
use crate::diagnostic::codes;
use crate::haproxy::{Backend, Config, HostKey, Mode, Path, Phase, Rule};
use crate::keys::redirect::RedirectTo;
use crate::keys::ssl_redirect::SslRedirect;
use crate::keys::{Cx, Effect, Layers, REGISTRY, Scope, Tier};
use crate::origin::Origin;
use crate::route::{Entry, Table, Target, TargetPort};
use crate::value::text::Line;

/// The port, what it speaks, and what wins among the keys of backends: two paths with the same go to the
/// same backend.
///
/// Ports with one label may differ: one that the Service does not have is written like the target of
/// another one, and endpoints may listen elsewhere for each of two ports with the same target.
type Signature = (PortKey, Mode, Winners);

/// What wins among some keys.
type Winners = Vec<(u16, Arc<str>)>;

/// What tells apart the ports of a Service that have the same label.
type PortKey = (u8, Arc<str>);

/// Backends by namespace, Service and port, with what their keys say.
type Known = BTreeMap<(Arc<str>, Arc<str>, Arc<str>), Split>;

/// The backends of one Service and port, by what tells them apart: mostly one.
#[derive(Default)]
struct Split {
    first: Option<(Signature, usize)>,
    others: BTreeMap<Signature, usize>,
    /// The names of the others.
    names: BTreeSet<Arc<str>>,
}

/// Backends while they are made.
pub(super) struct Backends<'s, 'p> {
    known: Known,
    pub(super) servers: Servers<'s, 'p>,
    effects: Vec<(usize, BackendEffect)>,
    /// What is the same for all paths that the same is written for.
    path_effects: Vec<(usize, PathEffect)>,
    /// What looks at each path.
    one_path_effects: Vec<(usize, PathEffect)>,
}

/// The newest path: mostly the next one leads to the same, and the same is written for it.
struct Newest {
    place: usize,
    target: Target,
    layers: Layers,
    /// Rules that it has whatever the path is.
    rules: Vec<usize>,
}

type BackendEffect = fn(&dyn std::any::Any, &mut Backend, &mut Cx<'_>);
type PathEffect = fn(&dyn std::any::Any, &mut Path, &mut Backend, &mut Cx<'_>);

/// Adds all paths and their backends.
pub(super) fn add(
    table: &Table,
    backends: &mut Backends<'_, '_>,
    config: &mut Config,
    cx: &mut Cx<'_>,
) {
    let behind_proxy: Vec<_> = config
        .frontends
        .iter()
        .filter(|it| it.is_behind_proxy.is_some())
        .map(|it| it.group)
        .collect();
    let beside = passthrough::paths(table, config);
    let mut unseen = Vec::new();
    let mut newest: Option<Newest> = None;
    // So thousands of backends stay where they are; room that is not used costs nothing.
    config.backends.reserve(table.entries.len());
    config.paths.reserve(table.entries.len());
    for entry in &table.entries {
        let key = HostKey::new(entry.group, &entry.host);
        let mut target = &entry.target;
        let served_by;
        let fate = match beside.get(&key) {
            Some(paths) => passthrough::lead(entry, &key, paths, backends, config, cx),
            None => Fate::Served,
        };
        match fate {
            Fate::Served => {}
            Fate::LeftOut => continue,
            Fate::SentToTls(backend) => {
                unseen.push(entry);
                sent_to_tls(entry, backend, &key, config, cx);
                continue;
            }
            Fate::ServedBy(other) => {
                served_by = other;
                target = &served_by;
            }
        }
        let same = newest
            .as_ref()
            .filter(|it| it.layers.is_same(&entry.layers) && it.target.is_same(target));
        let backend = match same {
            Some(it) => {
                let backend = config.paths[it.place].backend;
                own(&mut config.backends[backend], &entry.origin);
                backend
            }
            None => backends.of(target, &entry.layers, &entry.origin, config, cx),
        };
        let Some(host) = config.hosts.get_mut(&key) else {
            continue;
        };
        let place = config.paths.len();
        let model = &mut config.backends[backend];
        model.paths.push(place);
        model.is_tls |= host.tls.is_some();
        let mut path = path(entry, backend, number(model.paths.len()));
        path.is_tls = host.tls.is_some();
        path.is_behind_proxy = behind_proxy.contains(&entry.group);
        host.paths.push(place);
        let alike = newest.as_ref().filter(|it| {
            it.layers.is_same(&entry.layers) && path.is_treated_like(&config.paths[it.place])
        });
        if let Some(other) = alike {
            path = path.with_keys_of(&config.paths[other.place]);
            model.rules.add_again(path.number, &other.rules);
        } else {
            model.rules.newest();
            act(&backends.path_effects, &entry.layers, &mut path, model, cx);
            newest = Some(Newest {
                place,
                target: target.clone(),
                layers: entry.layers.clone(),
                rules: model.rules.newest(),
            });
        }
        act(
            &backends.one_path_effects,
            &entry.layers,
            &mut path,
            model,
            cx,
        );
        if let Some(origin) = &entry.denied {
            let deny = Rule::new(Phase::Access, Line::keyword(model.mode.denial()));
            model.add(path.number, deny, origin);
        }
        config.paths.push(path);
    }
    passthrough::report_keys_of_requests(&unseen, table, cx);
    if let Some((target, layers)) = &table.default_backend {
        fallback(target, layers, backends, config, cx);
    }
}

/// A path whose plain requests are sent to TLS, which its servers end; `backend` is the one that passes it
/// on. Of what is written for it only redirects count, for nothing else sees a request.
fn sent_to_tls(entry: &Entry, backend: usize, key: &HostKey, config: &mut Config, cx: &mut Cx<'_>) {
    let mut path = path(entry, backend, 1);
    path.is_passed_on = true;
    let to_tls = cx.settings::<SslRedirect>(&entry.layers);
    path.ssl_redirect = to_tls.author().cloned();
    let elsewhere = cx.settings::<RedirectTo>(&entry.layers);
    path.redirect_to.clone_from(&elsewhere.to);
    if let Some(host) = config.hosts.get_mut(key) {
        host.paths.push(config.paths.len());
        config.paths.push(path);
    }
}

/// The operator's Service gets what nothing matches, and keys of paths act on that as on a path.
fn fallback(
    target: &Target,
    layers: &Layers,
    backends: &mut Backends<'_, '_>,
    config: &mut Config,
    cx: &mut Cx<'_>,
) {
    report_keys_of_hosts(layers, cx);
    let origin = Origin::Flag("default-backend-service");
    let backend = backends.of(target, layers, &origin, config, cx);
    let place = config.paths.len();
    let model = &mut config.backends[backend];
    model.paths.push(place);
    let mut path = Path::of_all(backend, number(model.paths.len()), &origin);
    act(&backends.path_effects, layers, &mut path, model, cx);
    act(&backends.one_path_effects, layers, &mut path, model, cx);
    path.ssl_redirect = None;
    config.paths.push(path);
    config.default_path = Some(place);
}

/// Lets keys act on a path.
fn act(
    effects: &[(usize, PathEffect)],
    layers: &Layers,
    path: &mut Path,
    backend: &mut Backend,
    cx: &mut Cx<'_>,
) {
    for (place, effect) in effects {
        let block = cx.read(*place, layers);
        effect(&*block, path, backend, cx);
    }
}

/// Beginnings of the names of keys that say how a request finds its path, or what goes for a host that
/// is served over TLS.
const OF_HOSTS: &[&str] = &["hsts", "http-header-match", "path-type", "ssl-redirect"];

/// Reports keys that cannot act on requests that no host and no path is there for.
fn report_keys_of_hosts(layers: &Layers, cx: &mut Cx<'_>) {
    for source in layers.sources().iter().filter(|it| it.tier > Tier::Global) {
        for value in &source.values {
            let name = REGISTRY.key(value.key).name;
            if OF_HOSTS.iter().any(|it| name.starts_with(it)) {
                cx.report(
                    &codes::NO_EFFECT,
                    &Origin::Object(source.object.clone(), value.field.clone()),
                    format!(
                        "`{name}`: no host and no path leads to the Service of \
                         `--default-backend-service`"
                    ),
                    "it has no effect on requests that nothing matches",
                );
            }
        }
    }
}

fn path(entry: &Entry, backend: usize, number: u32) -> Path {
    Path {
        group: entry.group,
        host: entry.host.clone(),
        path: entry.path.clone(),
        matching: entry.matching,
        filters: entry.filters.clone(),
        ..Path::of_all(backend, number, &entry.origin)
    }
}

/// The number of the last one of some paths.
fn number(paths: usize) -> u32 {
    u32::try_from(paths).expect("fewer paths than objects fit into memory")
}

impl<'s, 'p> Backends<'s, 'p> {
    pub(super) fn new(places: &'p Places, cx: &mut Cx<'s>) -> Self {
        let blocks = || REGISTRY.blocks.iter().enumerate();
        Self {
            known: Known::new(),
            servers: Servers::new(places, cx),
            effects: blocks()
                .filter_map(|(place, it)| match it.0.effect {
                    Effect::Backend(effect) => Some((place, effect)),
                    _ => None,
                })
                .collect(),
            path_effects: blocks()
                .filter_map(|(place, it)| match it.0.effect {
                    Effect::Path(effect) => Some((place, effect)),
                    _ => None,
                })
                .collect(),
            one_path_effects: blocks()
                .filter_map(|(place, it)| match it.0.effect {
                    Effect::OnePath(effect) => Some((place, effect)),
                    _ => None,
                })
                .collect(),
        }
    }

    /// A backend of a Service that HAProxy itself sends requests to.
    pub(super) fn internal(
        &mut self,
        name: Arc<str>,
        target: &Target,
        layers: &Layers,
        origin: &Origin,
        config: &mut Config,
        cx: &mut Cx<'_>,
    ) -> usize {
        let mut backend = Backend::new(name, &target.namespace, &target.service);
        backend.owners.push(origin.clone());
        backend.is_internal = true;
        let winners = layers.winners(|it| REGISTRY.key(it).scope == Scope::Backend);
        self.fill(&mut backend, target, layers, &winners, cx);
        config.backends.push(backend);
        config.backends.len() - 1
    }

    /// Servers, and what keys of backends say.
    fn fill(
        &mut self,
        backend: &mut Backend,
        target: &Target,
        layers: &Layers,
        winners: &Winners,
        cx: &mut Cx<'_>,
    ) {
        self.servers.add(backend, target, layers, winners, cx);
        for (place, effect) in &self.effects {
            let block = cx.read(*place, layers);
            effect(&*block, backend, cx);
        }
    }

    /// The backend of a target, made when it is first asked for. A Service whose paths want different
    /// things of their backend is split, so that no Ingress acts on another one's requests.
    fn of(
        &mut self,
        target: &Target,
        layers: &Layers,
        origin: &Origin,
        config: &mut Config,
        cx: &mut Cx<'_>,
    ) -> usize {
        let is_of_backends: fn(u16) -> bool = |it| REGISTRY.key(it).scope == Scope::Backend;
        let winners = layers.winners(is_of_backends);
        let signature = (port_key(&target.port), Mode::Http, winners);
        let place = self.once(target, signature, origin, config, |it, backend, winners| {
            it.fill(backend, target, layers, winners, cx);
        });
        cx.note_backend(place, layers, is_of_backends);
        place
    }

    /// The backend of a target for connections that nobody looks into. No path tells them apart, so
    /// that two entries share one only if they ask for the same in all. Where keys are unable to protect
    /// them, they are refused.
    pub(super) fn of_connections(
        &mut self,
        target: &Target,
        layers: &Layers,
        unable: &[Unable],
        origin: &Origin,
        config: &mut Config,
        cx: &mut Cx<'_>,
    ) -> usize {
        tcp::report_unable(unable, cx);
        let mut winners = layers.winners(tcp::tells_apart);
        winners.extend(tcp::reasons(unable));
        winners.sort_unstable();
        let signature = (port_key(&target.port), Mode::Tcp, winners);
        let place = config.backends.len();
        let made = self.once(target, signature, origin, config, |it, backend, winners| {
            backend.mode = Mode::Tcp;
            tcp::protect(unable, backend);
            let layers = &tcp::of_connections(layers);
            it.servers.add(backend, target, layers, winners, cx);
            // Keys of requests are left out, also those that the operator says for all.
            for (place, effect) in &it.effects {
                let block = cx.read_alone(*place, layers);
                effect(&*block, backend, cx);
            }
            // Keys of paths act on all of the backend, as if it had one.
            let mut path = Path::of_all(place, 1, origin);
            for (place, effect) in it.path_effects.iter().chain(&it.one_path_effects) {
                let block = cx.read_alone(*place, layers);
                effect(&*block, &mut path, backend, cx);
            }
            tcp::only_connections(backend, cx);
        });
        cx.note_backend(made, layers, tcp::tells_apart);
        made
    }

    /// The backend of a target with a signature, filled when it is first asked for.
    fn once(
        &mut self,
        target: &Target,
        signature: Signature,
        origin: &Origin,
        config: &mut Config,
        fill: impl FnOnce(&mut Self, &mut Backend, &Winners),
    ) -> usize {
        let split = self.known.entry(key(target)).or_default();
        if let Some(place) = split.place(&signature) {
            own(&mut config.backends[place], origin);
            return place;
        }
        let place = config.backends.len();
        let name = split.name(target, origin);
        let mut backend = empty(name, target, origin);
        let winners = signature.2.clone();
        split.add(signature, place);
        fill(self, &mut backend, &winners);
        config.backends.push(backend);
        place
    }
}

/// Notes who asks for a backend.
fn own(backend: &mut Backend, origin: &Origin) {
    if backend.owners.last() != Some(origin) {
        backend.owners.push(origin.clone());
    }
}

/// What backends of one Service and port have in common.
fn key(target: &Target) -> (Arc<str>, Arc<str>, Arc<str>) {
    (
        target.namespace.clone(),
        target.service.clone(),
        target.label.clone(),
    )
}

/// A backend of a target, made by who asks for it and by who says where its servers are.
fn empty(name: Arc<str>, target: &Target, origin: &Origin) -> Backend {
    let mut backend = Backend::new(name, &target.namespace, &target.service);
    backend.owners.push(origin.clone());
    if let TargetPort::Endpoints { origin, .. } | TargetPort::External { origin, .. } = &target.port
    {
        backend.owners.push(origin.clone());
    }
    backend
}

fn port_key(port: &TargetPort) -> PortKey {
    match port {
        TargetPort::Missing => (0, "".into()),
        TargetPort::Endpoints { name, .. } => (1, name.clone()),
        TargetPort::External { name, .. } => (2, name.clone()),
    }
}

impl Split {
    /// The place of the backend with a signature.
    fn place(&self, signature: &Signature) -> Option<usize> {
        match &self.first {
            Some((first, place)) if first == signature => Some(*place),
            _ => self.others.get(signature).copied(),
        }
    }

    fn add(&mut self, signature: Signature, place: usize) {
        if self.first.is_none() {
            self.first = Some((signature, place));
        } else {
            self.others.insert(signature, place);
        }
    }

    /// A name that no backend of the same Service and port has.
    fn name(&mut self, target: &Target, origin: &Origin) -> Arc<str> {
        if self.first.is_none() {
            return names::backend(target, None);
        }
        let owner = origin
            .object()
            .map_or_else(|| "operator".into(), |it| it.name.clone());
        // One Ingress can split a Service more than once, with other Services' annotations in between;
        // of one more name than there are others, one is free.
        let name = (1..self.names.len() + 2)
            .map(|number| match number {
                1 => names::backend(target, Some(&owner)),
                _ => names::backend(target, Some(&format!("{owner}.{number}"))),
            })
            .find(|it| !self.names.contains(it))
            .expect("there are more names than backends");
        self.names.insert(name.clone());
        name
    }
}
