//! What Helm prints goes in, and what is for people on a terminal does not come out of a pipe.

use std::process::Command;

use haproxy_ingress_tests::helm::helm;
use haproxy_ingress_tests::terminal::{self, run};

use crate::{Folder, shop};

/// A chart as `helm create` makes it, with an annotation from its values.
fn chart() -> Folder {
    let template =
        shop(&[("timeout-server", "10s")]).replace("\"10s\"", "{{ .Values.timeout | quote }}");
    Folder::new(&[
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
        ("values.yaml", "timeout: 20s\n"),
        ("templates/shop.yaml", &template),
    ])
}

#[test]
fn what_helm_renders_is_rendered_and_linted() {
    let chart = chart();
    let template = |value: &str| {
        let folder = chart.path("").display().to_string();
        let output = helm(&["template", "shop", &folder, "--set", value]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("Helm prints UTF-8")
    };
    let good = template("timeout=30s");
    assert!(
        good.contains("# Source: shop/templates/shop.yaml"),
        "{good}"
    );
    let rendered = run(["render", "-f", "-", "--deny", "warnings"], &good);
    assert_eq!(rendered.code, 0, "{}", rendered.stderr);
    assert!(
        rendered.stdout.contains("\n    timeout server 30s\n"),
        "{}",
        rendered.stdout
    );
    let words = [
        "lint",
        "-f",
        "-",
        "--allow",
        "placeholder",
        "--deny",
        "notices",
    ];
    let linted = run(words, &good);
    assert_eq!(
        (linted.code, &*linted.stdout),
        (0, "1 file: nothing to say\n")
    );

    let bad = template("timeout=soon");
    let linted = run(["lint", "-f", "-", "--deny", "warnings"], &bad);
    assert_eq!(linted.code, 1);
    assert!(
        linted.stdout.contains("timeout-server: \"soon\""),
        "{}",
        linted.stdout
    );
    let compared = Folder::new(&[("good.yaml", &good)]);
    let path = compared.path("good.yaml").display().to_string();
    let compared = run(["diff", "-f", &path, "--to", "-"], &template("timeout=40s"));
    assert!(
        compared.stdout.contains("\n+    timeout server 40s\n"),
        "{}",
        compared.stdout
    );
}

#[test]
fn long_work_shows_a_sign_of_life_on_a_terminal_only() {
    let shops: Vec<String> = (0..6_000)
        .map(|it| {
            let ingress = shop(&[]);
            let ingress = ingress.split("---\n").next().unwrap_or_default();
            ingress.replace("shop", &format!("shop{it}"))
        })
        .collect();
    let folder = Folder::new(&[("all.yaml", &shops.join("---\n")), ("one.yaml", &shops[0])]);
    let piped = folder.run(&["lint", "-f", "all.yaml", "--format", "json"]);
    assert_eq!((piped.code, &*piped.stderr), (0, ""));
    // `script` gives the command a terminal.
    let shown = |file: &str| {
        let command = terminal::command::<&str>([]);
        let program = command.get_program().display();
        let line = format!("{program} lint -f {file} --format json > out.json");
        let output = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .current_dir(folder.path(""))
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .stdin(std::process::Stdio::null())
            .output()
            .expect("`script` of the package bsdutils is there");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // What is done at once shows none: it would only flicker.
    assert_eq!(shown("one.yaml"), "");
    let shown = shown("all.yaml");
    assert!(
        shown.contains("Reading") || shown.contains("Compiling"),
        "{shown:?}"
    );
    assert!(
        shown.contains("\u{1b}[2K") || shown.ends_with('\r'),
        "it goes again: {shown:?}"
    );
    let written = std::fs::read_to_string(folder.path("out.json")).expect("it was written");
    assert_eq!(written, piped.stdout);
}
