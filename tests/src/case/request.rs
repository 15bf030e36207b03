//! A case's `request` blocks, through a real HAProxy.

use std::io;

use crate::case::{Case, Failure, Input};
use crate::http::{Connection, Identity, Request, Response};
use crate::stage::{Ports, Stage};

/// A request and what must come back.
///
/// ```text
/// GET http://app.example/path [X-One: 1] → 200 backend=app path=/path
/// GET https://app.example/ → 301 location=https://other.example/
/// POST http://app.example/ [Content-Length: 10] → 413
/// GET https://app.example/ as alice → 200 >x-ssl-client-cn=alice
/// GET http://app.example:5432/ → closed
/// ```
///
/// Over `https` the host of the URL is the name that is asked for; `[Host: …]` says another one. A port
/// in the URL is one of the further ports of the global ConfigMap, such as those of `http-frontends`, or of a
/// TCP service.
/// `as` names a client of `tests/src/data/clients`: `alice`, and three whom the Secret `clients` does
/// not admit, `expired`, `revoked` and `stranger`. The authority of `bob` expired in 2021, and that of
/// `carol` has no list of revoked certificates since February 2020.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The line of the file.
    pub line: u32,
    /// Whether it goes over TLS.
    pub tls: bool,
    /// The host of the URL.
    pub host: String,
    /// Who the client is, if it has a certificate.
    pub client: Option<Identity>,
    /// The request.
    pub request: Request,
    /// The status that must come; absent where the connection must be closed without an answer.
    pub status: Option<u16>,
    /// What else must be.
    pub wanted: Vec<Wanted>,
}

/// What must be in an answer: `name=value`, with quotes around a value that has blanks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// `backend=NAME`: the Service whose endpoint answered.
    Backend(String),
    /// `path=PATH`: the path that the endpoint received.
    Path(String),
    /// `NAME=VALUE`: a header of the response; nothing behind `=` means that it must not be there.
    Header(String, String),
    /// `>NAME=VALUE`: a header that the endpoint received; nothing means that it must not be there.
    Received(String, String),
    /// `certificate=NAME`: a name that the certificate covers.
    Certificate(String),
    /// `body=TEXT`: a part of the body.
    Body(String),
}

/// Sends all requests of a case.
pub(super) fn exchange(case: &Case, mut input: Input) -> Vec<Failure> {
    if case.requests.is_empty() {
        return Vec::new();
    }
    let mut ports = Ports::default();
    ports.move_tcp(&mut input.snapshot, &input.options);
    let mut stage = match Stage::set(input.snapshot, input.options) {
        Ok(stage) => stage,
        Err(message) => return vec![case.failure(case.line, message)],
    };
    stage.ports.extend(ports.0);
    let mut failures = Vec::new();
    for exchange in &case.requests {
        if let Err(message) = exchange.run(&stage) {
            failures.push(case.failure(exchange.line, message));
        }
    }
    failures
}

