//! Counters that several processes of HAProxy share.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Config, Part, Peer, Peers};
use crate::keys::configuration_snippet::GlobalSnippets;
use crate::keys::ports::Listeners;
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::options::Name;
use crate::resource::EndpointSlice;
use crate::value::directive::SectionName;
use crate::value::number::Integer;
use crate::value::stick_table::StickTable;
use crate::value::text::{Line, Snippet, Word};

/// Counters that several processes of HAProxy share.
pub const FAMILY: Family = Family {
    name: "peers",
    title: "Peers",
    blocks: &[block!(Global, PeerKeys), block!(Backend, BackendTable)],
};

keys! {
    Global => pub struct PeerKeys {
        /// The name of the section `peers`.
        "peers-name" => name: SectionName = "ingress",
        /// The port on which each HAProxy of the controller's Pods listens for the others, so that they
        /// share their counters; nothing or 0 shares none.
        ///
        /// They find each other by the Services of the controller's namespace that lead to its Pods; a
        /// controller that is not told its Pod's name in `POD_NAME` is alone. Counters also survive a
        /// reload then, those of `limit-connections` and `limit-rps` included. Of
        /// these each process sends the others what it counted, and the last word counts. Whoever reaches
        /// the port can change counters.
        "peers-port" => port: Integer<0, 65535>,
        /// The table of counters that snippets for all backends use: its type, its size and what it
        /// stores, such as `type ip size 100k expire 1m store http_req_rate(10s)`.
        ///
        /// Each process counts in a table of its own, `%[peers_table_global]` in snippets, and
        /// `lua.peers_sum(%[peers_group_global],COUNTER)` adds up what all of them count; compare it as
        /// a number, with `-m int`.
        "peers-table-global" => table: StickTable,
    }
}

keys! {
    Backend => pub struct BackendTable {
        /// The table of counters that snippets for this backend use, written like
        /// `peers-table-global`; in annotations it has at most 1,048,576 entries.
        ///
        /// In snippets and in headers `%[peers_table_backend]` is the table of this process, and
        /// `%[peers_group_backend]` what `lua.peers_sum` calls the tables of all of them.
        "peers-table" => table: StickTable,
    }
}

/// The processes that share counters.
struct Members {
    /// In the order of their Pods' names.
    all: Vec<Peer>,
    /// The name of this one.
    local: Arc<str>,
}

/// The most entries that a tenant may ask for.
const MAX_ENTRIES: u32 = 1 << 20;

/// The variables of peers in snippets, without `%[` and `]`.
const VARIABLES: [&str; 4] = [
    "peers_group_global",
    "peers_table_global",
    "peers_group_backend",
    "peers_table_backend",
];

impl PeerKeys {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        let snippets = cx.global_settings::<GlobalSnippets>();
        let Some(port) = port(cx) else {
            for (key, origin) in [
                ("config-peers", snippets.peers.as_ref().map(|it| &it.origin)),
                (
                    "peers-table-global",
                    self.table.as_ref().map(|it| &it.origin),
                ),
            ] {
                if let Some(origin) = origin {
                    cx.report(
                        &codes::NO_EFFECT,
                        origin,
                        format!("`{key}` stands without `peers-port`"),
                        "there are no peers",
                    );
                }
            }
            return;
        };
        let Members { all, local } = &*members(port.value, cx);
        if all.len() == 1
            && let Some(pod) = &cx.options.replica
        {
            let message =
                format!("no Service leads to the Pod `{pod}` of the controller and to others");
            let outcome = "counters are shared with nobody; they still survive a reload";
            cx.report(&codes::NO_EFFECT, &port.origin, message, outcome);
        }
        let table = self.table.as_ref();
        let snippet = snippets.peers.as_ref();
        config.peers = Some(Peers {
            name: self.name.map(|it| Line::default().text(it.as_str())),
            bind: port.map(|it| bind(*it, all)),
            members: all.clone(),
            local: local.clone(),
            snippet: snippet.and_then(|it| resolve("config-peers", it, None, cx)),
            global_table: table.and_then(|it| checked("peers-table-global", it, cx)),
        });
    }
}

/// The port of peers, if they have one that nothing else has.
fn port(cx: &mut Cx<'_>) -> Option<Setting<u16>> {
    Listeners::of(cx).peers.clone()
}

impl BackendTable {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let Some(table) = &self.table else {
            return;
        };
        if port(cx).is_none() {
            cx.report(
                &codes::NO_EFFECT,
                &table.origin,
                "`peers-table` stands without `peers-port` in the global ConfigMap",
                "there are no peers",
            );
            return;
        }
        backend.peer_table = checked("peers-table", table, cx);
    }
}

/// What stands behind `stick-table`, if its author may have such a table and HAProxy can store it.
fn checked(key: &str, table: &Setting<StickTable>, cx: &mut Cx<'_>) -> Option<Part> {
    const OUTCOME: &str = "there is no such table";
    let shared = cx.global_settings::<PeerKeys>();
    let section = shared.name.value.as_str();
    if table.is_tenants && table.value.size() > MAX_ENTRIES {
        let message = format!("`{key}`: an annotation asks for more than {MAX_ENTRIES} entries");
        cx.report(&codes::NOT_PERMITTED, &table.origin, message, OUTCOME);
        return None;
    }
    if let Some(other) = table.value.peers.as_ref().filter(|it| ***it != *section) {
        let found = crate::value::shown(other);
        cx.report(
            &codes::CONFLICT,
            &table.origin,
            format!("`{key}` names the peers `{found}`"),
            format!("they are those of `peers-name`, `{section}`"),
        );
    }
    let (major, minor) = table.value.since();
    if !cx.haproxy_is(major, minor) {
        let message = format!("`{key}`: HAProxy {} does not store this", cx.haproxy());
        cx.report(&codes::UNSUPPORTED, &table.origin, message, OUTCOME);
        return None;
    }
    Some(table.map(|it| it.line(section)))
}

