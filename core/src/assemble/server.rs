//! Endpoints → servers, each in the place that it has already.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::diagnostic::codes;
use crate::haproxy::{Address, Server, ServerState};
use crate::keys::Cx;
use crate::origin::{Field, Kind, ObjectRef, Origin};
use crate::resource::{EndpointSlice, Resource as _};
use crate::route::{Target, TargetPort};

/// Where a server stands in a running HAProxy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Place {
    /// The server's name.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: Address,
    /// Its weight.
    pub weight: u16,
    /// Whether it takes requests.
    pub state: ServerState,
}

/// The servers of every backend, by the backend's name.
pub type Places = BTreeMap<Arc<str>, Vec<Place>>;

/// EndpointSlices by namespace and Service.
pub(super) struct Slices<'a>(Vec<(&'a str, &'a str, &'a Arc<EndpointSlice>)>);

impl<'a> Slices<'a> {
    pub(super) fn new(cx: &Cx<'a>) -> Self {
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

/// An endpoint on its way to become a server.
struct Endpoint {
    address: Address,
    is_ready: bool,
    origin: Origin,
}

/// The servers of a target. Those that stand somewhere keep their place, new ones take places that
/// became free, and a place that nobody takes stays, in maintenance, so that neither needs a reload.
pub(super) fn servers(
    target: &Target,
    slices: &Slices<'_>,
    places: Option<&Vec<Place>>,
    cx: &mut Cx<'_>,
) -> Vec<Server> {
    let endpoints = match &target.port {
        TargetPort::Missing => return Vec::new(),
        TargetPort::External { name, port, origin } => vec![Endpoint {
            address: match name.parse::<IpAddr>() {
                Ok(ip) => Address::Ip(ip, *port),
                Err(_) => Address::Name(name.clone(), *port),
            },
            is_ready: true,
            origin: origin.clone(),
        }],
        TargetPort::Endpoints { name, origin, .. } => {
            let mut found = Vec::new();
            for slice in slices.of(&target.namespace, &target.service) {
                endpoints(slice, name, &mut found, cx);
            }
            found.sort_by(|a, b| (&a.address, !a.is_ready).cmp(&(&b.address, !b.is_ready)));
            // The same endpoint may stand in two slices while it moves between them.
            found.dedup_by(|a, b| a.address == b.address);
            if !found.iter().any(|it| it.is_ready) {
                // Endpoints that still answer are better than none.
                for it in &mut found {
                    it.is_ready = true;
                }
            }
            if found.is_empty() {
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
    };
    place(endpoints, places.map_or(&[], Vec::as_slice), target)
}

/// The endpoints of a slice for one port of the Service.
fn endpoints(slice: &Arc<EndpointSlice>, port: &str, found: &mut Vec<Endpoint>, cx: &mut Cx<'_>) {
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
        let is_ready = endpoint.conditions.is_ready();
        if !is_ready && !endpoint.conditions.is_draining() {
            continue;
        }
        let Some(text) = endpoint.addresses.first() else {
            continue;
        };
        let origin = Origin::Object(object.clone(), Field::Endpoint(index));
        match text.parse::<IpAddr>() {
            Ok(ip) => {
                found.push(Endpoint {
                    address: Address::Ip(ip, number),
                    is_ready,
                    origin,
                });
            }
            Err(_) => cx.report(
                &codes::UNSUPPORTED,
                &origin,
                format!(
                    "expected an IP address, found `{}`",
                    crate::value::shown(text)
                ),
                "the endpoint is left out",
            ),
        }
    }
}

/// Gives each endpoint a place.
fn place(endpoints: Vec<Endpoint>, places: &[Place], target: &Target) -> Vec<Server> {
    let server = |name: Arc<str>, it: Endpoint| Server {
        name,
        address: it.address,
        weight: u16::from(it.is_ready),
        state: if it.is_ready {
            ServerState::Ready
        } else {
            ServerState::Drain
        },
        origin: it.origin,
    };
    if places.is_empty() {
        return (1..)
            .zip(endpoints)
            .map(|(number, it)| server(name(number), it))
            .collect();
    }
    let mut new = Vec::new();
    let mut kept: Vec<Option<Endpoint>> = places.iter().map(|_| None).collect();
    for endpoint in endpoints {
        let is_there =
            |it: &Place| it.state != ServerState::Maint && it.address == endpoint.address;
        match places.iter().position(is_there) {
            Some(place) => kept[place] = Some(endpoint),
            None => new.push(endpoint),
        }
    }
    let mut new = new.into_iter();
    let mut servers = Vec::with_capacity(places.len());
    for (place, kept) in places.iter().zip(kept) {
        servers.push(match kept.or_else(|| new.next()) {
            Some(endpoint) => server(place.name.clone(), endpoint),
            None => free(place.name.clone(), target),
        });
    }
    for (number, endpoint) in (1 + places.len()..).zip(new) {
        servers.push(server(name(number), endpoint));
    }
    servers
}

/// The name of a place: they are counted from 1. Most backends have few, whose names are shared.
fn name(number: usize) -> Arc<str> {
    static SHARED: LazyLock<Vec<Arc<str>>> = LazyLock::new(|| (0..64).map(spell).collect());
    fn spell(number: usize) -> Arc<str> {
        format!("srv{number:03}").into()
    }
    SHARED.get(number).cloned().unwrap_or_else(|| spell(number))
}

/// A place that nobody takes.
fn free(name: Arc<str>, target: &Target) -> Server {
    let service = ObjectRef::new(
        Kind::Service,
        target.namespace.clone(),
        target.service.clone(),
    );
    Server {
        name,
        address: Server::FREE,
        weight: 1,
        state: ServerState::Maint,
        origin: Origin::Object(Arc::new(service), Field::Object),
    }
}
