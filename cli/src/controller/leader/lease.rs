//! The Lease in the API.

use std::future::Future;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};

/// One Lease, wherever it is kept.
pub(crate) trait Leases: Send {
    /// `namespace/name`.
    fn name(&self) -> String;

    /// As it is now, if it is there.
    fn get(&self) -> impl Future<Output = kube::Result<Option<Lease>>> + Send;

    /// Makes it, unless it is there.
    fn create(&self, lease: &Lease) -> impl Future<Output = kube::Result<Lease>> + Send;

    /// Changes it, unless somebody else did since this version.
    fn replace(&self, lease: &Lease) -> impl Future<Output = kube::Result<Lease>> + Send;
}

/// A Lease of an API server.
pub(crate) struct ApiLeases {
    api: Api<Lease>,
    namespace: String,
    name: String,
}

impl ApiLeases {
    /// A Lease by its name.
    pub(crate) fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl Leases for ApiLeases {
    fn name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    async fn get(&self) -> kube::Result<Option<Lease>> {
        self.api.get_opt(&self.name).await
    }

    async fn create(&self, lease: &Lease) -> kube::Result<Lease> {
        let mut lease = lease.clone();
        lease.metadata.name = Some(self.name.clone());
        self.api.create(&PostParams::default(), &lease).await
    }

    async fn replace(&self, lease: &Lease) -> kube::Result<Lease> {
        let parameters = PostParams::default();
        self.api.replace(&self.name, &parameters, lease).await
    }
}
