//! Text that may reach a configuration line: one word, one line, a snippet of lines.
//!
//! HAProxy's lexer (configuration manual, section 2.2) ends a word at a blank, a line at a line feed
//! or carriage return, and gives `#`, `\`, `"`, `'` and, between double quotes, `$` a meaning of their
//! own. Everything else is literal. The types here make it impossible to leave a word or a line:
//!
//! - a [`Word`] holds any text and is written so that the lexer reads back exactly that text;
//! - a [`Line`] is put together from keywords that our code spells and from words;
//! - a [`Snippet`] holds lines of an operator, checked to stay lines of one section.
//!
//! *Invariant:* there is no other way from a value to a configuration.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError};

/// One word of a configuration line: any text without a NUL.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Word(Arc<str>);

/// A line of configuration, or a part of one, ready to be written.
///
/// Made with [`Line::keyword`] and the methods that append to it, so every part is either spelled in
/// our code or a [`Word`].
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Line(Cow<'static, str>);

/// Lines of an operator for the inside of one section.
///
/// Each line has balanced quotes, at most 60 words, no control character but the tab, and does not
/// begin with the name of a section.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snippet(Vec<Line>);

/// A log-format string (configuration manual, section 8.2.6): literal text and expressions that our
/// code spells.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Format(String);

/// The most words that a line may have: HAProxy stops at 64.
pub const MAX_WORDS: usize = 60;

/// Names that begin a section of a configuration.
pub const SECTION_NAMES: &[&str] = &[
    "acme",
    "backend",
    "cache",
    "crt-store",
    "defaults",
    "fcgi-app",
    "frontend",
    "global",
    "http-errors",
    "listen",
    "log-forward",
    "log-profile",
    "mailers",
    "peers",
    "program",
    "resolvers",
    "ring",
    "traces",
    "userlist",
    "namespace_list",
    "cert-store",
];

impl Word {
    /// A word, unless the text has a NUL, which no configuration can hold.
    pub fn new(text: impl Into<Arc<str>>) -> Option<Self> {
        let text = text.into();
        (!text.contains('\0')).then_some(Self(text))
    }

    /// A word from text in which a NUL cannot be; one that is there all the same is left out.
    pub fn lossy(text: &str) -> Self {
        if text.contains('\0') {
            Self(text.replace('\0', "").into())
        } else {
            Self(text.into())
        }
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Writes the word so that HAProxy's lexer reads back exactly its text: as it is where it can,
    /// in double quotes where only blanks and `#` need them, else with `\xNN` for each other byte.
    pub fn write_to(&self, out: &mut String) {
        write_word(out, &self.0);
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(self.0.len());
        self.write_to(&mut text);
        f.write_str(&text)
    }
}

impl From<u64> for Word {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

/// Whether the lexer takes a byte as it is, outside of quotes.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\' | b'"' | b'\'' | b'$')
}

/// Writes a text as one word; see [`Word::write_to`].
fn write_word(out: &mut String, text: &str) {
    if text.is_empty() {
        out.push_str("\"\"");
    } else if text.bytes().all(is_plain) {
        out.push_str(text);
    } else if text
        .bytes()
        .all(|it| is_plain(it) || matches!(it, b' ' | b'#'))
    {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        for byte in text.bytes() {
            if is_plain(byte) {
                out.push(char::from(byte));
            } else {
                out.push_str("\\x");
                for digit in [byte >> 4, byte & 15] {
                    out.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
                }
            }
        }
    }
}

/// An empty line, which like a keyword gets room for several words with the first one.
impl Default for Line {
    fn default() -> Self {
        Self::keyword("")
    }
}

impl Line {
    /// Words that our code spells, such as `http-response set-header`.
    pub const fn keyword(keyword: &'static str) -> Self {
        Self(Cow::Borrowed(keyword))
    }

    /// Appends words that our code spells.
    pub fn and(mut self, keyword: &str) -> Self
    where
        Self: Sized,
    {
        self.next().push_str(keyword);
        self
    }

    /// Appends one word.
    pub fn word(mut self, word: &Word) -> Self {
        word.write_to(self.next());
        self
    }

    /// Appends a text as one word; a NUL in it is left out.
    pub fn text(mut self, text: &str) -> Self {
        let line = self.next();
        if text.as_bytes().contains(&0) {
            write_word(line, &text.replace('\0', ""));
        } else {
            write_word(line, text);
        }
        self
    }

    /// Appends several words.
    pub fn words<'a>(mut self, words: impl IntoIterator<Item = &'a Word>) -> Self {
        for word in words {
            self = self.word(word);
        }
        self
    }

    /// Appends a number.
    pub fn number(mut self, number: impl Into<i64>) -> Self {
        self.next()
            .push_str(itoa::Buffer::new().format(number.into()));
        self
    }

    /// Appends an IPv4 address with a port: `10.0.0.1:8080`.
    pub fn socket(mut self, ip: Ipv4Addr, port: u16) -> Self {
        // `Display` takes ten times as long, and there are more servers than anything else.
        let line = self.next();
        let mut digits = itoa::Buffer::new();
        for (place, octet) in ip.octets().into_iter().enumerate() {
            if place > 0 {
                line.push('.');
            }
            line.push_str(digits.format(octet));
        }
        line.push(':');
        line.push_str(digits.format(port));
        self
    }

    /// Appends a log-format string as one word.
    pub fn format(mut self, format: &Format) -> Self {
        write_word(self.next(), &format.0);
        self
    }

    /// The line under a condition, as it follows `if`.
    pub fn under(&self, condition: &Self) -> Self {
        Self(Cow::Owned([&*self.0, &*condition.0].join(" if ")))
    }

    /// Appends another line.
    pub fn line(mut self, line: &Self) -> Self {
        self.next().push_str(&line.0);
        self
    }

    /// The text to append a word to; the first time with room for what usually follows a keyword.
    fn next(&mut self) -> &mut String {
        if let Cow::Borrowed(keyword) = self.0 {
            let mut text = String::with_capacity(keyword.len() + 64);
            text.push_str(keyword);
            self.0 = Cow::Owned(text);
        }
        let text = self.0.to_mut();
        if !text.is_empty() {
            text.push(' ');
        }
        text
    }

    /// The line as it is written, without the line feed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many words HAProxy reads in it.
    pub(crate) fn count_words(&self) -> usize {
        count_words(&self.0).map_or(usize::MAX, |it| it.0)
    }

    /// Reads a line of an operator: words as HAProxy reads them, nothing that leaves the line.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let (words, comment) = count_words(text)?;
        if comment {
            // What our code appends would become a part of the comment.
            return Err(ValueError::new("words without a comment", text));
        }
        if text.contains('"') && text.contains('$') {
            // HAProxy puts variables of its environment between double quotes.
            return Err(ValueError::new("`$` or double quotes, and not both", text));
        }
        if words > MAX_WORDS {
            return Err(ValueError::new(
                format!("at most {MAX_WORDS} words on a line"),
                text,
            ));
        }
        Ok(Self(Cow::Owned(text.trim().to_owned())))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KeyValue for Line {
    const SHAPE: Shape = Shape::Text {
        grammar: "words of a HAProxy directive",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        Self::parse(text)
    }
}

/// Counts the words of a line as HAProxy's lexer does, and says whether a comment follows them;
/// refuses what the lexer refuses or what would end the line.
fn count_words(text: &str) -> Result<(usize, bool), ValueError> {
    if let Some(control) = text.chars().find(|it| it.is_control() && *it != '\t') {
        return Err(ValueError::new(
            format!(
                "a line without control characters (it has {})",
                control.escape_debug()
            ),
            text,
        ));
    }
    let (mut words, mut in_word, mut quote) = (0, false, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, ' ' | '\t') => in_word = false,
            (None, '#') => return Ok((words, true)),
            (Some(open), c) if c == open => quote = None,
            (Some('\''), _) => {}
            (None, '"' | '\'') => {
                quote = Some(c);
                words += usize::from(!in_word);
                in_word = true;
            }
            (_, '\\') => {
                // A backslash takes no meaning from a tab: it still ends the word.
                if chars.clone().next() != Some('\t') {
                    match chars.next() {
                        None => {
                            let expected = "a line that does not end in a backslash";
                            return Err(ValueError::new(expected, text));
                        }
                        // HAProxy refuses a whole configuration for a byte that it cannot read.
                        Some('x') if !begins_with_byte(chars.as_str()) => {
                            let expected = "two hexadecimal digits behind each `\\x`";
                            return Err(ValueError::new(expected, text));
                        }
                        Some(_) => {}
                    }
                }
                words += usize::from(!in_word);
                in_word = true;
            }
            (_, _) => {
                words += usize::from(!in_word);
                in_word = true;
            }
        }
    }
    match quote {
        Some(_) => Err(ValueError::new("a line with balanced quotes", text)),
        None => Ok((words, false)),
    }
}

