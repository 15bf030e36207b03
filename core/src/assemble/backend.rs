//! Paths and their backends.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::assemble::names;
use crate::assemble::passthrough::{self, Fate};
use crate::assemble::place::Places;
use crate::assemble::server::Servers;
use crate::assemble::tcp;
use crate::haproxy::{Backend, Checks, Config, Group, HostKey, Mode, Path, PathMatch};
use crate::keys::{Cx, Effect, Layers, REGISTRY, Scope};
use crate::origin::Origin;
use crate::route::{Entry, Table, Target, TargetPort};

/// The port, what it speaks, and what wins among the keys of backends: two paths with the same go to the
/// same backend.
///
/// Ports with one label may differ: one that the Service does not have is written like the target of
/// another one, and endpoints may listen elsewhere for each of two ports with the same target.
type Signature = (PortKey, bool, Vec<(u16, Arc<str>)>);

/// What tells apart the ports of a Service that have the same label.
type PortKey = (u8, Arc<str>);

/// Backends by namespace, Service and port, with what their keys say.
type Known = BTreeMap<(Arc<str>, Arc<str>, Arc<str>), Vec<(Signature, usize)>>;

/// Backends while they are made.
pub(super) struct Backends<'s, 'p> {
    known: Known,
    pub(super) servers: Servers<'s, 'p>,
    effects: Vec<(usize, BackendEffect)>,
    path_effects: Vec<(usize, PathEffect)>,
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
    let passes_on = config.hosts.values().any(|it| it.passthrough.is_some());
    for entry in &table.entries {
        let key = HostKey::new(entry.group, &entry.host);
        let mut target = &entry.target;
        let served_by;
        let fate = if passes_on {
            passthrough::lead(entry, &key, backends, config, cx)
        } else {
            Fate::Served
        };
        match fate {
            Fate::Served => {}
            Fate::LeftOut => continue,
            Fate::SentToTls(backend) => {
                backends.sent_to_tls(entry, backend, &key, config, cx);
                continue;
            }
            Fate::ServedBy(other) => {
                served_by = other;
                target = &served_by;
            }
        }
        let backend = backends.of(target, &entry.layers, &entry.origin, config, cx);
        let Some(host) = config.hosts.get_mut(&key) else {
            continue;
        };
        let place = config.paths.len();
        let model = &mut config.backends[backend];
        model.paths.push(place);
        model.is_tls |= host.tls.is_some();
        let mut path = path(entry, backend, model.paths.len());
        path.is_tls = host.tls.is_some();
        path.is_behind_proxy = behind_proxy.contains(&entry.group);
        host.paths.push(place);
        for (block, effect) in &backends.path_effects {
            let block = cx.read(*block, &entry.layers);
            effect(&*block, &mut path, model, cx);
        }
        config.paths.push(path);
    }
    if let Some((target, layers)) = &table.default_backend {
        let origin = Origin::Flag("default-backend-service");
        config.default_backend = Some(backends.of(target, layers, &origin, config, cx));
    }
}

