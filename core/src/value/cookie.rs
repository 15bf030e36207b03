//! Cookies that keep a client at its server: their names, options and domains.

use std::fmt;
use std::sync::Arc;

use crate::value::text::Line;
use crate::value::{KeyValue, Shape, ValueError, choice, pattern};

/// The name of a cookie: a token (RFC 6265, section 4.1.1) without a quote.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, cookie::CookieName};
/// assert!(CookieName::parse("__Host-SESSION").is_ok());
/// assert!(CookieName::parse("a b").is_err());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CookieName(Arc<str>);

/// A domain for which a browser keeps a cookie: labels with a dot between them, perhaps one in front.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, cookie::CookieDomain};
/// assert_eq!(CookieDomain::parse(".App.Example")?.as_str(), ".app.example");
/// assert!(CookieDomain::parse("localhost").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CookieDomain(Arc<str>);

/// Options of HAProxy's directive `cookie`, separated by blanks: `indirect`, `nocache`, `postonly`,
/// `preserve`, `httponly`, `secure`, `maxidle TIME`, `maxlife TIME`, `domain DOMAIN` and
/// `attr ATTRIBUTE`.
///
/// A time without a unit has seconds, as HAProxy reads it.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, cookie::CookieOptions};
/// let options = CookieOptions::parse("nocache maxidle 30m attr SameSite=Lax")?;
/// assert_eq!(options.line().as_str(), "nocache maxidle 30m attr SameSite=Lax");
/// assert!(CookieOptions::parse("insert").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CookieOptions(Vec<CookieOption>);

