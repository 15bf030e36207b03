//! The model of a configuration: what HAProxy will be told, before it is spelled.
//!
//! ```text
//! Config ─┬─ Global, Defaults                one of each
//!         ├─ TcpProxy                        ports whose connections are passed on
//!         ├─ Frontend (http, https)          ports, certificates, how requests find their path
//!         ├─ Group ── Host ── Path ──▶ Backend ── Server
//!         ├─ Rule, placed on paths of a backend, ordered by Phase
//!         └─ DataFile                        maps, lists, certificates, responses, scripts
//! ```
//!
//! *Invariant:* no Kubernetes type appears here; every text is a type that cannot leave its place.

mod acme;
mod auth;
mod backend;
mod client_auth;
mod cookie;
mod frontend;
mod host;
mod limit;
mod name;
mod peers;
mod proxy;
mod rule;
mod rules;
mod server;
mod server_tls;
mod tcp;
mod user_list;
mod waf;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::acme::{Acme, Order};
pub use self::auth::{AuthFrontend, Check, CheckedBy, Checks, VariableHeader};
pub use self::backend::{Backend, Mode};
pub use self::client_auth::{Authorities, ClientAuth, ClientHeaders, Verify};
pub use self::cookie::Cookie;
pub use self::frontend::{Frontend, FrontendKind, OwnBind, Ports};
pub use self::host::{
    Group, Host, HostKey, HostTls, Passthrough, Path, PathMatch, PathTypeOrder, Redirects, Route,
};
pub use self::limit::Limit;
pub(crate) use self::name::{escape, secret_stem, short};
pub use self::peers::{Peer, Peers};
pub use self::proxy::{
    Account, Closing, Defaults, ForwardedFor, Global, Log, Logs, NameServers, Stats, Trust,
};
pub use self::rule::{PathName, Phase, Placed, Rule, path_name};
pub use self::rules::Rules;
pub use self::server::{Address, Instance, Scaling, Server, ServerState, Template, UseServer};
pub use self::server_tls::{ServerTls, Sni};
pub use self::tcp::{TcpKind, TcpProxy, TcpTarget};
pub use self::user_list::UserList;
pub use self::waf::{Waf, WafKind};

use crate::origin::{Origin, Setting, SourceMap};
use crate::value::response::{Page, Response};
use crate::value::text::{Line, Snippet};

/// The last line of every file that is made line by line: a file without it was cut.
pub const END: &str = "# End of file.\n";

/// Who writes [`END`].
pub const END_ORIGIN: Origin = Origin::Engine("a file without this line was cut");

/// A part of a line with who wrote it.
pub type Part = Setting<Line>;

/// A line with everybody who had a part in it.
#[derive(Clone, Debug)]
pub struct Authored {
    /// The line.
    pub line: Line,
    /// Who made it what it is.
    pub authors: Vec<Origin>,
}

/// Everything that HAProxy will be told.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Section `global`.
    pub global: Global,
    /// Section `defaults`.
    pub defaults: Defaults,
    /// What is logged.
    pub logs: Logs,
    /// What clients are told and what is trusted of what they say, in every frontend.
    pub trust: Trust,
    /// The processes that share counters, if they do.
    pub peers: Option<Peers>,
    /// The listener of statistics.
    pub stats: Stats,
    /// Ports of the frontends that every configuration has.
    pub ports: Ports,
    /// The frontends that route requests.
    pub frontends: Vec<Frontend>,
    /// The proxies that pass connections on without a look at requests.
    pub tcp: Vec<TcpProxy>,
    /// Hosts, by group and name; the empty name stands for every host that no other one matches.
    pub hosts: BTreeMap<HostKey, Host>,
    /// Paths of all hosts, in the order of their objects.
    pub paths: Vec<Path>,
    /// Backends, in the order in which they were first asked for.
    pub backends: Vec<Backend>,
    /// How requests find their path.
    pub route: Route,
    /// Redirects that are the same for every host.
    pub redirects: Redirects,
    /// The place in `paths` of what serves requests that nothing matches, if an operator names it. It
    /// belongs to no host, and every frontend has it.
    pub default_path: Option<usize>,
    /// Name servers.
    pub resolvers: Vec<NameServers>,
    /// The agents of a web application firewall, if there are any.
    pub waf: Option<Waf>,
    /// What an authority of certificates signs, if one is set up.
    pub acme: Option<Acme>,
    /// The name of the frontend through which HAProxy asks who may come.
    pub auth_proxy: Option<Setting<Arc<str>>>,
    /// That frontend, if anybody is asked.
    pub auth: Option<AuthFrontend>,
    /// Lists of users that may come with a password, by name.
    pub user_lists: Vec<UserList>,
    /// Sections of the operator, as they are.
    pub sections: Option<Setting<Snippet>>,
    /// Lines of the operator for each port of the ConfigMap of TCP services.
    pub tcp_snippet: Option<Setting<Snippet>>,
    /// Lines of the operator for proxies, by the proxy's name.
    pub proxy_snippets: BTreeMap<Arc<str>, Setting<Snippet>>,
    /// Pages that are answered where no backend is, by status code; 0 stands for the page at the root
    /// of the exporter of metrics.
    pub pages: BTreeMap<u16, Setting<Response>>,
    /// Authorities of clients that name no host in their handshake, or an unknown one.
    pub default_authorities: Option<Setting<Authorities>>,
    /// Pages of single hosts about certificates of clients, by status code; hosts refer to them by
    /// their place, counted from 1.
    pub page_variants: Vec<BTreeMap<u16, Setting<Page>>>,
    /// Files beside the main configuration.
    pub files: Vec<DataFile>,
}

