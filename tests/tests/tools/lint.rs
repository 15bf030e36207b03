//! `lint`: findings for people, programs, code scanning and pull requests.

use haproxy_ingress_core::diagnostic::codes;
use haproxy_ingress_tests::case::Case;
use haproxy_ingress_tests::show::show;
use haproxy_ingress_tests::tree::{read, root};
use serde_json::Value;

use crate::{Folder, endpoints, shop};

/// A value that is none, an unknown key and an old one.
fn bad() -> Folder {
    let annotations = [
        ("cors-max-age", "1 day"),
        ("cors-enabel", "true"),
        ("whitelist-source-range", "10.0.0.0/8"),
    ];
    Folder::new(&[
        ("shop.yaml", &shop(&annotations)),
        ("slices/shop.yaml", &endpoints(&["10.0.0.1"])),
    ])
}

const FILES: [&str; 4] = ["lint", "-f", "shop.yaml", "slices"];

#[test]
fn findings_come_with_their_lines() {
    let folder = bad();
    let printed = folder.run(&FILES);
    assert_eq!((printed.code, &*printed.stderr), (0, ""));
    for expected in [
        "warning[invalid-value]: ",
        " --> shop.yaml:7:45\n  |\n7 |     haproxy-ingress.github.io/cors-max-age: \"1 day\"\n",
        "warning[unknown-key]: no key is named `cors-enabel`",
        "= help: the nearest name is `cors-enable`",
        "notice[deprecated-key]: ",
        "\n2 warnings, 1 notice\n",
    ] {
        assert!(
            printed.stdout.contains(expected),
            "{expected}\n{}",
            printed.stdout
        );
    }
    assert!(
        !printed.stdout.contains('\u{1b}'),
        "colours are for terminals"
    );
}

