//! CPU time of this thread and of other processes, and their memory.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How often what takes milliseconds is repeated.
const RUNS: usize = 5;

/// Ticks in a second, as Linux counts them for programs on every machine.
const TICKS: f64 = 100.0;

/// The median CPU time of this thread in milliseconds, and the last result.
///
/// What a run needs is made outside of the measurement, by `prepare`, and dropped outside of it.
pub(crate) fn median<P, R>(
    mut prepare: impl FnMut() -> P,
    mut run: impl FnMut(&P) -> R,
) -> (f64, R) {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..RUNS {
        let prepared = prepare();
        let start = thread_time();
        let result = run(&prepared);
        times.push(thread_time().saturating_sub(start).as_secs_f64() * 1000.0);
        last = Some(result);
    }
    times.sort_by(f64::total_cmp);
    let result = last.expect("it ran more than once");
    (times[RUNS / 2], result)
}

/// CPU time of a process in seconds.
pub(crate) fn process_time(id: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("the process runs");
    // The name in brackets may have blanks; user and system time are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')').expect("the name is in brackets");
    let ticks: f64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|it| it.parse::<f64>().expect("times are numbers"))
        .sum();
    ticks / TICKS
}

/// Resident memory of a process in MB; `self` is this one.
pub(crate) fn memory(id: &str) -> f64 {
    status(id, "VmRSS:")
}

/// The most resident memory that a process ever had, in MB.
pub(crate) fn most_memory(id: &str) -> f64 {
    status(id, "VmHWM:")
}

/// An amount of memory of a process in MB.
fn status(id: &str, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the process runs");
    let kib: f64 = status
        .lines()
        .find_map(|it| it.strip_prefix(name)?.split_whitespace().next())
        .and_then(|it| it.parse().ok())
        .expect("a process has resident memory");
    kib * 1024.0 / 1_000_000.0
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).expect("time does not run backwards"),
        u32::try_from(time.tv_nsec).expect("less than a second"),
    )
}
