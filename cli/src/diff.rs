//! `diff`: what another set of manifests changes, and what HAProxy would have to do about it.

mod text;

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::bail;
use haproxy_ingress_core::compare::{Comparison, FileChange, Line, compare};
use haproxy_ingress_core::diagnostic::Diagnostic;
use haproxy_ingress_core::manifest::Positions;
use haproxy_ingress_core::origin::Origin;
use haproxy_ingress_core::plan::{Plan, Reason};
use serde_json::{Value, json};

use crate::input::{self, Input};
use crate::progress::Progress;
use crate::report::{self, Format, json as report_json};

/// Flags of `diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints what differs to standard output, then the plan: nothing, commands that a running HAProxy
is told, or a reload with its reasons. Findings that are new go to standard error. Servers keep
their names, as they do while HAProxy runs; of secrets it is only said that they differ.

Exit status: 0 fine, 1 with --exit-code if there is a difference, 2 usage or I/O.

  haproxy-ingress diff -f live/ --to edited/
  git show main:shop.yaml | haproxy-ingress diff -f - --to shop.yaml --exit-code=reload")]
pub(crate) struct Args {
    #[command(flatten)]
    input: input::Args,
    /// The manifests to compare with: files, folders, or - for standard input
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    to: Vec<PathBuf>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// End with the status 1 if something differs, or only if HAProxy would have to be reloaded
    #[arg(long, value_enum, value_name = "WHEN", num_args = 0..=1, require_equals = true,
        default_missing_value = "difference")]
    exit_code: Option<ExitOn>,
}

/// What the exit status tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum ExitOn {
    /// Whether any file differs.
    Difference,
    /// Whether HAProxy would have to be reloaded.
    Reload,
}

/// Two sets of manifests, and what differs.
struct Both {
    old: Input,
    new: Input,
    comparison: Comparison,
    /// Findings that only the second one has.
    findings: Vec<Diagnostic>,
    /// How many findings of the first one are gone.
    settled: usize,
}

impl Args {
    fn is_told(&self, comparison: &Comparison) -> bool {
        match self.exit_code {
            None => false,
            Some(ExitOn::Difference) => !comparison.files.is_empty(),
            Some(ExitOn::Reload) => matches!(comparison.plan, Plan::Reload { .. }),
        }
    }
}

/// Runs `diff`; whether there is no difference that the exit status tells.
pub(crate) fn run(args: &Args) -> anyhow::Result<bool> {
    let is_input = |it: &PathBuf| it.as_os_str() == "-";
    if args.input.files.iter().any(is_input) && args.to.iter().any(is_input) {
        bail!("standard input can be one of the two only: `-` stands in -f and in --to");
    }
    let old = args.input.read()?;
    let new = args.input.read_paths(&args.to)?;
    let progress = Progress::start("Comparing");
    let before = old.compile();
    let after = new.compile_after(Some(&before));
    let is_in = |it: &Diagnostic, others: &[Diagnostic]| others.contains(it);
    let findings = after.diagnostics.iter();
    let findings = findings.filter(|it| !is_in(it, &before.diagnostics));
    let settled = before.diagnostics.iter();
    let settled = settled.filter(|it| !is_in(it, &after.diagnostics)).count();
    let both = Both {
        comparison: compare(&before, &after),
        findings: findings.cloned().collect(),
        settled,
        old,
        new,
    };
    drop(progress);
    report::print(&match args.format {
        Format::Json => format!("{:#}\n", document(&both)),
        Format::Text => text::text(&both, report::is_colourful(&io::stdout())),
    })?;
    if args.format == Format::Text {
        let _ = report::write(&mut io::stderr(), &both.findings, &both.new.positions);
        if both.settled > 0 {
            let plural = if both.settled == 1 { "" } else { "s" };
            let _ = writeln!(io::stderr(), "{} finding{plural} less", both.settled);
        }
    }
    Ok(!args.is_told(&both.comparison))
}

impl Both {
    /// Where an origin stands: in the second set, else in the first.
    fn positions(&self, origin: &Origin) -> &Positions {
        let (old, new) = (&self.old.positions, &self.new.positions);
        if new.locate(origin).is_none() && old.locate(origin).is_some() {
            old
        } else {
            new
        }
    }

    fn origin(&self, origin: &Origin) -> Value {
        report_json::origin(origin, self.positions(origin))
    }
}

/// Everything as one JSON document.
fn document(both: &Both) -> Value {
    let comparison = &both.comparison;
    let files = comparison.files.iter().map(|it| file(it, both));
    let findings = both.findings.iter();
    let findings = findings.map(|it| report_json::diagnostic(it, &both.new.positions));
    json!({
        "haproxy": both.new.options.haproxy.to_string(),
        "files": files.collect::<Vec<_>>(),
        "plan": plan(&comparison.plan, both),
        "diagnostics": findings.collect::<Vec<_>>(),
        "settledDiagnostics": both.settled,
    })
}

fn file(file: &FileChange, both: &Both) -> Value {
    let line = |it: &Line| {
        let origins = it.origins.iter().map(|it| both.origin(it));
        let is_changed = it.change.is_some();
        json!({
            "change": it.change,
            "old": it.old,
            "new": it.new,
            "text": it.text,
            // Of the lines around it nobody asks.
            "origins": is_changed.then(|| origins.collect::<Vec<_>>()),
        })
    };
    let sections = file.sections.iter().map(|section| {
        let hunks = section
            .hunks
            .iter()
            .map(|hunk| json!({ "lines": hunk.lines.iter().map(line).collect::<Vec<_>>() }));
        json!({
            "name": section.name,
            "change": section.change,
            "hunks": hunks.collect::<Vec<_>>(),
        })
    });
    json!({
        "path": file.path,
        "role": file.role,
        "change": file.change,
        "modes": file.modes.map(|(old, new)| [old, new].map(|it| format!("{it:04o}"))),
        "isSecret": file.is_secret,
        "sections": sections.collect::<Vec<_>>(),
    })
}

fn plan(plan: &Plan, both: &Both) -> Value {
    let reason = |it: &Reason| {
        let origins = it.origins.iter().map(|it| both.origin(it));
        json!({
            "place": it.place,
            "change": it.change,
            "area": it.area,
            "origins": origins.collect::<Vec<_>>(),
        })
    };
    match plan {
        Plan::Nothing => json!({ "plan": "nothing" }),
        Plan::Update { commands } => {
            let commands = commands.iter().map(ToString::to_string);
            json!({ "plan": "update", "commands": commands.collect::<Vec<_>>() })
        }
        Plan::Reload { reasons } => {
            let reasons = reasons.iter().map(reason);
            json!({ "plan": "reload", "reasons": reasons.collect::<Vec<_>>() })
        }
    }
}
