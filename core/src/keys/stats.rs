//! The page of statistics.

use crate::diagnostic::codes;
use crate::haproxy::Config;
use crate::keys::bind_ip_addr::{self, BindAddresses};
use crate::keys::cross_namespace::{Permitted, Purpose, Refusal};
use crate::keys::ports::Listeners;
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::credentials::Credentials;
use crate::value::number::Port;
use crate::value::reference::Reference;
use crate::value::text::Line;
use crate::value::tried::Tried;

/// The page of statistics.
pub const FAMILY: Family = Family {
    name: "stats",
    title: "Statistics",
    blocks: &[block!(Global, Statistics)],
};

keys! {
    Global => pub struct Statistics {
        /// Who may see the page, `user:password`; without it everybody who reaches the port may.
        ///
        /// The password stands in clear text in the ConfigMap and in HAProxy's configuration. With a
        /// value that cannot be read there is no page.
        "stats-auth" => auth: Tried<Credentials>,
        /// The port of the page.
        "stats-port" => port: Port = "1936",
        /// Whether whoever connects to the port speaks the PROXY protocol.
        "stats-proxy-protocol" => proxy_protocol: bool = "false",
        /// The certificate of the page, which makes it speak TLS.
        ///
        /// `namespace/name` of a Secret, or `file:///path` of a file in HAProxy's container. A Secret
        /// that cannot be used is reported, and there is no page: what it shows, and the password, are
        /// not for everybody on the way.
        "stats-ssl-cert" => certificate: Tried<Reference>,
    }
}

/// What happens where something that protects the page cannot be read.
pub(crate) const NO_PAGE: &str = "there is no page of statistics";

impl Statistics {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        let addresses = cx.global_settings::<BindAddresses>();
        let address = bind_ip_addr::good(addresses.stats.as_ref());
        let port = Listeners::of(cx).stats.clone();
        let stats = &mut config.stats;
        stats.bind = port.map(|it| bind_ip_addr::bind(address.as_ref(), &it, cx));
        match self.auth.as_ref().map(|it| (it, &it.value.0)) {
            Some((auth, Ok(it))) => stats.auth = Some(auth.map(|_| it.line())),
            Some((auth, Err(error))) => {
                stats.bind = None;
                cx.report_item(
                    &codes::INVALID_PROTECTION,
                    "stats-auth",
                    auth,
                    error,
                    NO_PAGE,
                );
            }
            None => {}
        }
        stats.accept_proxy =
            (self.proxy_protocol.value).then(|| self.proxy_protocol.origin.clone());
        if let Some(certificate) = &self.certificate {
            Self::certificate(certificate, config, cx);
        }
    }

    fn certificate(certificate: &Setting<Tried<Reference>>, config: &mut Config, cx: &mut Cx<'_>) {
        let permitted = match &certificate.value.0 {
            Ok(it) => cx.permit(&certificate.map(|_| it.clone()), Purpose::Certificate),
            Err(error) => Err(Refusal::new(error.to_string())),
        };
        match permitted {
            Ok(Permitted::File(path)) => {
                config.stats.certificate = Some(certificate.map(|_| Line::default().text(&path)));
            }
            Ok(Permitted::Secret(name)) => {
                config.stats.certificate_secret = Some(certificate.map(|_| name));
            }
            Err(refusal) => {
                config.stats.bind = None;
                let code = &codes::INVALID_PROTECTION;
                cx.report_refusal(code, "stats-ssl-cert", certificate, &refusal, NO_PAGE);
            }
        }
    }
}
