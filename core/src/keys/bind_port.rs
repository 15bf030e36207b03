//! Ports on which HAProxy listens.

use crate::diagnostic::codes;
use crate::haproxy::Config;
use crate::keys::bind_ip_addr::{self, BindAddresses};
use crate::keys::ports::Listeners;
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::number::{Integer, Port};

/// Ports on which HAProxy listens; addresses are [`bind_ip_addr`]'s.
pub const FAMILY: Family = Family {
    name: "bind-port",
    title: "Ports",
    blocks: &[block!(Global, BindPorts)],
};

keys! {
    Global => pub struct BindPorts {
        /// Keeps the frontends for HTTP and HTTPS open even if no Ingress needs them.
        ///
        /// A request then gets an answer, 404, instead of a connection that is refused, and the first
        /// Ingress of a cluster does not have to open a port.
        "create-default-frontends" => always: bool = "true",
        /// The port on which HAProxy itself answers `/healthz`.
        "healthz-port" => healthz: Port = "10253",
        /// The port for plain HTTP.
        "http-port" => http: Port = "80",
        /// The port for HTTP over TLS.
        "https-port" => https: Port = "443",
        /// The port on which HAProxy exports metrics for Prometheus, under `/metrics`; nothing or 0
        /// exports none.
        "prometheus-port" => prometheus: Integer<0, 65535>,
    }
}

/// Ports that HTTP and HTTPS have if nobody says anything.
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

impl BindPorts {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        let addresses = cx.global_settings::<BindAddresses>();
        let listeners = Listeners::of(cx);
        let ports = &mut config.ports;
        let healthz = bind_ip_addr::closed("bind-ip-addr-healthz", addresses.healthz.as_ref(), cx);
        let bind = |address: Option<&_>, port: Option<&_>| {
            port.map(|port| bind_ip_addr::bind(address, port, cx))
        };
        ports.healthz = bind(healthz.as_ref(), listeners.healthz.as_ref());
        let prometheus = bind_ip_addr::good(addresses.prometheus.as_ref());
        ports.prometheus = bind(prometheus.as_ref(), listeners.prometheus.as_ref());
        ports.http = Some(listeners.http.clone());
        ports.https = Some(listeners.https.clone());
        ports.behind_proxy.clone_from(&listeners.behind_proxy);
        ports.always = self.always.value;
    }
}

/// A port, unless it is 0.
pub(super) fn some(setting: Option<&Setting<Integer<0, 65535>>>) -> Option<Setting<u16>> {
    let setting = setting?;
    let port = u16::try_from(setting.value.get()).ok();
    Some(setting.map(|_| port.unwrap_or_default())).filter(|it| it.value > 0)
}

/// The ports of HTTP and HTTPS. If they were the same, each frontend would get some of the
/// connections of both, so one of them gets its default back.
pub(super) fn web(settings: &BindPorts, cx: &mut Cx<'_>) -> (Setting<u16>, Setting<u16>) {
    let mut http = settings.http.map(|it| it.port());
    let mut https = settings.https.map(|it| it.port());
    if http.value == https.value {
        let (key, wrong, default) = if http.value == HTTPS {
            ("http-port", &mut http, HTTP)
        } else {
            ("https-port", &mut https, HTTPS)
        };
        cx.report(
            &codes::CONFLICT,
            &wrong.origin,
            format!("HTTP and HTTPS cannot both have port {}", wrong.value),
            format!("the default of `{key}`, {default}, is used"),
        );
        wrong.value = default;
    }
    (http, https)
}