/// Whether a text begins with the two digits of a byte.
fn begins_with_byte(text: &str) -> bool {
    let digits = text.as_bytes().get(..2);
    digits.is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit))
}

impl Snippet {
    /// Reads lines for the inside of a section; empty lines and comments are left out.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        Self::read(text, true)
    }

    /// Reads lines that are whole sections (`config-sections`).
    pub fn parse_sections(text: &str) -> Result<Self, ValueError> {
        Self::read(text, false)
    }

    fn read(text: &str, inside: bool) -> Result<Self, ValueError> {
        let mut lines = Vec::new();
        for line in text.lines() {
            let line = if inside { line.trim() } else { line.trim_end() };
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let first = line.split_whitespace().next().unwrap_or_default();
            if inside && (SECTION_NAMES.contains(&first) || first.contains(['\\', '"', '\''])) {
                return Err(ValueError::new(
                    "lines for the inside of a section, none of which begins another one",
                    line,
                ));
            }
            // Lines in front of the first section would act on the one that stands above them; `.if` and
            // the like are no lines of a section.
            let is_first = !inside && lines.iter().all(|it: &Line| it.as_str().starts_with('.'));
            if is_first && !first.starts_with('.') && !SECTION_NAMES.contains(&first) {
                return Err(ValueError::new(
                    "sections, each of which begins with its name, such as `resolvers`",
                    line,
                ));
            }
            let (words, _) = count_words(line)?;
            if words > MAX_WORDS {
                return Err(ValueError::new(
                    format!("at most {MAX_WORDS} words on a line"),
                    line,
                ));
            }
            lines.push(Line(Cow::Owned(line.to_owned())));
        }
        Ok(Self(lines))
    }

    /// The lines.
    pub fn lines(&self) -> &[Line] {
        &self.0
    }

    /// The first word of each line.
    pub fn keywords(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter_map(|it| it.as_str().split_whitespace().next())
    }

    /// Replaces variables that are spelled `%[name]`.
    pub fn replace(&self, variables: &[(&str, &Word)]) -> Self {
        Self(
            self.0
                .iter()
                .map(|line| {
                    let mut text = line.as_str().to_owned();
                    for (name, word) in variables {
                        let name = format!("%[{name}]");
                        if text.contains(&name) {
                            text = text.replace(&name, &word.to_string());
                        }
                    }
                    Line(Cow::Owned(text))
                })
                .collect(),
        )
    }
}

