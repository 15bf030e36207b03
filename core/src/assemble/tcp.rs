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
use crate::route::{Entry, Table, TcpService};
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
    let bind = bind(config.ports.tcp.as_ref(), &port, cx);
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
        let sight = if service.tls.is_empty() {
            Sight::Nothing
        } else {
            Sight::Certificates
        };
        let unable = sight.unable(&route.layers, &route.origin, cx);
        report_unprotected(&route.layers, sight, &route.origin, cx);
        let (target, layers) = (&route.target, &route.layers);
        let backend = backends.of_connections(target, layers, &unable, &route.origin, config, cx);
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

/// What is seen of connections.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Sight {
    /// A TCP service ends TLS, and sees certificates of clients.
    Certificates,
    /// A TCP service passes on what comes.
    Nothing,
    /// TLS of a host is passed on, and in it requests that nobody reads.
    HiddenRequests,
}

/// A key that keeps somebody out, and cannot do so.
pub(super) struct Unable {
    key: u16,
    text: Arc<str>,
    /// Whose key it is, where that is not plain to see.
    of: String,
    /// Where it is to be told.
    origin: Origin,
    related: Option<Origin>,
    help: Option<String>,
}

impl Sight {
    /// Whether a key keeps somebody out, and cannot do so: requests are not read, and certificates of
    /// clients are not seen where TLS is passed on.
    fn is_too_little_for(self, key: u16) -> bool {
        let name = REGISTRY.key(key).name;
        tcp_services::is_protection_of_requests(name)
            && !(self == Self::Certificates && name == "auth-tls-secret")
    }

    /// Keys that cannot do what an entry asks for. What the operator asks of all requests counts where
    /// connections hide some.
    pub(super) fn unable(self, layers: &Layers, origin: &Origin, cx: &Cx<'_>) -> Vec<Unable> {
        let winners = layers.winners(|it| self.is_too_little_for(it));
        let mut unable: Vec<Unable> = (winners.into_iter())
            .filter(|it| !it.1.trim().is_empty())
            .map(|(key, text)| Unable {
                key,
                text,
                of: String::new(),
                origin: author(layers, key).unwrap_or_else(|| origin.clone()),
                related: None,
                help: None,
            })
            .collect();
        if self == Self::HiddenRequests {
            let global = of_all(self, layers, cx);
            unable.extend(global.into_iter().map(|(key, text, by)| Unable {
                key,
                text,
                of: "of the global ConfigMap ".into(),
                origin: origin.clone(),
                related: Some(by),
                help: Some(format!(
                    "write `{}: \"\"` here if connections are meant to come without it",
                    REGISTRY.key(key).name
                )),
            }));
        }
        unable
    }
}

/// Keys of another path of a host whose connections go where `root` says. If that is the same Service,
/// they reach what the other one protects.
pub(super) fn unable_beside(other: &Entry, root: &Entry, is_same_service: bool) -> Vec<Unable> {
    let protects = |key| {
        let known = REGISTRY.key(key);
        let is_list = matches!(
            known.name,
            "allowlist-source-range" | "denylist-source-range"
        );
        (is_list || Sight::HiddenRequests.is_too_little_for(key))
            && (is_same_service || known.scope == Scope::Host)
    };
    let of_root = |key| {
        let mut sources = root.layers.sources().iter();
        sources.find_map(|it| it.get(key)).map(|it| it.text.clone())
    };
    let winners = other.layers.winners(protects);
    (winners.into_iter())
        .filter(|(key, text)| !text.trim().is_empty() && of_root(*key).as_ref() != Some(text))
        .map(|(key, text)| Unable {
            key,
            text,
            of: format!("of the path `{}` ", other.path),
            origin: author(&other.layers, key).unwrap_or_else(|| other.origin.clone()),
            related: Some(root.origin.clone()),
            help: None,
        })
        .collect()
}

/// Who wrote a key, other than the operator.
fn author(layers: &Layers, key: u16) -> Option<Origin> {
    let mut sources = layers.sources().iter().filter(|it| it.tier > Tier::Global);
    sources.find_map(|source| {
        let field = source.get(key)?.field.clone();
        Some(Origin::Object(source.object.clone(), field))
    })
}

/// What the operator wants of everything, an entry does not take back, and connections cannot have.
fn of_all(sight: Sight, layers: &Layers, cx: &Cx<'_>) -> Vec<(u16, Arc<str>, Origin)> {
    let Some(global) = &cx.global_source else {
        return Vec::new();
    };
    let is_local = |key| {
        let mut sources = layers.sources().iter();
        sources.any(|it| it.tier > Tier::Global && it.get(key).is_some())
    };
    let values = global.values.iter();
    values
        .filter(|it| sight.is_too_little_for(it.key) && !it.text.trim().is_empty())
        .filter(|it| !is_local(it.key))
        .map(|it| {
            let by = Origin::Object(global.object.clone(), it.field.clone());
            (it.key, it.text.clone(), by)
        })
        .collect()
}

/// Whether two entries that differ in a key cannot share a backend for connections.
pub(super) fn tells_apart(key: u16) -> bool {
    let known = REGISTRY.key(key);
    let is_backends = matches!(known.scope, Scope::Backend | Scope::Path);
    is_backends && tcp_services::is_of_connections(known.name)
}

/// Reports keys that cannot protect the connections of an entry, which are refused.
pub(super) fn report_unable(unable: &[Unable], cx: &mut Cx<'_>) {
    for it in unable {
        let (name, of) = (REGISTRY.key(it.key).name, &it.of);
        let message = format!("`{name}` {of}cannot protect connections that nobody looks into");
        let outcome = "they are refused, so that nobody is admitted who should not be";
        let code = &codes::UNSUPPORTED_PROTECTION;
        let mut diagnostic = Diagnostic::new(code, it.origin.clone(), message, outcome);
        diagnostic.help.clone_from(&it.help);
        cx.sink.report(match &it.related {
            Some(related) => diagnostic.related(related.clone()),
            None => diagnostic,
        });
    }
}

/// What tells a backend whose connections are refused from others.
pub(super) fn reasons(unable: &[Unable]) -> impl Iterator<Item = (u16, Arc<str>)> {
    unable.iter().map(|it| (it.key, it.text.clone()))
}

/// Refuses the connections of a backend for which keys ask that could only protect requests.
pub(super) fn protect(unable: &[Unable], backend: &mut Backend) {
    if let Some(first) = unable.first() {
        let reject = Rule::new(Phase::Access, Line::keyword(Mode::Tcp.denial()));
        backend.add_for_all(reject, &first.origin);
    }
}

/// Reports what the operator wants of all requests and connections of TCP services cannot have.
fn report_unprotected(layers: &Layers, sight: Sight, origin: &Origin, cx: &mut Cx<'_>) {
    for (key, _, by) in of_all(sight, layers, cx) {
        let name = REGISTRY.key(key).name;
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
