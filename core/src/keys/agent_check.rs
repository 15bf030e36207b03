//! Agents that say how servers are.

use crate::diagnostic::codes;
use crate::haproxy::Backend;
use crate::keys::{Cx, Family, Setting, block, health_check, keys};
use crate::value::check::{AgentText, CheckAddress};
use crate::value::duration::Duration;
use crate::value::number::Port;
use crate::value::text::Line;

/// Agents that say how servers are.
pub const FAMILY: Family = Family {
    name: "agent-check",
    title: "Agent checks",
    blocks: &[block!(Backend, AgentCheck)],
};

keys! {
    Backend => pub struct AgentCheck {
        /// The IP address of the agent, in place of the server's.
        ///
        /// An annotation cannot name an address of HAProxy's own machine or network segment.
        "agent-check-addr" => address: CheckAddress,
        /// How often the agent is asked; HAProxy's own interval is 2s.
        "agent-check-interval" => interval: Duration,
        /// The port of an agent that is asked how each server is and what weight it can bear; without it
        /// no agent is asked.
        ///
        /// A weight of an agent is a part of the server's, so give servers a larger one, such as 100, in
        /// `initial-weight`.
        "agent-check-port" => port: Port,
        /// What is sent to the agent when it is asked; `\n` stands for a line feed.
        "agent-check-send" => send: AgentText,
    }
}

impl AgentCheck {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let Some(agent) = &self.port else {
            self.report_alone(cx);
            return;
        };
        let options = &mut backend.server_options;
        let on = agent.map(|it| Line::keyword("agent-check agent-port").number(it.get()));
        options.insert("agent-check", on);
        if let Some(interval) = &self.interval {
            let part = interval.map(|it| Line::keyword("agent-inter").text(&it.to_string()));
            options.insert("agent-inter", part);
        }
        if let Some(send) = &self.send {
            let part = send.map(|it| Line::keyword("agent-send").line(&it.line()));
            options.insert("agent-send", part);
        }
        let address = health_check::checked_address("agent-check-addr", self.address.as_ref(), cx);
        if let Some(address) = address {
            let part =
                address.map(|it: &CheckAddress| Line::keyword("agent-addr").line(&it.line()));
            options.insert("agent-addr", part);
        }
    }

    /// Reports keys that an object writes although no agent is asked.
    fn report_alone(&self, cx: &mut Cx<'_>) {
        fn said<T>(setting: Option<&Setting<T>>) -> Option<&crate::origin::Origin> {
            setting.filter(|it| it.is_local).map(|it| &it.origin)
        }
        for (key, origin) in [
            ("addr", said(self.address.as_ref())),
            ("interval", said(self.interval.as_ref())),
            ("send", said(self.send.as_ref())),
        ] {
            if let Some(origin) = origin {
                cx.report(
                    &codes::NO_EFFECT,
                    origin,
                    format!("`agent-check-{key}` stands without `agent-check-port`"),
                    "no agent is asked",
                );
            }
        }
    }
}