impl KeyValue for Snippet {
    const SHAPE: Shape = Shape::Lines {
        grammar: "a line of HAProxy configuration",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        Self::parse(text)
    }
}

impl Format {
    /// Literal text; `%` is written twice.
    pub fn literal(text: &str) -> Self {
        Self::default().and_literal(text)
    }

    /// An expression that our code spells, without `%[` and `]`.
    pub fn expression(expression: &str) -> Self {
        Self::default().and_expression(expression)
    }

    /// Appends literal text.
    pub fn and_literal(mut self, text: &str) -> Self {
        self.0.reserve(text.len());
        for part in text.split_inclusive(['%', '\0']) {
            match part.strip_suffix('\0') {
                Some(part) => self.0.push_str(part),
                None => self.0.push_str(part),
            }
            if part.ends_with('%') {
                self.0.push('%');
            }
        }
        self
    }

    /// Appends an expression that our code spells.
    pub fn and_expression(mut self, expression: &str) -> Self {
        let _ = write!(self.0, "%[{expression}]");
        self
    }

    /// Appends an expression that our code spells, in quotes where HAProxy puts them.
    pub fn and_quoted_expression(mut self, expression: &str) -> Self {
        let _ = write!(self.0, "%{{+Q}}[{expression}]");
        self
    }

