//! The tree keeps its shape: modules use what stands before them, the engine stays pure, templates
//! only spell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use haproxy_ingress_tests::tree::{self, read, root};

/// Crates that read or write something, and have no business below `core`.
const WORLDLY: &[&str] = &[
    "async-std",
    "clap",
    "ctrlc",
    "fs_extra",
    "getrandom",
    "gloo",
    "hyper",
    "js-sys",
    "k8s-openapi",
    "kube",
    "mio",
    "nix",
    "notify",
    "openssl",
    "rand",
    "rayon",
    "reqwest",
    "rustix",
    "rustls",
    "signal-hook",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "tracing-subscriber",
    "ureq",
    "walkdir",
    "web-sys",
];

/// What `core/clippy.toml` must ban, at least.
const BANNED: &[&str] = &[
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::env::var",
    "std::env::vars",
    "std::fs::File",
    "std::fs::read",
    "std::fs::read_to_string",
    "std::fs::write",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::os::unix::net::UnixStream",
    "std::process::Command",
    "std::process::exit",
    "std::thread::sleep",
    "std::thread::spawn",
    "std::time::Instant",
    "std::time::SystemTime",
];

#[test]
fn a_module_of_core_uses_only_what_stands_before_it() {
    let modules = modules(&read(&root().join("core/src/lib.rs")));
    assert!(modules.len() > 5, "core/src/lib.rs lists {modules:?}");
    let order: BTreeMap<&str, usize> = modules
        .iter()
        .enumerate()
        .map(|(place, name)| (name.as_str(), place))
        .collect();
    let source = root().join("core/src");
    let mut wrong = Vec::new();
    for file in files(&source, "rs") {
        let below = file.strip_prefix(&source).expect("it was found there");
        let first = below.iter().next().expect("a file has a name");
        let own = Path::new(first).with_extension("");
        let own = own.to_str().expect("names are plain");
        if own == "lib" {
            continue;
        }
        let Some(&place) = order.get(own) else {
            panic!("core/src/lib.rs has no module {own}, and {below:?} is below it");
        };
        for used in uses(&code(&read(&file))) {
            match order.get(used.as_str()) {
                Some(&it) if it <= place => {}
                Some(_) => wrong.push(format!("{} uses {used}", below.display())),
                // An item of lib.rs itself, such as a macro: lib.rs stands after everything.
                None => wrong.push(format!("{} uses crate::{used}", below.display())),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "the order of `mod` lines in core/src/lib.rs is the architecture; these point down:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn each_diagnostic_code_is_reported_somewhere() {
    let home = root().join("core/src/diagnostic/codes.rs");
    let text = read(&home);
    let codes: BTreeSet<&str> = text
        .lines()
        .filter_map(|it| it.trim().strip_suffix(';')?.split_once(" = "))
        .map(|it| it.0)
        .filter(|it| it.bytes().all(|it| it.is_ascii_uppercase() || it == b'_'))
        .collect();
    assert!(codes.len() > 20, "{} lists {codes:?}", home.display());
    let folders = ["core/src", "cli/src", "wasm/src"].map(|it| root().join(it));
    let files = folders.iter().flat_map(|it| tree::files(it));
    let others: Vec<String> = files
        .filter(|it| *it != home && it.extension().is_some_and(|it| it == "rs"))
        .map(|it| read(&it))
        .collect();
    let is_word = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let used = others.iter().flat_map(|it| it.split("codes::").skip(1));
    let used: BTreeSet<&str> = used
        .filter_map(|it| it.split(|c| !is_word(c)).next())
        .collect();
    let dead: Vec<_> = codes.difference(&used).collect();
    assert!(dead.is_empty(), "nothing reports {dead:?}");
}

#[test]
fn packages_depend_in_one_direction() {
    // Who may depend on whom, as packages of this project.
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("haproxy-ingress-core", &[][..]),
        ("haproxy-ingress", &["haproxy-ingress-core"][..]),
        ("haproxy-ingress-wasm", &["haproxy-ingress-core"][..]),
        (
            "haproxy-ingress-tests",
            &["haproxy-ingress-core", "haproxy-ingress-wasm"][..],
        ),
        ("xtask", &[][..]),
        ("xtask-bindgen", &[][..]),
    ]);
    let metadata = cargo(&["metadata", "--no-deps", "--format-version=1", "--offline"]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    let names: BTreeSet<&str> = packages
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    for package in packages {
        let name = package["name"].as_str().expect("a package has a name");
        let allowed = allowed
            .get(name)
            .unwrap_or_else(|| panic!("say here on whom {name} may depend"));
        let dependencies = package["dependencies"].as_array().expect("a list");
        for dependency in dependencies {
            let other = dependency["name"]
                .as_str()
                .expect("a dependency has a name");
            // What only the tests of a package need cannot reach its users.
            let is_for_tests = dependency["kind"] == "dev" && name != "haproxy-ingress-core";
            assert!(
                !names.contains(other) || allowed.contains(&other) || is_for_tests,
                "{name} must not depend on {other}"
            );
        }
    }
}

#[test]
fn nothing_below_core_reads_or_writes() {
    let tree = cargo(&[
        "tree",
        "--offline",
        "--package=haproxy-ingress-core",
        "--edges=normal",
        "--prefix=none",
        "--format={p}",
    ]);
    let names: BTreeSet<&str> = tree.lines().filter_map(|it| it.split(' ').next()).collect();
    assert!(names.contains("minijinja"), "not a tree: {tree}");
    let worldly: Vec<&str> = names
        .into_iter()
        .filter(|it| WORLDLY.contains(it))
        .collect();
    assert!(
        worldly.is_empty(),
        "these read or write, and core may not: {worldly:?}; `cargo tree -p haproxy-ingress-core -e \
         normal -i NAME` says who wants them"
    );
}

#[test]
fn the_linter_keeps_core_pure() {
    let config = read(&root().join("core/clippy.toml"));
    let entries: Vec<&str> = config
        .lines()
        .map(str::trim)
        .filter(|it| it.starts_with('{'))
        .collect();
    for banned in BANNED {
        let path = format!("path = \"{banned}\"");
        let entry = entries
            .iter()
            .find(|it| it.contains(&path))
            .unwrap_or_else(|| panic!("core/clippy.toml does not ban {banned}"));
        let reason = entry.split_once("reason = \"").map(|(_, it)| it);
        assert!(
            reason.is_some_and(|it| it.split('"').next().is_some_and(|it| it.len() > 5)),
            "core/clippy.toml does not say why {banned} is banned"
        );
    }
    for file in files(&root().join("core/src"), "rs") {
        let code = code(&read(&file));
        for lint in ["disallowed_methods", "disallowed_types"] {
            assert!(
                !code.contains(lint),
                "{} puts core/clippy.toml out of force",
                file.display()
            );
        }
    }
}

#[test]
fn templates_only_spell() {
    let folder = root().join("core/src/render/templates");
    let templates = files(&folder, "j2");
    assert!(!templates.is_empty(), "no template in {}", folder.display());
    let mut wrong = Vec::new();
    for file in templates {
        let text = read(&file);
        for tag in tags(&text) {
            if let Some(why) = more_than_spelling(tag) {
                wrong.push(format!("{}: {why}: {tag}", file.display()));
            }
        }
        if !text.starts_with("{#") {
            wrong.push(format!("{}: does not say what it prints", file.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "templates decide nothing; the model lacks a field:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_file_says_what_it_holds() {
    for file in sources() {
        let text = read(&file);
        let shown = file.strip_prefix(root()).unwrap_or(&file).display();
        assert!(
            text.starts_with("//! "),
            "{shown} does not begin with `//! `"
        );
        assert!(
            text.lines().count() <= 800,
            "{shown} is long: divide it by subject"
        );
        assert!(
            !code(&text).contains("#[allow("),
            "{shown}: `#[expect(…, reason = \"…\")]` instead of `#[allow]`"
        );
        let name = file.file_stem().and_then(|it| it.to_str());
        assert!(
            !matches!(name, Some("mod" | "util" | "utils" | "helpers" | "common")),
            "{shown}: a name says what is in it"
        );
    }
}

#[test]
fn the_reader_of_uses_sees_groups_and_paths() {
    let text = code(
        "//! [`crate::comment`]\n\
         use crate::a;\n\
         use crate::{b::{self, B}, c, d::*};\n\
         pub(crate) fn f() -> crate::e::E { $crate::g!() } // crate::comment\n\
         const S: &str = \"crate::text\";\n",
    );
    let expected = ["a", "b", "c", "d", "e", "g"].map(String::from);
    assert_eq!(uses(&text), BTreeSet::from(expected));
}

#[test]
fn the_reader_of_templates_sees_decisions() {
    for (tag, decides) in [
        ("{{ backend.name }}", false),
        ("{% if backend.timeout %}", false),
        ("{% for it in servers %}", false),
        ("{% if it.is_and_or %}", false),
        ("{% set x = 1 %}", true),
        ("{% if a == b %}", true),
        ("{% if a > 1 %}", true),
        ("{% if a and b %}", true),
        ("{{ a ~ b }}", true),
        ("{{ items | length }}", true),
    ] {
        assert_eq!(more_than_spelling(tag).is_some(), decides, "{tag}");
    }
}

/// What a tag of a template does beside printing, looping, asking and calling.
fn more_than_spelling(tag: &str) -> Option<&'static str> {
    let inner = tag.trim_matches(|it| "{}%- ".contains(it));
    // What stands in quotes is text.
    let inner: String = inner.split('"').step_by(2).collect();
    let is_word = |word: &str| {
        inner
            .split(|it: char| !it.is_alphanumeric() && it != '_')
            .any(|it| it == word)
    };
    if is_word("set") {
        Some("sets a variable")
    } else if inner.contains(['<', '>']) || inner.contains("==") || inner.contains("!=") {
        Some("compares")
    } else if is_word("and") || is_word("or") {
        Some("combines conditions")
    } else if is_word("length") || is_word("count") {
        Some("counts")
    } else if inner.contains('~') {
        Some("builds a name")
    } else {
        None
    }
}

/// The tags `{% … %}` and `{{ … }}` of a template.
fn tags(text: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        rest = &rest[start..];
        let end = match rest.as_bytes().get(1) {
            Some(b'%') => "%}",
            Some(b'{') => "}}",
            Some(b'#') => "#}",
            _ => {
                rest = &rest[1..];
                continue;
            }
        };
        let Some(length) = rest.find(end).map(|it| it + end.len()) else {
            break;
        };
        if end != "#}" {
            tags.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    tags
}

/// The names in `mod` lines, in order.
fn modules(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|it| {
            let it = it.strip_prefix("pub ").unwrap_or(it);
            let it = it.strip_prefix("pub(crate) ").unwrap_or(it);
            it.strip_prefix("mod ")?.strip_suffix(';')
        })
        .map(String::from)
        .collect()
}

/// The modules that code names after `crate::`, alone or in a group.
fn uses(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (start, found) in code.match_indices("crate::") {
        let before = code[..start].chars().next_back();
        if before.is_some_and(|it| it.is_alphanumeric() || it == '_') {
            continue;
        }
        let rest = &code[start + found.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut name = String::new();
            // Within the outermost braces the first name of each path counts.
            for it in group.chars() {
                match it {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => used.extend(first_name(&std::mem::take(&mut name))),
                    _ if depth == 1 => name.push(it),
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            used.extend(first_name(&name));
        } else {
            used.extend(first_name(rest));
        }
    }
    used
}

fn first_name(path: &str) -> Option<String> {
    let path = path.trim_start();
    let end = path
        .find(|it: char| !it.is_alphanumeric() && it != '_')
        .unwrap_or(path.len());
    (end > 0).then(|| path[..end].to_owned())
}

/// Rust without comments and without what stands in plain strings.
fn code(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        let mut in_string = false;
        let mut before = ' ';
        let mut characters = line.chars().peekable();
        while let Some(it) = characters.next() {
            match it {
                '/' if !in_string && characters.peek() == Some(&'/') => break,
                '\\' if in_string => {
                    characters.next();
                }
                '"' if before != '\'' => in_string = !in_string,
                _ if in_string => {}
                _ => code.push(it),
            }
            before = it;
        }
        code.push('\n');
    }
    code
}

/// All Rust files that people write.
fn sources() -> Vec<PathBuf> {
    ["core", "cli", "wasm", "tests", "xtask"]
        .iter()
        .flat_map(|it| files(&root().join(it), "rs"))
        .collect()
}

/// The files below a folder whose names end so, in order.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = tree::files(folder);
    found.retain(|it| it.extension().is_some_and(|it| it == extension));
    found
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo runs this test, so it can be started");
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}
