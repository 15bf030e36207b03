//! What HAProxy speaks with servers.

use crate::haproxy::Backend;
use crate::keys::{Cx, Family, block, keys};
use crate::value::choice;
use crate::value::text::Line;
use crate::value::tried::Inherited;

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
        /// With TLS, the server's certificate is not verified unless `secure-verify-ca-secret` says who signs
        /// it; beside that key, with a protocol that cannot be read and without TLS, requests are answered
        /// with 503. FastCGI needs `fcgi-app`.
        "backend-protocol" => protocol: Inherited<Protocol> = "h1",
    }
}

impl BackendProtocol {
    fn apply(&self, backend: &mut Backend, _: &mut Cx<'_>) {
        let Inherited { value, refused } = &self.protocol.value;
        let unread = refused.iter().map(|it| ("backend-protocol", it.clone()));
        backend.unread_tls.extend(unread);
        let protocol = value.unwrap_or(Protocol::H1);
        let (proto, alpn, is_tls) = match protocol {
            Protocol::H1 => return,
            Protocol::H1Ssl => (None, None, true),
            Protocol::H2 => (Some("proto h2"), Some("alpn h2"), false),
            Protocol::H2Ssl => (Some("proto h2"), Some("alpn h2"), true),
            Protocol::Fcgi => (Some("proto fcgi"), None, false),
            Protocol::FcgiSsl => (Some("proto fcgi"), None, true),
        };
        if matches!(protocol, Protocol::Fcgi | Protocol::FcgiSsl) {
            backend.fcgi = Some(self.protocol.origin.clone());
        }
        // Options whose names begin with `ssl` count only where somebody asks for `ssl`.
        let options = [
            ("proto", proto),
            ("ssl", is_tls.then_some("ssl")),
            ("ssl-alpn", alpn),
        ];
        for (name, option) in options {
            if let Some(option) = option {
                let part = self.protocol.map(|_| Line::keyword(option));
                backend.server_options.insert(name, part);
            }
        }
    }
}
