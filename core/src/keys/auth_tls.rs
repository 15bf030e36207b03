//! Certificates of clients.

use crate::diagnostic::{Diagnostic, codes};
use crate::haproxy::{Backend, ClientAuth, ClientHeaders, Config, Host, Verify};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::choice;
use crate::value::header::HeaderName;
use crate::value::location::Location;
use crate::value::reference::Reference;
use crate::value::tried::Tried;
use crate::value::{KeyValue, Shape, ValueError, pattern};

/// Certificates of clients.
///
/// HAProxy asks for a certificate when a client names the host in its TLS handshake, and judges it when
/// the request comes: 496 to a client without one, 495 to one whose certificate is not accepted, 421 to
/// a request for another host than the one of the handshake. Plain requests cannot show a certificate:
/// those that are not redirected to TLS are answered with 421, but for the paths of
/// `no-tls-redirect-locations`.
pub const FAMILY: Family = Family {
    name: "auth-tls",
    title: "Certificates of clients",
    blocks: &[
        block!(Global, AuthTlsDefaults),
        block!(Host, AuthTls),
        block!(Backend, AuthTlsHeaders),
    ],
};

choice! {
    /// Who needs a certificate.
    pub enum VerifyClient {
        /// Nobody is asked for one.
        Off = "off",
        /// Everybody.
        On = "on",
        /// Nobody, but one that is shown must be good.
        Optional = "optional",
        /// Nobody, and one that is shown is not judged.
        OptionalNoCa = "optional_no_ca",
    }
}

/// The bits of a digest of the SHA-2 family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sha2Bits(u16);

keys! {
    Global => pub struct AuthTlsDefaults {
        /// Authorities of clients that name no host, or an unknown one, in their TLS handshake.
        ///
        /// `namespace/name` of a Secret with `ca.crt` and maybe `ca.crl`, or `file:///ca.pem` and maybe
        /// `,/crl.pem` behind it. Such clients are asked for a certificate and not refused for it; a host
        /// whose `auth-tls-secret` is the same Secret accepts it.
        "auth-tls-default-secret" => default: Reference,
        /// What the names of headers about certificates begin with.
        ///
        /// `X-SSL` makes `X-SSL-Client-CN`, `-DN`, `-SHA1`, `-SHA2` and `-Cert`. Whatever clients send under
        /// these names is taken out of every request.
        "ssl-headers-prefix" => prefix: HeaderName = "X-SSL",
    }
}

keys! {
    Host => pub struct AuthTls {
        /// Where clients without an accepted certificate are sent, with 303, in place of the responses
        /// 495 and 496.
        "auth-tls-error-page" => error_page: Location,
        /// The Secret with the authorities whose certificates are accepted; it switches the check on.
        ///
        /// `ca.crt` holds the authorities, `ca.crl` what they revoked. Without a usable Secret nobody's
        /// certificate is accepted, unless `auth-tls-strict` is `false`.
        "auth-tls-secret" => secret: Tried<Reference>,
        /// Whether a host whose Secret cannot be used refuses everybody's certificate.
        ///
        /// With `false` it is served to everybody.
        "auth-tls-strict" => strict: bool = "true",
        /// Who needs a certificate: everybody (`on`), nobody (`off`), or nobody, but one that is shown must be
        /// accepted (`optional`).
        ///
        /// With `optional_no_ca` a certificate is asked for and not judged: the application has to. What is
        /// none of these counts as `on`.
        "auth-tls-verify-client" => verify: Tried<VerifyClient> = "on",
    }
}

keys! {
    Backend => pub struct AuthTlsHeaders {
        /// Whether servers get the client's certificate in `X-SSL-Client-Cert`, as DER in Base64.
        "auth-tls-cert-header" => certificate: bool = "false",
        /// Whether the digests in `X-SSL-Client-SHA1` and `-SHA2` are in lower case.
        "ssl-fingerprint-lower" => lower: bool = "false",
        /// Gives servers a SHA-2 digest of the client's certificate in `X-SSL-Client-SHA2`, of so many bits.
        "ssl-fingerprint-sha2-bits" => sha2_bits: Sha2Bits,
    }
}

impl AuthTlsDefaults {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        config.trust.client_headers = Some(self.prefix.clone());
        let Some(reference) = &self.default else {
            return;
        };
        match cx.authorities(reference) {
            Ok(authorities) => {
                config.default_authorities = Some(reference.map(|_| authorities));
            }
            Err(refusal) => cx.report_refusal(
                &codes::INVALID_PROTECTION,
                "auth-tls-default-secret",
                reference,
                &refusal,
                "clients that name no host are not asked for a certificate",
            ),
        }
    }
}

