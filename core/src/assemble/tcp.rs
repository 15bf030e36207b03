//! Ports whose connections are passed on: which ones, and how a connection finds its backend.
//!
//! A connection names its host in the first message of TLS (SNI). Where HAProxy ends TLS it knows the
//! name from there; else it waits for the message and reads the name without touching it. Either way
//! one look-up in a tree finds the backend, whatever the number of hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::assemble::backend::Backends;
use crate::assemble::{certificates, names};
use crate::diagnostic::{Diagnostic, codes};
use crate::haproxy::{
    Backend, Config, DataFile, Host, HostTls, Mode, Phase, Role, Rule, TcpKind, TcpProxy, TcpTarget,
};
use crate::ingest::certificate::Certificates;
use crate::keys::bind_ip_addr::bind;
use crate::keys::ports::Ports;
use crate::keys::{Cx, Effect, Layers, REGISTRY, Scope, Tier, tcp_services};
use crate::origin::{Field, Origin, Setting, SourceMap};
use crate::route::{Table, TcpListener, TcpService};
use crate::value::address::BindAddress;
use crate::value::reference::Reference;
use crate::value::tcp::SendProxy;
use crate::value::text::{Format, Line};

/// The condition that a backend was found.
const FOUND: &str = "{ var(txn.route) -m found }";

/// How long a client may take to name its host, where HAProxy has to wait for it.
const PATIENCE: &str = "5s";

