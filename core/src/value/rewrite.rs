//! Paths that take the place of other paths.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError};

/// A path for the server: `/` and visible ASCII characters, or a reference such as `\1` in front.
///
/// A path that is compared as a regular expression may refer to its groups with `\0` to `\9`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RewriteTarget(Arc<str>);

impl RewriteTarget {
    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What HAProxy reads as exactly this text: each backslash twice.
    pub fn literal(&self) -> String {
        self.0.replace('\\', r"\\")
    }

    /// What HAProxy reads as this text with references to groups.
    pub fn with_references(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        let mut chars = self.0.chars().peekable();
        while let Some(c) = chars.next() {
            text.push(c);
            if c == '\\' && !chars.peek().is_some_and(char::is_ascii_digit) {
                // Two of them are one, as in HAProxy; so is one that refers to nothing.
                chars.next_if_eq(&'\\');
                text.push('\\');
            }
        }
        text
    }
}

impl KeyValue for RewriteTarget {
    const SHAPE: Shape = Shape::Text {
        grammar: "a path; `\\1` stands for the first group of a regular expression",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let path = text.trim();
        let begins = path.starts_with('/')
            || (path.starts_with('\\') && path[1..].starts_with(|it: char| it.is_ascii_digit()));
        if !begins || path.len() > 4096 || !path.bytes().all(|it| it.is_ascii_graphic()) {
            return Err(ValueError::new(
                "a path that begins with `/`, without blanks, other than ASCII percent-encoded",
                text,
            ));
        }
        Ok(Self(path.into()))
    }
}

impl fmt::Display for RewriteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_references_keep_their_backslash() {
        for (text, literal, references) in [
            ("/", "/", "/"),
            (r"/\1", r"/\\1", r"/\1"),
            (r"\2/a", r"\\2/a", r"\2/a"),
            (r"/a\b\\1", r"/a\\b\\\\1", r"/a\\b\\1"),
            ("/%[src]", "/%[src]", "/%[src]"),
        ] {
            let target = RewriteTarget::parse(text).expect("a path");
            assert_eq!(target.literal(), literal, "{text}");
            assert_eq!(target.with_references(), references, "{text}");
        }
        for bad in ["", "app", "/a b", "/a\nb", "/ä", r"\a", "/a\u{7f}"] {
            assert!(RewriteTarget::parse(bad).is_err(), "{bad:?}");
        }
    }
}
