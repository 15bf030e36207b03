//! Ports that TCP services can have.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, codes};
use crate::haproxy::Config;
use crate::keys::Cx;
use crate::keys::ports::Ports;
use crate::origin::{Origin, Setting};
use crate::route::Table;
use crate::value::address::BindAddress;

/// Ports that are still to be had.
pub(super) struct Free {
    ports: Ports,
    /// Where TCP services listen.
    address: BindAddress,
    /// Ports in what somebody wrote for all of `bind`.
    own: BTreeMap<u16, (&'static str, Origin)>,
}

impl Free {
    /// What is left by the frontends of a configuration.
    pub(super) fn beside(table: &Table, config: &Config) -> Self {
        let address = config.ports.tcp.as_ref();
        Self {
            ports: table.ports.clone(),
            address: address.map_or_else(BindAddress::default, |it| it.value),
            own: own_ports(config),
        }
    }

    /// Takes a port, unless something else has it: HAProxy would not start, or half of the connections
    /// would go elsewhere.
    pub(super) fn take(&mut self, port: &Setting<u16>, cx: &mut Cx<'_>) -> bool {
        let name = format!("the TCP service of port {}", port.value);
        let (name, other) = match self.own.get(&port.value) {
            Some((name, origin)) => ((*name).to_owned(), origin.clone()),
            None => match self.ports.take(port, self.address, &name) {
                Ok(()) => return true,
                Err(owner) => (owner.name, owner.origin),
            },
        };
        let message = format!("{name} has port {} already", port.value);
        let outcome = "the TCP service is left out";
        cx.sink.report(
            Diagnostic::new(&codes::INVALID_PORT, port.origin.clone(), message, outcome)
                .related(other),
        );
        false
    }
}

/// Ports in what somebody wrote for all of `bind`, with who wrote it.
fn own_ports(config: &Config) -> BTreeMap<u16, (&'static str, Origin)> {
    let mut own = BTreeMap::new();
    if let Some(auth) = &config.auth {
        for port in ports(auth.bind.value.as_str()) {
            own.entry(port)
                .or_insert_with(|| ("a frontend", auth.bind.origin.clone()));
        }
    }
    for bind in config
        .frontends
        .iter()
        .filter_map(|it| it.own_bind.as_ref())
    {
        for port in ports(bind.words.value.as_str()) {
            own.entry(port)
                .or_insert_with(|| ("a frontend", bind.words.origin.clone()));
        }
    }
    own
}

/// The ports in what stands behind `bind`: addresses joined by commas, with a port or a range of ports
/// behind the last colon of each.
fn ports(bind: &str) -> BTreeSet<u16> {
    let addresses = bind.split_whitespace().next().unwrap_or_default();
    let mut ports = BTreeSet::new();
    for address in addresses.split(',') {
        let Some((_, port)) = address.rsplit_once(':') else {
            continue;
        };
        let (first, last) = port.split_once('-').unwrap_or((port, port));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            ports.extend(first..=last);
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_of_a_bind_are_found() {
        let of = |bind| ports(bind).into_iter().collect::<Vec<_>>();
        assert_eq!(of(":80,:::8080 accept-proxy"), [80, 8080]);
        assert_eq!(of("[::1]:443 ssl crt-list /x:1"), [443]);
        assert_eq!(of("127.0.0.1:1000-1002"), [1000, 1001, 1002]);
        assert!(of("unix@/var/run/x.sock").is_empty());
    }
}