fn path(entry: &Entry, backend: usize, number: usize) -> Path {
    Path {
        group: entry.group,
        host: entry.host.clone(),
        path: entry.path.clone(),
        matching: entry.matching,
        filters: entry.filters.clone(),
        origin: entry.origin.clone(),
        is_tls: false,
        is_behind_proxy: false,
        backend,
        number: u32::try_from(number).expect("fewer paths than objects fit into memory"),
        checks: Checks::default(),
        redirect_to: None,
        is_passed_on: false,
        ssl_redirect: None,
    }
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
        self.servers.add(&mut backend, target, layers, &winners, cx);
        for (place, effect) in &self.effects {
            let block = cx.read(*place, layers);
            effect(&*block, &mut backend, cx);
        }
        config.backends.push(backend);
        config.backends.len() - 1
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
        let winners = layers.winners(|it| REGISTRY.key(it).scope == Scope::Backend);
        let signature = (port_key(&target.port), false, winners);
        let known = self.known.entry(key(target)).or_default();
        if let Some((_, place)) = known.iter().find(|it| it.0 == signature) {
            let owners = &mut config.backends[*place].owners;
            if owners.last() != Some(origin) {
                owners.push(origin.clone());
            }
            return *place;
        }
        let name = unused_name(target, origin, known, config);
        let mut backend = empty(name, target, origin);
        let winners = &signature.2;
        self.servers.add(&mut backend, target, layers, winners, cx);
        for (place, effect) in &self.effects {
            let block = cx.read(*place, layers);
            effect(&*block, &mut backend, cx);
        }
        known.push((signature, config.backends.len()));
        config.backends.push(backend);
        config.backends.len() - 1
    }

    /// A path whose plain requests are sent to TLS, which its servers end; `backend` is the one that
    /// passes it on.
    fn sent_to_tls(
        &self,
        entry: &Entry,
        backend: usize,
        key: &HostKey,
        config: &mut Config,
        cx: &mut Cx<'_>,
    ) {
        let mut path = path(entry, backend, 1);
        path.is_passed_on = true;
        // No backend of ours answers them, and no rule of one counts.
        let mut nobody = Backend::new("", "", "");
        for (place, effect) in &self.path_effects {
            let block = cx.read(*place, &entry.layers);
            effect(&*block, &mut path, &mut nobody, cx);
        }
        path.checks = Checks::default();
        if let Some(host) = config.hosts.get_mut(key) {
            host.paths.push(config.paths.len());
            config.paths.push(path);
        }
    }

    /// The backend of a target for connections that nobody looks into. No path tells them apart, so
    /// that two entries share one only if they ask for the same in all. `ends_tls` says whether HAProxy
    /// does so, and sees certificates of clients.
    pub(super) fn of_connections(
        &mut self,
        target: &Target,
        layers: &Layers,
        ends_tls: bool,
        origin: &Origin,
        config: &mut Config,
        cx: &mut Cx<'_>,
    ) -> usize {
        tcp::report_unprotected(layers, ends_tls, origin, cx);
        let winners = layers.winners(|it| tcp::tells_apart(it, ends_tls));
        let signature = (port_key(&target.port), true, winners);
        let known = self.known.entry(key(target)).or_default();
        if let Some((_, place)) = known.iter().find(|it| it.0 == signature) {
            let owners = &mut config.backends[*place].owners;
            if owners.last() != Some(origin) {
                owners.push(origin.clone());
            }
            return *place;
        }
        let name = unused_name(target, origin, known, config);
        let mut backend = empty(name, target, origin);
        backend.mode = Mode::Tcp;
        tcp::protect(layers, ends_tls, origin, &mut backend, cx);
        let layers = &tcp::of_connections(layers);
        let winners = &signature.2;
        self.servers.add(&mut backend, target, layers, winners, cx);
        for (place, effect) in &self.effects {
            let block = cx.read_alone(*place, layers);
            effect(&*block, &mut backend, cx);
        }
        // Keys of paths act on all of the backend, as if it had one.
        let mut path = Path {
            group: Group::DEFAULT,
            host: "".into(),
            path: "/".into(),
            matching: PathMatch::Begin,
            filters: None,
            origin: origin.clone(),
            is_tls: false,
            is_behind_proxy: false,
            backend: config.backends.len(),
            number: 1,
            checks: Checks::default(),
            redirect_to: None,
            is_passed_on: false,
            ssl_redirect: None,
        };
        for (place, effect) in &self.path_effects {
            let block = cx.read_alone(*place, layers);
            effect(&*block, &mut path, &mut backend, cx);
        }
        tcp::only_connections(&mut backend, cx);
        known.push((signature, config.backends.len()));
        config.backends.push(backend);
        config.backends.len() - 1
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

/// A name that no backend of the same Service and port has.
fn unused_name(
    target: &Target,
    origin: &Origin,
    known: &[(Signature, usize)],
    config: &Config,
) -> Arc<str> {
    let is_used = |name: &Arc<str>| known.iter().any(|it| config.backends[it.1].name == *name);
    let name = names::backend(target, None);
    if !is_used(&name) {
        return name;
    }
    let owner = origin
        .object()
        .map_or_else(|| "operator".into(), |it| it.name.clone());
    // One Ingress can split a Service more than once, with other Services' annotations in between;
    // of one more name than there are backends, one is free.
    (1..known.len() + 2)
        .map(|number| match number {
            1 => names::backend(target, Some(&owner)),
            _ => names::backend(target, Some(&format!("{owner}.{number}"))),
        })
        .find(|it| !is_used(it))
        .expect("there are more names than backends")
}
