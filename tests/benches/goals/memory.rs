//! What the controller has to keep: the objects, and what was made of them.
//!
//! Measured in a process of its own, because an allocator does not give back what another row used.

use std::env;
use std::hint::black_box;
use std::process::Command;

use haproxy_ingress_core::compile::compile;
use haproxy_ingress_tests::cluster::Cluster;

use crate::{Measured, clock};

/// Asks this program to measure, in a new process.
pub(crate) const ARGUMENT: &str = "measure-memory";

pub(crate) fn lean() -> Measured {
    let program = env::current_exe().expect("this program has a path");
    let output = Command::new(program)
        .args([ARGUMENT, "10000"])
        .output()
        .expect("this program can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(|it| {
        it.parse::<f64>()
            .unwrap_or_else(|_| panic!("not a number: {text}"))
    });
    let (objects, all) = numbers
        .next()
        .zip(numbers.next())
        .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    Measured {
        value: all,
        unit: "MB",
        goal: 120.0,
        remark: format!("{objects:.0} MB of it for the objects"),
    }
}

/// Prints the resident memory with the objects, and with the result of a second compilation.
pub(crate) fn measure(size: usize) {
    let snapshot = Cluster::lean(size).snapshot();
    let objects = clock::memory("self");
    let options = crate::compile::options();
    let first = compile(&snapshot, &options, None);
    let second = compile(&snapshot, &options, Some(&first.places));
    drop(first);
    println!("{objects} {}", clock::memory("self"));
    black_box((snapshot, second));
}
