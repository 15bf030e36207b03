//! Where redirects go.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError, pattern};

/// A path or a URL for the header `Location`: one line without blanks or control characters.
///
/// It reaches HAProxy as data in a map, never as text of a directive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Location(Arc<str>);

/// The status of a redirect: 301, 302, 303, 307 or 308, the ones that HAProxy knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RedirectCode(u16);

impl Location {
    /// The location.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyValue for Location {
    const SHAPE: Shape = Shape::Text {
        grammar: "a path or a URL",
    };

    fn pattern() -> Option<String> {
        Some(pattern::trimmed(r"\S+"))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let location = text.trim();
        // Lines of maps have an end: HAProxy takes what is behind it for a line of its own.
        if location.is_empty()
            || location.len() > 4096
            || location
                .chars()
                .any(|it| it.is_whitespace() || it.is_control())
        {
            return Err(ValueError::new(
                "a path or a URL of at most 4096 bytes without blanks",
                text,
            ));
        }
        Ok(Self(location.into()))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RedirectCode {
    /// The status.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl KeyValue for RedirectCode {
    const SHAPE: Shape = Shape::Choice {
        words: &["301", "302", "303", "307", "308"],
    };

    fn pattern() -> Option<String> {
        Some(pattern::trimmed("[+]?0*(?:30[12378])"))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        match text.trim().parse() {
            Ok(code @ (301 | 302 | 303 | 307 | 308)) => Ok(Self(code)),
            _ => Err(ValueError::new(
                "one of `301`, `302`, `303`, `307`, `308`",
                text,
            )),
        }
    }
}

impl fmt::Display for RedirectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
