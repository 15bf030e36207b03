//! Servers of a backend.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::origin::Origin;
use crate::value::text::{Line, Word};

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
    /// Its number, for algorithms that spread requests by it; HAProxy numbers those without one.
    pub id: Option<u32>,
    /// The value of its cookie, where each server has one of its own.
    pub cookie: Option<Word>,
    /// The address from which HAProxy connects to it.
    pub source: Option<IpAddr>,
    /// What runs there, as far as it is known.
    pub instance: Option<Instance>,
    /// What HAProxy still has of [`Server::options`] of whoever stood here, where nobody does now.
    pub left: Option<Arc<str>>,
    /// Who made it.
    pub origin: Origin,
}

/// What runs behind a server: a Pod of the backend's namespace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Instance {
    /// Its name.
    pub name: Arc<str>,
    /// What tells it from others that have or had the same name.
    pub uid: Option<Arc<str>>,
}

/// How the servers of a backend follow its endpoints while HAProxy runs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Scaling {
    /// Not at all: every other endpoint needs a reload.
    None,
    /// Endpoints come to places that were free and leave places that become free.
    Slots {
        /// How many places are free after a reload that was needed for more of them.
        min_free: usize,
        /// What the number of places is a multiple of.
        increment: usize,
    },
    /// Places that become free are kept for the next ones; more endpoints than places need a reload.
    Keep,
    /// Servers are added and removed.
    #[default]
    Add,
}

/// A rule that picks a server without balancing, unless it is down.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UseServer {
    /// The server's name.
    pub server: Arc<str>,
    /// When it is picked, as it stands behind `if`.
    pub condition: Line,
    /// Who asked for it, and who made the server.
    pub origins: Vec<Origin>,
}

/// Servers that HAProxy finds by itself: it asks for a name and gives each answer a place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    /// How many places there are.
    pub count: usize,
    /// The name, with a port unless it is one of those that say their port.
    pub name: Arc<str>,
    /// The port, for a name that does not say it.
    pub port: Option<u16>,
    /// Whom to ask: the name of a section `resolvers`.
    pub resolver: Word,
    /// The weight of each server.
    pub weight: u16,
    /// Who asked for it.
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
    /// The only server of a backend.
    pub(crate) fn only(address: Address, origin: Origin) -> Self {
        Self {
            name: "srv001".into(),
            address,
            weight: 1,
            state: ServerState::Ready,
            id: None,
            cookie: None,
            source: None,
            instance: None,
            left: None,
            origin,
        }
    }

    /// The address of a free place: the discard port of the loopback interface, which nothing ever
    /// reaches because the server is in maintenance.
    pub const FREE: Address = Address::Ip(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1023);

    /// Whether nobody is there.
    pub fn is_free(&self) -> bool {
        self.state == ServerState::Maint
    }

    /// What its line says that no command can change.
    pub fn options(&self) -> Option<Line> {
        let mut line = Line::default();
        if let Some(id) = self.id {
            line = line.and("id").number(id);
        }
        if let Some(cookie) = &self.cookie {
            line = line.and("cookie").word(cookie);
        }
        if let Some(source) = self.source {
            line = line.and("source").text(&source.to_string());
        }
        (line != Line::default()).then_some(line)
    }
}

impl Template {
    /// The name of one of its servers, counted from 1, as HAProxy forms it.
    pub fn server(number: usize) -> Arc<str> {
        format!("{}{number}", Self::PREFIX).into()
    }

    /// What the names of its servers begin with.
    pub const PREFIX: &str = "srv";
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
