//! When the certificates end that are served, and for which hosts.
//!
//! What HAProxy was given says both: lists of certificates name files and hosts, and the files are there
//! as well. So nothing is shown that is not served, and what goes is shown no longer.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Arc, Weak};

use haproxy_ingress_core::bundle::{Bundle, Role};
use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::plan::ListEntry;
use x509_parser::pem::Pem;

/// How every host is called that no list names.
const ANY: &str = "*";

/// The certificates of what was looked at last.
#[derive(Default)]
pub(super) struct Certificates {
    looked_at: Weak<Compiled>,
    /// By path, with a digest of what was read: most certificates stay as they are, and the text of one would
    /// have its key stay in memory.
    files: BTreeMap<Arc<str>, (u64, Option<Arc<Certificate>>)>,
    hosts: BTreeMap<Arc<str>, Arc<Certificate>>,
}

/// What is said of a certificate.
#[derive(Debug, PartialEq)]
pub(super) struct Certificate {
    name: String,
    end: i64,
}

impl Certificate {
    /// The common name of its subject; empty if there is none.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its last second since 1970.
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds are exact for millions of years"
    )]
    pub(super) fn end(&self) -> f64 {
        self.end as f64
    }

    /// The first certificate of a file.
    fn read(pem: &str) -> Option<Self> {
        let mut blocks = Pem::iter_from_buffer(pem.as_bytes());
        let first = blocks.find_map(|it| it.ok().filter(|it| it.label == "CERTIFICATE"))?;
        let certificate = first.parse_x509().ok()?;
        let mut names = certificate.subject().iter_common_name();
        let name = names.next().and_then(|it| it.as_str().ok());
        Some(Self {
            name: name.unwrap_or_default().into(),
            end: certificate.validity().not_after.timestamp(),
        })
    }
}

impl Certificates {
    /// Looks at a configuration; false if it was looked at before.
    pub(super) fn look(&mut self, served: &Arc<Compiled>) -> bool {
        if std::ptr::eq(self.looked_at.as_ptr(), Arc::as_ptr(served)) {
            return false;
        }
        self.looked_at = Arc::downgrade(served);
        self.read(&served.bundle);
        true
    }

    /// Hosts with their certificates, those first whose certificates end first.
    pub(super) fn by_date(&self) -> impl Iterator<Item = (&str, &Certificate)> {
        let mut hosts: Vec<_> = self
            .hosts
            .iter()
            .map(|(host, it)| (&**host, &**it))
            .collect();
        hosts.sort_by_key(|it| (it.1.end, it.0));
        hosts.into_iter()
    }

    fn read(&mut self, bundle: &Bundle) {
        let mut known = std::mem::take(&mut self.files);
        let of = |role| bundle.files.iter().filter(move |it| it.role == role);
        for file in of(Role::Certificate) {
            let digest = digest(&file.content);
            let found = match known.remove(&file.path) {
                Some((before, found)) if before == digest => found,
                _ => Certificate::read(&file.content).map(Arc::new),
            };
            self.files.insert(file.path.clone(), (digest, found));
        }
        self.hosts.clear();
        for list in of(Role::CertificateList) {
            let entries = list.content.lines().filter(|it| !it.starts_with('#'));
            for entry in entries.filter_map(ListEntry::read) {
                let Some((_, Some(certificate))) = self.files.get(&entry.certificate) else {
                    // A file of the operator, which is not here.
                    continue;
                };
                for name in entry.names {
                    let host = if &*name == "!*" { ANY.into() } else { name };
                    // One host may have one in each frontend: the first to end is the one to know of.
                    let shown = self
                        .hosts
                        .entry(host)
                        .or_insert_with(|| certificate.clone());
                    if certificate.end < shown.end {
                        *shown = certificate.clone();
                    }
                }
            }
        }
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use haproxy_ingress_core::bundle::File;
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;
    use crate::controller::metrics::{HOSTS, Metrics};

    /// A certificate that ends in some year.
    fn pem(name: &str, year: i32) -> String {
        let mut params = CertificateParams::new([name.to_owned()]).expect("it is a name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("it signs itself");
        key.serialize_pem() + &certificate.pem()
    }

    fn compiled(certificates: &[(&str, &str)], list: &str) -> Arc<Compiled> {
        let files = certificates
            .iter()
            .map(|(path, pem)| File::new(*path, 0o600, Role::Certificate, *pem));
        let list = File::new("/list", 0o644, Role::CertificateList, list);
        Arc::new(Compiled {
            bundle: Bundle {
                files: files.chain([list]).collect(),
                ..Bundle::default()
            },
            ..Compiled::default()
        })
    }

    fn shown(metrics: &Metrics, served: &Arc<Compiled>) -> Vec<String> {
        let text = metrics.text(Some(served)).expect("it can be written");
        let lines = text.lines();
        let lines = lines.filter_map(|it| it.strip_prefix("haproxyingress_cert_expire_date_"));
        lines.map(Into::into).collect()
    }

    #[test]
    fn each_host_has_the_end_of_its_certificate_until_that_goes() {
        let metrics = Metrics::default();
        let (a, b) = (pem("a.example", 2040), pem("b.example", 2030));
        let both = compiled(
            &[("/a.pem", &a), ("/b.pem", &b)],
            "/a.pem !*\n/a.pem [alpn h2] a.example *.a.example\n/b.pem b.example\n/c.pem c.example\n",
        );
        let lines = [
            "epoch{cn=\"a.example\",domain=\"*\"} 2208988800",
            "epoch{cn=\"a.example\",domain=\"*.a.example\"} 2208988800",
            "epoch{cn=\"a.example\",domain=\"a.example\"} 2208988800",
            "epoch{cn=\"b.example\",domain=\"b.example\"} 1893456000",
            "omitted 0",
        ];
        for _ in 0..2 {
            assert_eq!(shown(&metrics, &both), lines);
        }
        let one = compiled(&[("/b.pem", &pem("b.example", 2031))], "/b.pem b.example\n");
        assert_eq!(
            shown(&metrics, &one),
            [
                "epoch{cn=\"b.example\",domain=\"b.example\"} 1924992000",
                "omitted 0"
            ]
        );
        assert_eq!(shown(&metrics, &compiled(&[], "")), ["omitted 0"]);
    }

    #[test]
    fn of_many_hosts_those_are_shown_whose_certificates_end_first() {
        let metrics = Metrics::default();
        let (soon, late) = (pem("soon.example", 2030), pem("late.example", 2040));
        let mut list = String::from("/soon.pem z.example\n");
        for number in 0..HOSTS + 4 {
            let _ = writeln!(list, "/late.pem host{number:05}.example");
        }
        let many = compiled(&[("/soon.pem", &soon), ("/late.pem", &late)], &list);
        let lines = shown(&metrics, &many);
        assert_eq!(lines.len(), HOSTS + 1);
        assert_eq!(lines.last().map(String::as_str), Some("omitted 5"));
        assert!(lines.iter().any(|it| it.contains("domain=\"z.example\"")));
    }
}
