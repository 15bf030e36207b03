//! What holds for every input: one module per subject.

mod certificate;
mod config;
mod lexer;
mod manifest;
mod nasty;
mod stability;
mod world;

use proptest::test_runner::Config;

/// How many inputs are tried: 10,000, unless `PROPTEST_CASES` says otherwise.
fn config() -> Config {
    const UNSAID: u32 = 256;
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if config.cases == UNSAID {
        config.cases = 10_000;
    }
    config
}
