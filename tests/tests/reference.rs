//! The reference is what the code says: `docs/` is fresh, and every key is shown in a case.
//!
//! `make generate` runs these tests with `UPDATE=1`, which writes instead of comparing.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use haproxy_ingress_core::diagnostic::Severity;
use haproxy_ingress_core::keys::{FAMILIES, REGISTRY};
use haproxy_ingress_core::origin::{Field, Origin};
use haproxy_ingress_core::reference::{self, Page};
use haproxy_ingress_core::resource::Texts;
use haproxy_ingress_tests::case::{Case, Target};
use haproxy_ingress_tests::show::show;
use haproxy_ingress_tests::terminal;
use haproxy_ingress_tests::tree::{files, read, root};

/// The commands of the program; the first is the controller, which needs no word.
const COMMANDS: &[&str] = &[
    "controller",
    "render",
    "lint",
    "diff",
    "explain",
    "test",
    "keys",
    "completions",
    "man",
];

#[test]
fn the_reference_of_keys_and_diagnostics_is_fresh() {
    let examples = examples();
    let path = root().join("core/src/reference/examples.md");
    if is_update() {
        fs::write(&path, &examples).expect("the file is ours");
    }
    assert!(
        read(&path) == examples,
        "core/src/reference/examples.md is stale: `make generate`"
    );
    let pages = reference::pages(&examples);
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

/// An example of each family: of the cases in its file the first one in which keys of it stand and make
/// lines, or answer requests where none shows lines.
fn examples() -> String {
    let cases = Case::all(&Case::folder()).unwrap_or_else(|error| panic!("{error}"));
    let mut text = String::new();
    for family in FAMILIES {
        let of_family = |it: &&Case| it.file.file_stem().is_some_and(|it| it == family.name);
        let is_example = |it: &&Case| {
            let seen = Seen::of(it);
            let mut keys = family.blocks.iter().flat_map(|it| it.keys);
            keys.any(|it| seen.is_ordinary(it.name))
        };
        let shows_lines = |it: &&&Case| it.expected.iter().any(|it| it.present);
        let cases: Vec<&Case> = cases.iter().filter(of_family).filter(is_example).collect();
        let first = cases.iter().find(shows_lines).or(cases.first());
        let case = first.unwrap_or_else(|| panic!("no case shows {}", family.name));
        let _ = write!(text, "<!-- {} -->\n\n{}:\n", family.name, case.title);
        for block in &case.yaml {
            let place = if block.info == "yaml global" {
                "\nIn the global ConfigMap:\n"
            } else {
                ""
            };
            let _ = write!(text, "{place}\n```yaml\n{}\n```\n", block.text.trim_end());
        }
        for it in case.expected.iter().filter(|it| it.present) {
            let place = match &it.target {
                Target::Section(name) => format!("In `{name}`"),
                Target::Config => "In the configuration".into(),
                Target::Map(name) | Target::File(name) => format!("In the file `{name}`"),
            };
            let lines = it.block.text.trim_end();
            let _ = write!(text, "\n{place}:\n\n```text\n{lines}\n```\n");
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_schema_of_keys_is_fresh() {
    compare(&Page {
        path: "schema.json".into(),
        text: terminal::run(["keys", "--format", "schema"], "").stdout,
    });
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
fn every_key_is_shown_in_cases() {
    let cases = Case::all(&Case::folder()).unwrap_or_else(|error| panic!("{error}"));
    let seen: Vec<Seen> = cases.iter().map(Seen::of).collect();
    let mut missing = Vec::new();
    for family in FAMILIES {
        let file = format!("tests/cases/keys/{}.md", family.name);
        let page = read(&docs().join(format!("keys/{}.md", family.name)));
        for key in family.blocks.iter().flat_map(|it| it.keys) {
            let name = key.name;
            if !seen.iter().any(|it| it.is_ordinary(name)) {
                missing.push(format!("{file}: `{name}` in ordinary use"));
            }
            let is_free = NEVER_INVALID.iter().any(|it| it.0 == name);
            let is_invalid = seen.iter().any(|it| it.invalid.contains(name));
            if is_free && is_invalid {
                missing.push(format!("NEVER_INVALID: `{name}` can be invalid"));
            } else if !is_free && !is_invalid {
                let others: BTreeSet<&str> =
                    seen.iter().flat_map(|it| it.reports_of(name)).collect();
                missing.push(format!(
                    "{file}: `{name}` with an invalid value, of which the message says what is \
                     expected and what was found (others that are shown: {others:?})"
                ));
            }
            let mut of_family = seen.iter().filter(|it| it.family == family.name);
            if !of_family.any(|it| !it.written.contains(name)) {
                missing.push(format!("{file}: a case without `{name}`"));
            }
            let default = key.default.filter(|it| !it.is_empty());
            if let Some(default) = default
                && !is_default_named(&page, name, default)
            {
                missing.push(format!(
                    "docs/keys/{}.md: the default of `{name}`",
                    family.name
                ));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "{} are missing:\n{}",
        missing.len(),
        missing.join("\n")
    );
    show(&format!(
        "{} keys in {} cases",
        REGISTRY.keys.len(),
        cases.len()
    ));
}

/// Keys that take every text, each with what becomes of one that means nothing.
const NEVER_INVALID: &[(&str, &str)] = &[(
    "http-frontend",
    "a name that no pair has is `not-found`, and its Ingress is left out",
)];

/// The codes of what is wrong with a value by itself.
const INVALID: &[&str] = &[
    "invalid-host",
    "invalid-path",
    "invalid-port",
    "invalid-protection",
    "invalid-value",
];

/// What a case says about keys.
struct Seen {
    /// The family whose case it is, by the name of the file.
    family: String,
    /// The keys that its objects write.
    written: BTreeSet<&'static str>,
    /// The keys whose value is reported as none, with what is expected and what was found.
    invalid: BTreeSet<&'static str>,
    /// Errors and warnings about what stands at a key: the key and the code.
    reports: Vec<(&'static str, &'static str)>,
}

impl Seen {
    fn of(case: &Case) -> Self {
        let input = case.input().unwrap_or_else(|error| panic!("{error}"));
        let prefixes = &input.options.annotation_prefixes;
        let key = |name: &str| -> Option<&'static str> {
            let is_ours = |domain| prefixes.iter().any(|it| it == domain);
            let name = match name.split_once('/') {
                Some((domain, name)) if is_ours(domain) => name,
                Some(_) => return None,
                None => name,
            };
            REGISTRY.find(name).map(|it| REGISTRY.key(it).name)
        };
        let objects = &input.snapshot;
        let ingresses = objects.ingresses.values().map(|it| &it.meta.annotations);
        let services = objects.services.values().map(|it| &it.meta.annotations);
        let data = objects.config_maps.values().map(|it| &it.data);
        let annotations = ingresses.chain(services).flat_map(Texts::keys);
        let names = annotations.chain(data.flat_map(|it| it.keys()));
        let mut invalid = BTreeSet::new();
        let mut reports = Vec::new();
        for it in input.compile("").diagnostics {
            let Origin::Object(_, Field::Annotation(name) | Field::Data(name)) = &it.origin else {
                continue;
            };
            let Some(name) = key(name).filter(|_| it.severity() != Severity::Notice) else {
                continue;
            };
            let says = |word| it.message.contains(word);
            if INVALID.contains(&it.code.name) && says("expected ") && says("found ") {
                invalid.insert(name);
            }
            reports.push((name, it.code.name));
        }
        Self {
            family: case
                .file
                .file_stem()
                .map_or_else(String::new, |it| it.to_string_lossy().into()),
            written: names.filter_map(|it| key(it)).collect(),
            invalid,
            reports,
        }
    }

    /// Whether a key is written, and nothing is wrong with it but that it has no effect yet.
    fn is_ordinary(&self, key: &str) -> bool {
        self.written.contains(key) && self.reports_of(key).all(|it| it == "unsupported")
    }

    /// The codes of what is wrong with a key.
    fn reports_of(&self, key: &str) -> impl Iterator<Item = &'static str> {
        let reports = self.reports.iter();
        reports.filter(move |it| it.0 == key).map(|it| it.1)
    }
}

/// Whether a page of the reference names the default of a key in the key's part of it.
fn is_default_named(page: &str, key: &str, default: &str) -> bool {
    let heading = format!("\n## {key}\n");
    let part = page.split_once(&heading).map_or("", |it| it.1);
    let part = part.split("\n## ").next().unwrap_or_default();
    let line = part.lines().find_map(|it| it.strip_prefix("- Default: "));
    line == Some(&format!(
        "`{}`",
        default.replace('|', "\\|").replace('\n', " ")
    ))
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
