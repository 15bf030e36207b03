//! A request, as a client sends it.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::value::ValueError;

/// A request, and what is known of the connection in which it comes.
///
/// ```
/// use haproxy_ingress_core::explain::{Request, Scheme};
///
/// let request = Request::of_url("https://shop.example:8443/cart?item=1#top")?;
/// assert_eq!((request.scheme, request.port), (Scheme::Https, Some(8443)));
/// assert_eq!(request.target, "/cart?item=1");
/// assert_eq!(request.header("host"), Some("shop.example:8443"));
/// assert_eq!(request.sni.as_deref(), Some("shop.example"));
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    /// The method, such as `GET`.
    pub method: String,
    /// Whether it comes over TLS.
    pub scheme: Scheme,
    /// The port that the client connects to; absent for the usual one of the scheme.
    pub port: Option<u16>,
    /// The path with its query, as it is sent: `/cart?item=1`.
    pub target: String,
    /// Headers in their order, `Host` among them.
    pub headers: Vec<Header>,
    /// The address from which the client connects.
    pub client: IpAddr,
    /// The host that the client names in the handshake of TLS, if it names one.
    pub sni: Option<String>,
    /// What certificate the client shows where it is asked for one.
    pub certificate: Certificate,
    /// The length of the body, in bytes.
    pub body_size: u64,
}

/// A header field.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Header {
    /// Its name, in any case.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// How a client speaks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// HTTP in clear.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
}

/// The certificate of a client.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certificate {
    /// It has none.
    #[default]
    None,
    /// One that the authority of the handshake's host accepts.
    Good,
    /// One that it does not accept.
    Bad,
}

impl Default for Request {
    /// `GET /` without any header, from the address that RFC 5737 keeps for examples.
    fn default() -> Self {
        Self {
            method: "GET".into(),
            scheme: Scheme::Http,
            port: None,
            target: "/".into(),
            headers: Vec::new(),
            client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            sni: None,
            certificate: Certificate::None,
            body_size: 0,
        }
    }
}

impl Request {
    /// The request that a client makes of a URL (RFC 3986): `http://` or `https://`, a host, a port, a
    /// path and a query. Without a scheme it is `http://`. A fragment is not sent.
    ///
    /// # Errors
    ///
    /// When the text is no such URL, with what is expected.
    pub fn of_url(url: &str) -> Result<Self, ValueError> {
        let wrong = |expected: &str| ValueError::new(expected, url);
        let (scheme, rest) = match url.split_once("://") {
            Some((it, rest)) if it.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some((it, rest)) if it.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some(_) => return Err(wrong("a URL with `http://` or `https://`")),
            None => (Scheme::Http, url),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        // What stands in front of `@` is for the client, and not sent.
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (authority, ""),
        };
        let port = match port {
            "" => None,
            port => Some(
                port.parse()
                    .ok()
                    .filter(|it| *it > 0)
                    .ok_or_else(|| wrong("a URL whose port is 1 to 65535"))?,
            ),
        };
        if host.is_empty() || !host.bytes().all(is_of_host) {
            return Err(wrong(
                "a URL with a host, such as `https://shop.example/cart`",
            ));
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        let usual = match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        // A client names a port that is not the usual one.
        let named = match port.filter(|it| *it != usual) {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        // An address is no name that a handshake could have.
        let is_name = !host.starts_with('[') && host.parse::<Ipv4Addr>().is_err();
        Ok(Self {
            scheme,
            port,
            target: encoded(&format!("{slash}{target}")),
            headers: vec![Header::new("Host", named)],
            sni: (is_name && scheme == Scheme::Https).then(|| host.to_ascii_lowercase()),
            ..Self::default()
        })
    }

    /// The first value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let header = headers.find(|it| it.name.eq_ignore_ascii_case(name))?;
        Some(&header.value)
    }

    /// The same request with a header. A `Host` takes the place of the one that is there, because no
    /// client sends two.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if name.eq_ignore_ascii_case("host") {
            self.headers
                .retain(|it| !it.name.eq_ignore_ascii_case(name));
        }
        self.headers.push(Header::new(name, value));
        self
    }

    /// The path without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query behind `?`, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|it| it.1)
    }
}

impl Header {
    /// A header field.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// What a host of a URL is made of: names, and addresses in brackets.
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~*[]:%".contains(&byte)
}

/// What browsers write for bytes that no path has (WHATWG URL, path percent-encode set).
fn encoded(target: &str) -> String {
    let mut text = String::with_capacity(target.len());
    for byte in target.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>`{}".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_what_a_client_sends() {
        for (url, host, target, sni) in [
            ("shop.example", "shop.example", "/", None),
            ("http://a.example:80/x", "a.example", "/x", None),
            ("http://a.example?q=1", "a.example", "/?q=1", None),
            (
                "https://A.example/\u{e4} b",
                "A.example",
                "/%C3%A4%20b",
                Some("a.example"),
            ),
            (
                "https://me:pw@a.example:444",
                "a.example:444",
                "/",
                Some("a.example"),
            ),
            ("https://[::1]:8443/", "[::1]:8443", "/", None),
            ("https://10.0.0.1/", "10.0.0.1", "/", None),
        ] {
            let request = Request::of_url(url).expect("it is a URL");
            assert_eq!(request.header("HOST"), Some(host), "{url}");
            assert_eq!(
                (&*request.target, request.sni.as_deref()),
                (target, sni),
                "{url}"
            );
        }
        for url in [
            "",
            "/x",
            "ftp://a/",
            "http://a:0/",
            "http://a:x/",
            "http://a b/",
        ] {
            let error = Request::of_url(url).expect_err("it is no URL");
            assert!(error.to_string().contains("a URL"), "{error}");
        }
    }

    #[test]
    fn what_is_left_out_of_json_is_usual() {
        let request: Request =
            serde_json::from_str(r#"{"target": "/a?b", "scheme": "https"}"#).expect("it is JSON");
        assert_eq!((request.path(), request.query()), ("/a", Some("b")));
        assert_eq!((&*request.method, request.scheme), ("GET", Scheme::Https));
        let other = request.clone().with("host", "a").with("Host", "b");
        assert_eq!(other.headers, [Header::new("Host", "b")]);
    }
}
