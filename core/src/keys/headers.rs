//! Headers that are set, added and deleted.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Phase, Rule};
use crate::keys::{Cx, Family, Setting, block, keys, peers};
use crate::value::header::{HeaderLine, HeaderName};
use crate::value::items::Items;
use crate::value::log_format::{self, Direction};
use crate::value::text::{Format, Line};

/// Headers that are set, added and deleted.
pub const FAMILY: Family = Family {
    name: "headers",
    title: "Headers",
    blocks: &[block!(Backend, Headers)],
};

keys! {
    Backend => pub struct Headers {
        /// Headers that requests get; another name for `request-set-headers`, which wins.
        "headers" => headers: Items<HeaderLine>,
        /// Headers that are added to requests, beside those of the same name; see
        /// `request-set-headers`.
        "request-add-headers" => request_add: Items<HeaderLine>,
        /// Headers that are taken out of requests, separated by commas; it is done last.
        "request-del-headers" => request_del: Items<HeaderName>,
        /// Headers that requests get, in place of those of the same name.
        ///
        /// One a line, `name: value`. `%[peers_group_global]`, `%[peers_group_backend]`,
        /// `%[peers_table_global]` and `%[peers_table_backend]` are those of `peers-table`. `%[service]` and `%[namespace]` stand for the names of the Service
        /// and of its namespace. In an annotation a value may also have `%[…]` with one of `base`,
        /// `cook(NAME)`, `date`, `dst`, `dst_port`, `fc_http_major`, `hdr(NAME)`, `method`, `path`,
        /// `pathq`, `query`, `rand`, `rand(N)`, `req.cook(NAME)`, `req.fhdr(NAME)`, `req.hdr(NAME)`,
        /// `req.ver`, `src`, `src_port`, `ssl_fc`, `ssl_fc_cipher`, `ssl_fc_protocol`, `ssl_fc_sni`,
        /// `unique-id`, `url`, `url_param(NAME)`, `urlp(NAME)` and `uuid`, and behind it converters out
        /// of `base64`, `hex`, `length`, `lower`, `sha1`, `upper` and `url_enc`. In a ConfigMap it is
        /// log-format text of HAProxy. Annotations cannot touch headers that frame a message, such as
        /// `Content-Length`.
        "request-set-headers" => request_set: Items<HeaderLine>,
        /// Headers that are added to responses, beside those of the same name; see
        /// `response-set-headers`.
        "response-add-headers" => response_add: Items<HeaderLine>,
        /// Headers that are taken out of responses, separated by commas; it is done last.
        "response-del-headers" => response_del: Items<HeaderName>,
        /// Headers that responses of the servers get, in place of those of the same name.
        ///
        /// As `request-set-headers`; what an annotation may read of the request is `method` alone, and
        /// of the response `status`, `res.cook(NAME)`, `res.fhdr(NAME)` and `res.hdr(NAME)`.
        "response-set-headers" => response_set: Items<HeaderLine>,
    }
}

/// Headers that say where a message ends or what becomes of its connection. A wrong one of these would
/// let a tenant's message run into the next one, which may be somebody else's.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What becomes of the headers of one key.
struct Change {
    key: &'static str,
    phase: Phase,
    line: &'static str,
    direction: Direction,
}

