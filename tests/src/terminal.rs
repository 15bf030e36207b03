//! The program `haproxy-ingress` as a user runs it.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::haproxy::{ENDED, Output};

/// How long a command may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a command printed and how it ended.
#[derive(Clone, Debug)]
pub struct Printed {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// The program while it runs; killed when it is dropped.
pub struct Program {
    child: Child,
    /// What it prints.
    pub output: Output,
}

/// Runs the program to its end, with `input` as its standard input.
pub fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>, input: &str) -> Printed {
    use std::io::Write as _;
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built, so it can be started");
    let id = rustix::process::Pid::from_child(&child);
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // A program that does not read its input closes it.
        let _ = stdin.write_all(input.as_bytes());
    });
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if is_done.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        }
    });
    let output = child.wait_with_output().expect("its output can be read");
    drop(done);
    watch.join().expect("the watch does not panic");
    writer.join().expect("the writer does not panic");
    Printed {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A command that starts the program with nothing of this process' surroundings that could change
/// what it does.
pub fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program());
    command.args(arguments);
    for variable in [
        "KUBECONFIG",
        "POD_NAME",
        "POD_NAMESPACE",
        "RUST_LOG",
        "NO_COLOR",
    ] {
        command.env_remove(variable);
    }
    command
}

/// The same command, started by another program, which gets it behind its own arguments.
pub fn under(program: &[&str], command: &Command) -> Command {
    let [name, arguments @ ..] = program else {
        panic!("a program has a name");
    };
    let mut outer = Command::new(name);
    outer.args(arguments);
    outer.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

impl Program {
    /// Starts a command and collects what it prints.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was built, so it can be started");
        let output = Output::default();
        output.follow(child.stdout.take().expect("it is piped"));
        output.follow(child.stderr.take().expect("it is piped"));
        Self { child, output }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("it has not been waited for");
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it ends and all that it printed has come, and returns its exit code, or `None` if a signal
    /// ended it.
    pub fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                self.output.wait_for_end(ENDED);
                return status.code();
            }
            assert!(
                Instant::now() < deadline,
                "the program does not end:\n{}",
                self.output.text()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it without a chance to do anything, as a machine that loses power would.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    /// Ends it, and what it has started: an HAProxy of a controller that is killed would live on.
    fn drop(&mut self) {
        // The number of one that has ended may be somebody else's by now.
        let runs = matches!(self.child.try_wait(), Ok(None));
        let children = if runs {
            children(self.child.id())
        } else {
            Vec::new()
        };
        let _ = self.child.kill();
        let _ = self.child.wait();
        for it in children {
            // It may have ended by itself.
            let _ = kill_process(it, Signal::KILL);
        }
    }
}

/// The processes that a process has started and that run.
fn children(pid: u32) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let lists = threads.filter_map(|it| fs::read_to_string(it.path().join("children")).ok());
    let lists: Vec<String> = lists.collect();
    let numbers = lists.iter().flat_map(|it| it.split_whitespace());
    let numbers = numbers.filter_map(|it| it.parse().ok());
    numbers.filter_map(Pid::from_raw).collect()
}

/// The program: `$HAPROXY_INGRESS`, or the one that cargo builds from this workspace.
fn program() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(program) = std::env::var_os("HAPROXY_INGRESS") {
            return program.into();
        }
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let output = Command::new(cargo)
            .args(["build", "--quiet", "--package", "haproxy-ingress"])
            .args(["--message-format", "json-render-diagnostics"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo runs this test, so it can be started");
        assert!(output.status.success(), "haproxy-ingress does not build");
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|it| serde_json::from_str::<serde_json::Value>(it).ok())
            .filter(|it| it["target"]["name"] == "haproxy-ingress")
            .find_map(|it| Some(PathBuf::from(it.get("executable")?.as_str()?)))
            .expect("cargo names the program that it built")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_program_printed_is_there_when_it_has_ended() {
        const LINES: usize = 200_000;
        let mut count = Command::new("seq");
        count.arg(LINES.to_string());
        let mut program = Program::start(count);
        assert_eq!(program.wait(), Some(0));
        assert_eq!(program.output.lines().len(), LINES);
    }
}
