//! Endpoints → servers of a backend.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::assemble::place::{Place, Places, Rules, place, template_count};
use crate::diagnostic::codes;
use crate::haproxy::{Address, Backend, Instance, Server, ServerState, Template};
use crate::keys::Layers;
use crate::keys::backend_server_naming::ServerNaming;
use crate::keys::balance_algorithm::Balance;
use crate::keys::blue_green::BlueGreenWeights;
use crate::keys::dns_resolvers::UseResolver;
use crate::keys::drain_support::DrainSupport;
use crate::keys::dynamic_scaling::DynamicScaling;
use crate::keys::initial_weight::InitialWeight;
use crate::keys::service_upstream::ServiceUpstream;
use crate::keys::{Block, Cx, REGISTRY};
use crate::origin::{Field, Kind, ObjectRef, Origin};
use crate::resource::{EndpointSlice, Resource as _, Service};
use crate::route::{Target, TargetPort};

/// An endpoint on its way to become a server.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) address: Address,
    pub(super) readiness: Readiness,
    pub(super) weight: u16,
    pub(super) instance: Option<Instance>,
    pub(super) origin: Origin,
}

/// What an endpoint is good for; the better comes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Readiness {
    /// It takes requests.
    Ready,
    /// It is on its way out, and still answers.
    Serving,
    /// It does not answer.
    NotReady,
}

/// Makes the servers of all backends.
pub(super) struct Servers<'s, 'p> {
    slices: Slices<'s>,
    places: &'p Places,
    /// The keys that decide about servers before there are any.
    keys: Vec<u16>,
    /// What is asked for where no object says anything of these keys.
    shared: Rc<Wanted>,
    /// Whether endpoints that take no new requests stay.
    drains: bool,
}

/// What is asked for of the servers of a backend before there are any.
#[derive(Debug)]
struct Wanted {
    scaling: Rc<DynamicScaling>,
    naming: Rc<ServerNaming>,
    weight: Rc<InitialWeight>,
    upstream: Rc<ServiceUpstream>,
    balance: Rc<Balance>,
    groups: Rc<BlueGreenWeights>,
    resolver: Rc<UseResolver>,
}

/// EndpointSlices by namespace and Service.
struct Slices<'a>(Vec<(&'a str, &'a str, &'a Arc<EndpointSlice>)>);

impl<'a> Slices<'a> {
    fn new(cx: &Cx<'a>) -> Self {
        let mut slices: Vec<_> = cx
            .snapshot
            .endpoint_slices
            .values()
            .filter_map(|it| Some((&*it.meta.namespace, &**it.service()?, it)))
            .collect();
        slices.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        Self(slices)
    }

    /// The slices of one Service, in the order of their names.
    fn of(&self, namespace: &str, service: &str) -> impl Iterator<Item = &'a Arc<EndpointSlice>> {
        let key = (namespace, service);
        let from = self.0.partition_point(|it| (it.0, it.1) < key);
        self.0[from..]
            .iter()
            .take_while(move |it| (it.0, it.1) == key)
            .map(|it| it.2)
    }
}

impl Wanted {
    fn of(layers: &Layers, cx: &mut Cx<'_>) -> Self {
        Self {
            scaling: cx.settings(layers),
            naming: cx.settings(layers),
            weight: cx.settings(layers),
            upstream: cx.settings(layers),
            balance: cx.settings(layers),
            groups: cx.settings(layers),
            resolver: cx.settings(layers),
        }
    }

    /// The keys that it is made of, in order.
    fn keys() -> Vec<u16> {
        let mut keys = Vec::new();
        let mut add = |block: &[crate::keys::Key]| {
            keys.extend(block.iter().filter_map(|it| REGISTRY.find(it.name)));
        };
        add(DynamicScaling::KEYS);
        add(ServerNaming::KEYS);
        add(InitialWeight::KEYS);
        add(ServiceUpstream::KEYS);
        add(Balance::KEYS);
        add(BlueGreenWeights::KEYS);
        add(UseResolver::KEYS);
        keys.sort_unstable();
        keys
    }
}

impl<'s, 'p> Servers<'s, 'p> {
    pub(super) fn new(places: &'p Places, cx: &mut Cx<'s>) -> Self {
        let global = cx.global.clone();
        Self {
            slices: Slices::new(cx),
            places,
            keys: Wanted::keys(),
            shared: Rc::new(Wanted::of(&global, cx)),
            drains: cx.global_settings::<DrainSupport>().enable.value,
        }
    }

