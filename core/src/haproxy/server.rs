//! Servers of a backend.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::origin::Origin;

/// One server: an endpoint of a Service, or a free place.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Its name, unique in its backend.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: Address,
    /// Its weight, 0 to 256; HAProxy's default is 1.
    pub weight: u16,
    /// Whether it takes requests.
    pub state: ServerState,
    /// Who made it.
    pub origin: Origin,
}

/// Where a server listens.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Address {
    /// An address and a port.
    Ip(IpAddr, u16),
    /// A DNS name and a port, resolved by HAProxy when it starts.
    Name(Arc<str>, u16),
}

/// The administrative state of a server.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerState {
    /// Takes requests.
    Ready,
    /// Takes only requests that persistence sends there.
    Drain,
    /// Takes nothing.
    Maint,
}

impl ServerState {
    /// The word of the command.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Drain => "drain",
            Self::Maint => "maint",
        }
    }
}

impl Server {
    /// The address of a free place: the discard port of the loopback interface, which nothing ever
    /// reaches because the server is in maintenance.
    pub const FREE: Address = Address::Ip(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1023);
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip), port) => write!(f, "{ip}:{port}"),
            Self::Ip(IpAddr::V6(ip), port) => write!(f, "[{ip}]:{port}"),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}
