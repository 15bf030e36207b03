//! Services that decide who may come.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::value::hostname::Hostname;
use crate::value::{KeyValue, Shape, ValueError, address};

/// Where somebody asks who may come; looked up later.
///
/// Grammar: `PROTOCOL://[NAMESPACE/]NAME[:PORT][/PATH]`. With `svc` or `service` the name is a
/// Service's and the port its number or name; with `http` or `https` it is a host or an address. The
/// path may have a query.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, auth_url::AuthUrl};
/// assert_eq!(&**AuthUrl::parse("svc://login/auth:http/check?x=1")?.path(), "/check?x=1");
/// assert_eq!(AuthUrl::parse("https://auth.example")?.to_string(), "https://auth.example:443/");
/// assert!(AuthUrl::parse("auth.example").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthUrl {
    server: AuthServer,
    path: Arc<str>,
}

/// Who is asked.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum AuthServer {
    /// A Service.
    Service {
        /// Its namespace; absent for the one of whoever asks.
        namespace: Option<Arc<str>>,
        /// Its name.
        name: Arc<str>,
        /// The number or name of its port.
        port: Arc<str>,
    },
    /// A host by its name or address.
    Host {
        /// Whether it speaks TLS.
        is_tls: bool,
        /// The name or address.
        host: AuthHost,
        /// The port.
        port: u16,
    },
}

/// A host by its name or address.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum AuthHost {
    /// A DNS name.
    Name(Hostname),
    /// An address.
    Ip(IpAddr),
}

impl AuthUrl {
    /// Who is asked.
    pub fn server(&self) -> &AuthServer {
        &self.server
    }

    /// The path and its query.
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }
}

impl AuthHost {
    fn parse(text: &str) -> Option<Self> {
        let inside = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        if let Some(inside) = inside {
            let ip = inside.parse().ok().filter(IpAddr::is_ipv6);
            return ip.map(Self::Ip);
        }
        if let Ok(ip) = text.parse::<std::net::Ipv4Addr>() {
            return Some(Self::Ip(ip.into()));
        }
        let name = Hostname::parse(text)
            .ok()
            .filter(|it| !it.as_str().starts_with('*'))?;
        // A name of digits would be read as an address.
        let last = name.as_str().rsplit('.').next().unwrap_or_default();
        last.bytes()
            .any(|it| !it.is_ascii_digit())
            .then_some(Self::Name(name))
    }

    /// Whether it is this machine or the link that it is on, where nothing of a tenant's is.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Name(name) => address::is_local_host(name.as_str()),
            Self::Ip(ip) => address::is_local(*ip),
        }
    }
}

impl KeyValue for AuthUrl {
    const SHAPE: Shape = Shape::Text {
        grammar: "`svc://[namespace/]name:port[/path]` or `http[s]://host[:port][/path]`",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            ValueError::new(
                "`svc://[namespace/]name:port[/path]` or `http[s]://host[:port][/path]`",
                text,
            )
        };
        let trimmed = text.trim();
        let is_plain = |it: u8| it.is_ascii_graphic() && !matches!(it, b'"' | b'\'' | b'\\' | b'#');
        if trimmed.len() > 2048 || !trimmed.bytes().all(is_plain) {
            return Err(wrong());
        }
        let (protocol, rest) = trimmed.split_once("://").ok_or_else(wrong)?;
        let protocol = protocol.to_ascii_lowercase();
        let (server, path) = match protocol.as_str() {
            "svc" | "service" => {
                let (first, behind) = rest.split_once('/').unwrap_or((rest, ""));
                let (namespace, rest) = if first.contains(':') {
                    (None, rest)
                } else {
                    (Some(first), behind)
                };
                let (authority, path) = cut(rest);
                let (name, port) = authority.split_once(':').ok_or_else(wrong)?;
                let is_port = (1..=63).contains(&port.len())
                    && port
                        .bytes()
                        .all(|it| it.is_ascii_alphanumeric() || it == b'-');
                if !is_name(name) || !namespace.is_none_or(is_name) || !is_port {
                    return Err(wrong());
                }
                let server = AuthServer::Service {
                    namespace: namespace.map(Into::into),
                    name: name.into(),
                    port: port.into(),
                };
                (server, path)
            }
            "http" | "https" => {
                let is_tls = protocol == "https";
                let (authority, path) = cut(rest);
                let end = authority.find(']').map_or(0, |it| it + 1);
                let (host, port) = match authority[end..].rfind(':') {
                    Some(place) => {
                        let port = authority[end + place + 1..].parse().ok();
                        let port = port.filter(|it: &u16| *it > 0).ok_or_else(wrong)?;
                        (&authority[..end + place], port)
                    }
                    None => (authority, if is_tls { 443 } else { 80 }),
                };
                let host = AuthHost::parse(host).ok_or_else(wrong)?;
                (AuthServer::Host { is_tls, host, port }, path)
            }
            _ => return Err(wrong()),
        };
        let path = if path.starts_with('/') {
            path.into()
        } else {
            format!("/{path}").into()
        };
        Ok(Self { server, path })
    }
}

