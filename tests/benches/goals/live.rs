//! The controller and HAProxy while clients ask without a pause: what is lost, and how long a change
//! takes until they see it.
//!
//! `BENCH_SCALE=10` does a tenth of everything, for a quick try.

mod changes;
mod cluster;
mod idle;
mod load;
mod reloads;
mod scene;
mod swaps;
mod upstream;

use std::env;

pub(crate) use self::changes::{certificates, endpoints, paths, replaced};
pub(crate) use self::cluster::{event, idle, memory};
pub(crate) use self::idle::{restarts, resyncs};
pub(crate) use self::reloads::{closed, http2, kept, rejected};
pub(crate) use self::swaps::swaps;

/// A number of things to do, made smaller as the environment asks for.
fn scaled(number: u32) -> u32 {
    let scale = env::var("BENCH_SCALE").ok().map_or(1, |it| {
        let scale = it.parse().ok().filter(|it| *it > 0);
        scale.unwrap_or_else(|| panic!("BENCH_SCALE is a number from 1, not `{it}`"))
    });
    (number / scale).max(1)
}
