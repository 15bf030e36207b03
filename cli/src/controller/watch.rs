//! The API server as a source: one watch for each kind.
//!
//! The types of `core` are the wire types: an object arrives as JSON and is decoded here, field by
//! field that is read, so that one object of a wrong shape is reported and the rest goes on.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::Context as _;
use futures::stream::{BoxStream, SelectAll};
use futures::{StreamExt as _, TryStreamExt as _};
use haproxy_ingress_core::diagnostic::{Diagnostic, codes};
use haproxy_ingress_core::options::{DefaultCertificate, Name, Options};
use haproxy_ingress_core::origin::{Field, Kind, ObjectRef, Origin};
use haproxy_ingress_core::resource::{EndpointSlice, Object};
use kube::api::ObjectMeta;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::DynamicResourceScope;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::sync::{mpsc, watch as published};
use tracing::{debug, error, info, warn};

use crate::args::controller::Cluster;
use crate::controller::status::Seen;
use crate::controller::store::{Change, Scope, Source};
use crate::controller::trouble::chain;

/// One watch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Feed {
    kind: Kind,
    namespace: Option<Arc<str>>,
    /// Restricts the watch further, in the API's notation.
    fields: Option<String>,
    labels: Option<String>,
}

/// An object as it arrives: enough metadata to watch by, and as JSON the whole, or its metadata if that
/// is all that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wire<const METADATA: bool = false> {
    meta: ObjectMeta,
    body: Value,
}

/// What one watch is doing.
struct State {
    feed: Feed,
    /// The list that is arriving.
    listing: Option<Listing>,
    /// What is wrong with the watch, as it was last said.
    trouble: Option<String>,
}

/// A list that is arriving.
#[derive(Default)]
struct Listing {
    objects: Vec<Object>,
    malformed: Vec<Malformed>,
}

/// An object that cannot be read, and why.
struct Malformed {
    object: ObjectRef,
    finding: Diagnostic,
}

/// The watches that the options ask for.
pub(crate) fn feeds(cluster: &Cluster, options: &Options) -> Vec<Feed> {
    let mut feeds: Vec<Feed> = Kind::ALL
        .into_iter()
        .filter(|kind| *kind != Kind::IngressClass || options.ingress_class_api)
        .filter(|kind| options.watch_ingress || !matches!(kind, Kind::Ingress | Kind::IngressClass))
        // There are many, and few clusters need them.
        .filter(|kind| *kind != Kind::Pod)
        .map(|kind| Feed {
            kind,
            namespace: cluster
                .namespace
                .as_deref()
                .filter(|_| kind.is_namespaced())
                .map(Into::into),
            // Helm keeps each release in Secrets that nobody else reads and that may be large.
            fields: (kind == Kind::Secret).then(|| "type!=helm.sh/release.v1".into()),
            labels: None,
        })
        .collect();
    let Some(watched) = &cluster.namespace else {
        return feeds;
    };
    // What the operator's flags name is read wherever it is, and nothing else beside it.
    let mut named = |kind, name: Option<&Name>| {
        let Some(name) = name.filter(|it| &*it.namespace != watched.as_str()) else {
            return;
        };
        let by_service = kind == Kind::EndpointSlice;
        feeds.push(Feed {
            kind,
            namespace: Some(name.namespace.clone()),
            fields: (!by_service).then(|| format!("metadata.name={}", name.name)),
            labels: by_service.then(|| format!("{}={}", EndpointSlice::SERVICE_LABEL, name.name)),
        });
    };
    named(Kind::ConfigMap, options.config_map.as_ref());
    named(Kind::ConfigMap, options.tcp_services.as_ref());
    named(Kind::Service, options.default_backend.as_ref());
    named(Kind::EndpointSlice, options.default_backend.as_ref());
    if let DefaultCertificate::Secret(name) = &options.default_certificate {
        named(Kind::Secret, Some(name));
    }
    feeds
}

/// The watch of Pods, for when something needs their labels.
pub(crate) fn pods(cluster: &Cluster) -> Feed {
    Feed {
        kind: Kind::Pod,
        namespace: cluster.namespace.as_deref().map(Into::into),
        fields: None,
        labels: None,
    }
}

/// How the API server is reached.
pub(crate) async fn connect(cluster: &Cluster) -> anyhow::Result<Client> {
    let host = cluster
        .apiserver_host
        .as_deref()
        .map(|host| {
            host.parse()
                .with_context(|| format!("flag --apiserver-host: `{host}` is not a URL"))
        })
        .transpose()?;
    let mut config = match (&cluster.kubeconfig, host.clone()) {
        (Some(path), _) => {
            let kubeconfig = Kubeconfig::read_from(path)
                .with_context(|| format!("flag --kubeconfig: cannot read `{}`", path.display()))?;
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .context("flag --kubeconfig")?
        }
        (None, Some(host)) => kube::Config::new(host),
        (None, None) => infer().await?,
    };
    if let Some(host) = host {
        config.cluster_url = host;
    }
    info!("reading the cluster at {}", config.cluster_url);
    Client::try_from(config).context("cannot set up the client of the API server")
}

