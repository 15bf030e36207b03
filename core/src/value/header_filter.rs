//! What a header of a request must be for a path to match.

use std::sync::Arc;

use crate::value::header::HeaderName;
use crate::value::items::Item;
use crate::value::regex::Regex;
use crate::value::text::Line;
use crate::value::{KeyValue as _, Shape, ValueError};

/// A header and what one of its values must be.
///
/// Names are compared in any case, values as they are. HAProxy cuts a header at its commas; any of the
/// parts may be the one.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HeaderFilter {
    /// The header's name in lower case.
    name: Arc<str>,
    /// Whether the text is a regular expression that a value matches, and not the value.
    is_regex: bool,
    text: Arc<str>,
}

/// A line `name: value` or `name value`.
///
/// ```
/// # use haproxy_ingress_core::value::{header_filter::HeaderIs, items::Item};
/// let filter = HeaderIs::parse_item("X-Version: beta 2")?.0;
/// assert_eq!(filter.test().as_str(), "{ req.hdr(x-version) -m str -- \"beta 2\" }");
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderIs(pub HeaderFilter);

/// A line `name: expression` or `name expression`; the expression may match anywhere in the value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderMatches(pub HeaderFilter);

impl HeaderFilter {
    /// The header's name in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The test as HAProxy writes it.
    pub fn test(&self) -> Line {
        self.behind("{")
    }

    /// The test that holds where the other one does not.
    pub fn test_not(&self) -> Line {
        self.behind("!{")
    }

    fn behind(&self, open: &'static str) -> Line {
        let method = if self.is_regex { "-m reg" } else { "-m str" };
        // The name is one of letters, digits, `-`, `_` and `.`.
        Line::keyword(open)
            .and(&format!("req.hdr({}) {method} --", self.name))
            .text(&self.text)
            .and("}")
    }
}

/// Cuts a line into name and value.
fn cut(text: &str) -> Result<(Arc<str>, &str), ValueError> {
    let wrong = || ValueError::new("a header and its value, `name: value`", text);
    let (name, value) = text.split_once([':', ' ', '\t']).ok_or_else(wrong)?;
    let value = value.trim();
    // `name : value`, too.
    let value = if text[name.len()..].starts_with(':') {
        value
    } else {
        value.strip_prefix(':').map_or(value, str::trim)
    };
    if value.is_empty() {
        return Err(wrong());
    }
    // A brace alone would end the test.
    if value.len() > 1024 || value == "}" || value.chars().any(char::is_control) {
        return Err(ValueError::new(
            "a header's value of at most 1024 bytes without control characters, and not `}`",
            text,
        ));
    }
    let name = HeaderName::parse(name)?;
    Ok((name.as_str().to_ascii_lowercase().into(), value))
}

impl Item for HeaderIs {
    const SHAPE: Shape = Shape::Lines {
        grammar: "a header and its value, `name: value`",
    };

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split('\n')
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        let (name, value) = cut(text)?;
        Ok(Self(HeaderFilter {
            name,
            is_regex: false,
            text: value.into(),
        }))
    }
}

impl Item for HeaderMatches {
    const SHAPE: Shape = Shape::Lines {
        grammar: "a header and a regular expression, `name: expression`",
    };

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split('\n')
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        let (name, value) = cut(text)?;
        let pattern = Regex::parse(value)?;
        Ok(Self(HeaderFilter {
            name,
            is_regex: true,
            text: pattern.as_str().into(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_and_a_value() {
        for (text, test) in [
            ("X-A: b", "{ req.hdr(x-a) -m str -- b }"),
            ("X-A b", "{ req.hdr(x-a) -m str -- b }"),
            (
                "X-A : -f /etc/passwd",
                "{ req.hdr(x-a) -m str -- \"-f /etc/passwd\" }",
            ),
            ("X-A: $HOME", r"{ req.hdr(x-a) -m str -- \x24HOME }"),
            ("X-A: %[src]", "{ req.hdr(x-a) -m str -- %[src] }"),
        ] {
            let filter = HeaderIs::parse_item(text).expect("a header");
            assert_eq!(filter.0.test().as_str(), test, "{text}");
        }
        for bad in [
            "X-A",
            "X-A:",
            ": b",
            "X'A: b",
            "X-A: }",
            "X-A: b\u{0}",
            "X-A: b\rc",
        ] {
            assert!(HeaderIs::parse_item(bad).is_err(), "{bad:?}");
        }
        let filter = HeaderMatches::parse_item("X-A: ^b+$").expect("an expression");
        assert_eq!(
            filter.0.test().as_str(),
            r"{ req.hdr(x-a) -m reg -- ^b+\x24 }"
        );
        for bad in ["X-A: (", "X-A: a b"] {
            assert!(HeaderMatches::parse_item(bad).is_err(), "{bad:?}");
        }
    }
}
