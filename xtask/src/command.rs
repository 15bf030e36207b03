//! Other programs: found, run, and shown before they run. And how it looks on a terminal.

use std::env;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The root of the project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the project")
}

/// Where cargo builds: the folder above the one that holds this very program.
pub(crate) fn target() -> Result<PathBuf> {
    let program = env::current_exe().context("cannot find this program")?;
    program
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .context("this program was not built by cargo")
}

/// A program by its name, also where only administrators have it on their path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin".into(), "/usr/sbin".into()])
        .map(|it| it.join(program))
        .find(|it| it.is_file())
}

/// `cargo` in the root of the project, the one that started us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Shows a command, runs it, and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("{}", dim(&format!("$ {}", shown(command))));
    let status = command
        .status()
        .with_context(|| format!("cannot start `{}`", command.get_program().display()))?;
    if !status.success() {
        bail!("`{}` ended with {status}", shown(command));
    }
    Ok(())
}

/// What a command prints; nothing if it fails or is not there.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a HAProxy calls itself.
pub(crate) fn version(haproxy: &Path) -> Result<String> {
    let said = output(Command::new(haproxy).arg("-v"))
        .with_context(|| format!("{} does not run", haproxy.display()))?;
    let first = said.lines().next().unwrap_or_default();
    // Where to ask for support, and until when, follows.
    let name = first.split(" - ").next().unwrap_or_default();
    Ok(name.trim().to_owned())
}

/// A command as one would type it, with the variables that are set for it.
fn shown(command: &Command) -> String {
    let mut shown = String::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            let _ = write!(shown, "{}={} ", name.display(), value.display());
        }
    }
    let program = Path::new(command.get_program());
    let _ = write!(
        shown,
        "{}",
        program.file_name().unwrap_or(program.as_os_str()).display()
    );
    for argument in command.get_args() {
        let _ = write!(shown, " {}", argument.display());
    }
    shown
}

/// Says that something is done, in one line.
pub(crate) fn say(text: &str) {
    println!("{} {text}", bold("·"));
}

/// A title.
pub(crate) fn title(text: &str) {
    println!("\n{}", bold(text));
}

/// For what went well.
pub(crate) fn green(text: &str) -> String {
    painted("32", text)
}

/// For what did not.
pub(crate) fn red(text: &str) -> String {
    painted("31", text)
}

/// For titles.
pub(crate) fn bold(text: &str) -> String {
    painted("1", text)
}

/// For what others say.
pub(crate) fn dim(text: &str) -> String {
    painted("2", text)
}

/// Text in a colour, on a terminal only (<https://no-color.org>).
pub(crate) fn painted(colour: &str, text: &str) -> String {
    let wanted = env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
    if wanted && std::io::stdout().is_terminal() {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