/// What happens to a port of the operator that would be open to those it should not be open to.
const REFUSED: &str = "nothing listens on its port";

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
    let mut free = Free {
        ports: table.ports.clone(),
        address: config
            .ports
            .tcp
            .as_ref()
            .map_or_else(BindAddress::default, |it| it.value),
        own: own_ports(config),
    };
    // The operator's ports come first, then those of Ingresses.
    for listener in &table.tcp_listeners {
        if free.take(&listener.port, cx) {
            self::listener(listener, backends, certificates, config, cx);
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

/// Ports that are still to be had.
struct Free {
    ports: Ports,
    /// Where TCP services listen.
    address: BindAddress,
    /// Ports in what somebody wrote for all of `bind`.
    own: BTreeMap<u16, (&'static str, Origin)>,
}

impl Free {
    /// Takes a port, unless something else has it: HAProxy would not start, or half of the connections
    /// would go elsewhere.
    fn take(&mut self, port: &Setting<u16>, cx: &mut Cx<'_>) -> bool {
        let name = format!("the TCP service of port {}", port.value);
        let (name, other) = match self.own.get(&port.value) {
            Some((name, origin)) => ((*name).to_owned(), origin.clone()),
            None => match self.ports.take(port, self.address, &name) {
                Ok(()) => return true,
                Err(owner) => (owner.name, owner.origin),
            },
        };
        let message = format!("{name} has port {} already", port.value);
        let outcome = "the TCP service is left out";
        cx.sink.report(
            Diagnostic::new(&codes::INVALID_PORT, port.origin.clone(), message, outcome)
                .related(other),
        );
        false
    }
}

/// Ports in what somebody wrote for all of `bind`, with who wrote it.
fn own_ports(config: &Config) -> BTreeMap<u16, (&'static str, Origin)> {
    let mut own = BTreeMap::new();
    if let Some(auth) = &config.auth {
        for port in ports(auth.bind.value.as_str()) {
            own.entry(port)
                .or_insert_with(|| ("a frontend", auth.bind.origin.clone()));
        }
    }
    for bind in config
        .frontends
        .iter()
        .filter_map(|it| it.own_bind.as_ref())
    {
        for port in ports(bind.words.value.as_str()) {
            own.entry(port)
                .or_insert_with(|| ("a frontend", bind.words.origin.clone()));
        }
    }
    own
}

/// The ports in what stands behind `bind`: addresses joined by commas, with a port or a range of ports
/// behind the last colon of each.
fn ports(bind: &str) -> BTreeSet<u16> {
    let addresses = bind.split_whitespace().next().unwrap_or_default();
    let mut ports = BTreeSet::new();
    for address in addresses.split(',') {
        let Some((_, port)) = address.rsplit_once(':') else {
            continue;
        };
        let (first, last) = port.split_once('-').unwrap_or((port, port));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            ports.extend(first..=last);
        }
    }
    ports
}

/// A port of the operator's ConfigMap.
fn listener(
    listener: &TcpListener,
    backends: &Backends<'_, '_>,
    certificates: &mut Certificates,
    config: &mut Config,
    cx: &mut Cx<'_>,
) {
    let origin = &listener.port.origin;
    let entry = &listener.entry;
    let name = names::tcp_listener(listener.service(), listener.port.value);
    let bind = bind(config.ports.tcp.as_ref(), &listener.port);
    let mut proxy = TcpProxy::new(TcpKind::Listener, name, listener.port.clone(), bind);
    proxy.owners.push(origin.clone());
    if let Some(secret) = &entry.certificate {
        // A port that should speak TLS must not speak without it.
        let Some(file) = certificates.file_or(secret, None, origin, REFUSED, cx) else {
            let message = "the certificate of the port cannot be used";
            cx.report(&codes::INVALID_PROTECTION, origin, message, REFUSED);
            return;
        };
        let mut line = Line::keyword("crt").text(&names::real(&file, cx.options));
        if let Some(secret) = &entry.authorities {
            let reference = Reference::Secret {
                namespace: Some(secret.namespace.clone()),
                name: secret.name.clone(),
            };
            match cx.authorities(&Setting::new(reference, origin.clone())) {
                Ok(authorities) => {
                    line = line.and("ca-file").text(&authorities.file);
                    if let Some(revoked) = &authorities.revoked {
                        line = line.and("crl-file").text(revoked);
                    }
                    line = line.and("verify required");
                    proxy.authorities = Some(authorities);
                }
                Err(refusal) => {
                    cx.report(&codes::INVALID_PROTECTION, origin, refusal.message, REFUSED);
                    return;
                }
            }
        }
        proxy.tls = Some(Setting::new(line, origin.clone()));
    }
    proxy.accept_proxy = entry.accept_proxy.then(|| origin.clone());
    proxy.log.clone_from(&config.logs.tcp);
    proxy.snippet.clone_from(&config.tcp_snippet);
    let target = &listener.target;
    let mut own = Backend::new(proxy.name.clone(), &target.namespace, &target.service);
    own.mode = Mode::Tcp;
    let global = cx.global.clone();
    backends.servers.add(&mut own, target, &global, &[], cx);
    let option = |line| Setting::new(line, origin.clone());
    if let Some(interval) = &entry.check {
        let line = Line::keyword("check inter").text(&interval.to_string());
        own.server_options.insert("check", option(line));
    }
    if let Some(version) = &entry.send_proxy {
        let line = Line::keyword(match version {
            SendProxy::V1 => "send-proxy",
            SendProxy::V2 => "send-proxy-v2",
        });
        own.server_options.insert("send-proxy", option(line));
    }
    proxy.own = Some(own);
    config.tcp.push(proxy);
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
    let map = sni_map(&stem, &proxy.routes, config);
    let source = if is_tls { Sni::Ended } else { Sni::Read };
    route(proxy, source, map.as_ref(), None, config, cx);
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

/// Takes from a backend what only requests have, such as rules that look into them.
pub(super) fn only_connections(backend: &mut Backend, cx: &mut Cx<'_>) {
    backend.error_files.clear();
    // What is passed on is already in some protocol.
    backend.server_options.remove("proto");
    let rules = std::mem::take(&mut backend.rules);
    for placed in rules {
        if placed.rule.line.as_str().starts_with("tcp-") {
            backend.rules.push(placed);
        } else if let Some(origin) = placed.origins.first() {
            cx.report(
                &codes::UNSUPPORTED,
                origin,
                "the key acts on requests, and nobody looks into these connections",
                "it is ignored there",
            );
        }
    }
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

/// Where the name of a host is taken from.
#[derive(Clone, Copy)]
pub(super) enum Sni {
    /// From TLS that HAProxy ended.
    Ended,
    /// From the first message, which is passed on as it is.
    Read,
}

/// The map from hosts to backends, if there is any host.
pub(super) fn sni_map(
    stem: &str,
    routes: &BTreeMap<Arc<str>, TcpTarget>,
    config: &Config,
) -> Option<DataFile> {
    if routes.is_empty() {
        return None;
    }
    let mut text = String::new();
    let mut source_map = SourceMap::default();
    for (host, target) in routes {
        text.push_str(host);
        text.push(' ');
        text.push_str(&config.backends[target.backend].name);
        text.push('\n');
        let rule = match &target.origin {
            Origin::Object(object, Field::RulePath(rule, _)) => {
                Some(Origin::Object(object.clone(), Field::RuleHost(*rule)))
            }
            _ => None,
        };
        source_map.add_line_by([target.origin.clone()].into_iter().chain(rule));
    }
    let path = names::map(stem, "exact");
    Some(DataFile::of_lines(path, Role::Map, text, source_map))
}

/// How connections find their backend.
pub(super) fn route(
    proxy: &mut TcpProxy,
    sni: Sni,
    map: Option<&DataFile>,
    expressions: Option<&DataFile>,
    config: &Config,
    cx: &Cx<'_>,
) {
    let engine = Origin::Engine("how connections find their backend");
    let part = |line| Setting::new(line, engine.clone());
    let default = proxy.default.as_ref().map(|it| {
        let line = Line::default().text(&config.backends[it.backend].name);
        Setting::new(line, it.origin.clone())
    });
    let Some(map) = map else {
        proxy
            .choice
            .extend(default.map(|it| it.map(|name| Line::keyword("default_backend").line(name))));
        return;
    };
    let file = names::real(&map.path, cx.options);
    let set = |variable: &str, expression: &str, condition: &str| {
        let line = Line::keyword("tcp-request content").and(&format!("set-var({variable})"));
        let line = line.text(expression);
        part(if condition.is_empty() {
            line
        } else {
            line.and("if").and(condition)
        })
    };
    match sni {
        Sni::Ended => proxy.routing.push(set("txn.sni", "ssl_fc_sni,lower", "")),
        Sni::Read => {
            // The condition cannot be decided before the message is there, so that the rules behind it
            // wait for it, too.
            let wait = Line::keyword("tcp-request inspect-delay").and(PATIENCE);
            proxy.routing.push(part(wait));
            let hello = "{ req.ssl_hello_type 1 }";
            proxy
                .routing
                .push(set("txn.sni", "req.ssl_sni,lower", hello));
        }
    }
    let look_up = format!("map_str({file})");
    proxy
        .routing
        .push(set("txn.route", &format!("var(txn.sni),{look_up}"), ""));
    if proxy.routes.keys().any(|it| it.starts_with("*.")) {
        let expression = format!("var(txn.sni),regsub(^[^.]+,*),{look_up}");
        proxy
            .routing
            .push(set("txn.route", &expression, &format!("!{FOUND}")));
    }
    if let Some(file) = expressions {
        let file = names::real(&file.path, cx.options);
        let expression = format!("var(txn.sni),map_reg({file})");
        proxy
            .routing
            .push(set("txn.route", &expression, &format!("!{FOUND}")));
    }
    if default.is_none() && proxy.kind == TcpKind::Service {
        let reject = Line::keyword(Mode::Tcp.denial())
            .and("if")
            .and(&format!("!{FOUND}"));
        proxy.routing.push(part(reject));
    }
    let name = Line::keyword("use_backend").format(&Format::expression("var(txn.route)"));
    proxy.choice.push(part(name.and("if").and(FOUND)));
    // Not `default_backend`: a name in the map that is no backend must end nowhere.
    proxy.choice.extend(default.map(|it| {
        it.map(|name| {
            let line = Line::keyword("use_backend").line(name);
            line.and("if").and(&format!("!{FOUND}"))
        })
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_of_a_bind_are_found() {
        let of = |bind| ports(bind).into_iter().collect::<Vec<_>>();
        assert_eq!(of(":80,:::8080 accept-proxy"), [80, 8080]);
        assert_eq!(of("[::1]:443 ssl crt-list /x:1"), [443]);
        assert_eq!(of("127.0.0.1:1000-1002"), [1000, 1001, 1002]);
        assert!(of("unix@/var/run/x.sock").is_empty());
    }
}