/// In the order of other controllers: `$KUBECONFIG`, the service account, `~/.kube/config`.
async fn infer() -> anyhow::Result<kube::Config> {
    if std::env::var_os("KUBECONFIG").is_none()
        && let Ok(config) = kube::Config::incluster()
    {
        return Ok(config);
    }
    kube::Config::infer().await.context(
        "no cluster was found; name one by --kubeconfig or --apiserver-host, or read a folder by \
         --manifests",
    )
}

/// Watches, for ever; `further` brings watches that somebody comes to need. What the status of Ingresses
/// says is kept apart, for whoever writes it.
pub(crate) async fn run(
    client: Client,
    feeds: Vec<Feed>,
    mut further: mpsc::Receiver<Feed>,
    changes: mpsc::Sender<Change>,
    seen: Option<published::Sender<Seen>>,
) -> anyhow::Result<()> {
    let mut states: Vec<State> = Vec::new();
    let mut events: SelectAll<BoxStream<'static, _>> = SelectAll::new();
    let start = |feed: Feed, states: &mut Vec<State>, events: &mut SelectAll<_>| {
        let index = states.len();
        // The index must come with an error as well, so the items are not `Result`s here.
        let stream = feed.events(client.clone());
        events.push(stream.map(move |event| (index, event)).boxed());
        states.push(State {
            feed,
            listing: None,
            trouble: None,
        });
    };
    for feed in feeds {
        start(feed, &mut states, &mut events);
    }
    loop {
        let (index, event) = tokio::select! {
            Some(event) = events.next() => event,
            Some(feed) = further.recv() => {
                start(feed, &mut states, &mut events);
                continue;
            }
            else => return Ok(()),
        };
        if let (Some(seen), Ok(event), Kind::Ingress) = (&seen, &event, states[index].feed.kind) {
            seen.send_if_modified(|it| it.take(event));
        }
        for change in states[index].take(event) {
            if changes.send(change).await.is_err() {
                // Nobody listens any more: the controller is stopping.
                return Ok(());
            }
        }
    }
}

impl Feed {
    /// What its lists cover.
    pub(crate) fn scope(&self) -> Scope {
        Scope {
            kind: Some(self.kind),
            namespace: self.namespace.clone(),
        }
    }

    /// What happens to its objects. Of Pods only the metadata is sent.
    fn events(&self, client: Client) -> BoxStream<'static, watcher::Result<Event<Wire>>> {
        if self.kind == Kind::Pod {
            let stream = watcher(self.api::<true>(client), self.config()).default_backoff();
            return stream.map_ok(whole).boxed();
        }
        let stream = watcher(self.api::<false>(client), self.config());
        stream.default_backoff().boxed()
    }

    fn api<const METADATA: bool>(&self, client: Client) -> Api<Wire<METADATA>> {
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &self.kind),
            None => Api::all_with(client, &self.kind),
        }
    }

    fn config(&self) -> watcher::Config {
        watcher::Config {
            field_selector: self.fields.clone(),
            label_selector: self.labels.clone(),
            ..watcher::Config::default()
        }
    }
}

impl State {
    /// What an event of the watch means for the store.
    fn take(&mut self, event: watcher::Result<Event<Wire>>) -> Vec<Change> {
        let event = match event {
            Ok(event) => event,
            Err(error) => return self.fail(&error).into_iter().collect(),
        };
        if !matches!(event, Event::Init) && self.trouble.take().is_some() {
            info!("watching {} again", self.feed.kind);
        }
        match event {
            Event::Init => {
                self.listing = Some(Listing::default());
                Vec::new()
            }
            Event::InitApply(wire) => {
                let listing = self.listing.get_or_insert_default();
                match wire.decode(self.feed.kind) {
                    Ok(object) => listing.objects.push(object),
                    Err(malformed) => listing.malformed.push(*malformed),
                }
                Vec::new()
            }
            Event::InitDone => {
                let Listing { objects, malformed } = self.listing.take().unwrap_or_default();
                debug!(
                    "{} objects of kind {} listed",
                    objects.len(),
                    self.feed.kind
                );
                let listed = Change::Listed {
                    source: Source::Cluster,
                    scope: self.feed.scope(),
                    objects,
                    findings: Vec::new(),
                    positions: Vec::new(),
                };
                let malformed = malformed.into_iter().map(Malformed::into_change);
                std::iter::once(listed).chain(malformed).collect()
            }
            Event::Apply(wire) => vec![match wire.decode(self.feed.kind) {
                Ok(object) => Change::Applied(Source::Cluster, object),
                Err(malformed) => malformed.into_change(),
            }],
            Event::Delete(wire) => {
                let object = wire.object_ref(self.feed.kind);
                vec![Change::Deleted(Source::Cluster, object)]
            }
        }
    }

