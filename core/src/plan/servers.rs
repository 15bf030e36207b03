//! Compares the servers of a backend.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::assemble::Place;
use crate::bundle::Compiled;
use crate::haproxy::{Address, ServerState};
use crate::plan::Command;

/// The commands that make the servers of a backend of others; `None` if commands cannot do it.
pub(super) fn changes(
    backend: &Arc<str>,
    old: &[Place],
    new: &[Place],
    wanted: &Compiled,
) -> Option<Vec<Command>> {
    let mut before: BTreeMap<&str, &Place> = old.iter().map(|it| (&*it.name, it)).collect();
    let mut commands = Vec::new();
    for new in new {
        match before.remove(&*new.name) {
            Some(old) => change(backend, old, new, &mut commands)?,
            None => add(backend, new, wanted, &mut commands)?,
        }
    }
    commands.extend(before.into_values().map(|it| Command::RemoveServer {
        backend: backend.clone(),
        server: it.name.clone(),
    }));
    Some(commands)
}

fn add(
    backend: &Arc<str>,
    new: &Place,
    wanted: &Compiled,
    commands: &mut Vec<Command>,
) -> Option<()> {
    let shared = wanted.new_servers.get(backend)?;
    let Address::Ip(ip, port) = new.address else {
        return None;
    };
    let own = new.options.as_deref().unwrap_or_default();
    // What is escaped in a file is not in a command.
    if own.contains(['\\', '"', '\'', ';']) {
        return None;
    }
    let options = [&*shared.options, own].join(" ");
    commands.push(Command::AddServer {
        backend: backend.clone(),
        server: new.name.clone(),
        ip,
        port,
        weight: new.weight,
        options: options.trim().into(),
        is_checked: shared.is_checked,
        has_agent: shared.has_agent,
        has_dynamic_cookie: shared.has_dynamic_cookie,
    });
    if new.state != ServerState::Maint {
        commands.push(Command::SetServerState {
            backend: backend.clone(),
            server: new.name.clone(),
            state: new.state,
        });
    }
    Some(())
}

fn change(backend: &Arc<str>, old: &Place, new: &Place, commands: &mut Vec<Command>) -> Option<()> {
    if old == new {
        return Some(());
    }
    // Nothing is ever sent to a server in maintenance, whatever its line says.
    if new.state != ServerState::Maint {
        // Which options HAProxy has of one that comes back depends on whether there was a reload since.
        let has_some = old.options.is_some() || new.options.is_some();
        if old.options != new.options || (old.state == ServerState::Maint && has_some) {
            return None;
        }
    }
    let (backend, server) = (backend.clone(), new.name.clone());
    if new.state == ServerState::Maint {
        // Where a server in maintenance would be does not matter.
        let state = ServerState::Maint;
        commands.push(Command::SetServerState {
            backend,
            server,
            state,
        });
        return Some(());
    }
    if old.address != new.address {
        let Address::Ip(ip, port) = new.address else {
            return None;
        };
        let (backend, server) = (backend.clone(), server.clone());
        commands.push(Command::SetServerAddress {
            backend,
            server,
            ip,
            port,
        });
    }
    // A place that became free while it was drained still has the weight of that.
    if old.weight != new.weight || old.state == ServerState::Maint {
        let (backend, server, weight) = (backend.clone(), server.clone(), new.weight);
        commands.push(Command::SetServerWeight {
            backend,
            server,
            weight,
        });
    }
    if old.state != new.state {
        commands.push(Command::SetServerState {
            backend,
            server,
            state: new.state,
        });
    }
    Some(())
}