/// What stands in front of the path, and the path.
fn cut(text: &str) -> (&str, &str) {
    text.split_at(text.find(['/', '?']).unwrap_or(text.len()))
}

/// Whether a text is the name of an object (RFC 1123).
fn is_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text
            .bytes()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-' || it == b'.')
        && !text.starts_with(['-', '.'])
        && !text.ends_with(['-', '.'])
}

impl fmt::Display for AuthHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

impl fmt::Display for AuthUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            AuthServer::Service {
                namespace,
                name,
                port,
            } => {
                f.write_str("svc://")?;
                if let Some(namespace) = namespace {
                    write!(f, "{namespace}/")?;
                }
                write!(f, "{name}:{port}")?;
            }
            AuthServer::Host { is_tls, host, port } => {
                let s = if *is_tls { "s" } else { "" };
                write!(f, "http{s}://{host}:{port}")?;
            }
        }
        f.write_str(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_read_back_as_they_are_written() {
        for (text, written) in [
            ("svc://auth:80", "svc://auth:80/"),
            ("SERVICE://login/auth:http/a/b", "svc://login/auth:http/a/b"),
            ("svc://auth:http/x:y", "svc://auth:http/x:y"),
            (
                "http://Auth.Example/check?a=b",
                "http://auth.example:80/check?a=b",
            ),
            ("http://auth.example?a", "http://auth.example:80/?a"),
            ("https://10.0.0.1:8443", "https://10.0.0.1:8443/"),
            ("http://[2001:db8::1]:81/x", "http://[2001:db8::1]:81/x"),
            ("http://[2001:db8::1]", "http://[2001:db8::1]:80/"),
        ] {
            let url = AuthUrl::parse(text).expect("a URL");
            assert_eq!(url.to_string(), written);
            assert_eq!(AuthUrl::parse(written), Ok(url));
        }
        for bad in [
            "",
            "auth",
            "ftp://auth",
            "svc://auth",
            "svc://a/b/c:80",
            "svc://auth:80 x",
            "svc://auth:",
            "svc://Auth:80",
            "http://",
            "http://a b/",
            "http://a:0/",
            "http://a:99999/",
            "http://*.example/",
            "http://1.2.3/",
            "http://user@host/",
            "http://[10.0.0.1]/",
            "http://a/\nb",
            "http://a/\"b",
            "http://a/#b",
            "http://unix@/x",
        ] {
            assert!(AuthUrl::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn this_machine_is_told_apart() {
        let is_local = |text: &str| AuthHost::parse(text).map(|it| it.is_local());
        for (text, local) in [
            ("127.0.0.1", Some(true)),
            ("[::ffff:127.0.0.1]", Some(true)),
            ("localhost", Some(true)),
            ("0x7f000001", Some(true)),
            ("127.1", None),
            ("10.0.0.1", Some(false)),
            ("auth.example", Some(false)),
            ("[2001:db8::1]", Some(false)),
        ] {
            assert_eq!(is_local(text), local, "{text}");
        }
    }
}
