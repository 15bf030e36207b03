//! The text of `--help`, from the tools and the table of flags.

use std::fmt::Write as _;

use crate::args::Tool;
use crate::args::table::{FLAGS, Flag, Kind, Status};

/// What stands in front of the tools.
const HEAD: &str = "\
HAProxy Ingress: an ingress controller for HAProxy

Usage: haproxy-ingress [controller] [flags]
       haproxy-ingress TOOL [options]

Tools, which need no cluster; each has a --help of its own:
";

/// What stands in front of the flags.
const NOTATION: &str = "
The controller has the flags below. A flag is written -name or --name, its value behind `=` or
as the next word; a switch takes its value behind `=` only. Durations are written as 300ms, 30s or
1h30m.
";

/// The whole text.
pub(crate) fn text() -> String {
    let mut text = String::from(HEAD);
    for (name, about) in Tool::list() {
        let _ = writeln!(text, "  {name:<13}{about}");
    }
    text.push_str(NOTATION);
    section(&mut text, "Flags", |it| it == Status::Effective);
    section(&mut text, "Accepted and ignored", |it| {
        matches!(it, Status::Ignored(_))
    });
    text
}

fn section(text: &mut String, title: &str, belongs: impl Fn(Status) -> bool) {
    let _ = write!(text, "\n{title}:\n");
    for flag in FLAGS.iter().filter(|it| belongs(it.status)) {
        let _ = write!(
            text,
            "  --{}{}\n      {}",
            flag.name,
            placeholder(flag),
            flag.doc
        );
        if !matches!(flag.default, "" | "false") {
            let _ = write!(text, " [default: {}]", flag.default);
        }
        if let Status::Ignored(why) = flag.status {
            let _ = write!(text, " (ignored: {why})");
        }
        text.push('\n');
    }
}

/// What stands for the value.
fn placeholder(flag: &Flag) -> String {
    match flag.kind {
        Kind::Switch => String::new(),
        Kind::Text(word) => format!(" {word}"),
        Kind::Choice(words) => {
            let words: Vec<_> = words.iter().copied().filter(|it| !it.is_empty()).collect();
            format!(" {}", words.join("|"))
        }
        Kind::Duration => " DURATION".into(),
        Kind::DurationOrSeconds => " DURATION|SECONDS".into(),
        Kind::Integer => " N".into(),
        Kind::Number => " NUMBER".into(),
    }
}