/// One of them.
#[derive(Clone, Debug, Eq, PartialEq)]
enum CookieOption {
    Flag(&'static str),
    Time(&'static str, String),
    Domain(CookieDomain),
    Attribute(String),
}

/// The secret of which HAProxy makes the values of cookies: a line of text that is not empty.
#[derive(Clone, Eq, PartialEq)]
pub struct CookieKey(Arc<str>);

choice! {
    /// How persistence comes about.
    pub enum Affinity {
        /// By a cookie.
        Cookie = "cookie",
    }
}

choice! {
    /// Whose cookie it is.
    pub enum CookieStrategy {
        /// HAProxy's own.
        Insert = "insert",
        /// The server's, whose value HAProxy replaces.
        Rewrite = "rewrite",
        /// The server's, whose value HAProxy prefixes.
        Prefix = "prefix",
    }
}

choice! {
    /// What the cookie of a server says.
    pub enum CookieValue {
        /// The server's name.
        ServerName = "server-name",
        /// The UID of its Pod.
        PodUid = "pod-uid",
    }
}

/// The most options: each takes up to two of the words that a line may have.
const MAX_OPTIONS: usize = 16;

const FLAGS: [&str; 6] = [
    "indirect", "nocache", "postonly", "preserve", "httponly", "secure",
];

impl KeyValue for CookieName {
    const SHAPE: Shape = Shape::Text {
        grammar: "the name of a cookie",
    };

    fn pattern() -> Option<String> {
        Some(pattern::trimmed("[A-Za-z0-9!#$%&*+.^_|~-]{1,128}"))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let name = text.trim();
        let is_token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&*+-.^_|~".contains(&it);
        if name.is_empty() || name.len() > 128 || !name.bytes().all(is_token) {
            return Err(ValueError::new(
                "the name of a cookie: letters, digits and `-._`, at most 128",
                text,
            ));
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for CookieName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CookieDomain {
    /// The domain.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain of a host: the one below which it stands for a wildcard; `None` for a name without
    /// a dot, for which browsers keep no cookie, and for the name that stands for every other host.
    pub fn of_host(host: &str) -> Option<Self> {
        Self::parse(host.strip_prefix('*').unwrap_or(host)).ok()
    }
}

impl KeyValue for CookieDomain {
    const SHAPE: Shape = Shape::Text {
        grammar: "a domain, such as app.example",
    };

    fn pattern() -> Option<String> {
        let label = "[A-Za-z0-9_-]{1,63}";
        Some(pattern::trimmed(&format!(
            "[.]?{label}(?:[.]{label})+|[.]{label}"
        )))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let domain = text.trim();
        let labels = domain.strip_prefix('.').unwrap_or(domain);
        let is_letter = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
        let is_label = |it: &str| !it.is_empty() && it.len() <= 63 && it.bytes().all(is_letter);
        if domain.len() > 254 || !domain.contains('.') || !labels.split('.').all(is_label) {
            return Err(ValueError::new(
                "a domain with a dot in it, such as `app.example` or `.example.com`",
                text,
            ));
        }
        Ok(Self(domain.to_ascii_lowercase().into()))
    }
}

impl CookieOptions {
    /// The options as they stand behind the name of the cookie.
    pub fn line(&self) -> Line {
        self.0
            .iter()
            .fold(Line::default(), |line, option| match option {
                CookieOption::Flag(flag) => line.and(flag),
                CookieOption::Time(name, time) => line.and(name).text(time),
                CookieOption::Domain(domain) => line.and("domain").text(domain.as_str()),
                CookieOption::Attribute(attribute) => line.and("attr").text(attribute),
            })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an option without an argument is there.
    pub fn has(&self, flag: &str) -> bool {
        self.0
            .iter()
            .any(|it| matches!(it, CookieOption::Flag(name) if *name == flag))
    }

    /// Leaves out an option without an argument.
    pub fn without(mut self, flag: &str) -> Self {
        self.0
            .retain(|it| !matches!(it, CookieOption::Flag(name) if *name == flag));
        self
    }
}

impl KeyValue for CookieOptions {
    const SHAPE: Shape = Shape::Text {
        grammar: "options of HAProxy's directive cookie",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let mut options = Vec::new();
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            let mut argument = || {
                words
                    .next()
                    .ok_or_else(|| ValueError::new(format!("a value behind `{word}`"), text))
            };
            options.push(match word {
                "maxidle" => CookieOption::Time("maxidle", seconds(argument()?)?),
                "maxlife" => CookieOption::Time("maxlife", seconds(argument()?)?),
                "domain" => CookieOption::Domain(CookieDomain::parse(argument()?)?),
                "attr" => CookieOption::Attribute(attribute(argument()?)?),
                _ => {
                    let flag = FLAGS.iter().find(|it| **it == word).ok_or_else(|| {
                        ValueError::new(
                            "options of a cookie: `indirect`, `nocache`, `postonly`, `preserve`, \
                             `httponly`, `secure`, `maxidle TIME`, `maxlife TIME`, `domain DOMAIN`, \
                             `attr ATTRIBUTE`",
                            word,
                        )
                    })?;
                    CookieOption::Flag(flag)
                }
            });
        }
        if options.len() > MAX_OPTIONS {
            return Err(ValueError::new(
                format!("at most {MAX_OPTIONS} options"),
                text,
            ));
        }
        Ok(Self(options))
    }
}

/// A time in whole seconds, with a unit or without.
fn seconds(text: &str) -> Result<String, ValueError> {
    let wrong = || ValueError::new("a time in whole seconds, such as `30m` or `3600`", text);
    let digits = text.trim_end_matches(|it: char| it.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    match digits.parse::<u64>() {
        Ok(amount @ 1..=2_147_483_647) if is_number && amount * factor <= 2_147_483_647 => {
            Ok(text.to_owned())
        }
        _ => Err(wrong()),
    }
}

/// An attribute of a cookie: a token, and perhaps a value behind `=`.
fn attribute(text: &str) -> Result<String, ValueError> {
    let text = text
        .strip_prefix('"')
        .and_then(|it| it.strip_suffix('"'))
        .unwrap_or(text);
    let is_plain = |it: u8| it.is_ascii_graphic() && !b";,\"'\\".contains(&it);
    if text.is_empty() || text.len() > 256 || !text.bytes().all(is_plain) {
        return Err(ValueError::new(
            "an attribute of a cookie, such as `SameSite=Lax`",
            text,
        ));
    }
    Ok(text.to_owned())
}

impl CookieKey {
    /// The key as one word.
    pub fn line(&self) -> Line {
        Line::default().text(&self.0)
    }
}

impl KeyValue for CookieKey {
    const SHAPE: Shape = Shape::Text {
        grammar: "a secret text",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let key = text.trim();
        if key.is_empty() || key.len() > 1024 || key.chars().any(char::is_control) {
            return Err(ValueError::of_secret(
                "a line of text that is not empty, at most 1024 bytes",
            ));
        }
        Ok(Self(key.into()))
    }
}

impl fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_haproxy_would_refuse_are_refused() {
        for (text, written) in [
            ("", ""),
            ("indirect  nocache", "indirect nocache"),
            ("maxlife 3600 maxidle 5m", "maxlife 3600 maxidle 5m"),
            ("domain .Example.com", "domain .example.com"),
            (
                r#"attr "SameSite=None" secure"#,
                "attr SameSite=None secure",
            ),
        ] {
            let options = CookieOptions::parse(text).expect(text);
            assert_eq!(options.line().as_str(), written, "{text}");
        }
        for bad in [
            "rewrite",
            "dynamic",
            "maxidle",
            "maxidle 0",
            "maxidle 5ms",
            "maxlife 99999999999",
            "domain localhost",
            "domain a;b.c",
            "attr a;b",
            "attr",
            "nocache # x",
            &"secure ".repeat(17),
        ] {
            assert!(CookieOptions::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_hosts_with_a_dot_have_a_domain() {
        let of = |it| CookieDomain::of_host(it).map(|it| it.as_str().to_owned());
        assert_eq!(of("app.example").as_deref(), Some("app.example"));
        assert_eq!(of("*.app.example").as_deref(), Some(".app.example"));
        assert_eq!(of("localhost"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = CookieKey::parse("hidden").expect("a text");
        assert!(!format!("{key:?}").contains("hidden"));
        let error = CookieKey::parse("hid\nden").expect_err("two lines");
        assert!(!error.to_string().contains("hid"));
    }
}
