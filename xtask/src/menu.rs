//! The plain lines of the menu: `test`, `check`, `update`, `generate`, `bench`.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::command::{self, cargo};
use crate::setup::{self, Tool};

/// One part of `test`. All of its commands run, also after one has failed; the next part does not.
struct Stage {
    name: &'static str,
    commands: Vec<Command>,
}

/// Everything that a change must pass.
pub(crate) fn test() -> Result<()> {
    command::title("Set-up");
    setup::install(&Tool::all(true))?;
    let stages = vec![
        style(),
        Stage {
            name: "Build",
            commands: vec![cargo(&["build", "--workspace"])],
        },
        Stage {
            name: "Tests with the distribution's HAProxy",
            commands: vec![with_haproxy(
                &["test", "--workspace", "--no-fail-fast"],
                &setup::haproxy()?,
            )?],
        },
        Stage {
            name: "Tests with HAProxy 2.8",
            commands: process_tests()?
                .iter()
                .map(|it| with_haproxy(it, &setup::haproxy_28()?))
                .collect::<Result<_>>()?,
        },
        hostile(),
        page()?,
    ];
    run(stages)
}

/// Tries a million values that nobody planned for.
pub(crate) fn injection() -> Result<()> {
    command::run(&mut hostile_tests())
}

/// What to run before a commit.
pub(crate) fn check() -> Result<()> {
    let quick = cargo(&["test", "--workspace", "--lib", "--bins", "--no-fail-fast"]);
    let tree = cargo(&[
        "test",
        "-p",
        "haproxy-ingress-tests",
        "--test",
        "architecture",
    ]);
    run(vec![
        style(),
        Stage {
            name: "Unit tests",
            commands: vec![quick, tree],
        },
    ])
}

/// Writes what the cases give now into the case files.
pub(crate) fn update() -> Result<()> {
    let mut update = cargo(&["test", "-p", "haproxy-ingress-tests", "--test", "cases"]);
    command::run(update.env("UPDATE", "1"))
}

/// Writes, or only compares, the generated part of `docs/`.
pub(crate) fn generate(check: bool) -> Result<()> {
    let mut generate = cargo(&["test", "-p", "haproxy-ingress-tests", "--test", "reference"]);
    if !check {
        generate.env("UPDATE", "1");
    }
    command::run(&mut generate)?;
    // What the tools print.
    let words = [
        "test",
        "-p",
        "haproxy-ingress-tests",
        "--test",
        "tools",
        "page",
    ];
    let mut tools = cargo(&words);
    if !check {
        tools.env("UPDATE", "1");
    }
    command::run(&mut tools)?;
    // The types of the page.
    let mut declarations = cargo(&[
        "test",
        "-p",
        "haproxy-ingress-wasm",
        "--lib",
        "declarations",
    ]);
    if !check {
        declarations.env("UPDATE", "1");
    }
    command::run(&mut declarations)
}

/// Writes the manual pages: the program knows its own flags.
pub(crate) fn man(folder: &Path) -> Result<()> {
    let mut man = cargo(&["run", "--package", "haproxy-ingress", "--", "man"]);
    command::run(man.arg(folder))
}

/// Runs the benchmark, optimised.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    setup::install(&[Tool::Haproxy])?;
    command::run(&mut cargo(&[
        "build",
        "--release",
        "--package",
        "haproxy-ingress",
    ]))?;
    let mut bench = cargo(&["bench", "-p", "haproxy-ingress-tests", "--bench", "goals"]);
    bench
        .arg("--")
        .args(arguments)
        .env("HAPROXY", setup::haproxy()?)
        .env(
            "HAPROXY_INGRESS",
            command::target()?.join("release/haproxy-ingress"),
        );
    command::run(&mut bench)
}

fn style() -> Stage {
    Stage {
        name: "Format and lints",
        commands: vec![
            cargo(&["fmt", "--all", "--check"]),
            cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "--deny=warnings",
            ]),
        ],
    }
}

/// What no value and no tenant may change, in numbers that need optimised code.
fn hostile() -> Stage {
    Stage {
        name: "Hostile values and tenants",
        commands: vec![hostile_tests()],
    }
}

/// The tests that try what nobody planned for; they say how much they have tried.
///
/// For a million inputs our own code is optimised. What others wrote is as in all other tests, where it does not have
/// to be built again for that.
fn hostile_tests() -> Command {
    let mut tests = cargo(&["test"]);
    for package in ["haproxy-ingress-core", "haproxy-ingress-tests"] {
        let level = format!("profile.dev.package.{package}.opt-level=2");
        tests.args(["--config", &level]);
    }
    tests.args(["--workspace", "--test", "injection", "--", "--nocapture"]);
    tests
}

