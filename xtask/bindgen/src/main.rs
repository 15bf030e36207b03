//! Writes the JavaScript beside the engine's `.wasm`: `xtask-bindgen INPUT.wasm FOLDER`.
//!
//! The same work as that of the command `wasm-bindgen`, as a library, so that `Cargo.lock` keeps its
//! version next to the version that the engine was compiled with.

use std::env;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1);
    let (input, folder) = arguments
        .next()
        .zip(arguments.next())
        .context("usage: xtask-bindgen INPUT.wasm FOLDER")?;
    Bindgen::new()
        .input_path(input)
        .out_name("engine")
        .web(true)?
        .typescript(true)
        .omit_default_module_path(true)
        .generate(folder)
}
