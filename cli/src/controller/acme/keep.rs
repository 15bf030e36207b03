//! The Secret of a certificate.

use haproxy_ingress_core::haproxy::Order;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::Failure;
use super::due::{Facts, Reason, judge};
use super::issue::Signed;
use crate::controller::leader::Leadership;
use crate::controller::trouble::chain;

/// The type of Secrets with certificates.
const TLS: &str = "kubernetes.io/tls";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// How often to try when somebody else changes the Secret at the same time.
const TRIES: usize = 5;

/// The Secret of one order.
pub(super) struct Kept<'a> {
    api: Api<Secret>,
    leadership: &'a Leadership,
    order: &'a Order,
}

impl<'a> Kept<'a> {
    pub(super) fn new(client: &Client, leadership: &'a Leadership, order: &'a Order) -> Self {
        Self {
            api: Api::namespaced(client.clone(), &order.secret.namespace),
            leadership,
            order,
        }
    }

    /// Why it has to be signed, if it has, by what the API says now.
    pub(super) async fn look(&self, days: u32, now: i64) -> Result<Option<Reason>, Failure> {
        let found = self.get().await?;
        let data = found.as_ref().and_then(|it| it.data.as_ref());
        let facts = data
            .and_then(|it| it.get(CERTIFICATE))
            .and_then(|it| Facts::read(&it.0));
        Ok(judge(facts.as_ref(), self.order, days, now))
    }

    /// Keeps a certificate: labels, annotations and further contents stay as they are.
    pub(super) async fn put(&self, signed: &Signed) -> Result<(), Failure> {
        for _ in 0..TRIES {
            let found = self.get().await?;
            if !self.leadership.holds() {
                return Err(Failure::Lost);
            }
            let written = match found {
                None => self.create(signed).await,
                Some(secret) => self.change(secret.metadata.resource_version, signed).await,
            };
            match written {
                Ok(()) => return Ok(()),
                Err(kube::Error::Api(status))
                    if status.is_conflict()
                        || status.is_already_exists()
                        || status.is_not_found() => {}
                Err(error) => return Err(self.cannot("write", &error)),
            }
        }
        let name = &self.order.secret;
        let text = format!("somebody else changes Secret {name} all the time");
        Err(Failure::Order(text))
    }

    /// As it is now; not if it is somebody else's.
    async fn get(&self) -> Result<Option<Secret>, Failure> {
        let name = &self.order.secret;
        let found = self.api.get_opt(&name.name).await;
        let found = found.map_err(|it| self.cannot("read", &it))?;
        let kind = found.as_ref().and_then(|it| it.type_.as_deref());
        match kind {
            Some(kind) if kind != TLS => Err(Failure::Foreign(format!(
                "Secret `{name}` has type `{kind}`, expected `{TLS}`; it stays as it is, and no \
                 certificate is signed for it"
            ))),
            _ => Ok(found),
        }
    }

    async fn create(&self, signed: &Signed) -> kube::Result<()> {
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(self.order.secret.name.to_string()),
                ..ObjectMeta::default()
            },
            type_: Some(TLS.into()),
            data: Some(
                [
                    (CERTIFICATE.into(), bytes(&signed.chain)),
                    (KEY.into(), bytes(&signed.key)),
                ]
                .into(),
            ),
            ..Secret::default()
        };
        let created = self.api.create(&PostParams::default(), &secret).await;
        created.map(|_| ())
    }

    async fn change(&self, version: Option<String>, signed: &Signed) -> kube::Result<()> {
        let patch = Patch::Merge(json!({
            "metadata": { "resourceVersion": version },
            "data": { CERTIFICATE: bytes(&signed.chain), KEY: bytes(&signed.key) },
        }));
        let name = &self.order.secret.name;
        let changed = self.api.patch(name, &PatchParams::default(), &patch).await;
        changed.map(|_| ())
    }

    fn cannot(&self, what: &str, error: &kube::Error) -> Failure {
        let name = &self.order.secret;
        Failure::Order(format!("cannot {what} Secret `{name}`: {}", chain(error)))
    }
}

fn bytes(text: &str) -> ByteString {
    ByteString(text.as_bytes().to_vec())
}
