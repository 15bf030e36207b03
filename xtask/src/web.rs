//! Builds the browser's side: the engine as WebAssembly, its JavaScript, and the page around it.
//!
//! ```text
//!  wasm/ ──cargo──▶ .wasm ──xtask-bindgen──▶ web-demo/src/engine/ ──vite──▶ web-demo/dist/
//! ```

use std::env;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

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
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the package is in a folder of the workspace")?;
    let page = root.join("web-demo");
    engine(root, &page.join("src/engine"))?;
    if args.engine_only {
        return Ok(());
    }
    packages(&page)?;
    run(Command::new("npm")
        .args(["run", "--silent", "build"])
        .current_dir(&page))?;
    run(Command::new("node").arg("size.mjs").current_dir(&page))
}

/// Compiles the engine into `folder`.
fn engine(root: &Path, folder: &Path) -> Result<()> {
    // A folder of its own: the compiler for the page may be another one than that for this machine,
    // and two compilers must not share one.
    let target = target_folder(root).join("web");
    let mut cargo = cargo_for_the_page()?;
    cargo
        .args([
            "build",
            "--locked",
            "--package",
            "haproxy-ingress-wasm",
            "--lib",
        ])
        .args(["--profile", "wasm", "--target", TARGET])
        .env("CARGO_TARGET_DIR", &target)
        // Without names and padding the file is a third smaller, which an optimiser does not better.
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
            "-C link-arg=--compress-relocations -C strip=symbols",
        )
        .current_dir(root);
    run(&mut cargo)?;
    let wasm = target.join(TARGET).join("wasm/haproxy_ingress_wasm.wasm");
    run(Command::new(cargo_for_this_machine())
        .args([
            "run",
            "--quiet",
            "--locked",
            "--package",
            "xtask-bindgen",
            "--",
        ])
        .arg(wasm)
        .arg(folder)
        .current_dir(root))
}

/// The compiler of rustup where it has the target, else Debian's, which builds the standard library.
///
/// `WASM_TOOLCHAIN=distro` takes Debian's in any case.
fn cargo_for_the_page() -> Result<Command> {
    let distro_wanted = env::var_os("WASM_TOOLCHAIN").is_some_and(|it| it == "distro");
    if !distro_wanted && rustup_has_the_target() {
        return Ok(Command::new(cargo_for_this_machine()));
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
    Command::new("rustup")
        .args(["target", "list", "--installed"])
        .output()
        .is_ok_and(|it| {
            String::from_utf8_lossy(&it.stdout)
                .lines()
                .any(|it| it == TARGET)
        })
}

/// The file of a Debian package whose path ends so.
fn packaged(package: &str, end: &str) -> Result<PathBuf> {
    let list = Command::new("dpkg")
        .args(["--listfiles", package])
        .output()
        .context("there is no dpkg here")?;
    String::from_utf8_lossy(&list.stdout)
        .lines()
        .find(|it| it.ends_with(end))
        .map(PathBuf::from)
        .with_context(|| format!("the package {package} is not installed"))
}

/// Installs the page's packages unless they are as the lock file says.
fn packages(page: &Path) -> Result<()> {
    let modified = |path: &str| page.join(path).metadata().and_then(|it| it.modified());
    let locked = modified("package-lock.json")?;
    if modified("node_modules/.package-lock.json").is_ok_and(|it| it >= locked) {
        return Ok(());
    }
    run(Command::new("npm").arg("ci").current_dir(page))
}

fn target_folder(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |it| root.join(it))
}

/// The cargo that runs this program.
fn cargo_for_this_machine() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn run(command: &mut Command) -> Result<()> {
    writeln!(std::io::stderr(), "$ {}", shown(command))?;
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) => {
            ensure!(status.success(), "`{program}` failed: {status}");
            Ok(())
        }
        Err(error) => bail!("cannot run `{program}`: {error}"),
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|it| it.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
