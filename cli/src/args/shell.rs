//! Completion scripts and manual pages, from the tools and the table of the controller's flags.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Arg, ArgAction, Command};
use clap_complete::Shell;

use crate::args::Tool;
use crate::args::table::{FLAGS, Flag, Kind, Status};
use crate::report;

/// Flags of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
  haproxy-ingress completions bash > /etc/bash_completion.d/haproxy-ingress
  haproxy-ingress completions zsh  > ~/.zfunc/_haproxy-ingress
  haproxy-ingress completions fish > ~/.config/fish/completions/haproxy-ingress.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

/// Flags of `man`.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// The folder, which is made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Prints a completion script.
pub(crate) fn completions(args: &Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    // The functions that bash gets do not find tools of a program with a dash in its name, so that the
    // dash stands only where the program is named.
    let name = match args.shell {
        Shell::Bash => "haproxyingress",
        _ => "haproxy-ingress",
    };
    clap_complete::generate(args.shell, &mut command(), name, &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = script.replace(" default haproxyingress\n", " default haproxy-ingress\n");
    report::print(&script)
}

/// Writes a manual page for the controller and one for each tool.
pub(crate) fn man(args: &Man) -> anyhow::Result<()> {
    let folder = &args.folder;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command(), folder))
        .with_context(|| format!("cannot write to `{}`", folder.display()))
}

/// The whole command line: the controller's flags, also behind its name, and the tools.
fn command() -> Command {
    let about = "Ingress controller for HAProxy, and offline tools on the same engine";
    let long = "Without a tool it is the controller: it turns Ingress resources into the configuration of \
                an HAProxy, which it drives over its sockets.";
    let controller = Command::new("controller").about("Run the controller, as without a tool");
    let tools = Tool::command()
        .about(about)
        .long_about(format!("{about}.\n\n{long}"))
        .subcommand_required(false)
        .arg_required_else_help(false);
    flags(tools).subcommand(flags(controller))
}

/// A command with the controller's flags.
fn flags(command: Command) -> Command {
    let command = command.disable_help_flag(true).disable_version_flag(true);
    command.args(FLAGS.iter().map(argument))
}

fn argument(flag: &'static Flag) -> Arg {
    let argument = Arg::new(flag.name).long(flag.name).help(help(flag));
    let argument = match flag.kind {
        Kind::Switch => return argument.action(ArgAction::SetTrue),
        Kind::Text(word) => argument.value_name(word),
        Kind::Choice(words) => {
            let words = words.iter().copied().filter(|it| !it.is_empty());
            argument.value_parser(words.collect::<Vec<_>>())
        }
        Kind::Duration => argument.value_name("DURATION"),
        Kind::DurationOrSeconds => argument.value_name("DURATION|SECONDS"),
        Kind::Integer => argument.value_name("N"),
        Kind::Number => argument.value_name("NUMBER"),
    };
    argument.action(ArgAction::Set)
}

fn help(flag: &Flag) -> String {
    let mut help = flag.doc.trim_end_matches('.').to_owned();
    if !matches!(flag.default, "" | "false") {
        // Writing to a `String` cannot fail.
        let _ = write!(help, " [default: {}]", flag.default);
    }
    match flag.status {
        Status::Effective => {}
        Status::Ignored(why) => {
            let _ = write!(help, " (ignored: {why})");
        }
    }
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_one() {
        command().debug_assert();
    }
}
