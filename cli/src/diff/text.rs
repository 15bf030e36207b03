//! A comparison as people read it: hunks as `diff -u` writes them, who wrote what differs, the plan.

use std::fmt::Write as _;

use haproxy_ingress_core::compare::{FileChange, Hunk, Line};
use haproxy_ingress_core::origin::Origin;
use haproxy_ingress_core::plan::{Change, Plan};

use crate::diff::Both;
use crate::report::named;

/// How many origins of a hunk are named.
const NAMED: usize = 5;

/// How many commands of a plan are shown.
const COMMANDS: usize = 50;

/// Codes of a terminal (ECMA-48, select graphic rendition); empty where no colours are wanted.
struct Colours {
    bold: &'static str,
    removed: &'static str,
    added: &'static str,
    place: &'static str,
    end: &'static str,
}

const PLAIN: Colours = Colours {
    bold: "",
    removed: "",
    added: "",
    place: "",
    end: "",
};

const COLOURFUL: Colours = Colours {
    bold: "\u{1b}[1m",
    removed: "\u{1b}[31m",
    added: "\u{1b}[32m",
    place: "\u{1b}[36m",
    end: "\u{1b}[0m",
};

pub(super) fn text(both: &Both, is_colourful: bool) -> String {
    let colours = if is_colourful { &COLOURFUL } else { &PLAIN };
    let mut text = String::new();
    for it in &both.comparison.files {
        file(&mut text, it, both, colours);
    }
    plan(&mut text, both, colours);
    text
}

fn file(text: &mut String, file: &FileChange, both: &Both, colours: &Colours) {
    let Colours { bold, end, .. } = colours;
    let path = &file.path;
    // Writing to a `String` cannot fail.
    if file.is_secret {
        let _ = writeln!(
            text,
            "{bold}{path} {}{end}, what is in it is not shown\n",
            file.change
        );
        return;
    }
    let side = |is_there: bool| if is_there { &**path } else { "/dev/null" };
    let _ = writeln!(
        text,
        "{bold}--- {}{end}",
        side(file.change != Change::Added)
    );
    let _ = writeln!(
        text,
        "{bold}+++ {}{end}",
        side(file.change != Change::Removed)
    );
    if let Some((old, new)) = file.modes {
        let _ = writeln!(text, "mode {old:04o}, now {new:04o}");
    }
    for section in &file.sections {
        for it in &section.hunks {
            hunk(text, it, &section.name, both, colours);
        }
    }
    text.push('\n');
}

fn hunk(text: &mut String, hunk: &Hunk, section: &str, both: &Both, colours: &Colours) {
    let Colours {
        removed,
        added,
        place,
        end,
        ..
    } = colours;
    let old = range(hunk.lines.iter().filter_map(|it| it.old));
    let new = range(hunk.lines.iter().filter_map(|it| it.new));
    let gap = if section.is_empty() { "" } else { " " };
    let _ = writeln!(text, "{place}@@ -{old} +{new} @@{end}{gap}{section}");
    for Line {
        change, text: line, ..
    } in &hunk.lines
    {
        let _ = match change {
            None => writeln!(text, " {line}"),
            Some(Change::Removed) => writeln!(text, "{removed}-{line}{end}"),
            Some(_) => writeln!(text, "{added}+{line}{end}"),
        };
    }
    // Whoever is no object stands there only where no object is.
    let is_object = |it: &&Origin| it.object().is_some();
    let objects: Vec<&Origin> = hunk.origins.iter().filter(is_object).collect();
    let shown = if objects.is_empty() {
        hunk.origins.iter().collect()
    } else {
        objects
    };
    for it in shown.iter().take(NAMED) {
        let _ = writeln!(text, "{place}  = {}{end}", named(it, both.positions(it)));
    }
    if shown.len() > NAMED {
        let _ = writeln!(text, "{place}  = and {} more{end}", shown.len() - NAMED);
    }
}

/// `FIRST,COUNT`, as a unified diff has it.
fn range(numbers: impl Iterator<Item = u32>) -> String {
    let numbers: Vec<u32> = numbers.collect();
    match numbers[..] {
        [] => "0,0".into(),
        [only] => only.to_string(),
        [first, ..] => format!("{first},{}", numbers.len()),
    }
}

fn plan(text: &mut String, both: &Both, colours: &Colours) {
    let Colours { bold, end, .. } = colours;
    match &both.comparison.plan {
        Plan::Nothing if both.comparison.files.is_empty() => {
            let _ = writeln!(
                text,
                "{bold}Plan: nothing{end}, the configuration is the same"
            );
        }
        Plan::Nothing => {
            let _ = writeln!(
                text,
                "{bold}Plan: nothing{end}, HAProxy does the same as before"
            );
        }
        Plan::Update { commands } => {
            let plural = if commands.len() == 1 { "" } else { "s" };
            let _ = writeln!(
                text,
                "{bold}Plan: {} command{plural}{end} to HAProxy while it runs, no reload",
                commands.len()
            );
            for it in commands.iter().take(COMMANDS) {
                let _ = writeln!(text, "  {it}");
            }
            if commands.len() > COMMANDS {
                let _ = writeln!(text, "  and {} more", commands.len() - COMMANDS);
            }
        }
        Plan::Reload { reasons } => {
            let _ = writeln!(text, "{bold}Plan: reload{end}, because of");
            for it in reasons {
                let _ = writeln!(text, "  {} {}", it.place, it.change);
                for it in &it.origins {
                    let _ = writeln!(text, "    by {}", named(it, both.positions(it)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_a_unified_diff() {
        assert_eq!(range([].into_iter()), "0,0");
        assert_eq!(range([7].into_iter()), "7");
        assert_eq!(range(3..6), "3,3");
    }
}
