//! TLS that is passed on to the servers of a host.

use crate::diagnostic::codes;
use crate::haproxy::{Host, Passthrough};
use crate::keys::{Cx, Family, block, keys};
use crate::origin::{Kind, Origin};
use crate::value::tcp::PortOfService;

/// TLS that is passed on to the servers of a host.
pub const FAMILY: Family = Family {
    name: "ssl-passthrough",
    title: "TLS of servers",
    blocks: &[block!(Host, SslPassthrough)],
};

keys! {
    Host => pub struct SslPassthrough {
        /// Passes TLS for the hosts of the Ingress on to their servers as it is.
        ///
        /// HAProxy reads the name of the host in the first message, and nothing else: the servers have
        /// the certificate and speak TLS. The path `/` says which servers; other paths are served over
        /// plain HTTP only. Lists of addresses act on connections. Keys that act on requests over TLS
        /// have nothing to act on, and where one should protect the host, connections are refused: one
        /// of the path `/`, of another path to the same Service, or of the global ConfigMap, unless an
        /// empty value takes that back. `spec.tls` has no effect on the host.
        "ssl-passthrough" => enable: bool = "false",
        /// The port of the same Service that answers plain HTTP for the path `/`, by name or number.
        ///
        /// Without it, or if the Service has no such port, plain requests are sent to TLS.
        "ssl-passthrough-http-port" => http_port: PortOfService,
    }
}

impl SslPassthrough {
    fn apply(&self, host: &mut Host, cx: &mut Cx<'_>) {
        if !self.enable.value {
            if let Some(port) = self.http_port.as_ref().filter(|it| it.is_local) {
                cx.report(
                    &codes::NO_EFFECT,
                    &port.origin,
                    "`ssl-passthrough-http-port` stands alone, without `ssl-passthrough`",
                    "it has no effect",
                );
            }
            return;
        }
        if host.name.is_empty() {
            // A global value is for those that have a name.
            if self.enable.is_local {
                cx.report(
                    &codes::NO_EFFECT,
                    &self.enable.origin,
                    "TLS is passed on by the name of a host, and a rule has none",
                    "what has no name is served as without `ssl-passthrough`",
                );
            }
            return;
        }
        let owner = host.origin.as_ref().and_then(Origin::object);
        let writer = self.enable.origin.object();
        if let (Some(owner), Some(writer)) = (owner, writer)
            && writer.kind == Kind::Ingress
            && writer.namespace != owner.namespace
        {
            // TLS of an older host would go to somebody else's servers.
            let message = format!("`{}` is an older host of another namespace", host.name);
            let outcome = "its TLS is not passed on";
            cx.report(&codes::CONFLICT, &self.enable.origin, message, outcome);
            return;
        }
        host.passthrough = Some(Passthrough {
            origin: self.enable.origin.clone(),
            http_port: self.http_port.clone(),
            target: None,
        });
    }
}
