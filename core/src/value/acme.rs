//! What an account at an authority of certificates needs (ACME, RFC 8555).

use std::fmt;
use std::sync::Arc;

use crate::value::items::Item;
use crate::value::{KeyValue, Shape, ValueError, choice, pattern};

/// The directory of an authority: `v2` or `v02` for Let's Encrypt, `v2-staging` or `v02-staging` for
/// its tests, or a URL, to which `/directory` is added.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, acme::Directory};
/// let directory = Directory::parse("https://ca.example/acme/")?;
/// assert_eq!(directory.to_string(), "https://ca.example/acme/directory");
/// assert!(Directory::parse("ca.example").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Directory(Arc<str>);

/// An address of electronic mail: something on both sides of one `@`, without blanks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Email(Arc<str>);

/// The common name of an issuer: one line of at most 255 bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chain(Arc<str>);

choice! {
    /// Who signs a certificate.
    pub enum Signer {
        /// An authority that speaks ACME.
        Acme = "acme",
    }
}

impl KeyValue for Directory {
    const SHAPE: Shape = Shape::Text {
        grammar: "v2, v2-staging or a URL",
    };

    fn pattern() -> Option<String> {
        Some(pattern::trimmed(
            "v0?2(?:-staging)?|https?://[!-.0-~][!-~]*",
        ))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let base = match text.trim() {
            "v2" | "v02" => "https://acme-v02.api.letsencrypt.org",
            "v2-staging" | "v02-staging" => "https://acme-staging-v02.api.letsencrypt.org",
            url => url,
        };
        let rest = base
            .strip_prefix("https://")
            .or_else(|| base.strip_prefix("http://"));
        let is_url = rest.is_some_and(|it| {
            let host = it.split('/').next().unwrap_or_default();
            !host.is_empty() && it.bytes().all(|it| it.is_ascii_graphic())
        });
        if is_url {
            Ok(Self(base.trim_end_matches('/').into()))
        } else {
            Err(ValueError::new(
                "`v2`, `v2-staging` or a URL, such as `https://ca.example/acme`",
                text,
            ))
        }
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/directory", self.0)
    }
}

impl Item for Email {
    const SHAPE: Shape = Shape::Text {
        grammar: "addresses of electronic mail, joined by commas",
    };

    fn pattern() -> Option<String> {
        Some(pattern::items("[!-+\\--?A-~]+@[!-+\\--?A-~]+"))
    }

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split(',')
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        let is_part = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_graphic());
        match text.split_once('@') {
            Some((local, host)) if is_part(local) && is_part(host) && !host.contains('@') => {
                Ok(Self(text.into()))
            }
            _ => Err(ValueError::new(
                "an address such as `admin@example.com`",
                text,
            )),
        }
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KeyValue for Chain {
    const SHAPE: Shape = Shape::Text {
        grammar: "the common name of an issuer",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        const MAX: usize = 255;
        let name = text.trim();
        if name.is_empty() || name.len() > MAX || name.chars().any(char::is_control) {
            return Err(ValueError::new("the common name of an issuer", text));
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_something_on_both_sides() {
        assert!(Email::parse_item("a@b.example").is_ok());
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\n"] {
            assert!(Email::parse_item(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_directory_has_a_short_name() {
        for (text, written) in [
            ("v2", "https://acme-v02.api.letsencrypt.org/directory"),
            (
                "v02-staging",
                "https://acme-staging-v02.api.letsencrypt.org/directory",
            ),
            ("http://ca:14000/dir", "http://ca:14000/dir/directory"),
        ] {
            let directory = Directory::parse(text).expect("it is one");
            assert_eq!(directory.to_string(), written);
        }
        for bad in [
            "",
            "v1",
            "https://",
            "ftp://a",
            "https://a b",
            "https://a\nb",
        ] {
            assert!(Directory::parse(bad).is_err(), "{bad:?}");
        }
    }
}
