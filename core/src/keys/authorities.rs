//! Authorities of Secrets: certificates that those of clients and servers are checked against.
//!
//! HAProxy refuses its whole configuration for a file that it cannot read, so what a Secret holds is
//! read and written again before HAProxy meets it.

use std::sync::Arc;

use crate::diagnostic::codes;
use crate::haproxy::{Authorities, DataFile, Role, secret_stem, short};
use crate::keys::cross_namespace::{Permitted, Purpose, Refusal};
use crate::keys::{Cx, Setting};
use crate::options::Name;
use crate::origin::{Field, Kind, ObjectRef, Origin};
use crate::resource::Secret;
use crate::value::certificate::{CertificateError, Issued, Moment, authorities, revocations};
use crate::value::reference::Reference;

/// An authority that signs nothing: its key was never kept. Whoever is checked against it is refused.
/// It is a constant because the engine has no random numbers, and it need not be a secret.
const NOBODY: &str = include_str!("authorities/nobody.crt.pem");

/// The name of [`NOBODY`] and the path of its file.
const NOBODY_NAME: &str = "_fake-default";
const NOBODY_FILE: &str = "/var/lib/haproxy/cacerts/ca__fake-default.pem";

impl Cx<'_> {
    /// The files of the authorities that a reference leads to: `ca.crt` of a Secret, and `ca.crl` if it
    /// has one. Nothing is reported: the caller knows what happens instead.
    pub fn authorities(&mut self, reference: &Setting<Reference>) -> Result<Authorities, Refusal> {
        match self.permit(reference, Purpose::Authorities)? {
            Permitted::File(paths) => Ok(of_files(&paths)),
            Permitted::Secret(name) => {
                if let Some(known) = self.authorities.get(&name) {
                    return known.clone();
                }
                let (_, secret) = self.secret(reference, Purpose::Authorities)?;
                let read = self.read_authorities(&name, &secret);
                self.authorities.insert(name, read.clone());
                read
            }
        }
    }

    /// The authority that signs nothing, for those who must be refused.
    pub fn nobody(&mut self) -> Authorities {
        let origin = [Origin::Engine("an authority that signs nothing")];
        if !self.has_nobody {
            self.has_nobody = true;
            let file = DataFile::whole(NOBODY_FILE, Role::Authorities, NOBODY, &origin);
            self.files.push(file);
        }
        Authorities {
            name: NOBODY_NAME.into(),
            file: self.real(NOBODY_FILE),
            revoked: None,
        }
    }

    fn read_authorities(&mut self, name: &Name, secret: &Secret) -> Result<Authorities, Refusal> {
        type Read = fn(&[u8]) -> Result<Issued, CertificateError>;
        let read = |entry: &str, read: Read| {
            secret.get(entry).map(|it| {
                read(it.reveal())
                    .map_err(|error| Refusal::new(format!("`{entry}` of Secret `{name}`: {error}")))
            })
        };
        let missing = || Refusal::new(format!("Secret `{name}` has no `ca.crt`"));
        let issued = read("ca.crt", authorities).ok_or_else(missing)??;
        let revoked = read("ca.crl", revocations).transpose()?;
        let stem = secret_stem(name);
        self.report_certificates(name, &issued);
        let path = format!("cacerts/ca_{stem}.pem");
        let file = self.add_file(Role::Authorities, "ca.crt", name, &path, issued.pem);
        let revoked = revoked.map(|it| {
            self.report_lists(name, &it);
            let path = format!("crl/ca_{stem}_crl.pem");
            self.add_file(Role::Revocations, "ca.crl", name, &path, it.pem)
        });
        Ok(Authorities {
            name: stem.into(),
            file,
            revoked,
        })
    }

    /// Reports authorities that are out of their dates, or soon will be.
    fn report_certificates(&mut self, name: &Name, issued: &Issued) {
        let Some(now) = self.options.now else { return };
        for (authority, validity) in &issued.blocks {
            let (message, since) = match validity.at(now) {
                Moment::Before => ("is not valid yet", "until then"),
                Moment::Within => continue,
                Moment::LastWeek => ("expires within a week", "from then on"),
                Moment::After => ("has expired", "now"),
            };
            let message = format!("the certificate of the authority `{authority}` {message}");
            let outcome = format!("{since} no certificate that it signed is accepted");
            self.report(
                &codes::BAD_CERTIFICATE,
                &origin("ca.crt", name),
                message,
                outcome,
            );
        }
    }

    /// Reports lists of revoked certificates that are out of their dates. An authority makes a new one
    /// every week or every day, so that nothing is said of one that soon will be.
    fn report_lists(&mut self, name: &Name, issued: &Issued) {
        let Some(now) = self.options.now else { return };
        for (authority, validity) in &issued.blocks {
            let message = match validity.at(now) {
                Moment::Before => "is not valid yet",
                Moment::Within | Moment::LastWeek => continue,
                Moment::After => "has expired",
            };
            let message = format!("the list of what the authority `{authority}` revoked {message}");
            let outcome = "no certificate that it signed is accepted until there is a valid list";
            self.report(
                &codes::BAD_CERTIFICATE,
                &origin("ca.crl", name),
                message,
                outcome,
            );
        }
    }

    fn add_file(
        &mut self,
        role: Role,
        entry: &str,
        name: &Name,
        path: &str,
        text: String,
    ) -> Arc<str> {
        let path = format!("/var/lib/haproxy/{path}");
        let real = self.real(&path);
        let origin = [origin(entry, name)];
        self.files.push(DataFile::whole(path, role, text, &origin));
        real
    }

    fn real(&self, path: &str) -> Arc<str> {
        format!("{}{path}", self.options.prefix).into()
    }
}

/// An entry of a Secret.
fn origin(entry: &str, name: &Name) -> Origin {
    let secret = ObjectRef::new(Kind::Secret, name.namespace.clone(), name.name.clone());
    Origin::Object(Arc::new(secret), Field::Data(entry.into()))
}

/// Files of the operator: the authorities, and behind a comma what they revoked.
fn of_files(paths: &str) -> Authorities {
    let (file, revoked) = match paths.split_once(',') {
        Some((file, revoked)) => (file, Some(revoked.into())),
        None => (paths, None),
    };
    Authorities {
        // A path has slashes, which a name must not have.
        name: short(paths, 0).into(),
        file: file.into(),
        revoked,
    }
}
