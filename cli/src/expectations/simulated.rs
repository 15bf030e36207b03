//! Requests through the engine's own account of what HAProxy does.

use std::time::Instant;

use haproxy_ingress_core::compile::compile_with_model;
use haproxy_ingress_core::explain::{Decision, HeaderAction, Request, explain};
use haproxy_ingress_core::haproxy::Config;

use crate::expectations::compare::Found;
use crate::explain::expectation::status;
use crate::input::Input;

/// A configuration that requests are sent through in thought.
pub(super) struct Simulated<'a> {
    input: &'a Input,
    model: Config,
}

impl<'a> Simulated<'a> {
    pub(super) fn new(input: &'a Input) -> Self {
        let (_, model) = compile_with_model(&input.snapshot, &input.options, None);
        Self { input, model }
    }

    pub(super) fn ask(&self, request: &Request) -> Found {
        let start = Instant::now();
        let decision = explain(&self.model, &self.input.options, request);
        Found {
            took: start.elapsed(),
            ..found(&decision)
        }
    }
}

fn found(decision: &Decision) -> Found {
    let mut headers: Vec<(String, Option<String>)> = Vec::new();
    for it in &decision.response_headers {
        let value = it.value.clone().filter(|it| !it.contains("%["));
        match it.action {
            HeaderAction::Add => headers.push((it.name.clone(), value)),
            HeaderAction::Set => {
                headers.retain(|other| !other.0.eq_ignore_ascii_case(&it.name));
                headers.push((it.name.clone(), value));
            }
            HeaderAction::Delete => {
                headers.retain(|other| !other.0.eq_ignore_ascii_case(&it.name));
            }
            // Servers that stand in send none, and what HAProxy has set before is not taken out.
            HeaderAction::DeleteMatching => {}
        }
    }
    if let Some(location) = decision.end.location() {
        headers.push(("Location".into(), Some(location.into())));
    }
    let status = status(&decision.end);
    let is_served = status != Some(503);
    Found {
        status,
        backend: decision.end.backend().filter(|_| is_served).map(Into::into),
        path: decision.path.clone().filter(|_| is_served),
        redirect: decision.end.location().map(Into::into),
        headers,
        notes: decision
            .not_simulated
            .iter()
            .map(|it| it.what.clone())
            .collect(),
        ..Found::default()
    }
}
