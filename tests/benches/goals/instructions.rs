//! What a compilation costs, counted in instructions: the same number on every run, whatever else the
//! machine is doing. Needs `valgrind`.
//!
//! Counted in a process of its own, with and without the compilation; the difference is what it costs.

use std::env;
use std::hint::black_box;
use std::process::Command;

use haproxy_ingress_core::compile::compile;
use haproxy_ingress_tests::cluster::Cluster;

use crate::Measured;

/// Asks this program to compile a cluster once, in a new process.
pub(crate) const ARGUMENT: &str = "count-instructions";

/// How many Ingresses are compiled.
const INGRESSES: usize = 1_000;

/// What a lean and a rich Ingress cost before most configuration keys were carried out.
const BEFORE_LEAN: f64 = 118_000.0;
const BEFORE_RICH: f64 = 320_000.0;

/// By how much all keys may raise that.
const GOAL: f64 = 4.0 / 3.0;

pub(crate) fn lean() -> Measured {
    against("lean", BEFORE_LEAN)
}

pub(crate) fn rich() -> Measured {
    against("rich", BEFORE_RICH)
}

fn against(kind: &str, before: f64) -> Measured {
    let each = (count(kind, "compiled") - count(kind, "read")) / INGRESSES as f64;
    Measured {
        value: each / before,
        unit: "×",
        goal: GOAL,
        remark: format!("{each:.0} instructions each, {before:.0} before"),
    }
}

/// How many instructions it takes to make a cluster, and to compile it if that is asked for.
fn count(kind: &str, what: &str) -> f64 {
    let program = env::current_exe().expect("this program has a path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([ARGUMENT, kind, what])
        .output()
        .expect("valgrind is installed");
    let text = String::from_utf8_lossy(&output.stderr);
    let counted = text.lines().find_map(|it| it.split_once("Collected :"));
    let (_, number) = counted.unwrap_or_else(|| panic!("valgrind counted nothing:\n{text}"));
    let number = number.trim().parse();
    number.unwrap_or_else(|_| panic!("valgrind counted no number:\n{text}"))
}

/// Makes a cluster, and compiles it if that is asked for.
pub(crate) fn work(kind: &str, what: &str) {
    let cluster = match kind {
        "lean" => Cluster::lean(INGRESSES),
        _ => Cluster::rich(INGRESSES),
    };
    let snapshot = cluster.snapshot();
    let options = crate::compile::options();
    if what == "compiled" {
        black_box(compile(&snapshot, &options, None));
    }
    black_box((snapshot, options));
}
