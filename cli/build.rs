//! Notes which compiler builds the program, for `/build`.
//!
//! *Invariant:* nothing of the machine, the time or the folder gets into the program: the same sources and
//! the same compiler give the same bytes.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc).arg("--version").output();
    let output = output.unwrap_or_else(|it| panic!("cannot run {}: {it}", rustc.display()));
    let version = String::from_utf8_lossy(&output.stdout);
    println!("cargo::rustc-env=HAPROXY_INGRESS_RUSTC={}", version.trim());
}
