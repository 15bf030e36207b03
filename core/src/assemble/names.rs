//! Names of proxies and files.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::haproxy::{escape, short};
use crate::options::{Name, Options};
use crate::route::{Target, TargetPort};

/// The backend that sends plain requests to TLS.
pub(super) const REDIRECT_HTTPS: &str = "_redirect_https";
/// How the host without a name is written in maps.
pub(super) const DEFAULT_HOST: &str = "<default>";
/// How it is written in the map of hosts that are known: the host of a request is in lower case, so that
/// no client can name it and be taken for one of a host that is known.
pub(super) const UNNAMED_HOST: &str = "<DEFAULT>";

/// The folder of maps and lists.
const MAPS: &str = "/etc/haproxy/maps";

/// The name of a backend. Kubernetes' names hold no `_`, so the parts cannot run into each other;
/// `split` is the name of the Ingress for which a Service had to be split, or what else tells two with
/// the same parts apart.
pub(super) fn backend(target: &Target, split: Option<&str>) -> Arc<str> {
    let parts = [&*target.namespace, &*target.service, &*target.label];
    let length = parts.iter().map(|it| it.len() + 1).sum::<usize>() + split.map_or(0, str::len);
    let mut name = String::with_capacity(length);
    for part in parts.into_iter().chain(split) {
        if !name.is_empty() {
            name.push('_');
        }
        write_part(&mut name, part);
    }
    name.into()
}

/// The name of a server that is called after a Pod.
pub(super) fn server(pod: &str) -> Arc<str> {
    let mut name = String::with_capacity(pod.len());
    write_part(&mut name, &short(pod, 253));
    name.into()
}

/// The name of the backend of a Service that is asked who may come. Ports with the same label are told
/// apart by their own names: their endpoints may differ.
pub(super) fn auth_service(target: &Target) -> Arc<str> {
    let mut own = None;
    if let TargetPort::Endpoints { service, name, .. } = &target.port {
        let ports = service.spec.ports.iter();
        let same = ports.filter(|it| it.target().to_string() == *target.label);
        own = Some(&**name).filter(|_| same.count() > 1);
    }
    format!("_auth_svc_{}", backend(target, own)).into()
}

/// The name of the backend of a host that is asked who may come.
pub(super) fn auth_host(is_tls: bool, host: &str, port: u16) -> Arc<str> {
    let mut name = String::from(if is_tls {
        "_auth_https_"
    } else {
        "_auth_http_"
    });
    write_part(&mut name, host);
    let _ = write!(name, "_{port}");
    name.into()
}

/// Writes a part of a name. A leading `_` stays: it marks what no Service can be.
fn write_part(name: &mut String, part: &str) {
    match part.strip_prefix('_') {
        Some(rest) => {
            name.push('_');
            escape(name, rest);
        }
        None => escape(name, part),
    }
}

/// The path of a map file without the operator's prefix.
pub(super) fn map(stem: &str, kind: &str) -> Arc<str> {
    format!("{MAPS}/{stem}__{kind}.map").into()
}

/// The path of a list of certificates without the operator's prefix.
pub(super) fn certificate_list(frontend: &str) -> Arc<str> {
    format!("{MAPS}/{frontend}_bind_crt.list").into()
}

/// The path of the list of certificates of a TCP service without the operator's prefix.
pub(super) fn tcp_certificate_list(port: u16) -> Arc<str> {
    format!("/etc/haproxy/crtlist_tcp_{port}.list").into()
}

/// The name of a proxy of the ConfigMap of TCP services.
pub(super) fn tcp_listener(service: &Name, port: u16) -> Arc<str> {
    let mut name = String::from("_tcp_");
    write_part(&mut name, &service.namespace);
    name.push('_');
    write_part(&mut name, &service.name);
    // Writing to a `String` cannot fail.
    let _ = write!(name, "_{port}");
    name.into()
}

/// A path as HAProxy sees it: with the operator's prefix.
pub(super) fn real(path: &str, options: &Options) -> String {
    format!("{}{path}", options.prefix)
}
