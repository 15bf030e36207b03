//! The rules of a backend, in the order of their phases.

use crate::explain::words::{call, words};
use crate::explain::{End, HeaderAction, HeaderChange, Stage, Step, Walk, decision};
use crate::haproxy::{Backend, CheckedBy, Checks, Path, Phase, Placed};
use crate::origin::Origin;
use crate::value::auth_url::AuthServer;

impl<'a> Walk<'a> {
    /// Lets the rules of a backend act on the request, and looks for its servers.
    pub(super) fn backend(&mut self, path: &'a Path) -> End {
        let backend = &self.config.backends[path.backend];
        let asked = "Which backend is it?";
        let outcome = format!("`{}`", backend.name);
        let step = Step::new(Stage::Backend, asked, outcome).by([&path.origin]);
        self.decision.steps.push(step);
        self.snippet(backend.early.as_ref());
        let end = self.requests(backend, path);
        if end.is_none() {
            self.forward();
        }
        let end = end.unwrap_or_else(|| self.servers(backend));
        self.responses(backend, path, matches!(end, End::Backend { .. }));
        if matches!(end, End::Backend { .. }) {
            self.decision.path = Some(self.message.target());
        } else {
            self.decision.request_headers.clear();
        }
        end
    }

    /// The rules for requests; an end if the request goes no further.
    fn requests(&mut self, backend: &'a Backend, path: &'a Path) -> Option<End> {
        if !backend.refused.is_empty() {
            let status = self.error(503, backend).0;
            let asked = "May anything be sent to its servers?";
            let outcome = format!("no: {status}");
            let step = Step::new(Stage::Backend, asked, outcome)
                .by(&backend.refused)
                .end();
            self.decision.steps.push(step);
            return Some(End::Status { status });
        }
        let mut placed: Vec<&'a Placed> = backend.rules.iter().collect();
        placed.retain(|it| it.paths.is_empty() || it.paths.contains(&path.number));
        placed.sort_by_key(|it| it.rule.phase);
        let groups: Vec<&[&'a Placed]> = placed
            .chunk_by(|a, b| a.rule.phase == b.rule.phase)
            .collect();
        let mut is_limited = false;
        let mut is_late = false;
        for group in groups {
            let phase = group[0].rule.phase;
            if phase >= Phase::Limit && !is_limited {
                is_limited = true;
                self.limit(backend);
            }
            if phase > Phase::LateSnippet && !is_late {
                is_late = true;
                self.late(backend);
            }
            if phase >= Phase::Security {
                break;
            }
            if let Some(end) = self.phase(phase, group, backend, path) {
                return Some(end);
            }
        }
        if !is_limited {
            self.limit(backend);
        }
        if !is_late {
            self.late(backend);
        }
        None
    }

    /// Limits count what other requests did.
    pub(super) fn limit(&mut self, backend: &Backend) {
        let Some(limit) = &backend.limit else { return };
        if let Some(counted) = &limit.counted {
            let words = words(&counted.value);
            if self.message.holds(&words) == Some(false) {
                let asked = "Is the client counted?";
                let step = Step::new(
                    Stage::Limit,
                    asked,
                    "no: its address is on the list of those that are not",
                );
                self.decision.steps.push(step.by([&counted.origin]));
                return;
            }
        }
        let limits = [
            (&limit.connections, "at the same time"),
            (&limit.rate, "a second"),
        ];
        for (setting, of) in limits {
            if let Some(setting) = setting {
                let what = format!(
                    "at most {} requests {of} for each address, else 429: taken for not reached",
                    setting.value
                );
                self.leave_out(what, [&setting.origin]);
            }
        }
    }

    pub(super) fn late(&mut self, backend: &Backend) {
        self.snippet(backend.late.as_ref());
        self.snippet(self.config.proxy_snippets.get(&backend.name));
    }

    /// The rules of one phase.
    fn phase(
        &mut self,
        phase: Phase,
        group: &[&'a Placed],
        backend: &'a Backend,
        path: &'a Path,
    ) -> Option<End> {
        match phase {
            Phase::Capture => {
                self.capture(group);
                None
            }
            Phase::Source => {
                for it in group {
                    self.remember(it);
                }
                None
            }
            Phase::Access => self.guard(
                Stage::Access,
                "May the client's address come?",
                group,
                backend,
            ),
            Phase::Preflight => self.preflight(group),
            Phase::Authenticate => {
                self.guard(Stage::Authentication, "Is the user known?", group, backend)
            }
            Phase::BodySize => {
                self.guard(Stage::BodySize, "Is the body small enough?", group, backend)
            }
            Phase::Firewall => self.firewall(group, backend),
            Phase::RequestSet
            | Phase::RequestAdd
            | Phase::RequestDelete
            | Phase::ClientCertificate => {
                self.headers(group);
                None
            }
            Phase::ExternalAuth => self.external(group, backend, path),
            Phase::Rewrite => {
                self.rewrite(group);
                None
            }
            _ => None,
        }
    }

    /// Rules that deny or ask for a password.
    fn guard(
        &mut self,
        stage: Stage,
        asked: &str,
        group: &[&'a Placed],
        backend: &'a Backend,
    ) -> Option<End> {
        let mut origins = Vec::new();
        let mut notes: Vec<(String, &Placed)> = Vec::new();
        for it in group {
            let conditions = it.rule.when.as_ref().map(words).unwrap_or_default();
            let says = self.describe(&conditions);
            decision::add(&mut origins, &*it.origins);
            match self.message.holds(&conditions) {
                Some(false) => notes.push((says, it)),
                None => {
                    self.leave_out(format!("{}, taken for not met", it.rule.line), &*it.origins);
                }
                Some(true) => {
                    let (status, page) = self.denial(&words(&it.rule.line), backend);
                    let why = if says.is_empty() {
                        "everybody is refused".into()
                    } else {
                        says
                    };
                    let step = Step::new(stage, asked, format!("no: {status}, because {why}"));
                    let step = step.by(&*it.origins).by(page);
                    self.decision.steps.push(step.end());
                    return Some(End::Status { status });
                }
            }
        }
        let mut step = Step::new(stage, asked, "yes").by(&origins);
        for (says, it) in notes {
            step = step.note(format!("it would be refused if {says}"), &*it.origins);
        }
        self.decision.steps.push(step);
        None
    }

    /// The status of a denial, and who wrote its page.
    fn denial(&self, words: &[String], backend: &'a Backend) -> (u16, Option<&'a Origin>) {
        let code = match words {
            [_, deny, _, code, ..] if deny == "deny" => code.parse().unwrap_or(403),
            [_, auth, ..] if auth == "auth" => 401,
            _ => 403,
        };
        self.error(code, backend)
    }

    /// The status of an answer of HAProxy's own, and who wrote its page.
    fn error(&self, code: u16, backend: &'a Backend) -> (u16, Option<&'a Origin>) {
        if let Some(own) = backend.error_files.get(&code) {
            let status = own.value.0.as_ref().and_then(|it| it.status.as_ref());
            return (status.map_or(code, |it| it.0), Some(&own.origin));
        }
        match self.config.defaults.error_files.get(&code) {
            Some(page) => {
                let status = page.value.status.as_ref().map_or(code, |it| it.0);
                (status, Some(&page.origin))
            }
            None => (code, None),
        }
    }

    /// Remembers something of the request.
    fn remember(&mut self, placed: &Placed) -> bool {
        let line = words(&placed.rule.line);
        let conditions = placed.rule.when.as_ref().map(words).unwrap_or_default();
        let is_met = self.message.holds(&conditions) == Some(true);
        if let [_, set, expression] = &*line
            && is_met
            && let ("set-var", Some(variable)) = call(set)
        {
            self.message.set(variable, expression);
        }
        is_met
    }

    /// Whether the origin of a cross-origin request is allowed.
    fn capture(&mut self, group: &[&Placed]) {
        let mut origins = Vec::new();
        let mut allowed = Vec::new();
        for it in group {
            decision::add(&mut origins, &*it.origins);
            if self.remember(it) {
                decision::add(&mut allowed, &*it.origins);
            }
        }
        let origin = self.message.whole("origin").pop();
        let asked = "May scripts of its origin read the answer?";
        let step = match (origin, self.message.variables.get("txn.cors_origin")) {
            (None, _) => Step::new(Stage::Cors, asked, "it comes from no origin").by(&origins),
            (Some(it), Some(_)) => {
                Step::new(Stage::Cors, asked, format!("yes: `{it}` is allowed")).by(&allowed)
            }
            (Some(it), None) => {
                Step::new(Stage::Cors, asked, format!("no: `{it}` is not allowed")).by(&origins)
            }
        };
        self.decision.steps.push(step);
    }

    /// Answers to preflight requests.
    fn preflight(&mut self, group: &[&Placed]) -> Option<End> {
        for it in group {
            let conditions = it.rule.when.as_ref().map(words).unwrap_or_default();
            if self.message.holds(&conditions) != Some(true) {
                continue;
            }
            let line = words(&it.rule.line);
            let [_, _, _, status, rest @ ..] = &*line else {
                continue;
            };
            let status = status.parse().unwrap_or(204);
            if let [_, name, value] = rest {
                self.decision.response_headers.push(HeaderChange {
                    action: HeaderAction::Set,
                    name: name.clone(),
                    value: Some(value.clone()),
                    origins: it.origins.to_vec(),
                });
            }
            let asked = "Is it a preflight request?";
            let outcome = format!("yes: {status}, without asking a server");
            let step = Step::new(Stage::Cors, asked, outcome).by(&*it.origins);
            self.decision.steps.push(step.end());
            return Some(End::Status { status });
        }
        None
    }

    /// Agents that look at requests, or a firewall that cannot be asked.
    fn firewall(&mut self, group: &[&'a Placed], backend: &'a Backend) -> Option<End> {
        let denies = |it: &&&Placed| {
            it.rule.when.is_none() && it.rule.line.as_str().starts_with("http-request deny")
        };
        if let Some(it) = group.iter().find(denies) {
            return self.guard(
                Stage::Firewall,
                "May it pass the firewall?",
                &[*it],
                backend,
            );
        }
        let by = group.iter().flat_map(|it| it.origins.iter());
        self.leave_out(
            "what agents of a web application firewall say: taken for consent",
            by,
        );
        None
    }

    /// Services that are asked who may come.
    fn external(
        &mut self,
        group: &[&'a Placed],
        backend: &'a Backend,
        path: &'a Path,
    ) -> Option<End> {
        let Checks { external, oauth } = &path.checks;
        let check = external.as_ref().or(oauth.as_ref());
        let denies =
            |it: &&&Placed| it.rule.when.is_none() && it.rule.line.as_str() == "http-request deny";
        let asked = "May the client come?";
        if let Some(it) = group.iter().find(denies) {
            return self.guard(Stage::ExternalAuth, asked, &[*it], backend);
        }
        let check = check?;
        let who = match &check.by {
            Some(CheckedBy::Server(AuthServer::Service { name, .. })) => {
                format!("Service `{name}`")
            }
            Some(CheckedBy::Path(prefix)) => format!("whoever serves `{prefix}`"),
            _ => "a service".to_owned(),
        };
        let step = Step::new(
            Stage::ExternalAuth,
            asked,
            format!("{who} is asked, with `{}`", check.path),
        );
        let mut step = step.by([&check.author.origin]);
        if let Some(signin) = &check.signin {
            step = step.note(
                "a client that may not come is sent to sign in",
                [&signin.origin],
            );
        }
        self.decision.steps.push(step);
        let what = format!(
            "the answer of {who} (`{}`): taken for consent without headers",
            check.key
        );
        self.leave_out(what, [&check.author.origin]);
        None
    }
}
