//! What makes a TCP service: a port on an Ingress, or an entry of the ConfigMap of TCP services.

use std::fmt;
use std::sync::Arc;

use crate::options::Name;
use crate::value::duration::Duration;
use crate::value::{KeyValue, Shape, ValueError, pattern, shown};

/// The port of a TCP service, as an Ingress asks for it.
///
/// A text that is no port is kept: what was meant for a port of its own must not be served over HTTP
/// because of a typing error.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, tcp::ServicePort};
/// assert_eq!(ServicePort::parse("5432")?, ServicePort::Tcp(5432));
/// assert_eq!(ServicePort::parse("0")?, ServicePort::None);
/// assert!(matches!(ServicePort::parse("psql")?, ServicePort::Wrong(_)));
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ServicePort {
    /// It is no TCP service.
    None,
    /// It is one on this port.
    Tcp(u16),
    /// It is meant to be one, and nobody knows on which port.
    Wrong(ValueError),
}

impl KeyValue for ServicePort {
    const SHAPE: Shape = Shape::Integer { min: 0, max: 65535 };

    fn pattern() -> Option<String> {
        // `-0` is no port.
        Some(pattern::trimmed(&format!(
            "[+]?{}",
            pattern::number(0, 65_535)
        )))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        Ok(match text.trim().parse::<u16>() {
            Ok(0) => Self::None,
            Ok(port) => Self::Tcp(port),
            Err(_) => {
                let expected = "a port from 1 to 65535, or 0 for an Ingress of HTTP";
                Self::Wrong(ValueError::new(expected, text))
            }
        })
    }
}

/// A port of a Service, by name or number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PortOfService(Arc<str>);

impl PortOfService {
    /// The text, shared.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl KeyValue for PortOfService {
    const SHAPE: Shape = Shape::Text {
        grammar: "a port of the Service, by name or number",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let port = text.trim();
        if !is_port(port) {
            return Err(ValueError::new(
                "a port of the Service, by name or number",
                text,
            ));
        }
        Ok(Self(port.into()))
    }
}

/// Whether a text can be the name of a port, or its number.
fn is_port(text: &str) -> bool {
    let is_letter = |it: u8| it.is_ascii_alphanumeric() || it == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(is_letter)
}

/// Which form of the PROXY protocol a server is spoken to with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SendProxy {
    /// Version 1, text.
    V1,
    /// Version 2, binary.
    V2,
}

/// What the ConfigMap of TCP services says of one port.
///
/// ```text
/// NAMESPACE/SERVICE:PORT[:[PROXY][:[PROXY|PROXY-V1|PROXY-V2][:[SECRET][:[CHECK|-][:[CA]]]]]]
/// ```
///
/// Fields behind the seventh are ignored, as they always were.
///
/// ```
/// # use haproxy_ingress_core::value::tcp::Entry;
/// let entry = Entry::parse("shop/db:5432::PROXY-V1")?;
/// assert_eq!(entry.to_string(), "shop/db:5432::PROXY-V1::2s:");
/// assert!(Entry::parse("db:5432").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The Service.
    pub service: Name,
    /// Its port, by name or by number.
    pub port: Arc<str>,
    /// Whether clients send the PROXY protocol.
    pub accept_proxy: bool,
    /// Whether servers are sent it.
    pub send_proxy: Option<SendProxy>,
    /// The Secret with the certificate, for a port that speaks TLS.
    pub certificate: Option<Name>,
    /// How often servers are checked; absent where they are not.
    pub check: Option<Duration>,
    /// Why the interval that was written is not the one that counts.
    pub check_refused: Option<ValueError>,
    /// The Secret with the authorities of certificates that clients must have.
    pub authorities: Option<Name>,
}

impl Entry {
    /// How often servers are checked if nothing is said.
    const CHECK: &'static str = "2s";

