//! What the commands print, and how they end.

use haproxy_ingress_tests::haproxy::Haproxy;
use haproxy_ingress_tests::terminal::run;
use serde_json::{Value, json};

const GOOD: &str = r"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: app
  namespace: default
  annotations:
    haproxy-ingress.github.io/timeout-server: 10s
spec:
  rules:
    - host: app.example
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: app, port: {number: 8080}}}
";

const BAD: &str = r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: app
  annotations:
    haproxy-ingress.github.io/timeout-server: "soon"
spec:
  rules:
    - host: "app.*.example"
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: app, port: {number: 8080}}}
    - host: app.example
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: app, port: {number: 8080}}}
"#;

#[test]
fn an_ingress_alone_renders() {
    let printed = run(["render", "-f", "-"], GOOD);
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    assert!(
        printed.stdout.contains("frontend _front_http"),
        "{}",
        printed.stdout
    );
    assert!(
        printed.stdout.contains("backend default_app_8080"),
        "{}",
        printed.stdout
    );
    assert!(
        printed.stdout.contains("timeout server 10s"),
        "{}",
        printed.stdout
    );
    // The Service is not there, and a placeholder stands for it.
    assert!(printed.stderr.contains("default/app"), "{}", printed.stderr);
    assert!(
        !printed.stderr.contains('\u{1b}'),
        "no colours without a terminal"
    );
}

#[test]
fn findings_name_their_place_and_decide_the_exit_code() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("bad.yaml");
    std::fs::write(&file, BAD).expect("the folder is ours");
    let file = file.display().to_string();
    let printed = run(["render", "-f", &file], "");
    assert_eq!(printed.code, 1, "{}", printed.stderr);
    for word in [
        "error[invalid-host]",
        "bad.yaml:10:",
        "warning[invalid-value]",
        "bad.yaml:7:",
    ] {
        assert!(
            printed.stderr.contains(word),
            "no {word} in:\n{}",
            printed.stderr
        );
    }
    assert!(
        printed.stdout.contains("backend default_app_8080"),
        "the rest still renders"
    );
    let printed = run(["render", "-f", &file, "--deny", "none"], "");
    assert_eq!(printed.code, 0, "{}", printed.stderr);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let first = run(["render", "-f", "-"], GOOD);
    let second = run(["render", "-f", "-"], GOOD);
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(first.stderr, second.stderr);
}

#[test]
fn the_trace_says_who_made_each_line() {
    let printed = run(["render", "--trace", "-f", "-"], GOOD);
    let line = printed
        .stdout
        .lines()
        .find(|it| it.contains("timeout server 10s"));
    let line = line.unwrap_or_else(|| panic!("no such line in:\n{}", printed.stdout));
    assert!(line.contains("Ingress default/app"), "{line}");
    assert!(line.contains("timeout-server"), "{line}");
    assert!(line.contains(":8:"), "{line}");
    let unexplained: Vec<_> = printed
        .stdout
        .lines()
        .filter(|it| it.split_whitespace().count() > 1 && !it.contains(" | "))
        .collect();
    assert_eq!(unexplained, Vec::<&str>::new());
}

#[test]
fn a_real_haproxy_checks_it() {
    let haproxy = Haproxy::find().program.display().to_string();
    let printed = run(
        ["render", "--check", "--haproxy", &haproxy, "-f", "-"],
        GOOD,
    );
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    assert!(printed.stderr.contains("accepts"), "{}", printed.stderr);
    let printed = run(
        [
            "render",
            "--check",
            "--haproxy",
            "/no/such/program",
            "-f",
            "-",
        ],
        GOOD,
    );
    assert_eq!(printed.code, 2, "{}", printed.stderr);
}

