//! What goes wrong around the controller: somebody else's hands, dead and frozen processes, bad
//! configuration, full disks. Traffic goes on where it can, nobody gets a wrong answer, and the state
//! becomes right again by itself.
//!
//! Each fault shows what was seen of it in a line of its own; `cargo xtask faults` makes a table of them.

mod certificates;
mod crash;
mod disk;
mod endpoints;
mod large;
mod memory;
mod processes;
mod rejection;
mod sessions;
mod sockets;
mod storm;
mod workers;

use haproxy_ingress_tests::http::{Report, Request};
use haproxy_ingress_tests::rig::Rig;
use haproxy_ingress_tests::show::seen;
use haproxy_ingress_tests::terminal::Program;
use rustix::process::{Pid, Signal, kill_process};

/// Waits until the first run of a controller has come to its end: it may be served before.
fn has_begun(controller: &Program) {
    controller
        .output
        .wait_for("end of a run", |it| it.contains("finish haproxy update"));
}

/// What a load saw, which must be nothing but answers of 200.
fn unharmed(report: &Report) -> String {
    assert_eq!(
        report.failures,
        Vec::<String>::new(),
        "of {}",
        report.answered
    );
    format!("{} of {0} requests answered", report.answered)
}

/// The resident memory of a process, in bytes.
fn memory_of(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let amount = line.and_then(|it| it.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    amount.expect("it runs") << 10
}

/// A number of the controller's metrics.
fn metric(rig: &Rig, name: &str) -> Option<f64> {
    let request = Request::get("/metrics").host("localhost");
    let answer = request.header("Connection", "close").send_to(rig.pages);
    let text = answer.expect("the pages are served").text();
    let line = text
        .lines()
        .find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|it| it.parse().ok())
}

/// A process that stands still until this is dropped.
struct Frozen(Pid);

impl Frozen {
    /// Stops the master of HAProxy, and nothing else.
    fn master(rig: &Rig) -> Self {
        Self::new(rig.haproxy().pid())
    }

    /// Stops the worker that serves.
    fn worker(rig: &Rig) -> Self {
        Self::new(process(rig.haproxy().worker()))
    }

    fn new(pid: Pid) -> Self {
        kill_process(pid, Signal::STOP).expect("it runs");
        Self(pid)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // It may have been replaced in the meantime.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// A process by its number.
fn process(number: u32) -> Pid {
    let number = i32::try_from(number).expect("it is the number of a process");
    Pid::from_raw(number).expect("it is not zero")
}
