//! Regular expressions that HAProxy compiles.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;
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

    /// The expression, shared.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
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
            '\\' => {
                repeatable = !matches!(chars.peek(), Some('A' | 'B' | 'b' | 'Z' | 'z'));
                escape(&mut chars)?;
            }
            '[' => {
                class(&mut chars)?;
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
            '|' | '^' | '$' => repeatable = false,
            _ => repeatable = true,
        }
    }
    if depth > 0 {
        Err("a regular expression whose `(` is closed")
    } else {
        Ok(())
    }
}

/// Reads what follows a backslash outside of a class.
fn escape(chars: &mut Peekable<Chars<'_>>) -> Result<(), &'static str> {
    match chars.next() {
        None => Err("a regular expression that does not end in a backslash"),
        Some('Q' | 'E' | 'C') => Err("a regular expression without `\\Q`, `\\E`, `\\C`"),
        Some('x') => hexadecimal(chars).map(drop),
        // HAProxy compiles expressions of maps without groups that capture.
        Some('1'..='9') => Err("a regular expression without references to its groups"),
        Some(it) if it.is_ascii_alphabetic() && !"aefnrtdDwWsShHvVRbBAZz".contains(it) => {
            Err(ESCAPES)
        }
        Some(_) => Ok(()),
    }
}

const ESCAPES: &str =
    "a regular expression with escapes such as `\\d`, `\\w`, `\\s`, `\\.`, `\\x41`";
const UNCLOSED: &str = "a regular expression whose `[` is closed";

/// Reads at most two digits behind `\x`.
fn hexadecimal(chars: &mut Peekable<Chars<'_>>) -> Result<u32, &'static str> {
    if chars.peek() == Some(&'{') {
        return Err(ESCAPES);
    }
    let mut value = 0;
    for _ in 0..2 {
        if let Some(digit) = chars.peek().and_then(|it| it.to_digit(16)) {
            value = value * 16 + digit;
            chars.next();
        }
    }
    Ok(value)
}

/// Reads a class behind its `[`.
fn class(chars: &mut Peekable<Chars<'_>>) -> Result<(), &'static str> {
    let inside: String = chars.clone().take_while(|it| *it != ']').collect();
    // `[:alpha:]` has a meaning inside of a class only.
    let is_set = |it: char| inside.len() > 1 && inside.starts_with(it) && inside.ends_with(it);
    if [':', '.', '='].into_iter().any(is_set) {
        return Err("a regular expression with sets inside of a class, `[[:alpha:]]`");
    }
    chars.next_if_eq(&'^');
    // A bracket that comes first is literal.
    let mut first = true;
    // What stands in front and can begin a range, or a set, which cannot.
    let (mut low, mut is_set) = (None, false);
    loop {
        let c = chars.next().ok_or(UNCLOSED)?;
        if c == ']' && !first {
            return Ok(());
        }
        if c == '-' && (low.is_some() || is_set) && chars.peek() != Some(&']') {
            let c = chars.next().ok_or(UNCLOSED)?;
            let high = member(c, chars)?;
            // Nothing is less than everything: a set at either end is no range.
            if low.is_none() || high < low {
                return Err("a regular expression whose ranges, such as `[a-z]`, go up");
            }
            (low, is_set) = (None, false);
        } else {
            low = member(c, chars)?;
            is_set = low.is_none();
        }
        first = false;
    }
}

/// Reads one member of a class: a character, or nothing for what stands for several.
fn member(c: char, chars: &mut Peekable<Chars<'_>>) -> Result<Option<char>, &'static str> {
    const SETS: &[&str] = &[
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
        "space", "upper", "word", "xdigit",
    ];
    match c {
        '\\' => match chars.next().ok_or(UNCLOSED)? {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'h' | 'H' | 'v' | 'V' => Ok(None),
            'n' => Ok(Some('\n')),
            'r' => Ok(Some('\r')),
            't' => Ok(Some('\t')),
            // A byte that is no character of its own begins no range.
            'x' => Ok(char::from_u32(hexadecimal(chars)?).filter(char::is_ascii)),
            it if it.is_ascii_alphanumeric() => Err(ESCAPES),
            it => Ok(Some(it)),
        },
        '[' if matches!(chars.peek(), Some(':' | '.' | '=')) => {
            let rest: String = chars.clone().take(12).collect();
            let name = rest.strip_prefix(':').and_then(|it| it.split_once(":]"));
            let name = name.map(|it| it.0.strip_prefix('^').unwrap_or(it.0));
            if !name.is_some_and(|it| SETS.contains(&it)) {
                return Err("a regular expression with sets such as `[:alpha:]`");
            }
            chars.by_ref().take_while(|it| *it != ']').for_each(drop);
            Ok(None)
        }
        it => Ok(Some(it)),
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
    fn classes_and_escapes_are_such_that_they_compile() {
        for good in [
            "[a-z0-9]+",
            "[^]a-]",
            "[a-c-e]",
            r"[\w-]",
            r"[\x41-\x5a]",
            "[[:alpha:]-]",
            "[:/]",
            "[:]",
            "[[:^digit:]x]",
            r"\d+\.\x2e",
            "[ä-ö]",
            r"[\]-a]",
        ] {
            assert!(Regex::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "[z-a]",
            r"[\w-z]",
            r"[a-\d]",
            "[[:alpha:]-z]",
            "[:alpha:]",
            "[[:foo:]]",
            "[[.a.]]",
            r"\1",
            r"(a)\2",
            r"(a\1)",
            r"(a)\11",
            r"\p{Foo}",
            r"\k",
            r"\g",
            r"\u",
            r"\x{110000}",
            r"[\x{41}]",
            r"[\R]",
            "[ä-z]",
            "[a",
            "[]",
            r"[\",
        ] {
            assert!(Regex::parse(bad).is_err(), "{bad}");
        }
    }

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
