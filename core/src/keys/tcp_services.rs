//! Which Ingresses are TCP services, and which keys have a meaning there.

use crate::keys::{Cx, Family, Layers, Setting, block, keys};
use crate::value::tcp::ServicePort;

/// Which Ingresses are TCP services.
pub const FAMILY: Family = Family {
    name: "tcp-services",
    title: "TCP services",
    // The block is read where routes are made: it decides which kind of route an Ingress asks for.
    blocks: &[block!(TcpServices)],
};

keys! {
    Tcp => pub struct TcpServices {
        /// Makes the Ingress a TCP service on this port, in place of paths for HTTP.
        ///
        /// HAProxy listens on the port and passes connections on as they are. A rule with a host is for
        /// connections that name it (SNI); a rule without one, and `spec.defaultBackend`, are for all
        /// others. A path can only be empty or `/`. With `spec.tls` HAProxy ends TLS, with the
        /// certificate of each entry for its hosts, or for every other name if the entry lists none.
        ///
        /// Several Ingresses may share a port. The keys for the port are those of the oldest one, and of
        /// others in its namespace; an Ingress of another namespace must agree on whether the port
        /// speaks TLS. A port that HAProxy listens on for something else is refused. `0` is an Ingress
        /// for HTTP, whatever the parameters of its class say; an Ingress whose port cannot be read is
        /// left out.
        "tcp-service-port" of object => port: ServicePort = "0",
    }
}

/// The port for which an Ingress asks; absent for one that is for HTTP.
pub(crate) fn port(layers: &Layers, cx: &mut Cx<'_>) -> Option<Setting<ServicePort>> {
    let setting = &cx.settings::<TcpServices>(layers).port;
    if setting.value == ServicePort::None {
        return None;
    }
    Some(setting.clone())
}

/// Keys that have a meaning for connections that nobody looks into, by the beginning of their names;
/// those with `=` behind are whole names.
const OF_CONNECTIONS: &[&str] = &[
    "agent-check-",
    "allowlist-source-",
    "assign-backend-server-id=",
    "auth-tls-",
    "backend-check-interval=",
    "backend-protocol=",
    "backend-server-",
    "balance-algorithm=",
    "blue-green-balance=",
    "blue-green-deploy=",
    "blue-green-mode=",
    "config-backend",
    "config-tcp-service=",
    "cross-namespace-",
    "denylist-source-range=",
    "drain-support",
    "dynamic-scaling=",
    "health-check-",
    "initial-weight=",
    "limit-",
    "maxconn-server=",
    "maxqueue-server=",
    "peers-table=",
    "proxy-protocol=",
    "secure-",
    "service-upstream=",
    "slots-",
    "source-address-intf=",
    "ssl-cipher",
    "ssl-options-",
    "ssl-passthrough",
    "tcp-service-",
    "timeout-connect=",
    "timeout-queue=",
    "timeout-server",
    "timeout-tunnel=",
    "tls-alpn=",
    "use-resolver=",
];

/// Keys that keep somebody out, and cannot do so where no request is read: what they protect is
/// refused.
const PROTECTING: &[&str] = &[
    "auth-secret",
    "auth-tls-secret",
    "auth-url",
    "http-header-match",
    "http-header-match-regex",
    "oauth",
    "waf",
];

/// Whether a key has a meaning for connections that nobody looks into.
pub(crate) fn is_of_connections(key: &str) -> bool {
    OF_CONNECTIONS
        .iter()
        .any(|known| match known.strip_suffix('=') {
            Some(name) => name == key,
            None => key.starts_with(known),
        })
}

/// Whether a key keeps somebody out who could not be kept out of a connection.
pub(crate) fn is_protection_of_requests(key: &str) -> bool {
    PROTECTING.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_requests_are_told_apart() {
        for key in [
            "balance-algorithm",
            "timeout-server-fin",
            "ssl-ciphers-backend",
            "limit-rps",
        ] {
            assert!(is_of_connections(key), "{key}");
        }
        for key in ["cors-enable", "timeout-http-request", "affinity"] {
            assert!(!is_of_connections(key), "{key}");
        }
    }
}
