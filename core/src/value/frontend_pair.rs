//! Pairs of frontends that an operator declares, and their names.

use std::fmt;
use std::sync::Arc;

use crate::value::items::Item;
use crate::value::number::Port;
use crate::value::{KeyValue, Shape, ValueError};

/// A name and two ports, `NAME=HTTP/HTTPS`: a letter and up to 19 letters or digits, and two different
/// ports.
///
/// ```
/// # use haproxy_ingress_core::value::{frontend_pair::FrontendPair, items::Item};
/// let pair = FrontendPair::parse_item("internal=8080/8443")?;
/// assert_eq!((&*pair.name, pair.http, pair.https), ("internal", 8080, 8443));
/// assert!(FrontendPair::parse_item("internal=8080").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FrontendPair {
    /// The name.
    pub name: Arc<str>,
    /// The port for plain HTTP.
    pub http: u16,
    /// The port for HTTP over TLS.
    pub https: u16,
}

/// What an Ingress writes as the name of a pair. Any text is one, so that a wrong name never reads as
/// if nothing had been written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PairName(pub Arc<str>);

impl Item for FrontendPair {
    const SHAPE: Shape = Shape::Lines {
        grammar: "a pair of frontends, `NAME=HTTP_PORT/HTTPS_PORT`",
    };

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split('\n')
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            ValueError::new(
                "a letter and up to 19 letters or digits, `=`, and two ports with a `/` between them",
                text,
            )
        };
        let (name, ports) = text.split_once('=').ok_or_else(wrong)?;
        let (http, https) = ports.split_once('/').ok_or_else(wrong)?;
        let name = name.trim();
        let is_name = name.len() <= 20
            && name.starts_with(|it: char| it.is_ascii_alphabetic())
            && name.bytes().all(|it| it.is_ascii_alphanumeric());
        let (Ok(http), Ok(https)) = (Port::parse(http), Port::parse(https)) else {
            return Err(wrong());
        };
        if !is_name {
            return Err(wrong());
        }
        if http == https {
            return Err(ValueError::new("two different ports", text));
        }
        Ok(Self {
            name: name.into(),
            http: http.port(),
            https: https.port(),
        })
    }
}

impl KeyValue for PairName {
    const SHAPE: Shape = Shape::Text {
        grammar: "a name out of `http-frontends`",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        Ok(Self(text.trim().into()))
    }
}

impl fmt::Display for FrontendPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}/{}", self.name, self.http, self.https)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_reads_back_as_it_is_written() {
        for (text, written) in [
            ("a=1/2", "a=1/2"),
            (" Internal2 = 8080 / 8443 ", "Internal2=8080/8443"),
        ] {
            let pair = FrontendPair::parse_item(text).expect("a pair");
            assert_eq!(pair.to_string(), written);
            assert_eq!(FrontendPair::parse_item(written), Ok(pair));
        }
        for bad in [
            "",
            "a",
            "a=1",
            "a=1/1",
            "a=0/2",
            "a=1/70000",
            "1a=1/2",
            "a-b=1/2",
            "aaaaaaaaaaaaaaaaaaaaa=1/2",
            "a=1/2/3",
        ] {
            assert!(FrontendPair::parse_item(bad).is_err(), "{bad:?}");
        }
    }
}
