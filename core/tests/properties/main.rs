//! What holds for every input: one module per subject.

mod certificate;
mod config;
mod lexer;
mod manifest;
mod stability;
mod world;

use proptest::test_runner::Config;

/// How many inputs are tried: 10,000, unless `PROPTEST_CASES` says otherwise.
fn config() -> Config {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let is_chosen = std::env::var_os("PROPTEST_CASES").is_some();
    if is_chosen {
        config
    } else {
        Config {
            cases: 10_000,
            ..config
        }
    }
}
