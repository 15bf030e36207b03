//! What HAProxy writes into its log for each request or connection.
//!
//! ```text
//! FORMAT := "default" | "" | { TEXT | "%%" | "%" [ "{" FLAGS "}" ] ( NAME | "[" EXPRESSION "]" ) }
//! ```
//!
//! It is HAProxy's log-format (configuration manual, section 8.2.6). A name must be one that the mode
//! of the proxy knows: HAProxy does not start with another one. An operator may write any expression;
//! a tenant only those that tell of the connection and nothing else.

use std::sync::Arc;

use crate::value::text::{Format, Line};
use crate::value::{KeyValue, Shape, ValueError};

/// The format of log lines of a proxy in HTTP mode.
pub type HttpLogLine = LogLine<true>;

/// The format of log lines of a proxy in TCP mode.
pub type TcpLogLine = LogLine<false>;

/// The format of log lines; `HTTP` says whether there are requests to tell of.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, log_line::TcpLogLine};
/// let line = TcpLogLine::parse("%ci:%cp %[ssl_fc_sni]")?;
/// assert_eq!(line.directive().as_str(), "log-format \"%ci:%cp %[ssl_fc_sni]\"");
/// assert!(line.of_tenant().is_ok());
/// assert!(TcpLogLine::parse("%[env(HOME)]")?.of_tenant().is_err());
/// assert!(TcpLogLine::parse("%HM").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LogLine<const HTTP: bool> {
    /// Nothing is logged.
    Off,
    /// HAProxy's own format for the mode.
    Default,
    /// A format in which every variable is known.
    Text(Arc<str>),
}

/// The longest format; a line of a log has at most 64 KiB.
const MAX: usize = 8192;

/// Variables that every proxy has.
const ANY: &[&str] = &[
    "B", "H", "ID", "ST", "T", "Tc", "Td", "Th", "Tl", "Ts", "Tt", "Tu", "Tw", "U", "ac", "b",
    "bc", "bi", "bp", "bq", "ci", "cp", "f", "fc", "fi", "fp", "ft", "hr", "hrl", "hs", "hsl",
    "lc", "ms", "o", "pid", "rc", "rt", "s", "sc", "si", "sp", "sq", "sslc", "sslv", "t", "ts",
    "tsc",
];

/// Variables that a proxy in HTTP mode has beside them.
const HTTP_ONLY: &[&str] = &[
    "CC", "CS", "HM", "HP", "HPO", "HQ", "HU", "HV", "TR", "Ta", "Ti", "Tq", "Tr", "r", "tr",
    "trg", "trl",
];

/// What a tenant may log of a connection beside the variables.
const TENANT: &[&str] = &[
    "date",
    "dst",
    "dst_port",
    "src",
    "src_port",
    "ssl_fc",
    "ssl_fc_alpn",
    "ssl_fc_cipher",
    "ssl_fc_protocol",
    "ssl_fc_sni",
    "uuid",
];

