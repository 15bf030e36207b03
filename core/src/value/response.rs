//! Whole HTTP responses that an operator or a tenant writes.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError};

/// A response: status, headers and body.
///
/// Grammar: an optional first line `CODE` or `CODE REASON`; lines `name: value` up to the first empty
/// line; the rest is the body. `Content-Length` is computed, one that is written is left out.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Response {
    /// The status and its reason, if the first line has them.
    pub status: Option<(u16, Arc<str>)>,
    /// Headers in order.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// The body, each line with its line feed.
    pub body: Arc<str>,
}

/// A response in place of a usual one, or the usual one, for which an empty text stands: so it takes back
/// what a lower source says.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Page(pub Option<Response>);

/// What a response file may have: HAProxy reads it into one buffer of 16 KiB, of which it keeps 1 KiB.
const MAX_BYTES: usize = 15_000;

impl KeyValue for Response {
    const SHAPE: Shape = Shape::Lines {
        grammar: "status, headers, an empty line, body",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let mut response = Self::default();
        let mut lines = text
            .trim_end_matches('\n')
            .lines()
            .map(str::trim_end)
            .peekable();
        if let Some(first) = lines.peek().copied() {
            let (code, reason) = first.split_once(' ').unwrap_or((first, ""));
            if code.len() == 3 && code.bytes().all(|it| it.is_ascii_digit()) {
                lines.next();
                let code: u16 = code.parse().expect("three digits");
                let is_reason = reason
                    .chars()
                    .all(|it| it.is_ascii_alphabetic() || it == ' ');
                if !(101..=599).contains(&code) || !is_reason {
                    return Err(ValueError::new(
                        "a status from 101 to 599 and a reason of letters",
                        first,
                    ));
                }
                response.status = Some((code, reason.trim().into()));
            }
        }
        for line in lines.by_ref().take_while(|it| !it.is_empty()) {
            let wrong = || ValueError::new("a header, `name: value`", line);
            let (name, value) = line.split_once(':').ok_or_else(wrong)?;
            let (name, value) = (name.trim(), value.trim());
            let is_name = !name.is_empty()
                && name
                    .bytes()
                    .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'));
            if !is_name || value.is_empty() || value.chars().any(|it| it.is_control() || it == '"')
            {
                return Err(wrong());
            }
            if !name.eq_ignore_ascii_case("content-length") {
                response.headers.push((name.into(), value.into()));
            }
        }
        let mut body = String::new();
        for line in lines {
            if line.contains('\0') {
                return Err(ValueError::new("a body without NUL bytes", line));
            }
            body.push_str(line);
            body.push('\n');
        }
        response.body = body.into();
        if text.len() > MAX_BYTES {
            return Err(ValueError::new(
                format!("a response of at most {MAX_BYTES} bytes"),
                text,
            ));
        }
        Ok(response)
    }
}

impl KeyValue for Page {
    const SHAPE: Shape = Response::SHAPE;

    fn nothing() -> Option<Self> {
        Some(Self(None))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        Response::parse(text).map(|it| Self(Some(it)))
    }
}

impl Response {
    /// A page of ours.
    pub fn html(body: impl Into<Arc<str>>) -> Self {
        Self {
            status: None,
            headers: vec![
                ("content-type".into(), "text/html".into()),
                ("cache-control".into(), "no-cache".into()),
            ],
            body: body.into(),
        }
    }

    /// The response as it goes over the wire, with the given status where it says none.
    pub fn to_http(&self, code: u16, reason: &str) -> String {
        let (code, reason) = match &self.status {
            Some((code, own)) if own.is_empty() => (*code, reason),
            Some((code, own)) => (*code, &**own),
            None => (code, reason),
        };
        let mut http = format!("HTTP/1.1 {code} {reason}\r\n");
        for (name, value) in &self.headers {
            let _ = write!(http, "{name}: {value}\r\n");
        }
        let _ = write!(
            http,
            "content-length: {}\r\n\r\n{}",
            self.body.len(),
            self.body
        );
        http
    }
}
