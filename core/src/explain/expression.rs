//! Regular expressions as HAProxy's engine reads them.
//!
//! HAProxy uses PCRE on bytes: `\w` is a letter, digit or `_` of ASCII, and `\h` a blank. The engine at
//! hand is another one, so what means something else there is spelled out first.

use self::engine::Regex;

/// An engine with look-around, as HAProxy's own.
#[cfg(feature = "look-around")]
mod engine {
    /// How much work one comparison may take; HAProxy's own limit is of the same kind.
    const EFFORT: usize = 200_000;

    pub(super) const BOUNDARY: &str =
        "(?:(?<=[A-Za-z0-9_])(?![A-Za-z0-9_])|(?<![A-Za-z0-9_])(?=[A-Za-z0-9_]))";
    pub(super) const NO_BOUNDARY: &str =
        "(?:(?<=[A-Za-z0-9_])(?=[A-Za-z0-9_])|(?<![A-Za-z0-9_])(?![A-Za-z0-9_]))";

    pub(super) struct Regex(fancy_regex::Regex);

    impl Regex {
        pub(super) fn new(pattern: &str) -> Option<Self> {
            let mut builder = fancy_regex::RegexBuilder::new(pattern);
            builder.backtrack_limit(EFFORT).build().ok().map(Self)
        }

        pub(super) fn is_match(&self, text: &str) -> Option<bool> {
            self.0.is_match(text).ok()
        }

        /// The groups of the first match, if there is one.
        pub(super) fn groups<'a>(&self, text: &'a str) -> Result<Option<Vec<&'a str>>, ()> {
            let groups = self.0.captures(text).map_err(|_| ())?;
            Ok(groups.map(|it| {
                let groups = it.iter();
                groups.map(|it| it.map_or("", |it| it.as_str())).collect()
            }))
        }
    }
}

/// A small engine without look-around, for where every kilobyte counts.
#[cfg(not(feature = "look-around"))]
mod engine {
    pub(super) const BOUNDARY: &str = "\\b";
    pub(super) const NO_BOUNDARY: &str = "\\B";

    pub(super) struct Regex(regex_lite::Regex);

    impl Regex {
        pub(super) fn new(pattern: &str) -> Option<Self> {
            // These give nothing back to PCRE; here they would be read as one repetition in another.
            let is_possessive = ["++", "*+", "?+", "}+"]
                .iter()
                .any(|it| pattern.contains(it));
            let regex = regex_lite::Regex::new(pattern).ok()?;
            (!is_possessive).then_some(Self(regex))
        }

        #[expect(clippy::unnecessary_wraps, reason = "the other engine may give up")]
        pub(super) fn is_match(&self, text: &str) -> Option<bool> {
            Some(self.0.is_match(text))
        }

        /// The groups of the first match, if there is one.
        #[expect(clippy::unnecessary_wraps, reason = "the other engine may give up")]
        pub(super) fn groups<'a>(&self, text: &'a str) -> Result<Option<Vec<&'a str>>, ()> {
            let groups = self.0.captures(text);
            Ok(groups.map(|it| {
                let groups = it.iter();
                groups.map(|it| it.map_or("", |it| it.as_str())).collect()
            }))
        }
    }
}

/// An expression, ready to be compared; nothing if it cannot be read.
fn compile(pattern: &str) -> Option<Regex> {
    Regex::new(&spelled_out(pattern))
}

/// Whether an expression has something that only an engine with look-around reads, and cannot be read.
pub(super) fn is_unread(pattern: &str) -> bool {
    const RARE: [&str; 12] = [
        "(?=", "(?!", "(?<", "(?>", "(?(", "(?|", "++", "*+", "?+", "}+", "\\Z", "\\K",
    ];
    let has_reference = || {
        let mut escapes = pattern.split('\\').skip(1);
        escapes.any(|it| it.starts_with(|it: char| matches!(it, '1'..='9' | 'g' | 'k')))
    };
    (RARE.iter().any(|it| pattern.contains(it)) || has_reference()) && compile(pattern).is_none()
}

/// Whether an expression matches somewhere in a text; nothing if that cannot be said.
pub(super) fn matches(pattern: &str, text: &str) -> Option<bool> {
    compile(pattern)?.is_match(text)
}

/// What `replace-path` makes of a text: nothing if the expression does not match; groups are `\0` to
/// `\9` in the replacement, and another character behind a backslash is itself.
///
/// # Errors
///
/// When the expression cannot be read.
pub(super) fn replace(pattern: &str, text: &str, by: &str) -> Result<Option<String>, ()> {
    let regex = compile(pattern).ok_or(())?;
    let Some(groups) = regex.groups(text)? else {
        return Ok(None);
    };
    let mut result = String::new();
    let mut chars = by.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            result.push(c);
            continue;
        }
        match chars.next() {
            Some(digit) if digit.is_ascii_digit() => {
                let group = digit.to_digit(10).and_then(|it| groups.get(it as usize));
                result.push_str(group.copied().unwrap_or_default());
            }
            Some('x') => return Err(()),
            other => result.extend(other),
        }
    }
    Ok(Some(result))
}

