//! Checks of servers: where they go, what they ask and what they send.

use std::net::IpAddr;
use std::sync::Arc;

use crate::value::header::HeaderName;
use crate::value::text::{Format, Line};
use crate::value::{KeyValue, Shape, ValueError, address, pattern};

/// The IP address of what is asked about a server.
///
/// Names are refused: HAProxy would resolve them while it starts and refuse to start when it cannot.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, check::CheckAddress};
/// assert!(CheckAddress::parse("10.0.0.1").is_ok());
/// assert!(CheckAddress::parse("check.example").is_err());
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckAddress(IpAddr);

/// The request of a check: a path, perhaps with a method in front and a version behind, and behind
/// that headers, each introduced by `\r\n`. Blanks in headers may have a backslash in front.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, check::HttpCheck};
/// let check = HttpCheck::parse(r"HEAD /ready HTTP/1.1\r\nHost:\ app.example")?;
/// assert_eq!(check.line().as_str(), "meth HEAD uri /ready ver HTTP/1.1 hdr Host app.example");
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpCheck {
    method: Option<String>,
    uri: String,
    version: Option<&'static str>,
    headers: Vec<(HeaderName, String)>,
}

/// What an agent is sent: a line of text in which `\n`, `\r`, `\t` and `\\` stand for a line feed, a
/// carriage return, a tab and a backslash, and a backslash in front of a blank for nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AgentText(Arc<str>);

impl CheckAddress {
    /// Whether a tenant may send checks there: not to HAProxy's own machine, and not where only the
    /// machine's neighbours are, such as the cloud's metadata.
    pub fn is_for_tenants(self) -> bool {
        !address::is_local(self.0)
    }

    /// The address as one word.
    pub fn line(self) -> Line {
        Line::default().text(&self.0.to_string())
    }
}

impl KeyValue for CheckAddress {
    const SHAPE: Shape = Shape::Text {
        grammar: "an IP address",
    };

    fn pattern() -> Option<String> {
        let (v4, v6) = (pattern::ipv4(), pattern::ipv6());
        Some(pattern::trimmed(&format!(r"{v4}|{v6}|\[{v6}\]")))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let address = text.trim();
        let inner = address
            .strip_prefix('[')
            .and_then(|it| it.strip_suffix(']'));
        match inner.unwrap_or(address).parse::<IpAddr>() {
            Ok(ip) if inner.is_none() || ip.is_ipv6() => Ok(Self(ip)),
            _ => Err(ValueError::new(
                "an IP address without a port, such as `10.0.0.1`",
                text,
            )),
        }
    }
}

impl HttpCheck {
    /// What stands behind `http-check send`.
    pub fn line(&self) -> Line {
        let mut line = Line::default();
        if let Some(method) = &self.method {
            line = line.and("meth").text(method);
        }
        line = line.and("uri").text(&self.uri);
        if let Some(version) = self.version {
            line = line.and("ver").and(version);
        }
        for (name, value) in &self.headers {
            line = line
                .and("hdr")
                .text(name.as_str())
                .format(&Format::literal(value));
        }
        line
    }
}

impl KeyValue for HttpCheck {
    const SHAPE: Shape = Shape::Text {
        grammar: "a path, perhaps with a method in front",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        /// HAProxy takes 64 words a line, and each header has three.
        const MAX_HEADERS: usize = 10;
        let wrong = || {
            ValueError::new(
                "a path, perhaps with a method in front and a version behind, such as `/ready` or \
                 `HEAD /ready HTTP/1.1`",
                text,
            )
        };
        let (first, rest) = text
            .trim()
            .split_once("\\r\\n")
            .unwrap_or((text.trim(), ""));
        let words: Vec<&str> = first.split(' ').filter(|it| !it.is_empty()).collect();
        let (method, uri, version) = match *words {
            [uri] => (None, uri, None),
            [method, uri] => (Some(method), uri, None),
            [method, uri, version] => (Some(method), uri, Some(version)),
            _ => return Err(wrong()),
        };
        let is_method = |it: &str| it.len() <= 32 && it.bytes().all(|it| it.is_ascii_uppercase());
        let is_uri = |it: &str| {
            it.starts_with('/') && it.len() <= 2048 && it.bytes().all(|it| it.is_ascii_graphic())
        };
        let version = match version {
            None => None,
            Some("HTTP/1.0") => Some("HTTP/1.0"),
            Some("HTTP/1.1") => Some("HTTP/1.1"),
            Some(_) => return Err(wrong()),
        };
        if !is_uri(uri) || !method.is_none_or(is_method) {
            return Err(wrong());
        }
        let mut headers = Vec::new();
        for header in rest.split("\\r\\n").filter(|it| !it.is_empty()) {
            let (name, value) = header.split_once(':').ok_or_else(wrong)?;
            let value = value.replace("\\ ", " ");
            let value = value.trim();
            let is_value = value.len() <= 1024 && value.chars().all(|it| matches!(it, ' '..='~'));
            if !is_value || headers.len() == MAX_HEADERS {
                return Err(wrong());
            }
            headers.push((HeaderName::parse(name)?, value.to_owned()));
        }
        Ok(Self {
            method: method.map(Into::into),
            uri: uri.into(),
            version,
            headers,
        })
    }
}

