//! `test`: expectations of requests, simulated and with the real HAProxy.

use haproxy_ingress_tests::terminal;
use haproxy_ingress_tests::tree::root;

use crate::{Folder, endpoints, shop};

/// The folder of the project, where the example is.
fn example(more: &[&str]) -> (i32, String, String) {
    let words = [
        "test",
        "-f",
        "examples/paths.yaml",
        "examples/expectations/paths.test.yaml",
    ];
    let output = terminal::command(words.iter().chain(more))
        .current_dir(root())
        .output()
        .expect("the program was built, so it can be started");
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8(output.stdout).expect("it prints UTF-8"),
        String::from_utf8(output.stderr).expect("it prints UTF-8"),
    )
}

#[test]
fn the_example_is_as_expected_simulated_and_real() {
    let (code, out, err) = example(&["--real"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(
        out.starts_with("simulated\n  ok      everything goes to the pages\n"),
        "{out}"
    );
    assert!(out.contains("\n\nHAProxy "), "{out}");
    assert!(out.ends_with("\n14 passed, 0 failed\n"), "{out}");
}

/// Redirects, headers, passwords, TLS that is passed on, a name without a host, and what is wrong.
fn folder(expectations: &str) -> Folder {
    let users = "apiVersion: v1\nkind: Secret\nmetadata: {name: users, namespace: default}\n\
                 stringData: {auth: \"jane::secret\"}\n";
    let tls = shop(&[("hsts-max-age", "600"), ("app-root", "/start")]);
    let tls = tls.replace("  rules:\n", "  tls: [{hosts: [shop.example]}]\n  rules:\n");
    let private = shop(&[("auth-secret", "users"), ("ssl-redirect", "false")]);
    let private = private.split("---\n").next().unwrap_or_default();
    let private = private
        .replace("name: shop\n", "name: private\n")
        .replace("path: /\n", "path: /private\n");
    let passed = shop(&[("ssl-passthrough", "true")]);
    let passed = passed.split("---\n").next().unwrap_or_default();
    let passed = passed
        .replace("name: shop\n", "name: passed\n")
        .replace("shop.example", "passed.example");
    Folder::new(&[
        ("m/shop.yaml", &tls),
        ("m/private.yaml", &private),
        ("m/passed.yaml", &passed),
        ("m/users.yaml", users),
        ("m/slices.yaml", &endpoints(&["10.0.0.1", "10.0.0.2"])),
        ("m/shop.test.yaml", expectations),
    ])
}

const RIGHT: &str = "
requests:
- request: http://shop.example/a?b
  expect: {status: 302, redirect: 'https://shop.example/a?b', headers: {Strict-Transport-Security: null}}
- request: https://shop.example/
  expect: {status: 302, redirect: /start}
- request: https://shop.example/a%20b?c
  headers: {X-A: a}
  expect:
    status: 200
    backend: default_shop_8080_private
    path: /a%20b?c
    headers: {strict-transport-security: max-age=600}
- request: https://shop.example/private
  expect: {status: 401}
- request: https://shop.example/private/x
  headers: {Authorization: Basic amFuZTpzZWNyZXQ=}
  expect: {status: 200, path: /private/x}
- request: https://passed.example/
  expect: {backend: default_shop_8080__passed}
";

#[test]
fn redirects_headers_passwords_and_tls_are_as_expected() {
    // What a backend of passed connections is called is not what this is about.
    let folder = folder("");
    let config = folder.run(&["render", "-f", "m", "--deny", "none"]).stdout;
    let sections = config.split("\nbackend ").skip(1);
    let mut passed = sections.filter(|it| it.contains("\n    mode tcp\n"));
    let name = passed
        .next()
        .and_then(|it| it.lines().next())
        .expect("connections are passed on");
    folder.write(
        "shop.test.yaml",
        &RIGHT.replace("default_shop_8080__passed", name),
    );
    std::fs::remove_file(folder.path("m/shop.test.yaml")).expect("the folder is ours");
    let printed = folder.run(&["test", "shop.test.yaml", "-f", "m", "--real"]);
    assert_eq!(
        (printed.code, &*printed.stderr),
        (0, ""),
        "{}",
        printed.stdout
    );
    assert!(
        printed.stdout.ends_with("\n12 passed, 0 failed\n"),
        "{}",
        printed.stdout
    );
}

const WRONG: &str = "
requests:
- name: <wrong> & \"quoted\"
  request: http://shop.example/
  expect: {status: 200, backend: nobody, headers: {Location: null}}
- name: right
  request: http://nowhere.example/
  expect: {status: 404}
";

#[test]
fn what_is_not_as_expected_is_said_and_fails() {
    // In a folder of manifests a file of expectations is none.
    let folder = folder(WRONG);
    let words = ["test", "-f", "m", "m/shop.test.yaml"];
    for more in [&[][..], &["--real"]] {
        let printed = folder.run(&[&words[..], more].concat());
        assert_eq!(
            (printed.code, &*printed.stderr),
            (1, ""),
            "{}",
            printed.stdout
        );
        for expected in [
            "  FAILED  <wrong> & \"quoted\"\n          m/shop.test.yaml:3\n",
            "          status: expected `200`, found `302`\n",
            "          backend: expected `nobody`, found none\n",
            "          header Location: expected none, found `",
            "  ok      right\n",
        ] {
            let count = printed.stdout.matches(expected).count();
            assert_eq!(count, 1 + more.len(), "{expected}\n{}", printed.stdout);
        }
    }
}

#[test]
fn pipelines_get_the_xml_of_junit() {
    let folder = folder(WRONG);
    let words = [
        "test",
        "-f",
        "m",
        "m/shop.test.yaml",
        "--real",
        "--format",
        "junit",
    ];
    let printed = folder.run(&words);
    assert_eq!(printed.code, 1, "{}", printed.stderr);
    let document = roxmltree::Document::parse(&printed.stdout).expect("it is XML");
    let suites = document.root_element();
    assert_eq!(
        (suites.attribute("tests"), suites.attribute("failures")),
        (Some("4"), Some("2"))
    );
    let cases: Vec<_> = suites
        .descendants()
        .filter(|it| it.has_tag_name("testcase"))
        .collect();
    assert_eq!(cases.len(), 4);
    assert_eq!(cases[0].attribute("name"), Some("<wrong> & \"quoted\""));
    assert_eq!(cases[0].attribute("line"), Some("3"));
    let failure = cases[0].children().find(|it| it.has_tag_name("failure"));
    let message = failure
        .and_then(|it| it.attribute("message"))
        .unwrap_or_default();
    assert!(
        message.starts_with("status: expected `200`, found `302`; backend:"),
        "{message}"
    );
    let time = cases[0]
        .attribute("time")
        .and_then(|it| it.parse::<f64>().ok());
    assert!(time.is_some_and(|it| (0.0..10.0).contains(&it)));
}

#[test]
fn a_file_that_is_none_is_said_to_be_so() {
    let folder = folder("requests:\n- request: http://shop.example/\n  expect: {stauts: 200}\n");
    let printed = folder.run(&["test", "-f", "m", "m/shop.test.yaml"]);
    assert_eq!(printed.code, 2);
    for word in ["m/shop.test.yaml", "stauts"] {
        assert!(printed.stderr.contains(word), "{}", printed.stderr);
    }
    let printed = folder.run(&["test", "-f", "m"]);
    assert_eq!(printed.code, 2);
    assert!(
        printed.stderr.contains("no file with expectations"),
        "{}",
        printed.stderr
    );
}

#[test]
fn of_several_files_with_expectations_none_is_passed_over() {
    let folder = folder("");
    folder.write("a.test.yaml", WRONG);
    let right = "requests: [{request: 'http://nowhere.example/', expect: {status: 404}}]\n";
    folder.write("b.test.yaml", right);
    // As a shell writes out `*.test.yaml`.
    for words in [
        ["test", "-f", "m", "a.test.yaml", "b.test.yaml"],
        ["test", "a.test.yaml", "b.test.yaml", "-f", "m"],
        ["test", "b.test.yaml", "-f", "m", "a.test.yaml"],
    ] {
        let printed = folder.run(&words);
        assert_eq!(printed.code, 1, "{words:?}: {}", printed.stderr);
        let text = printed.stdout;
        assert!(text.contains("\n          a.test.yaml:3\n"), "{text}");
        assert!(text.ends_with("\n2 passed, 1 failed\n"), "{text}");
        let report = folder.run(&[&words[..], &["--format", "junit"]].concat());
        for file in ["a", "b"] {
            let file = format!("file=\"{file}.test.yaml\"");
            assert!(report.stdout.contains(&file), "{}", report.stdout);
        }
    }
    let alone = folder.run(&["test", "-f", "a.test.yaml"]);
    assert_eq!(alone.code, 2);
    assert!(
        alone.stderr.contains("there are no manifests"),
        "{}",
        alone.stderr
    );
}
