//! No value of any key leaves its directive, and no tenant changes what serves another one.
//!
//! Every key of the registry is tried at every place, alone and in pairs, with values that nobody planned
//! for: on Ingresses and Services, those for connections as well, in the parameters of a class and in the
//! global ConfigMap. So are paths, entries of the ConfigMap of TCP services and contents of Secrets. What comes out is read back into sections, directives and words, and compared
//! with what harmless values make: see [`judge`]. `INPUTS=number` says how many values are tried,
//! `WORLDS=number` how many worlds of two tenants, and `SEED=number` repeats a run.
//!
//! A million values need optimised code, so these tests have a profile of their own and are not a part of
//! a plain `cargo test`: `cargo xtask injection`.

mod place;
mod world;
mod reader;
mod learned;
mod judge;
mod run;
mod isolation;

#[path = "../../../core/tests/properties/lexer.rs"]
#[expect(
    dead_code,
    reason = "whole configurations are read by the other user of this file"
)]
mod lexer;

use std::sync::LazyLock;
use std::time::Instant;

use haproxy_ingress_tests::hostile::Known;

use crate::learned::Learned;
use crate::place::{Place, pairs};
use crate::run::Effort;

/// How many values are tried if nobody says another number.
const INPUTS: u64 = 1_000_000;

/// How many worlds of two tenants are tried if nobody says another number.
const WORLDS: u64 = 20_000;

/// What the cases say, read once.
static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let mut known = Known::of_cases();
    place::teach(&mut known);
    known
});

/// What harmless values make, learned once.
static LEARNED: LazyLock<Learned> = LazyLock::new(|| Learned::of_harmless_values(&KNOWN));

#[test]
#[expect(clippy::print_stderr, reason = "counts are shown with --nocapture")]
fn no_value_leaves_its_directive() {
    let start = Instant::now();
    let learned = &*LEARNED;
    eprintln!("learned in {} ms: {learned}", start.elapsed().as_millis());
    let effort = Effort::of("INPUTS", INPUTS);
    let outcome = run::tenants(&effort, learned) + run::operators(&effort, learned);
    eprintln!(
        "{outcome} of SEED={} in {} s: values {}",
        effort.seed,
        start.elapsed().as_secs(),
        outcome.places()
    );
    eprintln!("lines that somebody wrote: {}", outcome.lines());
    outcome.judge(&effort);
    let places = [Place::TENANTS, Place::OPERATORS].concat();
    let untried = outcome.untried(&pairs(&places));
    assert!(untried.is_empty(), "no value was tried of {untried:?}");
    let unjudged = outcome.unjudged();
    assert!(unjudged.is_empty(), "nobody wrote a line of {unjudged:?}");
}

#[test]
#[expect(clippy::print_stderr, reason = "counts are shown with --nocapture")]
fn no_tenant_changes_what_serves_another_one() {
    let learned = &*LEARNED;
    let start = Instant::now();
    let effort = Effort::of("WORLDS", WORLDS);
    let outcome = isolation::worlds(&effort, learned);
    eprintln!(
        "{outcome} of SEED={} in {} s: worlds of two tenants",
        effort.seed,
        start.elapsed().as_secs()
    );
    outcome.judge(&effort);
}
