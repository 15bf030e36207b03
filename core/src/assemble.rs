//! From routes and keys to the model of a configuration.
//!
//! The order of the steps is the order of this file: what is said once for all, hosts, frontends,
//! paths with their backends, then what is made of all of these: maps, lists of certificates, scripts.
//!
//! *Invariant:* effects run in no particular order; what has an order has it in the model.

mod acme;
mod auth;
mod backend;
mod certificates;
mod claim;
mod client_auth;
mod cookie;
mod frontend;
mod lua;
mod map;
mod names;
mod passthrough;
mod peers;
mod place;
mod routing;
mod server;
mod server_tls;
mod tcp;
mod waf;

use std::sync::Arc;

pub use self::certificates::GENERATED;
pub use self::place::{Place, Places};

pub(crate) use self::client_auth::{forgeable, outlived};
pub(crate) use self::lua::PATH as RESPONSES;
pub(crate) use self::map::{is_in, ssl_redirect};
pub(crate) use self::peers::PATH as PEERS;
pub(crate) use self::routing::{begins, to_tls};

use crate::haproxy::{Config, Host, HostTls};
use crate::ingest::certificate::Certificates;
use crate::keys::ssl_always_add_https::AlwaysHttps;
use crate::keys::{Cx, Effect, Layers, REGISTRY, Source};
use crate::route::Table;

/// Assembles a configuration; `places` says where servers stand now.
pub fn assemble(table: &Table, places: &Places, cx: &mut Cx<'_>) -> Config {
    let mut config = Config::default();
    let global = cx.global.clone();
    for place in 0..REGISTRY.blocks.len() {
        if let Effect::Global(effect) = REGISTRY.blocks[place].0.effect {
            let block = cx.read(place, &global);
            effect(&*block, &mut config, cx);
        }
    }
    let mut certificates = Certificates::default();
    hosts(table, &mut certificates, &mut config, cx);
    frontend::add(table, &mut config, cx);
    let mut backends = backend::Backends::new(places, cx);
    backend::add(table, &mut backends, &mut config, cx);
    auth::add(table, &mut backends, &mut config, cx);
    tcp::add(table, &mut backends, &mut certificates, &mut config, cx);
    cookie::share(&mut config, cx);
    peers::settle(&mut config, cx);
    server_tls::add(&mut certificates, &mut config, cx);
    claim::settle(&mut config, cx);
    passthrough::add(&mut config, cx);
    client_auth::add(&mut config, cx);
    certificates::add(&mut certificates, &mut config, cx);
    routing::add(&mut config, cx);
    lua::add(&mut config);
    waf::add(&mut config);
    acme::add(table, &mut config, cx);
    config.files.append(&mut cx.files);
    config.user_lists = std::mem::take(&mut cx.user_lists).into_values().collect();
    config
}

/// Hosts with what is asked of them as a whole.
fn hosts(table: &Table, certificates: &mut Certificates, config: &mut Config, cx: &mut Cx<'_>) {
    let effects: Vec<_> = (0..REGISTRY.blocks.len())
        .filter_map(|place| match REGISTRY.blocks[place].0.effect {
            Effect::Host(effect) => Some((place, effect)),
            _ => None,
        })
        .collect();
    for (key, entry) in &table.hosts {
        let layers = layers(&entry.sources, cx);
        let name = &key.name;
        let always = cx.settings::<AlwaysHttps>(&layers);
        let by_key = always.add.value.then(|| HostTls {
            certificate: None,
            is_redirected_to: always.follow.value,
            origin: always.add.origin.clone(),
        });
        let mut host = Host {
            group: key.group,
            name: Arc::clone(name),
            origin: entry.origin.clone(),
            tls: entry.tls.as_ref().map_or(by_key, |tls| {
                Some(HostTls {
                    certificate: certificates::of_host(name, tls, certificates, cx),
                    is_redirected_to: true,
                    origin: tls.origin.clone(),
                })
            }),
            ..Host::default()
        };
        for (place, effect) in &effects {
            let block = cx.read(*place, &layers);
            effect(&*block, &mut host, cx);
        }
        if host.passthrough.is_some() {
            // Its servers end TLS.
            host.tls = None;
        }
        config.hosts.insert(key.clone(), host);
    }
}

/// What applies to a thing that some objects may write keys for.
fn layers(sources: &[Arc<Source>], cx: &Cx<'_>) -> Layers {
    if sources.is_empty() {
        return cx.global.clone();
    }
    Layers::new(sources.iter().cloned().chain(cx.global_source.clone()))
}
