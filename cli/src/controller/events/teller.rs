//! Events as objects of the API.

use haproxy_ingress_core::diagnostic::Severity;
use haproxy_ingress_core::origin::ObjectRef;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::time::timeout;
use tracing::debug;

use super::PATIENCE;
use super::note::Note;
use crate::controller::trouble::chain;
use crate::controller::watch::{Served, Wire};

/// Who tells.
const CONTROLLER: &str = "haproxy-ingress.github.io/controller";

/// Tells what somebody else has decided to.
#[derive(Clone)]
pub(crate) struct Teller {
    client: Client,
    /// The replica's name.
    instance: String,
}

impl Teller {
    /// A replica by its name.
    pub(crate) fn new(client: Client, instance: String) -> Self {
        Self { client, instance }
    }

    /// Tells something about an object that is no finding of the loop. Only the leader may ask for it.
    pub(crate) async fn tell(
        &self,
        object: &ObjectRef,
        is_good: bool,
        reason: &str,
        text: &str,
    ) -> Result<(), String> {
        let severity = if is_good {
            Severity::Notice
        } else {
            Severity::Warning
        };
        let note = Note::new(severity, object, reason, text);
        match timeout(PATIENCE, self.publish(&note, None)).await {
            Ok(result) => result.map_err(|it| chain(&it)),
            Err(_) => Err(format!("no answer in {PATIENCE:?}")),
        }
    }

    /// Makes the Event of a note, or counts it in the one that is there if it was told before.
    pub(super) async fn publish(&self, note: &Note, told: Option<i32>) -> kube::Result<()> {
        let object = note.object();
        let namespace = match &*object.namespace {
            // Where Events about objects of the cluster are.
            "" => "default",
            namespace => namespace,
        };
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let name = note.name();
        if let Some(count) = told {
            let now = MicroTime(Timestamp::now());
            let series = json!({ "count": count + 1, "lastObservedTime": now });
            let patch = Patch::Merge(json!({ "series": series }));
            match events.patch(&name, &PatchParams::default(), &patch).await {
                // It was not kept that long.
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                result => return result.map(|_| ()),
            }
        }
        let Some(uid) = self.uid(object).await? else {
            debug!("no Event on {object}: it is gone");
            return Ok(());
        };
        let event = Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(namespace.into()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(Timestamp::now())),
            reporting_controller: Some(CONTROLLER.into()),
            reporting_instance: Some(self.instance.clone()),
            action: Some("Configure".into()),
            reason: Some(note.reason().into()),
            note: Some(note.text().into()),
            type_: Some(note.kind().into()),
            regarding: Some(ObjectReference {
                api_version: Some(object.kind.api_version().into()),
                kind: Some(object.kind.name().into()),
                name: Some(object.name.to_string()),
                namespace: Some(object.namespace.to_string()).filter(|it| !it.is_empty()),
                uid: Some(uid),
                ..ObjectReference::default()
            }),
            ..Event::default()
        };
        match events.create(&PostParams::default(), &event).await {
            // The leader before this one told it.
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            result => result.map(|_| ()),
        }
    }

    /// The UID of an object, without which nobody finds its Events. A list is asked for, because lists
    /// are what may be read of every kind.
    async fn uid(&self, object: &ObjectRef) -> kube::Result<Option<String>> {
        let client = self.client.clone();
        let api: Api<Wire> = match &*object.namespace {
            "" => Api::all_with(client, &Served::As(object.kind)),
            namespace => Api::namespaced_with(client, namespace, &Served::As(object.kind)),
        };
        let field = format!("metadata.name={}", object.name);
        let parameters = ListParams::default().fields(&field);
        let found = api
            .list_metadata(&parameters)
            .await?
            .items
            .into_iter()
            .next();
        Ok(found.and_then(|it| it.metadata.uid))
    }
}
