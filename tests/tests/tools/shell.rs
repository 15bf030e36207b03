//! Completion scripts and manual pages.

use std::process::Command;

use haproxy_ingress_tests::terminal::run;

use crate::Folder;

/// What a shell gets.
fn script(shell: &str) -> String {
    let printed = run(["completions", shell], "");
    assert_eq!((printed.code, &*printed.stderr), (0, ""));
    printed.stdout
}

/// What bash offers for the last of some words.
fn offers(folder: &Folder, words: &[&str]) -> Vec<String> {
    let (last, before) = words.split_last().expect("there are words");
    let previous = before.last().expect("the program stands in front");
    let quoted: Vec<String> = words.iter().map(|it| format!("'{it}'")).collect();
    let line = format!(
        "source ./completion.bash; COMP_WORDS=({}); COMP_CWORD={}; \
         complete -p haproxy-ingress > /dev/null || exit 3; \
         _haproxyingress haproxy-ingress '{last}' '{previous}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        words.len() - 1
    );
    let output = Command::new("bash")
        .args(["--norc", "--noprofile", "-c", &line])
        .current_dir(folder.path(""))
        .output()
        .expect("bash can be started");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("bash prints UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_takes_the_script_and_completes_with_it() {
    let folder = Folder::new(&[("completion.bash", &script("bash"))]);
    let checked = Command::new("bash")
        .args(["-n", "completion.bash"])
        .current_dir(folder.path(""))
        .output()
        .expect("bash can be started");
    assert!(checked.status.success() && checked.stderr.is_empty());
    for (words, expected) in [
        (
            &["haproxy-ingress", "--master-so"][..],
            &["--master-socket"][..],
        ),
        (
            &["haproxy-ingress", "controller", "--watch-na"],
            &["--watch-namespace"],
        ),
        (&["haproxy-ingress", "li"], &["lint"]),
        (&["haproxy-ingress", "lint", "--verd"], &["--verdicts"]),
        (&["haproxy-ingress", "lint", "--format", "s"], &["sarif"]),
        (
            &["haproxy-ingress", "render", "--haproxy-v"],
            &["--haproxy-version"],
        ),
    ] {
        assert_eq!(offers(&folder, words), expected, "{words:?}");
    }
}

#[test]
fn zsh_and_fish_get_every_tool_and_flag_too() {
    for (shell, flag) in [("zsh", "--master-socket"), ("fish", "-l master-socket")] {
        let script = script(shell);
        for word in [flag, "lint", "verdicts", "watch-namespace", "controller"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(run(["completions", "csh"], "").code, 2);
}

#[test]
fn a_manual_page_is_written_for_each_command() {
    let folder = Folder::new(&[]);
    let printed = folder.run(&["man", "pages/man1"]);
    assert_eq!((printed.code, &*printed.stderr), (0, ""));
    for (page, words) in [
        (
            "haproxy-ingress.1",
            &[
                "--master-socket",
                "--publish-service",
                "haproxy-ingress-lint(1)",
            ][..],
        ),
        (
            "haproxy-ingress-controller.1",
            &["--watch-namespace", "[default: "],
        ),
        ("haproxy-ingress-lint.1", &["--verdicts", "--deny", "sarif"]),
    ] {
        let path = folder.path("pages/man1").join(page);
        let source =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(source.contains(".TH "), "{page}");
        let plain = source
            .replace("\\-", "-")
            .replace("\\fB", "")
            .replace("\\fR", "");
        for word in words {
            assert!(plain.contains(word), "{page}: {word}\n{plain}");
        }
    }
}
