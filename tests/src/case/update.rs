//! Rewrites what a file of cases expects to what comes out.
//!
//! A block that holds stays as it is. Of one that does not, the lines that are still there are the
//! anchors, or else those that start with the same words; everything from the first anchor to the last
//! takes its place. An empty block gets the whole section. What comes out is to be reviewed like code.

use std::path::Path;

use crate::case::check::{found, name, same};
use crate::case::{Block, Case, Expected, ReadError, input};

/// A range of lines of the file, from 1, and what takes their place.
#[derive(Debug, Eq, PartialEq)]
struct Edit {
    first: u32,
    count: u32,
    lines: Vec<String>,
}

pub(super) fn update(file: &Path) -> Result<bool, ReadError> {
    let error = |message: String| ReadError {
        file: file.into(),
        line: 0,
        message,
    };
    let text = std::fs::read_to_string(file).map_err(|it| error(it.to_string()))?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut edits = Vec::new();
    for case in Case::read(file, &text)? {
        let input = case.input().map_err(|it| error(it.to_string()))?;
        let compiled = input.compile("");
        for expected in case.expected.iter().filter(|it| it.present) {
            let Ok(actual) = expected.target.lines(&compiled.bundle) else {
                continue;
            };
            if let Some(wanted) = expected.rewritten(&actual) {
                edits.push(Edit {
                    first: expected.block.line,
                    count: u32::try_from(expected.block.text.lines().count()).unwrap_or(0),
                    lines: wanted,
                });
            }
        }
        let serious: Vec<(u32, String)> = found(&input, &compiled)
            .filter_map(|(line, it)| Some((line?, name(it))))
            .filter(|(line, it)| {
                it.severity != "notice" || input.expected.contains(&(*line, it.clone()))
            })
            .map(|(line, it)| (line, it.to_string()))
            .collect();
        for block in &case.yaml {
            edits.extend(comments(block, &serious));
        }
    }
    if edits.is_empty() {
        return Ok(false);
    }
    // From the end, so that the numbers of the others stay true.
    edits.sort_by_key(|it| std::cmp::Reverse(it.first));
    for edit in edits {
        let first = usize::try_from(edit.first).unwrap_or(1) - 1;
        let end = first + usize::try_from(edit.count).unwrap_or(0);
        lines.splice(first..end, edit.lines);
    }
    let text = lines.join("\n") + "\n";
    std::fs::write(file, text).map_err(|it| error(it.to_string()))?;
    Ok(true)
}

/// The lines of a block whose comments do not say what was found, by line of the file.
fn comments(block: &Block, found: &[(u32, String)]) -> Vec<Edit> {
    let lines: Vec<&str> = block.text.lines().collect();
    let mut edits = Vec::new();
    let mut rest = (block.line..).zip(&lines).enumerate();
    while let Some((index, (number, line))) = rest.next() {
        let mut place = number;
        if input::opens_text(line) {
            // A comment inside of a text would be a part of it, so it stands behind the `|`, and means
            // the line below, where the text begins.
            place += 1;
            let text = input::text_below(&lines[index..]);
            rest.by_ref().take(text).for_each(drop);
        }
        let mut wanted: Vec<&str> = found
            .iter()
            .filter(|(it, _)| *it == place)
            .map(|(_, it)| it.as_str())
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut written = input::findings(line);
        written.sort_unstable();
        if wanted == written {
            continue;
        }
        let code = if written.is_empty() {
            line
        } else {
            line.rsplit_once("# ").map_or(*line, |(it, _)| it)
        };
        let mut line = code.trim_end().to_owned();
        if !wanted.is_empty() {
            line = format!("{line}   # {}", wanted.join(" "));
        }
        edits.push(Edit {
            first: number,
            count: 1,
            lines: vec![line],
        });
    }
    edits
}

impl Expected {
    /// What the block should say, unless it holds.
    fn rewritten(&self, actual: &[&str]) -> Option<Vec<String>> {
        let wanted = self.lines();
        if wanted.is_empty() {
            return Some(actual.iter().map(|it| (*it).to_owned()).collect());
        }
        let holds = |it: &[&str]| it.iter().zip(&wanted).all(|(a, b)| same(a, b));
        if actual.windows(wanted.len()).any(holds) {
            return None;
        }
        let anchors = |is_one: &dyn Fn(&str, &str) -> bool| -> Option<(usize, usize)> {
            let is_anchor = |it: &str| wanted.iter().any(|wanted| is_one(it, wanted));
            let first = actual.iter().position(|it| is_anchor(it))?;
            let last = actual.iter().rposition(|it| is_anchor(it))?;
            Some((first, last))
        };
        let start = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().take(2).collect();
            words.join(" ")
        };
        let (first, last) = anchors(&|a, b| same(a, b))
            .or_else(|| anchors(&|a, b| start(a) == start(b)))
            .unwrap_or((0, actual.len().saturating_sub(1)));
        let lines = actual.get(first..=last).unwrap_or_default();
        Some(lines.iter().map(|it| (*it).to_owned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a file with one case.
    fn updated(yaml: &str) -> String {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let file = folder.path().join("case.md");
        let text = format!(
            "# File\n\n## Case\n\n```yaml\n{yaml}```\n\n```request\nGET http://app.example/ → 200\n```\n"
        );
        std::fs::write(&file, &text).expect("the folder is ours");
        update(&file).expect("the file is right");
        let text = std::fs::read_to_string(&file).expect("it is still there");
        let (_, rest) = text.split_once("```yaml\n").expect("the block is there");
        rest.split_once("```").expect("the block ends").0.to_owned()
    }

    const HEAD: &str = "kind: Ingress\nmetadata:\n  annotations:\n";

    #[test]
    fn what_is_found_in_a_text_is_said_behind_its_bar() {
        let key = "haproxy-ingress.github.io/cors-max-age";
        let text = "\n      soon # and\n\n      later\n";
        let right = format!("{HEAD}    {key}: |   # warning[invalid-value]{text}");
        for comment in ["", "   # warning[conflict]", "   # warning[invalid-value]"] {
            assert_eq!(
                updated(&format!("{HEAD}    {key}: |{comment}{text}")),
                right
            );
        }
    }

    #[test]
    fn a_comment_follows_what_is_found_on_its_line() {
        let written = "    haproxy-ingress.github.io/cors-max-age: soon\n    haproxy-ingress.github.io/cors-enable: \"true\"   # warning[conflict]\n";
        let right = "    haproxy-ingress.github.io/cors-max-age: soon   # warning[invalid-value]\n    haproxy-ingress.github.io/cors-enable: \"true\"\n";
        assert_eq!(
            updated(&format!("{HEAD}{written}")),
            format!("{HEAD}{right}")
        );
    }
}
