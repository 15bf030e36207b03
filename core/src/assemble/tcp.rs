//! Ports whose connections are passed on: which ones, and where their connections go.

mod listener;
mod ports;
pub(super) mod sni;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::assemble::backend::Backends;
use crate::assemble::certificates;
use crate::diagnostic::{Diagnostic, codes};
use crate::haproxy::{
    Backend, Config, Host, HostTls, Mode, Phase, Rule, TcpKind, TcpProxy, TcpTarget,
};
use crate::ingest::certificate::Certificates;
use crate::keys::bind_ip_addr::bind;
use crate::keys::{Cx, Effect, Layers, REGISTRY, Scope, Tier, tcp_services};
use crate::origin::{Origin, Setting};
use crate::route::{Table, TcpService};
use crate::value::text::Line;

use self::ports::Free;
use self::sni::Sni;

/// Adds the ports of all TCP services.
pub(super) fn add(
    table: &Table,
    backends: &mut Backends<'_, '_>,
    certificates: &mut Certificates,
    config: &mut Config,
    cx: &mut Cx<'_>,
) {
    let effects: Vec<_> = (0..REGISTRY.blocks.len())
        .filter_map(|place| match REGISTRY.blocks[place].0.effect {
            Effect::Tcp(effect) => Some((place, effect)),
            _ => None,
        })
        .collect();
    // What the operator says of all ports is looked at even if there is none.
    let global = cx.global.clone();
    for (place, _) in &effects {
        cx.read(*place, &global);
    }
    if table.tcp_services.is_empty() && table.tcp_listeners.is_empty() {
        return;
    }
    let mut free = Free::beside(table, config);
    // The operator's ports come first, then those of Ingresses.
    for listener in &table.tcp_listeners {
        if free.take(&listener.port, cx) {
            listener::add(listener, backends, certificates, config, cx);
        }
    }
    for (port, service) in &table.tcp_services {
        let port = Setting::new(*port, service.owner.clone());
        if free.take(&port, cx) {
            let mut proxy = proxy(port, service, &effects, config, cx);
            if lead(&mut proxy, service, backends, certificates, config, cx) {
                config.tcp.push(proxy);
            }
        }
    }
}

