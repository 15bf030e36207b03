//! `keys`: what is found by words, and what is guessed.

use haproxy_ingress_tests::terminal::run;
use serde_json::Value;

#[test]
fn words_find_keys_by_their_names_and_their_documentation() {
    let printed = run(["keys", "source-range"], "");
    assert_eq!((printed.code, &*printed.stderr), (0, ""));
    for name in ["allowlist-source-range", "denylist-source-range"] {
        assert!(
            printed.stdout.contains(&format!("  {name} ")),
            "{}",
            printed.stdout
        );
    }
    let weight = run(["keys", "initial", "weight"], "").stdout;
    let (first, then) = weight
        .split_once("Mentioned in the documentation of\n")
        .unwrap_or_else(|| panic!("others mention it:\n{weight}"));
    assert!(first.contains("  initial-weight ") && then.contains("  agent-check-port "));

    let both = run(["keys", "TLS", "redirect"], "");
    assert!(both.stdout.contains("  ssl-redirect "), "{}", both.stdout);
    assert!(!both.stdout.contains("  cors-max-age "), "{}", both.stdout);

    let family = run(["keys", "redirect"], "");
    assert!(
        family.stdout.contains("  redirect-to "),
        "{}",
        family.stdout
    );
    let also = family.stdout.lines().last().unwrap_or_default();
    assert!(
        also.starts_with("See also: ") && also.contains("ssl-redirect"),
        "{also}"
    );

    let json = run(["keys", "source-range", "--format", "json"], "");
    let all: Value = serde_json::from_str(&json.stdout).expect("it is one document");
    let mut names = all.as_array().into_iter().flatten().map(|it| &it["name"]);
    assert!(names.any(|it| it == "allowlist-source-range"));
}

#[test]
fn a_name_that_is_none_gets_the_nearest_ones() {
    let printed = run(["keys", "haproxy-ingress.github.io/timout-server"], "");
    assert_eq!(printed.code, 2);
    let guess =
        "there is no key `haproxy-ingress.github.io/timout-server`; did you mean `timeout-server`";
    assert!(printed.stderr.contains(guess), "{}", printed.stderr);
    let nothing = run(["keys", "xyzzyplugh"], "");
    assert_eq!(nothing.code, 2);
    assert!(
        nothing.stderr.contains("no key mentions it"),
        "{}",
        nothing.stderr
    );
}
