//! The processes of a HAProxy: what they take of the machine, and the sessions of old workers.
//!
//! A reload leaves the worker before it to its sessions. How much memory all of them take is known where
//! their ids are ours too: HAProxy is our child, or shares our namespace of processes.

use std::fs;

use haproxy_ingress_core::bundle::Bundle;
use haproxy_ingress_core::options::Version;
use haproxy_ingress_core::plan::descriptors;

use crate::haproxy::master::{self, Master, Processes};
use crate::haproxy::socket;

/// What the processes take.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Load {
    /// How many workers finish what they have begun.
    pub(crate) old: usize,
    /// Their memory, where it can be seen.
    pub(crate) memory: Option<Memory>,
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Memory {
    /// Of all processes.
    pub(crate) all: u64,
    /// Of the worker that serves, and most likely of the next one.
    pub(crate) worker: u64,
}

/// `CAP_SYS_RESOURCE`: may raise limits (capabilities(7)).
const RAISES_LIMITS: u32 = 24;

impl Load {
    /// Asks a master, and looks at the processes.
    pub(crate) async fn of(master: &Master) -> Result<Self, master::Error> {
        let processes = master.processes().await?;
        let memory = if master.is_visible(&processes).await? {
            memory(&processes)
        } else {
            None
        };
        Ok(Self {
            old: processes.leaving().len(),
            memory,
        })
    }
}

fn memory(processes: &Processes) -> Option<Memory> {
    let worker = processes.worker();
    let old = processes.old_workers.iter().map(|it| it.pid);
    let workers = processes.workers.iter().map(|it| it.pid).chain(old);
    // One that has ended in the meantime takes nothing.
    let all = workers.filter_map(resident).sum::<u64>() + resident(processes.master.pid)?;
    Some(Memory {
        all,
        worker: worker.and_then(resident).unwrap_or_default(),
    })
}

/// The resident memory of a process, in bytes.
fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let amount = field(&status, "VmRSS:")?.strip_suffix("kB")?;
    Some(amount.trim().parse::<u64>().ok()? << 10)
}

/// What is behind a word at the beginning of a line.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut lines = text.lines();
    lines.find_map(|it| it.strip_prefix(name)).map(str::trim)
}

/// Why HAProxy would not start with a configuration, as far as files that it may have open decide that.
pub(crate) async fn lack_of_descriptors(
    master: &Master,
    version: Option<Version>,
    bundle: &Bundle,
) -> Option<String> {
    // Older ones make do with what there is.
    if version.is_none_or(|it| !it.is_at_least(2, 3)) {
        return None;
    }
    let needed = descriptors(bundle)?;
    let processes = master.processes().await.ok()?;
    if !master.is_visible(&processes).await.ok()? {
        return None;
    }
    let granted = most_descriptors(processes.master.pid)?;
    (needed > granted).then(|| {
        format!(
            "it needs at least {needed} file descriptors and may open {granted}: two for each connection \
             of `maxconn` and one for each checked server; lower `max-connections` or raise the limit \
             (`ulimit -n`) of HAProxy"
        )
    })
}

/// How many files a process may open if it raises its limit as far as it can.
fn most_descriptors(pid: u32) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).ok();
    let hard = hard_limit(&read("limits")?)?;
    let can_raise = raises_limits(&read("status")?) && is_of_first_namespace(&read("uid_map")?);
    if !can_raise {
        return Some(hard);
    }
    let most = fs::read_to_string("/proc/sys/fs/nr_open").ok()?;
    Some(hard.max(most.trim().parse().ok()?))
}

fn hard_limit(limits: &str) -> Option<u64> {
    let mut words = field(limits, "Max open files")?.split_whitespace();
    match words.nth(1)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

fn raises_limits(status: &str) -> bool {
    let capabilities = field(status, "CapEff:").and_then(|it| u64::from_str_radix(it, 16).ok());
    capabilities.is_some_and(|it| it >> RAISES_LIMITS & 1 != 0)
}

/// Whether users have all their numbers: capabilities of another namespace do not count for limits.
fn is_of_first_namespace(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// The sessions of clients that a worker has, by their names.
pub(crate) async fn sessions(master: &Master, pid: u32) -> Result<Vec<String>, socket::Error> {
    let answer = master.ask_process(pid, &["show sess".into()]).await?;
    Ok(names(&answer))
}

/// Closes sessions of a worker. Those that have ended are none of its any more, which is as well.
pub(crate) async fn close(
    master: &Master,
    pid: u32,
    sessions: &[String],
) -> Result<(), socket::Error> {
    let commands: Vec<String> = sessions
        .iter()
        .map(|it| format!("shutdown session {it}"))
        .collect();
    master.ask_process(pid, &commands).await?;
    Ok(())
}

/// The names of sessions that clients have begun, and not HAProxy itself or whoever gives it commands.
fn names(answer: &str) -> Vec<String> {
    let lines = answer.lines().filter_map(|it| it.split_once(": proto="));
    let of_clients = lines.filter(|(_, it)| it.starts_with("tcp") || it.starts_with("quic"));
    of_clients.map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sessions_of_clients_are_found() {
        let answer = "\
0x55e062231810: proto=tcpv4 src=127.0.0.1:50334 fe=_front_http be=b srv=s1 ts=00 epoch=0 age=3s\n\
0x55e062372fd0: proto=sockpair src=unix:2 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s\n\
0x55e062372fd1: proto=unix_stream src=unix:2 fe=_front_https be=b srv=<none> ts=00 epoch=0 age=0s\n\
0x7fba28032670: proto=tcpv6 src=::1:50350 fe=_front_http be=b srv=s1 ts=00 epoch=0 age=3s\n\n";
        assert_eq!(names(answer), ["0x55e062231810", "0x7fba28032670"]);
        assert!(names("Can't find the target PID matching the prefix '@!9'\n").is_empty());
    }

    #[test]
    fn what_a_process_takes_and_may_open_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
            Max open files            1024                 20000                files     \n";
        assert_eq!(hard_limit(limits), Some(20_000));
        assert!(raises_limits("Name:\thaproxy\nCapEff:\t000001ffffffffff\n"));
        assert!(!raises_limits("CapEff:\t00000000a80425fb\n"));
        assert!(is_of_first_namespace("         0          0 4294967295\n"));
        assert!(!is_of_first_namespace("         0     100000      65536\n"));
        let own = std::process::id();
        assert!(resident(own).is_some_and(|it| it > 1 << 20));
        assert!(most_descriptors(own).is_some_and(|it| it > 10));
    }
}
