//! The frontends that route requests.

use std::sync::Arc;

use crate::haproxy::{Config, Frontend, FrontendKind};
use crate::keys::{Cx, Effect, Layers, REGISTRY};
use crate::origin::{Origin, Setting};
use crate::route::Table;
use crate::value::text::Line;

/// Adds the frontends that are needed, or that exist always.
pub(super) fn add(layers: &Layers, table: &Table, config: &mut Config, cx: &mut Cx<'_>) {
    let has_tls = table.hosts.values().any(|it| it.tls.is_some());
    for (kind, name, port, is_needed) in [
        (
            FrontendKind::Http,
            "_front_http",
            config.ports.http.clone(),
            !table.entries.is_empty(),
        ),
        (
            FrontendKind::Https,
            "_front_https",
            config.ports.https.clone(),
            has_tls,
        ),
    ] {
        let Some(port) = port.filter(|_| config.ports.always || is_needed) else {
            continue;
        };
        let mut frontend = frontend(kind, name.into(), &port);
        if kind == FrontendKind::Https {
            frontend.alpn.clone_from(&config.ports.alpn);
        }
        for place in 0..REGISTRY.blocks.len() {
            if let Effect::Frontend(effect) = REGISTRY.blocks[place].0.effect {
                let block = cx.read(place, layers);
                effect(&*block, &mut frontend, cx);
            }
        }
        config.frontends.push(frontend);
    }
}

fn frontend(kind: FrontendKind, name: Arc<str>, port: &Setting<u16>) -> Frontend {
    Frontend {
        name,
        kind,
        bind: port.map(|it| Line::default().text(&format!(":{it}"))),
        port: port.clone(),
        accept_proxy: None,
        alpn: None,
        redirect_from_code: None,
        redirect_to_code: None,
        routing: Vec::new(),
        certificates: None,
        early: None,
        late: None,
        is_bind_whole: false,
    }
}

impl Frontend {
    /// Who made it, for lines that nothing more exact made.
    pub(crate) fn owner(&self) -> Origin {
        self.port.origin.clone()
    }
}
