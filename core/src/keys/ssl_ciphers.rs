//! Ciphers of TLS, with clients and with servers.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Config, Host, Part};
use crate::keys::{Block, Cx, Family, Key, Reader, Setting, block, keys};
use crate::value::cipher::{CipherSuites, Ciphers};
use crate::value::text::Line;

/// Ciphers of TLS. Values of the global ConfigMap are HAProxy's defaults, written once; others stand
/// at the host's certificate or at the servers.
pub const FAMILY: Family = Family {
    name: "ssl-ciphers",
    title: "TLS ciphers",
    // The block without keys says once for all what the global ConfigMap says.
    blocks: &[
        block!(Global, SharedCiphers),
        block!(Host, HostCiphers),
        block!(Backend, BackendCiphers),
    ],
};

keys! {
    Host => pub struct HostCiphers {
        /// Ciphers that clients may choose in TLS 1.3, joined by colons.
        "ssl-cipher-suites" => suites: CipherSuites =
            "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
        /// Ciphers that clients may choose up to TLS 1.2, joined by colons, as OpenSSL writes them.
        ///
        /// A list in which OpenSSL finds no cipher would keep HAProxy from starting, so a list of an
        /// Ingress must have one that every OpenSSL knows.
        "ssl-ciphers" => ciphers: Ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384",
    }
}

keys! {
    Backend => pub struct BackendCiphers {
        /// Ciphers that HAProxy offers to servers in TLS 1.3, joined by colons.
        "ssl-cipher-suites-backend" => suites: CipherSuites =
            "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
        /// Ciphers that HAProxy offers to servers up to TLS 1.2, joined by colons, as OpenSSL writes
        /// them.
        ///
        /// A list of an Ingress or Service must have one that every OpenSSL knows.
        "ssl-ciphers-backend" => ciphers: Ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384",
    }
}

/// What the global ConfigMap says, for the section `global`.
#[derive(Debug)]
struct SharedCiphers;

impl Block for SharedCiphers {
    const KEYS: &'static [Key] = &[];

    fn read(_: &mut Reader<'_>) -> Self {
        Self
    }
}

#[expect(
    clippy::unused_self,
    reason = "every block has this method, this one has no keys"
)]
impl SharedCiphers {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        let host = cx.global_settings::<HostCiphers>();
        let backend = cx.global_settings::<BackendCiphers>();
        for (name, part) in [
            ("ssl-default-bind-ciphers", list(&host.ciphers)),
            ("ssl-default-bind-ciphersuites", suites(&host.suites)),
            ("ssl-default-server-ciphers", list(&backend.ciphers)),
            ("ssl-default-server-ciphersuites", suites(&backend.suites)),
        ] {
            if let Some(part) = part {
                config.global.tls.insert(name, part);
            }
        }
    }
}

impl HostCiphers {
    fn apply(&self, host: &mut Host, cx: &mut Cx<'_>) {
        if let Some(part) = local(&self.ciphers, "ssl-ciphers", cx) {
            host.tls_options.insert("ciphers", part);
        }
        if let Some(part) = said_here(&self.suites).and_then(suites) {
            host.tls_options.insert("ciphersuites", part);
        }
    }
}

impl BackendCiphers {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let with = |keyword, part: Part| part.map(|it| Line::keyword(keyword).line(it));
        if let Some(part) = local(&self.ciphers, "ssl-ciphers-backend", cx) {
            backend
                .server_options
                .insert("ssl-ciphers", with("ciphers", part));
        }
        if let Some(part) = said_here(&self.suites).and_then(suites) {
            backend
                .server_options
                .insert("ssl-ciphersuites", with("ciphersuites", part));
        }
    }
}

/// The list of an object, unless it is a tenant's and HAProxy might not start with it.
fn local(ciphers: &Setting<Ciphers>, key: &str, cx: &mut Cx<'_>) -> Option<Part> {
    let part = list(said_here(ciphers)?)?;
    if !ciphers.is_tenants || ciphers.value.is_certain() {
        return Some(part);
    }
    cx.report(
        &codes::INVALID_VALUE,
        &ciphers.origin,
        format!(
            "`{key}`: expected a list that no OpenSSL finds empty, found `{}`",
            crate::value::shown(&ciphers.value.to_string())
        ),
        "the ciphers of the operator are used",
    );
    None
}

/// A setting of an object; what all share stands in the section `global`.
fn said_here<T>(setting: &Setting<T>) -> Option<&Setting<T>> {
    setting.is_local.then_some(setting)
}

fn list(setting: &Setting<Ciphers>) -> Option<Part> {
    let text = setting.value.as_str()?;
    Some(setting.map(|_| Line::default().text(text)))
}

fn suites(setting: &Setting<CipherSuites>) -> Option<Part> {
    let text = setting.value.as_str()?;
    Some(setting.map(|_| Line::default().text(text)))
}
