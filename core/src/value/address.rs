//! Addresses on which HAProxy listens.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::value::text::Line;
use crate::value::{KeyValue, Shape, ValueError};

/// An address for `bind`: an IP address with or without brackets, or nothing (or `*`) for every IPv4
/// address of the machine.
///
/// Names are refused: HAProxy would resolve them while it starts and refuse to start when it cannot.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, address::BindAddress};
/// assert_eq!(BindAddress::parse("::1")?.with_port(80).as_str(), "[::1]:80");
/// assert_eq!(BindAddress::parse("")?.with_port(80).as_str(), ":80");
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BindAddress(Option<IpAddr>);

impl BindAddress {
    /// The address and a port, as they stand behind `bind`.
    pub fn with_port(self, port: u16) -> Line {
        Line::default().text(&format!("{self}:{port}"))
    }
}

impl BindAddress {
    /// Whether two listeners with one port would share connections: the addresses are equal, or one
    /// stands for all.
    pub fn overlaps(self, other: Self) -> bool {
        let is_any = |it: Self| it.0.is_none_or(|it| it.is_unspecified());
        is_any(self) || is_any(other) || self == other
    }
}

impl KeyValue for BindAddress {
    const SHAPE: Shape = Shape::Text {
        grammar: "an IP address, or nothing for every IPv4 address",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let address = text.trim();
        if matches!(address, "" | "*") {
            return Ok(Self(None));
        }
        let in_brackets = address
            .strip_prefix('[')
            .and_then(|it| it.strip_suffix(']'));
        let parsed = match in_brackets {
            Some(inner) => inner.parse::<Ipv6Addr>().map(IpAddr::V6).ok(),
            None => address.parse::<IpAddr>().ok(),
        };
        parsed.map(|it| Self(Some(it))).ok_or_else(|| {
            ValueError::new(
                "an IP address without a port, such as `127.0.0.1` or `::`",
                text,
            )
        })
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(IpAddr::V4(ip)) => ip.fmt(f),
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_is_written() {
        for (text, written) in [
            ("", ""),
            ("*", ""),
            ("10.0.0.1", "10.0.0.1"),
            ("::", "[::]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
        ] {
            let address = BindAddress::parse(text).expect("an address");
            assert_eq!(address.to_string(), written);
            assert_eq!(BindAddress::parse(written), Ok(address));
        }
        for bad in [
            "127.0.0.1:80",
            "localhost",
            "[10.0.0.1]",
            "unix@/x",
            "::1\n",
            "fd@3",
        ] {
            // A line feed at the end is trimmed like a blank; inside it is refused.
            assert_eq!(BindAddress::parse(bad).is_ok(), bad == "::1\n", "{bad:?}");
        }
    }
}
