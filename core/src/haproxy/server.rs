//! Servers of a backend.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// Where a server listens. Serialized as it is displayed, such as `10.0.0.1:8080`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Address {
    /// An address and a port.
    Ip(IpAddr, u16),
    /// A DNS name and a port, resolved by HAProxy when it starts.
    Name(Arc<str>, u16),
}

/// The administrative state of a server.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
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

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Ok(it) = text.parse::<SocketAddr>() {
            return Ok(Self::Ip(it.ip(), it.port()));
        }
        let name = text.rsplit_once(':').and_then(|(name, port)| {
            let is_name = !name.is_empty() && !name.contains(':');
            is_name.then_some(Self::Name(name.into(), port.parse().ok()?))
        });
        name.ok_or_else(|| D::Error::custom(format!("`{text}` is not an address and a port")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_is_written() -> serde_json::Result<()> {
        for text in [
            "10.0.0.1:8080",
            "[2001:db8::1]:80",
            "[::ffff:10.0.0.1]:1",
            "db.example:5432",
        ] {
            let written = format!("\"{text}\"");
            let address: Address = serde_json::from_str(&written)?;
            assert_eq!(matches!(address, Address::Name(..)), text.starts_with("db"));
            assert_eq!(serde_json::to_string(&address)?, written);
        }
        for bad in [
            "",
            "10.0.0.1",
            ":80",
            "::1:80",
            "db.example:70000",
            "db.example:",
        ] {
            assert!(
                serde_json::from_str::<Address>(&format!("\"{bad}\"")).is_err(),
                "{bad}"
            );
        }
        Ok(())
    }
}
