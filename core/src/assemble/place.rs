//! Which place of a backend each endpoint takes.
//!
//! Endpoints that stand somewhere keep their place, new ones take places that became free, and places
//! that nobody takes stay, in maintenance, so that neither needs a reload. Only where there are more
//! endpoints than places everything is put in order: servers are added, or a reload follows whatever
//! is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::assemble::names;
use crate::assemble::server::Endpoint;
use crate::haproxy::{Address, Scaling, Server, ServerState, Template};
use crate::keys::backend_server_naming::Naming;
use crate::origin::Origin;

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
    /// What its line says that no command can change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Arc<str>>,
}

/// The servers of every backend, by the backend's name.
pub type Places = BTreeMap<Arc<str>, Vec<Place>>;

/// How endpoints are placed.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) naming: Naming,
    pub(super) scaling: Scaling,
    /// The weight of places that are free.
    pub(super) weight: u16,
    /// Who has places that are free.
    pub(super) owner: &'a dyn Fn() -> Origin,
}

/// Names of the servers of a backend while they are given.
#[derive(Default)]
struct Names {
    used: BTreeSet<Arc<str>>,
}

impl Place {
    /// Where a server of the model stands.
    pub(crate) fn of(server: &Server) -> Self {
        Self {
            name: server.name.clone(),
            address: server.address.clone(),
            weight: server.weight,
            state: server.state,
            options: match server.options() {
                Some(options) => Some(options.as_str().into()),
                None => server.left.clone(),
            },
        }
    }

    /// The places of servers that HAProxy finds by itself.
    pub(crate) fn of_template(template: &Template) -> Vec<Self> {
        let place = |number| Self {
            name: Template::server(number),
            address: Address::Name(template.name.clone(), template.port.unwrap_or_default()),
            weight: template.weight,
            state: ServerState::Ready,
            options: None,
        };
        (1..=template.count).map(place).collect()
    }

    /// Whether nobody is there.
    fn is_free(&self) -> bool {
        self.state == ServerState::Maint
    }
}

/// Gives each endpoint a place.
pub(super) fn place(endpoints: Vec<Endpoint>, places: &[Place], rules: Rules<'_>) -> Vec<Server> {
    let places = if rules.renames(places) { &[] } else { places };
    let mut taken: Vec<Option<Endpoint>> = places.iter().map(|_| None).collect();
    let mut rest = Vec::new();
    for endpoint in endpoints {
        let name = rules.fixed_name(&endpoint);
        let is_its = |it: &Place| {
            !it.is_free() && it.address == endpoint.address && is_named(&it.name, name.as_deref())
        };
        match places.iter().position(is_its) {
            Some(place) if taken[place].is_none() => taken[place] = Some(endpoint),
            _ => rest.push(endpoint),
        }
    }
    // Places that were free come first. One that is left only now may have connections in use, which
    // HAProxy before 2.8 keeps for requests to whoever comes next.
    let leaves_alone = rules.scaling == Scaling::Add;
    for is_free in [true, false] {
        if !is_free && leaves_alone {
            break;
        }
        let mut from = 0;
        let mut left = Vec::new();
        for endpoint in rest {
            let name = rules.fixed_name(&endpoint);
            let is_open = |it: usize| {
                taken[it].is_none()
                    && (!is_free || places[it].is_free())
                    && is_named(&places[it].name, name.as_deref())
            };
            match (from..places.len()).find(|it| is_open(*it)) {
                Some(place) => {
                    taken[place] = Some(endpoint);
                    if name.is_none() {
                        from = place + 1;
                    }
                }
                None => left.push(endpoint),
            }
        }
        rest = left;
    }
    let new = rest;
    if new.is_empty() && !places.is_empty() {
        let used = taken.iter().flatten().count();
        let mut kept = match rules.scaling {
            Scaling::None => 0,
            Scaling::Keep | Scaling::Slots { .. } => usize::MAX,
            // A few wait for the endpoints of a new version; the rest of a peak goes.
            Scaling::Add => used.max(2),
        };
        let mut keep = || {
            kept = kept.checked_sub(1)?;
            Some(())
        };
        let both = places.iter().zip(taken);
        return both
            .filter_map(|(place, it)| match it {
                Some(endpoint) => Some(endpoint.into_server(place.name.clone())),
                None => keep().map(|()| Server {
                    left: place.options.clone(),
                    ..rules.free(place.name.clone())
                }),
            })
            .collect();
    }
    in_order(places, taken, new, rules)
}

