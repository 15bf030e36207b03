//! Addresses on which HAProxy listens, and those of its own machine.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::value::text::Line;
use crate::value::{KeyValue, Shape, ValueError, pattern};

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
    /// The address of one interface, or of all.
    pub fn of(ip: IpAddr) -> Self {
        Self(Some(ip))
    }

    /// The address and a port, as they stand behind `bind`.
    pub fn with_port(self, port: u16) -> Line {
        Line::default().text(&format!("{self}:{port}"))
    }

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

    fn pattern() -> Option<String> {
        let (v4, v6) = (pattern::ipv4(), pattern::ipv6());
        Some(pattern::trimmed(&format!(r"|[*]|{v4}|{v6}|\[{v6}\]")))
    }

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

/// Whether an address is of HAProxy's own machine, or of those that only its neighbours reach, such as
/// the cloud's metadata. Nothing of a tenant's is there.
pub fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_local_v4(ip),
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unicast_link_local()
                || ip.to_ipv4().is_some_and(is_local_v4)
        }
    }
}

fn is_local_v4(ip: Ipv4Addr) -> bool {
    ip.octets()[0] == 0
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
}

/// Whether a host, by its name or its address, is HAProxy's own machine or its link, as far as the text
/// says so.
///
/// The C library reads a name whose last label is a number as an address, in notations that nothing
/// here reads (`127.1`, `0x7f000001`); such a name counts as local, too.
///
/// ```
/// # use haproxy_ingress_core::value::address::is_local_host;
/// assert!(is_local_host("LocalHost."));
/// assert!(is_local_host("::ffff:127.0.0.1"));
/// assert!(!is_local_host("app.example"));
/// ```
pub fn is_local_host(host: &str) -> bool {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return is_local(ip);
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = match last.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|it| it.is_ascii_hexdigit()),
        None => last.bytes().all(|it| it.is_ascii_digit()),
    };
    let is_of_loopback = matches!(
        last,
        "localhost" | "localdomain" | "ip6-localhost" | "ip6-loopback"
    );
    is_number || is_of_loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_this_machine_is_told_apart() {
        for local in [
            "127.0.0.1",
            "127.1.2.3",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "fe80::1",
            "ff02::1",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "localhost.localdomain",
            "ip6-localhost",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
        ] {
            assert!(is_local_host(local), "{local}");
        }
        for other in [
            "10.0.0.1",
            "192.0.2.1",
            "::ffff:10.0.0.1",
            "2001:db8::1",
            "fd00::1",
            "app.example",
            "localhost.example",
            "0x7f.example",
        ] {
            assert!(!is_local_host(other), "{other}");
        }
    }

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