impl Headers {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let (key, request_set) = match (&self.request_set, &self.headers) {
            (Some(set), Some(alias)) => {
                cx.report(
                    &codes::CONFLICT,
                    &alias.origin,
                    "`headers` is another name for `request-set-headers`, and both are set",
                    "`request-set-headers` is used",
                );
                ("request-set-headers", Some(set))
            }
            (Some(set), None) => ("request-set-headers", Some(set)),
            (None, alias) => ("headers", alias.as_ref()),
        };
        for (lines, key, phase, line, direction) in [
            (
                request_set,
                key,
                Phase::RequestSet,
                "http-request set-header",
                Direction::Request,
            ),
            (
                self.request_add.as_ref(),
                "request-add-headers",
                Phase::RequestAdd,
                "http-request add-header",
                Direction::Request,
            ),
            (
                self.response_set.as_ref(),
                "response-set-headers",
                Phase::ResponseSet,
                "http-response set-header",
                Direction::Response,
            ),
            (
                self.response_add.as_ref(),
                "response-add-headers",
                Phase::ResponseAdd,
                "http-response add-header",
                Direction::Response,
            ),
        ] {
            let change = Change {
                key,
                phase,
                line,
                direction,
            };
            if let Some(lines) = lines {
                change.write(lines, backend, cx);
            }
        }
        for (names, key, phase, line, direction) in [
            (
                &self.request_del,
                "request-del-headers",
                Phase::RequestDelete,
                "http-request del-header",
                Direction::Request,
            ),
            (
                &self.response_del,
                "response-del-headers",
                Phase::ResponseDelete,
                "http-response del-header",
                Direction::Response,
            ),
        ] {
            let change = Change {
                key,
                phase,
                line,
                direction,
            };
            if let Some(names) = names {
                change.delete(names, backend, cx);
            }
        }
    }
}

impl Change {
    /// Adds a rule for each line.
    fn write(&self, lines: &Setting<Items<HeaderLine>>, backend: &mut Backend, cx: &mut Cx<'_>) {
        cx.report_items(self.key, lines, &lines.value.refused);
        for line in &lines.value.good {
            if !self.is_permitted(&line.name, lines, cx) {
                continue;
            }
            let asks_peers = line.value.contains("%[peers_");
            let of_peers = if asks_peers {
                match peers::variables(Some(backend), cx) {
                    Ok(variables) => variables,
                    Err(why) => {
                        let message =
                            format!("`{}` asks for counters of peers, but {why}", self.key);
                        let outcome = "this line is left out";
                        cx.report(&codes::NOT_FOUND, &lines.origin, message, outcome);
                        continue;
                    }
                }
            } else {
                Vec::new()
            };
            let mut variables = vec![
                ("service", backend.service.as_str()),
                ("namespace", backend.namespace.as_str()),
            ];
            variables.extend(of_peers.iter().map(|(name, word)| (*name, word.as_str())));
            // What everybody may write means the same whoever writes it.
            let format = match log_format::parse(&line.value, self.direction, &variables) {
                Ok(format) => format,
                Err(error) if lines.is_tenants => {
                    let code = &codes::INVALID_VALUE;
                    cx.report_item(code, self.key, lines, &error, "this line is left out");
                    continue;
                }
                Err(_) => {
                    let mut text = line.value.to_string();
                    for (name, value) in &variables {
                        text = text.replace(&format!("%[{name}]"), value);
                    }
                    Format::trusted(&text)
                }
            };
            let rule = Line::keyword(self.line)
                .text(line.name.as_str())
                .format(&format);
            backend.add_for_all(Rule::new(self.phase, rule), &lines.origin);
        }
    }

    /// Adds a rule for each name.
    fn delete(&self, names: &Setting<Items<HeaderName>>, backend: &mut Backend, cx: &mut Cx<'_>) {
        cx.report_items(self.key, names, &names.value.refused);
        for name in &names.value.good {
            if self.is_permitted(name, names, cx) {
                let rule = Line::keyword(self.line).text(name.as_str());
                backend.add_for_all(Rule::new(self.phase, rule), &names.origin);
            }
        }
    }

    /// Whether the author may touch a header; if not, it is reported.
    fn is_permitted<T>(&self, name: &HeaderName, setting: &Setting<T>, cx: &mut Cx<'_>) -> bool {
        let is_framing = FRAMING
            .iter()
            .any(|it| it.eq_ignore_ascii_case(name.as_str()));
        if is_framing && setting.is_tenants {
            cx.report(
                &codes::NOT_PERMITTED,
                &setting.origin,
                format!(
                    "`{}`: `{name}` frames the message and belongs to HAProxy",
                    self.key
                ),
                "this header is left as it is",
            );
        }
        !(is_framing && setting.is_tenants)
    }
}