    /// Gives a backend its servers; `winners` is what objects say of it.
    pub(super) fn add(
        &self,
        backend: &mut Backend,
        target: &Target,
        layers: &Layers,
        winners: &[(u16, Arc<str>)],
        cx: &mut Cx<'_>,
    ) {
        let is_asked = |it: &(u16, Arc<str>)| self.keys.binary_search(&it.0).is_ok();
        let wanted = if winners.iter().any(is_asked) {
            Rc::new(Wanted::of(layers, cx))
        } else {
            self.shared.clone()
        };
        let can_add = cx.haproxy_is(2, 6) && wanted.balance.algorithm.value.is_dynamic();
        backend.scaling = wanted.scaling.scaling(can_add);
        let mut endpoints = self.endpoints(target, &wanted, cx);
        let weight = wanted.weight.weight();
        weigh(&mut endpoints, target, &wanted, cx);
        let places = self.places.get(&backend.name);
        let places: &[Place] = places.map_or(&[], Vec::as_slice);
        if let Some(mut template) = template(target, &wanted, cx) {
            // No server can be added beside those of a template.
            backend.scaling = wanted.scaling.scaling(false);
            template.count = template_count(endpoints.len(), places, backend.scaling);
            backend.template = Some(template);
            return;
        }
        let owner = || {
            let (namespace, name) = (target.namespace.clone(), target.service.clone());
            let service = ObjectRef::new(Kind::Service, namespace, name);
            Origin::Object(Arc::new(service), Field::Object)
        };
        let rules = Rules {
            naming: wanted.naming.naming.value,
            scaling: backend.scaling,
            weight,
            owner: &owner,
        };
        if !matches!(target.port, TargetPort::Missing) {
            backend.servers = place(endpoints, places, rules);
        }
    }

    /// The endpoints of a target that become servers.
    fn endpoints(&self, target: &Target, wanted: &Wanted, cx: &mut Cx<'_>) -> Vec<Endpoint> {
        match &target.port {
            TargetPort::Missing => Vec::new(),
            TargetPort::External { name, port, origin } => {
                let address = match name.parse::<IpAddr>() {
                    Ok(ip) => Address::Ip(ip, *port),
                    Err(_) => Address::Name(name.clone(), *port),
                };
                vec![Endpoint::of_service(address, origin.clone())]
            }
            TargetPort::Endpoints {
                service,
                name,
                origin,
            } => {
                if wanted.upstream.enable.value
                    && let Some(endpoint) = upstream(service, name, &wanted.upstream, cx)
                {
                    return vec![endpoint];
                }
                let mut found = Vec::new();
                for slice in self.slices.of(&target.namespace, &target.service) {
                    endpoints(slice, name, self.drains, &mut found, cx);
                }
                let found = sorted(found, self.drains);
                if found.iter().all(|it| it.readiness == Readiness::NotReady) {
                    cx.report(
                        &codes::NO_ENDPOINTS,
                        origin,
                        format!(
                            "the Service `{}/{}` has no endpoint that is ready for port `{}`",
                            target.namespace, target.service, target.label
                        ),
                        "its requests are answered with 503",
                    );
                }
                found
            }
        }
    }
}

/// Gives endpoints that take requests their weights.
fn weigh(endpoints: &mut [Endpoint], target: &Target, wanted: &Wanted, cx: &mut Cx<'_>) {
    let weight = wanted.weight.weight();
    let is_ready = |it: &&mut Endpoint| it.readiness == Readiness::Ready;
    let mut ready: Vec<&mut Endpoint> = endpoints.iter_mut().filter(is_ready).collect();
    for it in &mut ready {
        it.weight = weight;
    }
    if wanted.groups.balance.is_none() {
        return;
    }
    let pods: Vec<_> = ready
        .iter()
        .map(|it| cx.pod(&target.namespace, &it.instance.as_ref()?.name))
        .collect();
    let weights = wanted.groups.weights(&pods, weight, cx);
    for (it, weight) in ready.into_iter().zip(weights.into_iter().flatten()) {
        it.weight = weight;
    }
}

/// The servers of a target, if HAProxy shall find them by itself.
fn template(target: &Target, wanted: &Wanted, cx: &mut Cx<'_>) -> Option<Template> {
    wanted.resolver.resolver.as_ref()?;
    let resolver = wanted.resolver.known(cx)?;
    let (name, port) = match &target.port {
        TargetPort::Missing => return None,
        // There is nothing to ask about an address.
        TargetPort::External { name, .. } if name.parse::<IpAddr>().is_ok() => return None,
        TargetPort::External { name, port, .. } => (name.clone(), Some(*port)),
        TargetPort::Endpoints { service, name, .. } => wanted.resolver.name(service, name, cx)?,
    };
    Some(Template {
        count: 1,
        name,
        port,
        resolver: resolver.value,
        weight: wanted.weight.weight(),
        origin: resolver.origin,
    })
}

