//! What `haproxy-ingress render` and `keys` print, as processes. `--check` needs a real HAProxy: the
//! one of the variable `HAPROXY`, else the one on the path.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const INGRESS: &str = r#"# What a comment says is no value.
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  namespace: shop # the team's
  annotations:
    haproxy-ingress.github.io/cors-enable: "true"
    haproxy-ingress.github.io/cors-max-age: "1 day"
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
"#;

/// Runs the program with a text on its standard input.
fn run(words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_haproxy-ingress"))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    // The program may end before it has read everything.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the output is UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("the findings are UTF-8")
}

#[test]
fn an_ingress_alone_renders_and_says_what_is_assumed() {
    let done = run(&["render", "-f", "-"], INGRESS);
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    assert!(
        out(&done).contains("\nbackend shop_web_8080\n"),
        "{}",
        out(&done)
    );
    assert!(out(&done).contains(" 192.0.2.1:8080"), "{}", out(&done));
    let findings = err(&done);
    for expected in [
        "warning[invalid-value]",
        "--> <stdin>:9:45",
        "9 |     haproxy-ingress.github.io/cors-max-age: \"1 day\"",
        "warning[not-found]: there is no Service shop/web in the manifests",
        "notice[no-class]",
        "2 warnings, 1 notice",
    ] {
        assert!(findings.contains(expected), "{expected}\n{findings}");
    }
    assert!(!findings.contains('\u{1b}'), "colours are for terminals");
    assert_eq!(out(&run(&["render", "-f", "-"], INGRESS)), out(&done));
}

#[test]
fn the_exit_status_follows_what_is_denied() {
    let status = |words: &[&str], input: &str| run(words, input).status.code();
    assert_eq!(
        status(&["render", "-f", "-", "--deny", "warning"], INGRESS),
        Some(1)
    );
    assert_eq!(status(&["render", "-f", "-"], "a: ["), Some(1));
    assert_eq!(
        status(&["render", "-f", "-", "--deny", "none"], "a: ["),
        Some(0)
    );
    assert_eq!(status(&["render", "-f", "/nowhere/at/all"], ""), Some(2));
    assert_eq!(status(&["render"], ""), Some(2));
    let words = ["render", "-f", "-", "--watch-ingress-without-class=false"];
    assert!(!out(&run(&words, INGRESS)).contains("shop_web_8080"));
}

#[test]
fn files_are_written_and_haproxy_accepts_them() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = folder.path().to_str().expect("the path is UTF-8");
    let done = run(&["render", "-f", "-", "--out", path, "--check"], INGRESS);
    let findings = err(&done);
    assert_eq!(done.status.code(), Some(0), "{findings}");
    assert!(findings.contains("accepts the configuration"), "{findings}");
    let config = fs::read_to_string(folder.path().join("etc/haproxy/haproxy.cfg"));
    let config = config.expect("the configuration was written");
    assert!(config.contains("backend shop_web_8080"));
    assert!(
        !config.contains(path),
        "paths are those of the real HAProxy"
    );
    assert!(
        folder
            .path()
            .join("var/lib/haproxy/crt/_fake-default.pem")
            .exists()
    );
    assert_eq!(out(&done), "");
}

#[test]
fn what_haproxy_refuses_is_led_back_to_the_object() {
    let bad = INGRESS.replace(
        "cors-enable: \"true\"",
        "config-backend: \"http-request nonsense\"",
    );
    let done = run(
        &["render", "-f", "-", "--check", "--disable-config-keywords="],
        &bad,
    );
    let findings = err(&done);
    assert_eq!(done.status.code(), Some(1), "{findings}");
    assert!(findings.contains("error[refused]"), "{findings}");
    assert!(findings.contains("--> <stdin>:8:"), "{findings}");
    assert!(findings.contains("refuses the configuration"), "{findings}");
}

#[test]
fn a_trace_names_the_authors_of_every_line_of_maps_too() {
    let words = ["render", "-f", "-", "--trace"];
    let done = run(&words, INGRESS);
    let text = out(&done);
    assert!(text.starts_with(" 1  # Generated") || text.starts_with("  1  # Generated"));
    let (_, map) = text
        .split_once("\n\n/etc/haproxy/maps/_front_http_host__prefix.map:\n")
        .unwrap_or_else(|| panic!("no map in {text}"));
    let rows: Vec<&str> = map.lines().take(2).collect();
    assert!(rows[0].starts_with("1  shop.example#/ "), "{rows:?}");
    for author in [
        "Ingress shop/web spec.rules[0].http.paths[0] (<stdin>:",
        "Ingress shop/web spec.rules[0].host (<stdin>:",
    ] {
        assert!(rows[0].contains(author), "{author}: {rows:?}");
    }
    assert!(rows[1].contains("# End of file."), "{rows:?}");
    assert!(rows[1].contains("| engine: "), "{rows:?}");
}

#[test]
fn json_is_one_document_without_private_keys() {
    let done = run(&["render", "-f", "-", "--format", "json"], INGRESS);
    assert_eq!(err(&done), "");
    let document: Value = serde_json::from_slice(&done.stdout).expect("it is JSON");
    let files = document["files"].as_array().expect("there are files");
    let config = files
        .iter()
        .find(|it| it["role"] == "config")
        .expect("one is the configuration");
    let lines = config["content"]
        .as_str()
        .map_or(0, |it| it.lines().count());
    assert_eq!(document["sourceMap"].as_array().map(Vec::len), Some(lines));
    for file in files {
        assert_eq!(
            file["content"].is_null(),
            file["role"] == "certificate",
            "{file}"
        );
    }
    let origins = document["origins"].as_array().expect("there are authors");
    let map = files.iter().find(|it| it["role"] == "map");
    let map = map.expect("one is a map");
    let content = map["content"].as_str().expect("it is shown");
    let made = map["sourceMap"].as_array().expect("its lines have authors");
    assert_eq!(made.len(), content.lines().count());
    let first = made[0][0].as_u64().and_then(|it| usize::try_from(it).ok());
    let first = &origins[first.expect("it is a number")];
    assert_eq!(first["field"], "spec.rules[0].http.paths[0]", "{first}");
    let findings = document["diagnostics"]
        .as_array()
        .expect("there are findings");
    let invalid = findings.iter().find(|it| it["code"] == "invalid-value");
    let invalid = invalid.expect("a value is invalid");
    assert_eq!(invalid["place"]["line"], 9);
    assert_eq!(invalid["place"]["column"], 45);
}

#[test]
fn keys_are_printed_and_unknown_ones_are_not() {
    let done = run(&["keys", "cors-max-age"], "");
    assert_eq!(done.status.code(), Some(0));
    assert!(out(&done).starts_with("cors-max-age\n"));
    let schema = run(&["keys", "--format", "schema"], "");
    assert!(serde_json::from_slice::<Value>(&schema.stdout).is_ok());
    assert_eq!(
        run(&["keys", "no-such-key-at-all"], "").status.code(),
        Some(2)
    );
}