    /// Says what is wrong, once until it is something else. The watch goes on by itself.
    fn fail(&mut self, error: &watcher::Error) -> Option<Change> {
        let kind = self.feed.kind;
        let (watcher::Error::InitialListFailed(cause) | watcher::Error::WatchStartFailed(cause)) =
            error
        else {
            // A watch that ends, by its time limit or with its connection, is picked up again.
            debug!("the watch of {kind} was interrupted: {error}");
            return None;
        };
        let (forbidden, text) = match cause {
            kube::Error::Api(status) => (status.is_forbidden(), status.message.clone()),
            other => (false, chain(other)),
        };
        let is_new = self.trouble.as_ref() != Some(&text);
        // Namespaces only matter while they are being deleted, and without Pods weights stay as they
        // are: all goes on.
        if forbidden && matches!(kind, Kind::Namespace | Kind::Pod) {
            if is_new {
                warn!("not permitted to read objects of kind {kind}, going on without: {text}");
                self.trouble = Some(text);
            }
            return Some(Change::Listed {
                source: Source::Cluster,
                scope: self.feed.scope(),
                objects: Vec::new(),
                findings: Vec::new(),
                positions: Vec::new(),
            });
        }
        if is_new && forbidden {
            error!("not permitted to read objects of kind {kind}: {text}");
        } else if is_new {
            warn!("cannot read objects of kind {kind}: {text}");
        }
        self.trouble = Some(text);
        None
    }
}

impl Malformed {
    fn into_change(self) -> Change {
        Change::Malformed(Source::Cluster, self.object, self.finding)
    }
}

/// Metadata alone are an object like any other.
fn whole(event: Event<Wire<true>>) -> Event<Wire> {
    let whole = |it: Wire<true>| Wire {
        meta: it.meta,
        body: it.body,
    };
    match event {
        Event::Apply(it) => Event::Apply(whole(it)),
        Event::Delete(it) => Event::Delete(whole(it)),
        Event::Init => Event::Init,
        Event::InitApply(it) => Event::InitApply(whole(it)),
        Event::InitDone => Event::InitDone,
    }
}

impl Wire {
    /// A field by its JSON pointer (RFC 6901).
    pub(crate) fn field(&self, pointer: &str) -> Option<&Value> {
        self.body.pointer(pointer)
    }

    fn object_ref(&self, kind: Kind) -> ObjectRef {
        let text = |it: &Option<String>| it.as_deref().unwrap_or_default().into();
        ObjectRef {
            kind,
            namespace: text(&self.meta.namespace),
            name: text(&self.meta.name),
        }
    }

    fn decode(mut self, kind: Kind) -> Result<Object, Box<Malformed>> {
        let object = self.object_ref(kind);
        if kind == Kind::Pod
            && let Some(metadata) = self.body.get_mut("metadata").and_then(Value::as_object_mut)
        {
            // Nobody reads them, and there may be more of them than of anything else.
            metadata.remove("annotations");
        }
        Object::decode(kind, self.body).map_err(|error| {
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

impl<'de, const METADATA: bool> Deserialize<'de> for Wire<METADATA> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let body = Value::deserialize(deserializer)?;
        let text = |name: &str| {
            let value = body.get("metadata").and_then(|it| it.get(name));
            value.and_then(Value::as_str).map(ToOwned::to_owned)
        };
        let meta = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            resource_version: text("resourceVersion"),
            uid: text("uid"),
            ..ObjectMeta::default()
        };
        Ok(Self { meta, body })
    }
}

impl<const METADATA: bool> kube::Resource for Wire<METADATA> {
    type DynamicType = Kind;
    type Scope = DynamicResourceScope;

    fn metadata_api() -> bool {
        METADATA
    }

    fn kind(kind: &Kind) -> Cow<'_, str> {
        kind.name().into()
    }

    fn group(kind: &Kind) -> Cow<'_, str> {
        kind.api_version()
            .split_once('/')
            .map_or("", |(group, _)| group)
            .into()
    }

    fn version(kind: &Kind) -> Cow<'_, str> {
        let text = kind.api_version();
        text.split_once('/').map_or(text, |(_, it)| it).into()
    }

    fn plural(kind: &Kind) -> Cow<'_, str> {
        match kind {
            Kind::Ingress => "ingresses",
            Kind::IngressClass => "ingressclasses",
            Kind::Service => "services",
            Kind::EndpointSlice => "endpointslices",
            Kind::Secret => "secrets",
            Kind::ConfigMap => "configmaps",
            Kind::Namespace => "namespaces",
            Kind::Pod => "pods",
        }
        .into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
