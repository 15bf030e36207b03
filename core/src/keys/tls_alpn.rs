//! Protocols that TLS offers to clients.

use crate::haproxy::{Config, Host, Part};
use crate::keys::{Block, Cx, Family, Key, Reader, Setting, block, keys};
use crate::value::alpn::Alpn;
use crate::value::text::Line;

/// Protocols that TLS offers to clients.
pub const FAMILY: Family = Family {
    name: "tls-alpn",
    title: "TLS protocols",
    // The block without keys says once for all what the global ConfigMap says.
    blocks: &[block!(Global, SharedAlpn), block!(Host, TlsAlpn)],
};

keys! {
    Host => pub struct TlsAlpn {
        /// Protocols that HAProxy offers to clients over TLS, in the order of preference, joined by
        /// commas.
        ///
        /// `http/1.1` alone switches HTTP/2 off.
        "tls-alpn" => protocols: Alpn = "h2,http/1.1",
    }
}

/// What the global ConfigMap says, for every frontend that speaks TLS.
#[derive(Debug)]
struct SharedAlpn;

impl Block for SharedAlpn {
    const KEYS: &'static [Key] = &[];

    fn read(_: &mut Reader<'_>) -> Self {
        Self
    }
}

#[expect(
    clippy::unused_self,
    reason = "every block has this method, this one has no keys"
)]
impl SharedAlpn {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        let settings = cx.global_settings::<TlsAlpn>();
        config.ports.alpn = Some(part(&settings.protocols));
    }
}

impl TlsAlpn {
    fn apply(&self, host: &mut Host, _: &mut Cx<'_>) {
        if self.protocols.is_local {
            host.tls_options.insert("alpn", part(&self.protocols));
        }
    }
}

fn part(protocols: &Setting<Alpn>) -> Part {
    protocols.map(|it| Line::default().text(&it.to_string()))
}
