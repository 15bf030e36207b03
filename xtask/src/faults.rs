//! All faults with two versions of HAProxy, as a table.
//!
//! A test about a fault adds a row to a file that it is told of (`haproxy_ingress_tests::show::seen`), when it
//! has come to its end. A fault that only one version has a row of was not survived by the other.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::command::{self, cargo};
use crate::menu::with_haproxy;
use crate::setup::{self, Tool};

/// Tests of the binary that are about faults.
const OF_THE_BINARY: [&str; 3] = [
    "a_haproxy_started_after_a_crash_at_any_step_serves_the_old_or_the_new",
    "a_panic_of_the_engine_costs_its_object_only",
    "a_reload_that_comes_during_another_one_is_asked_for_again",
];

/// How much of what is tried less often in `make test`.
const AMOUNTS: [(&str, &str); 2] = [("ROUNDS", "200"), ("SECONDS", "60")];

/// The rows of each fault, by the number of the version.
type Table = BTreeMap<String, [Vec<String>; 2]>;

/// Runs all tests about faults and prints what they have seen.
pub(crate) fn test() -> Result<()> {
    setup::install(&[Tool::Haproxy, Tool::Haproxy28])?;
    command::run(&mut cargo(&["build", "--workspace"]))?;
    let programs = [setup::haproxy()?, setup::haproxy_28()?];
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let mut table = Table::new();
    let (mut names, mut failed) = (Vec::new(), Vec::new());
    for (number, program) in programs.iter().enumerate() {
        let rows = folder.path().join(number.to_string());
        for arguments in [
            &[&["--test", "faults"][..], &["--"]].concat(),
            &[&["--bin", "haproxy-ingress", "--"][..], &OF_THE_BINARY].concat(),
        ] {
            let all = [&["test", "--workspace", "--no-fail-fast"], &arguments[..]].concat();
            let mut tests = with_haproxy(&all, program)?;
            tests.env("FAULTS", &rows).envs(AMOUNTS);
            if let Err(error) = command::run(&mut tests) {
                failed.push(error.to_string());
            }
        }
        read(&mut table, number, &rows)?;
        names.push(command::version(program)?);
    }
    println!("\n{}", text(&table, [&names[0], &names[1]]));
    let missing = missing(&table);
    if !failed.is_empty() || !missing.is_empty() || table.is_empty() {
        bail!(
            "of {} faults {} were not survived by both versions; {}",
            table.len(),
            missing.len(),
            failed.join("; ")
        );
    }
    command::say(&format!("{} faults, with both versions", table.len()));
    Ok(())
}

/// Adds the rows that the tests with one version have written.
fn read(table: &mut Table, number: usize, rows: &Path) -> Result<()> {
    let rows = fs::read_to_string(rows).context("no test has told of a fault")?;
    for row in rows.lines() {
        let (fault, what) = row.split_once(" | ").unwrap_or((row, ""));
        let seen = table.entry(fault.into()).or_default();
        seen[number].push(what.into());
    }
    Ok(())
}

/// Faults that one version has no row of.
fn missing(table: &Table) -> Vec<&str> {
    let is_missing = |it: &[Vec<String>; 2]| it.iter().any(Vec::is_empty);
    let missing = table.iter().filter(|it| is_missing(it.1));
    missing.map(|it| it.0.as_str()).collect()
}

/// The table as Markdown.
fn text(table: &Table, versions: [&str; 2]) -> String {
    let [one, two] = versions;
    let mut text = format!("| fault | {one} | {two} |\n|---|---|---|\n");
    for (fault, seen) in table {
        let cells = seen.each_ref().map(|it| match &it[..] {
            [] => command::red("✗"),
            // A bar would end the cell.
            some => format!(
                "{} {}",
                command::green("✓"),
                some.join("; ").replace('|', "\\|")
            ),
        });
        let _ = writeln!(text, "| {fault} | {} | {} |", cells[0], cells[1]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_one_version_did_not_survive_is_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        let rows = folder.path().join("rows");
        let mut table = Table::new();
        for (number, text) in ["a | all well\nb | 3 of 3\n", "b | 2 of 2 | and more\n"]
            .iter()
            .enumerate()
        {
            fs::write(&rows, text).expect("the folder is ours");
            read(&mut table, number, &rows).expect("there are rows");
        }
        assert_eq!(missing(&table), ["a"]);
        assert_eq!(
            text(&table, ["2.6", "2.8"]),
            "| fault | 2.6 | 2.8 |\n|---|---|---|\n\
             | a | ✓ all well | ✗ |\n\
             | b | ✓ 3 of 3 | ✓ 2 of 2 \\| and more |\n"
        );
    }

    #[test]
    fn where_no_test_tells_anything_that_is_said() {
        let error = read(&mut Table::new(), 0, Path::new("/nowhere/at/all"));
        let error = error.expect_err("there is no such file").to_string();
        assert_eq!(error, "no test has told of a fault");
    }
}