/// A file beside the main configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DataFile {
    /// Its path without the operator's prefix.
    pub path: Arc<str>,
    /// What it is for.
    pub role: Role,
    /// What is in it.
    pub text: Arc<str>,
    /// Who made each of its lines.
    pub source_map: Arc<SourceMap>,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// `haproxy.cfg`.
    Config,
    /// A map (HAProxy configuration manual, section 7.3.1, converters `map`).
    Map,
    /// A map that says what is asked of requests before they are served, such as a certificate of the
    /// client: no entry of it may be missing while routes change.
    Checks,
    /// A map of regular expressions, which are tried in the order of the file (converter `map_reg`).
    RegexMap,
    /// A list of certificates (`crt-list`).
    CertificateList,
    /// A certificate with its private key. Its content is never shown.
    Certificate,
    /// Authorities that certificates are checked against.
    Authorities,
    /// What authorities revoked.
    Revocations,
    /// Parameters of Diffie-Hellman.
    DhParameters,
    /// A list of addresses or names (`acl -f`).
    List,
    /// A whole response (`errorfile`).
    Response,
    /// A Lua script.
    Lua,
    /// How agents are asked (`filter spoe`).
    Agent,
}

impl Role {
    /// Whether it is a map, whatever its keys are.
    pub fn is_map(self) -> bool {
        matches!(self, Self::Map | Self::RegexMap | Self::Checks)
    }
}

impl Config {
    /// Whether requests reach the backend of a path: those of a path that is redirected do so only
    /// where the redirect leaves them alone.
    pub fn is_served(&self, path: &Path) -> bool {
        if path.redirect_to.is_none() {
            return true;
        }
        let Some(exempt) = &self.redirects.exempt else {
            return false;
        };
        exempt.value.iter().any(|it| match path.matching {
            PathMatch::Exact => path.path.starts_with(&**it),
            PathMatch::Prefix => path.path.starts_with(&**it) || it.starts_with(&*path.path),
            PathMatch::Begin | PathMatch::Regex => true,
        })
    }
}

impl DataFile {
    /// A file that is made as a whole.
    pub fn whole(
        path: impl Into<Arc<str>>,
        role: Role,
        text: impl Into<Arc<str>>,
        authors: &[Origin],
    ) -> Self {
        let text = text.into();
        let source_map = SourceMap::whole(&text, authors).into();
        Self {
            path: path.into(),
            role,
            text,
            source_map,
        }
    }

    /// A file that is made line by line; the line that ends it is added.
    pub(crate) fn of_lines(
        path: impl Into<Arc<str>>,
        role: Role,
        mut text: String,
        mut source_map: SourceMap,
    ) -> Self {
        text.push_str(END);
        source_map.add_line_by([END_ORIGIN]);
        Self {
            path: path.into(),
            role,
            text: text.into(),
            source_map: source_map.into(),
        }
    }
}
