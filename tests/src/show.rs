//! Numbers that a test makes and that one wants to see.

use std::io::{self, Write as _};

/// Shows a line, or several, whatever becomes of the test: the harness keeps back only what `println!`
/// and its like print, and shows that of tests that fail.
pub fn show(text: &str) {
    // Whoever reads it may have gone; that is no failure of the test.
    let _ = io::stdout()
        .lock()
        .write_all(format!("{text}\n").as_bytes());
}
