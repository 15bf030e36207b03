//! `test`: what requests should get, and what they do get: of the engine's own account of HAProxy, or of
//! a real one.
//!
//! ```text
//!  expectations (YAML) ─▶ document ─▶ Asked ─┬─▶ simulated ─▶ Found ─┬─▶ compare ─▶ text, JUnit
//!  manifests ─▶ compile ─────────────────────┴─▶ real ──────▶ Found ─┘
//! ```

mod compare;
mod document;
mod junit;
mod real;
mod simulated;

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::input;
use crate::progress::Progress;
use crate::report;

use self::compare::{Found, Mismatch};
use self::document::Asked;
use self::real::Real;
use self::simulated::Simulated;

/// Flags of `test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The file with expectations is YAML; docs/tools.md says what may stand in it:

  requests:
  - request: GET https://shop.example/cart
    expect: {backend: default_cart_8080, path: /cart}
  - request: http://shop.example/
    expect: {status: 302, redirect: https://shop.example/}

It may as well stand among the paths behind -f, as the last of them or named *.test.yaml. With
--real a HAProxy is started for the purpose, on free ports of the loopback interface, in front of
servers that answer 200.

Exit status: 0 all is as expected, 1 something is not, 2 usage or I/O.

  haproxy-ingress test -f manifests/ shop.test.yaml
  haproxy-ingress test shop.test.yaml -f manifests/ --real --format junit > report.xml")]
pub(crate) struct Args {
    /// Files with expectations
    expectations: Vec<PathBuf>,
    #[command(flatten)]
    input: input::Args,
    /// Ask a real HAProxy as well
    #[arg(long)]
    real: bool,
    /// The HAProxy for --real
    #[arg(
        long,
        value_name = "PATH",
        env = "HAPROXY",
        hide_env_values = true,
        default_value = "haproxy"
    )]
    haproxy: PathBuf,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// JUnit's XML, for pipelines.
    Junit,
}

/// What came of one request.
struct Outcome<'a> {
    asked: &'a Asked,
    /// Who was asked: the simulation, or HAProxy with its version.
    by: String,
    /// What is not as expected.
    mismatches: Vec<Mismatch>,
    /// What was not simulated.
    notes: Vec<String>,
    took: Duration,
}

/// Runs `test`; whether everything is as expected.
pub(crate) fn run(args: &Args) -> anyhow::Result<bool> {
    let (files, expectations) = args.files()?;
    let mut asked = Vec::new();
    for path in &expectations {
        let name: Rc<str> = path.display().to_string().into();
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read `{name}`"))?;
        asked.extend(document::read(&name, &text).with_context(|| format!("`{name}`"))?);
    }
    let input = args.input.read_paths(&files)?;

    let progress = Progress::start("Compiling");
    let simulated = Simulated::new(&input);
    let mut outcomes: Vec<Outcome<'_>> = Vec::new();
    for it in &asked {
        let found = simulated.ask(&it.request);
        outcomes.push(Outcome::new(it, "simulated", found));
    }
    drop(progress);
    if args.real {
        let progress = Progress::start("Asking HAProxy");
        let real = Real::start(&input, &args.haproxy)?;
        for it in &asked {
            let found = real
                .ask(&it.request)
                .with_context(|| format!("{}:{}: {}", it.file, it.line, it.name))?;
            outcomes.push(Outcome::new(it, &real.name, found));
        }
        drop(progress);
    }

    let is_fine = outcomes.iter().all(|it| it.mismatches.is_empty());
    report::print(&match args.format {
        Format::Text => text_of(&outcomes, report::is_colourful(&io::stdout())),
        Format::Junit => junit::document(&outcomes),
    })?;
    Ok(is_fine)
}

impl Args {
    /// The manifests, and the files with expectations: those that stand alone, and of the paths behind -f,
    /// which take every word behind them, those whose names say so. If there are none, the last path is one.
    fn files(&self) -> anyhow::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
        let paths = self.input.files.iter().cloned();
        let (named, mut files): (Vec<PathBuf>, Vec<PathBuf>) =
            paths.partition(|it| input::is_expectations(it) && !it.is_dir());
        let mut expectations = self.expectations.clone();
        expectations.extend(named);
        if expectations.is_empty() && files.len() > 1 {
            expectations.extend(files.pop());
        }
        if expectations.is_empty() {
            bail!("there is no file with expectations; see haproxy-ingress test --help");
        }
        if files.is_empty() {
            bail!("there are no manifests; see haproxy-ingress test --help");
        }
        Ok((files, expectations))
    }
}

impl<'a> Outcome<'a> {
    fn new(asked: &'a Asked, by: &str, found: Found) -> Self {
        Self {
            mismatches: compare::mismatches(&asked.wanted, &found),
            asked,
            by: by.into(),
            notes: found.notes,
            took: found.took,
        }
    }
}

/// A line for each request, and below it what is not as expected.
fn text_of(outcomes: &[Outcome<'_>], is_colourful: bool) -> String {
    use std::fmt::Write as _;
    let (red, green, end) = if is_colourful {
        ("\u{1b}[31m", "\u{1b}[32m", "\u{1b}[0m")
    } else {
        ("", "", "")
    };
    let mut text = String::new();
    let mut last = "";
    for it in outcomes {
        if it.by != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{gap}{}", it.by);
            last = &it.by;
        }
        let (colour, word) = if it.mismatches.is_empty() {
            (green, "ok    ")
        } else {
            (red, "FAILED")
        };
        let _ = writeln!(text, "  {colour}{word}{end}  {}", it.asked.name);
        if it.mismatches.is_empty() {
            continue;
        }
        let _ = writeln!(text, "          {}:{}", it.asked.file, it.asked.line);
        for it in &it.mismatches {
            let _ = writeln!(text, "          {it}");
        }
        for it in &it.notes {
            let _ = writeln!(text, "          not simulated: {it}");
        }
    }
    let failed = outcomes.iter().filter(|it| !it.mismatches.is_empty());
    let failed = failed.count();
    let _ = writeln!(
        text,
        "\n{} passed, {failed} failed",
        outcomes.len() - failed
    );
    text
}
