//! No value of any key leaves its directive, and no tenant changes what serves another one.
//!
//! Every key of the registry is tried in every place where it may stand, alone and in pairs, with values
//! that nobody planned for. What comes out is read back into sections, directives and words, and compared
//! with what harmless values make: see [`judge`]. `INPUTS=number` says how many values are tried,
//! `SEED=number` repeats a run.
//!
//! A million values need optimised code, so these tests have a profile of their own and are not a part of
//! a plain `cargo test`: `cargo xtask injection`.

mod world;
mod reader;
mod learned;
mod judge;
mod run;

#[path = "../../../core/tests/properties/lexer.rs"]
#[expect(
    dead_code,
    reason = "whole configurations are read by the other user of this file"
)]
mod lexer;

use std::sync::LazyLock;

use haproxy_ingress_tests::hostile::Known;
use haproxy_ingress_tests::random::{number, seed};

use crate::learned::Learned;
use crate::run::Effort;

/// How many values are tried if nobody says another number.
const INPUTS: u64 = 1_000_000;

/// What the cases say, read once.
static KNOWN: LazyLock<Known> = LazyLock::new(Known::of_cases);

#[test]
#[expect(clippy::print_stderr, reason = "counts are shown with --nocapture")]
fn no_value_leaves_its_directive() {
    let effort = Effort {
        inputs: number("INPUTS").unwrap_or(INPUTS),
        seed: seed(),
    };
    let start = std::time::Instant::now();
    let learned = Learned::of_harmless_values(&KNOWN);
    eprintln!("learned in {} ms: {learned}", start.elapsed().as_millis());
    let outcome = run::tenants(&effort, &learned) + run::operators(&effort, &learned);
    eprintln!(
        "{outcome} of SEED={} in {} s",
        effort.seed,
        start.elapsed().as_secs()
    );
    assert!(
        outcome.violations.is_empty(),
        "SEED={}:\n\n{}",
        effort.seed,
        outcome.report()
    );
}
