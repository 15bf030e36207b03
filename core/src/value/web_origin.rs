//! Origins of web pages, as browsers write them into the header `Origin`.

use std::sync::Arc;

use crate::value::items::Item;
use crate::value::regex::Regex;
use crate::value::{KeyValue, Shape, ValueError};

/// Which origins may read an answer: one of them by name, or any.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WebOrigin {
    /// `*`.
    Any,
    /// `scheme://host` or `scheme://host:port`, in lower case as browsers write it.
    Named(Arc<str>),
}

impl Item for WebOrigin {
    const SHAPE: Shape = Shape::Text {
        grammar: "origins, such as https://app.example, separated by commas, or *",
    };

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split(',')
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let wrong = || {
            ValueError::new(
                "an origin, such as `https://app.example` or `http://localhost:8080`",
                text,
            )
        };
        let origin = text.to_ascii_lowercase();
        let (scheme, authority) = origin.split_once("://").ok_or_else(wrong)?;
        let is_scheme = scheme.starts_with(|it: char| it.is_ascii_lowercase())
            && scheme
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"+-.".contains(&it));
        let (host, port) = match authority.rsplit_once(':') {
            // The last colon of an IPv6 address stands inside of its brackets.
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let is_port = port
            .is_none_or(|it| it.bytes().all(|it| it.is_ascii_digit()) && it.parse::<u16>().is_ok());
        let is_host = match host.strip_prefix('[') {
            Some(address) => address
                .strip_suffix(']')
                .is_some_and(|it| it.parse::<std::net::Ipv6Addr>().is_ok()),
            None => {
                !host.is_empty()
                    && host.len() <= 253
                    && host
                        .bytes()
                        .all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
            }
        };
        if !is_scheme || !is_host || !is_port {
            let error = wrong();
            return Err(match (origin.contains('*'), host.split_once('/')) {
                (true, _) => error.help("use `cors-allow-origin-regex` for patterns"),
                (false, Some(_)) => error.help("leave out the path"),
                (false, None) => error,
            });
        }
        Ok(Self::Named(origin.into()))
    }
}

impl Item for Regex {
    const SHAPE: Shape = Shape::Text {
        grammar: "regular expressions, separated by blanks",
    };

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split_whitespace()
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        if text.starts_with('#') {
            // In a list file this would be a comment.
            return Err(ValueError::new(
                "a regular expression that does not begin with `#`",
                text,
            ));
        }
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_read_as_browsers_write_them() {
        for (text, origin) in [
            ("https://App.example", "https://app.example"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("chrome-extension://abc", "chrome-extension://abc"),
        ] {
            assert_eq!(
                WebOrigin::parse_item(text),
                Ok(WebOrigin::Named(origin.into())),
                "{text}"
            );
        }
        assert_eq!(WebOrigin::parse_item("*"), Ok(WebOrigin::Any));
        for bad in [
            "app.example",
            "https://",
            "https://a/",
            "https://*.example",
            "https://a:b",
            "https://a:",
            "https://a:99999",
            "https://a b",
            "https://a\n",
            "null",
            "://a",
            "1x://a",
            "https://[::1",
        ] {
            assert!(WebOrigin::parse_item(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_comment_is_no_expression() {
        assert!(Regex::parse_item(r"^https://.*\.example$").is_ok());
        assert!(Regex::parse_item("#x").is_err());
    }
}
