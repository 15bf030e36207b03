//! Log-format text that a tenant may write: literal text and a few harmless expressions.
//!
//! HAProxy's log-format (configuration manual, section 8.2.6) can read environment variables, the
//! variables of other rules, maps and Lua. From a tenant we take `%[FETCH]`, `%[FETCH(NAME)]` and
//! converters without arguments behind them, each from a list of what tells no more than the request
//! or the response itself. `%%` is a percent sign, as in HAProxy; so is a `%` that begins nothing.

use crate::value::ValueError;
use crate::value::text::Format;

/// The messages whose headers an expression may read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// A request on its way to a server.
    Request,
    /// A response on its way to a client.
    Response,
}

/// Fetches without an argument that always work.
const CONNECTION: &[&str] = &[
    "date",
    "dst",
    "dst_port",
    "fc_http_major",
    "method",
    "rand",
    "src",
    "src_port",
    "ssl_fc",
    "ssl_fc_cipher",
    "ssl_fc_protocol",
    "ssl_fc_sni",
    "unique-id",
    "uuid",
];

/// Fetches without an argument that need the request.
const REQUEST: &[&str] = &["base", "path", "pathq", "query", "req.ver", "url"];

/// Fetches whose argument is the name of a header, cookie or parameter of the request.
const REQUEST_NAMED: &[&str] = &[
    "cook",
    "hdr",
    "req.cook",
    "req.fhdr",
    "req.hdr",
    "url_param",
    "urlp",
];

/// Fetches whose argument is the name of a header or cookie of the response.
const RESPONSE_NAMED: &[&str] = &["res.cook", "res.fhdr", "res.hdr"];

/// Converters without an argument; none that could make a line break out of something else, as
/// `url_dec` would.
const CONVERTERS: &[&str] = &[
    "base64", "hex", "length", "lower", "sha1", "upper", "url_enc",
];

/// Reads log-format text of a tenant; `variables` are names that are replaced by literal text.
pub fn parse(
    text: &str,
    direction: Direction,
    variables: &[(&str, &str)],
) -> Result<Format, ValueError> {
    let mut format = Format::default();
    let mut rest = text;
    while let Some((literal, behind)) = rest.split_once('%') {
        format = format.and_literal(literal);
        if let Some(inside) = behind.strip_prefix('[') {
            let (expression, after) = inside
                .split_once(']')
                .ok_or_else(|| ValueError::new("an expression, `%[…]`, that is closed", text))?;
            format = match variables.iter().find(|it| it.0 == expression) {
                Some((_, value)) => format.and_literal(value),
                None => format.and_expression(check(expression, direction)?),
            };
            rest = after;
        } else if let Some(after) = behind.strip_prefix('%') {
            format = format.and_literal("%");
            rest = after;
        } else {
            if is_variable(behind) {
                return Err(
                    ValueError::new("text without variables of log-format", text)
                        .help("write `%%` for a percent sign, `%[src]` for the client's address"),
                );
            }
            format = format.and_literal("%");
            rest = behind;
        }
    }
    Ok(format.and_literal(rest))
}

/// Whether what follows a `%` is one of HAProxy's variables rather than a percent sign: it begins
/// with a letter or a brace, and is no percent-encoded byte.
fn is_variable(behind: &str) -> bool {
    let bytes = behind.as_bytes();
    let is_encoded = bytes.len() >= 2 && bytes[..2].iter().all(u8::is_ascii_hexdigit);
    let is_name = bytes
        .first()
        .is_some_and(|it| it.is_ascii_alphabetic() || *it == b'{');
    is_name && !is_encoded
}

/// Returns an expression in which everything is known.
fn check(expression: &str, direction: Direction) -> Result<&str, ValueError> {
    let mut parts = expression.split(',');
    let fetch = parts.next().unwrap_or_default();
    let is_known = match fetch.split_once('(') {
        None => {
            CONNECTION.contains(&fetch)
                || (direction == Direction::Request && REQUEST.contains(&fetch))
                || (direction == Direction::Response && fetch == "status")
        }
        Some((name, argument)) => {
            let named = match direction {
                Direction::Request => REQUEST_NAMED,
                Direction::Response => RESPONSE_NAMED,
            };
            let Some(argument) = argument.strip_suffix(')') else {
                return Err(ValueError::new(
                    "an expression whose argument is one name in parentheses",
                    expression,
                ));
            };
            if name == "rand" {
                argument.parse::<u16>().is_ok_and(|it| it > 0)
            } else {
                named.contains(&name) && is_name(argument)
            }
        }
    };
    if !is_known {
        let message = match direction {
            Direction::Request => "request",
            Direction::Response => "response",
        };
        return Err(ValueError::new(
            format!("an expression that a tenant may use in a {message}, such as `%[src]`"),
            expression,
        ));
    }
    if let Some(unknown) = parts.find(|it| !CONVERTERS.contains(it)) {
        return Err(ValueError::new(
            format!("one of the converters {}", CONVERTERS.join(", ")),
            unknown,
        ));
    }
    Ok(expression)
}

/// Whether a text is a name that needs no quotes anywhere.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 256
        && text
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::text::Line;

    fn read(text: &str, direction: Direction) -> Option<String> {
        let variables = [("service", "app"), ("namespace", "shop")];
        let format = parse(text, direction, &variables).ok()?;
        Some(Line::default().format(&format).as_str().to_owned())
    }

    #[test]
    fn what_is_harmless_is_taken() {
        for (text, written) in [
            ("plain", "plain"),
            ("50% off", r#""50%% off""#),
            ("50%% off", r#""50%% off""#),
            ("a%20b%C3", "a%%20b%%C3"),
            ("%[service].%[namespace]", "app.shop"),
            ("%[src]:%[src_port]", "%[src]:%[src_port]"),
            ("%[req.hdr(X-Id),lower]", "%[req.hdr(X-Id),lower]"),
            ("%[rand(100)]", "%[rand(100)]"),
        ] {
            assert_eq!(
                read(text, Direction::Request).as_deref(),
                Some(written),
                "{text}"
            );
        }
        assert!(read("%[res.hdr(X-Id)]", Direction::Response).is_some());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for bad in [
            "%[env(HOME)]",
            "%[var(proc.secret)]",
            "%[src,map(/etc/passwd)]",
            "%[lua.f]",
            "%[req.hdr(a,b)]",
            "%[req.hdr('a')]",
            "%[req.hdr(a) if]",
            "%[req.hdr(x)",
            "%[]",
            "%ci",
            "%{+Q}o",
            "%[res.hdr(x)]",
            "%[src ]",
            "%[url_param(x),url_dec]",
        ] {
            assert_eq!(read(bad, Direction::Request), None, "{bad}");
        }
        assert_eq!(read("%[req.hdr(x)]", Direction::Response), None);
    }
}
