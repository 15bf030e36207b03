//! What is typed wrong, what is not there and what cannot be written: each is said, with an exit status that
//! a pipeline sees.

use std::fs::OpenOptions;
use std::process::Stdio;

use haproxy_ingress_tests::terminal::{self, run};

use crate::{Folder, shop};

const EXPECTATIONS: &str =
    "requests: [{request: 'http://shop.example/', expect: {backend: default/shop, status: 200}}]\n";

fn folder() -> Folder {
    let shop = shop(&[("timeout-server", "10s")]);
    Folder::new(&[
        ("shop.yaml", &shop),
        ("other.yaml", &shop.replace("10s", "20s")),
        ("shop.test.yaml", EXPECTATIONS),
        ("empty.yaml", ""),
        ("empty.test.yaml", "# nothing yet\n"),
    ])
}

/// A command line for each tool, with which it prints something.
const EACH: [&str; 12] = [
    "render -f shop.yaml",
    "render -f shop.yaml --format json",
    "lint -f shop.yaml",
    "lint -f shop.yaml --verdicts",
    "lint -f shop.yaml --format sarif",
    "explain unknown-key",
    "explain -f shop.yaml http://shop.example/",
    "diff -f shop.yaml --to other.yaml",
    "test -f shop.yaml shop.test.yaml",
    "keys cors-max-age",
    "completions bash",
    "--help",
];

#[test]
fn half_a_report_does_not_pass_for_a_whole_one() {
    let folder = folder();
    for line in EACH {
        let full = OpenOptions::new().write(true).open("/dev/full");
        let output = terminal::command(line.split(' '))
            .current_dir(folder.path(""))
            .stdin(Stdio::null())
            .stdout(full.expect("Linux has a disk that is always full"))
            .output()
            .expect("the program was built, so it can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        let expected = "haproxy-ingress: cannot write to standard output: ";
        assert!(said.contains(expected), "{line}: {said}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_mistake() {
    let folder = folder();
    for line in EACH {
        let (reader, writer) = std::io::pipe().expect("there are pipes");
        drop(reader);
        let output = terminal::command(line.split(' '))
            .current_dir(folder.path(""))
            .stdin(Stdio::null())
            .stdout(writer)
            .output()
            .expect("the program was built, so it can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{line}: {said}");
        assert!(!said.contains("haproxy-ingress: "), "{line}: {said}");
    }
}

#[test]
fn what_a_program_leaves_that_failed_is_no_good_manifest() {
    for tool in ["render", "lint"] {
        for input in ["", "\n \n"] {
            let printed = run([tool, "-f", "-"], input);
            assert_eq!((printed.code, &*printed.stdout), (2, ""), "{tool}");
            let expected = "there is nothing in standard input, where manifests are expected\n";
            assert!(printed.stderr.ends_with(expected), "{}", printed.stderr);
        }
    }
    // A file may be empty: nothing was expected to write it just now.
    assert_eq!(folder().run(&["lint", "-f", "empty.yaml"]).code, 0);
}

#[test]
fn a_mistake_is_told_by_what_was_typed() {
    let folder = folder();
    for (line, expected) in [
        (
            "explain -f shop.yaml shop.example/cart",
            "there is no file `shop.example/cart`; behind -f, a URL begins with `http://` or `https://`",
        ),
        (
            "explain -f shop.yaml other.yaml",
            "expected the URL of a request, such as `https://shop.example/cart`",
        ),
        (
            "explain shop.example",
            "without manifests (-f), `shop.example` would be a kind of finding: there is no such kind of finding; there are ",
        ),
        (
            "explain unknown-kye",
            "there is no such kind of finding; did you mean `unknown-key`?",
        ),
        ("lint --explain nothing-known", "invalid-value, "),
        (
            "render -f shop.yaml --haproxy-version 2.2",
            "configuration is written for HAProxy 2.4 and newer",
        ),
        (
            "test -f shop.yaml empty.test.yaml",
            "`empty.test.yaml`: it is empty: expected `requests`, a list",
        ),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let printed = folder.run(&words);
        assert_eq!((printed.code, &*printed.stdout), (2, ""), "{line}");
        let said = &printed.stderr;
        assert!(said.starts_with("haproxy-ingress: "), "{line}: {said}");
        assert!(said.contains(expected), "{line}: {said}");
    }
}

#[test]
fn explain_and_test_mean_the_same_by_a_status_and_by_a_backend() {
    let folder = folder();
    let explained = |words: &[&str]| {
        let line = [
            "explain",
            "-f",
            "shop.yaml",
            "http://shop.example/",
            "--expect",
        ];
        folder.run(&[&line, words].concat())
    };
    let met = explained(&["status=200", "backend=default/shop"]);
    assert_eq!(met.code, 0, "{}", met.stderr);
    let unmet = explained(&["status=404"]);
    assert_eq!(unmet.code, 1);
    let expected = "expected status `404`, found `200`: a server of `default_shop_8080` answers\n";
    assert!(unmet.stderr.ends_with(expected), "{}", unmet.stderr);
    let tested = folder.run(&["test", "-f", "shop.yaml", "shop.test.yaml"]);
    assert_eq!(tested.code, 0, "{}", tested.stdout);
}
