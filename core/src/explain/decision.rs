//! What becomes of a request, and why.

use std::sync::Arc;

use serde::Serialize;

use crate::origin::Origin;

/// What becomes of a request, step by step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// What was asked, in the order in which HAProxy asks it.
    pub steps: Vec<Step>,
    /// What comes of it.
    pub end: End,
    /// The path with its query as a server gets it; absent where none gets the request.
    pub path: Option<String>,
    /// What happens to headers of the request, in order.
    pub request_headers: Vec<HeaderChange>,
    /// What happens to headers of the response, in order.
    pub response_headers: Vec<HeaderChange>,
    /// What takes part in this request and was not simulated.
    pub not_simulated: Vec<NotSimulated>,
}

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What it is about.
    pub stage: Stage,
    /// What was asked, as a question.
    pub asked: String,
    /// The answer.
    pub outcome: String,
    /// Why, and what else could have been the answer.
    pub notes: Vec<Note>,
    /// Whether the request goes no further.
    pub is_end: bool,
    /// Who made it so: objects and their fields.
    pub origins: Vec<Origin>,
}

/// A remark to an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// The remark.
    pub text: String,
    /// Whom it is about.
    pub origins: Vec<Origin>,
}

/// What a step is about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Where the connection arrives.
    Frontend,
    /// TLS that is passed on by the name in its handshake.
    Passthrough,
    /// Which host is meant.
    Host,
    /// Which of its paths it is.
    Path,
    /// The request is sent elsewhere.
    Redirect,
    /// The certificate of the client.
    ClientCertificate,
    /// Requests that are counted.
    Limit,
    /// Addresses of clients.
    Access,
    /// Cross-origin requests.
    Cors,
    /// Users and passwords.
    Authentication,
    /// A service that is asked who may come.
    ExternalAuth,
    /// The size of the body.
    BodySize,
    /// A web application firewall.
    Firewall,
    /// Headers of the request.
    RequestHeaders,
    /// Lines of an operator.
    Snippet,
    /// The path as servers get it.
    Rewrite,
    /// Where the request goes.
    Backend,
    /// Which of its servers.
    Server,
    /// Headers of the response.
    ResponseHeaders,
}

/// What comes of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum End {
    /// A server gets it.
    Backend {
        /// The backend's name, as in `haproxy.cfg`.
        name: Arc<str>,
        /// The servers that may get it, with their chances.
        servers: Vec<Target>,
    },
    /// The client is sent elsewhere.
    Redirect {
        /// The status.
        status: u16,
        /// The header `Location`.
        location: String,
    },
    /// HAProxy answers itself.
    Status {
        /// The status.
        status: u16,
    },
    /// The connection is passed on as it is, with the TLS in it, if there is some.
    Passthrough {
        /// The backend's name, as in `haproxy.cfg`.
        name: Arc<str>,
        /// The servers that may get it, with their chances.
        servers: Vec<Target>,
    },
    /// The connection is closed, or nothing listens.
    Closed,
}

/// A server that may get a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its name, as in `haproxy.cfg`.
    pub name: Arc<str>,
    /// Its address with the port, or the name that HAProxy looks up.
    pub address: String,
    /// Its weight, 0 to 256.
    pub weight: u16,
    /// How likely it is that it gets the request, 0 to 1, where all servers are up. Of algorithms that
    /// look at the request or at the load it is the share of all requests.
    pub chance: f64,
    /// Who made it.
    pub origin: Origin,
}

/// What happens to a header.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderChange {
    /// What happens.
    pub action: HeaderAction,
    /// The header's name, or for [`HeaderAction::DeleteMatching`] an expression of names.
    pub name: String,
    /// The new value; `%[…]` in it is known only when it happens.
    pub value: Option<String>,
    /// Who asked for it.
    pub origins: Vec<Origin>,
}

/// What happens to a header.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderAction {
    /// It gets this value, in place of all that it has.
    Set,
    /// It gets this value beside those that it has.
    Add,
    /// It is taken out.
    Delete,
    /// All headers whose name matches an expression are taken out.
    DeleteMatching,
}

/// Something that takes part in a request and was not simulated.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotSimulated {
    /// What it is, and what was taken for granted instead.
    pub what: String,
    /// Who asked for it.
    pub origins: Vec<Origin>,
}

impl End {
    /// The status that the client gets; absent where a server decides it, or nobody.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Redirect { status, .. } | Self::Status { status } => Some(*status),
            Self::Backend { .. } | Self::Passthrough { .. } | Self::Closed => None,
        }
    }

    /// The name of the backend that gets the request, if one does.
    pub fn backend(&self) -> Option<&str> {
        match self {
            Self::Backend { name, .. } | Self::Passthrough { name, .. } => Some(name),
            Self::Redirect { .. } | Self::Status { .. } | Self::Closed => None,
        }
    }

    /// The servers that may get the request, with their chances.
    pub fn servers(&self) -> &[Target] {
        match self {
            Self::Backend { servers, .. } | Self::Passthrough { servers, .. } => servers,
            Self::Redirect { .. } | Self::Status { .. } | Self::Closed => &[],
        }
    }

    /// Where the client is sent, if it is sent elsewhere.
    pub fn location(&self) -> Option<&str> {
        match self {
            Self::Redirect { location, .. } => Some(location),
            _ => None,
        }
    }
}

impl Step {
    /// A question with its answer, by nobody yet.
    pub(super) fn new(stage: Stage, asked: impl Into<String>, outcome: impl Into<String>) -> Self {
        Self {
            stage,
            asked: asked.into(),
            outcome: outcome.into(),
            notes: Vec::new(),
            is_end: false,
            origins: Vec::new(),
        }
    }

    /// The same by somebody; each of them is named once.
    pub(super) fn by<'a>(mut self, origins: impl IntoIterator<Item = &'a Origin>) -> Self {
        add(&mut self.origins, origins);
        self
    }

    /// The same with a remark.
    pub(super) fn note<'a>(
        mut self,
        text: impl Into<String>,
        origins: impl IntoIterator<Item = &'a Origin>,
    ) -> Self {
        let mut note = Note {
            text: text.into(),
            origins: Vec::new(),
        };
        add(&mut note.origins, origins);
        self.notes.push(note);
        self
    }

    /// The same, and the request goes no further.
    pub(super) fn end(mut self) -> Self {
        self.is_end = true;
        self
    }
}

/// Adds origins that are not there yet. What the engine does by itself has no author.
pub(super) fn add<'a>(to: &mut Vec<Origin>, origins: impl IntoIterator<Item = &'a Origin>) {
    for origin in origins {
        if !matches!(origin, Origin::Engine(_)) && !to.contains(origin) {
            to.push(origin.clone());
        }
    }
}
