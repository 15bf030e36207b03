//! Addresses on which HAProxy listens.

use crate::haproxy::{Config, Frontend, Part};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::origin::Origin;
use crate::value::address::BindAddress;

/// Addresses on which HAProxy listens; ports are [`bind_port`](crate::keys::bind_port)'s.
pub const FAMILY: Family = Family {
    name: "bind-ip-addr",
    title: "Addresses",
    blocks: &[
        block!(Global, BindAddresses),
        block!(Frontend, FrontendAddress),
    ],
};

keys! {
    Global => pub struct BindAddresses {
        /// The address of the health check of HAProxy itself; nothing stands for every IPv4 address.
        "bind-ip-addr-healthz" => healthz: BindAddress,
        /// The address of the exporter of metrics; nothing stands for every IPv4 address.
        "bind-ip-addr-prometheus" => prometheus: BindAddress,
        /// The address of the page of statistics; nothing stands for every IPv4 address.
        "bind-ip-addr-stats" => stats: BindAddress,
        /// The address of TCP services, those of Ingresses and those of the ConfigMap; nothing stands for
        /// every IPv4 address.
        "bind-ip-addr-tcp" => tcp: BindAddress,
    }
}

keys! {
    Frontend => pub struct FrontendAddress {
        /// The address of the frontends for HTTP and HTTPS; nothing stands for every IPv4 address.
        ///
        /// `bind-http` and `bind-https` say everything that a frontend listens on, and then this key
        /// has no effect on it.
        "bind-ip-addr-http" => http: BindAddress,
    }
}

impl BindAddresses {
    /// The other addresses are read where their listeners are made.
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        config.ports.tcp.clone_from(&self.tcp);
    }
}

impl FrontendAddress {
    fn apply(&self, frontend: &mut Frontend, _: &mut Cx<'_>) {
        frontend.bind = bind(self.http.as_ref(), &frontend.port);
    }
}

/// An address, if one is set, and a port, as they stand behind `bind`.
pub(crate) fn bind(address: Option<&Setting<BindAddress>>, port: &Setting<u16>) -> Part {
    let Some(address) = address else {
        let any = BindAddress::default();
        return port.map(|it| any.with_port(*it));
    };
    let line = address.value.with_port(port.value);
    // Of the two who made the line, name the one who wrote something.
    match port.origin {
        Origin::Default(_) => address.map(|_| line),
        _ => port.map(|_| line),
    }
}
