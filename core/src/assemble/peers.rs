//! What the counters that HAProxys share need beside their keys.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Config, DataFile, Peers, Placed, Role};
use crate::keys::Cx;
use crate::origin::{Origin, Setting};
use crate::value::text::Snippet;

/// Where the script lies.
pub(crate) const PATH: &str = "/etc/haproxy/lua/peers.lua";

/// Adds the script that adds counters up, and takes out what asks for a backend's table where there is
/// none: HAProxy would not start with it.
pub(super) fn settle(config: &mut Config, cx: &mut Cx<'_>) {
    let Some(peers) = &config.peers else {
        return;
    };
    for backend in &mut config.backends {
        if backend.peer_table.is_none() {
            forget(backend, cx);
        }
    }
    let names: Vec<String> = peers
        .members
        .iter()
        .map(|it| format!("\"{}\"", it.name))
        .collect();
    let script = SCRIPT.replace("MEMBERS", &names.join(", "));
    let authors = [peers.bind.origin.clone()];
    config
        .files
        .push(DataFile::whole(PATH, Role::Lua, script, &authors));
}

/// Takes the lines out of a backend that ask for its table.
fn forget(backend: &mut Backend, cx: &mut Cx<'_>) {
    let table = Peers::table(&backend.name, "");
    let mut report = |origin: &Origin| {
        cx.report(
            &codes::NOT_FOUND,
            origin,
            "this asks for the counters of the backend, which has no `peers-table`",
            "what asks for them is left out",
        );
    };
    for snippet in [&mut backend.early, &mut backend.late] {
        let asks = |it: &Setting<Snippet>| {
            let mut lines = it.value.lines().iter();
            lines.any(|it| it.as_str().contains(&table))
        };
        if let Some(asking) = snippet.take_if(|it| asks(it)) {
            report(&asking.origin);
        }
    }
    let asks = |it: &Placed| it.rule.line.as_str().contains(&table);
    for placed in backend.rules.iter().filter(|it| asks(it)) {
        placed.origins.iter().for_each(&mut report);
    }
    backend.rules.retain(|it| !asks(it));
}

/// `peers_sum(GROUP,COUNTER)`: what all processes together have counted for a key.
const SCRIPT: &str = r#"-- Adds up what all peers have counted.

local members = { MEMBERS }

core.register_converters("peers_sum", function(key, group, counter)
    local sum = 0
    for _, member in ipairs(members) do
        local backend = core.backends["_peers_" .. group .. "_" .. member]
        local entry = backend and backend.stktable and backend.stktable:lookup(key)
        if entry and entry[counter] then
            sum = sum + entry[counter]
        end
    end
    return sum
end)
"#;
