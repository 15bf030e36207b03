//! Lists of words for headers, such as methods and names of headers.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError};

/// Words of RFC 9110, section 5.6.2, separated by commas or blanks, or `*` for whatever is asked for.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, tokens::Tokens};
/// assert_eq!(Tokens::parse("GET,PUT  POST")?.to_string(), "GET, PUT, POST");
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tokens(Option<Vec<Arc<str>>>);

impl Tokens {
    /// Whether whatever is asked for is meant.
    pub fn is_any(&self) -> bool {
        self.0.is_none()
    }
}

impl KeyValue for Tokens {
    const SHAPE: Shape = Shape::Text {
        grammar: "words separated by commas, or *",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let is_separator = |it: char| matches!(it, ',' | ' ');
        let words: Vec<Arc<str>> = text
            .trim()
            .split(is_separator)
            .filter(|it| !it.is_empty())
            .map(Arc::from)
            .collect();
        if words.iter().any(|it| &**it == "*") {
            // `*` beside others says no less.
            return Ok(Self(None));
        }
        let is_token = |it: &Arc<str>| {
            it.bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"-_.!+^~".contains(&it))
        };
        if words.is_empty() || text.len() > 4096 || !words.iter().all(is_token) {
            return Err(ValueError::new(
                "words of letters, digits and dashes, separated by commas, or `*`",
                text,
            ));
        }
        Ok(Self(Some(words)))
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(words) => f.write_str(&words.join(", ")),
            None => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_with_commas() {
        for (text, written) in [
            ("GET", "GET"),
            ("GET,PUT, POST DELETE,", "GET, PUT, POST, DELETE"),
            (" * ", "*"),
            ("X-A,*", "*"),
        ] {
            let tokens = Tokens::parse(text).expect("words");
            assert_eq!(tokens.to_string(), written, "{text}");
            assert_eq!(Tokens::parse(written), Ok(tokens), "{written}");
        }
        for bad in ["", " , ", "a\nb", "X-A: 1", "a\"b", "a%[src]", "ä"] {
            assert!(Tokens::parse(bad).is_err(), "{bad:?}");
        }
    }
}
