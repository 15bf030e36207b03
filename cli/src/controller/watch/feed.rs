//! What is watched: kinds, namespaces and selectors, and how they are named in the API.

use std::borrow::Cow;
use std::sync::Arc;

use haproxy_ingress_core::options::{DefaultCertificate, Name, Options};
use haproxy_ingress_core::resource::{EndpointSlice, Kind};
use kube::runtime::watcher::{Config, InitialListStrategy};

use crate::args::controller::Cluster;
use crate::controller::store::{Lack, Scope};

/// How many seconds one watch request may last. The API server ends it then, and so a connection on which
/// no whole event comes any more is noticed soon after: kube ends the watch five seconds later.
pub(super) const WATCH_SECONDS: u32 = 120;

/// How many objects a page of a list has: all of a page are in memory twice.
const PAGE: u32 = 200;

/// Types of Secrets that no key reads: what Helm keeps of each release, how images are pulled, how nodes
/// join. The type of a Secret never changes, so none can come to be one of these.
const OTHER_SECRETS: [&str; 4] = [
    "helm.sh/release.v1",
    "kubernetes.io/dockercfg",
    "kubernetes.io/dockerconfigjson",
    "bootstrap.kubernetes.io/token",
];

/// One watch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Feed {
    pub(super) served: Served,
    namespace: Option<Arc<str>>,
    /// The one object that it is about.
    name: Option<Arc<str>>,
    /// Restricts the watch further, in the API's notation.
    fields: Option<String>,
    labels: Option<String>,
    /// What is so when it may not be read.
    pub(super) lack: Lack,
}

/// A kind as the API serves it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Served {
    /// As it is kept.
    As(Kind),
    /// Endpoints, from which EndpointSlices are made.
    Endpoints,
}

impl Feed {
    /// All objects of a kind.
    #[cfg(test)]
    pub(super) fn all(served: Served) -> Self {
        Self::new(served, None)
    }

    fn new(served: Served, namespace: Option<Arc<str>>) -> Self {
        Self {
            served,
            namespace,
            name: None,
            fields: None,
            labels: None,
            lack: match served {
                Served::As(Kind::Namespace | Kind::Pod) => Lack::Harmless,
                _ => Lack::AtFirst,
            },
        }
    }

    /// The kind that its objects are kept as.
    pub(super) fn kind(&self) -> Kind {
        self.served.kind()
    }

    /// What its lists cover.
    pub(crate) fn scope(&self) -> Scope {
        Scope {
            kind: Some(self.kind()),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Only the metadata of Pods and Namespaces are asked for: there are many Pods, and nothing else of
    /// them is read.
    pub(super) fn is_metadata(&self) -> bool {
        matches!(self.kind(), Kind::Namespace | Kind::Pod)
    }

    /// How it is watched. Lists come in pages, so that no list is in memory as a whole, and are not
    /// streamed: servers whose etcd is older than 3.4.31 refuse that.
    pub(super) fn config(&self) -> Config {
        Config {
            field_selector: self.fields.clone(),
            label_selector: self.labels.clone(),
            timeout: Some(WATCH_SECONDS),
            page_size: Some(PAGE),
            initial_list_strategy: InitialListStrategy::ListWatch,
            ..Config::default()
        }
    }
}

impl Served {
    /// The kind that its objects are kept as.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::As(kind) => kind,
            Self::Endpoints => Kind::EndpointSlice,
        }
    }

    /// As in `kind:`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::As(kind) => kind.name(),
            Self::Endpoints => "Endpoints",
        }
    }

    /// As in `apiVersion:`.
    pub(super) fn api_version(self) -> &'static str {
        match self {
            Self::As(kind) => kind.api_version(),
            Self::Endpoints => "v1",
        }
    }

    /// As in paths.
    pub(super) fn plural(self) -> Cow<'static, str> {
        match self {
            Self::As(Kind::Ingress) => "ingresses",
            Self::As(Kind::IngressClass) => "ingressclasses",
            Self::As(Kind::Service) => "services",
            Self::As(Kind::EndpointSlice) => "endpointslices",
            Self::As(Kind::Secret) => "secrets",
            Self::As(Kind::ConfigMap) => "configmaps",
            Self::As(Kind::Namespace) => "namespaces",
            Self::As(Kind::Pod) => "pods",
            Self::Endpoints => "endpoints",
        }
        .into()
    }
}

/// The watches that the options ask for.
pub(crate) fn feeds(cluster: &Cluster, options: &Options) -> Vec<Feed> {
    let slices = if cluster.endpoint_slices {
        Served::As(Kind::EndpointSlice)
    } else {
        Served::Endpoints
    };
    let is_configured = options.config_map.is_some() || options.tcp_services.is_some();
    let mut feeds: Vec<Feed> = Kind::ALL
        .into_iter()
        .filter(|kind| *kind != Kind::IngressClass || options.ingress_class_api)
        .filter(|kind| options.watch_ingress || !matches!(kind, Kind::Ingress | Kind::IngressClass))
        // There are many, and few clusters need them.
        .filter(|kind| *kind != Kind::Pod)
        .map(|kind| {
            let served = match kind {
                Kind::EndpointSlice => slices,
                kind => Served::As(kind),
            };
            let namespace = cluster.namespace.as_deref();
            let namespace = namespace.filter(|_| kind.is_namespaced()).map(Into::into);
            let mut feed = Feed::new(served, namespace);
            match kind {
                Kind::Secret => {
                    let others = OTHER_SECRETS.map(|it| format!("type!={it}"));
                    feed.fields = Some(others.join(","));
                }
                // What the operator wrote there protects, and says which ports are bound.
                Kind::ConfigMap if is_configured => feed.lack = Lack::Fatal,
                _ => {}
            }
            feed
        })
        .collect();
    let Some(watched) = &cluster.namespace else {
        return feeds;
    };
    // What the operator's flags name is read wherever it is, and nothing else beside it.
    let mut named = |served: Served, name: Option<&Name>| {
        let Some(name) = name.filter(|it| &*it.namespace != watched.as_str()) else {
            return;
        };
        let mut feed = Feed::new(served, Some(name.namespace.clone()));
        if served == Served::As(Kind::EndpointSlice) {
            feed.labels = Some(format!("{}={}", EndpointSlice::SERVICE_LABEL, name.name));
        } else {
            feed.fields = Some(format!("metadata.name={}", name.name));
        }
        // Slices have names of their own.
        feed.name = (feed.kind() != Kind::EndpointSlice).then(|| name.name.clone());
        if feed.kind() == Kind::ConfigMap {
            feed.lack = Lack::Fatal;
        }
        if !feeds.contains(&feed) {
            feeds.push(feed);
        }
    };
    named(Served::As(Kind::ConfigMap), options.config_map.as_ref());
    named(Served::As(Kind::ConfigMap), options.tcp_services.as_ref());
    named(Served::As(Kind::Service), options.default_backend.as_ref());
    named(slices, options.default_backend.as_ref());
    if let DefaultCertificate::Secret(name) = &options.default_certificate {
        named(Served::As(Kind::Secret), Some(name));
    }
    feeds
}

/// The watch of Pods, for when something needs their labels.
pub(crate) fn pods(cluster: &Cluster) -> Feed {
    let namespace = cluster.namespace.as_deref().map(Into::into);
    Feed::new(Served::As(Kind::Pod), namespace)
}
