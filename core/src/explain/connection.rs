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

    /// Says what conditions ask, in words.
    pub(super) fn describe(&self, conditions: &[String]) -> String {
        let mut says = Vec::new();
        for it in tests(conditions) {
            let Some((expression, rest)) = it.words.split_first() else {
                continue;
            };
            let flags = Flags::read(rest);
            let listed = match flags.file {
                Some(_) => "the list".to_owned(),
                None => {
                    let patterns: Vec<String> =
                        flags.patterns.iter().map(|it| format!("`{it}`")).collect();
                    patterns.join(", ")
                }
            };
            let not = if it.is_negated { "not " } else { "" };
            says.push(match call(expression) {
                ("src", _) => format!("`{}` is {not}in {listed}", self.request.client),
                ("var", Some("txn.list_source")) => {
                    let address = self.message.variables.get("txn.list_source");
                    let address = address.map_or("(none)", String::as_str);
                    format!("`{address}` is {not}in {listed}")
                }
                ("http_auth", _) => format!(
                    "the request has {}name and password of a user",
                    if it.is_negated { "not the " } else { "the " }
                ),
                ("req.body_size", _) => format!(
                    "the body has more than {} bytes",
                    flags.patterns.last().map_or("", String::as_str)
                ),
                ("req.fhdr", Some(arguments)) => {
                    let name = arguments.split(',').next().unwrap_or_default();
                    format!("there is {not}a header `{name}`")
                }
                ("req.hdr_ip", Some(arguments)) => {
                    let name = arguments.split(',').next().unwrap_or_default();
                    format!("`{name}` is {not}an address")
                }
                _ => format!("{not}{{ {} }}", it.words.join(" ")),
            });
        }
        says.join(" and ")
    }

    /// Whether a backend looks at requests.
    pub(super) fn is_http(backend: &Backend) -> bool {
        backend.mode == Mode::Http
    }
}
