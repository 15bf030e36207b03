//! Objects as they arrive, and what is kept of them.

use std::borrow::Cow;
use std::sync::Arc;

use haproxy_ingress_core::diagnostic::{Diagnostic, codes};
use haproxy_ingress_core::options::Options;
use haproxy_ingress_core::origin::{Field, Kind, ObjectRef, Origin};
use haproxy_ingress_core::resource::{EndpointSlice, Meta, Object, Secret};
use kube::api::ObjectMeta;
use kube::core::DynamicResourceScope;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::controller::store::{Change, Source};
use crate::controller::watch::feed::Served;

/// An object as it arrives: enough metadata to watch by, and the text of the whole, or of its metadata if
/// that is all that is asked for.
///
/// It is a text, and no tree of values, because of the many small pieces of memory that such a tree leaves
/// between those that are kept.
#[derive(Clone, Debug)]
pub(crate) struct Wire<const METADATA: bool = false> {
    pub(super) meta: ObjectMeta,
    text: Box<RawValue>,
}

/// An object that cannot be read, and why.
pub(super) struct Malformed {
    pub(super) object: ObjectRef,
    pub(super) finding: Diagnostic,
}

/// Which annotations are read.
#[derive(Clone, Debug)]
pub(crate) struct Annotations {
    /// With the slash behind them.
    prefixes: Vec<String>,
}

impl Annotations {
    /// Those that the options name, and those of Kubernetes itself.
    pub(crate) fn new(options: &Options) -> Self {
        let prefixes = options.annotation_prefixes.iter().map(String::as_str);
        let prefixes = prefixes.chain(["kubernetes.io"]);
        Self {
            prefixes: prefixes.map(|it| format!("{it}/")).collect(),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.prefixes.iter().any(|it| name.starts_with(it.as_str()))
    }
}

impl Malformed {
    pub(super) fn into_change(self) -> Change {
        Change::Malformed(Source::Cluster, self.object, self.finding)
    }
}

impl<const METADATA: bool> Wire<METADATA> {
    /// Metadata alone are an object like any other.
    pub(super) fn whole(self) -> Wire {
        Wire {
            meta: self.meta,
            text: self.text,
        }
    }
}

impl Wire {
    /// An object that did not arrive like this.
    pub(super) fn made(meta: ObjectMeta, body: &impl Serialize) -> serde_json::Result<Self> {
        let text = to_raw_value(body)?;
        Ok(Self { meta, text })
    }

    /// The whole, or what somebody reads of it.
    pub(crate) fn read<'w, T: Deserialize<'w>>(&'w self) -> serde_json::Result<T> {
        serde_json::from_str(self.text.get())
    }

    pub(super) fn object_ref(&self, kind: Kind) -> ObjectRef {
        let text = |it: &Option<String>| it.as_deref().unwrap_or_default().into();
        ObjectRef {
            kind,
            namespace: text(&self.meta.namespace),
            name: text(&self.meta.name),
        }
    }

    /// The object, without what nobody reads.
    pub(super) fn decode(
        &self,
        kind: Kind,
        annotations: &Annotations,
    ) -> Result<Object, Box<Malformed>> {
        let decoded = Object::decode_text(kind, self.text.get());
        decoded.map(|it| trim(it, annotations)).map_err(|error| {
            let object = self.object_ref(kind);
            let field = match error.pointer.as_str() {
                "" => Field::Object,
                pointer => Field::Pointer(pointer.into()),
            };
            let origin = Origin::Object(Arc::new(object.clone()), field);
            let outcome = "the object is left out until it can be read";
            let finding = Diagnostic::new(&codes::MALFORMED_OBJECT, origin, error.message, outcome);
            Box::new(Malformed { object, finding })
        })
    }
}

/// Takes out what nobody reads and there may be much of: copies of whole objects in annotations, labels,
/// and what others keep in the same Secrets. So an object that differs there only is equal, too.
fn trim(object: Object, annotations: &Annotations) -> Object {
    fn bare(meta: &mut Meta) {
        meta.annotations.clear();
        meta.labels.clear();
    }
    let with_keys = |meta: &mut Meta| {
        meta.annotations.retain(|it, _| annotations.has(it));
        meta.labels.clear();
    };
    match object {
        Object::Ingress(it) => Object::Ingress(changed(it, |it| with_keys(&mut it.meta))),
        Object::Service(it) => Object::Service(changed(it, |it| with_keys(&mut it.meta))),
        Object::EndpointSlice(it) => Object::EndpointSlice(changed(it, |it| {
            it.meta.annotations.clear();
            it.meta
                .labels
                .retain(|it, _| &**it == EndpointSlice::SERVICE_LABEL);
        })),
        Object::Secret(it) => Object::Secret(changed(it, |it| {
            bare(&mut it.meta);
            it.data.retain(|name, _| Secret::ENTRIES.contains(&&**name));
        })),
        // Weights go by any label.
        Object::Pod(it) => Object::Pod(changed(it, |it| it.meta.annotations.clear())),
        Object::IngressClass(it) => Object::IngressClass(changed(it, |it| bare(&mut it.meta))),
        Object::ConfigMap(it) => Object::ConfigMap(changed(it, |it| bare(&mut it.meta))),
        Object::Namespace(it) => Object::Namespace(changed(it, |it| bare(&mut it.meta))),
    }
}

fn changed<T: Clone>(mut object: Arc<T>, change: impl FnOnce(&mut T)) -> Arc<T> {
    change(Arc::make_mut(&mut object));
    object
}

/// What is read of every object before it is decoded.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    metadata: HeadMeta,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HeadMeta {
    name: Option<String>,
    namespace: Option<String>,
    resource_version: Option<String>,
    uid: Option<String>,
}

impl<'de, const METADATA: bool> Deserialize<'de> for Wire<METADATA> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let Head { metadata } = serde_json::from_str(text.get()).map_err(Error::custom)?;
        let meta = ObjectMeta {
            name: metadata.name,
            namespace: metadata.namespace,
            resource_version: metadata.resource_version,
            uid: metadata.uid,
            ..ObjectMeta::default()
        };
        Ok(Self { meta, text })
    }
}

impl<const METADATA: bool> kube::Resource for Wire<METADATA> {
    type DynamicType = Served;
    type Scope = DynamicResourceScope;

    fn metadata_api() -> bool {
        METADATA
    }

    fn kind(served: &Served) -> Cow<'_, str> {
        served.name().into()
    }

    fn group(served: &Served) -> Cow<'_, str> {
        let text = served.api_version();
        text.split_once('/').map_or("", |(group, _)| group).into()
    }

    fn version(served: &Served) -> Cow<'_, str> {
        let text = served.api_version();
        text.split_once('/').map_or(text, |(_, it)| it).into()
    }

    fn plural(served: &Served) -> Cow<'_, str> {
        served.plural()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
