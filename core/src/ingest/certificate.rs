//! Certificates of Secrets: which one a TLS entry means, checked before it reaches HAProxy.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::codes;
use crate::haproxy::{DataFile, Role, secret_stem};
use crate::keys::Cx;
use crate::keys::cross_namespace::{Permitted, Purpose, Refusal};
use crate::options::Name;
use crate::origin::{Field, Kind, ObjectRef, Origin, Setting};
use crate::resource::Tls;
use crate::value::KeyValue as _;
use crate::value::certificate::{Certificate, KeyMatch, Moment};
use crate::value::reference::Reference;

/// Certificates by their Secret, each read once; a Secret without a usable one is remembered, too.
#[derive(Debug, Default)]
pub struct Certificates {
    by_secret: BTreeMap<Name, Option<Known>>,
    /// Files by their content, so that the same certificate is loaded once.
    by_content: BTreeMap<Arc<str>, Arc<str>>,
}

#[derive(Clone, Debug)]
struct Known {
    certificate: Arc<Certificate>,
    path: Arc<str>,
}

/// What happens where a certificate cannot be used.
const OUTCOME: &str = "the default certificate is served";

/// The Secret that a TLS entry of an Ingress names: one of its own namespace, or of another one as far as
/// a key may name it. A reference that leads nowhere is reported, and is like none.
pub(super) fn secret(
    tls: &Tls,
    namespace: &Arc<str>,
    origin: Origin,
    cx: &mut Cx<'_>,
) -> Option<Setting<Name>> {
    let text = tls.secret_name.as_ref().filter(|it| !it.is_empty())?;
    if !text.contains('/') {
        let (namespace, name) = (namespace.clone(), text.clone());
        return Some(Setting::new(Name { namespace, name }, origin));
    }
    let author = Setting {
        is_local: true,
        is_tenants: true,
        ..Setting::new((), origin)
    };
    let permitted = match Reference::parse(text) {
        Ok(reference) => cx.permit(&author.map(|()| reference.clone()), Purpose::Certificate),
        Err(error) => Err(Refusal::new(error.to_string())),
    };
    match permitted {
        Ok(Permitted::Secret(name)) => Some(Setting::new(name, author.origin)),
        // Only the operator may name a file, and an Ingress is a tenant's.
        Ok(Permitted::File(_)) => None,
        Err(refusal) => {
            cx.report_refusal(&codes::NOT_FOUND, "secretName", &author, &refusal, OUTCOME);
            None
        }
    }
}

impl Certificates {
    /// The file of a Secret's certificate for some hosts, without the operator's prefix; `None`, with
    /// a report, if the Secret has none that HAProxy can use.
    pub fn file(
        &mut self,
        secret: &Name,
        host: Option<(&str, &Origin)>,
        user: &Origin,
        cx: &mut Cx<'_>,
    ) -> Option<Arc<str>> {
        self.file_or(secret, host, user, OUTCOME, cx)
    }

    /// The same, and says what else happens instead.
    pub fn file_or(
        &mut self,
        secret: &Name,
        host: Option<(&str, &Origin)>,
        user: &Origin,
        outcome: &str,
        cx: &mut Cx<'_>,
    ) -> Option<Arc<str>> {
        if !self.by_secret.contains_key(secret) {
            let known = self.read(secret, user, outcome, cx);
            self.by_secret.insert(secret.clone(), known);
        }
        let known = self.by_secret[secret].clone()?;
        if let Some((host, origin)) =
            host.filter(|it| !it.0.is_empty() && !known.certificate.covers(it.0))
        {
            cx.report(
                &codes::BAD_CERTIFICATE,
                origin,
                format!(
                    "the certificate of Secret `{secret}` is for {}, not for `{host}`",
                    names(&known.certificate)
                ),
                "it is served all the same, and clients will refuse it",
            );
        }
        Some(known.path)
    }

    fn read(
        &mut self,
        secret: &Name,
        user: &Origin,
        outcome: &str,
        cx: &mut Cx<'_>,
    ) -> Option<Known> {
        let Some(object) = cx.snapshot.secrets.get(secret) else {
            let message = format!("there is no Secret `{secret}`");
            cx.report(&codes::NOT_FOUND, user, message, outcome);
            return None;
        };
        let Some(certificate) = object.certificate() else {
            let message = format!("Secret `{secret}` needs both `tls.crt` and `tls.key`");
            cx.report(&codes::NOT_FOUND, user, message, outcome);
            return None;
        };
        let origin = origin(secret, "tls.crt");
        let certificate = match certificate {
            Ok(it) if it.key_match() == KeyMatch::Differs => {
                let message = "`tls.key` is not the key of `tls.crt`";
                cx.report(&codes::BAD_CERTIFICATE, &origin, message, outcome);
                return None;
            }
            Ok(it) => it,
            Err(error) => {
                cx.report(&codes::BAD_CERTIFICATE, &origin, error.to_string(), outcome);
                return None;
            }
        };
        if let Some(weakness) = certificate.weakness() {
            let message = format!("TLS libraries refuse {weakness}");
            cx.report(&codes::BAD_CERTIFICATE, &origin, message, outcome);
            return None;
        }
        dates(&certificate, &origin, cx);
        let text = certificate.pem();
        let path = match self.by_content.get(text) {
            Some(path) => path.clone(),
            None => {
                let path: Arc<str> = path(secret).into();
                let file =
                    DataFile::whole(path.clone(), Role::Certificate, text.clone(), &[origin]);
                cx.files.push(file);
                self.by_content.insert(text.clone(), path.clone());
                path
            }
        };
        Some(Known { certificate, path })
    }
}

/// Reports a certificate that is out of its dates, or soon will be.
fn dates(certificate: &Certificate, origin: &Origin, cx: &mut Cx<'_>) {
    let Some(now) = cx.options.now else { return };
    let message = match certificate.validity().at(now) {
        Moment::Before => "the certificate is not valid yet",
        Moment::Within => return,
        Moment::LastWeek => "the certificate expires within a week",
        Moment::After => "the certificate has expired",
    };
    cx.report(
        &codes::BAD_CERTIFICATE,
        origin,
        message,
        "it is served as it is",
    );
}

fn names(certificate: &Certificate) -> String {
    let names: Vec<_> = certificate
        .names()
        .iter()
        .take(5)
        .map(|it| format!("`{it}`"))
        .collect();
    if names.is_empty() {
        "no host at all".into()
    } else {
        names.join(", ")
    }
}

fn origin(secret: &Name, entry: &str) -> Origin {
    let object = ObjectRef::new(Kind::Secret, secret.namespace.clone(), secret.name.clone());
    Origin::Object(Arc::new(object), Field::Data(entry.into()))
}

/// The file of a Secret.
fn path(secret: &Name) -> String {
    format!("/var/lib/haproxy/crt/{}.pem", secret_stem(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_has_a_file_of_its_own_whose_name_is_not_too_long() {
        let long = "a".repeat(252);
        let secrets = [
            ("a", "b"),
            ("a", "..b"),
            ("n", &format!("{long}b")),
            ("n", &format!("{long}c")),
            (&"n".repeat(63), &format!("{long}c")),
        ];
        let files = secrets.map(|(namespace, name)| path(&Name::new(namespace, name)));
        for file in &files {
            let name = file.rsplit('/').next().unwrap_or_default();
            assert!(name.len() <= 255 && !name.contains(".."), "{file}");
        }
        let different: std::collections::BTreeSet<_> = files.iter().collect();
        assert_eq!(different.len(), secrets.len());
    }
}
