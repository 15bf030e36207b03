//! A web application firewall: agents that are asked about requests (HAProxy's `doc/SPOE.txt`).

use std::collections::BTreeMap;

use crate::haproxy::{Address, Part};
use crate::origin::Setting;

/// Agents of a web application firewall, and what they are told.
#[derive(Clone, Debug)]
pub struct Waf {
    /// Which language they speak.
    pub kind: WafKind,
    /// Where the agents listen.
    pub agents: Setting<Vec<Address>>,
    /// What they are told of a request: what stands behind `args`.
    pub arguments: Part,
    /// Timeouts of the backend with the agents, by their name.
    pub timeouts: BTreeMap<&'static str, Part>,
    /// Timeouts of the conversation with an agent, by their name.
    pub agent_timeouts: BTreeMap<&'static str, Part>,
}

/// Which language agents speak.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WafKind {
    /// That of agents of ModSecurity: a number is the answer.
    ModSecurity,
    /// That of agents of Coraza: a word is the answer.
    Coraza,
}

impl Waf {
    /// The name of the engine, in the filter, in its file and in rules.
    pub const ENGINE: &'static str = "modsecurity";
    /// The name of the backend with the agents.
    pub const BACKEND: &'static str = "spoe-modsecurity";
    /// Where the engine is described, without the operator's prefix.
    pub const PATH: &'static str = "/etc/haproxy/spoe-modsecurity.conf";
}

impl WafKind {
    /// The message that an agent gets, and the name of the group that it is alone in.
    pub fn message(self) -> &'static str {
        match self {
            Self::ModSecurity => "check-request",
            Self::Coraza => "coraza-req",
        }
    }

    /// What stands in front of the names of an agent's variables.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::ModSecurity => "modsec",
            Self::Coraza => "coraza",
        }
    }
}