#[test]
fn programs_read_one_json_document() {
    let printed = run(["render", "--format", "json", "-f", "-"], BAD);
    assert_eq!(printed.code, 1, "{}", printed.stderr);
    let document: Value = serde_json::from_str(&printed.stdout).expect("one document");
    let diagnostics = document["diagnostics"].as_array().expect("a list");
    let finding = diagnostics.iter().find(|it| it["code"] == "invalid-value");
    let finding = finding.expect("the timeout is reported");
    assert_eq!(finding["severity"], "warning");
    assert_eq!(finding["place"]["line"], 7);
    let files = document["files"].as_array().expect("a list");
    let config = files
        .iter()
        .find(|it| it["role"] == "config")
        .expect("a configuration");
    assert_eq!(config["path"], "/etc/haproxy/haproxy.cfg");
    let lines = config["content"].as_str().expect("a text").lines().count();
    assert_eq!(document["sourceMap"].as_array().map(Vec::len), Some(lines));
}

#[test]
fn programs_read_which_certificates_have_to_be_signed() {
    let manifest = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: global, namespace: operator}
data:
  acme-endpoint: https://ca.example/acme
  acme-emails: admin@app.example
  acme-terms-agreed: "true"
  acme-expiring: "20"
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: app
  namespace: default
  annotations:
    haproxy-ingress.github.io/cert-signer: acme
    haproxy-ingress.github.io/acme-preferred-chain: Example Root
spec:
  tls:
    - hosts: [www.app.example, app.example, "*.app.example"]
      secretName: tls
"#;
    let flags = [
        "render",
        "--format",
        "json",
        "--configmap",
        "operator/global",
    ];
    let printed = run([&flags[..], &["-f", "-"]].concat(), manifest);
    let document: Value = serde_json::from_str(&printed.stdout).expect("one document");
    let acme = &document["acme"];
    assert_eq!(acme["directory"], "https://ca.example/acme/directory");
    assert_eq!(acme["emails"], json!(["admin@app.example"]));
    assert_eq!(acme["expiringDays"], 20);
    let [order] = acme["orders"].as_array().expect("a list").as_slice() else {
        panic!("one Secret is one order: {acme}");
    };
    assert_eq!(order["secret"], "default/tls");
    // A wildcard is not signed over HTTP.
    assert_eq!(order["hosts"], json!(["app.example", "www.app.example"]));
    assert_eq!(order["preferredChain"], "Example Root");
    assert_eq!(order["origin"]["place"]["line"], 17);

    let without = run(["render", "--format", "json", "-f", "-"], manifest);
    let document: Value = serde_json::from_str(&without.stdout).expect("one document");
    assert_eq!(document["acme"], Value::Null);
}

#[test]
fn files_are_written_where_haproxy_expects_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    let printed = run(
        ["render", "-f", "-", "--out", &out.display().to_string()],
        GOOD,
    );
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    let config = std::fs::read_to_string(out.join("etc/haproxy/haproxy.cfg"));
    let config = config.expect("the configuration is written");
    assert!(config.contains("backend default_app_8080"));
    assert!(out.join("etc/haproxy/maps").is_dir());
}

#[test]
fn broken_yaml_is_said_with_its_place_and_holds_nothing_back() {
    let text = format!("kind: Ingress\n  metadata: [\n---{GOOD}");
    let printed = run(["render", "-f", "-"], &text);
    assert_eq!(printed.code, 1, "{}", printed.stderr);
    assert!(
        printed.stderr.contains("error[invalid-yaml]"),
        "{}",
        printed.stderr
    );
    assert!(
        printed.stdout.contains("backend default_app_8080"),
        "{}",
        printed.stdout
    );
}

#[test]
fn what_cannot_be_read_or_understood_ends_with_two() {
    for arguments in [
        vec!["render"],
        vec!["render", "-f", "/no/such/file.yaml"],
        vec!["render", "-f", "-", "--haproxy-version", "latest"],
        vec!["no-such-command"],
    ] {
        let printed = run(&arguments, "");
        assert_eq!(printed.code, 2, "{arguments:?}: {}", printed.stderr);
        assert_eq!(printed.stdout, "", "{arguments:?}");
        assert!(!printed.stderr.trim().is_empty(), "{arguments:?}");
    }
}
