//! Paths whose requests a web application firewall looks at.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Path, Phase, Rule, Waf, WafKind};
use crate::keys::modsecurity::ModSecurity;
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::choice;
use crate::value::text::{Format, Line};
use crate::value::tried::Tried;

/// Paths whose requests a web application firewall looks at.
pub const FAMILY: Family = Family {
    name: "waf",
    title: "Web application firewall",
    blocks: &[block!(Path, Inspection)],
};

choice! {
    /// Which firewall looks at a path.
    pub enum Firewall {
        /// The agents of `modsecurity-endpoints`.
        ModSecurity = "modsecurity",
    }
}

choice! {
    /// What becomes of a request that the firewall objects to.
    pub enum Mode {
        /// It is refused.
        Deny = "deny",
        /// It is served; the agents log it.
        Detect = "detect",
    }
}

keys! {
    Path => pub struct Inspection {
        /// Lets a web application firewall look at the requests of this path.
        ///
        /// `modsecurity` stands for the agents of `modsecurity-endpoints`, those of Coraza included.
        /// They are asked after address lists, authentication and the size of the body, and see the
        /// body as far as it fits into HAProxy's buffer, 16 KiB by default. A path that asks for a
        /// firewall that there is not is denied.
        "waf" => firewall: Tried<Firewall>,
        /// What becomes of a request that the firewall objects to.
        ///
        /// - `deny`: it is refused; so is one about which no agent says anything in time, with 504, and
        ///   one whose body does not arrive in 5 seconds, with 408
        /// - `detect`: it is served, whatever the agents say and whether they are there or not; a body
        ///   is not waited for
        "waf-mode" => mode: Mode = "deny",
    }
}

impl Inspection {
    fn apply(&self, path: &mut Path, backend: &mut Backend, cx: &mut Cx<'_>) {
        let Some(firewall) = &self.firewall else {
            return;
        };
        let agents = cx.global_settings::<ModSecurity>();
        let problem = match (&firewall.value.0, agents.kind()) {
            (Ok(Firewall::ModSecurity), Some(kind)) => {
                let wants_body = agents.wants_body();
                self.inspect(kind, wants_body, firewall, path.number, backend);
                return;
            }
            (Ok(Firewall::ModSecurity), None) => {
                "`modsecurity-endpoints` names no agent that could look at requests".to_owned()
            }
            (Err(error), _) => error.to_string(),
        };
        if self.mode.value == Mode::Detect {
            cx.report(
                &codes::INVALID_VALUE,
                &firewall.origin,
                format!("`waf`: {problem}"),
                "nothing looks at the requests of the path, which are served",
            );
            return;
        }
        let deny = Rule::new(
            Phase::Firewall,
            Line::keyword("http-request deny deny_status 503"),
        );
        backend.add(path.number, deny, &firewall.origin);
        cx.report(
            &codes::INVALID_PROTECTION,
            &firewall.origin,
            format!("`waf`: {problem}"),
            "the path is denied",
        );
    }

    /// Rules that ask the agents, and that do what they say.
    fn inspect(
        &self,
        kind: WafKind,
        wants_body: bool,
        firewall: &Setting<Tried<Firewall>>,
        path: u32,
        backend: &mut Backend,
    ) {
        backend.firewall.add(&firewall.origin);
        let is_deny = self.mode.value == Mode::Deny;
        let mut add = |line: Line, when: Option<String>| {
            let rule = Rule::new(Phase::Firewall, line);
            let rule = match when {
                Some(when) => rule.when(Line::default().and(&when)),
                None => rule,
            };
            backend.add(path, rule, &firewall.origin);
        };
        if is_deny && wants_body {
            add(Line::keyword("http-request wait-for-body time 5s"), None);
        }
        let ask = Line::keyword("http-request send-spoe-group")
            .and(Waf::ENGINE)
            .and(kind.message());
        add(ask, None);
        if !is_deny {
            return;
        }
        let variable = |name: &str| format!("var(txn.{}.{name})", kind.prefix());
        // Nobody has answered: an error is noted, and no time was taken where nobody was asked at all.
        let unanswered = || Line::keyword("http-request deny deny_status 504");
        add(
            unanswered(),
            Some(format!("{{ {} -m found }}", variable("error"))),
        );
        add(
            unanswered(),
            Some(format!("!{{ {} -m found }}", variable("time"))),
        );
        match kind {
            WafKind::ModSecurity => add(
                Line::keyword("http-request deny"),
                Some(format!("{{ {} -m int gt 0 }}", variable("code"))),
            ),
            WafKind::Coraza => {
                let action = |it: &str| Some(format!("{{ {} -m str {it} }}", variable("action")));
                let location = Format::expression(&variable("data"));
                let redirect =
                    Line::keyword("http-request redirect code 302 location").format(&location);
                add(redirect, action("redirect"));
                add(Line::keyword("http-request deny"), action("deny"));
                add(Line::keyword("http-request silent-drop"), action("drop"));
            }
        }
    }
}
