//! From text to types: the values that configuration keys take.
//!
//! A parser knows the notation and nothing of the key; its error says what was expected and what was
//! found. Nothing resolves while parsing: a reference to a Secret is looked up later.

pub mod pattern;

pub mod acme;
pub mod account;
pub mod address;
pub mod alpn;
pub mod auth_method;
pub mod auth_url;
pub mod balance;
pub mod blue_green;
pub mod certificate;
pub mod check;
pub mod cipher;
pub mod cookie;
pub mod cpu_map;
pub mod credentials;
pub mod directive;
pub mod duration;
pub mod endpoint;
pub mod frontend_pair;
pub mod header;
pub mod header_filter;
pub mod header_pattern;
pub mod hostname;
pub mod interface;
pub mod items;
pub mod listen;
pub mod location;
pub mod log_format;
pub mod log_line;
pub mod network;
pub mod number;
pub mod path_prefix;
pub mod proxy_range;
pub mod realm;
pub mod reference;
pub mod regex;
pub mod resolvers;
pub mod response;
pub mod rewrite;
pub mod sections;
pub mod size;
pub mod spread;
pub mod stick_table;
pub mod syslog;
pub mod tcp;
pub mod text;
pub mod tls_options;
pub mod tokens;
pub mod tried;
pub mod users;
pub mod web_origin;

use std::fmt;

use serde::Serialize;

use crate::origin::Setting;

/// A value that a configuration key can have.
pub trait KeyValue: Clone + fmt::Debug + PartialEq + Sized {
    /// What may be written, for tables and editors.
    const SHAPE: Shape;

    /// A regular expression that every text of the notation matches, for tables and editors, if one
    /// says more than the shape; how it is written is said in [`pattern`].
    fn pattern() -> Option<String> {
        None
    }

    /// Reads the user's notation.
    fn parse(text: &str) -> Result<Self, ValueError>;

    /// What an empty text stands for where a key has no default; mostly it is as if nobody wrote the key.
    fn nothing() -> Option<Self> {
        None
    }

    /// What counts in place of a text that is no value, given what lower sources and the default say.
    fn in_place_of(lower: Option<Self>, _: Setting<ValueError>) -> Option<Self> {
        lower
    }
}

/// What may be written for a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "shape")]
pub enum Shape {
    /// `true` or `false`.
    Boolean,
    /// A whole number between two bounds.
    Integer {
        /// The lowest.
        min: i64,
        /// The highest.
        max: i64,
    },
    /// One of a few words.
    Choice {
        /// The words.
        words: &'static [&'static str],
    },
    /// One line of text that follows a grammar.
    Text {
        /// The grammar in a few words, such as `a time, such as 30s`.
        grammar: &'static str,
    },
    /// Several lines of text.
    Lines {
        /// What a line is.
        grammar: &'static str,
    },
}

/// Why a text is not a value: what is expected, in a noun phrase, and what was found.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected {expected}, found {}", found_text(found.as_deref()))]
pub struct ValueError {
    /// What is expected, such as `a number from 1 to 65535`.
    pub expected: String,
    /// What was found, shortened to what can be shown on one line; absent for what must not be shown.
    pub found: Option<String>,
    /// What to write instead, if that can be guessed.
    pub help: Option<String>,
    /// The same as a value alone.
    pub instead: Option<String>,
}

impl ValueError {
    /// An error about a text; control characters are escaped and long texts are cut.
    pub fn new(expected: impl Into<String>, found: &str) -> Self {
        Self {
            expected: expected.into(),
            found: Some(shown(found)),
            help: None,
            instead: None,
        }
    }

    /// An error about a secret, which no message shows.
    pub fn of_secret(expected: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            found: None,
            help: None,
            instead: None,
        }
    }

    /// Adds what to write instead.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the value that was probably meant.
    pub fn instead(mut self, value: impl Into<String>) -> Self {
        self.instead = Some(value.into());
        self
    }

    /// Adds the nearest of some words, if one is near enough for a typing mistake.
    pub(crate) fn nearest(self, words: &[&'static str], text: &str) -> Self {
        let text = text.trim().to_ascii_lowercase();
        match crate::value::nearest(words.iter().copied(), &text) {
            Some(word) => self
                .help(format!("the nearest word is `{word}`"))
                .instead(word),
            None => self,
        }
    }
}

