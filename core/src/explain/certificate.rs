//! Certificates of clients, by the lines that judge them.

use crate::explain::words::{cut, words};
use crate::explain::{Certificate, End, Scheme, Stage, Step, Walk, decision};
use crate::haproxy::Frontend;
use crate::origin::Origin;

const ASKED: &str = "Has the client the certificate that it needs?";

impl Walk<'_> {
    /// What has to be known of the client's certificate, and redirects to error pages.
    pub(super) fn certificate(&mut self, frontend: &Frontend) -> Option<End> {
        self.message.read.clear();
        for part in &frontend.client_checks {
            let words = words(&part.value);
            let (action, conditions) = cut(&words);
            if self.message.holds(conditions) != Some(true) {
                continue;
            }
            match action {
                [_, set, expression] if set.starts_with("set-var(") => {
                    let variable = set.trim_start_matches("set-var(").trim_end_matches(')');
                    self.message.set(variable, expression);
                }
                [_, redirect, _, location, _, code, ..] if redirect == "redirect" => {
                    let location = self.message.format(location);
                    let status = code.parse().unwrap_or(302);
                    let outcome = format!("no: {status} to `{location}`, the error page");
                    self.judged(outcome, true);
                    return Some(End::Redirect { status, location });
                }
                _ => {}
            }
        }
        None
    }

    /// What a client without a good certificate is answered.
    pub(super) fn refuse(&mut self, frontend: &Frontend) -> Option<End> {
        if frontend.client_checks.is_empty() {
            return None;
        }
        for part in &frontend.client_refusals {
            let words = words(&part.value);
            let (action, conditions) = cut(&words);
            if self.message.holds(conditions) != Some(true) {
                continue;
            }
            let code = action
                .last()
                .and_then(|it| it.strip_prefix("lua.send-")?.parse().ok());
            let Some(code) = code else { continue };
            let why = match code {
                421 => "the connection is not one for this host",
                496 => "it shows none",
                _ => "it shows one that is not accepted",
            };
            let (status, by) = self.page_of_host(code);
            decision::add(&mut self.message.read, &by);
            self.judged(format!("no: {status}, because {why}"), true);
            return Some(End::Status { status });
        }
        let outcome = match (self.request.certificate, self.request.scheme) {
            _ if self.message.read.is_empty() => return None,
            (Certificate::None, Scheme::Https) => "none is required",
            (Certificate::None, Scheme::Http) => {
                "none can be shown without TLS, and none is required"
            }
            (Certificate::Good, _) => "yes",
            (Certificate::Bad, _) => "it shows a bad one, which nobody judges",
        };
        self.judged(outcome.to_owned(), false);
        None
    }

    fn judged(&mut self, outcome: String, is_end: bool) {
        let mut step = Step::new(Stage::ClientCertificate, ASKED, outcome).by(&self.message.read);
        step.is_end = is_end;
        self.decision.steps.push(step);
    }

    /// The status of a page that the handshake's host may have of its own, and who wrote it.
    fn page_of_host(&self, code: u16) -> (u16, Vec<Origin>) {
        let number = self.message.variables.get("txn.tls_pages");
        let number = number.and_then(|it| it.parse::<usize>().ok()?.checked_sub(1));
        let own = number.and_then(|it| self.config.page_variants.get(it)?.get(&code));
        if let Some(own) = own {
            let status = own.value.0.as_ref().and_then(|it| it.status.as_ref());
            return (status.map_or(code, |it| it.0), vec![own.origin.clone()]);
        }
        let (status, by) = self.page(code);
        (status, by.cloned().into_iter().collect())
    }
}
