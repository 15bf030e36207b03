//! Names of headers with wildcards.

use std::fmt;
use std::sync::Arc;

use crate::value::header::HeaderName;
use crate::value::items::Item;
use crate::value::text::Word;
use crate::value::{KeyValue as _, Shape, ValueError};

/// The name of a header in lower case, with `*` for any text and `?` for any letter; `-` stands for
/// none. At most 64 bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderPattern(Arc<str>);

/// A header that a request gets, and where its value comes from: `NAME` or `NAME:SOURCE`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderSource {
    /// The header.
    pub name: HeaderName,
    /// Where its value comes from.
    pub source: Source,
}

/// Where a header's value comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// A header of the answer.
    Header(HeaderName),
    /// A variable of HAProxy.
    Variable(Word),
}

impl Item for HeaderPattern {
    const SHAPE: Shape = Shape::Text {
        grammar: "names of headers with `*` and `?`, separated by commas; `-` for none",
    };

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split([',', '\n'])
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        let is_letter = |it: u8| it.is_ascii_alphanumeric() || b"-_.*?".contains(&it);
        if text.len() > 64 || !text.bytes().all(is_letter) {
            return Err(ValueError::new(
                "the name of a header of at most 64 bytes, with `*` and `?` as wildcards",
                text,
            ));
        }
        // Several stars in a row mean what one means.
        let mut pattern = text.to_ascii_lowercase();
        while pattern.contains("**") {
            pattern = pattern.replace("**", "*");
        }
        Ok(Self(pattern.into()))
    }
}

impl Item for HeaderSource {
    const SHAPE: Shape = Shape::Text {
        grammar: "headers, `name` or `name:source`, separated by commas",
    };

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split([',', '\n'])
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        const SCOPES: [&str; 5] = ["proc.", "sess.", "txn.", "req.", "res."];
        let (name, source) = text.split_once(':').unwrap_or((text, text));
        let name = HeaderName::parse(name)?;
        let source = source.trim();
        let source = if SCOPES.iter().any(|it| source.starts_with(it)) {
            let is_letter = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'.');
            if source.len() > 128 || !source.bytes().all(is_letter) {
                return Err(ValueError::new("the name of a variable", source));
            }
            Source::Variable(Word::lossy(source))
        } else {
            Source::Header(HeaderName::parse(source)?)
        };
        Ok(Self { name, source })
    }
}

impl fmt::Display for HeaderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::KeyValue;
    use crate::value::items::Items;

    #[test]
    fn patterns_are_read_one_by_one() {
        let items = Items::<HeaderPattern>::parse("X-Auth-*, x?, a b, **, \"x\"").expect("a list");
        let good: Vec<String> = items.good.iter().map(ToString::to_string).collect();
        assert_eq!(good, ["x-auth-*", "x?", "*"]);
        assert_eq!(items.refused.len(), 2);
    }

    #[test]
    fn a_source_is_a_header_or_a_variable() {
        let of = |text: &str| HeaderSource::parse_item(text).map(|it| it.source);
        let header = |it: &str| HeaderName::parse(it).map(Source::Header);
        assert_eq!(of("X-User"), header("X-User"));
        assert_eq!(of("X-User:X-Email"), header("X-Email"));
        assert_eq!(
            of("X-User:req.a_b"),
            Ok(Source::Variable(Word::lossy("req.a_b")))
        );
        for bad in ["", ":x", "x:", "x:req.a-b", "x y", "x:txn.a)"] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }
}
