//! Backends: a Service and its port, with what its paths ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::haproxy::{
    ClientHeaders, Cookie, Limit, Part, Placed, Rule, Rules, Scaling, Server, ServerTls, Template,
    UseServer,
};
use crate::origin::{Authors, Origin, Setting};
use crate::value::ValueError;
use crate::value::response::Page;
use crate::value::text::{Snippet, Word};

/// A backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// Its name: `NAMESPACE_SERVICE_PORT`, with the name of an Ingress behind it where the Service
    /// had to be split. None of the parts can hold `_`, so that no two of them meet.
    pub name: Arc<str>,
    /// The namespace of its Service.
    pub namespace: Word,
    /// The name of its Service.
    pub service: Word,
    /// What it speaks with clients.
    pub mode: Mode,
    /// Who asked for it.
    pub owners: Vec<Origin>,
    /// `balance`, unless HAProxy's own default is wanted.
    pub balance: Option<Part>,
    /// What leads a client back to its server, if anything does.
    pub cookie: Option<Cookie>,
    /// What stands behind `http-check send`, if checks are requests.
    pub http_check: Option<Part>,
    /// What stands behind `stick-table` for the counters that snippets share with other processes.
    pub peer_table: Option<Part>,
    /// Limits of each client, if there are any.
    pub limit: Option<Limit>,
    /// Timeouts by their name, where they differ from those of `defaults`.
    pub timeouts: BTreeMap<&'static str, Part>,
    /// Whole responses by status code, where they differ from those of `defaults`.
    pub error_files: BTreeMap<u16, Setting<Page>>,
    /// Who wants a web application firewall to look at requests, if anybody does.
    pub firewall: Authors,
    /// Lines of an operator in front of all rules.
    pub early: Option<Setting<Snippet>>,
    /// Lines of an operator in the phase [`LateSnippet`](crate::haproxy::Phase::LateSnippet).
    pub late: Option<Setting<Snippet>>,
    /// Rules, in the order in which they were added.
    pub rules: Rules,
    /// What servers are told about certificates of clients, if that is more than usual.
    pub client_headers: Option<Box<ClientHeaders>>,
    /// What is wanted of TLS with the servers, until it is known whether they speak it.
    pub server_tls: Option<Box<ServerTls>>,
    /// What cannot be read of whether the servers speak TLS, with the names of the keys.
    pub unread_tls: Vec<(&'static str, Setting<ValueError>)>,
    /// Who wants FastCGI to be spoken with the servers, if anybody does.
    pub fcgi: Option<Origin>,
    /// The application for FastCGI, a section `fcgi-app` of the operator.
    pub fcgi_app: Option<Setting<Arc<str>>>,
    /// Who has a part in it that nothing may be sent to the servers; nobody, if it may.
    pub refused: Vec<Origin>,
    /// Options of each server, in the order of their names.
    pub server_options: BTreeMap<&'static str, Part>,
    /// The servers.
    pub servers: Vec<Server>,
    /// Rules that pick a server without balancing, in their order.
    pub use_servers: Vec<UseServer>,
    /// Servers that HAProxy finds by itself, in place of the others.
    pub template: Option<Template>,
    /// How the servers follow the endpoints while HAProxy runs.
    pub scaling: Scaling,
    /// Places of its paths in the configuration, in the order of their numbers, which begin at 1.
    pub paths: Vec<usize>,
    /// Whether requests reach it over TLS.
    pub is_tls: bool,
    /// Whether HAProxy itself sends requests to it, beside those of its paths.
    pub is_internal: bool,
}

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Mode {
    /// HTTP.
    #[default]
    Http,
    /// Bytes.
    Tcp,
}

impl Mode {
    /// The words that refuse a request or a connection.
    pub fn denial(self) -> &'static str {
        match self {
            Self::Http => "http-request deny",
            Self::Tcp => "tcp-request content reject",
        }
    }
}

impl Backend {
    /// An empty backend of a Service.
    pub fn new(name: impl Into<Arc<str>>, namespace: &str, service: &str) -> Self {
        Self {
            name: name.into(),
            namespace: Word::lossy(namespace),
            service: Word::lossy(service),
            mode: Mode::Http,
            owners: Vec::new(),
            balance: None,
            cookie: None,
            limit: None,
            peer_table: None,
            http_check: None,
            timeouts: BTreeMap::new(),
            error_files: BTreeMap::new(),
            firewall: Authors::default(),
            early: None,
            late: None,
            rules: Rules::default(),
            client_headers: None,
            server_tls: None,
            unread_tls: Vec::new(),
            fcgi: None,
            fcgi_app: None,
            refused: Vec::new(),
            server_options: BTreeMap::new(),
            servers: Vec::new(),
            use_servers: Vec::new(),
            template: None,
            scaling: Scaling::default(),
            paths: Vec::new(),
            is_tls: false,
            is_internal: false,
        }
    }

    /// Adds a rule for one path, given by its number. Equal rules are written once, for the paths of
    /// all of them.
    pub fn add(&mut self, path: u32, rule: Rule, origin: &Origin) {
        self.rules.add(path, rule, origin);
    }

    /// Adds a rule for every request of the backend.
    pub fn add_for_all(&mut self, rule: Rule, origin: &Origin) {
        self.rules.add_for_all(rule, origin);
    }

    /// Whether any rule is for some of the paths only, so that requests must say which one is theirs.
    pub fn needs_path(&self) -> bool {
        self.rules.iter().any(|it| self.is_partial(it))
    }

    /// Whether a rule is for some of the paths only.
    pub fn is_partial(&self, placed: &Placed) -> bool {
        !placed.paths.is_empty() && placed.paths.len() < self.paths.len()
    }
}