impl AuthTls {
    fn apply(&self, host: &mut Host, cx: &mut Cx<'_>) {
        let Some(secret) = &self.secret else {
            self.report_page("goes with `auth-tls-secret`, which is not set", cx);
            return;
        };
        let verify = match self.verify(secret, cx) {
            VerifyClient::Off => {
                let reason = "is for clients who are asked for a certificate, and \
                              `auth-tls-verify-client` is `off`";
                self.report_page(reason, cx);
                return;
            }
            VerifyClient::On => Verify::Required,
            VerifyClient::Optional => Verify::Optional,
            VerifyClient::OptionalNoCa => Verify::Unjudged,
        };
        let read = match &secret.value.0 {
            Ok(reference) => cx.authorities(&secret.map(|_| reference.clone())),
            Err(error) => Err(crate::keys::cross_namespace::Refusal::new(
                error.to_string(),
            )),
        };
        let authorities = match read {
            Ok(authorities) => authorities,
            Err(refusal) => {
                let strict = own("auth-tls-strict", &self.strict, secret, cx);
                let is_strict = strict.is_none_or(|it| it.value);
                let (code, outcome) = if is_strict {
                    (&codes::INVALID_PROTECTION, NOBODY_IS_ADMITTED)
                } else {
                    (&codes::UNPROTECTED, EVERYBODY_IS_ADMITTED)
                };
                cx.report_refusal(code, "auth-tls-secret", secret, &refusal, outcome);
                if !is_strict {
                    return;
                }
                cx.nobody()
            }
        };
        let error_page = self.error_page.as_ref();
        host.client_auth = Some(ClientAuth {
            authorities,
            verify,
            error_page: error_page
                .and_then(|it| own("auth-tls-error-page", it, secret, cx))
                .cloned(),
            origin: secret.origin.clone(),
        });
    }

    /// Reports a page that nobody is sent to.
    fn report_page(&self, reason: &str, cx: &mut Cx<'_>) {
        if let Some(page) = self.error_page.as_ref().filter(|it| it.is_local) {
            cx.report(
                &codes::NO_EFFECT,
                &page.origin,
                format!("`auth-tls-error-page` {reason}"),
                "it has no effect",
            );
        }
    }

    fn verify(&self, secret: &Setting<Tried<Reference>>, cx: &mut Cx<'_>) -> VerifyClient {
        let Some(verify) = own("auth-tls-verify-client", &self.verify, secret, cx) else {
            return VerifyClient::On;
        };
        match &verify.value.0 {
            Ok(verify) => *verify,
            Err(error) => {
                let outcome = "every client needs a certificate";
                let code = &codes::INVALID_VALUE;
                cx.report_item(code, "auth-tls-verify-client", verify, error, outcome);
                VerifyClient::On
            }
        }
    }
}

const NOBODY_IS_ADMITTED: &str = "no certificate is accepted for its hosts";
const EVERYBODY_IS_ADMITTED: &str =
    "its hosts are served to everybody, as `auth-tls-strict` is `false`";

/// A setting that goes with the Secret: it counts if the same object wrote both, or the operator.
///
/// Ingresses of several tenants may share a host; one must not loosen what another one asks for.
fn own<'s, T>(
    key: &str,
    setting: &'s Setting<T>,
    secret: &Setting<Tried<Reference>>,
    cx: &mut Cx<'_>,
) -> Option<&'s Setting<T>> {
    if !setting.is_tenants || setting.origin.object() == secret.origin.object() {
        return Some(setting);
    }
    let message = format!("`{key}` belongs to the `auth-tls-secret` of another object");
    let outcome = "it is ignored for the hosts of both";
    cx.sink.report(
        Diagnostic::new(&codes::CONFLICT, setting.origin.clone(), message, outcome)
            .related(secret.origin.clone()),
    );
    None
}

impl AuthTlsHeaders {
    fn apply(&self, backend: &mut Backend, _: &mut Cx<'_>) {
        if !self.certificate.value && !self.lower.value && self.sha2_bits.is_none() {
            return;
        }
        backend.client_headers = Some(Box::new(ClientHeaders {
            certificate: self.certificate.value.then(|| self.certificate.clone()),
            lower: self.lower.value.then(|| self.lower.clone()),
            sha2_bits: self.sha2_bits.as_ref().map(|it| it.map(|it| it.0)),
        }));
    }
}

impl KeyValue for Sha2Bits {
    const SHAPE: Shape = Shape::Choice {
        words: &["224", "256", "384", "512"],
    };

    fn pattern() -> Option<String> {
        Some(pattern::trimmed("[+]?0*(?:224|256|384|512)"))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        match text.trim().parse() {
            Ok(bits @ (224 | 256 | 384 | 512)) => Ok(Self(bits)),
            _ => Err(ValueError::new("one of `224`, `256`, `384`, `512`", text)),
        }
    }
}
