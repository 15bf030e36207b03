//! Hosts and their paths, and how a request finds its path.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::haproxy::{Checks, ClientAuth, Part, TcpTarget};
use crate::origin::{Origin, Setting};
use crate::value::acme::Chain;
use crate::value::header_filter::HeaderFilter;
use crate::value::hostname::Hostname;
use crate::value::location::{Location, RedirectCode};
use crate::value::regex::Regex;
use crate::value::response::Page;
use crate::value::tcp::PortOfService;

/// Frontends that serve the same hosts, such as the pair of the default ports for HTTP and HTTPS.
///
/// Hosts and paths of different groups have nothing to do with each other, even where their names are
/// equal.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Group(u16);

/// A host in its group.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HostKey {
    /// The group.
    pub group: Group,
    /// The host's name; empty for every host that no other one matches.
    pub name: Arc<str>,
}

/// A host: what is asked of it as a whole.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// The group of frontends that serve it.
    pub group: Group,
    /// Its name in lower case; `*.` in front stands for one label, empty for every other host.
    pub name: Arc<str>,
    /// Places of its paths in the configuration.
    pub paths: Vec<usize>,
    /// Who named it first.
    pub origin: Option<Origin>,
    /// Other names with the same paths.
    pub aliases: Vec<Setting<Hostname>>,
    /// Expressions of other names with the same paths.
    pub alias_patterns: Vec<Setting<Regex>>,
    /// Where requests for `/` are sent.
    pub app_root: Option<Setting<Location>>,
    /// Hosts that are redirected to this one.
    pub redirect_from: Vec<Setting<Hostname>>,
    /// Expressions of hosts that are redirected to this one.
    pub redirect_from_patterns: Vec<Setting<Regex>>,
    /// Who wants to know the namespace of its requests, if anybody does.
    pub var_namespace: Option<Origin>,
    /// What it says about TLS; absent for a host that is served without.
    pub tls: Option<HostTls>,
    /// Whether its TLS is passed on to its servers.
    pub passthrough: Option<Passthrough>,
    /// Options of its entry in the list of certificates, by name.
    pub tls_options: BTreeMap<&'static str, Part>,
    /// What it asks of its clients' certificates, if it asks for them.
    pub client_auth: Option<ClientAuth>,
    /// Who asked an authority to sign its certificate, if anybody did.
    pub signer: Option<Origin>,
    /// The chain that is preferred for it.
    pub chain: Option<Setting<Chain>>,
    /// Whether nobody looks into its connections, so that the handshake itself judges its clients.
    pub is_of_connections: bool,
    /// Pages that are answered in place of its backends, by status code.
    pub pages: BTreeMap<u16, Setting<Page>>,
}

/// How a host is served over TLS.
#[derive(Clone, Debug)]
pub struct HostTls {
    /// The certificate's file; absent for the default certificate.
    pub certificate: Option<Arc<str>>,
    /// Whether plain requests may be sent to TLS.
    pub is_redirected_to: bool,
    /// Who asked for TLS.
    pub origin: Origin,
}

/// A host whose TLS is passed on to its servers.
#[derive(Clone, Debug)]
pub struct Passthrough {
    /// Who asked for it.
    pub origin: Origin,
    /// The port of its servers that answers plain requests.
    pub http_port: Option<Setting<PortOfService>>,
    /// Where its TLS goes, as soon as a path says so.
    pub target: Option<TcpTarget>,
}

/// A path of a host.
#[derive(Clone, Debug)]
pub struct Path {
    /// The group of its host.
    pub group: Group,
    /// The name of its host.
    pub host: Arc<str>,
    /// The path as it was written.
    pub path: Arc<str>,
    /// How it is compared.
    pub matching: PathMatch,
    /// What headers of the request must be; absent where they do not matter.
    pub filters: Option<Arc<[HeaderFilter]>>,
    /// Who wrote it.
    pub origin: Origin,
    /// Whether its host is served over TLS.
    pub is_tls: bool,
    /// Whether requests reach it through a frontend behind a proxy that ends TLS.
    pub is_behind_proxy: bool,
    /// The place of its backend in the configuration.
    pub backend: usize,
    /// Its number in its backend, from 1.
    pub number: u32,
    /// Who is asked before its requests reach its backend.
    pub checks: Checks,
    /// Where its requests are sent instead of to its backend.
    pub redirect_to: Option<Setting<Location>>,
    /// Whether it is served by nobody here, because its servers speak TLS: plain requests are sent
    /// there.
    pub is_passed_on: bool,
    /// Who wants plain requests to be sent to TLS, where there is some, if anybody does.
    pub ssl_redirect: Option<Origin>,
}

