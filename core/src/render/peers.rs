//! The processes that share counters, and their tables.

use minijinja::{Environment, Error};

use crate::haproxy::{Config, Part, Peers};
use crate::render::section::Output;
use crate::render::snippet;
use crate::value::text::Line;

/// Prints the section `peers`, if counters are shared.
pub(super) fn section(
    config: &Config,
    environment: &Environment<'_>,
    output: &mut Output,
) -> Result<(), Error> {
    let Some(peers) = &config.peers else {
        return Ok(());
    };
    let owner = [peers.bind.origin.clone()];
    output.section(&environment.get_template("peers.j2")?, &owner, |cx| {
        cx.part("name", Some(&peers.name));
        cx.part("bind", Some(&peers.bind));
        snippet("snippet", peers.snippet.as_ref(), cx);
        cx.lines(
            "members",
            peers.members.iter().map(|it| {
                let line = Line::default().text(&it.name);
                let line = match it.address {
                    Some(address) => line.text(&address.to_string()),
                    None => line,
                };
                (line, owner.as_slice())
            }),
        );
    })
}

/// Prints the tables of every group, one for each process.
pub(super) fn tables(
    config: &Config,
    environment: &Environment<'_>,
    output: &mut Output,
) -> Result<(), Error> {
    let Some(peers) = &config.peers else {
        return Ok(());
    };
    let template = environment.get_template("peer_table.j2")?;
    let global = peers.global_table.iter().map(|it| (Peers::GLOBAL, it));
    let mut own: Vec<(&str, &Part)> = config
        .backends
        .iter()
        .filter_map(|it| Some((&*it.name, it.peer_table.as_ref()?)))
        .collect();
    own.sort_by_key(|it| it.0);
    for (group, table) in global.chain(own) {
        for member in &peers.members {
            output.section(&template, std::slice::from_ref(&table.origin), |cx| {
                let name = Peers::table(group, &member.name);
                cx.line("name", Line::default().text(&name));
                cx.part("table", Some(table));
            })?;
        }
    }
    Ok(())
}
