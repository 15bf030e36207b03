//! Builds the browser's side: the engine as WebAssembly, its JavaScript, and the page around it.
//!
//! ```text
//!  wasm/ ──cargo──▶ .wasm ──xtask-bindgen──▶ web-demo/src/engine/ ──vite──▶ web-demo/dist/ ─┐
//!  docs/*.md, tests/cases/ ──web-demo/docs/build.mjs──▶ target/site/ ◀──────────────────────┘
//! ```

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command;

/// What to build.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Build the engine and its JavaScript, but not the page
    #[arg(long)]
    engine_only: bool,
}

const TARGET: &str = "wasm32-unknown-unknown";

/// The compiler that Debian packages together with the sources of its standard library.
const DISTRO_PACKAGES: &str = "rustc-web cargo-web rust-web-src lld-22";

/// Builds the engine, and the page unless only the engine is asked for.
pub(crate) fn build(args: &Args) -> Result<()> {
    let page = command::root().join("web-demo");
    engine(&page.join("src/engine"))?;
    if args.engine_only {
        return Ok(());
    }
    packages(&page)?;
    command::run(
        Command::new("npm")
            .args(["run", "--silent", "build"])
            .current_dir(&page),
    )?;
    command::run(Command::new("node").arg("size.mjs").current_dir(&page))
}

/// Builds the documentation as a site in `target/site`, with the playground in it.
pub(crate) fn site() -> Result<()> {
    build(&Args { engine_only: false })?;
    let target = command::target()?;
    let cases = target.join("cases.json");
    // The whole workspace is named so that nothing is built again with fewer features.
    let bin = ["build", "--workspace", "--bin", "haproxy-ingress-cases"];
    command::run(&mut command::cargo(&bin))?;
    let printed = Command::new(target.join("debug/haproxy-ingress-cases"))
        .output()
        .context("cannot start the program that prints the cases")?;
    if !printed.status.success() {
        bail!("{}", String::from_utf8_lossy(&printed.stderr));
    }
    fs::write(&cases, printed.stdout)?;
    let page = command::root().join("web-demo");
    command::run(
        Command::new("node")
            .arg("docs/build.mjs")
            .arg(cases)
            .arg(target.join("site"))
            .current_dir(page),
    )
}

/// Compiles the engine into `folder`.
fn engine(folder: &Path) -> Result<()> {
    // A folder of its own: the compiler for the page may be another one than that for this machine,
    // and two compilers must not share one.
    let target = command::target()?.join("web");
    let mut cargo = cargo_for_the_page()?;
    cargo
        .args(["build", "--package", "haproxy-ingress-wasm", "--lib"])
        .args(["--profile", "wasm", "--target", TARGET])
        .env("CARGO_TARGET_DIR", &target)
        // Without names and padding the file is a third smaller, which an optimiser does not better.
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
            "-C link-arg=--compress-relocations -C strip=symbols",
        )
        .current_dir(command::root());
    command::run(&mut cargo)?;
    let wasm = target.join(TARGET).join("wasm/haproxy_ingress_wasm.wasm");
    let bindgen = ["run", "--quiet", "--package", "xtask-bindgen", "--"];
    command::run(command::cargo(&bindgen).arg(wasm).arg(folder))
}

/// The compiler of rustup where it has the target, else Debian's, which builds the standard library.
///
/// `WASM_TOOLCHAIN=distro` takes Debian's in any case.
fn cargo_for_the_page() -> Result<Command> {
    let distro_wanted = env::var_os("WASM_TOOLCHAIN").is_some_and(|it| it == "distro");
    if !distro_wanted && rustup_has_the_target() {
        return Ok(command::cargo(&[]));
    }
    let advice = format!(
        "cannot compile for {TARGET}: run `rustup target add {TARGET}`, or `apt-get install \
         {DISTRO_PACKAGES}`"
    );
    let cargo = packaged("cargo-web", "/bin/cargo").context(advice.clone())?;
    let rustc = packaged("rustc-web", "/bin/rustc").context(advice)?;
    let mut command = Command::new(cargo);
    command
        .arg("-Zbuild-std=std,panic_abort")
        .env("RUSTC", rustc)
        // For this one command: build scripts of native builds must not see it.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-22")
        .env_remove("RUSTUP_TOOLCHAIN");
    Ok(command)
}

fn rustup_has_the_target() -> bool {
    command::output(Command::new("rustup").args(["target", "list", "--installed"]))
        .is_some_and(|it| it.lines().any(|it| it == TARGET))
}

/// The file of a Debian package whose path ends so.
fn packaged(package: &str, end: &str) -> Result<PathBuf> {
    command::output(Command::new("dpkg").args(["--listfiles", package]))
        .and_then(|it| it.lines().find(|it| it.ends_with(end)).map(PathBuf::from))
        .with_context(|| format!("the package {package} is not installed"))
}

/// Installs the page's packages unless they are as the lock file says.
fn packages(page: &Path) -> Result<()> {
    let modified = |path: &str| page.join(path).metadata().and_then(|it| it.modified());
    let locked = modified("package-lock.json")?;
    if modified("node_modules/.package-lock.json").is_ok_and(|it| it >= locked) {
        return Ok(());
    }
    command::run(Command::new("npm").arg("ci").current_dir(page))
}