    /// Reads an entry.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let mut fields = text.split(':').map(str::trim);
        let mut next = || fields.next().unwrap_or_default();
        let (service, port) = (next(), next());
        let service = name(service)
            .ok_or_else(|| ValueError::new("a Service, `namespace/name`, in front", text))?;
        if !is_port(port) {
            return Err(ValueError::new(
                "a port of the Service behind its name, such as `shop/db:5432`",
                text,
            ));
        }
        let accept_proxy = match next().to_ascii_uppercase().as_str() {
            "" => false,
            "PROXY" => true,
            other => return Err(ValueError::new("`PROXY` or nothing as third field", other)),
        };
        let send_proxy = match next().to_ascii_uppercase().as_str() {
            "" => None,
            "PROXY" | "PROXY-V2" => Some(SendProxy::V2),
            "PROXY-V1" => Some(SendProxy::V1),
            other => {
                return Err(ValueError::new(
                    "`PROXY`, `PROXY-V1`, `PROXY-V2` or nothing as fourth field",
                    other,
                ));
            }
        };
        let secret = |field: &str| match field {
            "" => Ok(None),
            other => name(other)
                .map(Some)
                .ok_or_else(|| ValueError::new("a Secret, `namespace/name`", other)),
        };
        let certificate = secret(next())?;
        let (check, check_refused) = match next() {
            "-" => (None, None),
            "" => (Duration::parse(Self::CHECK).ok(), None),
            other => match Duration::parse(other) {
                Ok(interval) => (Some(interval), None),
                Err(error) => (Duration::parse(Self::CHECK).ok(), Some(error)),
            },
        };
        let authorities = secret(next())?;
        if authorities.is_some() && certificate.is_none() {
            // Without TLS nobody could show a certificate, and everybody would come.
            return Err(ValueError::new(
                "a certificate beside the authorities of clients",
                text,
            ));
        }
        Ok(Self {
            service,
            port: port.into(),
            accept_proxy,
            send_proxy,
            certificate,
            check,
            check_refused,
            authorities,
        })
    }
}

/// `namespace/name`, both of them names of objects (RFC 1123).
fn name(text: &str) -> Option<Name> {
    let is_name = |it: &str| {
        (1..=253).contains(&it.len())
            && it.bytes().all(|it| {
                it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-' || it == b'.'
            })
            && !it.starts_with(['-', '.'])
            && !it.ends_with(['-', '.'])
    };
    let (namespace, name) = text.split_once('/')?;
    (is_name(namespace) && is_name(name)).then(|| Name::new(namespace, name))
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_nothing = |it: &Option<Name>| it.as_ref().map(ToString::to_string);
        write!(
            f,
            "{}:{}:{}:{}:{}:{}:{}",
            self.service,
            self.port,
            if self.accept_proxy { "PROXY" } else { "" },
            match self.send_proxy {
                None => "",
                Some(SendProxy::V1) => "PROXY-V1",
                Some(SendProxy::V2) => "PROXY-V2",
            },
            or_nothing(&self.certificate).unwrap_or_default(),
            self.check.map_or_else(|| "-".into(), |it| it.to_string()),
            or_nothing(&self.authorities).unwrap_or_default(),
        )
    }
}

/// The number of a port that is public, as the ConfigMap of TCP services names it.
pub fn public_port(text: &str) -> Result<u16, ValueError> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(ValueError::new("a port from 1 to 65535", &shown(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back_as_it_is_written() {
        for text in [
            "shop/db:5432",
            "shop/db:psql:proxy:PROXY-V2",
            "shop/db:5432:::shop/tls",
            "shop/db:5432:::shop/tls:-:shop/ca",
            "shop/db:5432::::1m",
            "shop/db:5432:PROXY:PROXY:shop/tls:5s:shop/ca:more:fields",
        ] {
            let entry = Entry::parse(text).expect(text);
            assert_eq!(entry.check_refused, None, "{text}");
            assert_eq!(Entry::parse(&entry.to_string()), Ok(entry), "{text}");
        }
    }

    #[test]
    fn an_interval_that_is_none_does_not_take_the_service_away() {
        let entry = Entry::parse("shop/db:5432::::soon").expect("an entry");
        assert!(entry.check_refused.is_some());
        assert_eq!(entry.check.map(|it| it.to_string()).as_deref(), Some("2s"));
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for bad in [
            "",
            "db:5432",
            "shop/db",
            "shop/db:",
            "shop/db:54 32",
            "shop/db:5432:yes",
            "shop/db:5432::PROXY-V3",
            "shop/db:5432:::tls",
            "shop/db:5432::::2s:shop/ca",
            "shop/d\nb:5432",
            "../db:5432",
        ] {
            assert!(Entry::parse(bad).is_err(), "{bad:?}");
        }
        assert!(public_port("psql").is_err());
        assert!(public_port("0").is_err());
    }
}