/// What keys say of a port of Ingresses.
type TcpEffect = fn(&dyn std::any::Any, &mut TcpProxy, &mut Cx<'_>);

/// A port of Ingresses with what its keys say.
fn proxy(
    port: Setting<u16>,
    service: &TcpService,
    effects: &[(usize, TcpEffect)],
    config: &Config,
    cx: &mut Cx<'_>,
) -> TcpProxy {
    let name = format!("_front_tcp_{}", port.value);
    let bind = bind(config.ports.tcp.as_ref(), &port);
    let mut proxy = TcpProxy::new(TcpKind::Service, name, port, bind);
    proxy.owners.push(service.owner.clone());
    let layers = Layers::new(
        service
            .sources
            .iter()
            .cloned()
            .chain(cx.global_source.clone()),
    );
    for (place, effect) in effects {
        let block = cx.read(*place, &layers);
        effect(&*block, &mut proxy, cx);
    }
    proxy
}

/// Leads the connections to a port of Ingresses on; says whether they go anywhere.
fn lead(
    proxy: &mut TcpProxy,
    service: &TcpService,
    backends: &mut Backends<'_, '_>,
    certificates: &mut Certificates,
    config: &mut Config,
    cx: &mut Cx<'_>,
) -> bool {
    for (host, route) in &service.routes {
        let ends_tls = !service.tls.is_empty();
        let backend = backends.of_connections(
            &route.target,
            &route.layers,
            ends_tls,
            &route.origin,
            config,
            cx,
        );
        let target = TcpTarget {
            backend,
            origin: route.origin.clone(),
        };
        if host.is_empty() {
            proxy.default = Some(target);
        } else {
            proxy.routes.insert(host.clone(), target);
        }
    }
    if proxy.routes.is_empty() && proxy.default.is_none() {
        let message = format!(
            "nothing says where connections to port {} go",
            proxy.port.value
        );
        cx.report(
            &codes::NOT_FOUND,
            &service.owner,
            message,
            "nothing listens on it",
        );
        return false;
    }
    tls(proxy, service, certificates, cx);
    let is_tls = !proxy.hosts.is_empty();
    let stem = format!("_tcp_sni_{}", proxy.port.value);
    let map = sni::map(&stem, &proxy.routes, config);
    let source = if is_tls { Sni::Ended } else { Sni::Read };
    sni::route(proxy, source, map.as_ref(), None, config, cx);
    config.files.extend(map);
    true
}

/// Keys that have a meaning for connections, whoever writes them.
pub(super) fn of_connections(layers: &Layers) -> Layers {
    layers.without(|it| {
        let name = REGISTRY.key(it).name;
        !tcp_services::is_of_connections(name) || tcp_services::is_protection_of_requests(name)
    })
}

/// Whether two entries that differ in a key cannot share a backend for connections.
pub(super) fn tells_apart(key: u16, ends_tls: bool) -> bool {
    let known = REGISTRY.key(key);
    let is_backends = matches!(known.scope, Scope::Backend | Scope::Path);
    (is_backends && tcp_services::is_of_connections(known.name)) || is_too_much(key, ends_tls)
}

/// Whether a key keeps somebody out, and cannot do so: requests are not read, and certificates of
/// clients are not seen where TLS is passed on.
fn is_too_much(key: u16, ends_tls: bool) -> bool {
    let name = REGISTRY.key(key).name;
    tcp_services::is_protection_of_requests(name) && !(ends_tls && name == "auth-tls-secret")
}

/// Refuses the connections of a backend for which a key asks that could only protect requests.
pub(super) fn protect(
    layers: &Layers,
    ends_tls: bool,
    origin: &Origin,
    backend: &mut Backend,
    cx: &mut Cx<'_>,
) {
    for (key, text) in layers.winners(|it| is_too_much(it, ends_tls)) {
        if text.trim().is_empty() {
            continue;
        }
        let sources = layers.sources().iter().filter(|it| it.tier > Tier::Global);
        let author = sources
            .filter_map(|it| Some((it, it.get(key)?)))
            .map(|(source, it)| Origin::Object(source.object.clone(), it.field.clone()))
            .next();
        let author = author.unwrap_or_else(|| origin.clone());
        let name = REGISTRY.key(key).name;
        cx.report(
            &codes::UNSUPPORTED_PROTECTION,
            &author,
            format!("`{name}` cannot protect connections that nobody looks into"),
            "they are refused, so that nobody is admitted who should not be",
        );
        let reject = Rule::new(Phase::Access, Line::keyword(Mode::Tcp.denial()));
        if !backend.rules.iter().any(|it| it.rule == reject) {
            backend.add_for_all(reject, &author);
        }
    }
}

/// Reports what the operator wants of everything and connections cannot have.
pub(super) fn report_unprotected(
    layers: &Layers,
    ends_tls: bool,
    origin: &Origin,
    cx: &mut Cx<'_>,
) {
    let Some(global) = cx.global_source.clone() else {
        return;
    };
    let is_local = |key| {
        let mut sources = layers.sources().iter();
        sources.any(|it| it.tier > Tier::Global && it.get(key).is_some())
    };
    for value in &global.values {
        let is_meant = is_too_much(value.key, ends_tls) && !value.text.trim().is_empty();
        if !is_meant || is_local(value.key) {
            continue;
        }
        let name = REGISTRY.key(value.key).name;
        let by = Origin::Object(global.object.clone(), value.field.clone());
        let message = format!(
            "`{name}` of the global ConfigMap cannot protect connections that nobody looks into"
        );
        let outcome = "they are passed on without it";
        cx.sink.report(
            Diagnostic::new(&codes::UNPROTECTED, origin.clone(), message, outcome)
                .help(format!("write `{name}: \"\"` here if that is meant"))
                .related(by),
        );
    }
}

/// Takes from a backend what only requests have, such as rules that look into them.
pub(super) fn only_connections(backend: &mut Backend, cx: &mut Cx<'_>) {
    backend.error_files.clear();
    // What is passed on is already in some protocol.
    backend.server_options.remove("proto");
    backend.rules.retain(|placed| {
        let is_of_connections = placed.rule.line.as_str().starts_with("tcp-");
        if let Some(origin) = placed.origins.first().filter(|_| !is_of_connections) {
            cx.report(
                &codes::UNSUPPORTED,
                origin,
                "the key acts on requests, and nobody looks into these connections",
                "it is ignored there",
            );
        }
        is_of_connections
    });
}

/// Hosts that HAProxy ends TLS for: all that go anywhere, as soon as the port speaks TLS.
///
/// What a host asks of TLS is what the Ingress asks for that says where it goes. So no other Ingress
/// can take a check of certificates away by naming the host.
fn tls(
    proxy: &mut TcpProxy,
    service: &TcpService,
    certificates: &mut Certificates,
    cx: &mut Cx<'_>,
) {
    if service.tls.is_empty() {
        return;
    }
    for (name, tls) in &service.tls {
        if !is_reached(name, service) {
            cx.report(
                &codes::NO_EFFECT,
                &tls.origin,
                format!("no connection that names `{name}` goes anywhere"),
                "the TLS entry is left out",
            );
        }
    }
    let names: BTreeSet<_> = service.tls.keys().chain(service.routes.keys()).collect();
    for name in names {
        let Some((_, route)) = of_name(&service.routes, name) else {
            continue;
        };
        let tls = of_name(&service.tls, name).map(|(name, tls)| HostTls {
            is_redirected_to: false,
            certificate: certificates::of_host(name, tls, certificates, cx),
            origin: tls.origin.clone(),
        });
        let mut host = Host {
            name: name.clone(),
            origin: Some(route.origin.clone()),
            is_of_connections: true,
            tls: Some(tls.unwrap_or_else(|| HostTls {
                is_redirected_to: false,
                certificate: None,
                origin: route.origin.clone(),
            })),
            ..Host::default()
        };
        let layers =
            (route.layers).without(|it| !tcp_services::is_of_connections(REGISTRY.key(it).name));
        for place in 0..REGISTRY.blocks.len() {
            if let Effect::Host(effect) = REGISTRY.blocks[place].0.effect {
                let block = cx.read_alone(place, &layers);
                effect(&*block, &mut host, cx);
            }
        }
        proxy.hosts.insert(name.clone(), host);
    }
}

/// What a map of names has for a name: its own, that of `*.` in place of its first label, or that of all
/// others.
fn of_name<'a, T>(map: &'a BTreeMap<Arc<str>, T>, name: &str) -> Option<(&'a Arc<str>, &'a T)> {
    let wildcard = name
        .split_once('.')
        .map(|(_, domain)| format!("*.{domain}"));
    map.get_key_value(name)
        .or_else(|| map.get_key_value(&*wildcard?))
        .or_else(|| map.get_key_value(Host::ANY))
}

/// Whether a connection that names a host goes anywhere.
fn is_reached(name: &Arc<str>, service: &TcpService) -> bool {
    of_name(&service.routes, name).is_some()
        // A certificate for a wildcard serves each host below it.
        || name.strip_prefix('*').is_some_and(|domain| {
            let mut names = service.routes.keys();
            names.any(|it| it.strip_suffix(domain).is_some_and(|label| !label.contains('.')))
        })
}
