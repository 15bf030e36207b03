//! From the objects of a snapshot to routes: which objects are ours, and what they ask for.
//!
//! *Invariant:* a wrong object loses what is wrong about it, and nothing else does.

pub mod certificate;
mod class;
mod ingress;
pub(crate) mod service;
mod tcp_config_map;
mod tcp_service;

use std::sync::Arc;

use crate::diagnostic::codes;
use crate::keys::ports::Listeners;
use crate::keys::{self, Cx, Layers, Source, Tier, http_frontends};
use crate::options::Name;
use crate::origin::{Kind, ObjectRef, Origin};
use crate::route::{GroupEntry, GroupPorts, Table};

use self::ingress::Ingests;
use self::service::Services;

/// Reads the global ConfigMap into the context.
pub fn global(cx: &mut Cx<'_>) {
    let Some(name) = cx.options.config_map.clone() else {
        return;
    };
    let Some(config_map) = cx.snapshot.config_maps.get(&name) else {
        cx.report(
            &codes::NOT_FOUND,
            &Origin::Flag("configmap"),
            format!("there is no ConfigMap `{name}`"),
            "the defaults of all keys are used",
        );
        return;
    };
    let source = keys::config_map(config_map, Tier::Global, cx);
    cx.set_global(source);
}

/// Reads all routes of the snapshot.
pub fn table(cx: &mut Cx<'_>) -> Table {
    let mut table = Table::default();
    groups(&mut table, cx);
    let mut ingests = Ingests::new(table, Services::default());
    let ingresses = class::select(cx);
    let names = ingresses.iter().map(|it| {
        let meta = &it.ingress.meta;
        Name::new(meta.namespace.clone(), meta.name.clone())
    });
    let names = names.collect();
    for ours in ingresses {
        ingests.add(ours, cx);
    }
    let mut table = ingests.finish(cx);
    table.ingresses = names;
    table.default_backend = default_backend(cx);
    table.tcp_listeners = tcp_config_map::read(cx);
    table
}

/// The groups of frontends that the operator declares, and the ports that they take.
fn groups(table: &mut Table, cx: &mut Cx<'_>) {
    let listeners = Listeners::of(cx);
    table.ports = listeners.ports.clone();
    let pairs = http_frontends::pairs(&mut table.ports, cx);
    table.groups.push(GroupEntry::default());
    let has_pairs = !pairs.is_empty();
    table
        .groups
        .extend(pairs.into_iter().map(|pair| GroupEntry {
            id: Some(pair.value.name.clone()),
            ports: GroupPorts::Pair {
                http: pair.map(|it| it.http),
                https: pair.map(|it| it.https),
            },
            sources: Vec::new(),
        }));
    // With a single group, its hosts are all that there are.
    if has_pairs && listeners.behind_proxy.is_some() {
        table.groups.push(GroupEntry {
            ports: GroupPorts::BehindProxy,
            ..GroupEntry::default()
        });
    }
}

/// The operator's Service for what nothing matches.
fn default_backend(cx: &mut Cx<'_>) -> Option<(crate::route::Target, Layers)> {
    let name = cx.options.default_backend.clone()?;
    let origin = Origin::Flag("default-backend-service");
    let mut services = Services::default();
    let target = service::first_port(&name, &origin, cx);
    let layers = match services.source(&name.namespace, &name.name, cx) {
        Some(source) => layers([source], cx),
        None => cx.global.clone(),
    };
    Some((target, layers))
}

/// The port of a Service that a key names by its number or name, or what is wrong with it.
pub fn service_target(
    name: &Name,
    port: &str,
    origin: &Origin,
    cx: &mut Cx<'_>,
) -> Result<crate::route::Target, String> {
    service::named_target(name, port, origin, cx)
}

/// What applies to a Service that no Ingress stands in front of.
pub fn service_layers(target: &crate::route::Target, cx: &mut Cx<'_>) -> Layers {
    let source = Services::default().source(&target.namespace, &target.service, cx);
    layers(source, cx)
}

/// Layers of some sources above the global ConfigMap.
fn layers(sources: impl IntoIterator<Item = Arc<Source>>, cx: &Cx<'_>) -> Layers {
    let mut all: Vec<_> = sources.into_iter().collect();
    if all.iter().all(|it| it.values.is_empty()) {
        return cx.global.clone();
    }
    all.extend(cx.global_source.clone());
    Layers::new(all)
}

/// The identity of an object by its parts.
fn object(kind: Kind, namespace: &Arc<str>, name: &Arc<str>) -> Arc<ObjectRef> {
    Arc::new(ObjectRef::new(kind, namespace.clone(), name.clone()))
}
