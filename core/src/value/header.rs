//! Names of HTTP headers, and lines that set headers.

use std::fmt;
use std::sync::Arc;

use crate::value::items::Item;
use crate::value::{KeyValue, Shape, ValueError, pattern};

/// The name of an HTTP header: letters, digits, `-`, `_` and `.`.
///
/// RFC 9110, section 5.6.2, allows more, but nobody uses it, and a quote in a name would have a
/// meaning where a name is the argument of a sample fetch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderName(Arc<str>);

/// A line that sets a header: `name value` or `name: value`.
///
/// Quotes around the whole value are left out, and so is a backslash in front of a blank, a quote,
/// a `#` or another backslash: HAProxy would need them, we do not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderLine {
    /// The header.
    pub name: HeaderName,
    /// Its value, still with the expressions in it.
    pub value: Arc<str>,
}

/// The name of a header, or an empty text that switches the header off.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OptionalHeaderName(pub Option<HeaderName>);

impl HeaderName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An expression for all names that an application may take for this one: many cannot tell `-` from
    /// `_` (RFC 3875, section 4.1.18).
    pub fn lookalikes(&self) -> String {
        let mut expression = String::new();
        for letter in self.0.chars() {
            match letter {
                '-' | '_' => expression.push_str("[-_]"),
                '.' => expression.push_str("[.]"),
                it => expression.push(it.to_ascii_lowercase()),
            }
        }
        expression
    }
}

impl KeyValue for HeaderName {
    const SHAPE: Shape = Shape::Text {
        grammar: "the name of a header",
    };

    fn pattern() -> Option<String> {
        Some(pattern::trimmed("[A-Za-z0-9_.-]{1,256}"))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let name = text.trim();
        let is_token = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
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

    fn pattern() -> Option<String> {
        Some(pattern::trimmed("[A-Za-z0-9_.-]{0,256}"))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        if text.trim().is_empty() {
            return Ok(Self(None));
        }
        HeaderName::parse(text).map(|it| Self(Some(it)))
    }
}

impl Item for HeaderName {
    const SHAPE: Shape = Shape::Text {
        grammar: "names of headers, separated by commas",
    };

    fn pattern() -> Option<String> {
        let name = "[A-Za-z0-9_.-]{1,256}";
        // A line break separates like a comma.
        Some(format!(
            r"^[\s,]*$|^[\s,]*{name}(?:[ \t\r]*[,\n][\s,]*{name})*[\s,]*$"
        ))
    }

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split([',', '\n'])
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        Self::parse(text)
    }
}

impl Item for HeaderLine {
    const SHAPE: Shape = Shape::Lines {
        grammar: "a header, `name: value`",
    };

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split('\n')
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new("a header, `name: value`", text);
        let (name, value) = text.split_once([':', ' ', '\t']).ok_or_else(wrong)?;
        // `name : value`, too.
        let value = value.trim();
        let value = if text[name.len()..].starts_with(':') {
            value
        } else {
            value.strip_prefix(':').map_or(value, str::trim)
        };
        if value.is_empty() {
            return Err(wrong());
        }
        if value.chars().any(char::is_control) {
            return Err(ValueError::new(
                "a header's value without control characters",
                text,
            ));
        }
        let name = HeaderName::parse(name)?;
        let value = match quoted(value) {
            Some(inner) => inner,
            None => bare(value).map_err(|()| {
                ValueError::new("a header's value and no condition behind it", text)
                    .help("put the value in quotes if ` if ` or ` unless ` belongs to it")
            })?,
        };
        Ok(Self {
            name,
            value: value.into(),
        })
    }
}

/// The inside of a value that one pair of quotes surrounds.
fn quoted(value: &str) -> Option<String> {
    let quote = value.chars().next().filter(|it| matches!(it, '"' | '\''))?;
    let mut inner = String::with_capacity(value.len());
    let mut chars = value[1..].chars();
    while let Some(c) = chars.next() {
        match c {
            _ if c == quote => return chars.as_str().is_empty().then_some(inner),
            '\\' if quote == '"' => unescape(&mut inner, &mut chars),
            _ => inner.push(c),
        }
    }
    None
}

/// A value without quotes around it; HAProxy would take words behind `if` as a condition.
fn bare(value: &str) -> Result<String, ()> {
    if value
        .split_whitespace()
        .skip(1)
        .any(|it| matches!(it, "if" | "unless"))
    {
        return Err(());
    }
    let mut inner = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            unescape(&mut inner, &mut chars);
        } else {
            inner.push(c);
        }
    }
    Ok(inner)
}

/// Takes what stands behind a backslash.
fn unescape(inner: &mut String, chars: &mut std::str::Chars<'_>) {
    match chars.next() {
        Some(c @ (' ' | '"' | '\'' | '\\' | '#')) => inner.push(c),
        Some(c) => inner.extend(['\\', c]),
        None => inner.push('\\'),
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::items::Items;

    #[test]
    fn a_line_is_read_with_and_without_quotes() {
        for (text, name, value) in [
            ("X-A b", "X-A", "b"),
            ("X-A: b", "X-A", "b"),
            ("X-A : b", "X-A", "b"),
            ("X-A: b c", "X-A", "b c"),
            (r#"X-A "b c""#, "X-A", "b c"),
            (r#"X-A "b \"c\"""#, "X-A", r#"b "c""#),
            ("X-A 'b c'", "X-A", "b c"),
            (r"X-A b\ c", "X-A", "b c"),
            (r#"X-A {"a":"b"}"#, "X-A", r#"{"a":"b"}"#),
            (r#"X-A "a", "b""#, "X-A", r#""a", "b""#),
            (
                "X-A https://a.example:8443/",
                "X-A",
                "https://a.example:8443/",
            ),
            ("X-A: 'keep if new'", "X-A", "keep if new"),
        ] {
            let line = HeaderLine::parse_item(text).expect("a header");
            assert_eq!((line.name.as_str(), &*line.value), (name, value), "{text}");
        }
        for bad in [
            "X-A",
            "X-A:",
            ": b",
            "X A\u{7f}",
            "X'A b",
            "X-A b if { src 192.0.2.1 }",
            "X-A b\rX-B: c",
        ] {
            assert!(HeaderLine::parse_item(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_bad_line_does_not_take_the_others_with_it() {
        let lines = Items::<HeaderLine>::parse("X-A: 1\n\nnonsense\nX-B: 2\n").expect("lines");
        assert_eq!((lines.good.len(), lines.refused.len()), (2, 1));
    }
}
