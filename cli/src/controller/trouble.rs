//! What is wrong with talking to the API server, said once until it is something else.

use std::error::Error;

use tracing::{info, warn};

/// What was said last, while it holds.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Option<String>);

impl Trouble {
    /// A request about something failed.
    pub(crate) fn api(&mut self, what: &str, error: &kube::Error) {
        self.say(match error {
            kube::Error::Api(status) if status.is_forbidden() => {
                format!("not permitted to use {what}: {}", status.message)
            }
            kube::Error::Api(status) => format!("cannot use {what}: {}", status.message),
            other => format!("cannot use {what}: {}", chain(other)),
        });
    }

    /// Something else is wrong.
    pub(crate) fn say(&mut self, text: String) {
        if self.0.as_ref() != Some(&text) {
            warn!("{text}");
            self.0 = Some(text);
        }
    }

    /// Nothing is wrong any more.
    pub(crate) fn over(&mut self, what: &str) {
        if self.0.take().is_some() {
            info!("{what} can be used again");
        }
    }
}

/// An error with its causes, each once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
