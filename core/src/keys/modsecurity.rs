//! Agents of a web application firewall; which paths they look at is said by [`waf`](crate::keys::waf).

use std::collections::BTreeMap;

use crate::haproxy::{Address, Config, Part, Waf, WafKind};
use crate::keys::{Cx, Family, block, keys};
use crate::origin::{Origin, Setting};
use crate::value::duration::Duration;
use crate::value::endpoint::HostPort;
use crate::value::items::Items;
use crate::value::text::Line;

/// Agents of a web application firewall.
pub const FAMILY: Family = Family {
    name: "modsecurity",
    title: "Agents of a web application firewall",
    blocks: &[block!(Global, ModSecurity)],
};

/// What an agent of Coraza is told if nobody says anything else.
const CORAZA: &str = "app=str(default) id=unique-id src-ip=src src-port=src_port dst-ip=dst \
                      dst-port=dst_port method=method path=path query=query version=req.ver \
                      headers=req.hdrs body=req.body";

keys! {
    Global => pub struct ModSecurity {
        /// What an agent is told of a request: sample fetches of HAProxy, each with a name and `=` in
        /// front if the agent goes by names.
        ///
        /// With `modsecurity-use-coraza` the default is what an agent of Coraza wants to know:
        /// `app=str(default) id=unique-id src-ip=src src-port=src_port dst-ip=dst dst-port=dst_port
        /// method=method path=path query=query version=req.ver headers=req.hdrs body=req.body`.
        "modsecurity-args" => arguments: Line = "unique-id method path query req.ver req.hdrs_bin req.body_size req.body",
        /// Where agents listen: addresses with their ports, joined by commas.
        ///
        /// HAProxy checks them and asks one that answers. Without any, paths that ask for `waf` are
        /// denied, unless they are only to be watched.
        "modsecurity-endpoints" => endpoints: Items<HostPort>,
        /// How long a connection to an agent may take.
        "modsecurity-timeout-connect" => connect: Duration = "5s",
        /// How long an agent may take to greet.
        "modsecurity-timeout-hello" => hello: Duration = "100ms",
        /// How long a connection to an agent is kept without a question.
        "modsecurity-timeout-idle" => idle: Duration = "30s",
        /// How long the answer to a request may take; a request without an answer is denied with 504.
        "modsecurity-timeout-processing" => processing: Duration = "1s",
        /// How long an agent may be silent.
        "modsecurity-timeout-server" => server: Duration = "5s",
        /// Whether the agents are of Coraza and not of ModSecurity.
        "modsecurity-use-coraza" => coraza: bool = "false",
    }
}

impl ModSecurity {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        let Some(endpoints) = &self.endpoints else {
            return;
        };
        cx.report_items("modsecurity-endpoints", endpoints, &endpoints.value.refused);
        let Some(kind) = self.kind() else { return };
        let agents = endpoints.value.good.iter().map(|it| match it {
            HostPort::Ip(ip, port) => Address::Ip(*ip, *port),
            HostPort::Name(name, port) => Address::Name(name.clone(), *port),
        });
        let agents = agents.collect();
        config.waf = Some(Waf {
            kind,
            agents: endpoints.map(|_| agents),
            arguments: self.told(),
            timeouts: timeouts([("connect", &self.connect), ("server", &self.server)]),
            agent_timeouts: timeouts([
                ("hello", &self.hello),
                ("idle", &self.idle),
                ("processing", &self.processing),
            ]),
        });
    }

    /// Which language the agents speak, if there are any.
    pub(super) fn kind(&self) -> Option<WafKind> {
        let has_agents = self
            .endpoints
            .as_ref()
            .is_some_and(|it| !it.value.good.is_empty());
        has_agents.then_some(if self.coraza.value {
            WafKind::Coraza
        } else {
            WafKind::ModSecurity
        })
    }

    /// Whether an agent wants to see the body.
    pub(super) fn wants_body(&self) -> bool {
        self.told().value.as_str().contains("req.body")
    }

    /// What an agent is told.
    fn told(&self) -> Part {
        if self.coraza.value && matches!(self.arguments.origin, Origin::Default(_)) {
            self.coraza.map(|_| Line::keyword(CORAZA))
        } else {
            self.arguments.clone()
        }
    }
}

fn timeouts<const N: usize>(
    timeouts: [(&'static str, &Setting<Duration>); N],
) -> BTreeMap<&'static str, Part> {
    timeouts
        .into_iter()
        .map(|(name, it)| (name, it.map(|it| Line::default().text(&it.to_string()))))
        .collect()
}
