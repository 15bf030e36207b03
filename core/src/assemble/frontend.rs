//! The frontends that route requests.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, codes};
use crate::haproxy::{Config, Frontend, FrontendKind, Group};
use crate::keys::http_passthrough::{Passthrough, PassthroughPort};
use crate::keys::{Cx, Effect, Layers, REGISTRY};
use crate::origin::{Origin, Setting};
use crate::route::{GroupPorts, Table};
use crate::value::text::Line;

/// A frontend before its keys are read.
struct Listener {
    group: Group,
    kind: FrontendKind,
    name: Arc<str>,
    port: Setting<u16>,
    /// The port for TLS of a pair.
    tls_port: Option<Setting<u16>>,
    /// Whether it is there for the proxy alone, and who says that a proxy is in front of it.
    is_extra: bool,
    is_behind_proxy: Option<Origin>,
}

/// Adds the frontends that are needed, or that exist always.
pub(super) fn add(table: &Table, config: &mut Config, cx: &mut Cx<'_>) {
    for place in 0..table.groups.len() {
        let group = Group::at(place);
        let layers = super::layers(&table.groups[place].sources, cx);
        let hosts = || config.hosts.values().filter(|it| it.group == group);
        let has_hosts = config.ports.always || hosts().next().is_some();
        let has_tls =
            config.ports.always || hosts().any(|it| it.tls.is_some() || it.passthrough.is_some());
        for listener in listeners(group, table, config, cx) {
            let is_needed = match listener.kind {
                FrontendKind::Http => has_hosts,
                FrontendKind::Https => has_tls,
            };
            if is_needed {
                let frontend = frontend(listener, &layers, config, cx);
                config.frontends.push(frontend);
            }
        }
    }
    settle_binds(table, config, cx);
}

/// The frontends of a group, those for HTTP first.
fn listeners(group: Group, table: &Table, config: &Config, cx: &mut Cx<'_>) -> Vec<Listener> {
    // With other groups, the port behind a proxy has one of its own.
    let is_single = table.groups.len() == 1;
    let listener = |kind, name: &str, port: &Setting<u16>| Listener {
        group,
        kind,
        name: name.into(),
        port: port.clone(),
        tls_port: None,
        is_extra: false,
        is_behind_proxy: None,
    };
    let numbered = |kind, name: &str, port: &Setting<u16>| {
        listener(kind, &format!("{name}_{}", port.value), port)
    };
    let (http, https) = ("_front_http", "_front_https");
    let extra = |port: &Setting<u16>| Listener {
        is_extra: true,
        is_behind_proxy: Some(port.origin.clone()),
        ..numbered(FrontendKind::Http, http, port)
    };
    let mut listeners = Vec::new();
    match &table.groups[group.place()].ports {
        GroupPorts::Default => {
            if let Some(port) = &config.ports.http {
                // A frontend on the proxy's port is the proxy's.
                let proxy = cx.global_settings::<PassthroughPort>();
                let proxy = proxy.port.as_ref();
                let proxy = proxy.filter(|it| it.value.get() == i64::from(port.value));
                listeners.push(Listener {
                    is_behind_proxy: proxy.map(|it| it.origin.clone()),
                    ..listener(FrontendKind::Http, http, port)
                });
            }
            if let Some(port) = &config.ports.https {
                listeners.push(listener(FrontendKind::Https, https, port));
            }
            listeners.extend(
                config
                    .ports
                    .behind_proxy
                    .as_ref()
                    .filter(|_| is_single)
                    .map(extra),
            );
        }
        GroupPorts::Pair {
            http: port,
            https: tls_port,
        } => {
            listeners.push(Listener {
                tls_port: Some(tls_port.clone()),
                ..numbered(FrontendKind::Http, http, port)
            });
            listeners.push(numbered(FrontendKind::Https, https, tls_port));
        }
        GroupPorts::BehindProxy => listeners.extend(config.ports.behind_proxy.as_ref().map(extra)),
    }
    listeners
}

/// A frontend with what its keys say.
fn frontend(listener: Listener, layers: &Layers, config: &Config, cx: &mut Cx<'_>) -> Frontend {
    let settings = cx.settings::<Passthrough>(layers);
    let is_http = listener.kind == FrontendKind::Http;
    let by_key = settings
        .enable
        .value
        .then(|| settings.enable.origin.clone())
        .filter(|_| is_http);
    let is_behind_proxy = listener.is_behind_proxy.or(by_key);
    let follows = is_behind_proxy.is_some() && settings.forwarded.value;
    let is_tls = listener.kind == FrontendKind::Https;
    let mut frontend = Frontend {
        name: listener.name,
        kind: listener.kind,
        group: listener.group,
        is_behind_proxy,
        follows_forwarded_proto: follows.then(|| settings.forwarded.origin.clone()),
        is_extra: listener.is_extra,
        is_local: false,
        bind: (listener.port).map(|it| Line::default().text(&format!(":{it}"))),
        own_bind: None,
        port: listener.port,
        tls_port: listener.tls_port,
        accept_proxy: None,
        alpn: config.ports.alpn.clone().filter(|_| is_tls),
        redirect_from_code: None,
        redirect_to_code: None,
        has_ssl_redirect: false,
        routing: Vec::new(),
        certificates: None,
        client_bind: None,
        client_checks: Vec::new(),
        client_rechecks: Vec::new(),
        client_refusals: Vec::new(),
        auth: Vec::new(),
        early: None,
        late: None,
    };
    for place in 0..REGISTRY.blocks.len() {
        if let Effect::Frontend(effect) = REGISTRY.blocks[place].0.effect {
            let block = cx.read(place, layers);
            effect(&*block, &mut frontend, cx);
        }
    }
    frontend
}

/// Takes texts of `bind` back by which two listeners would share connections at random.
fn settle_binds(table: &Table, config: &mut Config, cx: &mut Cx<'_>) {
    let mut ports = table.ports.clone();
    for place in 0..config.frontends.len() {
        let (older, frontend) = config.frontends.split_at_mut(place);
        let frontend = &mut frontend[0];
        let Some(own) = &frontend.own_bind else {
            continue;
        };
        let origin = own.words.origin.clone();
        let same = older.iter().find(|it| {
            let other = it.own_bind.as_ref();
            other.is_some_and(|it| it.words.value == own.words.value)
        });
        let mut owner = same.map(|it| (it.name.to_string(), it.owner()));
        for (address, port) in &own.listens {
            // The port of the frontend is its own to begin with.
            if owner.is_some() || *port == frontend.port.value {
                continue;
            }
            let port = Setting::new(*port, origin.clone());
            if let Err(other) = ports.take(&port, *address, &frontend.name) {
                owner = Some((other.name, other.origin));
            }
        }
        if let Some((name, by)) = owner {
            let message = format!("`{name}` listens there already");
            let outcome = format!(
                "`{}` listens on port {}",
                frontend.name, frontend.port.value
            );
            let diagnostic = Diagnostic::new(&codes::CONFLICT, origin, message, outcome);
            cx.sink.report(diagnostic.related(by));
            frontend.own_bind = None;
        }
    }
}

impl Frontend {
    /// Who made it, for lines that nothing more exact made.
    pub(crate) fn owner(&self) -> Origin {
        self.port.origin.clone()
    }
}
