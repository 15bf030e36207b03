//! TLS with servers.

use crate::haproxy::{Backend, ServerTls, Sni};
use crate::keys::{Cx, Family, block, keys};
use crate::value::hostname::Hostname;
use crate::value::reference::Reference;
use crate::value::text::Line;
use crate::value::tried::{Inherited, Tried};
use crate::value::{KeyValue, Shape, ValueError, pattern};

/// TLS with servers. The keys count where `backend-protocol` or `secure-backends` asks for TLS.
pub const FAMILY: Family = Family {
    name: "secure-backend",
    title: "TLS with servers",
    blocks: &[block!(Backend, SecureBackend)],
};

keys! {
    Backend => pub struct SecureBackend {
        /// Whether servers speak TLS, whatever else `backend-protocol` says of them.
        ///
        /// Where this cannot be read, servers that should be verified get no request without TLS: 503.
        "secure-backends" => secure: Inherited<bool> = "false",
        /// The Secret with the certificate that HAProxy shows to servers, in `tls.crt` and `tls.key`.
        ///
        /// Without a usable one requests are answered with 503.
        "secure-crt-secret" => certificate: Tried<Reference>,
        /// The name that HAProxy asks for in the handshake: `host` for the host of the request, `sni` for the
        /// name in the client's handshake, or a name.
        ///
        /// With `secure-verify-ca-secret` the server's certificate must be for that name, and if the name
        /// cannot be read, requests are answered with 503.
        "secure-sni" => sni: Inherited<SniSource>,
        /// The Secret with the authorities that sign the servers' certificates, in `ca.crt`, and maybe what
        /// they revoked, in `ca.crl`.
        ///
        /// Without this key certificates are not verified. Without a usable Secret requests are answered with
        /// 503.
        "secure-verify-ca-secret" => authorities: Tried<Reference>,
        /// The name that the servers' certificate must be for, where `secure-sni` asks for none.
        ///
        /// It goes with `secure-verify-ca-secret`.
        "secure-verify-hostname" => hostname: Tried<Hostname>,
    }
}

/// Where the name in a handshake with a server comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SniSource(Sni);

impl SecureBackend {
    fn apply(&self, backend: &mut Backend, _: &mut Cx<'_>) {
        let Inherited { value, refused } = &self.secure.value;
        let unread = refused.iter().map(|it| ("secure-backends", it.clone()));
        backend.unread_tls.extend(unread);
        if *value == Some(true) {
            let ssl = self.secure.map(|_| Line::keyword("ssl"));
            backend.server_options.insert("ssl", ssl);
        }
        let tls = ServerTls {
            authorities: self.authorities.clone(),
            certificate: self.certificate.clone(),
            sni: (self.sni.as_ref()).map(|it| it.map(|it| it.map(|it| it.0.clone()))),
            hostname: self.hostname.clone(),
        };
        if tls != ServerTls::default() {
            backend.server_tls = Some(Box::new(tls));
        }
    }
}

impl KeyValue for SniSource {
    const SHAPE: Shape = Shape::Text {
        grammar: "host, sni, or the name of a host",
    };

    fn pattern() -> Option<String> {
        Some(pattern::trimmed(&pattern::host()))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let sni = match text.trim().to_ascii_lowercase().as_str() {
            "host" => Sni::Host,
            "sni" => Sni::Client,
            name if name.starts_with('*') => {
                return Err(ValueError::new("`host`, `sni` or a name without `*`", text));
            }
            name => Sni::Name(Hostname::parse(name)?),
        };
        Ok(Self(sni))
    }
}
