//! What is said once for all: `global`, `defaults`, statistics, and what is trusted of clients.

use std::collections::BTreeMap;

use crate::haproxy::Part;
use crate::options::Name;
use crate::origin::{Origin, Setting};
use crate::value::header::HeaderName;
use crate::value::response::Response;
use crate::value::text::{Snippet, Word};

/// Section `global`.
#[derive(Clone, Debug, Default)]
pub struct Global {
    /// Where logs go, if anywhere.
    pub log: Option<Log>,
    /// `nbthread`.
    pub nbthread: Option<Part>,
    /// `cpu-map`.
    pub cpu_map: Option<Part>,
    /// As whom workers run, if not as who started HAProxy.
    pub account: Option<Account>,
    /// `chroot`.
    pub chroot: Option<Part>,
    /// What stands behind `master-worker`; never nothing.
    pub master_worker: Option<Part>,
    /// `mworker-max-reloads`.
    pub max_reloads: Option<Part>,
    /// `maxconn`.
    pub max_connections: Option<Part>,
    /// `hard-stop-after`.
    pub hard_stop_after: Option<Part>,
    /// How an old worker ends its sessions, if not all at once.
    pub closing: Option<Closing>,
    /// Defaults of TLS by their directive, such as `ssl-default-bind-ciphers`.
    pub tls: BTreeMap<&'static str, Part>,
    /// Scripts that are loaded beside the one for pages.
    pub scripts: Vec<Part>,
    /// Lines of the operator.
    pub snippet: Option<Setting<Snippet>>,
}

/// How the sessions of an old worker are closed before it is stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Closing {
    /// When it is stopped, in milliseconds after another one has taken its place.
    pub stop: u64,
    /// Over how many milliseconds before that its sessions are closed, one after the other.
    pub spread: u64,
}

/// A user and a group.
#[derive(Clone, Debug)]
pub struct Account {
    /// `user`.
    pub user: Part,
    /// `group`.
    pub group: Part,
}

/// Where logs go.
#[derive(Clone, Debug)]
pub struct Log {
    /// What stands behind `log`.
    pub target: Part,
    /// `log-tag`.
    pub tag: Option<Part>,
}

/// What is logged, as the directive that says it; absent where nothing is.
///
/// It counts only where logs go anywhere, that is with [`Global::log`].
#[derive(Clone, Debug, Default)]
pub struct Logs {
    /// Of each request.
    pub http: Option<Part>,
    /// Of connections to the TLS port that are passed on by their name.
    pub https: Option<Part>,
    /// Of connections to the services of a ConfigMap.
    pub tcp: Option<Part>,
    /// Of requests to services of external authentication.
    pub auth: Option<Part>,
}

/// Section `defaults`.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// `maxconn`.
    pub max_connections: Option<Part>,
    /// Timeouts by their name.
    pub timeouts: BTreeMap<&'static str, Part>,
    /// Who wants persistence to hold even where a server is down, if anybody does.
    pub persist: Option<Part>,
    /// That a request whose server fails goes to another one.
    pub redispatch: Option<Part>,
    /// `balance`, which each backend has that says nothing else.
    pub balance: Option<Part>,
    /// Whole responses by status code.
    pub error_files: BTreeMap<u16, Setting<Response>>,
    /// Lines of the operator.
    pub snippet: Option<Setting<Snippet>>,
}

/// Name servers: a section `resolvers`.
#[derive(Clone, Debug)]
pub struct NameServers {
    /// Its name.
    pub name: Word,
    /// Its lines.
    pub lines: Vec<Part>,
    /// Who asked for it.
    pub origin: Origin,
}

/// The listener of statistics.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// What stands behind `bind`.
    pub bind: Option<Part>,
    /// `stats auth`.
    pub auth: Option<Part>,
    /// Who wants the PROXY protocol, if anybody does.
    pub accept_proxy: Option<Origin>,
    /// The Secret with its certificate, until it is looked up.
    pub certificate_secret: Option<Setting<Name>>,
    /// The file of its certificate.
    pub certificate: Option<Part>,
}

/// What is trusted of what clients say, and what backends are told about clients.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// What happens to `X-Forwarded-For`.
    pub forwarded_for: ForwardedFor,
    /// Who decided that.
    pub forwarded_for_origin: Option<Origin>,
    /// The header that keeps what the client sent as `X-Forwarded-For`.
    pub original_forwarded_for: Option<Setting<HeaderName>>,
    /// The header that gets the client's address.
    pub real_ip: Option<Setting<HeaderName>>,
    /// What the names of headers about certificates of clients begin with.
    pub client_headers: Option<Setting<HeaderName>>,
}

/// What happens to `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ForwardedFor {
    /// What the client sent is replaced.
    #[default]
    Add,
    /// What the client sent stays, and its address is added.
    Update,
    /// Nothing.
    Ignore,
    /// It is added unless the client sent one.
    IfMissing,
}