/// The playground: built, and then used in a browser.
fn page() -> Result<Stage> {
    let mut build = Command::new(env::current_exe()?);
    build.arg("web");
    // What the page says is compared with what the binary says.
    let binary = cargo(&["build", "-p", "haproxy-ingress"]);
    let mut test = Command::new("npm");
    test.args(["test", "--silent"])
        .env(
            "HAPROXY_INGRESS",
            command::target()?.join("debug/haproxy-ingress"),
        )
        .current_dir(command::root().join("web-demo"));
    if let Some(browser) = setup::browser() {
        test.env("CHROMIUM", browser);
    }
    Ok(Stage {
        name: "The page in a browser",
        commands: vec![build, binary, test],
    })
}

/// The tests that start HAProxy, as arguments of one call each: a module of the binary, and all of the package
/// but those that ask the engine alone. The whole workspace is named so that nothing is built again with fewer
/// features.
fn process_tests() -> Result<[Vec<String>; 2]> {
    let test = ["test", "--workspace", "--no-fail-fast"].map(String::from);
    let binary = ["--bin", "haproxy-ingress", "haproxy::"].map(String::from);
    let binary = test.iter().cloned().chain(binary).collect();
    let mut arguments: Vec<String> = test.into();
    let mut names = Vec::new();
    for entry in fs::read_dir(command::root().join("tests/tests"))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|it| it.to_str());
        // The chart is not another one for another HAProxy.
        if let Some(name) = name.filter(|it| *it != "chart")
            && starts_haproxy(&path)?
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    for name in names {
        arguments.extend(["--test".into(), name]);
    }
    Ok([binary, arguments])
}

/// Whether a file of tests, or one of a folder, has to do with a running HAProxy.
fn starts_haproxy(path: &Path) -> Result<bool> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            if starts_haproxy(&entry?.path())? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let is_rust = path.extension().is_some_and(|it| it == "rs");
    let text = if is_rust {
        fs::read_to_string(path)?
    } else {
        String::new()
    };
    Ok(["Haproxy::", "Rig::", "Stage::"]
        .iter()
        .any(|it| text.contains(it)))
}

/// Cargo, with the HAProxy that tests shall start.
pub(crate) fn with_haproxy<T: AsRef<str>>(arguments: &[T], haproxy: &Path) -> Result<Command> {
    command::say(&command::version(haproxy)?);
    let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    let mut tests = cargo(&arguments);
    tests
        .env("HAPROXY", haproxy)
        .env("HELM", setup::helm()?)
        .env(
            "HAPROXY_INGRESS",
            command::target()?.join("debug/haproxy-ingress"),
        );
    // Most of their time they wait for other processes.
    let threads = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    if env::var_os("RUST_TEST_THREADS").is_none() {
        tests.env("RUST_TEST_THREADS", threads.to_string());
    }
    Ok(tests)
}

/// Runs the stages and says at the end how each went.
fn run(stages: Vec<Stage>) -> Result<()> {
    let mut summary = Vec::new();
    let mut passed = 0;
    let mut failed = false;
    for stage in stages {
        if failed {
            summary.push(format!("- {} (not run)", stage.name));
            continue;
        }
        command::title(stage.name);
        let start = Instant::now();
        for mut it in stage.commands {
            if let Err(error) = command::run(&mut it) {
                println!("{} {error:#}", command::red("✗"));
                failed = true;
            }
        }
        let mark = if failed {
            command::red("✗")
        } else {
            passed += 1;
            command::green("✓")
        };
        let seconds = start.elapsed().as_secs();
        summary.push(format!("{mark} {} ({seconds} s)", stage.name));
    }
    command::title("Summary");
    println!("{}", summary.join("\n"));
    println!("stages: {passed} passed, {} failed", u8::from(failed));
    if failed {
        bail!("not everything passed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_haproxy_is_for_those_who_start_one() {
        let [binary, package] = process_tests().expect("the tree can be read");
        assert!(binary.ends_with(&["haproxy::".to_owned()]), "{binary:?}");
        for (name, is_there) in [
            ("faults", true),
            ("traffic", true),
            ("cases", true),
            ("schema", false),
            ("architecture", false),
            ("chart", false),
        ] {
            assert_eq!(package.contains(&name.to_owned()), is_there, "{name}");
        }
    }
}
