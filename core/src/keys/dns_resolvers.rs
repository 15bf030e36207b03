//! Servers that are found by their names.

use std::sync::Arc;

use crate::diagnostic::codes;
use crate::haproxy::{Config, NameServers};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::resource::{PortRef, Service};
use crate::value::KeyValue as _;
use crate::value::duration::Duration;
use crate::value::hostname::Hostname;
use crate::value::items::Items;
use crate::value::number::Integer;
use crate::value::resolvers::{Domain, ResolverName, Resolvers};
use crate::value::text::{Line, Word};

/// Servers that are found by their names.
pub const FAMILY: Family = Family {
    name: "dns-resolvers",
    title: "Name servers",
    // Which servers a backend has is decided before anything acts on it.
    blocks: &[block!(Global, Dns), block!(UseResolver)],
};

keys! {
    Global => pub struct Dns {
        /// The longest answer of a name server that is taken, in bytes.
        "dns-accepted-payload-size" => payload: Integer<512, 65535> = "8192",
        /// The domain of the cluster: the end of the names that are asked for.
        "dns-cluster-domain" => domain: Domain = "cluster.local",
        /// How long an address counts that is no longer among the answers.
        "dns-hold-obsolete" => obsolete: Duration = "0s",
        /// How long an answer counts before it is asked for again.
        "dns-hold-valid" => valid: Duration = "1s",
        /// Name servers that backends may use, one set a line: `name=ip[:port],…`.
        ///
        /// The port is 53 if there is none; an address of version 6 with a port stands in brackets.
        "dns-resolvers" => resolvers: Items<Resolvers>,
        /// How long a name server has for its answer before it is asked again.
        "dns-timeout-retry" => retry: Duration = "1s",
    }
}

keys! {
    Backend => pub struct UseResolver {
        /// Lets HAProxy find the servers by the name of the Service, with name servers of
        /// `dns-resolvers`.
        ///
        /// There are as many servers as there are endpoints, and those that are free in slots mode
        /// (`dynamic-scaling`); more of them need a reload. A port with a number is asked for as
        /// `SERVICE.NAMESPACE.svc.DOMAIN`, one with a name as `_PORT._tcp.SERVICE.NAMESPACE.svc.DOMAIN`.
        /// The answer for a Service that is not headless is its virtual address. Weights of groups,
        /// names and numbers of servers, draining and source addresses have no effect then.
        "use-resolver" => resolver: ResolverName,
    }
}

impl Dns {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        let Some(resolvers) = &self.resolvers else {
            return;
        };
        cx.report_items("dns-resolvers", resolvers, &resolvers.value.refused);
        for it in &resolvers.value.good {
            let name = Word::lossy(it.name.as_str());
            if config.resolvers.iter().any(|it| it.name == name) {
                cx.report(
                    &codes::CONFLICT,
                    &resolvers.origin,
                    format!("`dns-resolvers`: `{name}` stands twice"),
                    "the first one is used",
                );
                continue;
            }
            let mut lines = Vec::new();
            for (number, server) in (1..).zip(&it.servers) {
                let line = Line::keyword("nameserver")
                    .text(&format!("ns{number:02}"))
                    .text(&server.to_string());
                lines.push(resolvers.map(|_| line));
            }
            let time = |name, time: &Setting<Duration>| {
                time.map(|it| Line::keyword(name).text(&it.to_string()))
            };
            let payload =
                |it: &Integer<512, 65535>| Line::keyword("accepted_payload_size").number(it.get());
            lines.push(self.payload.map(payload));
            lines.push(time("hold obsolete", &self.obsolete));
            lines.push(time("hold valid", &self.valid));
            lines.push(time("timeout retry", &self.retry));
            config.resolvers.push(NameServers {
                name,
                lines,
                origin: resolvers.origin.clone(),
            });
        }
    }
}

impl UseResolver {
    /// The name servers that are asked for, if the operator has them.
    pub fn known(&self, cx: &mut Cx<'_>) -> Option<Setting<Word>> {
        let wanted = self.resolver.as_ref()?;
        let dns = cx.global_settings::<Dns>();
        let mut known = dns.resolvers.iter().flat_map(|it| &it.value.good);
        if known.any(|it| it.name == wanted.value) {
            return Some(wanted.map(|it| Word::lossy(it.as_str())));
        }
        cx.report(
            &codes::NOT_FOUND,
            &wanted.origin,
            format!("`dns-resolvers` has no `{}`", wanted.value),
            "the endpoints are the servers",
        );
        None
    }

    /// The name of a port of a Service, and its number where the name does not say it.
    pub fn name(
        &self,
        service: &Service,
        port: &str,
        cx: &mut Cx<'_>,
    ) -> Option<(Arc<str>, Option<u16>)> {
        let dns = cx.global_settings::<Dns>();
        let is_headless = service.spec.cluster_ip.as_deref() == Some("None");
        let mut ports = service.spec.ports.iter();
        let port = ports.find(|it| it.name.as_deref().unwrap_or_default() == port)?;
        let meta = &service.meta;
        let host = format!(
            "{}.{}.svc.{}",
            meta.name,
            meta.namespace,
            dns.domain.value.as_str()
        );
        let (name, number) = match port.target() {
            PortRef::Number(target) => {
                let number = if is_headless { target } else { port.port };
                let number = u16::try_from(number).ok().filter(|it| *it > 0)?;
                (host, Some(number))
            }
            PortRef::Name(target) => {
                let name = port.name.as_ref().filter(|it| !it.is_empty());
                (format!("_{}._tcp.{host}", name.unwrap_or(&target)), None)
            }
        };
        match Hostname::parse(&name) {
            Ok(name) => Some((name.shared(), number)),
            Err(error) => {
                if let Some(wanted) = &self.resolver {
                    let outcome = "the endpoints are the servers";
                    cx.report(
                        &codes::INVALID_HOST,
                        &wanted.origin,
                        error.to_string(),
                        outcome,
                    );
                }
                None
            }
        }
    }
}
