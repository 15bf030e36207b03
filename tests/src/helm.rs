//! The real Helm.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Runs Helm: `$HELM`, or the one of `cargo xtask setup`.
///
/// # Panics
///
/// When there is none.
pub fn helm<A: AsRef<OsStr>>(arguments: &[A]) -> Output {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let this = std::env::current_exe().expect("this program has a path");
        // `target/debug/deps/NAME`.
        let target = this.ancestors().nth(3).expect("cargo has built it");
        let named = std::env::var_os("HELM").map(PathBuf::from);
        named.unwrap_or_else(|| target.join("helm-4/helm"))
    });
    let output = Command::new(program).args(arguments).output();
    output.unwrap_or_else(|error| {
        panic!(
            "these tests need Helm, and `{}` cannot be started: {error}; `cargo xtask setup` gets it, or \
             name one in HELM",
            program.display()
        )
    })
}
