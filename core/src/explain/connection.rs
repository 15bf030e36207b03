//! Connections that are passed on without a look at requests, and what conditions say in words.

use crate::explain::sample::{Flags, tests};
use crate::explain::words::{call, words};
use crate::explain::{End, Stage, Step, Walk};
use crate::haproxy::{Backend, Mode, Phase};
use crate::origin::Origin;

impl<'a> Walk<'a> {
    /// Where connections go that are passed on as they are.
    pub(super) fn connections(&mut self, backend: &'a Backend, origin: &Origin) -> End {
        let step = Step::new(
            Stage::Backend,
            "Which backend is it?",
            format!("`{}`", backend.name),
        );
        self.decision.steps.push(step.by([origin]));
        self.snippet(backend.early.as_ref());
        if !backend.refused.is_empty() {
            let step = Step::new(Stage::Backend, "May anything be sent to its servers?", "no");
            self.decision.steps.push(step.by(&backend.refused).end());
            return End::Closed;
        }
        for it in backend
            .rules
            .iter()
            .filter(|it| it.rule.phase == Phase::Access)
        {
            let conditions = it.rule.when.as_ref().map(words).unwrap_or_default();
            if self.message.holds(&conditions) == Some(true) {
                let why = self.describe(&conditions);
                let why = if why.is_empty() {
                    "everybody is refused".into()
                } else {
                    why
                };
                let asked = "May the client's address come?";
                let step = Step::new(Stage::Access, asked, format!("no: {why}")).by(&*it.origins);
                self.decision.steps.push(step.end());
                return End::Closed;
            }
        }
        self.limit(backend);
        self.late(backend);
        match self.servers(backend) {
            End::Backend { name, servers } => End::Passthrough { name, servers },
            _ => End::Closed,
        }
    }

    /// Says in words that conditions hold.
    pub(super) fn describe(&self, conditions: &[String]) -> String {
        let says = tests(conditions).map(|it| self.says(it.words, !it.is_negated));
        says.collect::<Vec<_>>().join(" and ")
    }

    /// Says in words that not all conditions hold.
    pub(super) fn describe_not(&self, conditions: &[String]) -> String {
        let says = tests(conditions).map(|it| self.says(it.words, it.is_negated));
        says.collect::<Vec<_>>().join(" or ")
    }

    /// Says in words that a condition holds, or that it does not.
    fn says(&self, words: &[String], holds: bool) -> String {
        let Some((expression, rest)) = words.split_first() else {
            return String::new();
        };
        let flags = Flags::read(rest);
        let listed = match flags.file {
            Some(_) => "the list".to_owned(),
            None => {
                let patterns = flags.patterns.iter().map(|it| format!("`{it}`"));
                patterns.collect::<Vec<_>>().join(", ")
            }
        };
        let not = if holds { "" } else { "not " };
        match call(expression) {
            ("src", _) => format!("`{}` is {not}in {listed}", self.request.client),
            ("var", Some("txn.list_source")) => {
                let address = self.message.variables.get("txn.list_source");
                let address = address.map_or("(none)", String::as_str);
                format!("`{address}` is {not}in {listed}")
            }
            ("http_auth", _) => {
                format!("the request has {not}the name and the password of a user")
            }
            ("req.body_size", _) => {
                let most = flags.patterns.last().map_or("", String::as_str);
                let than = if holds { "more than" } else { "at most" };
                format!("the body has {than} {most} bytes")
            }
            ("req.fhdr" | "req.hdr_ip", Some(arguments)) => {
                let name = arguments.split(',').next().unwrap_or_default();
                let what = match (expression.starts_with("req.fhdr"), holds) {
                    (true, true) => "a header",
                    (true, false) => "no header",
                    (false, true) => "an address in",
                    (false, false) => "no address in",
                };
                format!("there is {what} `{name}`")
            }
            _ => format!("{not}{{ {} }}", words.join(" ")),
        }
    }

    /// Whether a backend looks at requests.
    pub(super) fn is_http(backend: &Backend) -> bool {
        backend.mode == Mode::Http
    }
}
