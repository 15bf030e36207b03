//! What the design promises in numbers, measured on this machine: `make bench`.
//!
//! Times of ours are CPU times of one thread, medians of five runs. What is compared with HAProxy is
//! measured in the same run, so the ratios hold on any machine; the absolute goals were set on two
//! cores of an ordinary server. A word as argument runs the rows whose names have it.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(
    clippy::cast_precision_loss,
    reason = "what is measured here has less than fifteen digits"
)]

mod clock;
mod compile;
mod instructions;
mod live;
mod memory;
mod proxy;

use std::env;
use std::panic;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is measured: its name, and what does it.
type Row = (&'static str, fn() -> Measured);

/// All rows, in the order of the design.
const ROWS: &[Row] = &[
    ("compile 10,000 lean Ingresses, cold", compile::lean),
    ("compile 10,000 rich Ingresses, cold", compile::rich),
    (
        "instructions to compile a lean Ingress : before most keys",
        instructions::lean,
    ),
    (
        "instructions to compile a rich Ingress : before most keys",
        instructions::rich,
    ),
    (
        "compile : HAProxy's reload of the result, lean",
        proxy::reload_lean,
    ),
    (
        "compile : HAProxy's reload of the result, rich",
        proxy::reload_rich,
    ),
    (
        "one endpoint among 10,000 moves, until the plan",
        compile::endpoint,
    ),
    (
        "one path among 10,000 is added, until the plan",
        compile::path,
    ),
    ("the same change among 50,000 : among 1,000", compile::slope),
    (
        "memory of 10,000 lean Ingresses and their result",
        memory::lean,
    ),
    ("request at 10,000 hosts : at one host", proxy::requests),
    ("reload of 10,000 simple backends", proxy::reload_simple),
    (
        "memory of HAProxy with 10,000 simple backends",
        proxy::memory_simple,
    ),
    (
        "live: 100 reloads, a connection for each request",
        live::closed,
    ),
    ("live: 100 reloads, kept connections", live::kept),
    ("live: 100 reloads, HTTP/2 over TLS", live::http2),
    (
        "live: 20 refused reloads, all kinds of clients",
        live::rejected,
    ),
    (
        "live: 99 % of 10,000 endpoint changes among 1,000 backends",
        live::endpoints,
    ),
    (
        "live: 200 endpoints that answer on are replaced",
        live::replaced,
    ),
    (
        "live: 99 % of 1,000 certificate renewals among 1,000 hosts",
        live::certificates,
    ),
    (
        "live: 99 % of 1,000 path changes among 1,000 backends",
        live::paths,
    ),
    ("live: 100 swaps of a map of 10,000 entries", live::swaps),
    ("live: 1,000 resyncs without a change", live::resyncs),
    (
        "live: 100 restarts of the controller without a change",
        live::restarts,
    ),
    (
        "live: memory of the controller with 10,000 of each, at rest",
        live::memory,
    ),
    ("live: CPU of the controller at rest", live::idle),
    (
        "live: from event to effective among 10,000, median",
        live::event,
    ),
];

/// What was measured, and what it shall be.
struct Measured {
    /// The number that the goal is about.
    value: f64,
    /// Its unit.
    unit: &'static str,
    /// The most that it may be.
    goal: f64,
    /// What else is worth knowing.
    remark: String,
}

fn main() -> ExitCode {
    let mut outcome = ExitCode::SUCCESS;
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [memory, size] = &arguments[..]
        && memory == memory::ARGUMENT
    {
        memory::measure(size.parse().expect("a number was given"));
        return outcome;
    }
    if let [count, kind, what] = &arguments[..]
        && count == instructions::ARGUMENT
    {
        instructions::work(kind, what);
        return outcome;
    }
    // Cargo adds `--bench`.
    let wanted = arguments.iter().find(|it| !it.starts_with("--"));
    println!("| what | measured | goal | of the goal | | |");
    println!("|---|---|---|---|---|---|");
    for (name, measure) in ROWS {
        if wanted.is_some_and(|it| !name.contains(it.as_str())) {
            continue;
        }
        // What fails says why by itself; the other rows are wanted all the same.
        let Ok(it) = panic::catch_unwind(measure) else {
            println!("| {name} | failed | | | | |");
            outcome = ExitCode::FAILURE;
            continue;
        };
        let unit = it.unit;
        println!(
            "| {name} | {:.2} {unit} | {:.2} {unit} | {} | {} | {} |",
            it.value,
            it.goal,
            share(&it),
            if it.value <= it.goal { "ok" } else { "short" },
            it.remark
        );
    }
    outcome
}

/// How much of its goal a value takes.
fn share(it: &Measured) -> String {
    // Of what shall not happen at all there is no share.
    if it.goal > 0.0 {
        format!("{:.0} %", 100.0 * it.value / it.goal)
    } else {
        String::new()
    }
}
