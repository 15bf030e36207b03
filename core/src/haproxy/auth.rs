//! Who is asked whether a request may pass.

use std::sync::Arc;

use crate::haproxy::Part;
use crate::origin::Setting;
use crate::value::auth_url::AuthServer;
use crate::value::header::HeaderName;
use crate::value::text::{Format, Word};

/// Who is asked before requests of a path reach their backend. Of both, the first one counts.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    /// A service by its URL.
    pub external: Option<Arc<Check>>,
    /// An OAuth proxy.
    pub oauth: Option<Arc<Check>>,
}

/// How somebody is asked.
#[derive(Clone, Debug)]
pub struct Check {
    /// The key that asks for it.
    pub key: &'static str,
    /// Who is asked; absent where nobody can be, so that all requests are denied.
    pub by: Option<CheckedBy>,
    /// The method, `*` for the client's.
    pub method: Arc<str>,
    /// The path and its query.
    pub path: Arc<str>,
    /// Headers of the client that the request has, as patterns joined by commas; `-` for none.
    pub request: Arc<str>,
    /// Headers of the answer that the client's request gets when it passes.
    pub succeed: Arc<str>,
    /// Headers of the answer that the client gets when it does not.
    pub fail: Arc<str>,
    /// Where a client that may not pass is sent instead.
    pub signin: Option<Setting<Format>>,
    /// Headers that a request gets from variables when it passes.
    pub variables: Vec<VariableHeader>,
    /// Whether the answer is there before a backend is chosen.
    pub is_early: bool,
    /// Who asks for it.
    pub author: Setting<()>,
}

/// A header that nobody but a variable writes.
#[derive(Clone, Debug)]
pub struct VariableHeader {
    /// The header.
    pub name: HeaderName,
    /// The variable; without one no request has the header.
    pub variable: Option<Word>,
}

/// Who is asked.
#[derive(Clone, Debug)]
pub enum CheckedBy {
    /// A server by its name.
    Server(AuthServer),
    /// Whoever serves a path in the namespace of who asks.
    Path(Arc<str>),
}

/// The frontend through which HAProxy asks.
#[derive(Clone, Debug)]
pub struct AuthFrontend {
    /// Its name.
    pub name: Part,
    /// Where it listens.
    pub bind: Part,
}
