//! What HAProxy speaks with servers.

use crate::diagnostic::codes;
use crate::haproxy::Backend;
use crate::keys::{Cx, Family, block, keys};
use crate::value::choice;
use crate::value::text::Line;

/// What HAProxy speaks with servers.
pub const FAMILY: Family = Family {
    name: "backend-protocol",
    title: "Protocol of servers",
    blocks: &[block!(Backend, BackendProtocol)],
};

choice! {
    /// What a server speaks.
    pub enum Protocol {
        /// HTTP/1.1.
        H1 = "h1" | "http",
        /// HTTP/1.1 over TLS.
        H1Ssl = "h1-ssl" | "https",
        /// HTTP/2, from the first byte.
        H2 = "h2" | "grpc",
        /// HTTP/2 over TLS.
        H2Ssl = "h2-ssl" | "grpcs",
        /// FastCGI.
        Fcgi = "fcgi",
        /// FastCGI over TLS.
        FcgiSsl = "fcgi-ssl",
    }
}

keys! {
    Backend => pub struct BackendProtocol {
        /// What the servers speak.
        ///
        /// `http`, `https`, `grpc` and `grpcs` are other words for `h1`, `h1-ssl`, `h2` and `h2-ssl`.
        /// With TLS, the server's certificate is not verified.
        "backend-protocol" => protocol: Protocol = "h1",
    }
}

impl BackendProtocol {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let (is_h2, is_tls) = match self.protocol.value {
            Protocol::H1 => return,
            Protocol::H1Ssl => (false, true),
            Protocol::H2 => (true, false),
            Protocol::H2Ssl => (true, true),
            Protocol::Fcgi | Protocol::FcgiSsl => {
                cx.report(
                    &codes::UNSUPPORTED,
                    &self.protocol.origin,
                    "FastCGI needs an application, and none can be declared yet",
                    "the servers are spoken to as `h1`",
                );
                return;
            }
        };
        let mut add = |name, option| {
            let part = self.protocol.map(|_| Line::keyword(option));
            backend.server_options.insert(name, part);
        };
        if is_h2 {
            add("proto", "proto h2");
        }
        if is_tls {
            add("ssl", "ssl");
            add("ssl-verify", "verify none");
        }
        if is_h2 && is_tls {
            add("alpn", "alpn h2");
        }
    }
}
