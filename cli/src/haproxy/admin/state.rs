//! What `show servers state` says, and what is wanted of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use haproxy_ingress_core::assemble::Place;
use haproxy_ingress_core::haproxy::Address;
use haproxy_ingress_core::plan::{Command, ServerState};

/// A server as it runs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Server {
    /// Where requests go; `None` for a name that was not resolved yet, or a local socket.
    pub(super) ip: Option<IpAddr>,
    /// The port.
    pub(super) port: Option<u16>,
    /// The weight.
    pub(super) weight: Option<u16>,
    /// Why it takes no requests, if so: a mask.
    admin: Option<u32>,
}

/// What commands have asked of a server, the last one of each kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    address: Option<(IpAddr, u16)>,
    weight: Option<u16>,
    state: Option<ServerState>,
    /// It is not there any more, or takes nothing.
    is_gone: bool,
}

/// `set server … state maint` was given.
const MAINTENANCE: u32 = 0x01;

/// `set server … state drain` was given.
const DRAIN: u32 = 0x08;

impl Server {
    /// The state that was asked for last. Other bits of the mask (set by the file, inherited from a
    /// tracked server, by the resolver) are not what a command can change.
    fn state(&self) -> Option<ServerState> {
        Some(match self.admin? {
            it if it & MAINTENANCE != 0 => ServerState::Maint,
            it if it & DRAIN != 0 => ServerState::Drain,
            _ => ServerState::Ready,
        })
    }
}

impl Server {
    /// Where it stands, unless HAProxy does not know that yet.
    pub(super) fn place(&self, name: &str) -> Option<Place> {
        Some(Place {
            name: name.into(),
            address: Address::Ip(self.ip?, self.port?),
            weight: self.weight?,
            state: self.state()?,
            options: None,
        })
    }
}

impl Wanted {
    /// Adds what one command wants.
    pub(super) fn add(&mut self, command: &Command) {
        match command {
            Command::SetServerAddress { ip, port, .. } => self.address = Some((*ip, *port)),
            Command::SetServerWeight { weight, .. } => self.weight = Some(*weight),
            Command::SetServerState { state, .. } => self.state = Some(*state),
            Command::AddServer {
                ip, port, weight, ..
            } => {
                self.address = Some((*ip, *port));
                self.weight = Some(*weight);
            }
            Command::RemoveServer { .. } => self.is_gone = true,
            // The others are about no server.
            _ => {}
        }
    }

    /// What was wanted and what was found instead, if they differ.
    pub(super) fn difference(&self, found: Option<&Server>) -> Option<(String, String)> {
        if self.is_gone {
            let state = found.map_or(Some(ServerState::Maint), Server::state);
            let found = state.map_or("unknown", ServerState::name);
            let is_gone = state == Some(ServerState::Maint);
            return (!is_gone).then(|| ("state maint".into(), format!("state {found}")));
        }
        let Some(found) = found else {
            return Some(("its place in the backend".into(), "no place".into()));
        };
        if let Some((ip, port)) = self.address
            && (found.ip, found.port) != (Some(ip), Some(port))
        {
            let of = |it: Option<String>| it.unwrap_or_else(|| "-".into());
            let ip_found = of(found.ip.map(|it| it.to_string()));
            let port_found = of(found.port.map(|it| it.to_string()));
            return Some((
                format!("address {ip} port {port}"),
                format!("address {ip_found} port {port_found}"),
            ));
        }
        if let Some(weight) = self.weight
            && found.weight != Some(weight)
        {
            let weight_found = found
                .weight
                .map_or_else(|| "none".into(), |it| it.to_string());
            return Some((format!("weight {weight}"), format!("weight {weight_found}")));
        }
        if let Some(state) = self.state
            && found.state() != Some(state)
        {
            let state_found = found.state().map_or("unknown", ServerState::name);
            return Some((
                format!("state {}", state.name()),
                format!("state {state_found}"),
            ));
        }
        None
    }
}

/// Reads one or several answers. Columns are found by their names; versions append new ones.
pub(super) fn read(answer: &str) -> BTreeMap<(String, String), Server> {
    let mut columns: BTreeMap<&str, usize> = BTreeMap::new();
    let mut servers = BTreeMap::new();
    for line in answer.lines() {
        if let Some(names) = line.strip_prefix('#') {
            columns = names.split_whitespace().zip(0..).collect();
            continue;
        }
        let cells: Vec<&str> = line.split_whitespace().collect();
        // Anything else is the end of the table, or what HAProxy says of a backend it does not know.
        if cells.len() != columns.len() {
            continue;
        }
        let cell = |name| columns.get(name).and_then(|&it| cells.get(it)).copied();
        let (Some(backend), Some(server)) = (cell("be_name"), cell("srv_name")) else {
            continue;
        };
        let number = |name| cell(name).and_then(|it| it.parse::<u16>().ok());
        servers.insert(
            (backend.to_owned(), server.to_owned()),
            Server {
                ip: cell("srv_addr").and_then(|it| it.parse().ok()),
                port: number("srv_port"),
                weight: number("srv_uweight"),
                admin: cell("srv_admin_state").and_then(|it| it.parse().ok()),
            },
        );
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "\
1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port
2 b 1 s1 127.0.0.2 2 4 5 1 0 1 0 0 8 0 0 0 - 80 - 0 0 - - 0
2 b 2 s2 2001:db8::1 2 8 1 1 2 1 0 2 0 0 0 0 - 1024 - 0 0 - - 0

1
# be_name srv_name srv_addr srv_port srv_uweight srv_admin_state
c s1 - 1023 0 1

Can't find backend.

";

    fn found(backend: &str, server: &str) -> Server {
        read(ANSWER)[&(backend.to_owned(), server.to_owned())].clone()
    }

    #[test]
    fn columns_are_found_wherever_they_stand() {
        assert_eq!(read(ANSWER).len(), 3);
        let it = found("b", "s1");
        assert_eq!(it.ip, Some([127, 0, 0, 2].into()));
        assert_eq!((it.port, it.weight), (Some(80), Some(5)));
        // A server that the file disables and a command enables keeps bit 4.
        assert_eq!(it.state(), Some(ServerState::Ready));
        assert_eq!(found("b", "s2").state(), Some(ServerState::Drain));
        let it = found("c", "s1");
        assert_eq!((it.ip, it.port, it.weight), (None, Some(1023), Some(0)));
        assert_eq!(it.state(), Some(ServerState::Maint));
    }

    #[test]
    fn addresses_are_compared_as_addresses() {
        let mut wanted = Wanted::default();
        wanted.add(&Command::SetServerAddress {
            backend: "b".into(),
            server: "s2".into(),
            ip: "2001:0db8:0:0::1".parse().expect("an address"),
            port: 1024,
        });
        assert_eq!(wanted.difference(Some(&found("b", "s2"))), None);
        let difference = wanted.difference(Some(&found("b", "s1")));
        assert_eq!(
            difference,
            Some((
                "address 2001:db8::1 port 1024".into(),
                "address 127.0.0.2 port 80".into()
            ))
        );
    }

    #[test]
    fn a_missing_server_is_a_difference() {
        assert!(Wanted::default().difference(None).is_some());
    }
}