/// The expression with the escapes of PCRE as plain classes.
fn spelled_out(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    let mut is_first = false;
    while let Some(c) = chars.next() {
        let was_first = std::mem::take(&mut is_first);
        match c {
            '\\' => {
                let Some(escape) = chars.next() else {
                    text.push('\\');
                    break;
                };
                match (set(escape), in_class) {
                    (Some((inside, _)), true) => text.push_str(inside),
                    (Some((_, alone)), false) => text.push_str(alone),
                    (None, _) => other(escape, &mut chars, &mut text),
                }
            }
            '[' if !in_class => {
                in_class = true;
                text.push('[');
                text.extend(chars.next_if_eq(&'^'));
                is_first = true;
            }
            // Only sets, such as `[:alpha:]`, have a bracket inside that means something.
            '[' if chars.peek() == Some(&':') => {
                text.push('[');
                for c in chars.by_ref() {
                    text.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '[' => text.push_str("\\["),
            ']' if in_class && was_first => text.push_str("\\]"),
            ']' => {
                text.push_str(if in_class { "]" } else { "\\]" });
                in_class = false;
            }
            // These combine classes in the engine at hand.
            '&' | '~' | '{' | '}' if in_class => text.extend(['\\', c]),
            '-' if in_class && (was_first || chars.peek() == Some(&']')) => text.push_str("\\-"),
            _ => text.push(c),
        }
    }
    text
}

/// What a set of characters is inside of a class and alone.
fn set(escape: char) -> Option<(&'static str, &'static str)> {
    Some(match escape {
        'd' => ("0-9", "[0-9]"),
        'D' => ("\\x00-/:-\\x{10ffff}", "[^0-9]"),
        'w' => ("A-Za-z0-9_", "[A-Za-z0-9_]"),
        'W' => ("\\x00-/:-@\\[-\\^`{-\\x{10ffff}", "[^A-Za-z0-9_]"),
        's' => ("\\t-\\r ", "[\\t-\\r ]"),
        'S' => ("\\x00-\\x08\\x0e-\\x1f!-\\x{10ffff}", "[^\\t-\\r ]"),
        'h' => ("\\t ", "[\\t ]"),
        'H' => ("\\x00-\\x08\\n-\\x1f!-\\x{10ffff}", "[^\\t ]"),
        'v' => ("\\n-\\r", "[\\n-\\r]"),
        'V' => ("\\x00-\\t\\x0e-\\x{10ffff}", "[^\\n-\\r]"),
        _ => return None,
    })
}

/// An escape that is one character, or a place.
fn other(escape: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>, text: &mut String) {
    match escape {
        'b' => text.push_str(engine::BOUNDARY),
        'B' => text.push_str(engine::NO_BOUNDARY),
        'R' => text.push_str("(?:\\r\\n|[\\n-\\r])"),
        'a' => text.push_str("\\x07"),
        'e' => text.push_str("\\x1b"),
        'Z' => text.push_str("(?=\\n?\\z)"),
        // At most two digits; without one it is a NUL.
        'x' => {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(|it| digits.len() < 2 && it.is_ascii_hexdigit()) {
                digits.push(digit);
            }
            text.push_str("\\x");
            text.push_str(&"00"[digits.len()..]);
            text.push_str(&digits);
        }
        'f' | 'n' | 'r' | 't' | 'A' | 'z' => text.extend(['\\', escape]),
        _ if escape.is_ascii_alphanumeric() => text.push(escape),
        _ if escape.is_ascii_punctuation() => text.extend(['\\', escape]),
        _ => text.push(escape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_what_they_mean_to_pcre() {
        for (pattern, text, is_match) in [
            ("^/a", "/ab", true),
            (r"^/\d+$", "/12", true),
            (r"^/\d+$", "/\u{664}", false),
            (r"[\w-]+$", "/a-b", true),
            (r"^[^\d/]+$", "ab", true),
            (r"^[]a]+$", "]a", true),
            (r"^[a&&b]$", "&", true),
            (r"^[a~]$", "~", true),
            (r"^[[:alpha:]]+$", "aB", true),
            (r"^[a[]$", "[", true),
            (r"\bfoo\b", "/foo/", true),
            (r"\bfoo\b", "/foob/", false),
            (r"\.x", ".x", true),
            (r"\x41", "A", true),
            ("^(?:/x|/y)$", "/y", true),
            (r"^[-a]\-[a-]$", "a--", true),
            (r"^[\]\[]+$", "[]", true),
            ("#", "#", true),
            ("a]", "a]", true),
        ] {
            assert_eq!(matches(pattern, text), Some(is_match), "{pattern} {text}");
        }
    }

    #[test]
    fn look_around_is_read_or_named() {
        for (pattern, text, is_match) in [
            ("a(?=b)", "ab", true),
            ("a(?!b)", "ab", false),
            ("a++b", "aab", true),
            (r"a\Z", "a", true),
        ] {
            let expected = cfg!(feature = "look-around").then_some(is_match);
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
            assert_eq!(is_unread(pattern), expected.is_none(), "{pattern}");
        }
        assert!(!is_unread(r"^/a+/(b|c)\d$"));
    }

    #[test]
    fn groups_are_put_into_the_replacement() {
        assert_eq!(replace("^/a/?(.*)$", "/a/b", r"/\1"), Ok(Some("/b".into())));
        assert_eq!(replace("^/a(.*)$", "/x", r"/\1"), Ok(None));
        assert_eq!(replace("^/(a)?b", "/b", r"\\\1x"), Ok(Some("\\x".into())));
        assert_eq!(replace("(", "/b", ""), Err(()));
    }
}
