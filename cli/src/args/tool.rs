//! The offline tools on the command line.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::shell;
use crate::args::{Invocation, Usage};
use crate::{diff, expectations, explain, keys, lint, render};

/// A subcommand beside the controller.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Tool {
    /// Turn manifests into HAProxy's configuration, without a cluster
    Render(Box<render::Args>),
    /// Say what is wrong with manifests, or could be better
    Lint(Box<lint::Args>),
    /// Compare two sets of manifests: what changes, and what HAProxy would have to do
    Diff(Box<diff::Args>),
    /// Say where a request goes and why, step by step
    Explain(Box<explain::Args>),
    /// Send requests through the configuration of manifests, and compare what they get with what they should
    Test(Box<expectations::Args>),
    /// Print the reference of configuration keys
    Keys(keys::Args),
    /// Print a script by which a shell completes commands and flags
    Completions(shell::Completions),
    /// Write manual pages to a folder
    Man(shell::Man),
}

#[derive(clap::Parser)]
#[command(name = "haproxy-ingress", version, disable_help_subcommand = true)]
struct Line {
    #[command(subcommand)]
    tool: Tool,
}

impl Tool {
    /// Whether a word is one of the subcommands.
    pub(crate) fn is_named(word: &str) -> bool {
        <Self as clap::Subcommand>::has_subcommand(word)
    }

    /// The names of all subcommands, with a line about each.
    pub(crate) fn list() -> Vec<(String, String)> {
        let line = Self::command();
        line.get_subcommands()
            .map(|it| {
                let about = it.get_about().map(ToString::to_string);
                (it.get_name().to_owned(), about.unwrap_or_default())
            })
            .collect()
    }

    /// What `clap` knows of all tools.
    pub(super) fn command() -> clap::Command {
        <Line as clap::CommandFactory>::command()
    }

    /// Reads the words from the subcommand on.
    pub(crate) fn parse(words: &[String]) -> Result<Invocation, Usage> {
        // `explain CODE` asks about a kind of finding, which needs no manifests.
        if let [explain, code] = words
            && explain == "explain"
            && !code.starts_with('-')
            && !code.contains("://")
        {
            // A request may have been meant, too.
            if let Err(message) = lint::code::parse(code) {
                return Err(Usage::new(format!(
                    "without manifests (-f), `{code}` would be a kind of finding: {message}"
                )));
            }
            return Self::parse(&["lint".into(), "--explain".into(), code.clone()]);
        }
        let program = ["haproxy-ingress".to_owned()];
        match Line::try_parse_from(program.iter().chain(words)) {
            Ok(line) => Ok(Invocation::Tool(line.tool)),
            Err(it) if !it.use_stderr() => Ok(Invocation::Print(it.to_string())),
            Err(it) => {
                let text = it.to_string();
                let text = text.strip_prefix("error: ").unwrap_or(&text);
                Err(Usage::new(text.trim_end()))
            }
        }
    }

    /// Does it, and says what went wrong. The exit status is 1 if what was found is not as it should be,
    /// and 2 if it could not be found.
    pub(crate) fn run(self) -> ExitCode {
        let fine = |()| true;
        let result = match self {
            Self::Render(args) => render::run(&args),
            Self::Lint(args) => lint::run(&args),
            Self::Diff(args) => diff::run(&args),
            Self::Explain(args) => explain::run(*args),
            Self::Test(args) => expectations::run(&args),
            Self::Keys(args) => keys::run(&args).map(fine),
            Self::Completions(args) => shell::completions(&args).map(fine),
            Self::Man(args) => shell::man(&args).map(fine),
        };
        match result {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(error) => {
                let _ = writeln!(io::stderr(), "haproxy-ingress: {error:#}");
                ExitCode::from(2)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_has_help_and_refuses_what_it_does_not_know() {
        let parse = |words: &[&str]| {
            Tool::parse(&words.iter().map(|&it| it.to_owned()).collect::<Vec<_>>())
        };
        assert!(Tool::is_named("render"));
        assert!(!Tool::is_named("controller"));
        assert!(
            matches!(parse(&["render", "--help"]), Ok(Invocation::Print(it)) if it.contains("--out"))
        );
        assert!(matches!(
            parse(&["render", "-f", "x"]),
            Ok(Invocation::Tool(Tool::Render(_)))
        ));
        assert!(parse(&["render"]).is_err());
        assert!(parse(&["render", "-f", "x", "--configmap", "x"]).is_err());
    }
}
