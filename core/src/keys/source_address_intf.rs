//! From where HAProxy connects to servers.

use std::net::IpAddr;

use xxhash_rust::xxh3::xxh3_64;

use crate::diagnostic::codes;
use crate::haproxy::{Address, Backend};
use crate::keys::{Cx, Family, block, keys};
use crate::value::interface::InterfaceName;
use crate::value::items::Items;

/// From where HAProxy connects to servers.
pub const FAMILY: Family = Family {
    name: "source-address-intf",
    title: "Source addresses",
    blocks: &[block!(Backend, SourceAddress)],
};

keys! {
    Backend => pub struct SourceAddress {
        /// Network interfaces, joined by commas, from whose IPv4 addresses HAProxy connects to the
        /// servers.
        ///
        /// The addresses are those of the machine on which the controller runs. They are given to the
        /// servers in turn, which makes more connections to one of them possible. Offline tools do not
        /// know any.
        "source-address-intf" => interfaces: Items<InterfaceName>,
    }
}

impl SourceAddress {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let Some(interfaces) = &self.interfaces else {
            return;
        };
        cx.report_items("source-address-intf", interfaces, &interfaces.value.refused);
        let options = cx.options;
        let Some(known) = &options.interfaces else {
            cx.report(
                &codes::UNSUPPORTED,
                &interfaces.origin,
                "`source-address-intf`: the addresses of the machine are not known here",
                "the system chooses the source address",
            );
            return;
        };
        let mut addresses: Vec<IpAddr> = Vec::new();
        for name in &interfaces.value.good {
            let own = known.get(name.as_str()).into_iter().flatten();
            let own: Vec<&IpAddr> = own.filter(|it| it.is_ipv4()).collect();
            if own.is_empty() {
                cx.report(
                    &codes::NOT_FOUND,
                    &interfaces.origin,
                    format!("there is no interface `{name}` with an IPv4 address"),
                    "it is left out",
                );
            }
            for address in own {
                if !addresses.contains(address) {
                    addresses.push(*address);
                }
            }
        }
        let count = addresses.len() as u64;
        if count == 0 {
            return;
        }
        // Backends begin at different addresses, and each at the same one every time.
        let first = xxh3_64(backend.name.as_bytes()) % count;
        for (place, server) in (first..).zip(&mut backend.servers) {
            if !matches!(server.address, Address::Ip(IpAddr::V6(_), _)) {
                let index = usize::try_from(place % count).unwrap_or(0);
                server.source = addresses.get(index).copied();
            }
        }
    }
}
