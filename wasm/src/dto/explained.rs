//! Where requests go, and why.

use haproxy_ingress_core::explain;
use haproxy_ingress_core::haproxy::Config;
use haproxy_ingress_core::options::Options;
use serde::{Deserialize, Serialize};

use crate::dto::Origins;

/// A request that the page asks about.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Question {
    /// Its URL.
    pub url: String,
    /// Its method.
    pub method: String,
    /// Names and values of its headers.
    pub headers: Vec<(String, String)>,
    /// The address of the client, if that matters.
    #[serde(default)]
    #[cfg_attr(test, ts(optional))]
    pub client: Option<String>,
    /// Whether the client shows a certificate that its authority accepts.
    pub certificate: bool,
    /// The length of its body, in bytes.
    #[cfg_attr(test, ts(type = "number"))]
    pub body_size: u64,
}

/// What becomes of a request, or why it cannot be told.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Explained {
    /// It is no request.
    Wrong {
        /// What is expected and what was found.
        message: String,
    },
    /// The decisions, in their order.
    Decided(Box<Decision>),
}

/// What becomes of a request, step by step.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// What was asked.
    pub steps: Vec<DecisionStep>,
    /// What comes of it, in a few words: `200 from default_app_8080` has no place here, because only a
    /// server knows its status.
    pub end: String,
    /// Whether a server gets the request.
    pub is_served: bool,
    /// The status that HAProxy answers itself.
    pub status: Option<u16>,
    /// The backend, as in `haproxy.cfg`.
    pub backend: Option<String>,
    /// Where the client is sent.
    pub location: Option<String>,
    /// The path with its query as a server gets it.
    pub path: Option<String>,
    /// The servers that may get it, with their chances in percent.
    pub servers: Vec<DecisionServer>,
    /// What happens to headers, in words.
    pub headers: Vec<DecisionNote>,
    /// What takes part in this request and was not simulated.
    pub not_simulated: Vec<DecisionNote>,
}

/// One question and its answer.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DecisionStep {
    /// What was asked.
    pub asked: String,
    /// The answer.
    pub outcome: String,
    /// Why, and what else could have been the answer.
    pub notes: Vec<DecisionNote>,
    /// Whether the request goes no further.
    pub is_end: bool,
    /// Who made it so.
    pub origins: Vec<u32>,
}

/// A remark, and whom it is about.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DecisionNote {
    /// The remark.
    pub text: String,
    /// Whom it is about.
    pub origins: Vec<u32>,
}

/// A server that may get a request.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DecisionServer {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// How likely it is that it gets the request, 0 to 1.
    pub chance: f64,
    /// Who made it.
    pub origin: u32,
}

impl Explained {
    /// Asks the engine, and remembers the origins.
    pub fn new(
        question: &Question,
        config: &Config,
        options: &Options,
        origins: &mut Origins<'_>,
    ) -> Self {
        match request(question) {
            Ok(request) => {
                let decision = explain::explain(config, options, &request);
                Self::Decided(Box::new(Decision::new(&decision, origins)))
            }
            Err(message) => Self::Wrong { message },
        }
    }
}

fn request(question: &Question) -> Result<explain::Request, String> {
    let request = explain::Request::of_url(&question.url).map_err(|it| it.to_string())?;
    let headers = question.headers.iter();
    let mut request = headers.fold(request, |it, (name, value)| it.with(name, value));
    request.method.clone_from(&question.method);
    request.body_size = question.body_size;
    if let Some(client) = &question.client {
        request.client = client
            .parse()
            .map_err(|_| format!("expected the address of a client, found `{client}`"))?;
    }
    if question.certificate {
        request.certificate = explain::Certificate::Good;
    }
    Ok(request)
}

impl Decision {
    fn new(decision: &explain::Decision, origins: &mut Origins<'_>) -> Self {
        use explain::End;
        let end = &decision.end;
        let servers: &[explain::Target] = match end {
            End::Backend { servers, .. } | End::Passthrough { servers, .. } => servers,
            End::Redirect { .. } | End::Status { .. } | End::Closed => &[],
        };
        let headers = [
            ("request", &decision.request_headers),
            ("response", &decision.response_headers),
        ];
        let headers = headers.into_iter().flat_map(|(of, it)| {
            let changes = it.iter();
            changes.map(move |it| (in_words(of, it), &it.origins))
        });
        let headers = headers.map(|(text, by)| DecisionNote::new(text, by, origins));
        let headers = headers.collect();
        let left = decision.not_simulated.iter();
        let left = left.map(|it| DecisionNote::new(it.what.clone(), &it.origins, origins));
        let left = left.collect();
        Self {
            steps: decision
                .steps
                .iter()
                .map(|it| DecisionStep::new(it, origins))
                .collect(),
            end: match end {
                End::Backend { name, .. } => format!("a server of `{name}` gets it"),
                End::Redirect { status, location } => {
                    format!("{status}, the client is sent to `{location}`")
                }
                End::Status { status } => format!("HAProxy answers {status}"),
                End::Passthrough { name, .. } => {
                    format!("the connection is passed on to `{name}`")
                }
                End::Closed => "the connection is closed, or nothing listens".into(),
            },
            is_served: !servers.is_empty(),
            status: end.status(),
            backend: end.backend().map(Into::into),
            location: end.location().map(Into::into),
            path: decision.path.clone(),
            servers: servers
                .iter()
                .map(|it| DecisionServer {
                    name: it.name.to_string(),
                    address: it.address.clone(),
                    chance: it.chance,
                    origin: origins.index(&it.origin),
                })
                .collect(),
            headers,
            not_simulated: left,
        }
    }
}

impl DecisionStep {
    fn new(step: &explain::Step, origins: &mut Origins<'_>) -> Self {
        let notes = step.notes.iter();
        let notes = notes.map(|it| DecisionNote::new(it.text.clone(), &it.origins, origins));
        Self {
            asked: step.asked.clone(),
            outcome: step.outcome.clone(),
            notes: notes.collect(),
            is_end: step.is_end,
            origins: origins.indexes(&step.origins),
        }
    }
}

impl DecisionNote {
    fn new(
        text: String,
        by: &[haproxy_ingress_core::origin::Origin],
        origins: &mut Origins<'_>,
    ) -> Self {
        Self {
            text,
            origins: origins.indexes(by),
        }
    }
}

fn in_words(of: &str, change: &explain::HeaderChange) -> String {
    use explain::HeaderAction;
    let name = &change.name;
    let value = change.value.as_deref().unwrap_or_default();
    match change.action {
        HeaderAction::Set => format!("{of}: `{name}: {value}`"),
        HeaderAction::Add => format!("{of}: `{name}: {value}` as well"),
        HeaderAction::Delete => format!("{of}: no `{name}`"),
        HeaderAction::DeleteMatching => format!("{of}: no header that matches `{name}`"),
    }
}