impl Exchange {
    /// Reads a line of a block.
    pub(super) fn read(line: u32, text: &str) -> Result<Self, String> {
        let (left, right) = text
            .split_once('→')
            .or_else(|| text.split_once("->"))
            .ok_or("a request and its answer stand on both sides of `→`")?;
        let (head, mut rest) = left.split_once('[').unwrap_or((left, ""));
        let (head, client) = match head.split_once(" as ") {
            Some((head, name)) => (head, Some(Identity::of_data(name.trim())?)),
            None => (head, None),
        };
        let mut words = head.split_whitespace();
        let (Some(method), Some(url), None) = (words.next(), words.next(), words.next()) else {
            return Err(format!("`{}` is not a method and a URL", head.trim()));
        };
        let (scheme, url) = url
            .split_once("://")
            .ok_or("a URL starts with its scheme")?;
        let tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(format!("`{scheme}` is neither http nor https")),
        };
        let at = url.find('/').ok_or("a URL has a path")?;
        let (host, target) = url.split_at(at);
        let mut request = Request::new(method, target);
        while !rest.is_empty() {
            let (header, more) = rest.split_once(']').ok_or("a `[` without `]`")?;
            let (name, value) = header.split_once(':').ok_or("a header has a colon")?;
            request = request.header(name.trim(), value.trim());
            rest = more.trim().strip_prefix('[').unwrap_or_default();
        }
        if request.headers.get("host").is_none() {
            request.headers.0.insert(0, ("Host".into(), host.into()));
        }
        let mut words = words_of(right)?.into_iter();
        let status = match words.next().unwrap_or_default().as_str() {
            "closed" => None,
            status => {
                let wrong = |_| format!("`{status}` is neither a status nor `closed`");
                Some(status.parse().map_err(wrong)?)
            }
        };
        let mut wanted = Vec::new();
        for word in words {
            let pair = word.split_once('=');
            let (name, value) = pair.ok_or_else(|| format!("`{word}` is not `name=value`"))?;
            let value = value.to_owned();
            wanted.push(match name {
                "backend" => Wanted::Backend(value),
                "path" => Wanted::Path(value),
                "certificate" => Wanted::Certificate(value),
                "body" => Wanted::Body(value),
                _ => match name.strip_prefix('>') {
                    Some(name) => Wanted::Received(name.into(), value),
                    None => Wanted::Header(name.into(), value),
                },
            });
        }
        Ok(Self {
            line,
            tls,
            host: host.into(),
            client,
            request,
            status,
            wanted,
        })
    }

    fn run(&self, stage: &Stage) -> Result<(), String> {
        let (name, port) = self.host.split_once(':').unwrap_or((&self.host, ""));
        let name = Some(name).filter(|it| !it.is_empty());
        let address = port.parse().ok().and_then(|it| stage.ports.get(&it));
        let address = *address.unwrap_or(if self.tls { &stage.https } else { &stage.http });
        let connection = if self.tls {
            Connection::tls_as(address, name, self.client.as_ref())
        } else {
            Connection::plain(address)
        };
        let answer = connection.and_then(|mut it| {
            let response = it.send(&self.request)?;
            Ok((it, response))
        });
        let Some(status) = self.status else {
            return match answer {
                Ok((_, response)) => Err(format!("it is not closed, the answer is:\n{response}")),
                Err(error) if is_closed(&error) => Ok(()),
                Err(error) => Err(format!("it is not closed: {error}")),
            };
        };
        let (connection, response) = answer.map_err(|error| format!("no answer: {error}"))?;
        let names = connection.certificate().map(|it| it.names.as_slice());
        let mut wrong = Vec::new();
        if response.status != status {
            wrong.push(format!("the status is {}, not {status}", response.status));
        }
        for wanted in &self.wanted {
            wrong.extend(wanted.misses(&response, names.unwrap_or_default()));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!("{}\nthe answer is:\n{response}", wrong.join("\n")))
    }
}

/// Whether a connection that was there was closed.
fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, TimedOut, WouldBlock};
    !matches!(error.kind(), ConnectionRefused | TimedOut | WouldBlock)
}

impl Wanted {
    /// What is wrong with an answer, if this is not in it.
    fn misses(&self, response: &Response, names: &[String]) -> Option<String> {
        let (what, value, found) = match self {
            Self::Backend(value) => ("backend", value, response.backend()),
            Self::Path(value) => ("path", value, response.received_path()),
            Self::Header(name, value) => {
                let all: Vec<&str> = response.headers.all(name).collect();
                (name.as_str(), value, Some(all.join(", ")))
            }
            Self::Received(name, value) => (
                name.as_str(),
                value,
                Some(response.received(name).unwrap_or_default()),
            ),
            Self::Certificate(value) => {
                let covered = names.contains(value);
                let found = if covered {
                    value.clone()
                } else {
                    names.join(" ")
                };
                ("certificate", value, Some(found))
            }
            Self::Body(value) => {
                let text = response.text();
                let found = if text.contains(value) {
                    value.clone()
                } else {
                    text
                };
                ("body", value, Some(found))
            }
        };
        let found = found.unwrap_or_default();
        (found != *value).then(|| format!("{what} is `{found}`, not `{value}`"))
    }
}

/// Splits at blanks outside of double quotes, and takes the quotes away; `\"` stands for one.
fn words_of(text: &str) -> Result<Vec<String>, String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.trim().chars().peekable();
    while let Some(it) = chars.next() {
        match it {
            '\\' if chars.next_if_eq(&'"').is_some() => {
                words.last_mut().expect("there is one").push('"');
            }
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            it => words.last_mut().expect("there is one").push(it),
        }
    }
    if quoted {
        return Err("a quote without its end".into());
    }
    words.retain(|it| !it.is_empty());
    Ok(words)
}
