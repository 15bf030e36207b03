//! Frontends that route requests.

use std::sync::Arc;

use crate::haproxy::{Authored, Group, Part};
use crate::origin::{Origin, Setting};
use crate::value::address::BindAddress;
use crate::value::location::RedirectCode;
use crate::value::text::Snippet;

/// A frontend that routes requests.
#[derive(Clone, Debug)]
pub struct Frontend {
    /// Its name, such as `_front_http`.
    pub name: Arc<str>,
    /// Whether it speaks TLS.
    pub kind: FrontendKind,
    /// The group whose hosts it serves.
    pub group: Group,
    /// Who says that a proxy in front of it ends TLS, if anybody does: what that proxy says of the
    /// client is trusted.
    pub is_behind_proxy: Option<Origin>,
    /// Who wants requests that came to that proxy without TLS to be sent to TLS, if anybody does.
    pub follows_forwarded_proto: Option<Origin>,
    /// Whether it stands beside a pair for HTTP and HTTPS, for the proxy in front alone.
    pub is_extra: bool,
    /// Whether it listens on a socket, behind a proxy that passes the TLS of some hosts on.
    pub is_local: bool,
    /// Its port, of which the default `bind` is made.
    pub port: Setting<u16>,
    /// The port for HTTP over TLS of the same pair, where that is not a default one.
    pub tls_port: Option<Setting<u16>>,
    /// What stands behind `bind`, before the options that the kind needs.
    pub bind: Part,
    /// What stands there instead, where somebody wrote all of it.
    pub own_bind: Option<OwnBind>,
    /// Who wants the PROXY protocol to be spoken by clients, if anybody does.
    pub accept_proxy: Option<Origin>,
    /// Protocols that TLS offers, for a frontend that speaks it.
    pub alpn: Option<Part>,
    /// Status of `redirect-from`.
    pub redirect_from_code: Option<Setting<RedirectCode>>,
    /// Status of `redirect-to`.
    pub redirect_to_code: Option<Setting<RedirectCode>>,
    /// Whether any of its paths sends plain requests to TLS.
    pub has_ssl_redirect: bool,
    /// How requests find their path, in order.
    pub routing: Vec<Authored>,
    /// The file with its certificates, for a frontend that speaks TLS.
    pub certificates: Option<Part>,
    /// What stands behind `bind` if clients are asked for certificates.
    pub client_bind: Option<Part>,
    /// What has to be known of a client's certificate, and redirects to error pages.
    pub client_checks: Vec<Part>,
    /// What of it has to be known again where a service led a request to another path.
    pub client_rechecks: Vec<Part>,
    /// What clients without a good certificate are answered, behind the operator's lines.
    pub client_refusals: Vec<Part>,
    /// How services are asked who may come, before a backend is chosen.
    pub auth: Vec<Authored>,
    /// Lines of an operator in front of all rules.
    pub early: Option<Setting<Snippet>>,
    /// Lines of an operator before the backend is chosen.
    pub late: Option<Setting<Snippet>>,
}

/// What somebody wrote for all of `bind`.
#[derive(Clone, Debug)]
pub struct OwnBind {
    /// The words.
    pub words: Part,
    /// The addresses and ports in them, where a tenant wrote them: others must not have these.
    pub listens: Vec<(BindAddress, u16)>,
}

impl Frontend {
    /// The name of its section. Its maps keep the name that they would have without the proxy in front
    /// of it.
    pub fn section(&self) -> Arc<str> {
        if self.is_local {
            format!("{}__local", self.name).into()
        } else {
            self.name.clone()
        }
    }
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
    /// Plain HTTP from a proxy that ended TLS, on a port of its own.
    pub behind_proxy: Option<Setting<u16>>,
    /// The address of ports whose connections are passed on, if it is not every one.
    pub tcp: Option<Setting<BindAddress>>,
    /// Whether all of them exist even if no host needs them.
    pub always: bool,
    /// `bind` of the health check, address included.
    pub healthz: Option<Part>,
    /// `bind` of the exporter of metrics, if it is wanted.
    pub prometheus: Option<Part>,
    /// Protocols that TLS offers where a host says nothing else: what stands behind `alpn`.
    pub alpn: Option<Part>,
}
