//! A proxy's name and a range of ports.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError};

/// A proxy's name and a range of ports, `NAME:FROM-TO`; only the name means something here.
///
/// The name begins with `_`, as no other proxy's does that somebody else names.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, proxy_range::ProxyRange};
/// assert_eq!(ProxyRange::parse("_auth:14415-14499")?.name(), "_auth");
/// assert!(ProxyRange::parse("auth:14415-14499").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProxyRange {
    name: Arc<str>,
    ports: (u16, u16),
}

impl ProxyRange {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl KeyValue for ProxyRange {
    const SHAPE: Shape = Shape::Text {
        grammar: "a name that begins with `_` and two ports, `_name:from-to`",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        const OTHERS: [&str; 4] = ["_front_http", "_front_https", "_front__tls", "_error404"];
        let wrong = || {
            ValueError::new(
                "a name that begins with `_` and two ports, `_name:from-to`",
                text,
            )
        };
        let (name, ports) = text.trim().split_once(':').ok_or_else(wrong)?;
        let is_letter = |it: u8| it.is_ascii_alphabetic() || matches!(it, b'_' | b'-');
        let is_name = name.starts_with('_')
            && (2..=64).contains(&name.len())
            && name.bytes().all(is_letter)
            && !OTHERS.contains(&name);
        let (from, to) = ports.split_once('-').ok_or_else(wrong)?;
        let port = |it: &str| it.parse::<u16>().ok().filter(|it| *it > 0);
        match (is_name, port(from), port(to)) {
            (true, Some(from), Some(to)) if from <= to => Ok(Self {
                name: name.into(),
                ports: (from, to),
            }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for ProxyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}-{}", self.name, self.ports.0, self.ports.1)
    }
}