/// Servers of a backend whose number of places changes, and with it anything that can be put right.
fn in_order(
    places: &[Place],
    taken: Vec<Option<Endpoint>>,
    new: Vec<Endpoint>,
    rules: Rules<'_>,
) -> Vec<Server> {
    let mut names = Names::default();
    let mut servers = Vec::with_capacity(places.len() + new.len());
    for (place, endpoint) in places.iter().zip(taken) {
        // A server that goes may still have connections under its name.
        if endpoint.is_some() || rules.scaling == Scaling::Add {
            names.used.insert(place.name.clone());
        }
        if let Some(endpoint) = endpoint {
            servers.push(endpoint.into_server(place.name.clone()));
        }
    }
    for endpoint in new {
        let name = match rules.name(&endpoint) {
            Some(name) => names.unique(&name),
            None => names.number(servers.len() + 1),
        };
        servers.push(endpoint.into_server(name));
    }
    let Scaling::Slots {
        min_free,
        increment,
    } = rules.scaling
    else {
        return servers;
    };
    let least = if min_free == 0 && servers.is_empty() {
        increment
    } else {
        servers.len() + min_free
    };
    while servers.len() < least.next_multiple_of(increment.max(1)) {
        let name = names.number(servers.len() + 1);
        servers.push(rules.free(name));
    }
    servers
}

/// How many places HAProxy gets for what it finds by itself: never fewer than it has.
pub(super) fn template_count(endpoints: usize, places: &[Place], scaling: Scaling) -> usize {
    let is_found = |it: &&Place| matches!(it.address, Address::Name(..));
    let now = places.iter().filter(is_found).count();
    if now > 0 && endpoints <= now {
        return now;
    }
    match scaling {
        Scaling::Slots {
            min_free,
            increment,
        } => (endpoints + min_free).next_multiple_of(increment.max(1)),
        Scaling::None | Scaling::Keep | Scaling::Add => endpoints,
    }
    .max(1)
}

impl Rules<'_> {
    /// The name that an endpoint asks for, if it asks for one.
    fn name(self, endpoint: &Endpoint) -> Option<Arc<str>> {
        match self.naming {
            Naming::Sequence => None,
            Naming::Pod => Some(names::server(&endpoint.instance.as_ref()?.name)),
            Naming::Ip => match &endpoint.address {
                Address::Ip(ip, port) => Some(format!("{ip}:{port}").into()),
                Address::Name(..) => None,
            },
        }
    }

    /// The name that the place of an endpoint must have: slots keep theirs whoever comes.
    fn fixed_name(self, endpoint: &Endpoint) -> Option<Arc<str>> {
        match self.scaling {
            Scaling::Slots { .. } => None,
            Scaling::None | Scaling::Keep | Scaling::Add => self.name(endpoint),
        }
    }

    /// Whether places have other names than numbers though numbers are asked for. Where endpoints ask
    /// for names of their own, they do not take places of others, or, in slots, whatever is there.
    fn renames(self, places: &[Place]) -> bool {
        self.naming == Naming::Sequence && !places.iter().all(|it| is_number(&it.name))
    }

    /// A place that nobody takes.
    fn free(self, name: Arc<str>) -> Server {
        Server {
            name,
            address: Server::FREE,
            weight: self.weight,
            state: ServerState::Maint,
            id: None,
            cookie: None,
            source: None,
            instance: None,
            left: None,
            origin: (self.owner)(),
        }
    }
}

impl Names {
    /// A name, with a number behind it if somebody has it.
    fn unique(&mut self, name: &Arc<str>) -> Arc<str> {
        let mut unique = name.clone();
        let mut number = 1;
        while !self.used.insert(unique.clone()) {
            number += 1;
            unique = format!("{name}__{number}").into();
        }
        unique
    }

    /// The name of a place by its position, or of the next one whose name nobody has.
    fn number(&mut self, position: usize) -> Arc<str> {
        if self.used.is_empty() {
            return number(position);
        }
        let mut free = (position..).map(number);
        let name = free.find(|it| !self.used.contains(it));
        let name = name.expect("there are more numbers than servers");
        self.used.insert(name.clone());
        name
    }
}

/// Whether a place has a name, or the same name with a number behind it; any will do for nobody.
fn is_named(place: &str, name: Option<&str>) -> bool {
    let Some(name) = name else { return true };
    let rest = place.strip_prefix(name);
    rest.is_some_and(|it| it.is_empty() || it.starts_with("__"))
}

/// The name of a place: they are counted from 1. Most backends have few, whose names are shared.
fn number(position: usize) -> Arc<str> {
    static SHARED: LazyLock<Vec<Arc<str>>> = LazyLock::new(|| (0..64).map(spell).collect());
    fn spell(number: usize) -> Arc<str> {
        format!("srv{number:03}").into()
    }
    SHARED
        .get(position)
        .cloned()
        .unwrap_or_else(|| spell(position))
}

