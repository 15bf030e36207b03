//! Placeholder.

#[cfg_attr(not(test), expect(dead_code, reason = "no command uses it yet"))]
mod haproxy;

fn main() {}