/// The processes that share counters. Where this one's Pod is not known, it is alone.
fn members(port: u16, cx: &mut Cx<'_>) -> Rc<Members> {
    cx.fact(|cx| find_members(port, cx))
}

fn find_members(port: u16, cx: &Cx<'_>) -> Members {
    let name = |number: usize| -> Arc<str> { format!("proxy{number:02}").into() };
    let own = cx.options.replica.as_deref();
    let replicas = own.map(|it| replicas(it, cx)).unwrap_or_default();
    let Some(place) = replicas.keys().position(|it| Some(*it) == own) else {
        let alone = Peer {
            name: name(1),
            address: None,
        };
        return Members {
            all: vec![alone],
            local: name(1),
        };
    };
    let members = replicas.values().enumerate().map(|(index, address)| Peer {
        name: name(index + 1),
        address: (index != place).then(|| (*address, port).into()),
    });
    Members {
        all: members.collect(),
        local: name(place + 1),
    }
}

/// On what this process listens: on IPv6, too, if others come from there.
fn bind(port: u16, members: &[Peer]) -> Line {
    let mut others = members.iter().filter_map(|it| it.address);
    if others.any(|it| it.is_ipv6()) {
        Line::default().text(&format!(":::{port}")).and("v4v6")
    } else {
        Line::default().text(&format!(":{port}"))
    }
}

/// The controller's Pods with their addresses: those behind any Service that leads to this one.
fn replicas<'a>(own: &str, cx: &Cx<'a>) -> BTreeMap<&'a str, IpAddr> {
    let namespace = &cx.options.controller_namespace;
    let first = Name::new(namespace.as_str(), "");
    let slices = cx.snapshot.endpoint_slices.range(first..);
    let slices: Vec<_> = slices
        .take_while(|(name, _)| *name.namespace == **namespace)
        .map(|it| it.1)
        .collect();
    let pods = |slice: &'a EndpointSlice| {
        let endpoints = slice.endpoints.iter();
        endpoints
            .filter(|it| !it.conditions.terminating.unwrap_or_default())
            .filter_map(|it| {
                let name = it.target_ref.as_ref()?.name.as_deref()?;
                Some((name, it.addresses.first()?.parse::<IpAddr>().ok()?))
            })
    };
    let services: BTreeSet<_> = slices
        .iter()
        .filter(|it| pods(it).any(|(name, _)| name == own))
        .filter_map(|it| it.service())
        .collect();
    let mut replicas = BTreeMap::new();
    for slice in slices {
        if slice.service().is_some_and(|it| services.contains(it)) {
            // Of two families of addresses the one that comes first has a Pod.
            for (name, address) in pods(slice) {
                replicas.entry(name).or_insert(address);
            }
        }
    }
    replicas
}

/// The variables that can be replaced: names of variables, and what stands for them. `Err` says why
/// there are none.
pub(super) fn variables(
    backend: Option<&Backend>,
    cx: &mut Cx<'_>,
) -> Result<Vec<(&'static str, Word)>, &'static str> {
    let shared = cx.global_settings::<PeerKeys>();
    let Some(port) = port(cx) else {
        return Err("`peers-port` is not set");
    };
    let local = members(port.value, cx).local.clone();
    let mut variables = Vec::with_capacity(VARIABLES.len());
    let mut add = |group_name, table_name, group: &str| {
        variables.push((group_name, Word::lossy(group)));
        variables.push((table_name, Word::lossy(&Peers::table(group, &local))));
    };
    if shared.table.is_some() {
        add(VARIABLES[0], VARIABLES[1], Peers::GLOBAL);
    }
    if let Some(backend) = backend {
        add(VARIABLES[2], VARIABLES[3], &backend.name);
    }
    Ok(variables)
}

/// A snippet with the variables of peers replaced; without it, and reported, if one of them is not
/// there.
pub(super) fn resolve(
    key: &str,
    snippet: &Setting<Snippet>,
    backend: Option<&Backend>,
    cx: &mut Cx<'_>,
) -> Option<Setting<Snippet>> {
    let asks = |it: &Snippet| it.lines().iter().any(|it| it.as_str().contains("%[peers_"));
    if !asks(&snippet.value) {
        return Some(snippet.clone());
    }
    let variables = variables(backend, cx);
    let resolved = variables.as_ref().map(|variables| {
        let variables: Vec<_> = variables.iter().map(|(name, word)| (*name, word)).collect();
        snippet.map(|it| it.replace(&variables))
    });
    let why = match resolved {
        Ok(resolved) if !asks(&resolved.value) => return Some(resolved),
        Ok(_) => "there is no table of this name",
        Err(why) => why,
    };
    cx.report(
        &codes::NOT_FOUND,
        &snippet.origin,
        format!("`{key}` asks for counters of peers, but {why}"),
        "the whole snippet is left out",
    );
    None
}