#[test]
fn what_is_denied_decides_and_what_is_allowed_is_left_out() {
    let folder = bad();
    let code = |more: &[&str]| folder.run(&[&FILES, more].concat()).code;
    assert_eq!(code(&["--deny", "errors"]), 0);
    assert_eq!(code(&["--deny", "warnings"]), 1);
    assert_eq!(code(&["--deny", "notices"]), 1);
    let allowed = ["--allow", "invalid-value", "--allow", "unknown-key"];
    assert_eq!(code(&[&allowed[..], &["--deny", "warnings"]].concat()), 0);
    assert_eq!(code(&[&allowed[..], &["--deny", "notices"]].concat()), 1);
    let rest = folder.run(&[&FILES[..], &allowed].concat());
    assert!(rest.stdout.ends_with("\n1 notice\n"), "{}", rest.stdout);
    let unknown = folder.run(&[&FILES[..], &["--allow", "unknown-kye"]].concat());
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.stderr.contains("did you mean `unknown-key`"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn good_manifests_are_said_to_be_so() {
    let folder = Folder::new(&[
        ("shop.yaml", &shop(&[])),
        ("slices/a.yaml", &endpoints(&["10.0.0.1"])),
    ]);
    let printed = folder.run(&[&FILES[..], &["--deny", "notices"]].concat());
    assert_eq!(
        (printed.code, &*printed.stdout),
        (0, "2 files: nothing to say\n")
    );
    let broken = folder.run(&["lint", "-f", "nowhere"]);
    assert_eq!(broken.code, 2);
}

#[test]
fn the_document_has_every_finding_with_its_place() {
    let printed = bad().run(&[&FILES[..], &["--format", "json"]].concat());
    let all: Value = serde_json::from_str(&printed.stdout).expect("it is one document");
    assert_eq!(
        (&all["errors"], &all["warnings"], &all["notices"]),
        (&0.into(), &2.into(), &1.into())
    );
    assert_eq!(
        all["files"],
        serde_json::json!(["shop.yaml", "slices/shop.yaml"])
    );
    let findings = all["diagnostics"].as_array().expect("a list");
    let invalid = findings
        .iter()
        .find(|it| it["code"] == "invalid-value")
        .expect("it is there");
    assert_eq!(invalid["place"]["file"], "shop.yaml");
    assert_eq!(
        (&invalid["place"]["line"], &invalid["place"]["column"]),
        (&7.into(), &45.into())
    );
}

#[test]
fn a_kind_of_finding_is_explained() {
    let folder = Folder::new(&[]);
    for code in codes::ALL {
        let printed = folder.run(&["lint", "--explain", code.name]);
        assert_eq!((printed.code, &*printed.stderr), (0, ""), "{}", code.name);
        let head = format!("{}[{}]\n\n", code.severity, code.name);
        assert!(printed.stdout.starts_with(&head), "{}", printed.stdout);
        assert_eq!(folder.run(&["explain", code.name]).stdout, printed.stdout);
    }
    let unknown = folder.run(&["explain", "unknown-kye"]);
    assert_eq!(unknown.code, 2, "{}", unknown.stdout);
    assert!(
        unknown.stderr.contains("`unknown-key`"),
        "{}",
        unknown.stderr
    );
    let both = folder.run(&["lint", "--explain", "conflict", "-f", "x.yaml"]);
    assert_eq!(both.code, 2, "{}", both.stdout);
}

#[test]
fn annotations_of_pull_requests_name_file_and_line() {
    let printed = bad().run(&[&FILES[..], &["--format", "github"]].concat());
    let mut lines = printed.stdout.lines();
    let invalid = lines.find(|it| it.contains("title=invalid-value"));
    let invalid = invalid.unwrap_or_else(|| panic!("no such line in:\n{}", printed.stdout));
    let start = "::warning file=shop.yaml,line=7,col=45,title=invalid-value::Ingress default/shop ";
    assert!(invalid.starts_with(start), "{invalid}");
    assert_eq!(printed.stdout.lines().count(), 3, "{}", printed.stdout);
}

/// What every case finds, as SARIF, follows the schema that OASIS publishes.
#[test]
fn code_scanning_gets_what_the_schema_asks_for() {
    let schema = read(&root().join("tests/schemas/sarif-2.1.0.json"));
    let schema: Value = serde_json::from_str(&schema).expect("it is JSON");
    let validator = jsonschema::draft4::new(&schema).expect("it is a schema of draft 4");
    let is_right = |printed: &str, what: &str| -> usize {
        let document: Value = serde_json::from_str(printed).expect("it is one document");
        let wrong: Vec<String> = validator
            .iter_errors(&document)
            .map(|it| format!("{}: {it}", it.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
        let results = document["runs"][0]["results"].as_array().expect("a list");
        results.len()
    };
    let printed = bad().run(&[&FILES[..], &["--format", "sarif"]].concat());
    assert_eq!(is_right(&printed.stdout, "the example"), 3);
    let document: Value = serde_json::from_str(&printed.stdout).expect("it was one");
    let results = document["runs"][0]["results"].as_array().expect("a list");
    let invalid = results
        .iter()
        .find(|it| it["ruleId"] == "invalid-value")
        .expect("it is there");
    assert_eq!(
        invalid["locations"][0]["physicalLocation"],
        serde_json::json!({
            "artifactLocation": {"uri": "shop.yaml", "index": 0},
            "region": {"startLine": 7, "startColumn": 45, "endLine": 7, "endColumn": 52},
        })
    );
    let rules = document["runs"][0]["tool"]["driver"]["rules"].as_array();
    let index = invalid["ruleIndex"]
        .as_u64()
        .and_then(|it| usize::try_from(it).ok());
    let rule = &rules.expect("a list")[index.expect("a number")];
    assert_eq!(rule["id"], "invalid-value");
    // It can say that something is wrong.
    let broken = printed
        .stdout
        .replace("\"startLine\": 7", "\"startLine\": 0");
    let broken: Value = serde_json::from_str(&broken).expect("it is JSON");
    assert!(!validator.is_valid(&broken));

    // All files with cases at once; their objects are those of other cases, too.
    let cases = Case::all(&Case::folder()).unwrap_or_else(|error| panic!("{error}"));
    let folder = Folder::new(&[]);
    for (place, case) in cases.iter().enumerate() {
        let texts: Vec<&str> = case.yaml.iter().map(|it| &*it.text).collect();
        folder.write(&format!("cases/{place}.yaml"), &texts.join("\n---\n"));
    }
    let printed = folder.run(&["lint", "-f", "cases", "--format", "sarif", "--deny", "none"]);
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    let count = is_right(&printed.stdout, "all cases");
    assert!(count > 100, "{count} findings");
    show(&format!(
        "{count} findings of {} cases follow the schema",
        cases.len()
    ));
}