    /// Log-format text of an operator, taken as it is; a `%` that begins nothing is written twice,
    /// because HAProxy refuses it.
    pub fn trusted(text: &str) -> Self {
        let mut format = String::with_capacity(text.len());
        let mut chars = text.chars().filter(|it| *it != '\0').peekable();
        while let Some(c) = chars.next() {
            format.push(c);
            if c != '%' {
                continue;
            }
            match chars.peek() {
                Some('%') => format.extend(chars.next()),
                Some(next) if next.is_ascii_alphabetic() || matches!(next, '[' | '{') => {}
                _ => format.push('%'),
            }
        }
        Self(format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_written_so_that_it_reads_back() {
        for (text, written) in [
            ("app_8080", "app_8080"),
            ("max-age=60; x", r#""max-age=60; x""#),
            ("", r#""""#),
            ("a\nb", r"a\x0ab"),
            ("it's", r"it\x27s"),
            ("$HOME", r"\x24HOME"),
            ("ä", r"\xc3\xa4"),
        ] {
            assert_eq!(Word::lossy(text).to_string(), written, "{text:?}");
        }
    }

    #[test]
    fn a_line_of_an_operator_cannot_leave_its_line() {
        assert!(Line::parse("http-request deny").is_ok());
        for bad in [
            "a\nb",
            "a\rb",
            "a \"b",
            "a 'b",
            "a\\",
            "\u{7f}",
            "\\xn.",
            "\"$HOME\"",
        ] {
            assert!(Line::parse(bad).is_err(), "{bad:?}");
        }
        for word in ["x ", "x\\\t"] {
            assert!(Line::parse(&word.repeat(60)).is_ok(), "{word:?}");
            assert!(Line::parse(&word.repeat(61)).is_err(), "{word:?}");
        }
    }

    #[test]
    fn a_snippet_cannot_begin_another_section() {
        assert!(Snippet::parse("http-request deny\n\n# why\ntimeout server 1s").is_ok());
        for bad in [
            "mode http\nbackend other",
            "back\\end other",
            "\"backend\" other",
        ] {
            assert!(Snippet::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sections_begin_with_a_section() {
        for text in [
            "# why\nring buffer\n    size 32768",
            ".if feature(OPENSSL)\nring buffer\n.endif",
            "",
        ] {
            assert!(Snippet::parse_sections(text).is_ok(), "{text:?}");
        }
        for bad in ["size 32768\nring buffer", ".if true\nsize 32768\n.endif"] {
            assert!(Snippet::parse_sections(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_percent_sign_of_an_operator_that_begins_nothing_is_one() {
        for (text, written) in [
            ("100%", "100%%"),
            ("%% %[src] %ci %", r#""%% %[src] %ci %%""#),
            ("5%-", "5%%-"),
        ] {
            let line = Line::default().format(&Format::trusted(text));
            assert_eq!(line.as_str(), written);
        }
    }

    #[test]
    fn literal_text_is_no_expression() {
        let line = Line::keyword("x").format(&Format::literal("%[env(HOME)] 100%"));
        assert_eq!(line.as_str(), r#"x "%%[env(HOME)] 100%%""#);
    }
}
