//! The offline tools on the command line.

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Invocation, Usage};
use crate::{explain, keys, render};

/// A subcommand beside the controller.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Tool {
    /// Turn manifests into HAProxy's configuration, without a cluster
    Render(Box<render::Args>),
    /// Say where a request goes and why, step by step
    Explain(Box<explain::Args>),
    /// Print the reference of configuration keys
    Keys(keys::Args),
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
        let line = <Line as clap::CommandFactory>::command();
        line.get_subcommands()
            .map(|it| {
                let about = it.get_about().map(ToString::to_string);
                (it.get_name().to_owned(), about.unwrap_or_default())
            })
            .collect()
    }

    /// Reads the words from the subcommand on.
    pub(crate) fn parse(words: &[String]) -> Result<Invocation, Usage> {
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

    /// Does it.
    pub(crate) fn run(self) -> ExitCode {
        match self {
            Self::Render(args) => render::run(&args),
            Self::Explain(args) => explain::run(*args),
            Self::Keys(args) => keys::run(&args),
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
