//! Algorithms that choose a server.

use crate::value::header::HeaderName;
use crate::value::text::Line;
use crate::value::{KeyValue, Shape, ValueError};

/// What stands behind `balance` (HAProxy configuration manual, section 4.2): an algorithm that HAProxy
/// knows, with arguments of the right form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Balance {
    line: Line,
    is_expression: bool,
}

/// What is expected of a text.
const EXPECTED: &str = "an algorithm of HAProxy: `roundrobin`, `static-rr`, `leastconn`, `first`, \
                        `source`, `uri`, `url_param NAME`, `hdr(NAME)`, `random(N)`, `rdp-cookie(NAME)`";

/// The algorithms that one word names.
const WORDS: &[&str] = &[
    "roundrobin",
    "static-rr",
    "leastconn",
    "first",
    "source",
    "uri",
    "random",
    "rdp-cookie",
];

impl Balance {
    /// The words behind `balance`.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// Whether it is `hash` with an expression, which can read more than a tenant may.
    pub fn is_expression(&self) -> bool {
        self.is_expression
    }

    /// Whether servers may come and go while HAProxy runs: static algorithms spread requests over a
    /// table that is made when it starts.
    pub fn is_dynamic(&self) -> bool {
        let algorithm = self.line.as_str().split([' ', '(']).next();
        matches!(
            algorithm,
            Some("roundrobin" | "leastconn" | "first" | "random")
        )
    }

    fn plain(line: Line) -> Self {
        Self {
            line,
            is_expression: false,
        }
    }
}

impl KeyValue for Balance {
    const SHAPE: Shape = Shape::Text {
        grammar: "an algorithm, such as roundrobin, leastconn or random(2)",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(EXPECTED, text);
        let mut words = text.split_whitespace();
        // Nothing is HAProxy's own default.
        let algorithm = words.next().unwrap_or("roundrobin");
        let (name, argument) = match algorithm.split_once('(') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(')').ok_or_else(wrong)?)),
            None => (algorithm, None),
        };
        if name == "hash" && argument.is_none() {
            let expression = text
                .trim()
                .strip_prefix("hash")
                .expect("the first word")
                .trim();
            // Double quotes would put variables of the environment into it.
            let is_one = !expression.is_empty() && expression.split_whitespace().count() == 1;
            if !is_one || expression.contains('"') {
                return Err(ValueError::new(
                    "`hash` and one sample expression without double quotes",
                    text,
                ));
            }
            return Ok(Self {
                line: Line::keyword("hash").line(&Line::parse(expression)?),
                is_expression: true,
            });
        }
        let line = match (name, argument) {
            ("roundrobin" | "static-rr" | "leastconn" | "first" | "source", None) => {
                Line::default().and(name)
            }
            ("uri", None) => uri(&mut words).ok_or_else(wrong)?,
            ("url_param", None) => {
                let parameter = words.next().filter(|it| is_name(it)).ok_or_else(wrong)?;
                let line = Line::keyword("url_param").text(parameter);
                match words.next() {
                    None => line,
                    Some("check_post") => line.and("check_post"),
                    Some(_) => return Err(wrong()),
                }
            }
            ("hdr", Some(header)) => {
                let header = HeaderName::parse(header).map_err(|_| wrong())?;
                let line = Line::default().text(&format!("hdr({header})"));
                match words.next() {
                    None => line,
                    Some("use_domain_only") => line.and("use_domain_only"),
                    Some(_) => return Err(wrong()),
                }
            }
            ("random", None) => Line::keyword("random"),
            ("random", Some(draws)) => match draws.trim().parse::<u16>() {
                Ok(draws @ 1..=1000) => Line::default().and(&format!("random({draws})")),
                _ => return Err(ValueError::new("1 to 1000 draws in `random(N)`", text)),
            },
            ("rdp-cookie", None) => Line::keyword("rdp-cookie"),
            ("rdp-cookie", Some(cookie)) if is_name(cookie) => {
                Line::default().and(&format!("rdp-cookie({cookie})"))
            }
            (_, None) if words.next().is_none() => return Err(wrong().nearest(WORDS, name)),
            _ => return Err(wrong()),
        };
        match words.next() {
            None => Ok(Self::plain(line)),
            Some(_) => Err(wrong()),
        }
    }
}

/// The options of `uri`.
fn uri<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Line> {
    let mut line = Line::keyword("uri");
    while let Some(option) = words.next() {
        line = match option {
            "whole" | "path-only" => line.and(option),
            "len" | "depth" => {
                let number: u16 = words.next()?.parse().ok()?;
                line.and(option).number(number)
            }
            _ => return None,
        };
    }
    Some(line)
}

/// Whether a text is the name of a parameter or cookie that needs no quotes anywhere.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_algorithms_are_taken_with_their_arguments() {
        for (text, written) in [
            ("", "roundrobin"),
            (" leastconn ", "leastconn"),
            ("random( 2 )", ""),
            ("random(2)", "random(2)"),
            ("uri  len 10 depth 2 whole", "uri len 10 depth 2 whole"),
            ("url_param sid check_post", "url_param sid check_post"),
            ("hdr(X-User) use_domain_only", "hdr(X-User) use_domain_only"),
            ("rdp-cookie(mstshash)", "rdp-cookie(mstshash)"),
            ("hash var(txn.key),lower", "hash var(txn.key),lower"),
        ] {
            match Balance::parse(text) {
                Ok(balance) => assert_eq!(balance.line().as_str(), written, "{text}"),
                Err(error) => assert_eq!(written, "", "{text}: {error}"),
            }
        }
        assert!(
            Balance::parse("hash src")
                .expect("an expression")
                .is_expression()
        );
    }

    #[test]
    fn nothing_else_gets_through() {
        for bad in [
            "fastest",
            "roundrobin\nserver evil 192.0.2.1:80",
            "roundrobin extra",
            "hdr(a'b)",
            "hdr(x",
            "random(0)",
            "url_param a b",
            "uri len",
            "rdp-cookie(a b)",
            "hash",
            "hash src extra",
            "hash src # x",
        ] {
            assert!(Balance::parse(bad).is_err(), "{bad:?}");
        }
    }
}
