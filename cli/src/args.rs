//! The command line: what was asked for, in types.
//!
//! The controller's flags follow Go's `flag` package, so that arguments of existing deployments work
//! unchanged; they come from one table. The other subcommands are `clap`'s.
//!
//! To add a subcommand: add a variant to [`Tool`] with the `Args` of its module, and an arm to its
//! `run`.

pub(crate) mod acme;
pub(crate) mod controller;
pub(crate) mod duration;
mod help;
pub(crate) mod leader;
pub(crate) mod measures;
mod read;
mod shell;
mod table;
mod tool;

use std::ffi::OsString;
use std::fmt;

use self::read::Values;
pub(crate) use self::tool::Tool;

/// What the user asked for.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// To run the controller.
    Controller(Box<controller::Controller>),
    /// To write the configuration with which HAProxy starts and waits.
    Init(std::path::PathBuf),
    /// To run an offline tool.
    Tool(Tool),
    /// To read this.
    Print(String),
}

/// Why the command line was not understood: a phrase that names the flag, what was found and what
/// is expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Usage(String);

impl Usage {
    /// An error in a few words.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A value that does not fit its flag.
    pub(crate) fn value(flag: &str, found: &str, expected: impl fmt::Display) -> Self {
        let found = haproxy_ingress_core::value::shown(found);
        Self(format!(
            "flag --{flag}: expected {expected}, found `{found}`"
        ))
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Reads the words behind the program's name.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Invocation, Usage> {
    let mut words = words
        .into_iter()
        .map(|word| {
            word.into_string()
                .map_err(|it| Usage::new(format!("{} is not UTF-8", it.display())))
        })
        .collect::<Result<Vec<_>, _>>()?;
    match words.first().map(String::as_str) {
        Some("controller") => {
            words.remove(0);
        }
        Some(word) if Tool::is_named(word) => return Tool::parse(&words),
        Some("help") => return Ok(Invocation::Print(help::text())),
        Some(word) if !word.starts_with('-') => {
            return Err(Usage::new(format!(
                "unknown command `{word}`; see haproxy-ingress --help"
            )));
        }
        _ => {}
    }
    let values = Values::read(words)?;
    if values.switch("help") {
        return Ok(Invocation::Print(help::text()));
    }
    if values.switch("version") {
        let version = concat!("haproxy-ingress ", env!("CARGO_PKG_VERSION"), "\n");
        return Ok(Invocation::Print(version.into()));
    }
    if values.switch("init") {
        let prefix = controller::prefix(&values)?;
        return Ok(Invocation::Init(prefix));
    }
    let environment = |name: &str| std::env::var(name).ok();
    controller::Controller::new(&values, environment)
        .map(Box::new)
        .map(Invocation::Controller)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Invocation, Usage> {
        parse(line.split_whitespace().map(Into::into))
    }

    #[test]
    fn no_subcommand_is_the_controller() {
        for line in ["", "controller", "--v=3", "controller --v=3"] {
            assert!(
                matches!(parsed(line), Ok(Invocation::Controller(_))),
                "{line}"
            );
        }
        assert!(parsed("contoller").is_err());
    }

    #[test]
    fn init_is_found_anywhere() {
        for line in [
            "--init --local-filesystem-prefix /x",
            "--local-filesystem-prefix=/x/ -init",
        ] {
            let Ok(Invocation::Init(prefix)) = parsed(line) else {
                panic!("`{line}` asks for the first configuration");
            };
            assert_eq!(prefix, std::path::Path::new("/x"), "{line}");
        }
    }

    #[test]
    fn help_names_every_tool_and_flag_and_what_does_nothing() {
        let Ok(Invocation::Print(text)) = parsed("-h") else {
            panic!("-h asks for help");
        };
        for flag in table::FLAGS {
            assert!(text.contains(&format!("--{}", flag.name)), "{}", flag.name);
        }
        assert!(text.contains("\nAccepted and ignored:"));
        let head = text.split("\nFlags:").next().unwrap_or_default();
        for tool in ["render", "lint", "diff", "keys", "completions", "man"] {
            let line = head.lines().find(|it| it.trim().starts_with(tool));
            assert!(line.is_some_and(|it| it.len() > 20), "{tool}: {head}");
        }
    }

    #[test]
    fn version_prints_name_and_version() {
        for line in ["--version", "-version", "controller --version"] {
            let Ok(Invocation::Print(text)) = parsed(line) else {
                panic!("`{line}` asks for the version");
            };
            assert_eq!(
                text,
                format!("haproxy-ingress {}\n", env!("CARGO_PKG_VERSION"))
            );
        }
    }
}
