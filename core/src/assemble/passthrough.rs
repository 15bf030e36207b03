//! Hosts whose TLS is passed on to their servers.
//!
//! ```text
//! :443 ─▶ _front__tls ─┬─ a name in the map ─▶ the servers, byte by byte
//!                      └─ any other ─▶ a socket, with the client's address ─▶ _front_https__local
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ptr;
use std::sync::Arc;

use crate::assemble::backend::Backends;
use crate::assemble::names;
use crate::assemble::tcp::sni::{self, Sni};
use crate::assemble::tcp::{self, Sight, Unable};
use crate::diagnostic::{Diagnostic, codes};
use crate::haproxy::{Config, DataFile, FrontendKind, HostKey, Role, TcpKind, TcpProxy, TcpTarget};
use crate::ingest::service;
use crate::keys::{Cx, REGISTRY, Scope, Source, Tier, tcp_services};
use crate::options::Name;
use crate::origin::{Authors, Origin, Setting, SourceMap};
use crate::resource::ServiceBackendPort;
use crate::route::{Entry, Table, Target, TargetPort};
use crate::value::text::Line;

/// What becomes of a path of a host.
pub(super) enum Fate {
    /// It is served as every other one.
    Served,
    /// It is served by another port of its Service.
    ServedBy(Target),
    /// Plain requests for it are sent to TLS, which the backend at this place passes on.
    SentToTls(usize),
    /// Another path has its place.
    LeftOut,
}

/// The paths of hosts whose TLS is passed on.
pub(super) fn paths<'t>(table: &'t Table, config: &Config) -> BTreeMap<HostKey, Vec<&'t Entry>> {
    let hosts = config.hosts.iter();
    let mut paths: BTreeMap<HostKey, Vec<&Entry>> = hosts
        .filter(|it| it.1.passthrough.is_some())
        .map(|it| (it.0.clone(), Vec::new()))
        .collect();
    if !paths.is_empty() {
        for entry in &table.entries {
            if let Some(paths) = paths.get_mut(&HostKey::new(entry.group, &entry.host)) {
                paths.push(entry);
            }
        }
    }
    paths
}

/// Leads the TLS of a host on, if it is the host's first path for everything; says what becomes of the
/// path on plain HTTP.
pub(super) fn lead(
    entry: &Entry,
    key: &HostKey,
    paths: &[&Entry],
    backends: &mut Backends<'_, '_>,
    config: &mut Config,
    cx: &mut Cx<'_>,
) -> Fate {
    let path = entry.path.strip_prefix('^').unwrap_or(&entry.path);
    let is_root = matches!(path, "/" | "/$") && entry.filters.is_none() && entry.denied.is_none();
    let host = config.hosts.get(key).filter(|_| is_root);
    let Some(passthrough) = host.and_then(|it| it.passthrough.clone()) else {
        return Fate::Served;
    };
    if let Some(older) = &passthrough.target {
        let message = format!("the TLS of `{}` is passed on by an older path", entry.host);
        let outcome = "the older one counts";
        let origin = entry.origin.clone();
        cx.sink.report(
            Diagnostic::new(&codes::CONFLICT, origin, message, outcome)
                .related(older.origin.clone()),
        );
        return Fate::LeftOut;
    }
    let unable = unable(entry, paths, cx);
    let (target, layers) = (&entry.target, &entry.layers);
    let backend = backends.of_connections(target, layers, &unable, &entry.origin, config, cx);
    let target = TcpTarget {
        backend,
        origin: entry.origin.clone(),
    };
    let host = config.hosts.get_mut(key);
    if let Some(it) = host.and_then(|it| it.passthrough.as_mut()) {
        it.target = Some(target);
    }
    let Some(wanted) = &passthrough.http_port else {
        return Fate::SentToTls(backend);
    };
    let name = Name {
        namespace: entry.target.namespace.clone(),
        name: entry.target.service.clone(),
    };
    let port = ServiceBackendPort {
        name: Some(wanted.value.shared()),
        number: None,
    };
    let target = service::port(
        name,
        &port,
        &wanted.origin,
        "plain requests are sent to TLS",
        cx,
    );
    match target.port {
        TargetPort::Missing => Fate::SentToTls(backend),
        TargetPort::Endpoints { .. } | TargetPort::External { .. } => Fate::ServedBy(target),
    }
}

/// Beginnings of the names of keys of paths that count for a request that is sent to TLS, or say which path
/// it is.
const OF_ROUTES: &[&str] = &["path-type", "redirect-to", "ssl-redirect"];

/// Reports what Ingresses write for requests where all that they serve is passed on.
pub(super) fn report_keys_of_requests(unseen: &[&Entry], table: &Table, cx: &mut Cx<'_>) {
    if unseen.is_empty() {
        return;
    }
    let is_unseen: BTreeSet<*const Entry> = unseen.iter().map(|it| ptr::from_ref(*it)).collect();
    let served = table.entries.iter();
    let served = served.filter(|it| !is_unseen.contains(&ptr::from_ref(*it)));
    let acts: BTreeSet<*const Source> = served.flat_map(of_ingress).map(Arc::as_ptr).collect();
    let sources = unseen.iter().flat_map(|it| of_ingress(it));
    for source in sources.filter(|it| !acts.contains(&Arc::as_ptr(it))) {
        for value in source.values.iter().filter(|it| !it.text.trim().is_empty()) {
            let key = REGISTRY.key(value.key);
            let is_of_requests = matches!(key.scope, Scope::Backend | Scope::Path)
                && !tcp_services::is_of_connections(key.name)
                && !tcp_services::is_protection_of_requests(key.name)
                && !OF_ROUTES.iter().any(|it| key.name.starts_with(it));
            if is_of_requests {
                cx.report(
                    &codes::NO_EFFECT,
                    &Origin::Object(source.object.clone(), value.field.clone()),
                    format!(
                        "`{}` acts on requests, and TLS is passed on as it is",
                        key.name
                    ),
                    "it has no effect",
                );
            }
        }
    }
}

