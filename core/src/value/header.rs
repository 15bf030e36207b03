//! Names of HTTP headers.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError};

/// The name of an HTTP header: a token of RFC 9110, section 5.6.2.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderName(Arc<str>);

/// The name of a header, or an empty text that switches the header off.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OptionalHeaderName(pub Option<HeaderName>);

impl HeaderName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyValue for HeaderName {
    const SHAPE: Shape = Shape::Text {
        grammar: "the name of a header",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let name = text.trim();
        let is_token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
        if name.is_empty() || name.len() > 256 || !name.bytes().all(is_token) {
            return Err(ValueError::new(
                "the name of a header: letters, digits and dashes",
                text,
            ));
        }
        Ok(Self(name.into()))
    }
}

impl KeyValue for OptionalHeaderName {
    const SHAPE: Shape = Shape::Text {
        grammar: "the name of a header, or nothing",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        if text.trim().is_empty() {
            return Ok(Self(None));
        }
        HeaderName::parse(text).map(|it| Self(Some(it)))
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