/// A part of a format that is no literal text.
enum Piece<'a> {
    Variable(&'a str),
    Expression(&'a str),
}

impl<const HTTP: bool> LogLine<HTTP> {
    /// The directive that says it.
    pub fn directive(&self) -> Line {
        match self {
            Self::Off => Line::keyword("no log"),
            Self::Default if HTTP => Line::keyword("option httplog"),
            Self::Default => Line::keyword("option tcplog"),
            Self::Text(text) => Line::keyword("log-format").format(&Format::trusted(text)),
        }
    }

    /// The same for a tenant: only what tells no more than the connection itself.
    pub fn of_tenant(&self) -> Result<&Self, ValueError> {
        let Self::Text(text) = self else {
            return Ok(self);
        };
        pieces(text, |piece| match piece {
            Piece::Expression(it) if !TENANT.contains(&it) => {
                let known = TENANT.join("`, `");
                Err(ValueError::new(format!("one of `{known}` in `%[…]`"), it))
            }
            Piece::Expression(_) | Piece::Variable(_) => Ok(()),
        })?;
        Ok(self)
    }
}

impl<const HTTP: bool> KeyValue for LogLine<HTTP> {
    const SHAPE: Shape = Shape::Text {
        grammar: "`default`, or log-format text of HAProxy",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        match text {
            "" => return Ok(Self::Off),
            "default" => return Ok(Self::Default),
            _ => {}
        }
        if text.len() > MAX {
            let expected = format!("a format of at most {MAX} bytes");
            return Err(ValueError::new(expected, text));
        }
        if text.chars().any(char::is_control) {
            return Err(ValueError::new(
                "a format without line breaks and other control characters",
                text,
            ));
        }
        pieces(text, |piece| match piece {
            Piece::Variable(it) if ANY.contains(&it) || (HTTP && HTTP_ONLY.contains(&it)) => Ok(()),
            Piece::Variable(it) if HTTP_ONLY.contains(&it) => Err(ValueError::new(
                "a variable that tells of a connection and not of a request",
                &format!("%{it}"),
            )),
            Piece::Variable(it) => Err(ValueError::new(
                "a variable of HAProxy's log-format, such as `%ci`",
                &format!("%{it}"),
            )
            .help("write `%%` for a percent sign")),
            Piece::Expression(it) if it.trim().is_empty() => {
                Err(ValueError::new("an expression in `%[…]`", text))
            }
            Piece::Expression(_) => Ok(()),
        })?;
        Ok(Self::Text(text.into()))
    }
}

/// Hands out the parts of a format that are no literal text; the error says what is not closed or what
/// the receiver refused.
fn pieces(
    text: &str,
    mut take: impl FnMut(Piece<'_>) -> Result<(), ValueError>,
) -> Result<(), ValueError> {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('%') {
        rest = behind;
        if let Some(after) = behind.strip_prefix('%') {
            rest = after;
            continue;
        }
        let has_flags = behind.starts_with('{');
        if let Some(inside) = behind.strip_prefix('{') {
            let (flags, after) = inside
                .split_once('}')
                .ok_or_else(|| ValueError::new("flags that are closed, such as `%{+Q}ci`", text))?;
            let is_flag = |it: &str| matches!(it, "+Q" | "-Q" | "+X" | "-X" | "+E" | "-E");
            if !flags.split(',').all(is_flag) {
                let expected = "the flags `+Q`, `+X` and `+E`, or `-` in front of one";
                return Err(ValueError::new(expected, flags));
            }
            rest = after;
        }
        if let Some(inside) = rest.strip_prefix('[') {
            let end = end_of_expression(inside)
                .ok_or_else(|| ValueError::new("an expression, `%[…]`, that is closed", text))?;
            take(Piece::Expression(&inside[..end]))?;
            rest = &inside[end + 1..];
            continue;
        }
        let is_name = |it: char| it.is_ascii_alphanumeric();
        let length = rest.find(|it| !is_name(it)).unwrap_or(rest.len());
        // A `%` that begins nothing is a percent sign; `Format::trusted` writes it twice.
        let begins_nothing = !rest.starts_with(|it: char| it.is_ascii_alphabetic());
        if begins_nothing && !has_flags {
            continue;
        }
        take(Piece::Variable(&rest[..length]))?;
        rest = &rest[length..];
    }
    Ok(())
}

/// Where an expression ends: at the first `]` that stands in no argument and in no quotes.
fn end_of_expression(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (place, byte) in text.bytes().enumerate() {
        if let Some(open) = quote {
            if byte == open {
                quote = None;
            }
            continue;
        }
        match byte {
            b'"' | b'\'' if depth > 0 => quote = Some(byte),
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b']' if depth == 0 => return Some(place),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_haproxy_knows_is_taken() {
        for text in [
            "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq",
            "%{+Q}o %{-Q}ci",
            r#"{"src":"%ci","path":%{+Q,+E}[capture.req.uri,regsub([a-z],"x)",g)]}"#,
            "100%% of %[src,ipmask(24)], 5% more",
        ] {
            assert!(TcpLogLine::parse(text).is_ok(), "{text}");
            assert!(HttpLogLine::parse(text).is_ok(), "{text}");
        }
        assert!(HttpLogLine::parse("%HM %HU %ST %TR").is_ok());
        assert_eq!(TcpLogLine::parse("default"), Ok(TcpLogLine::Default));
        assert_eq!(TcpLogLine::parse(" "), Ok(TcpLogLine::Off));
    }

    #[test]
    fn what_would_keep_haproxy_from_starting_is_refused() {
        let long = "x".repeat(MAX + 1);
        for bad in [
            "%zz", "%ciX", "%{+Q", "%{+Q}", "%{Q}ci", "%{+Q}-", "%[src", "%[]", "%[hdr(a]", "a\nb",
            &long,
        ] {
            assert!(HttpLogLine::parse(bad).is_err(), "{bad}");
            assert!(TcpLogLine::parse(bad).is_err(), "{bad}");
        }
        assert!(TcpLogLine::parse("%HM").is_err());
    }

    #[test]
    fn a_tenant_may_log_its_connection() {
        let tenant = |text| TcpLogLine::parse(text).is_ok_and(|it| it.of_tenant().is_ok());
        assert!(tenant("%ci %[src]:%{+Q}[ssl_fc_sni]"));
        for bad in [
            "%[env(HOME)]",
            "%[var(proc.x)]",
            "%[src,map(/etc/passwd)]",
            "%[lua.f]",
            "%[src ]",
        ] {
            assert!(!tenant(bad), "{bad}");
        }
    }

    #[test]
    fn no_byte_leaves_its_word() {
        let line = TcpLogLine::parse(r#"it's "$HOME" #1 \x %ci"#).expect("a format");
        let written = r"log-format it\x27s\x20\x22\x24HOME\x22\x20\x231\x20\x5cx\x20%ci";
        assert_eq!(line.directive().as_str(), written);
    }
}
