//! Options of TLS, with clients and with servers.

use crate::haproxy::{Backend, Config, Host};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::directive::Words;
use crate::value::text::Line;
use crate::value::tls_options::{HostOptions, ServerOptions};

/// Options of TLS, with clients and with servers.
pub const FAMILY: Family = Family {
    name: "ssl-options",
    title: "TLS options",
    blocks: &[
        block!(Global, SslOptions),
        block!(Host, SslHostOptions),
        block!(Backend, SslBackendOptions),
    ],
};

keys! {
    Global => pub struct SslOptions {
        /// Options for connections of clients, with blanks between them, as HAProxy writes them
        /// behind `ssl-default-bind-options`.
        "ssl-options" => options: Words = "no-sslv3 no-tlsv10 no-tlsv11 no-tls-tickets",
    }
}

keys! {
    Host => pub struct SslHostOptions {
        /// Options for connections of clients to one host.
        ///
        /// `ssl-min-ver TLSv1.2`, `ssl-max-ver TLSv1.3`, `no-tlsv12`, `force-tlsv13` and the like say
        /// which versions are spoken; `curves X25519:P-256`, `ecdhe secp384r1`, `allow-0rtt` and
        /// `no-ca-names` are HAProxy's.
        "ssl-options-host" => options: HostOptions,
    }
}

keys! {
    Backend => pub struct SslBackendOptions {
        /// Options for connections to servers: versions of TLS, `no-tls-tickets`, `no-ssl-reuse`.
        ///
        /// A value of an Ingress or Service takes the place of the one of the global ConfigMap, but
        /// for `no-tls-tickets`, which HAProxy cannot take back.
        "ssl-options-backend" => options: ServerOptions = "no-sslv3 no-tlsv10 no-tlsv11 no-tls-tickets",
    }
}

impl SslOptions {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        let tls = &mut config.global.tls;
        if let Some(line) = self.options.value.line() {
            tls.insert("ssl-default-bind-options", self.options.map(|_| line));
        }
        let backend = cx.global_settings::<SslBackendOptions>();
        config.global.tls.insert(
            "ssl-default-server-options",
            backend.options.map(|it| without_reuse(*it).line()),
        );
    }
}

/// What may stand behind `ssl-default-server-options`.
fn without_reuse(options: ServerOptions) -> ServerOptions {
    ServerOptions {
        no_reuse: false,
        ..options
    }
}

impl SslHostOptions {
    fn apply(&self, host: &mut Host, _: &mut Cx<'_>) {
        let Some(setting) = &self.options else {
            return;
        };
        let options = setting.value;
        let versions = options.versions;
        let parts = [
            ("ssl-min-ver", versions.map(|it| it.min.name().to_owned())),
            ("ssl-max-ver", versions.map(|it| it.max.name().to_owned())),
            ("curves", options.curves.to_names()),
            ("ecdhe", options.ecdhe.map(Into::into)),
            ("allow-0rtt", options.early_data.then(String::new)),
            ("no-ca-names", options.no_ca_names.then(String::new)),
        ];
        for (name, value) in parts {
            if let Some(value) = value {
                let line = Line::default().and(&value);
                host.tls_options.insert(name, setting.map(|_| line));
            }
        }
    }
}

impl SslBackendOptions {
    fn apply(&self, backend: &mut Backend, _: &mut Cx<'_>) {
        // `no-ssl-reuse` has no default directive.
        if self.options.is_local || self.options.value.no_reuse {
            let part: Setting<Line> = self.options.map(|it| it.line());
            backend.server_options.insert("ssl-options", part);
        }
    }
}
