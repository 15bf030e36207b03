//! The Pods of this controller.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::core::Selector;
use kube::{Api, Client, ResourceExt as _};
use serde::Deserialize as _;
use tracing::debug;

/// Labels that differ between the Pods of one controller.
const OF_ONE_POD: [&str; 7] = [
    "app.kubernetes.io/version",
    "apps.kubernetes.io/pod-index",
    "controller-revision-hash",
    "helm.sh/chart",
    "pod-template-generation",
    "pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// The Pods of a controller, known by one of them.
#[derive(Clone)]
pub(crate) struct Replicas {
    client: Client,
    namespace: String,
    /// The Pod of this replica.
    own: String,
}

impl Replicas {
    /// The replicas beside a Pod.
    pub(crate) fn new(client: Client, namespace: &str, pod: &str) -> Self {
        Self {
            client,
            namespace: namespace.into(),
            own: pod.into(),
        }
    }

    /// Pods of the namespace.
    pub(super) fn api(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The Pod of this replica.
    pub(super) fn own(&self) -> &str {
        &self.own
    }

    /// The labels that select the replicas, in the API's notation, if the Pod has any.
    pub(super) async fn selector(&self) -> kube::Result<Option<String>> {
        let own = self.api().get(&self.own).await?;
        let owners = own.owner_references().iter();
        let owner = owners.clone().find(|it| it.controller == Some(true));
        let selector = match owner {
            Some(owner) => self.selector_of(owner).await,
            None => None,
        };
        let selector = selector.unwrap_or_else(|| {
            let mut labels = own.labels().clone();
            labels.retain(|it, _| !OF_ONE_POD.contains(&it.as_str()));
            Selector::from_iter(labels)
        });
        Ok((!selector.selects_all()).then(|| selector.to_string()))
    }

    /// What the owner of a Pod selects its Pods by, if that can be read.
    async fn selector_of(&self, owner: &OwnerReference) -> Option<Selector> {
        let (group, version) = owner.api_version.split_once('/')?;
        let kind = GroupVersionKind::gvk(group, version, &owner.kind);
        let kind = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &kind);
        let object = match api.get(&owner.name).await {
            Ok(object) => object,
            Err(error) => {
                // The labels of the Pod itself serve nearly as well.
                debug!("cannot read {} {}: {error}", owner.kind, owner.name);
                return None;
            }
        };
        let selector = object.data.pointer("/spec/selector")?;
        let mut selector = LabelSelector::deserialize(selector).ok()?;
        if let Some(labels) = &mut selector.match_labels {
            labels.retain(|it, _| !OF_ONE_POD.contains(&it.as_str()));
        }
        selector.try_into().ok()
    }

    /// How many other replicas go on, neither ended nor on their way out, if that can be known.
    pub(super) async fn others(&self) -> kube::Result<Option<usize>> {
        let Some(selector) = self.selector().await? else {
            return Ok(None);
        };
        let parameters = ListParams::default().labels(&selector);
        let pods = self.api().list(&parameters).await?;
        let others = pods.iter().filter(|it| it.name_any() != self.own);
        Ok(Some(others.filter(|it| goes_on(it)).count()))
    }
}

/// Whether a Pod has neither ended nor been asked to.
pub(super) fn goes_on(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|it| it.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}
