//! Frontends that route requests.

use std::sync::Arc;

use crate::haproxy::Part;
use crate::origin::{Origin, Setting};
use crate::value::location::RedirectCode;
use crate::value::text::Snippet;

/// A frontend that routes requests.
#[derive(Clone, Debug)]
pub struct Frontend {
    /// Its name, such as `_front_http`.
    pub name: Arc<str>,
    /// Whether it speaks TLS.
    pub kind: FrontendKind,
    /// Its port, of which the default `bind` is made.
    pub port: Setting<u16>,
    /// What stands behind `bind`, before the options that the kind needs.
    pub bind: Part,
    /// Who wants the PROXY protocol to be spoken by clients, if anybody does.
    pub accept_proxy: Option<Origin>,
    /// Protocols that TLS offers, for a frontend that speaks it.
    pub alpn: Option<Part>,
    /// Status of `redirect-from`.
    pub redirect_from_code: Option<Setting<RedirectCode>>,
    /// Status of `redirect-to`.
    pub redirect_to_code: Option<Setting<RedirectCode>>,
    /// How requests find their path, in order.
    pub routing: Vec<Part>,
    /// The file with its certificates, for a frontend that speaks TLS.
    pub certificates: Option<Part>,
    /// Lines of an operator in front of all rules.
    pub early: Option<Setting<Snippet>>,
    /// Lines of an operator before the backend is chosen.
    pub late: Option<Setting<Snippet>>,
    /// Whether an operator wrote all of `bind`, so that no address takes the place of the one in it.
    pub is_bind_whole: bool,
}

/// Whether a frontend speaks TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FrontendKind {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// Ports of the frontends that every configuration has.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    /// Plain HTTP.
    pub http: Option<Setting<u16>>,
    /// HTTP over TLS.
    pub https: Option<Setting<u16>>,
    /// Whether both exist even if no host needs them.
    pub always: bool,
    /// `bind` of the health check, address included.
    pub healthz: Option<Part>,
    /// `bind` of the exporter of metrics, if it is wanted.
    pub prometheus: Option<Part>,
    /// Protocols that TLS offers where a host says nothing else: what stands behind `alpn`.
    pub alpn: Option<Part>,
}
