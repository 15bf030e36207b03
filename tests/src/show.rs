//! Numbers that a test makes and that one wants to see.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write as _};

/// Names a file that rows of the table of faults are added to.
const FAULTS: &str = "FAULTS";

/// Shows a line, or several, whatever becomes of the test: the harness keeps back only what `println!`
/// and its like print, and shows that of tests that fail.
pub fn show(text: &str) {
    // Whoever reads it may have gone; that is no failure of the test.
    let _ = io::stdout()
        .lock()
        .write_all(format!("{text}\n").as_bytes());
}

/// Shows what was seen of a fault, at the end of a test about it. The name of the fault is the same with
/// all versions of HAProxy: `cargo xtask faults` puts those beside each other.
///
/// # Panics
///
/// When the file that `FAULTS` names takes no line.
pub fn seen(fault: &str, what: &str) {
    let row = format!("{fault} | {what}\n");
    show(row.trim_end());
    if let Some(path) = env::var_os(FAULTS) {
        // One write, so that tests of several programs do not mix.
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut it| it.write_all(row.as_bytes()));
        written.unwrap_or_else(|error| panic!("{FAULTS}={}: {error}", path.display()));
    }
}
