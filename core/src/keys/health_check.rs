//! Whether servers are asked how they are.

use crate::diagnostic::codes;
use crate::haproxy::Backend;
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::check::{CheckAddress, HttpCheck};
use crate::value::duration::Duration;
use crate::value::number::{Integer, Port};
use crate::value::text::Line;

/// Whether servers are asked how they are.
pub const FAMILY: Family = Family {
    name: "health-check",
    title: "Health checks",
    blocks: &[block!(Backend, HealthCheck)],
};

/// How many checks it takes.
type Times = Integer<1, 1000>;

keys! {
    Backend => pub struct HealthCheck {
        /// The IP address that is checked, in place of the server's.
        ///
        /// An annotation cannot name an address of HAProxy's own machine or network segment.
        "health-check-addr" => address: CheckAddress,
        /// After how many failed checks a server is taken out; HAProxy's own number is 3.
        "health-check-fall-count" => fall: Times,
        /// How often each server is checked.
        ///
        /// There are no checks unless one of the keys `health-check-*` asks for them: what is not ready
        /// is taken out by Kubernetes, and a connection that fails is tried with another server at
        /// once. A check takes a file descriptor for each server and about 20 µs of a processor each
        /// time. HAProxy's own interval, which counts where another key asks for checks, is 2s.
        "health-check-interval" | "backend-check-interval" => interval: Duration,
        /// The port that is checked, in place of the server's.
        "health-check-port" => port: Port,
        /// After how many good checks a server is taken back; HAProxy's own number is 2.
        "health-check-rise-count" => rise: Times,
        /// The path that is requested; without it a check is a connection.
        ///
        /// A method may stand in front and a version behind, such as `HEAD /ready HTTP/1.1`, with headers
        /// behind `\r\n`. What is answered with a status from 200 to 399 is well. Servers whose TLS is passed
        /// on (`ssl-passthrough`) are asked in clear: name a port that speaks HTTP with `health-check-port`.
        "health-check-uri" => uri: HttpCheck,
    }
}

impl HealthCheck {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let address = checked_address("health-check-addr", self.address.as_ref(), cx);
        let number = |name, it: &Setting<Times>| it.map(|it| Line::keyword(name).number(it.get()));
        let parts = [
            address.map(|it| it.map(|it| Line::keyword("addr").line(&it.line()))),
            self.fall.as_ref().map(|it| number("fall", it)),
            self.interval
                .as_ref()
                .map(|it| it.map(|it| Line::keyword("inter").text(&it.to_string()))),
            self.port
                .as_ref()
                .map(|it| it.map(|it| Line::keyword("port").number(it.get()))),
            self.rise.as_ref().map(|it| number("rise", it)),
        ];
        if let Some(uri) = &self.uri {
            backend.http_check = Some(uri.map(HttpCheck::line));
        } else if parts.iter().all(Option::is_none) {
            return;
        }
        let asked = parts.iter().flatten().map(|it| &it.origin);
        if let Some(origin) = asked.chain(self.uri.iter().map(|it| &it.origin)).next() {
            let part = Setting::new(Line::keyword("check"), origin.clone());
            backend.server_options.insert("check", part);
        }
        let names = [
            "check-addr",
            "check-fall",
            "check-inter",
            "check-port",
            "check-rise",
        ];
        for (name, part) in names.into_iter().zip(parts) {
            if let Some(part) = part {
                backend.server_options.insert(name, part);
            }
        }
    }
}

/// An address of checks, if its author may have it asked.
pub(super) fn checked_address<'a>(
    key: &str,
    address: Option<&'a Setting<CheckAddress>>,
    cx: &mut Cx<'_>,
) -> Option<&'a Setting<CheckAddress>> {
    let setting = address?;
    if setting.is_tenants && !setting.value.is_for_tenants() {
        cx.report(
            &codes::NOT_PERMITTED,
            &setting.origin,
            format!(
                "`{key}`: an annotation cannot send checks to HAProxy's own machine or network"
            ),
            "the server's own address is asked",
        );
        return None;
    }
    Some(setting)
}
