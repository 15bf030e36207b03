//! The reference is what the code says: `docs/` is fresh, and every key is shown in a case.
//!
//! `make generate` runs these tests with `UPDATE=1`, which writes instead of comparing.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use haproxy_ingress_core::keys::REGISTRY;
use haproxy_ingress_core::reference::{self, Page};
use haproxy_ingress_tests::show::show;
use haproxy_ingress_tests::terminal;
use haproxy_ingress_tests::tree::{files, read, root};

/// The commands of the program; the first is the controller, which needs no word.
const COMMANDS: &[&str] = &["controller", "render", "keys"];

#[test]
fn the_reference_of_keys_and_diagnostics_is_fresh() {
    let pages = reference::pages();
    let expected: BTreeSet<&str> = pages.iter().map(|it| it.path.as_str()).collect();
    for file in files(&docs().join("keys")) {
        let name = file.file_name().and_then(|it| it.to_str());
        let path = format!("keys/{}", name.expect("names are plain"));
        if expected.contains(path.as_str()) {
            continue;
        }
        assert!(is_update(), "docs/{path} is of no family: `make generate`");
        fs::remove_file(&file).expect("the file is ours");
    }
    for page in &pages {
        compare(page);
    }
}

#[test]
fn the_reference_of_commands_is_fresh() {
    let mut text = String::from("# Command line\n\nWhat each command prints with `--help`.\n");
    for command in COMMANDS {
        let printed = terminal::run([command, "--help"], "");
        assert_eq!(printed.code, 0, "{command} --help: {}", printed.stderr);
        assert!(
            printed.stdout.lines().count() > 5,
            "{command} --help prints {:?}",
            printed.stdout
        );
        let lines: Vec<&str> = printed.stdout.lines().map(str::trim_end).collect();
        let help = lines.join("\n");
        let _ = write!(
            text,
            "\n## {command}\n\n```text\n{}\n```\n",
            help.trim_end()
        );
    }
    compare(&Page {
        path: "cli.md".into(),
        text,
    });
}

#[test]
fn the_example_of_the_readme_is_what_the_program_prints() {
    let readme = read(&root().join("README.md"));
    let block = |language: &str| -> String {
        let start = format!("\n```{language}\n");
        let (_, rest) = readme
            .split_once(&start)
            .unwrap_or_else(|| panic!("README.md has no block {language}"));
        rest.split("```").next().unwrap_or_default().to_owned()
    };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = |path: &str| folder.path().join(path);
    fs::write(file("shop.yaml"), block("yaml")).expect("the folder is ours");
    let arguments = ["render", "-f", "shop.yaml", "--out", "out"];
    let output = terminal::command(arguments)
        .current_dir(folder.path())
        .output()
        .expect("the program was built, so it can be started");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(printed.contains(&block("text")), "it prints:\n{printed}");
    let config = read(&file("out/etc/haproxy/haproxy.cfg"));
    assert!(config.contains(&block("haproxy")), "it writes:\n{config}");
    let map = read(&file("out/etc/haproxy/maps/_front_http_host__prefix.map"));
    assert!(map.contains(&block("map")), "it writes:\n{map}");
}

#[test]
fn every_key_is_in_a_case() {
    let mut written = BTreeSet::new();
    for file in files(&root().join("tests/cases")) {
        if file
            .extension()
            .is_some_and(|it| it == "md" || it == "yaml")
        {
            written.extend(fields(&read(&file)));
        }
    }
    let missing: Vec<&str> = REGISTRY
        .keys
        .iter()
        .map(|it| it.name)
        .filter(|it| !written.contains(*it))
        .collect();
    assert!(
        missing.is_empty(),
        "no case below tests/cases shows {} of {} keys: {missing:?}",
        missing.len(),
        REGISTRY.keys.len()
    );
}

/// Keys whose scope is another one than users of HAProxy Ingress know, each for a reason that
/// `docs/compatibility.md` gives.
const OTHER_SCOPES: &[(&str, &str)] = &[];

#[test]
fn every_key_that_users_have_is_known_with_its_scope() {
    let output = terminal::run(["keys", "--format", "json"], "");
    assert_eq!(output.code, 0, "{}", output.stderr);
    let printed: serde_json::Value =
        serde_json::from_str(&output.stdout).expect("the program prints JSON");
    let mut scopes: BTreeMap<&str, &str> = BTreeMap::new();
    for key in printed.as_array().expect("a list of keys") {
        let scope = key["scope"].as_str().expect("every key has a scope");
        let old = key["oldNames"].as_array().into_iter().flatten();
        for name in std::iter::once(&key["name"]).chain(old) {
            scopes.insert(name.as_str().expect("names are texts"), scope);
        }
    }
    let wanted: Vec<(&str, &str)> = include_str!("../src/data/keys.txt")
        .lines()
        .filter(|it| !it.starts_with('#'))
        .filter_map(|it| it.split_once(' '))
        .collect();
    let wrong: Vec<String> = wanted
        .iter()
        .filter(|it| !OTHER_SCOPES.contains(it))
        .filter_map(|(name, scope)| match scopes.get(name) {
            None => Some(format!("`{name}` is not known")),
            Some(other) if other != scope => Some(format!("`{name}` is {other}, not {scope}")),
            Some(_) => None,
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} keys:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    show(&format!(
        "{} keys of {} known names",
        wanted.len(),
        scopes.len()
    ));
}

#[test]
fn the_reader_of_cases_sees_annotations_and_data() {
    let text = "Prose says\ncors-prose: nothing.\n\n```yaml\nmetadata:\n  annotations:\n    \
                haproxy-ingress.github.io/cors-enable: \"true\"\n```\n\n\
                ```yaml global\n\"timeout-client\": 5s\n```\n";
    let fields = fields(text);
    assert!(fields.contains("cors-enable"));
    assert!(fields.contains("timeout-client"));
    assert!(!fields.contains("cors-prose"));
}

/// The names before colons in the blocks `yaml` of a case file, without a prefix.
fn fields(text: &str) -> BTreeSet<String> {
    let mut is_yaml = false;
    let mut fields = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_yaml = line.starts_with("```yaml");
        } else if is_yaml && let Some((name, _)) = line.trim_start().split_once(':') {
            let name = name.trim_matches(['"', '\'']);
            fields.extend(name.rsplit('/').next().map(String::from));
        }
    }
    fields
}

/// Compares a page with its file, or writes it.
fn compare(page: &Page) {
    let path = docs().join(&page.path);
    if is_update() {
        let folder = path.parent().expect("a page is in a folder");
        fs::create_dir_all(folder).expect("docs/ can be written");
        fs::write(&path, &page.text).expect("docs/ can be written");
        return;
    }
    assert!(
        path.is_file() && read(&path) == page.text,
        "docs/{} is stale: `make generate`",
        page.path
    );
}

fn is_update() -> bool {
    env::var_os("UPDATE").is_some_and(|it| it == "1")
}

fn docs() -> PathBuf {
    root().join("docs")
}
