//! Headers and paths that rules change.

use crate::explain::words::{cut, words};
use crate::explain::{Header, HeaderAction, HeaderChange, Stage, Step, Walk, expression};
use crate::haproxy::{Backend, ForwardedFor, Path, Phase, Placed};
use crate::origin::Origin;

impl Walk<'_> {
    /// Headers of the request.
    pub(super) fn headers(&mut self, group: &[&Placed]) {
        for it in group {
            let conditions = it.rule.when.as_ref().map(words).unwrap_or_default();
            match self.message.holds(&conditions) {
                Some(true) => self.change_header(&words(&it.rule.line), &it.origins),
                Some(false) => {}
                None => {
                    self.leave_out(format!("{}, taken for not met", it.rule.line), &*it.origins);
                }
            }
        }
    }

    /// Changes a header of the request, as a line of our own says.
    pub(super) fn change_header(&mut self, line: &[String], origins: &[Origin]) {
        let (line, conditions) = cut(line);
        if self.message.holds(conditions) != Some(true) {
            return;
        }
        let Some(change) = self.change(line, origins) else {
            return;
        };
        let is_it = |it: &Header| match change.action {
            HeaderAction::DeleteMatching => {
                expression::matches(&change.name, &it.name.to_ascii_lowercase()) == Some(true)
            }
            _ => it.name.eq_ignore_ascii_case(&change.name),
        };
        let headers = &mut self.message.headers;
        let had_some = headers.iter().any(&is_it);
        if change.action != HeaderAction::Add {
            headers.retain(|it| !is_it(it));
        }
        match &change.value {
            Some(value) => headers.push(Header::new(change.name.clone(), value.clone())),
            // What was not there is not worth a word.
            None if !had_some => return,
            None => {}
        }
        self.decision.request_headers.push(change);
    }

    /// A change of a header, as a line of our own says it.
    fn change(&mut self, line: &[String], origins: &[Origin]) -> Option<HeaderChange> {
        let [_, action, name, rest @ ..] = line else {
            return None;
        };
        let (action, value) = match (action.as_str(), rest) {
            ("set-header", [value, ..]) => (HeaderAction::Set, Some(value)),
            ("add-header", [value, ..]) => (HeaderAction::Add, Some(value)),
            ("del-header", [_, method]) if method == "reg" => (HeaderAction::DeleteMatching, None),
            ("del-header", []) => (HeaderAction::Delete, None),
            _ => return None,
        };
        Some(HeaderChange {
            action,
            name: name.clone(),
            value: value.map(|it| self.message.format(it)),
            origins: origins.to_vec(),
        })
    }

    /// What servers learn of the client's address, when all other rules are done.
    pub(super) fn forward(&mut self) {
        let trust = &self.config.trust;
        let is_added = match trust.forwarded_for {
            ForwardedFor::Add | ForwardedFor::Update => true,
            ForwardedFor::IfMissing => self.message.whole("x-forwarded-for").is_empty(),
            ForwardedFor::Ignore => false,
        };
        if is_added {
            let line = ["http-request", "add-header", "X-Forwarded-For", "%[src]"];
            let origins: Vec<Origin> = trust.forwarded_for_origin.iter().cloned().collect();
            self.change_header(&line.map(str::to_owned), &origins);
        }
    }

    /// The path as servers get it.
    pub(super) fn rewrite(&mut self, group: &[&Placed]) {
        for it in group {
            let line = words(&it.rule.line);
            let [_, action, pattern, replacement] = &*line else {
                continue;
            };
            if action != "replace-path" {
                continue;
            }
            let replacement = self.message.format(replacement);
            match expression::replace(pattern, &self.message.path, &replacement) {
                Ok(Some(path)) => {
                    let asked = "Which path do servers get?";
                    let step =
                        Step::new(Stage::Rewrite, asked, format!("`{path}`")).by(&*it.origins);
                    self.message.path = path;
                    self.decision.steps.push(step);
                }
                Ok(None) => {}
                Err(()) => {
                    let what = format!("the expression `{pattern}` that rewrites the path");
                    self.leave_out(what, &*it.origins);
                }
            }
        }
    }

    /// Headers of the response: those of HAProxy's own answers only where they are for all.
    pub(super) fn responses(&mut self, backend: &Backend, path: &Path, is_served: bool) {
        let mut placed: Vec<&Placed> = backend.rules.iter().collect();
        placed.retain(|it| it.paths.is_empty() || it.paths.contains(&path.number));
        placed.retain(|it| it.rule.phase >= Phase::Security);
        placed.sort_by_key(|it| it.rule.phase);
        // Those that act on all answers come behind those that act on answers of servers.
        placed.sort_by_key(|it| it.rule.line.as_str().starts_with("http-after-response"));
        for it in placed {
            let for_all = it.rule.line.as_str().starts_with("http-after-response");
            if !for_all && !is_served {
                continue;
            }
            let conditions = it.rule.when.as_ref().map(words).unwrap_or_default();
            match self.message.holds(&conditions) {
                Some(true) => {
                    let change = self.change(&words(&it.rule.line), &it.origins);
                    self.decision.response_headers.extend(change);
                }
                Some(false) => {}
                None => {
                    self.leave_out(format!("{}, taken for not met", it.rule.line), &*it.origins);
                }
            }
        }
    }
}
