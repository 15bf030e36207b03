//! Addresses on which HAProxy listens.

use std::net::{IpAddr, Ipv4Addr};

use crate::diagnostic::codes;
use crate::haproxy::{Config, Frontend, Part};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::options::Families;
use crate::origin::Origin;
use crate::value::address::BindAddress;
use crate::value::text::Line;
use crate::value::tried::Tried;

/// Addresses on which HAProxy listens; ports are [`bind_port`](crate::keys::bind_port)'s.
///
/// Without its key a listener has all addresses of the families that `--ip-mode` says.
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
        /// The address of the health check of HAProxy itself; an empty one stands for every IPv4 address.
        ///
        /// With a value that cannot be read it is `127.0.0.1`: it may be meant for few.
        "bind-ip-addr-healthz" => healthz: Tried<BindAddress>,
        /// The address of the exporter of metrics; an empty one stands for every IPv4 address.
        ///
        /// With a value that cannot be read there are no metrics: they may be meant for few.
        "bind-ip-addr-prometheus" => prometheus: Tried<BindAddress>,
        /// The address of the page of statistics; an empty one stands for every IPv4 address.
        ///
        /// With a value that cannot be read there is no page: it may be meant for few.
        "bind-ip-addr-stats" => stats: Tried<BindAddress>,
        /// The address of TCP services, those of Ingresses and those of the ConfigMap; an empty one
        /// stands for every IPv4 address.
        ///
        /// With a value that cannot be read it is `127.0.0.1`: they may be meant for few.
        "bind-ip-addr-tcp" => tcp: Tried<BindAddress>,
    }
}

keys! {
    Frontend => pub struct FrontendAddress {
        /// The address of the frontends for HTTP and HTTPS; an empty one stands for every IPv4 address.
        ///
        /// `bind-http` and `bind-https` say everything that a frontend listens on, and then this key
        /// has no effect on it. With a value that cannot be read the address is `127.0.0.1`, whatever lower
        /// sources say: the frontends may be meant for few.
        "bind-ip-addr-http" => http: Tried<BindAddress>,
    }
}

impl BindAddresses {
    /// The other addresses are read where their listeners are made.
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        config.ports.tcp = closed("bind-ip-addr-tcp", self.tcp.as_ref(), cx);
    }
}

impl FrontendAddress {
    fn apply(&self, frontend: &mut Frontend, cx: &mut Cx<'_>) {
        let address = self.address(cx);
        frontend.bind = bind(address.as_ref(), &frontend.port, cx);
    }

    /// The address of the frontends, if one is set.
    pub(super) fn address(&self, cx: &mut Cx<'_>) -> Option<Setting<BindAddress>> {
        closed("bind-ip-addr-http", self.http.as_ref(), cx)
    }
}

/// An address that was read, if one is set.
pub(crate) fn good(address: Option<&Setting<Tried<BindAddress>>>) -> Option<Setting<BindAddress>> {
    let setting = address?;
    let address = setting.value.0.as_ref().ok()?;
    Some(setting.map(|_| *address))
}

/// An address, if one is set; in place of a text that is none, with a report, one that nobody reaches
/// from elsewhere, because the text may have been meant to keep somebody out.
pub(super) fn closed(
    key: &str,
    address: Option<&Setting<Tried<BindAddress>>>,
    cx: &mut Cx<'_>,
) -> Option<Setting<BindAddress>> {
    let setting = address?;
    let address = match &setting.value.0 {
        Ok(address) => *address,
        Err(error) => {
            let code = &codes::INVALID_PROTECTION;
            let outcome = "`127.0.0.1` is used, so that nobody connects who should not";
            cx.report_item(code, key, setting, error, outcome);
            BindAddress::of(IpAddr::V4(Ipv4Addr::LOCALHOST))
        }
    };
    Some(setting.map(|_| address))
}

/// An address, if one is set, and a port, as they stand behind `bind`.
pub(crate) fn bind(
    address: Option<&Setting<BindAddress>>,
    port: &Setting<u16>,
    cx: &Cx<'_>,
) -> Part {
    let Some(address) = address else {
        return port.map(|it| any(cx.options.families, *it));
    };
    let line = address.value.with_port(port.value);
    // Of the two who made the line, name the one who wrote something.
    match port.origin {
        Origin::Default(_) => address.map(|_| line),
        _ => port.map(|_| line),
    }
}

/// Every address of some families. Two addresses and not one for both: the IPv4 address of a client stays one
/// for lists of addresses and in headers.
fn any(families: Families, port: u16) -> Line {
    match families {
        Families::V4 => Line::default().text(&format!(":{port}")),
        Families::V6 => Line::default().text(&format!("[::]:{port}")).and("v6only"),
        Families::Both => Line::default()
            .text(&format!(":{port},[::]:{port}"))
            .and("v6only"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_have_the_families_that_are_asked_for() {
        for (families, line) in [
            (Families::V4, ":80"),
            (Families::V6, "[::]:80 v6only"),
            (Families::Both, ":80,[::]:80 v6only"),
        ] {
            assert_eq!(any(families, 80).as_str(), line);
        }
    }
}
