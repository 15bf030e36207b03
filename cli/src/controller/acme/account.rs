//! The account at the authority, and its key in a Secret.

use haproxy_ingress_core::haproxy::Acme;
use haproxy_ingress_core::options::Name;
use instant_acme::{Account, Key};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::Failure;
use super::authority::Authority;
use crate::controller::leader::Leadership;
use crate::controller::trouble::chain;

/// Where the key stands in the Secret.
const KEY: &str = "tls.key";

/// An account that can be used.
pub(super) struct Ready {
    pub(super) account: Account,
    /// The client of the account.
    pub(super) authority: Authority,
    /// For which settings.
    directory: String,
    emails: Vec<String>,
}

/// Where the key of the account is, and who may make one.
pub(super) struct Secured<'a> {
    pub(super) client: &'a Client,
    pub(super) secret: &'a Name,
    pub(super) leadership: &'a Leadership,
}

impl Ready {
    /// Whether it is the account that is asked for.
    pub(super) fn is_for(&self, acme: &Acme) -> bool {
        self.directory == acme.directory.value.to_string() && self.emails == emails(acme)
    }
}

impl Secured<'_> {
    /// Finds the account of the key or makes it, and tells the authority whom it may write to.
    pub(super) async fn account(&self, acme: &Acme) -> Result<Ready, Failure> {
        let (key, der) = self.key().await.map_err(Failure::Account)?;
        let directory = acme.directory.value.to_string();
        let failed = |error: &instant_acme::Error| {
            Failure::Account(format!("authority {directory}: {}", chain(error)))
        };
        let authority = Authority::new().map_err(|error| {
            Failure::Account(format!("no authority can be asked: {}", chain(&error)))
        })?;
        let builder = Account::builder_with_http(Box::new(authority.clone()));
        // A key that the authority knows leads to the account that there is.
        let created = builder.create_from_key((key, der), directory.clone()).await;
        let (account, _) = created.map_err(|it| failed(&it))?;
        let emails = emails(acme);
        let contacts: Vec<String> = emails.iter().map(|it| format!("mailto:{it}")).collect();
        if authority.contacts().as_ref() != Some(&contacts) {
            let contacts: Vec<&str> = contacts.iter().map(String::as_str).collect();
            let updated = account.update_contacts(&contacts).await;
            updated.map_err(|it| failed(&it))?;
        }
        Ok(Ready {
            account,
            authority,
            directory,
            emails,
        })
    }

    /// The key: the one that is there, whatever it is, or a new one if there is no Secret.
    async fn key(&self) -> Result<(Key, PrivateKeyDer<'static>), String> {
        let name = self.secret;
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &name.namespace);
        let cannot = |what: &str, error: &kube::Error| {
            format!("cannot {what} Secret {name}: {}", chain(error))
        };
        let found = api.get_opt(&name.name).await;
        if let Some(secret) = found.map_err(|it| cannot("read", &it))? {
            return self.read(&secret);
        }
        let made = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
        let made = made.map_err(|it| format!("cannot make a key: {it}"))?;
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.name.to_string()),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".into()),
            data: Some([(KEY.into(), ByteString(made.serialize_pem().into_bytes()))].into()),
            ..Secret::default()
        };
        if !self.leadership.holds() {
            return Err("this replica leads no longer".into());
        }
        // Not even one that came in the meantime is overwritten: then this is a conflict.
        let created = api.create(&PostParams::default(), &secret).await;
        created.map_err(|it| cannot("create", &it))?;
        tracing::info!("the key of a new account is in Secret {name}");
        self.read(&secret)
    }

    fn read(&self, secret: &Secret) -> Result<(Key, PrivateKeyDer<'static>), String> {
        let unusable = || {
            format!(
                "Secret {}: `{KEY}` is no key that can be used, expected one for ECDSA P-256 in PKCS#8 \
                 (PEM, `BEGIN PRIVATE KEY`); it stays as it is: name another Secret by the flag \
                 --acme-secret-key-name, or delete this one to get a new account",
                self.secret
            )
        };
        let data = secret.data.as_ref().and_then(|it| it.get(KEY));
        let data = data.ok_or_else(unusable)?;
        match PrivateKeyDer::from_pem_slice(&data.0) {
            Ok(PrivateKeyDer::Pkcs8(der)) => {
                let key = Key::from_pkcs8_der(der.clone_key()).map_err(|_| unusable())?;
                Ok((key, PrivateKeyDer::Pkcs8(der)))
            }
            _ => Err(unusable()),
        }
    }
}

fn emails(acme: &Acme) -> Vec<String> {
    acme.emails.iter().map(ToString::to_string).collect()
}