/// How a path is compared.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum PathMatch {
    /// The whole path.
    Exact,
    /// Whole elements from the front.
    Prefix,
    /// Text from the front, in any case.
    Begin,
    /// A regular expression, anchored at the front.
    Regex,
}

/// The order in which kinds of paths are looked up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathTypeOrder(pub [PathMatch; 4]);

/// How requests find their path.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// Who wants a known host to decide alone, if anybody does.
    pub strict: Option<Origin>,
    /// The order of kinds of paths.
    pub order: PathTypeOrder,
}

/// Redirects that are the same for every host.
#[derive(Clone, Debug, Default)]
pub struct Redirects {
    /// Status of the redirect to TLS; absent for HAProxy's own, 302.
    pub ssl_code: Option<Setting<RedirectCode>>,
    /// Paths, from the front, that are not redirected to TLS.
    pub ssl_exempt: Option<Setting<Vec<Arc<str>>>>,
    /// Paths, from the front, that `redirect-from` and `redirect-to` leave alone.
    pub exempt: Option<Setting<Vec<Arc<str>>>>,
    /// Where requests that nothing matches are sent, instead of the page for 404.
    pub unmatched: Option<Setting<Location>>,
    /// Status of that redirect.
    pub unmatched_code: Option<Setting<RedirectCode>>,
}

impl Group {
    /// The frontends of the default ports.
    pub const DEFAULT: Self = Self(0);

    /// The group at a place among all groups.
    pub(crate) fn at(place: usize) -> Self {
        Self(u16::try_from(place).expect("an operator declares a few groups"))
    }

    /// Its place among all groups.
    pub(crate) fn place(self) -> usize {
        self.0.into()
    }

    /// Whether it is the one of the default ports.
    pub fn is_default(self) -> bool {
        self == Self::DEFAULT
    }
}

impl HostKey {
    /// A host by its group and name.
    pub fn new(group: Group, name: &Arc<str>) -> Self {
        Self {
            group,
            name: name.clone(),
        }
    }
}

impl Path {
    /// A path that stands for everything that a backend gets.
    pub fn of_all(backend: usize, number: u32, origin: &Origin) -> Self {
        Self {
            group: Group::DEFAULT,
            host: Host::ANY.into(),
            path: "/".into(),
            matching: PathMatch::Begin,
            filters: None,
            origin: origin.clone(),
            is_tls: false,
            is_behind_proxy: false,
            backend,
            number,
            checks: Checks::default(),
            redirect_to: None,
            is_passed_on: false,
            ssl_redirect: None,
        }
    }

    /// Whether keys that do not look at the path itself act on both alike, where the same is written for
    /// them.
    pub fn is_treated_like(&self, other: &Self) -> bool {
        self.backend == other.backend
            && self.group == other.group
            && self.is_tls == other.is_tls
            && self.is_behind_proxy == other.is_behind_proxy
    }

    /// The same path with what keys say of another one that is treated like it.
    pub fn with_keys_of(self, other: &Self) -> Self {
        Self {
            host: self.host,
            path: self.path,
            matching: self.matching,
            filters: self.filters,
            origin: self.origin,
            number: self.number,
            ..other.clone()
        }
    }
}

impl PathMatch {
    /// Its name, as the key `path-type` and the names of map files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Prefix => "prefix",
            Self::Begin => "begin",
            Self::Regex => "regex",
        }
    }
}

impl Default for PathTypeOrder {
    fn default() -> Self {
        Self([
            PathMatch::Exact,
            PathMatch::Prefix,
            PathMatch::Begin,
            PathMatch::Regex,
        ])
    }
}

impl Host {
    /// The name by which every host is meant that no other one matches.
    pub const ANY: &str = "";

    /// Whether its name has a wildcard.
    pub fn is_wildcard(&self) -> bool {
        self.name.starts_with("*.")
    }
}
