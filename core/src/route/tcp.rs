//! Ports whose connections are passed on without a look at requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::keys::{Layers, Source};
use crate::options::Name;
use crate::origin::{Origin, Setting};
use crate::route::{Target, TlsEntry};
use crate::value::tcp::Entry;

/// A port for which Ingresses ask.
#[derive(Debug)]
pub struct TcpService {
    /// The Ingress that asked first; the port is its.
    pub owner: Origin,
    /// Objects that may write keys for the port, the oldest first.
    pub sources: Vec<Arc<Source>>,
    /// Where connections go, by the host that they name; the empty name stands for all others.
    pub routes: BTreeMap<Arc<str>, TcpRoute>,
    /// How hosts are served over TLS, by host; the empty name stands for all others. A port without
    /// any passes TLS on as it is.
    pub tls: BTreeMap<Arc<str>, TlsEntry>,
}

/// Where the connections that name one host go.
#[derive(Debug)]
pub struct TcpRoute {
    /// The Service and its port.
    pub target: Target,
    /// The texts that apply to it.
    pub layers: Layers,
    /// Who wrote it.
    pub origin: Origin,
}

/// A port that an entry of the ConfigMap of TCP services asks for.
#[derive(Debug)]
pub struct TcpListener {
    /// The port.
    pub port: Setting<u16>,
    /// What it says.
    pub entry: Entry,
    /// Its Service and the port of that.
    pub target: Target,
}

impl TcpListener {
    /// Who it is for in the names of proxies.
    pub fn service(&self) -> &Name {
        &self.entry.service
    }
}
