//! Where logs go.

use crate::haproxy::{Config, Log};
use crate::keys::{Cx, Family, block, keys};
use crate::origin::Origin;
use crate::value::number::Integer;
use crate::value::syslog::{Endpoint, Format, Tag};
use crate::value::text::Line;

/// Where logs go, and in which form.
pub const FAMILY: Family = Family {
    name: "syslog",
    title: "Logs",
    blocks: &[block!(Global, Syslog)],
};

keys! {
    Global => pub struct Syslog {
        /// Where HAProxy sends its logs; without it nothing is logged.
        ///
        /// An address with an optional port (514 if there is none), `stdout`, `stderr`, the path of a
        /// socket, `ring@NAME` or `fd@NUMBER`; `tcp@` in front of an address asks for TCP. A name is
        /// resolved when HAProxy starts, and HAProxy does not start when it cannot be. With `use-chroot`
        /// the path of a socket is one below `/var/empty`, where workers see nothing else.
        "syslog-endpoint" => endpoint: Endpoint,
        /// How a log line is framed.
        ///
        /// If nothing is set and the endpoint is `stdout`, `stderr` or `fd@NUMBER`, `raw` is used:
        /// whoever collects the output adds times of its own.
        "syslog-format" => format: Format = "rfc5424",
        /// How long a log line may be before it is cut, in bytes.
        "syslog-length" => length: Integer<80, 65535> = "1024",
        /// The program's name in every log line; nothing leaves HAProxy's own.
        "syslog-tag" => tag: Tag = "ingress",
    }
}

impl Syslog {
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        let Some(endpoint) = &self.endpoint else {
            return;
        };
        let is_unset = matches!(self.format.origin, Origin::Default(_));
        let format = if is_unset && endpoint.value.is_descriptor() {
            Format::Raw
        } else {
            self.format.value
        };
        config.global.log = Some(Log {
            target: endpoint.map(|it| {
                Line::default()
                    .text(&it.to_string())
                    .and("len")
                    .number(self.length.value.get())
                    .and("format")
                    .and(&format.to_string())
                    .and("local0")
            }),
            tag: self
                .tag
                .value
                .as_str()
                .map(|tag| self.tag.map(|_| Line::default().text(tag))),
        });
    }
}
