//! Proxies that pass connections on without a look at requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::haproxy::{Authorities, Backend, Host, Part};
use crate::origin::{Origin, Setting};
use crate::value::text::Snippet;

/// A proxy that listens and passes connections on.
#[derive(Clone, Debug)]
pub struct TcpProxy {
    /// Its name, such as `_front_tcp_5432`.
    pub name: Arc<str>,
    /// What it is for.
    pub kind: TcpKind,
    /// Who asked for it.
    pub owners: Vec<Origin>,
    /// The port on which it listens.
    pub port: Setting<u16>,
    /// What stands behind `bind`, before the options of TLS and of the PROXY protocol.
    pub bind: Part,
    /// Who wants the PROXY protocol to be spoken by clients, if anybody does.
    pub accept_proxy: Option<Origin>,
    /// What stands behind `ssl`, for a proxy that ends TLS.
    pub tls: Option<Part>,
    /// What certificates of clients are checked against there, if they need one.
    pub authorities: Option<Authorities>,
    /// Options of `bind` that certificates of clients need.
    pub client_bind: Option<Part>,
    /// What is logged, as the directive that says it; absent where nothing is.
    pub log: Option<Part>,
    /// Hosts that TLS knows, by name; the empty name stands for all others.
    pub hosts: BTreeMap<Arc<str>, Host>,
    /// Where connections go, by the host that they name.
    pub routes: BTreeMap<Arc<str>, TcpTarget>,
    /// Where connections go that name no host that is known; without it they are refused.
    pub default: Option<TcpTarget>,
    /// How connections find their backend, in order.
    pub routing: Vec<Part>,
    /// Lines of an operator before the backend is chosen.
    pub snippet: Option<Setting<Snippet>>,
    /// Which backend a connection goes to.
    pub choice: Vec<Part>,
    /// The servers, for a proxy that has them itself.
    pub own: Option<Backend>,
}

/// What a proxy that passes connections on is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TcpKind {
    /// A port for which Ingresses ask.
    Service,
    /// A port for which the operator's ConfigMap asks.
    Listener,
    /// The port of TLS, where some connections are passed on by their name.
    Passthrough,
}

/// Where connections go.
#[derive(Clone, Debug)]
pub struct TcpTarget {
    /// The place of the backend in the configuration.
    pub backend: usize,
    /// Who wrote it.
    pub origin: Origin,
}

impl TcpProxy {
    /// A proxy that passes nothing on yet.
    pub fn new(kind: TcpKind, name: impl Into<Arc<str>>, port: Setting<u16>, bind: Part) -> Self {
        Self {
            name: name.into(),
            kind,
            owners: Vec::new(),
            port,
            bind,
            accept_proxy: None,
            tls: None,
            authorities: None,
            client_bind: None,
            log: None,
            hosts: BTreeMap::new(),
            routes: BTreeMap::new(),
            default: None,
            routing: Vec::new(),
            snippet: None,
            choice: Vec::new(),
            own: None,
        }
    }
}

impl TcpKind {
    /// The word that begins the section.
    pub fn section(self) -> &'static str {
        match self {
            Self::Service => "frontend",
            Self::Listener | Self::Passthrough => "listen",
        }
    }
}
