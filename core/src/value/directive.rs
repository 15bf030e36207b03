//! Words of a directive that an operator writes.

use std::fmt;

use crate::value::text::{Line, MAX_WORDS};
use crate::value::{KeyValue, Shape, ValueError};

/// Plain words of a directive with blanks between them, or nothing; HAProxy decides what they mean.
///
/// There is nothing to quote, so HAProxy's lexer reads each as it is, and expands nothing.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, directive::Words};
/// assert_eq!(Words::parse(" :80,:::80  accept-proxy ")?.to_string(), ":80,:::80 accept-proxy");
/// assert!(Words::parse("\"$HOME\"").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Words(Vec<String>);

/// The name of a section: letters, digits, `_`, `-`, `.` and `:`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SectionName(String);

impl SectionName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyValue for SectionName {
    const SHAPE: Shape = Shape::Text {
        grammar: "the name of a section",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let name = text.trim();
        let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"_-.:".contains(&it);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_plain) {
            return Err(ValueError::new(
                "a name: letters, digits and `_-.:`, at most 64",
                text,
            ));
        }
        Ok(Self(name.into()))
    }
}

impl Words {
    /// The words as a part of a line, unless there are none.
    pub fn line(&self) -> Option<Line> {
        (!self.0.is_empty()).then(|| {
            self.0
                .iter()
                .fold(Line::default(), |line, it| line.text(it))
        })
    }
}

impl KeyValue for Words {
    const SHAPE: Shape = Shape::Text {
        grammar: "words of a HAProxy directive, without quotes",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let is_plain = |it: u8| it.is_ascii_alphanumeric() || b".:,[]@/*_=+%-".contains(&it);
        let words: Vec<_> = text.split_ascii_whitespace().map(Into::into).collect();
        // What our code writes in front of them and behind them takes a few.
        if words.len() > MAX_WORDS - 20 {
            return Err(ValueError::new(
                format!("at most {} words", MAX_WORDS - 20),
                text,
            ));
        }
        let has_break = text.trim().contains(['\n', '\r', '\u{c}']);
        if has_break || !words.iter().all(|it: &String| it.bytes().all(is_plain)) {
            return Err(ValueError::new(
                "words of a directive: letters, digits and `.:,[]@/*_=+%-`, without quotes",
                text,
            ));
        }
        Ok(Self(words))
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_as_they_are() {
        for text in [
            "",
            "no-sslv3 no-tlsv10",
            "unix@/run/x.sock mode 600",
            "[fe80::1%eth0]:80",
        ] {
            let words = Words::parse(text).expect("plain words");
            assert_eq!(words.to_string(), text);
            let line = words.line().map(|it| it.to_string());
            assert_eq!(line.unwrap_or_default(), text);
        }
        for bad in ["a\nb", "a # b", "\"a\"", "$HOME", "a\\", "a'b", "a\u{0}"] {
            assert!(Words::parse(bad).is_err(), "{bad:?}");
        }
    }
}
