//! Routes, whichever API they were written in.
//!
//! ```text
//! Table ─┬─ GroupEntry: frontends that belong together, and who writes keys for them
//!        ├─ Entry: group, host, path, how it is compared ──▶ Target: a Service and its port, resolved
//!        ├─ HostEntry: who writes keys for a host of a group, and its certificate
//!        ├─ TcpService: a port whose connections are passed on ──▶ Target
//!        └─ default backend
//! ```
//!
//! *Invariant:* the oldest object has what several ask for; nothing here knows how HAProxy routes.

mod target;
mod tcp;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use self::target::{Target, TargetPort};
pub use self::tcp::{TcpListener, TcpRoute, TcpService};

use crate::haproxy::{Group, HostKey, PathMatch};
use crate::keys::http_match::Filters;
use crate::keys::ports::Ports;
use crate::keys::{Layers, Source};
use crate::options::Name;
use crate::origin::{Origin, Setting};

/// All routes of a snapshot.
#[derive(Debug, Default)]
pub struct Table {
    /// Paths, in the order of their objects.
    pub entries: Vec<Entry>,
    /// Hosts by group and name; the empty name stands for every host that no other one matches.
    pub hosts: BTreeMap<HostKey, HostEntry>,
    /// Groups of frontends, that of the default ports first; a [`Group`] is a place in this list.
    pub groups: Vec<GroupEntry>,
    /// Ports that are taken.
    pub ports: Ports,
    /// Ports for which Ingresses of TCP services ask.
    pub tcp_services: BTreeMap<u16, TcpService>,
    /// Ports for which the ConfigMap of TCP services asks.
    pub tcp_listeners: Vec<TcpListener>,
    /// Where requests go that nothing matches, and who says so.
    pub default_backend: Option<(Target, Layers)>,
    /// The Ingresses that are ours, the oldest first.
    pub ingresses: Vec<Name>,
}

/// Frontends that belong together: they serve the same hosts.
#[derive(Debug, Default)]
pub struct GroupEntry {
    /// Its name in `http-frontends`; the group of the default ports and the one behind a proxy have
    /// none.
    pub id: Option<Arc<str>>,
    /// Where they listen.
    pub ports: GroupPorts,
    /// Objects that may write keys for its frontends, the oldest first.
    pub sources: Vec<Arc<Source>>,
}

/// Where the frontends of a group listen.
#[derive(Clone, Debug, Default)]
pub enum GroupPorts {
    /// On the default ports, and on the one behind a proxy unless that has a group of its own.
    #[default]
    Default,
    /// On a pair of ports that an operator declares.
    Pair {
        /// The port for plain HTTP.
        http: Setting<u16>,
        /// The port for HTTP over TLS.
        https: Setting<u16>,
    },
    /// On the one behind a proxy, which serves the hosts of all groups.
    BehindProxy,
}

/// One path of one host.
#[derive(Debug)]
pub struct Entry {
    /// The group of frontends that serve it.
    pub group: Group,
    /// The host; empty for every host that no other one matches.
    pub host: Arc<str>,
    /// The path, beginning with `/`.
    pub path: Arc<str>,
    /// How it is compared.
    pub matching: PathMatch,
    /// What headers of the request must be; absent where they do not matter.
    pub filters: Filters,
    /// Where its requests go.
    pub target: Target,
    /// The texts that apply to it.
    pub layers: Layers,
    /// Who wrote something of it that nobody can read, so that its requests are denied.
    pub denied: Option<Origin>,
    /// Who wrote it.
    pub origin: Origin,
}

/// What is asked of a host as a whole.
#[derive(Debug, Default)]
pub struct HostEntry {
    /// Who named it first.
    pub origin: Option<Origin>,
    /// Objects that may write keys for it, the oldest first.
    pub sources: Vec<Arc<Source>>,
    /// Whether it is served over TLS.
    pub tls: Option<TlsEntry>,
}

/// How a host is served over TLS.
#[derive(Clone, Debug)]
pub struct TlsEntry {
    /// The Secret with its certificate, in the namespace of the Ingress; absent stands for the default
    /// certificate.
    pub secret: Option<Setting<Name>>,
    /// Who asked for it.
    pub origin: Origin,
}
