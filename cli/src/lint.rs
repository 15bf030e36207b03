//! `lint`: all that is wrong with manifests, or could be better, for people, programs and pipelines.

pub(crate) mod code;
mod github;
mod sarif;
mod verdicts;

use std::io::{self, Write as _};

use anyhow::bail;
use haproxy_ingress_core::diagnostic::{Code, Diagnostic, Severity};
use haproxy_ingress_core::manifest::Positions;
use haproxy_ingress_core::verdict::Verdict;
use serde_json::{Value, json};

use crate::input;
use crate::progress::Progress;
use crate::report::{self, Deny, json as report_json};

/// Flags of `lint`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints findings to standard output. What a cluster has and manifests have not, such as
EndpointSlices, is stood in for, which is a notice: --allow placeholder.

Exit status: 0 fine, 1 there are findings that are denied, 2 usage or I/O.

  haproxy-ingress lint -f manifests/ --deny warnings
  helm template shop ./chart | haproxy-ingress lint -f - --allow placeholder
  haproxy-ingress lint -f manifests/ --format sarif > haproxy-ingress.sarif
  haproxy-ingress lint -f manifests/ --verdicts
  haproxy-ingress lint --explain invalid-value")]
pub(crate) struct Args {
    #[command(flatten)]
    input: input::Args,
    /// How findings are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The lowest severity with which the exit status is 1
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    deny: Deny,
    /// Leave out findings of this kind; may be repeated
    #[arg(long, value_name = "CODE", value_parser = code::parse)]
    allow: Vec<&'static Code>,
    /// Say of every key on every object what became of it: applied, overridden, invalid, …
    #[arg(long)]
    verdicts: bool,
    /// Print what a kind of finding means, and nothing else
    #[arg(long, value_name = "CODE", exclusive = true, value_parser = code::parse)]
    explain: Option<&'static Code>,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
enum Format {
    /// For people: each with the line that it is about
    #[default]
    Text,
    /// For programs: one document
    Json,
    /// SARIF 2.1.0, for code scanning and editors
    Sarif,
    /// Commands of GitHub Actions, which show findings beside the lines of a pull request
    Github,
}

/// Runs `lint`; whether no finding is denied.
pub(crate) fn run(args: &Args) -> anyhow::Result<bool> {
    if let Some(code) = args.explain {
        report::print(&code::text(code))?;
        return Ok(true);
    }
    if args.verdicts && !matches!(args.format, Format::Text | Format::Json) {
        bail!("--verdicts goes with --format text or json");
    }
    let input = args.input.read()?;
    let progress = Progress::start("Compiling");
    let (mut diagnostics, verdicts) = if args.verdicts {
        let (compiled, verdicts) = input.judge();
        (compiled.diagnostics, Some(verdicts))
    } else {
        (input.compile().diagnostics, None)
    };
    drop(progress);
    diagnostics.retain(|it| !args.allow.contains(&it.code));
    let positions = &input.positions;
    let mut out = io::stdout().lock();
    let written = match args.format {
        Format::Text if args.verdicts => {
            let text = verdicts::text(verdicts.as_deref().unwrap_or_default(), positions);
            out.write_all(text.as_bytes())
        }
        Format::Text if diagnostics.is_empty() => {
            writeln!(out, "{}: nothing to say", read(positions))
        }
        Format::Text => report::write(&mut out, &diagnostics, positions),
        Format::Json => {
            let document = document(&diagnostics, verdicts.as_deref(), positions);
            writeln!(out, "{document:#}")
        }
        Format::Sarif => writeln!(out, "{:#}", sarif::document(&diagnostics, positions)),
        Format::Github => out.write_all(github::commands(&diagnostics, positions).as_bytes()),
    };
    report::is_written(written.and_then(|()| out.flush()))?;
    Ok(!args.deny.denies(&diagnostics))
}

/// How much was read.
fn read(positions: &Positions) -> String {
    match positions.files().count() {
        1 => "1 file".into(),
        count => format!("{count} files"),
    }
}

/// Everything as one JSON document.
fn document(
    diagnostics: &[Diagnostic],
    verdicts: Option<&[Verdict]>,
    positions: &Positions,
) -> Value {
    let count = |severity: Severity| {
        let those = diagnostics.iter().filter(|it| it.severity() == severity);
        those.count()
    };
    let findings = diagnostics.iter();
    let findings = findings.map(|it| report_json::diagnostic(it, positions));
    let mut document = json!({
        "files": positions.files().collect::<Vec<_>>(),
        "diagnostics": findings.collect::<Vec<_>>(),
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
        "notices": count(Severity::Notice),
    });
    if let Some(verdicts) = verdicts {
        let verdicts = verdicts.iter().map(|it| verdicts::json(it, positions));
        document["verdicts"] = json!(verdicts.collect::<Vec<_>>());
    }
    document
}
