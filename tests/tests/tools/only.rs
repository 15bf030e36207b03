//! `render --only`: the lines of one object.

use serde_json::Value;

use crate::{Folder, endpoints, shop};

fn folder() -> Folder {
    let shop = shop(&[("timeout-server", "10s"), ("auth-secret", "users")]);
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: users, namespace: default}\n\
                  stringData: {auth: \"jane::canary\"}\n";
    Folder::new(&[
        ("shop.yaml", &shop),
        ("slices.yaml", &endpoints(&["10.0.0.1"])),
        ("users.yaml", secret),
    ])
}

#[test]
fn an_object_has_its_lines_in_all_files_with_their_numbers() {
    let folder = folder();
    let printed = folder.run(&["render", "-f", ".", "--only", "Ingress/default/shop"]);
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    let config = folder.run(&["render", "-f", "."]).stdout;
    let number = config.lines().position(|it| it == "    timeout server 10s");
    let number = number.expect("it is in the configuration") + 1;
    let line = printed
        .stdout
        .lines()
        .find(|it| it.contains("timeout server 10s"));
    let line = line.unwrap_or_else(|| panic!("no such line in:\n{}", printed.stdout));
    assert!(
        line.trim_start().starts_with(&format!("{number} ")),
        "{line}"
    );
    let field =
        "metadata.annotations[\"haproxy-ingress.github.io/timeout-server\"] (shop.yaml:7:47)";
    assert!(line.ends_with(field), "{line}");
    for expected in [
        "/etc/haproxy/haproxy.cfg\n",
        "  backend default_shop_8080",
        "_front_http_host__prefix.map\n",
        "shop.example#/ ",
        "spec.rules[0].http.paths[0] (shop.yaml:",
    ] {
        assert!(
            printed.stdout.contains(expected),
            "{expected}\n{}",
            printed.stdout
        );
    }
    assert!(!printed.stdout.contains("global\n"), "{}", printed.stdout);
    // Another object has other lines.
    let slice = folder.run(&["render", "-f", ".", "--only", "endpointslice/shop-1"]);
    assert!(slice.stdout.contains("10.0.0.1:8080"), "{}", slice.stdout);
    assert!(!slice.stdout.contains("timeout server"), "{}", slice.stdout);
}

#[test]
fn no_secret_is_shown_and_programs_get_the_same() {
    let folder = folder();
    let text = folder.run(&["render", "-f", ".", "--only", "Secret/users"]);
    assert!(
        text.stdout.contains("user jane insecure-password (hidden)"),
        "{}",
        text.stdout
    );
    let json = folder.run(&[
        "render",
        "-f",
        ".",
        "--only",
        "Secret/users",
        "--format",
        "json",
    ]);
    assert!(!format!("{}{}", text.stdout, json.stdout).contains("canary"));
    let all: Value = serde_json::from_str(&json.stdout).expect("it is one document");
    assert_eq!(all["object"]["kind"], "Secret");
    let lines = all["lines"].as_array().expect("a list");
    assert!(lines.iter().any(|it| {
        it["section"]
            .as_str()
            .is_some_and(|it| it.starts_with("userlist"))
    }));
}

#[test]
fn an_object_that_is_not_there_is_an_error() {
    let folder = folder();
    let printed = folder.run(&["render", "-f", ".", "--only", "Ingress/default/shpo"]);
    assert_eq!(printed.code, 2);
    assert!(
        printed
            .stderr
            .contains("the nearest is Ingress default/shop"),
        "{}",
        printed.stderr
    );
    let wrong = folder.run(&["render", "-f", ".", "--only", "Deployment/shop"]);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.stderr.contains("is not one of the kinds"),
        "{}",
        wrong.stderr
    );
}
