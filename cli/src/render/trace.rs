//! Each line of the configuration beside who made it.

use std::collections::BTreeMap;

use haproxy_ingress_core::bundle::Bundle;
use haproxy_ingress_core::manifest::Positions;
use haproxy_ingress_core::origin::Origin;

/// Where the second column begins at the latest.
const WIDEST: usize = 90;

/// How many origins of a line are named.
const NAMED: usize = 3;

/// The configuration in three columns: number, line, origins.
pub(super) fn text(bundle: &Bundle, positions: &Positions) -> String {
    let lines: Vec<&str> = bundle.config().lines().collect();
    let digits = lines.len().to_string().len();
    let width = |it: &&str| it.chars().count();
    let column = lines
        .iter()
        .map(width)
        .filter(|&it| it <= WIDEST)
        .max()
        .unwrap_or_default();
    let mut known = BTreeMap::new();
    let mut text = String::new();
    for (number, line) in (1..).zip(&lines) {
        // An empty line stands for nothing.
        let origins = match *line {
            "" => &[],
            _ => bundle.source_map.line(number),
        };
        let mut names: Vec<&str> = Vec::new();
        for origin in origins.iter().take(NAMED) {
            known
                .entry(origin)
                .or_insert_with(|| named(origin, positions));
        }
        names.extend(origins.iter().take(NAMED).map(|it| known[it].as_str()));
        let more = origins.len().saturating_sub(NAMED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let row = format!(
            "{number:digits$}  {line:column$}  | {}{more}",
            names.join(", ")
        );
        text.push_str(row.trim_end_matches([' ', '|']));
        text.push('\n');
    }
    text
}

fn named(origin: &Origin, positions: &Positions) -> String {
    match positions.locate(origin) {
        Some(place) => format!("{origin} ({}:{}:{})", place.file, place.line, place.column),
        None => origin.to_string(),
    }
}
