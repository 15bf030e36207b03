//! `diff`: what differs, who wrote it, and the plan.

use haproxy_ingress_tests::terminal::{self, Printed};
use serde_json::Value;

use crate::{Folder, endpoints, shop};

/// Both sides, each with one endpoint.
fn folder(old: &str, new: &str) -> Folder {
    Folder::new(&[
        ("old/shop.yaml", old),
        ("old/slices.yaml", &endpoints(&["10.0.0.1"])),
        ("new/shop.yaml", new),
        ("new/slices.yaml", &endpoints(&["10.0.0.1"])),
    ])
}

fn diff(folder: &Folder, more: &[&str]) -> Printed {
    let words = ["diff", "-f", "old", "--to", "new"];
    folder.run(&[&words, more].concat())
}

#[test]
fn a_changed_annotation_is_a_hunk_with_its_author_and_a_reason_to_reload() {
    let folder = folder(
        &shop(&[("timeout-server", "10s")]),
        &shop(&[("timeout-server", "20s")]),
    );
    let printed = diff(&folder, &[]);
    assert_eq!((printed.code, &*printed.stderr), (0, ""));
    let author = "Ingress default/shop metadata.annotations[\"haproxy-ingress.github.io/timeout-server\"] \
                  (new/shop.yaml:7:47)";
    for expected in [
        "--- /etc/haproxy/haproxy.cfg\n+++ /etc/haproxy/haproxy.cfg\n@@ -",
        "@@ backend default_shop_8080\n",
        "\n-    timeout server 10s\n+    timeout server 20s\n",
        &format!("\n  = {author}\n"),
        &format!(
            "Plan: reload, because of\n  backend default_shop_8080 changed\n    by {author}\n"
        ),
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
    let told = ["--exit-code", "--exit-code=reload"];
    assert_eq!(told.map(|it| diff(&folder, &[it]).code), [1, 1]);
}

#[test]
fn endpoints_are_commands_and_no_reload() {
    let folder = folder(&shop(&[]), &shop(&[]));
    folder.write("new/slices.yaml", &endpoints(&["10.0.0.2"]));
    let printed = diff(&folder, &["--exit-code=reload"]);
    assert_eq!(printed.code, 0, "{}", printed.stdout);
    let plan = "Plan: 3 commands to HAProxy while it runs, no reload\n  \
                add server default_shop_8080/srv002 10.0.0.2:8080 weight 1\n  \
                set server default_shop_8080/srv002 state ready\n  \
                del server default_shop_8080/srv001\n";
    assert!(printed.stdout.ends_with(plan), "{}", printed.stdout);
    assert_eq!(diff(&folder, &["--exit-code"]).code, 1);
}

#[test]
fn what_means_the_same_is_no_difference() {
    let folder = folder(
        &shop(&[]),
        &shop(&[]).replace("name: shop\n", "name: \"shop\" # ours\n"),
    );
    let printed = diff(&folder, &["--exit-code"]);
    assert_eq!(printed.code, 0);
    assert_eq!(
        printed.stdout,
        "Plan: nothing, the configuration is the same\n"
    );
}

#[test]
fn new_findings_are_shown_and_old_ones_are_not() {
    let bad = shop(&[("timeout-server", "soon")]);
    let folder = folder(&bad, &bad.replace("timeout-server", "timeout-connect"));
    let printed = diff(&folder, &[]);
    assert!(
        printed.stderr.contains("new/shop.yaml:7:"),
        "{}",
        printed.stderr
    );
    assert!(
        printed.stderr.ends_with("1 warning\n1 finding less\n"),
        "{}",
        printed.stderr
    );
    let printed = diff(&self::folder(&bad, &bad), &[]);
    assert_eq!(printed.stderr, "");
}

#[test]
fn the_document_says_the_same_and_no_secret() {
    let secret = |text: &str| {
        format!(
            "\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: users, namespace: default}}\n\
             stringData: {{auth: \"jane::{text}\"}}\n"
        )
    };
    let shop = shop(&[("auth-secret", "users")]);
    let folder = folder(
        &format!("{shop}{}", secret("canary-one")),
        &format!("{shop}{}", secret("canary-two")),
    );
    let text = diff(&folder, &[]);
    let json = diff(&folder, &["--format", "json"]);
    for printed in [&text, &json] {
        let all = format!("{}{}", printed.stdout, printed.stderr);
        assert!(!all.contains("canary"), "{all}");
        assert!(
            all.contains("user jane insecure-password (hidden)"),
            "{all}"
        );
    }
    let json: Value = serde_json::from_str(&json.stdout).expect("it is one document");
    assert_eq!(json["plan"]["plan"], "reload");
    let section = &json["files"][0]["sections"][0];
    assert!(
        section["name"]
            .as_str()
            .is_some_and(|it| it.starts_with("userlist "))
    );
    let lines = section["hunks"][0]["lines"].as_array().expect("a list");
    let added = lines
        .iter()
        .find(|it| it["change"] == "added")
        .expect("a line is added");
    assert_eq!(added["origins"][0]["object"]["kind"], "Secret", "{added}");
}

#[test]
fn standard_input_is_one_of_the_two() {
    let folder = Folder::new(&[("old.yaml", &shop(&[]))]);
    let old = folder.path("old.yaml").display().to_string();
    let piped = terminal::run(
        ["diff", "-f", &old, "--to", "-"],
        &shop(&[("app-root", "/x")]),
    );
    assert_eq!(piped.code, 0, "{}", piped.stderr);
    assert!(piped.stdout.contains("app-root"), "{}", piped.stdout);
    assert!(piped.stdout.contains("(<stdin>:7:"), "{}", piped.stdout);
    let both = terminal::run(["diff", "-f", "-", "--to", "-"], "");
    assert_eq!(both.code, 2);
    assert!(both.stderr.contains("one of the two"), "{}", both.stderr);
    let none = folder.run(&["diff", "-f", "old.yaml", "--to", "nowhere.yaml"]);
    assert_eq!(none.code, 2);
    assert!(none.stderr.contains("nowhere.yaml"), "{}", none.stderr);
}
