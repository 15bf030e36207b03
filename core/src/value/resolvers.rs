//! Name servers.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::value::hostname::Hostname;
use crate::value::items::Item;
use crate::value::{KeyValue, Shape, ValueError};

/// Name servers under one name: `name=ip[:port],…`; without a port it is 53.
///
/// ```
/// # use haproxy_ingress_core::value::{items::Item, resolvers::Resolvers};
/// let resolvers = Resolvers::parse_item("kubernetes=10.0.0.10,[2001:db8::1]:5353")?;
/// assert_eq!(resolvers.servers[0].port(), 53);
/// assert!(Resolvers::parse_item("kubernetes").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resolvers {
    /// The name.
    pub name: ResolverName,
    /// Where they listen.
    pub servers: Vec<SocketAddr>,
}

/// The name of a section `resolvers`: letters, digits, `-`, `_`, `.` and `:`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ResolverName(Arc<str>);

/// A DNS name without a wildcard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Domain(Hostname);

impl ResolverName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Domain {
    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl KeyValue for ResolverName {
    const SHAPE: Shape = Shape::Text {
        grammar: "a name that `dns-resolvers` gives",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let name = text.trim();
        let fits = |it: u8| it.is_ascii_alphanumeric() || b"-_.:".contains(&it);
        if name.is_empty() || name.len() > 128 || !name.bytes().all(fits) {
            return Err(ValueError::new(
                "a name of letters, digits, `-`, `_`, `.` and `:`",
                text,
            ));
        }
        Ok(Self(name.into()))
    }
}

impl KeyValue for Domain {
    const SHAPE: Shape = Shape::Text {
        grammar: "a DNS name",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        match Hostname::parse(text) {
            Ok(name) if !name.as_str().starts_with('*') => Ok(Self(name)),
            _ => Err(ValueError::new("a DNS name, such as `cluster.local`", text)),
        }
    }
}

impl Item for Resolvers {
    const SHAPE: Shape = Shape::Lines {
        grammar: "name servers, `name=ip[:port],…`",
    };

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split('\n')
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new("name servers, `name=ip[:port],…`", text);
        let (name, servers) = text.split_once('=').ok_or_else(wrong)?;
        let servers = servers.split(',').map(str::trim).map(address);
        Ok(Self {
            name: ResolverName::parse(name)?,
            servers: servers.collect::<Option<_>>().ok_or_else(wrong)?,
        })
    }
}

/// An address with or without a port; one of version 6 has brackets if there is a port.
fn address(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return (address.port() > 0).then_some(address);
    }
    let inner = text
        .strip_prefix('[')
        .and_then(|it| it.strip_suffix(']'))
        .unwrap_or(text);
    let ip = inner.parse::<IpAddr>().ok()?;
    Some(SocketAddr::new(ip, 53))
}

impl fmt::Display for ResolverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_ports() {
        let line = "k8s = 10.0.0.1 , 10.0.0.2:5353,2001:db8::1,[2001:db8::2],[2001:db8::3]:54";
        let resolvers = Resolvers::parse_item(line).expect("name servers");
        assert_eq!(resolvers.name.as_str(), "k8s");
        let shown: Vec<String> = resolvers.servers.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "10.0.0.1:53",
                "10.0.0.2:5353",
                "[2001:db8::1]:53",
                "[2001:db8::2]:53",
                "[2001:db8::3]:54"
            ]
        );
        for bad in [
            "k8s",
            "=10.0.0.1",
            "k8s=",
            "k8s=dns.example",
            "k8s=10.0.0.1:0",
            "k8s=10.0.0.1:99999",
            "k8s=a=10.0.0.1",
            "k 8s=10.0.0.1",
            "k8s=unix@/x",
            "k8s=10.0.0.1,",
        ] {
            assert!(Resolvers::parse_item(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_domain_has_no_wildcard() {
        assert!(Domain::parse("cluster.local").is_ok());
        for bad in ["", "*.local", "a b", "a\nb"] {
            assert!(Domain::parse(bad).is_err(), "{bad:?}");
        }
    }
}
