//! What a password is asked for.

use std::fmt;

use crate::value::text::Word;
use crate::value::{KeyValue, Shape, ValueError};

/// The name that a browser shows when it asks for a password (RFC 7617, `realm`): at most 256 bytes
/// without quotes, backslashes and control characters.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, realm::Realm};
/// assert_eq!(Realm::parse("Members only")?.to_string(), "Members only");
/// assert!(Realm::parse("a\"b").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Realm(Word);

impl Realm {
    /// The name as a word.
    pub fn word(&self) -> &Word {
        &self.0
    }
}

impl KeyValue for Realm {
    const SHAPE: Shape = Shape::Text {
        grammar: "text without quotes",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let realm = text.trim();
        let is_bad = |it: char| it.is_control() || matches!(it, '"' | '\\');
        if realm.is_empty() || realm.len() > 256 || realm.chars().any(is_bad) {
            return Err(ValueError::new(
                "at most 256 bytes without quotes and backslashes",
                text,
            ));
        }
        Ok(Self(Word::lossy(realm)))
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}