impl AgentText {
    /// The text as one word.
    pub fn line(&self) -> Line {
        Line::default().text(&self.0)
    }
}

impl KeyValue for AgentText {
    const SHAPE: Shape = Shape::Text {
        grammar: "a text, \\n stands for a line feed",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            ValueError::new(
                "a line of at most 256 bytes, in which `\\n` stands for a line feed",
                text,
            )
        };
        let text = text.trim();
        let text = text
            .strip_prefix('"')
            .and_then(|it| it.strip_suffix('"'))
            .unwrap_or(text);
        let mut sent = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => sent.push(match chars.next() {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some(c @ ('\\' | ' ' | '"' | '#' | '\'')) => c,
                    _ => return Err(wrong()),
                }),
                c if c.is_control() => return Err(wrong()),
                c => sent.push(c),
            }
        }
        if sent.is_empty() || sent.len() > 256 {
            return Err(wrong());
        }
        Ok(Self(sent.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_with_its_parts() {
        for (text, written) in [
            ("/ready", "uri /ready"),
            ("GET /a?b=c#d", r#"meth GET uri "/a?b=c#d""#),
            ("OPTIONS / HTTP/1.0", "meth OPTIONS uri / ver HTTP/1.0"),
            (
                r"GET / HTTP/1.1\r\nHost:\ a.example\r\nX-A: 50%",
                "meth GET uri / ver HTTP/1.1 hdr Host a.example hdr X-A 50%%",
            ),
        ] {
            let check = HttpCheck::parse(text).expect(text);
            assert_eq!(check.line().as_str(), written, "{text}");
        }
        for bad in [
            "",
            "ready",
            "get /",
            "GET / HTTP/2",
            "GET / HTTP/1.1 x",
            "/a\nb",
            r"GET / HTTP/1.1\r\nHost",
            r"GET / HTTP/1.1\r\nX: %[env(HOME)]é",
            r"/ready\r",
            "GET\t/",
        ] {
            // A backslash alone is a byte of the path.
            assert_eq!(HttpCheck::parse(bad).is_ok(), bad == r"/ready\r", "{bad}");
        }
    }

    #[test]
    fn an_agent_is_sent_what_haproxy_would_have_read() {
        for (text, written) in [
            ("ready", "ready"),
            (r"hello\n", r"hello\x0a"),
            (r#""two words""#, r#""two words""#),
            (r"two\ words", r#""two words""#),
        ] {
            assert_eq!(AgentText::parse(text).expect(text).line().as_str(), written);
        }
        for bad in ["", "a\nb", r"\x00", "\\", &"a".repeat(300)] {
            assert!(AgentText::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tenants_do_not_reach_the_machine_itself() {
        for (text, reached) in [
            ("10.0.0.1", true),
            ("[2001:db8::1]", true),
            ("127.0.0.1", false),
            ("0.0.0.0", false),
            ("169.254.169.254", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::127.0.0.1", false),
            ("fe80::1", false),
        ] {
            let address = CheckAddress::parse(text).expect(text);
            assert_eq!(address.is_for_tenants(), reached, "{text}");
        }
    }
}
