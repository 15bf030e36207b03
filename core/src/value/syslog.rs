//! Where logs go, and how they are written.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::value::hostname::Hostname;
use crate::value::{KeyValue, Shape, ValueError, choice};

/// A target of `log` (configuration manual, section 3.1): an address with an optional port, `stdout`,
/// `stderr`, an absolute path of a datagram socket, `ring@NAME` or `fd@NUMBER`.
///
/// An address may stand behind `udp@`, `udp4@`, `udp6@`, `tcp@`, `tcp4@`, `tcp6@`, `ipv4@` or `ipv6@`.
/// A name is resolved when HAProxy starts, and HAProxy does not start when it cannot be.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, syslog::Endpoint};
/// assert_eq!(Endpoint::parse("::1")?.to_string(), "[::1]:514");
/// assert_eq!(Endpoint::parse("127.0.0.1:1514")?.to_string(), "127.0.0.1:1514");
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint(Arc<str>);

/// The name under which HAProxy logs: one word of printable ASCII, at most 48 characters (RFC 5424,
/// `APP-NAME`); an empty text leaves HAProxy's own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tag(Arc<str>);

choice! {
    /// How a log line is framed (configuration manual, section 3.1, `log`).
    pub enum Format {
        /// RFC 5424.
        Rfc5424 = "rfc5424",
        /// RFC 3164.
        Rfc3164 = "rfc3164",
        /// RFC 3164 without the name of the machine.
        Local = "local",
        /// Level and facility, and the text.
        Priority = "priority",
        /// Level and the text.
        Short = "short",
        /// Level, date and the text.
        Timed = "timed",
        /// Date and the text.
        Iso = "iso",
        /// The text alone.
        Raw = "raw",
    }
}

/// The port of syslog.
const PORT: u16 = 514;

const TRANSPORTS: [&str; 8] = ["udp", "udp4", "udp6", "tcp", "tcp4", "tcp6", "ipv4", "ipv6"];

impl Endpoint {
    /// Whether it is a file descriptor, for which whoever reads it wants the text alone.
    pub fn is_descriptor(&self) -> bool {
        matches!(&*self.0, "stdout" | "stderr") || self.0.starts_with("fd@")
    }
}

impl KeyValue for Endpoint {
    const SHAPE: Shape = Shape::Text {
        grammar: "an address with an optional port, stdout, stderr or the path of a socket",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            ValueError::new(
                "an address such as `10.0.0.1:514`, `stdout`, `stderr` or the path of a socket",
                text,
            )
        };
        let trimmed = text.trim();
        if trimmed
            .chars()
            .any(|it| it.is_control() || it.is_whitespace())
        {
            return Err(wrong());
        }
        if matches!(trimmed, "stdout" | "stderr") || (trimmed.starts_with('/') && trimmed.len() > 1)
        {
            return Ok(Self(trimmed.into()));
        }
        let endpoint = match trimmed.split_once('@') {
            Some(("fd", number)) if number.parse::<u16>().is_ok() => trimmed.into(),
            Some(("ring", name)) if is_section_name(name) => trimmed.into(),
            Some((transport, rest)) if TRANSPORTS.contains(&transport) => {
                format!("{transport}@{}", address(rest).ok_or_else(wrong)?)
            }
            Some(_) => return Err(wrong()),
            None => address(trimmed).ok_or_else(wrong)?,
        };
        Ok(Self(endpoint.into()))
    }
}

fn is_section_name(name: &str) -> bool {
    let is_letter = |it: u8| it.is_ascii_alphanumeric() || b"-_.:".contains(&it);
    !name.is_empty() && name.bytes().all(is_letter)
}

/// An address with its port in the form that HAProxy takes; it wants brackets and a port for IPv6.
fn address(text: &str) -> Option<String> {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => return Some(ip.to_string()),
        Ok(IpAddr::V6(ip)) => return Some(format!("[{ip}]:{PORT}")),
        Err(_) => {}
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok().filter(|it| *it > 0)?),
        None => (text, PORT),
    };
    if let Some(inner) = host.strip_prefix('[') {
        let ip: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{ip}]:{port}"));
    }
    let host = Hostname::parse(host)
        .ok()
        .filter(|it| !it.as_str().starts_with('*'))?;
    Some(format!("{host}:{port}"))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Tag {
    /// The name, if there is one.
    pub fn as_str(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(&*self.0)
    }
}

impl KeyValue for Tag {
    const SHAPE: Shape = Shape::Text {
        grammar: "a name without blanks, at most 48 characters, or nothing",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let tag = text.trim();
        if tag.len() > 48 || !tag.bytes().all(|it| it.is_ascii_graphic()) {
            return Err(ValueError::new(
                "a name without blanks, at most 48 characters",
                text,
            ));
        }
        Ok(Self(tag.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_reads_back_as_it_is_written() {
        for (text, written) in [
            ("stdout", "stdout"),
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.1:1514", "10.0.0.1:1514"),
            ("::1", "[::1]:514"),
            ("[::1]:515", "[::1]:515"),
            ("syslog.example", "syslog.example:514"),
            ("syslog:1514", "syslog:1514"),
            ("tcp@10.0.0.1:514", "tcp@10.0.0.1:514"),
            ("/dev/log", "/dev/log"),
            ("ring@buffer", "ring@buffer"),
            ("fd@2", "fd@2"),
        ] {
            let endpoint = Endpoint::parse(text).expect("an endpoint");
            assert_eq!(endpoint.to_string(), written);
            assert_eq!(Endpoint::parse(written), Ok(endpoint));
        }
        for bad in [
            "",
            "10.0.0.1:0",
            "10.0.0.1:x",
            "[::1",
            "a b",
            "a\nb",
            "x@10.0.0.1",
            "fd@x",
            "ring@",
            "*.example:514",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad:?}");
        }
    }
}
