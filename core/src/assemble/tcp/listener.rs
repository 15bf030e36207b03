//! Ports of the operator's ConfigMap.

use crate::assemble::backend::Backends;
use crate::assemble::names;
use crate::diagnostic::codes;
use crate::haproxy::{Backend, Config, Mode, TcpKind, TcpProxy};
use crate::ingest::certificate::Certificates;
use crate::keys::Cx;
use crate::keys::bind_ip_addr::bind;
use crate::origin::Setting;
use crate::route::TcpListener;
use crate::value::reference::Reference;
use crate::value::tcp::SendProxy;
use crate::value::text::Line;

/// What happens to a port of the operator that would be open to those it should not be open to.
const REFUSED: &str = "nothing listens on its port";

/// Adds a port.
pub(super) fn add(
    listener: &TcpListener,
    backends: &Backends<'_, '_>,
    certificates: &mut Certificates,
    config: &mut Config,
    cx: &mut Cx<'_>,
) {
    let origin = &listener.port.origin;
    let entry = &listener.entry;
    let name = names::tcp_listener(listener.service(), listener.port.value);
    let bind = bind(config.ports.tcp.as_ref(), &listener.port, cx);
    let mut proxy = TcpProxy::new(TcpKind::Listener, name, listener.port.clone(), bind);
    proxy.owners.push(origin.clone());
    if let Some(secret) = &entry.certificate {
        // A port that should speak TLS must not speak without it.
        let Some(file) = certificates.file_or(secret, None, origin, REFUSED, cx) else {
            let message = "the certificate of the port cannot be used";
            cx.report(&codes::INVALID_PROTECTION, origin, message, REFUSED);
            return;
        };
        let mut line = Line::keyword("crt").text(&names::real(&file, cx.options));
        if let Some(secret) = &entry.authorities {
            let reference = Reference::Secret {
                namespace: Some(secret.namespace.clone()),
                name: secret.name.clone(),
            };
            match cx.authorities(&Setting::new(reference, origin.clone())) {
                Ok(authorities) => {
                    line = line.and("ca-file").text(&authorities.file);
                    if let Some(revoked) = &authorities.revoked {
                        line = line.and("crl-file").text(revoked);
                    }
                    line = line.and("verify required");
                    proxy.authorities = Some(authorities);
                }
                Err(refusal) => {
                    cx.report(&codes::INVALID_PROTECTION, origin, refusal.message, REFUSED);
                    return;
                }
            }
        }
        proxy.tls = Some(Setting::new(line, origin.clone()));
    }
    proxy.accept_proxy = entry.accept_proxy.then(|| origin.clone());
    proxy.log.clone_from(&config.logs.tcp);
    proxy.snippet.clone_from(&config.tcp_snippet);
    let target = &listener.target;
    let mut own = Backend::new(proxy.name.clone(), &target.namespace, &target.service);
    own.mode = Mode::Tcp;
    let global = cx.global.clone();
    backends.servers.add(&mut own, target, &global, &[], cx);
    let option = |line| Setting::new(line, origin.clone());
    if let Some(interval) = &entry.check {
        let line = Line::keyword("check inter").text(&interval.to_string());
        own.server_options.insert("check", option(line));
    }
    if let Some(version) = &entry.send_proxy {
        let line = Line::keyword(match version {
            SendProxy::V1 => "send-proxy",
            SendProxy::V2 => "send-proxy-v2",
        });
        own.server_options.insert("send-proxy", option(line));
    }
    proxy.own = Some(own);
    config.tcp.push(proxy);
}