/// Whether a name is one of [`number`].
fn is_number(name: &str) -> bool {
    let digits = name.strip_prefix("srv").unwrap_or_default();
    digits.len() > 2 && digits.bytes().all(|it| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::haproxy::Instance;

    const OWNER: Origin = Origin::Engine("a test");

    fn endpoint(last: u8) -> Endpoint {
        Endpoint {
            address: Address::Ip([10, 0, 0, last].into(), 80),
            readiness: crate::assemble::server::Readiness::Ready,
            weight: 1,
            instance: Some(Instance {
                name: format!("pod-{last}").into(),
                uid: None,
            }),
            origin: OWNER,
        }
    }

    fn rules(naming: Naming, scaling: Scaling) -> Rules<'static> {
        Rules {
            naming,
            scaling,
            weight: 1,
            owner: &|| OWNER,
        }
    }

    /// Names of the servers that take requests, with the last part of their address, and how many
    /// places are free.
    fn placed(endpoints: &[u8], before: &[Place], rules: Rules<'_>) -> (Vec<Place>, String) {
        let endpoints = endpoints.iter().map(|it| endpoint(*it)).collect();
        let servers = place(endpoints, before, rules);
        let places: Vec<Place> = servers.iter().map(Place::of).collect();
        let shown = places.iter().map(|it| match &it.address {
            _ if it.is_free() => format!("{}=free", it.name),
            Address::Ip(ip, _) => {
                let ip = ip.to_string();
                format!("{}={}", it.name, ip.rsplit('.').next().unwrap_or_default())
            }
            Address::Name(name, _) => name.to_string(),
        });
        let shown = shown.collect::<Vec<_>>().join(" ");
        (places, shown)
    }

    #[test]
    fn endpoints_keep_their_places_and_new_ones_take_those_that_are_free() {
        let rules = rules(Naming::Sequence, Scaling::Add);
        let (before, shown) = placed(&[1, 2, 3], &[], rules);
        assert_eq!(shown, "srv001=1 srv002=2 srv003=3");
        let (before, shown) = placed(&[1, 3], &before, rules);
        assert_eq!(shown, "srv001=1 srv002=free srv003=3");
        let (before, shown) = placed(&[1, 3, 4], &before, rules);
        assert_eq!(shown, "srv001=1 srv002=4 srv003=3");
        let (_, shown) = placed(&[1, 2, 3, 4], &before, rules);
        assert_eq!(shown, "srv001=1 srv002=4 srv003=3 srv004=2");
    }

    #[test]
    fn whoever_comes_when_another_goes_is_another_server() {
        let rules = rules(Naming::Sequence, Scaling::Add);
        let (before, _) = placed(&[1, 2], &[], rules);
        let (before, shown) = placed(&[1, 3], &before, rules);
        assert_eq!(shown, "srv001=1 srv003=3");
        let (before, shown) = placed(&[4, 5], &before, rules);
        assert_eq!(shown, "srv002=4 srv004=5");
        let (_, shown) = placed(&[4, 6], &before, rules);
        assert_eq!(shown, "srv002=4 srv003=6");
    }

    #[test]
    fn slots_are_put_in_order_when_there_are_too_few() {
        let slots = |min_free, increment| {
            let scaling = Scaling::Slots {
                min_free,
                increment,
            };
            rules(Naming::Sequence, scaling)
        };
        let (before, _) = placed(&[1], &[], slots(3, 1));
        assert_eq!(before.len(), 4);
        let (same, _) = placed(&[1, 2, 3, 4], &before, slots(3, 1));
        assert_eq!(same.len(), 4);
        let (more, _) = placed(&[1, 2, 3, 4, 5], &same, slots(3, 1));
        assert_eq!(more.len(), 8);
        for (endpoints, min_free, increment, count) in [
            (0, 0, 4, 4),
            (0, 0, 1, 1),
            (2, 0, 1, 2),
            (2, 6, 1, 8),
            (2, 6, 5, 10),
            (4, 0, 4, 4),
        ] {
            let endpoints: Vec<u8> = (0..endpoints).collect();
            let (places, _) = placed(&endpoints, &[], slots(min_free, increment));
            assert_eq!(places.len(), count, "{endpoints:?} {min_free} {increment}");
        }
    }

    #[test]
    fn a_server_that_is_named_after_its_endpoint_goes_with_it() {
        let rules = rules(Naming::Pod, Scaling::Add);
        let (before, shown) = placed(&[1, 2], &[], rules);
        assert_eq!(shown, "pod-1=1 pod-2=2");
        let (before, shown) = placed(&[1], &before, rules);
        assert_eq!(shown, "pod-1=1 pod-2=free");
        let (_, shown) = placed(&[1, 3], &before, rules);
        assert_eq!(shown, "pod-1=1 pod-3=3");
    }

    #[test]
    fn a_slot_keeps_its_name_whoever_takes_it() {
        let scaling = Scaling::Slots {
            min_free: 1,
            increment: 1,
        };
        let rules = rules(Naming::Pod, scaling);
        let (before, shown) = placed(&[1, 2], &[], rules);
        assert_eq!(shown, "pod-1=1 pod-2=2 srv003=free");
        let (before, shown) = placed(&[1, 3], &before, rules);
        assert_eq!(shown, "pod-1=1 pod-2=free srv003=3");
        let (_, shown) = placed(&[1, 4, 5], &before, rules);
        assert_eq!(shown, "pod-1=1 pod-2=4 srv003=5");
    }

    #[test]
    fn other_names_are_given_when_others_are_asked_for() {
        let by_number = rules(Naming::Sequence, Scaling::Add);
        let by_address = rules(Naming::Ip, Scaling::Add);
        let (before, _) = placed(&[1], &[], by_number);
        let (before, shown) = placed(&[1], &before, by_address);
        assert_eq!(shown, "10.0.0.1:80=1");
        let (_, shown) = placed(&[1], &before, by_number);
        assert_eq!(shown, "srv001=1");
    }

    #[test]
    fn without_scaling_no_place_is_kept_free() {
        let rules = rules(Naming::Sequence, Scaling::None);
        let (before, _) = placed(&[1, 2, 3], &[], rules);
        let (_, shown) = placed(&[1, 3], &before, rules);
        assert_eq!(shown, "srv001=1 srv003=3");
    }

    #[test]
    fn names_are_unique() {
        let mut names = Names::default();
        assert_eq!(&*names.unique(&"a".into()), "a");
        assert_eq!(&*names.unique(&"a".into()), "a__2");
        assert_eq!(&*names.unique(&"a".into()), "a__3");
        assert_eq!(&*names.unique(&"srv004".into()), "srv004");
        assert_eq!(&*names.number(4), "srv005");
    }

    #[test]
    fn what_haproxy_finds_itself_never_has_fewer_places_than_before() {
        let scaling = Scaling::Slots {
            min_free: 2,
            increment: 1,
        };
        let place = |number| Place {
            name: Template::server(number),
            address: Address::Name("app".into(), 80),
            weight: 1,
            state: ServerState::Ready,
            options: None,
        };
        let places: Vec<Place> = (1..=5).map(place).collect();
        assert_eq!(template_count(3, &[], scaling), 5);
        assert_eq!(template_count(0, &places, scaling), 5);
        assert_eq!(template_count(5, &places, scaling), 5);
        assert_eq!(template_count(6, &places, scaling), 8);
        assert_eq!(template_count(0, &[], Scaling::Add), 1);
    }
    proptest! {
        #[test]
        fn every_endpoint_has_one_place_and_keeps_it(
            steps in prop::collection::vec(prop::collection::btree_set(0_u8..12, 0..8), 1..6),
            naming in prop::sample::select(&[Naming::Sequence, Naming::Pod, Naming::Ip][..]),
            scaling in prop::sample::select(&[
                Scaling::None,
                Scaling::Add,
                Scaling::Slots { min_free: 2, increment: 3 },
                Scaling::Slots { min_free: 0, increment: 1 },
            ][..]),
        ) {
            let rules = rules(naming, scaling);
            let mut before: Vec<Place> = Vec::new();
            for step in &steps {
                let endpoints: Vec<u8> = step.iter().copied().collect();
                let (after, _) = placed(&endpoints, &before, rules);
                let names: BTreeSet<_> = after.iter().map(|it| &it.name).collect();
                prop_assert_eq!(names.len(), after.len());
                for last in endpoints {
                    let address = endpoint(last).address;
                    let own = |places: &[Place]| -> Vec<Arc<str>> {
                        let own = places.iter().filter(|it| !it.is_free() && it.address == address);
                        own.map(|it| it.name.clone()).collect()
                    };
                    prop_assert_eq!(own(&after).len(), 1);
                    // An endpoint that stays is the same server.
                    if let [name] = &*own(&before) {
                        prop_assert_eq!(name, &own(&after)[0]);
                    }
                }
                // Whoever begins where this ended changes nothing.
                let again: Vec<u8> = step.iter().copied().collect();
                prop_assert_eq!(&placed(&again, &after, rules).0, &after);
                before = after;
            }
        }
    }
}
