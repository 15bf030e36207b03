//! Regular expressions that HAProxy compiles.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError};

/// A regular expression without blanks or control characters, of a structure that both of HAProxy's
/// engines (PCRE and POSIX) take: balanced groups and classes, nothing repeated that is not there.
///
/// It reaches HAProxy as data in a map or list, so a blank could never be a part of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Regex(Arc<str>);

impl Regex {
    /// The expression.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An expression that matches a text and nothing else.
    pub fn quoted(text: &str) -> String {
        let mut quoted = String::with_capacity(text.len() + 8);
        for c in text.chars() {
            // Only what has a meaning: in POSIX engines a backslash gives others one, such as `\<`.
            if r"\.^$*+?()[]{}|".contains(c) {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        quoted
    }
}

impl KeyValue for Regex {
    const SHAPE: Shape = Shape::Text {
        grammar: "a regular expression without blanks",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let pattern = text.trim();
        match check(pattern) {
            Ok(()) => Ok(Self(pattern.into())),
            Err(expected) => Err(ValueError::new(expected, text)),
        }
    }
}

impl fmt::Display for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks the structure; the error says what is expected.
fn check(pattern: &str) -> Result<(), &'static str> {
    if pattern.is_empty() || pattern.len() > 4096 {
        return Err("a regular expression of 1 to 4096 bytes");
    }
    if pattern
        .chars()
        .any(|it| it.is_whitespace() || it.is_control())
    {
        return Err("a regular expression without blanks (`\\s` matches one)");
    }
    let mut depth = 0_usize;
    // Whether there is something in front that can be repeated.
    let mut repeatable = false;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                None => return Err("a regular expression that does not end in a backslash"),
                Some('Q' | 'E' | 'C') => {
                    return Err("a regular expression without `\\Q`, `\\E`, `\\C`");
                }
                Some(_) => repeatable = true,
            },
            '[' => {
                if chars.peek() == Some(&'^') {
                    chars.next();
                }
                // A bracket that comes first is literal.
                let mut first = true;
                loop {
                    match chars.next() {
                        None => return Err("a regular expression whose `[` is closed"),
                        Some(']') if !first => break,
                        Some('\\') => {
                            if chars.next().is_none() {
                                return Err("a regular expression whose `[` is closed");
                            }
                        }
                        Some(_) => {}
                    }
                    first = false;
                }
                repeatable = true;
            }
            '(' => {
                depth += 1;
                if depth > 100 {
                    return Err("a regular expression with groups at most 100 deep");
                }
                repeatable = false;
                if chars.peek() == Some(&'?') {
                    chars.next();
                    match chars.next() {
                        Some(':' | '=' | '!') => {}
                        _ => {
                            return Err(
                                "a regular expression with groups `(…)`, `(?:…)`, `(?=…)`, `(?!…)` only",
                            );
                        }
                    }
                }
            }
            ')' => {
                depth = depth
                    .checked_sub(1)
                    .ok_or("a regular expression whose `)` was opened")?;
                repeatable = true;
            }
            '*' | '+' | '?' => {
                if !repeatable {
                    return Err(
                        "a regular expression in which something stands in front of `*`, `+`, `?`",
                    );
                }
                // `+?` and `++` are one repetition.
                if matches!(chars.peek(), Some('?' | '+')) {
                    chars.next();
                }
                repeatable = false;
            }
            '{' => {
                let rest: String = chars.clone().take_while(|it| *it != '}').collect();
                let is_closed = chars.clone().any(|it| it == '}');
                if !repeatable || !is_closed || !is_count(&rest) {
                    return Err("a regular expression whose `{…}` repeats 0 to 255 times");
                }
                for _ in 0..=rest.chars().count() {
                    chars.next();
                }
                repeatable = false;
            }
            '|' | '^' => repeatable = false,
            _ => repeatable = true,
        }
    }
    if depth > 0 {
        Err("a regular expression whose `(` is closed")
    } else {
        Ok(())
    }
}

/// Whether the inside of `{…}` says how often: `2`, `2,` or `2,5`.
fn is_count(text: &str) -> bool {
    let (low, high) = text.split_once(',').unwrap_or((text, ""));
    low.parse::<u8>()
        .is_ok_and(|low| high.is_empty() || high.parse::<u8>().is_ok_and(|high| high >= low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structure_is_checked() {
        for good in [
            "^/a(b|c)*$",
            "[]x]+",
            r"\.(png|jpg)$",
            "(?:a){2,3}",
            "a+?",
            "(?!x)y",
        ] {
            assert!(Regex::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "(", ")", "[a", "*a", "a b", "a\\", "(?<x>a)", "a{3,2}", "a**", "", "a{x}",
        ] {
            assert!(Regex::parse(bad).is_err(), "{bad}");
        }
    }
}
