//! What `haproxy-ingress explain` prints, as a process.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const SHOP: &str = r"apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  namespace: shop
  annotations:
    haproxy-ingress.github.io/rewrite-target: /v1
    haproxy-ingress.github.io/allowlist-source-range: 10.0.0.0/8
spec:
  tls:
  - hosts: [shop.example]
  rules:
  - host: shop.example
    http:
      paths:
      - path: /
        pathType: Prefix
        backend:
          service: {name: web, port: {number: 8080}}
      - path: /api
        pathType: Prefix
        backend:
          service: {name: api, port: {number: 8080}}
";

/// Explains a request for the shop.
fn explain(words: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_haproxy-ingress"))
        .args(["explain", "-f", "-"])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    // The program may end before it has read everything.
    let _ = stdin.write_all(SHOP.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the output is UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("the messages are UTF-8")
}

#[test]
fn each_step_names_its_object_and_where_it_stands() {
    let done = explain(&["--client", "10.1.2.3", "https://shop.example/api/x?y=1"]);
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    let text = out(&done);
    for expected in [
        "GET https://shop.example/api/x?y=1\nfrom 10.1.2.3\n",
        "`shop.example`, by its name",
        "the prefix `/api`",
        "- not the prefix `/`: it is shorter",
        "Ingress shop/web spec.rules[0].http.paths[0]  <stdin>:16:",
        "=> backend shop_api_8080\n",
        "path      /v1/x?y=1",
        "X-Forwarded-Proto: https",
        "Strict-Transport-Security: max-age=15768000",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn an_expectation_that_is_not_met_is_status_1_and_says_what_was_found() {
    let url = "https://shop.example/api";
    let done = explain(&[
        "--client",
        "10.1.2.3",
        "--expect",
        "backend=shop/api",
        "path=/v1",
        "--",
        url,
    ]);
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    let done = explain(&[
        "--expect",
        "backend=shop/api",
        "--expect",
        "status=403",
        url,
    ]);
    assert_eq!(done.status.code(), Some(1));
    let says = "expected backend `shop/api`, found none: HAProxy answers 403";
    assert!(err(&done).contains(says), "{}", err(&done));
    assert!(!err(&done).contains("expected status"), "{}", err(&done));
    let redirect = "redirect=https://shop.example/";
    let done = explain(&[
        "--expect",
        redirect,
        "--expect",
        "status=302",
        "http://shop.example/",
    ]);
    assert_eq!(done.status.code(), Some(0), "{}{}", out(&done), err(&done));
}

#[test]
fn a_program_gets_one_document_with_places() {
    let words = [
        "--format",
        "json",
        "--expect",
        "status=404",
        "http://other.example/",
    ];
    let done = explain(&words);
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    let document: Value = serde_json::from_str(&out(&done)).expect("it is JSON");
    assert_eq!(document["end"]["kind"], "status");
    assert_eq!(document["end"]["status"], 404);
    assert_eq!(document["expectations"][0]["met"], true);
    let done = explain(&[
        "--format",
        "json",
        "--client",
        "10.0.0.1",
        "https://shop.example/",
    ]);
    let document: Value = serde_json::from_str(&out(&done)).expect("it is JSON");
    let steps = document["steps"].as_array().expect("a list");
    let path = steps
        .iter()
        .find(|it| it["stage"] == "path")
        .expect("there is one");
    assert_eq!(path["origins"][0]["field"], "spec.rules[0].http.paths[0]");
    assert_eq!(path["origins"][0]["place"]["line"], 16);
    assert_eq!(document["end"]["servers"][0]["address"], "192.0.2.1:8080");
}

#[test]
fn a_wrong_word_is_status_2_and_says_what_is_expected() {
    for (words, says) in [
        (&["ftp://shop.example/"][..], "http://"),
        (&["-H", "nothing", "http://shop.example/"], "name: value"),
        (
            &["--expect", "colour=red", "http://shop.example/"],
            "backend=NAME",
        ),
        (&["-X", "A B", "http://shop.example/"], "a method"),
        (&[], "URL"),
    ] {
        let done = explain(words);
        assert_eq!(done.status.code(), Some(2), "{words:?}");
        assert!(err(&done).contains(says), "{words:?}: {}", err(&done));
    }
}