/// The word that a text was probably meant to be: few letters differ, for the length of the word.
pub(crate) fn nearest<'a>(words: impl Iterator<Item = &'a str>, text: &str) -> Option<&'a str> {
    let most = |word: &str| 1 + word.len() / 5;
    words
        .filter(|it| it.len().abs_diff(text.len()) <= most(it))
        .map(|it| (strsim::damerau_levenshtein(text, it), it))
        .filter(|(distance, it)| *distance <= most(it) && *distance < it.len())
        .min()
        .map(|it| it.1)
}

/// What was found, as a message says it.
fn found_text(found: Option<&str>) -> String {
    match found {
        None => "a text that is not shown".into(),
        Some("") => "nothing".into(),
        Some(found) => format!("`{found}`"),
    }
}

/// A text that fits on a line of a message: control characters escaped, at most 80 characters.
pub fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        shown.push('…');
    }
    shown
}

/// What is expected where one of a few words is.
pub(crate) fn one_of(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|it| format!("`{it}`")).collect();
    match &*words {
        [word] => word.clone(),
        words => format!("one of {}", words.join(", ")),
    }
}

/// Declares an enum whose variants are written as words: `choice! { pub enum Name { A = "a" } }`.
///
/// A word is read in any case. Further words for a variant follow behind `|`.
macro_rules! choice {
    (
        $(#[$meta:meta])* pub enum $name:ident {
            $( $(#[$doc:meta])* $variant:ident = $word:literal $(| $other:literal)* ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $name { $( $(#[$doc])* $variant ),+ }

        impl $crate::value::KeyValue for $name {
            const SHAPE: $crate::value::Shape =
                $crate::value::Shape::Choice { words: &[$($word),+] };

            fn pattern() -> Option<String> {
                Some($crate::value::pattern::words(&[$($word $(, $other)*),+]))
            }

            fn parse(text: &str) -> Result<Self, $crate::value::ValueError> {
                let word = text.trim().to_ascii_lowercase();
                match word.as_str() {
                    $( $word $(| $other)* => Ok(Self::$variant), )+
                    _ => Err($crate::value::ValueError::new(
                        $crate::value::one_of(&[$($word),+]), text,
                    ).nearest(&[$($word),+], text)),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $( Self::$variant => $word ),+ })
            }
        }
    };
}
pub(crate) use choice;

impl KeyValue for bool {
    const SHAPE: Shape = Shape::Boolean;

    fn pattern() -> Option<String> {
        Some(pattern::words(&["true", "t", "1", "false", "f", "0"]))
    }

    /// What Go's `strconv.ParseBool` takes, in any case.
    fn parse(text: &str) -> Result<Self, ValueError> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Ok(true),
            "false" | "f" | "0" => Ok(false),
            word => {
                let error = ValueError::new("`true` or `false`", text);
                Err(match word {
                    "yes" | "y" | "on" | "enabled" => error.help("write `true`").instead("true"),
                    "no" | "n" | "off" | "disabled" => error.help("write `false`").instead("false"),
                    _ => error.nearest(&["true", "false"], text),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sentences() {
        let error = |words: &[&str], text| ValueError::new(one_of(words), text).to_string();
        assert_eq!(error(&["a"], "x"), "expected `a`, found `x`");
        assert_eq!(
            error(&["a", "b"], "x\n"),
            "expected one of `a`, `b`, found `x\\n`"
        );
        assert_eq!(
            error(&["a", "b"], ""),
            "expected one of `a`, `b`, found nothing"
        );
        assert_eq!(
            ValueError::of_secret("`a`").to_string(),
            "expected `a`, found a text that is not shown"
        );
    }
}
