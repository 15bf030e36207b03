//! Routes, whichever API they were written in.
//!
//! ```text
//! Table ─┬─ Entry: host, path, how it is compared ──▶ Target: a Service and its port, resolved
//!        ├─ HostEntry: who writes keys for a host, and its certificate
//!        └─ default backend
//! ```
//!
//! *Invariant:* the oldest object has what several ask for; nothing here knows how HAProxy routes.

mod target;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use self::target::{Target, TargetPort};

use crate::haproxy::PathMatch;
use crate::keys::{Layers, Source};
use crate::options::Name;
use crate::origin::{Origin, Setting};

/// All routes of a snapshot.
#[derive(Debug, Default)]
pub struct Table {
    /// Paths, in the order of their objects.
    pub entries: Vec<Entry>,
    /// Hosts by name; the empty name stands for every host that no other one matches.
    pub hosts: BTreeMap<Arc<str>, HostEntry>,
    /// Where requests go that nothing matches, and who says so.
    pub default_backend: Option<(Target, Layers)>,
    /// Parameters of classes, the oldest class first, for keys that belong to no host.
    pub class_sources: Vec<Arc<Source>>,
}

/// One path of one host.
#[derive(Debug)]
pub struct Entry {
    /// The host; empty for every host that no other one matches.
    pub host: Arc<str>,
    /// The path, beginning with `/`.
    pub path: Arc<str>,
    /// How it is compared.
    pub matching: PathMatch,
    /// Where its requests go.
    pub target: Target,
    /// The texts that apply to it.
    pub layers: Layers,
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
