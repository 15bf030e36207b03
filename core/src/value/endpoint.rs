//! Where something listens: a host and a port.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::value::hostname::Hostname;
use crate::value::items::Item;
use crate::value::{KeyValue as _, Shape, ValueError};

/// An address or a name, and a port: `10.0.0.1:12345`, `[::1]:12345` or `agent.example:12345`.
///
/// ```
/// # use haproxy_ingress_core::value::endpoint::HostPort;
/// # use haproxy_ingress_core::value::items::Item;
/// assert_eq!(HostPort::parse_item("[::1]:80")?.to_string(), "[::1]:80");
/// assert!(HostPort::parse_item("unix@/run/agent:80").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HostPort {
    /// An address.
    Ip(IpAddr, u16),
    /// A name, which HAProxy looks up when it starts.
    Name(Arc<str>, u16),
}

impl Item for HostPort {
    const SHAPE: Shape = Shape::Text {
        grammar: "addresses with their ports, joined by commas",
    };

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split(',')
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new("an address and a port, such as `10.0.0.1:12345`", text);
        if let Ok(address) = text.parse::<SocketAddr>() {
            let port = address.port();
            return (port > 0)
                .then(|| Self::Ip(address.ip(), port))
                .ok_or_else(wrong);
        }
        let (name, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(wrong)?;
        let name = Hostname::parse(name).map_err(|_| wrong())?;
        if name.as_str().starts_with('*') {
            return Err(wrong());
        }
        Ok(Self::Name(name.shared(), port))
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip, port) => SocketAddr::new(*ip, *port).fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_or_a_name_with_a_port() {
        for text in ["10.0.0.1:1", "[2001:db8::1]:65535", "agent.example:80"] {
            let endpoint = HostPort::parse_item(text).expect("it is one");
            assert_eq!(endpoint.to_string(), text);
        }
        for bad in [
            "", "10.0.0.1", "a:0", "a:70000", "*.a:80", "unix@/x", "fd@3:1", "a b:1", "::1:80",
        ] {
            assert!(HostPort::parse_item(bad).is_err(), "{bad:?}");
        }
    }
}
