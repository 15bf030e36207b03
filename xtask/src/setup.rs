//! What a machine must have beside Rust, installed if it is missing.
//!
//! Every command of the menu names the tools that it needs. Nothing is done, and nothing is said,
//! when they are there.

mod haproxy_28;
mod helm;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};

use crate::command;

pub(crate) use self::haproxy_28::haproxy_28;
pub(crate) use self::helm::helm;

/// Something that a command of the menu needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tool {
    /// HAProxy of the distribution, or the one that the variable `HAPROXY` names.
    Haproxy,
    /// HAProxy 2.8, or the one that the variable `HAPROXY_28` names.
    Haproxy28,
    /// Helm, or the one that the variable `HELM` names.
    Helm,
    /// `curl`, for HTTPS.
    Curl,
    /// Chromium, in which the page is tested.
    Browser,
    /// Node with npm, which build the page.
    Node,
    /// A Rust compiler for `wasm32-unknown-unknown`.
    Wasm,
    /// The page's packages.
    Page,
}

impl Tool {
    /// All tools.
    pub(crate) fn all(browser: bool) -> Vec<Self> {
        let mut tools = vec![
            Self::Haproxy,
            Self::Haproxy28,
            Self::Helm,
            Self::Curl,
            Self::Node,
            Self::Wasm,
            Self::Page,
        ];
        if browser {
            tools.push(Self::Browser);
        }
        tools
    }

    /// Debian's packages for it, if it is missing.
    fn missing_packages(self) -> Result<&'static [&'static str]> {
        let missing = match self {
            Self::Haproxy => env::var_os("HAPROXY").is_none() && command::find("haproxy").is_none(),
            Self::Haproxy28 => return haproxy_28::missing_packages(),
            Self::Helm => return helm::missing_packages(),
            Self::Curl => command::find("curl").is_none(),
            Self::Browser => browser().is_none(),
            Self::Node => command::find("node").is_none() || command::find("npm").is_none(),
            Self::Wasm => !has_wasm_target() && !add_wasm_target() && !has_wasm_packages(),
            Self::Page => false,
        };
        Ok(match self {
            _ if !missing => &[],
            Self::Haproxy => &["haproxy"],
            Self::Curl => &["curl"],
            Self::Browser => &["chromium"],
            Self::Node => &["nodejs", "npm"],
            Self::Wasm => &["rustc-web", "cargo-web", "rust-web-src", "lld-22"],
            Self::Haproxy28 | Self::Helm | Self::Page => &[],
        })
    }
}

/// Installs what is missing of these.
pub(crate) fn install(tools: &[Tool]) -> Result<()> {
    let mut packages = Vec::new();
    for tool in tools {
        packages.extend_from_slice(tool.missing_packages()?);
    }
    if !packages.is_empty() {
        install_packages(&packages)?;
    }
    for tool in tools {
        match tool {
            Tool::Haproxy28 => haproxy_28::unpack()?,
            Tool::Helm => helm::unpack()?,
            Tool::Node => check_node()?,
            Tool::Page => install_page()?,
            _ => {}
        }
    }
    Ok(())
}

/// The HAProxy to test with.
pub(crate) fn haproxy() -> Result<PathBuf> {
    match env::var_os("HAPROXY") {
        Some(path) => Ok(path.into()),
        None => command::find("haproxy").context("there is no `haproxy`: `cargo xtask setup`"),
    }
}

/// The browser to test with.
pub(crate) fn browser() -> Option<PathBuf> {
    env::var_os("CHROMIUM")
        .map(PathBuf::from)
        .or_else(|| command::find("chromium"))
        .or_else(|| command::find("chromium-browser"))
        .or_else(|| command::find("google-chrome"))
}

/// Installs packages of the distribution.
fn install_packages(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if command::find("apt-get").is_none() {
        bail!(
            "missing: {list} (names of Debian's packages), and there is no apt-get: install them by hand"
        );
    }
    let apt = |arguments: &[&str]| -> Result<Command> {
        let mut apt = if rustix::process::geteuid().is_root() {
            Command::new("apt-get")
        } else if command::find("sudo").is_some() {
            let mut sudo = Command::new("sudo");
            sudo.args(["--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
            sudo
        } else {
            bail!("missing: {list}; as root: apt-get install --no-install-recommends {list}");
        };
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        Ok(apt)
    };
    command::say(&format!("installing from the distribution: {list}"));
    command::run(&mut apt(&["update", "-qq"])?)?;
    let mut install = apt(&["install", "-y", "-qq", "--no-install-recommends"])?;
    command::run(install.args(packages))
}

/// What the page's tools ask of Node.
const NODE: (u32, u32) = (20, 19);

/// Older distributions have a Node that is too old, and no other.
fn check_node() -> Result<()> {
    let version = command::output(Command::new("node").arg("--version")).unwrap_or_default();
    let mut numbers = version.trim().trim_start_matches('v').split('.');
    let mut number = || numbers.next().and_then(|it| it.parse::<u32>().ok());
    if (number().unwrap_or_default(), number().unwrap_or_default()) < NODE {
        bail!(
            "the page needs Node {}.{} or newer, and this is {version:?}: see https://nodejs.org",
            NODE.0,
            NODE.1
        );
    }
    Ok(())
}

/// Whether rustup has the standard library for the browser.
pub(crate) fn has_wasm_target() -> bool {
    command::output(Command::new("rustup").args(["target", "list", "--installed"]))
        .is_some_and(|it| it.lines().any(|it| it == "wasm32-unknown-unknown"))
}

/// Whether the distribution's compiler for the browser is there.
fn has_wasm_packages() -> bool {
    let compiler = command::output(Command::new("dpkg").args(["-L", "rustc-web"]))
        .is_some_and(|it| it.lines().any(|it| it.ends_with("/bin/rustc")));
    compiler && command::find("wasm-ld-22").is_some()
}

/// Asks rustup for the standard library for the browser. Where only package registries can be
/// reached this fails, and the distribution's compiler does it.
fn add_wasm_target() -> bool {
    if command::find("rustup").is_none() || has_wasm_packages() {
        return false;
    }
    command::say("adding the target wasm32-unknown-unknown to Rust");
    let mut add = Command::new("timeout");
    add.args(["180", "rustup", "target", "add", "wasm32-unknown-unknown"]);
    if let Err(error) = command::run(&mut add) {
        command::say(&format!("{error}; the distribution's compiler is used"));
    }
    has_wasm_target()
}

/// Installs the page's packages, as its lock file has them.
fn install_page() -> Result<()> {
    let folder = command::root().join("web-demo");
    let changed = |path: &Path| -> Option<SystemTime> { path.metadata().ok()?.modified().ok() };
    let lock = changed(&folder.join("package-lock.json"))
        .with_context(|| format!("{} has no package-lock.json", folder.display()))?;
    // npm writes this file last.
    let installed = changed(&folder.join("node_modules/.package-lock.json"));
    if installed.is_some_and(|it| it >= lock) {
        return Ok(());
    }
    command::say("installing the page's packages");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder);
    command::run(&mut npm)
}
