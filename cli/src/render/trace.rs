//! Each line of what HAProxy reads beside who made it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use haproxy_ingress_core::bundle::{Bundle, File, Role};
use haproxy_ingress_core::manifest::Positions;
use haproxy_ingress_core::origin::Origin;

use crate::report::named;

/// Where the second column begins at the latest.
const WIDEST: usize = 90;

/// How many origins of a line are named.
const NAMED: usize = 3;

/// The configuration, then the maps and lists under their paths, in three columns: number, line,
/// origins.
pub(super) fn text(bundle: &Bundle, positions: &Positions) -> String {
    let mut names = Names {
        positions,
        known: BTreeMap::new(),
    };
    let mut text = String::new();
    if let Some(main) = bundle.main() {
        add(&mut text, main, &mut names);
    }
    let is_shown = |it: &&File| {
        matches!(
            it.role,
            Role::Map | Role::Checks | Role::RegexMap | Role::List | Role::CertificateList
        )
    };
    for file in bundle.files.iter().filter(is_shown) {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n{}:\n", file.path);
        add(&mut text, file, &mut names);
    }
    text
}

fn add<'a>(text: &mut String, file: &'a File, names: &mut Names<'a>) {
    let lines: Vec<&str> = file.content.lines().collect();
    let digits = lines.len().to_string().len();
    let width = |it: &&str| it.chars().count();
    let column = lines
        .iter()
        .map(width)
        .filter(|&it| it <= WIDEST)
        .max()
        .unwrap_or_default();
    for (number, line) in (1..).zip(&lines) {
        // An empty line stands for nothing.
        let authors = match *line {
            "" => String::new(),
            _ => names.list(file.source_map.line(number)),
        };
        let row = format!("{number:digits$}  {line:column$}  | {authors}");
        text.push_str(row.trim_end_matches([' ', '|']));
        text.push('\n');
    }
}

/// The names of origins, each made once.
struct Names<'a> {
    positions: &'a Positions,
    known: BTreeMap<&'a Origin, String>,
}

impl<'a> Names<'a> {
    /// The first few of a line's origins, and how many more there are.
    fn list(&mut self, origins: &'a [Origin]) -> String {
        let mut list = String::new();
        for origin in origins.iter().take(NAMED) {
            if !list.is_empty() {
                list.push_str(", ");
            }
            let positions = self.positions;
            let name = self.known.entry(origin);
            list.push_str(name.or_insert_with(|| named(origin, positions)));
        }
        let more = origins.len().saturating_sub(NAMED);
        if more > 0 {
            let _ = write!(list, " and {more} more");
        }
        list
    }
}
