//! Every case renders as written, HAProxy accepts it, and requests are answered as written.
//!
//! `CASE=text` runs the cases whose file or heading has the text; `UPDATE=1` rewrites what is expected.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use haproxy_ingress_core::manifest;
use haproxy_ingress_tests::case::{Case, Failure};
use haproxy_ingress_tests::haproxy::{Haproxy, in_parallel};
use haproxy_ingress_tests::show::show;

/// The cases that are asked for.
fn cases() -> Vec<Case> {
    let all = Case::all(&Case::folder()).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        !all.is_empty(),
        "there is no case in {}",
        Case::folder().display()
    );
    let Ok(wanted) = std::env::var("CASE") else {
        return all;
    };
    let is_wanted =
        |it: &Case| it.title.contains(&wanted) || it.file.display().to_string().contains(&wanted);
    let some: Vec<Case> = all.into_iter().filter(is_wanted).collect();
    assert!(!some.is_empty(), "no case has `{wanted}`");
    some
}

fn report(what: &str, count: usize, failures: &[Failure]) {
    let failed: BTreeSet<_> = failures.iter().map(|it| (&it.file, &it.title)).collect();
    show(&format!(
        "{count} cases {what}, {} of them failed",
        failed.len()
    ));
    let mut text = String::new();
    for failure in failures {
        let _ = writeln!(text, "{failure}");
    }
    assert!(
        failures.is_empty(),
        "{} of {count} cases {what} failed:\n\n{text}",
        failed.len()
    );
}

#[test]
fn every_case_renders_as_written() {
    if std::env::var_os("UPDATE").is_some() {
        let files: BTreeSet<_> = cases().into_iter().map(|it| it.file).collect();
        for file in files {
            Case::update(&file).unwrap_or_else(|error| panic!("{error}"));
        }
    }
    let cases = cases();
    let failures: Vec<Failure> = cases.iter().flat_map(Case::check).collect();
    report("compared", cases.len(), &failures);
}

#[test]
fn haproxy_accepts_every_case() {
    let haproxy = Haproxy::find();
    let (known, others): (Vec<Case>, Vec<Case>) =
        cases().into_iter().partition(|it| it.runs_on(haproxy));
    let failures = in_parallel(&known, |it| it.judge(haproxy));
    let failures: Vec<Failure> = failures.into_iter().flatten().collect();
    let what = format!(
        "judged by HAProxy {} ({} are for others)",
        haproxy.version,
        others.len()
    );
    report(&what, known.len(), &failures);
}

#[test]
fn requests_are_answered_as_written() {
    let haproxy = Haproxy::find();
    let mut cases = cases();
    cases.retain(|it| !it.requests.is_empty() && it.runs_on(haproxy));
    let failures: Vec<Failure> = in_parallel(&cases, Case::exchange)
        .into_iter()
        .flatten()
        .collect();
    report("with requests", cases.len(), &failures);
}

#[test]
fn cases_mean_the_same_when_they_are_written_out() {
    let mut different = Vec::new();
    let cases = cases();
    for case in &cases {
        let input = case.input().unwrap_or_else(|error| panic!("{error}"));
        let mut snapshot = input.snapshot.clone();
        let text = case.manifest();
        for object in manifest::read(&[("case".into(), text.clone())]).objects {
            snapshot.insert(object);
        }
        let there = input.compile_with(&snapshot, "").bundle;
        if input.compile("").bundle.config() != there.config() {
            different.push(format!("{}:{}\n{text}", case.file.display(), case.line));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
