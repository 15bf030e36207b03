//! Timeouts.

use crate::haproxy::{Backend, Config, Part};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::duration::Duration;
use crate::value::text::Line;

/// Timeouts of clients, of servers and of HAProxy itself.
pub const FAMILY: Family = Family {
    name: "timeout",
    title: "Timeouts",
    blocks: &[block!(Global, Timeouts), block!(Backend, BackendTimeouts)],
};

keys! {
    Global => pub struct Timeouts {
        /// How long a client may be silent.
        ///
        /// A client that stops in the middle of a body, after its headers were sent on, is answered 400 then by
        /// HAProxy 2.8; HAProxy 2.6 waits for the server instead, and answers 504 when `timeout-server` is over.
        "timeout-client" => client: Duration = "50s",
        /// How long a client may stay half closed.
        "timeout-client-fin" => client_fin: Duration = "50s",
        /// How long old processes may finish their sessions after a reload.
        ///
        /// It also bounds the memory of old processes: each one lives at most as long.
        "timeout-stop" => stop: Duration = "10m",
    }
}

keys! {
    Backend => pub struct BackendTimeouts {
        /// How long a connection to a server may take.
        "timeout-connect" => connect: Duration = "5s",
        /// How long a client may take for the headers of a request.
        ///
        /// HAProxy reads it mostly on the client's side, so a value of an Ingress has little effect.
        "timeout-http-request" => http_request: Duration = "5s",
        /// How long a connection may wait for its next request.
        ///
        /// HAProxy reads it mostly on the client's side, so a value of an Ingress has little effect.
        "timeout-keep-alive" => keep_alive: Duration = "1m",
        /// How long a request may wait for a free server.
        "timeout-queue" => queue: Duration = "5s",
        /// How long a server may be silent.
        "timeout-server" => server: Duration = "50s",
        /// How long a server may stay half closed.
        "timeout-server-fin" => server_fin: Duration = "50s",
        /// How long a tunnel, such as a WebSocket, may be silent.
        "timeout-tunnel" => tunnel: Duration = "1h",
    }
}

impl Timeouts {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        config.global.hard_stop_after = Some(part(&self.stop));
        let timeouts = &mut config.defaults.timeouts;
        timeouts.insert("client", part(&self.client));
        timeouts.insert("client-fin", part(&self.client_fin));
        for (name, setting) in cx.global_settings::<BackendTimeouts>().by_name() {
            timeouts.insert(name, part(setting));
        }
    }
}

impl BackendTimeouts {
    fn apply(&self, backend: &mut Backend, _: &mut Cx<'_>) {
        for (name, setting) in self.by_name() {
            if setting.is_local {
                backend.timeouts.insert(name, part(setting));
            }
        }
    }

    /// Each timeout under HAProxy's own name.
    fn by_name(&self) -> [(&'static str, &Setting<Duration>); 7] {
        [
            ("connect", &self.connect),
            ("http-request", &self.http_request),
            ("http-keep-alive", &self.keep_alive),
            ("queue", &self.queue),
            ("server", &self.server),
            ("server-fin", &self.server_fin),
            ("tunnel", &self.tunnel),
        ]
    }
}

fn part(setting: &Setting<Duration>) -> Part {
    setting.map(|it| Line::default().text(&it.to_string()))
}