/// Each endpoint once, in the order of addresses.
fn sorted(mut found: Vec<Endpoint>, drains: bool) -> Vec<Endpoint> {
    found.sort_by(|a, b| (&a.address, a.readiness).cmp(&(&b.address, b.readiness)));
    // The same endpoint may stand in two slices while it moves between them.
    found.dedup_by(|a, b| a.address == b.address);
    if !found.iter().any(|it| it.readiness == Readiness::Ready) {
        // Endpoints that still answer are better than none.
        for it in &mut found {
            if it.readiness == Readiness::Serving {
                it.readiness = Readiness::Ready;
            }
        }
    }
    if !drains {
        found.retain(|it| it.readiness == Readiness::Ready);
    }
    found
}

/// The virtual address of a Service as its only endpoint; without one, its endpoints stay.
fn upstream(
    service: &Arc<Service>,
    port: &str,
    wanted: &ServiceUpstream,
    cx: &mut Cx<'_>,
) -> Option<Endpoint> {
    let mut ports = service.spec.ports.iter();
    let port = ports.find(|it| it.name.as_deref().unwrap_or_default() == port);
    let port = port.and_then(|it| u16::try_from(it.port).ok())?;
    let text = service.spec.cluster_ip.as_deref().unwrap_or_default();
    match text.parse::<IpAddr>() {
        Ok(ip) => {
            let origin = service.origin(Field::Pointer("/spec/clusterIP".into()));
            Some(Endpoint::of_service(Address::Ip(ip, port), origin))
        }
        Err(_) => {
            cx.report(
                &codes::NO_EFFECT,
                &wanted.enable.origin,
                "`service-upstream`: the Service has no virtual address",
                "its endpoints are the servers",
            );
            None
        }
    }
}

/// The endpoints of a slice for one port of the Service.
fn endpoints(
    slice: &Arc<EndpointSlice>,
    port: &str,
    drains: bool,
    found: &mut Vec<Endpoint>,
    cx: &mut Cx<'_>,
) {
    let number = slice
        .ports
        .iter()
        .filter(|it| it.protocol.as_deref().is_none_or(|it| it == "TCP"))
        .find(|it| it.name.as_deref().unwrap_or_default() == port)
        .and_then(|it| u16::try_from(it.port?).ok())
        .filter(|it| *it > 0);
    let Some(number) = number else { return };
    let object = Arc::new(slice.object_ref());
    for (index, endpoint) in (0..).zip(&slice.endpoints) {
        let readiness = if endpoint.conditions.is_ready() {
            Readiness::Ready
        } else if endpoint.conditions.is_draining() {
            Readiness::Serving
        } else if drains {
            Readiness::NotReady
        } else {
            continue;
        };
        let Some(text) = endpoint.addresses.first() else {
            continue;
        };
        let origin = Origin::Object(object.clone(), Field::Endpoint(index));
        let Ok(ip) = text.parse::<IpAddr>() else {
            cx.report(
                &codes::UNSUPPORTED,
                &origin,
                format!(
                    "expected an IP address, found `{}`",
                    crate::value::shown(text)
                ),
                "the endpoint is left out",
            );
            continue;
        };
        let instance = endpoint.target_ref.as_ref().and_then(|it| {
            let name = it.name.clone().filter(|it| !it.is_empty())?;
            let uid = it.uid.clone();
            Some(Instance { name, uid })
        });
        found.push(Endpoint {
            address: Address::Ip(ip, number),
            readiness,
            weight: 0,
            instance,
            origin,
        });
    }
}

impl Endpoint {
    /// The only endpoint of a Service that has no Pods of its own, or hides them.
    fn of_service(address: Address, origin: Origin) -> Self {
        Self {
            address,
            readiness: Readiness::Ready,
            weight: 1,
            instance: None,
            origin,
        }
    }

    /// The server at a place.
    pub(super) fn into_server(self, name: Arc<str>) -> Server {
        Server {
            name,
            address: self.address,
            weight: self.weight,
            state: if self.weight > 0 {
                ServerState::Ready
            } else {
                ServerState::Drain
            },
            id: None,
            cookie: None,
            source: None,
            instance: self.instance,
            left: None,
            origin: self.origin,
        }
    }
}
