//! The tests of the controller against a real `kube-apiserver` and `etcd`.
//!
//! Such a server refuses endpoints on loopback addresses, so the tests run in a network of their own, on
//! whose only interface there is another range.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command::{self, cargo};
use crate::setup::{self, Tool};

/// The range of addresses; `tests/src/backend.rs` takes the first one.
const ADDRESSES: &str = "10.88.0.1/16";

/// The variable by which the programs are named, as everywhere in the field.
const ASSETS: &str = "KUBEBUILDER_ASSETS";

/// What sets the network up and ends the servers, and Debian's packages of it.
const PROGRAMS: [(&str, &str); 3] = [
    ("ip", "iproute2"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
];

/// Tests that are nothing but a write that a real server takes from nobody, and why it does not.
const REFUSED: [(&str, &str); 2] = [
    (
        "a_class_may_become_somebody_elses_in_place",
        "`spec.controller` of an IngressClass cannot be changed",
    ),
    (
        "an_object_of_a_wrong_shape_is_kept_apart",
        "the schema of an Ingress has no such shape",
    ),
];

pub(crate) fn test(arguments: &[String]) -> Result<()> {
    let assets: PathBuf = env::var_os(ASSETS)
        .with_context(|| format!("{ASSETS} names no folder with etcd and kube-apiserver"))?
        .into();
    let assets = assets
        .canonicalize()
        .with_context(|| format!("{ASSETS}={}", assets.display()))?;
    for program in ["kube-apiserver", "etcd"] {
        let path = assets.join(program);
        if !path.is_file() {
            bail!("there is no {program} in {}", assets.display());
        }
        let version = command::output(Command::new(&path).arg("--version"));
        let version = version.with_context(|| format!("`{} --version` fails", path.display()))?;
        let version = version.lines().next().unwrap_or_default();
        command::say(&format!("{}: {version}", path.display()));
    }
    for (program, package) in PROGRAMS {
        if command::find(program).is_none() {
            bail!("there is no `{program}`, which Debian has in the package {package}");
        }
    }
    setup::install(&[Tool::Haproxy])?;
    command::run(&mut cargo(&["build", "--workspace"]))?;
    // What is built is built outside: there is no way out of the other network.
    command::run(&mut cargo(&[
        "test",
        "--workspace",
        "--test",
        "controller",
        "--no-run",
    ]))?;
    let mut test = Command::new("unshare");
    test.args(["--net", "--map-root-user", "--", "sh", "-c"])
        .arg(format!(
            "ip link set lo up && ip address add {ADDRESSES} dev lo && exec \"$@\""
        ))
        .arg("sh");
    let tests = cargo(&[
        "test",
        "--offline",
        "--workspace",
        "--test",
        "controller",
        "--",
    ]);
    test.arg(tests.get_program())
        .args(tests.get_args())
        .args(arguments)
        .args(REFUSED.iter().flat_map(|(test, _)| ["--skip", test]))
        // There is one server for all.
        .arg("--test-threads=1")
        .current_dir(command::root())
        .env(ASSETS, assets)
        .env("HAPROXY", setup::haproxy()?)
        .env(
            "HAPROXY_INGRESS",
            command::target()?.join("debug/haproxy-ingress"),
        );
    for (test, why) in REFUSED {
        command::say(&format!(
            "{test} is left out, for a real server refuses what it writes: {why}"
        ));
    }
    command::run(&mut test)
}
