//! Addresses on which HAProxy listens.

use crate::haproxy::{Config, Frontend, Part};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::origin::Origin;
use crate::value::address::BindAddress;
use crate::value::tried::Tried;

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
        ///
        /// With a value that cannot be read there are no metrics: they may be meant for few.
        "bind-ip-addr-prometheus" => prometheus: Tried<BindAddress>,
        /// The address of the page of statistics; nothing stands for every IPv4 address.
        ///
        /// With a value that cannot be read there is no page: it may be meant for few.
        "bind-ip-addr-stats" => stats: Tried<BindAddress>,
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

/// An address that was read, if one is set.
pub(crate) fn good(address: Option<&Setting<Tried<BindAddress>>>) -> Option<Setting<BindAddress>> {
    let setting = address?;
    let address = setting.value.0.as_ref().ok()?;
    Some(setting.map(|_| *address))
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
