//! A child whose lines are shown with its name in front, and remembered.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::command;
use crate::demo::client;

/// Lines in the order in which they came.
type Lines = Arc<Mutex<Vec<String>>>;

/// A running program. Dropping it stops it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    lines: Lines,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts a program; `colour` is that of its name in front of its lines.
    pub(super) fn start(
        name: &'static str,
        colour: &'static str,
        program: &mut Command,
    ) -> Result<Self> {
        let mut child = program
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C reaches the demo only, which stops its children in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start `{}`", program.get_program().display()))?;
        let lines = Lines::default();
        let mut readers = Vec::new();
        if let Some(it) = child.stdout.take() {
            readers.push(show(name, colour, it, Arc::clone(&lines)));
        }
        if let Some(it) = child.stderr.take() {
            readers.push(show(name, colour, it, Arc::clone(&lines)));
        }
        Ok(Self {
            child,
            lines,
            readers,
        })
    }

    /// Its lines up to now.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many of its lines contain a text.
    pub(super) fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|it| it.contains(text)).count()
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(status.to_string())
    }

    /// Ends it without warning, as a machine that fails does.
    pub(super) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.read_to_end();
        Ok(())
    }

    /// Asks it to end, and insists after five seconds.
    pub(super) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            if let Some(pid) = pid {
                // It may have ended in between, which is what we want.
                let _ = kill_process(pid, Signal::TERM);
            }
            let limit = Instant::now() + Duration::from_secs(5);
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < limit {
                thread::sleep(Duration::from_millis(20));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        self.read_to_end();
    }

    /// Waits for its last lines. Whoever still holds the pipe (a worker that finishes its sessions)
    /// is not waited for.
    fn read_to_end(&mut self) {
        let limit = Instant::now() + Duration::from_secs(1);
        while self.readers.iter().any(|it| !it.is_finished()) && Instant::now() < limit {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn show(
    name: &'static str,
    colour: &'static str,
    from: impl Read + Send + 'static,
    lines: Lines,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let prefix = command::painted(colour, &format!("{name:>10} |"));
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            // Hundreds of the same, which are counted by who sent them.
            if !line.contains(&format!("\"GET {} ", client::LOAD)) {
                println!("{prefix} {line}");
            }
            lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
    })
}
