//! The root file system of the controller's image, laid out without Docker.
//!
//! It is what `deploy/Dockerfile --target external` makes: the program, the authorities that it trusts, the
//! user that it runs as, and the folders that it shares with HAProxy. A program that is not static brings its
//! libraries. `tests/tests/image.rs` starts it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command;

/// What is laid out, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where; `image-root` in the folder of builds if it is not given. What was laid out there before is
    /// replaced.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The program; it is built, optimised, if it is not given.
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
}

/// The user that HAProxy's own image has, and so has ours.
const USER: u32 = 99;

/// Which folders there are for that user.
const FOLDERS: [&str; 3] = ["etc/haproxy", "var/lib/haproxy", "var/run/haproxy"];

const PASSWD: &str = "root:x:0:0:root:/:/sbin/nologin\n\
    haproxy:x:99:99:haproxy:/var/lib/haproxy:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nhaproxy:x:99:\n";

/// Where distributions keep the authorities that they trust.
const AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Lays it out.
pub(crate) fn build(arguments: &Args) -> Result<()> {
    let binary = match &arguments.binary {
        Some(path) => path.clone(),
        None => {
            command::run(&mut command::cargo(&[
                "build",
                "--release",
                "--locked",
                "--package",
                "haproxy-ingress",
            ]))?;
            command::target()?.join("release/haproxy-ingress")
        }
    };
    let out = match &arguments.out {
        Some(path) => std::path::absolute(path)?,
        None => command::target()?.join("image-root"),
    };
    clear(&out)?;
    for folder in FOLDERS.into_iter().chain(["var/empty"]) {
        let folder = out.join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    copy(&binary, &out.join("usr/local/bin/haproxy-ingress"), 0o755)?;
    let libraries = libraries(&binary)?;
    for library in &libraries {
        let relative = library.strip_prefix("/").unwrap_or(library);
        copy(library, &out.join(relative), 0o755)?;
    }
    let authorities = AUTHORITIES.iter().map(Path::new).find(|it| it.is_file());
    let authorities = authorities.context(
        "there are no trusted authorities on this machine: install the package ca-certificates",
    )?;
    copy(
        authorities,
        &out.join("etc/ssl/certs/ca-certificates.crt"),
        0o644,
    )?;
    fs::write(out.join("etc/passwd"), PASSWD)?;
    fs::write(out.join("etc/group"), GROUP)?;
    give_folders(&out)?;
    let kind = match libraries.len() {
        0 => "a static program".into(),
        count => format!("a program with {count} libraries"),
    };
    command::say(&format!("{}: {kind}", out.display()));
    Ok(())
}

/// Gives the shared folders to the user, which only root can.
fn give_folders(out: &Path) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        command::say(&format!(
            "not root: the folders below {} stay yours, and in the image they belong to user {USER}",
            out.display()
        ));
        return Ok(());
    }
    for folder in FOLDERS {
        std::os::unix::fs::chown(out.join(folder), Some(USER), Some(USER))?;
    }
    Ok(())
}

/// Removes what was laid out before, and nothing else.
fn clear(out: &Path) -> Result<()> {
    let Ok(mut entries) = fs::read_dir(out) else {
        return Ok(());
    };
    if entries.next().is_none() {
        return Ok(());
    }
    if !out.join("usr/local/bin/haproxy-ingress").is_file() {
        bail!(
            "{} holds something else than a root that was laid out here: name another folder",
            out.display()
        );
    }
    fs::remove_dir_all(out).with_context(|| format!("cannot clear {}", out.display()))
}

/// The shared libraries that a program is started with, and the program that loads them.
fn libraries(binary: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd")
        .arg(binary)
        .env("LC_ALL", "C")
        .output()
        .context("cannot start `ldd`, which names the libraries of a program")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || text.contains("statically linked") {
        let told = String::from_utf8_lossy(&output.stderr);
        // The last one is what musl says.
        let is_static = ["not a dynamic executable", "Not a valid dynamic program"]
            .iter()
            .any(|it| told.contains(it));
        if text.contains("statically linked") || is_static {
            return Ok(Vec::new());
        }
        bail!("`ldd {}`: {told}{text}", binary.display());
    }
    let mut libraries = Vec::new();
    for line in text.lines().map(str::trim) {
        // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, or `/lib64/ld-linux-x86-64.so.2 (0x…)`.
        let path = line.split_once(" => ").map_or(line, |(_, path)| path);
        if path == "not found" {
            bail!("{}: {line}", binary.display());
        }
        let path = path.split(" (").next().unwrap_or_default();
        if path.starts_with('/') {
            libraries.push(PathBuf::from(path));
        }
    }
    Ok(libraries)
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(mode))?)
}
