//! Authorities of Secrets: certificates that those of clients and servers are checked against.
//!
//! HAProxy refuses its whole configuration for a file that it cannot read, so what a Secret holds is
//! read and written again before HAProxy meets it.

use std::sync::Arc;

use crate::haproxy::{Authorities, DataFile, Role, secret_stem, short};
use crate::keys::cross_namespace::{Permitted, Purpose, Refusal};
use crate::keys::{Cx, Setting};
use crate::options::Name;
use crate::origin::{Field, Kind, ObjectRef, Origin};
use crate::resource::Secret;
use crate::value::certificate::{CertificateError, authorities, revocations};
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
        type Read = fn(&[u8]) -> Result<String, CertificateError>;
        let read = |entry: &str, read: Read| {
            secret.get(entry).map(|it| {
                read(it.reveal())
                    .map_err(|error| Refusal::new(format!("`{entry}` of Secret `{name}`: {error}")))
            })
        };
        let missing = || Refusal::new(format!("Secret `{name}` has no `ca.crt`"));
        let text = read("ca.crt", authorities).ok_or_else(missing)??;
        let revoked = read("ca.crl", revocations).transpose()?;
        let stem = secret_stem(name);
        let file = self.add_file("ca.crt", name, &format!("cacerts/ca_{stem}.pem"), text);
        let revoked = revoked
            .map(|text| self.add_file("ca.crl", name, &format!("crl/ca_{stem}_crl.pem"), text));
        Ok(Authorities {
            name: stem.into(),
            file,
            revoked,
        })
    }

    fn add_file(&mut self, entry: &str, name: &Name, path: &str, text: String) -> Arc<str> {
        let secret = ObjectRef::new(Kind::Secret, name.namespace.clone(), name.name.clone());
        let origin = [Origin::Object(Arc::new(secret), Field::Data(entry.into()))];
        let path = format!("/var/lib/haproxy/{path}");
        let real = self.real(&path);
        self.files
            .push(DataFile::whole(path, Role::Authorities, text, &origin));
        real
    }

    fn real(&self, path: &str) -> Arc<str> {
        format!("{}{path}", self.options.prefix).into()
    }
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