/// What the Ingress of an entry writes.
fn of_ingress(entry: &Entry) -> impl Iterator<Item = &Arc<Source>> {
    let sources = entry.layers.sources().iter();
    sources.filter(|it| it.tier == Tier::Ingress)
}

/// Keys that cannot protect the connections of a host: those of the path that says where they go, those
/// of others to the same Service, whose requests come in them, too, and what others ask of the host.
fn unable(root: &Entry, paths: &[&Entry], cx: &Cx<'_>) -> Vec<Unable> {
    let mut unable = Sight::HiddenRequests.unable(&root.layers, &root.origin, cx);
    let to = |it: &Entry| (it.target.namespace.clone(), it.target.service.clone());
    for other in paths.iter().filter(|it| !ptr::eq(**it, root)) {
        unable.extend(tcp::unable_beside(other, root, to(other) == to(root)));
    }
    unable
}

/// Puts a proxy in front of each frontend for TLS that has hosts whose TLS is passed on.
pub(super) fn add(config: &mut Config, cx: &mut Cx<'_>) {
    for place in 0..config.frontends.len() {
        if config.frontends[place].kind == FrontendKind::Https {
            front(place, config, cx);
        }
    }
}

fn front(place: usize, config: &mut Config, cx: &mut Cx<'_>) {
    let frontend = &config.frontends[place];
    let hosts = || (config.hosts.values()).filter(|it| it.group == frontend.group);
    let mut routes = BTreeMap::new();
    let mut patterns = Vec::new();
    let mut owners = Authors::default();
    for host in hosts() {
        let Some(passthrough) = &host.passthrough else {
            continue;
        };
        let Some(target) = &passthrough.target else {
            cx.report(
                &codes::NOT_FOUND,
                &passthrough.origin,
                format!(
                    "`{}` has no path `/` that says where its TLS goes",
                    host.name
                ),
                "its TLS goes nowhere",
            );
            continue;
        };
        owners.add(&passthrough.origin);
        // A name that an alias takes from a host is settled elsewhere: the older one has it.
        for alias in &host.aliases {
            routes.insert(alias.value.shared(), target.clone());
        }
        patterns.extend(
            host.alias_patterns
                .iter()
                .map(|it| (it.clone(), target.backend)),
        );
    }
    for host in hosts() {
        if let Some(target) = host.passthrough.as_ref().and_then(|it| it.target.as_ref()) {
            routes
                .entry(host.name.clone())
                .or_insert_with(|| target.clone());
        }
    }
    if routes.is_empty() {
        return;
    }
    let own = frontend.own_bind.as_ref();
    let bind = own.map_or(&frontend.bind, |it| &it.words).clone();
    let name = match &*frontend.name {
        "_front_https" => "_front__tls".to_owned(),
        _ => format!("_front__tls_{}", frontend.port.value),
    };
    let mut proxy = TcpProxy::new(TcpKind::Passthrough, name, frontend.port.clone(), bind);
    proxy.owners = owners.into();
    proxy.accept_proxy.clone_from(&frontend.accept_proxy);
    proxy.log.clone_from(&config.logs.https);
    proxy.routes = routes;
    let stem = format!("{}_sslpassthrough", frontend.name);
    let map = sni::map(&stem, &proxy.routes, config);
    let expressions = expressions(&stem, patterns, config);
    sni::route(
        &mut proxy,
        Sni::Read,
        map.as_ref(),
        expressions.as_ref(),
        config,
        cx,
    );
    let socket = format!("/var/run/haproxy/{}_socket.sock", frontend.name);
    let socket = names::real(&socket, cx.options);
    // A worker without files reaches only sockets that are none.
    let family = match config.global.chroot {
        Some(_) => "abns",
        None => "unix",
    };
    let socket = format!("{family}@{socket}");
    let engine = Origin::Engine("what is not passed on is served as always");
    let server = Line::keyword("server _local")
        .text(&socket)
        .and("send-proxy-v2");
    proxy.choice.push(Setting::new(server, engine.clone()));
    let frontend = &mut config.frontends[place];
    frontend.is_local = true;
    frontend.own_bind = None;
    frontend.accept_proxy = Some(engine.clone());
    frontend.bind = Setting::new(Line::default().text(&socket), engine);
    config.files.extend(map.into_iter().chain(expressions));
    config.tcp.push(proxy);
}

/// The map from expressions of names to backends, if there is any expression.
fn expressions(
    stem: &str,
    patterns: Vec<(Setting<crate::value::regex::Regex>, usize)>,
    config: &Config,
) -> Option<DataFile> {
    if patterns.is_empty() {
        return None;
    }
    let mut lines: Vec<(String, &Arc<str>, Origin)> = patterns
        .into_iter()
        .map(|(it, backend)| {
            (
                it.value.to_string(),
                &config.backends[backend].name,
                it.origin,
            )
        })
        .collect();
    // Longer ones first, as they are tried in the order of the file.
    lines.sort_by(|a, b| (b.0.len(), &a.0).cmp(&(a.0.len(), &b.0)));
    lines.dedup_by(|a, b| a.0 == b.0);
    let mut text = String::new();
    let mut source_map = SourceMap::default();
    for (pattern, backend, origin) in lines {
        for part in [pattern.as_str(), " ", backend, "\n"] {
            text.push_str(part);
        }
        source_map.add_line_by([origin]);
    }
    let path = names::map(stem, "regex");
    Some(DataFile::of_lines(path, Role::RegexMap, text, source_map))
}
