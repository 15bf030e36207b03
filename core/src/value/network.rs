//! Networks, and lists of them that say who may come.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::value::items::Items;
use crate::value::{KeyValue, Shape, ValueError, pattern};

/// A network: an IPv4 or IPv6 address and how many of its bits count.
///
/// ```
/// # use haproxy_ingress_core::value::network::Network;
/// assert_eq!(Network::parse("10.1.2.3/8")?.to_string(), "10.0.0.0/8");
/// assert_eq!(Network::parse("2001:db8::1")?.to_string(), "2001:db8::1");
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

/// Networks separated by commas; a `!` in front of one makes it an exception.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SourceRanges {
    /// The networks that are meant.
    pub listed: Items<Network>,
    /// The networks that are not, even where they are parts of those.
    pub exceptions: Items<Network>,
}

impl Network {
    /// Whether an address is in it. An IPv4 address is also one of IPv6 (RFC 4291, section 2.5.5.2), and
    /// the other way round.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = |it: IpAddr| match it.to_canonical() {
            IpAddr::V4(it) => u128::from(it.to_ipv6_mapped()),
            IpAddr::V6(it) => u128::from(it),
        };
        let full: u8 = if self.address.is_ipv4() { 32 } else { 128 };
        let rest = u32::from(full - self.length);
        let of_network = match self.address {
            IpAddr::V4(it) => u128::from(it.to_ipv6_mapped()),
            IpAddr::V6(it) => u128::from(it),
        };
        (bits(address) ^ of_network).checked_shr(rest).unwrap_or(0) == 0
    }

    /// Reads an address or a CIDR; bits behind the length are cleared.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            ValueError::new(
                "an IP address or a network, such as `192.0.2.7`, `10.0.0.0/8` or `2001:db8::/32`",
                text,
            )
        };
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let full = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => full,
            Some(it) if it.bytes().all(|it| it.is_ascii_digit()) => {
                it.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
        };
        if length > full {
            return Err(wrong());
        }
        let host_bits = u32::from(full - length);
        let address = match address {
            IpAddr::V4(it) => {
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                Ipv4Addr::from_bits(it.to_bits() & mask).into()
            }
            IpAddr::V6(it) => {
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                Ipv6Addr::from_bits(it.to_bits() & mask).into()
            }
        };
        Ok(Self { address, length })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = if self.address.is_ipv4() { 32 } else { 128 };
        self.address.fmt(f)?;
        if self.length == full {
            Ok(())
        } else {
            write!(f, "/{}", self.length)
        }
    }
}

impl KeyValue for SourceRanges {
    const SHAPE: Shape = Shape::Text {
        grammar: "addresses and networks separated by commas, `!` in front of an exception",
    };

    fn pattern() -> Option<String> {
        let (short, long) = (pattern::number(0, 32), pattern::number(0, 128));
        Some(pattern::items(&format!(
            r"(?:!\s*)?(?:{}(?:/{short})?|{}(?:/{long})?)",
            pattern::ipv4(),
            pattern::ipv6()
        )))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let mut ranges = Self::default();
        for item in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
            match item.strip_prefix('!') {
                Some(exception) => ranges.exceptions.push(Network::parse(exception.trim())),
                None => ranges.listed.push(Network::parse(item)),
            }
        }
        if ranges.listed.is_empty() && ranges.exceptions.is_empty() {
            // Somebody wrote a list; that it holds nothing is no reason to admit everybody.
            ranges
                .listed
                .push(Err(ValueError::new("at least one address", text)));
        }
        Ok(ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_written_in_one_way() {
        for (text, written) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("1.2.3.4/0", "0.0.0.0/0"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("::1", "::1"),
        ] {
            let network = Network::parse(text).expect("a network");
            assert_eq!(network.to_string(), written, "{text}");
            assert_eq!(Network::parse(written), Ok(network), "{written}");
        }
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0/8",
            "::/129",
            "example",
            "1.2.3.4 ",
            "1.2.3.4\n::/0",
            "/etc/passwd",
        ] {
            assert!(Network::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn exceptions_and_bad_items_are_kept_apart() {
        let ranges = SourceRanges::parse("10.0.0.0/8, !10.1.0.0/16,x,!y,").expect("a list");
        assert_eq!(ranges.listed.good.len(), 1);
        assert_eq!(ranges.listed.refused.len(), 1);
        assert_eq!(ranges.exceptions.good.len(), 1);
        assert_eq!(ranges.exceptions.refused.len(), 1);
    }

    #[test]
    fn a_list_of_nothing_is_a_bad_list() {
        assert_eq!(
            SourceRanges::parse(" , ")
                .expect("a list")
                .listed
                .refused
                .len(),
            1
        );
        assert_eq!(
            SourceRanges::parse("!")
                .expect("a list")
                .exceptions
                .refused
                .len(),
            1
        );
    }
}
