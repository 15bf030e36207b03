//! The PROXY protocol, on both sides.

use crate::haproxy::{Backend, Frontend, TcpProxy};
use crate::keys::{Cx, Family, block, keys};
use crate::value::choice;
use crate::value::text::Line;

/// The PROXY protocol, on both sides.
pub const FAMILY: Family = Family {
    name: "proxy-protocol",
    title: "PROXY protocol",
    blocks: &[
        block!(Backend, SendProxy),
        block!(Frontend, AcceptProxy),
        block!(Tcp, TcpAcceptProxy),
    ],
};

choice! {
    /// Which form of the PROXY protocol servers are spoken to with.
    pub enum ProxyProtocol {
        /// None.
        None = "no",
        /// Version 1, text.
        V1 = "v1",
        /// Version 2, binary.
        V2 = "v2",
        /// Version 2, with whether the client used TLS.
        V2Ssl = "v2-ssl",
        /// Version 2, with the name in the client's certificate too.
        V2SslCn = "v2-ssl-cn",
    }
}

keys! {
    Backend => pub struct SendProxy {
        /// Sends the client's address to the servers in front of each connection.
        ///
        /// The servers must expect it. `no` takes back what the global ConfigMap says.
        "proxy-protocol" => version: ProxyProtocol = "no",
    }
}

keys! {
    Frontend => pub struct AcceptProxy {
        /// Expects the client's address in front of each connection.
        ///
        /// For a load balancer in front of HAProxy that sends it. Connections without it are refused.
        "use-proxy-protocol" => accept: bool = "false",
    }
}

keys! {
    Tcp => pub struct TcpAcceptProxy {
        /// Expects the client's address in front of each connection to a TCP service.
        "tcp-service-proxy-protocol" => accept: bool = "false",
    }
}

impl SendProxy {
    fn apply(&self, backend: &mut Backend, _: &mut Cx<'_>) {
        let option = match self.version.value {
            ProxyProtocol::None => return,
            ProxyProtocol::V1 => "send-proxy",
            ProxyProtocol::V2 => "send-proxy-v2",
            ProxyProtocol::V2Ssl => "send-proxy-v2-ssl",
            ProxyProtocol::V2SslCn => "send-proxy-v2-ssl-cn",
        };
        backend
            .server_options
            .insert("send-proxy", self.version.map(|_| Line::keyword(option)));
    }
}

impl AcceptProxy {
    fn apply(&self, frontend: &mut Frontend, _: &mut Cx<'_>) {
        frontend.accept_proxy = self.accept.value.then(|| self.accept.origin.clone());
    }
}

impl TcpAcceptProxy {
    fn apply(&self, proxy: &mut TcpProxy, _: &mut Cx<'_>) {
        proxy.accept_proxy = self.accept.value.then(|| self.accept.origin.clone());
    }
}
