//! Who made what differs.

use crate::bundle::{Compiled, File, Section};
use crate::origin::Origin;

/// How many authors a reason names.
const AUTHORS: usize = 5;

pub(super) fn lines<'a>(
    section: &Section,
    compiled: &'a Compiled,
) -> impl Iterator<Item = &'a str> {
    let text = compiled.bundle.config().get(section.offset..);
    let lines = text.unwrap_or_default().lines();
    lines.take(section.lines as usize)
}

/// Who made the lines of a section that a test picks.
pub(super) fn authors(
    section: &Section,
    compiled: &Compiled,
    pick: impl Fn(&str) -> bool,
) -> Vec<Origin> {
    let numbers = section.first_line..;
    let made = numbers.map(|it| compiled.bundle.authors(it));
    authors_of(lines(section, compiled).zip(made), pick)
}

/// The objects that made lines that a test picks; a few of them, if there are many.
fn authors_of<'a>(
    lines: impl Iterator<Item = (&'a str, &'a [Origin])>,
    pick: impl Fn(&str) -> bool,
) -> Vec<Origin> {
    let mut origins = Vec::new();
    for (_, made) in lines.filter(|it| pick(it.0)) {
        add_authors(&mut origins, made);
        if origins.len() == AUTHORS {
            break;
        }
    }
    origins
}

/// Adds the objects among some authors, as long as there are few.
fn add_authors(origins: &mut Vec<Origin>, made: &[Origin]) {
    for origin in made {
        if origins.len() < AUTHORS && origin.object().is_some() && !origins.contains(origin) {
            origins.push(origin.clone());
        }
    }
}

/// A line and who made it.
type Made<'a> = (&'a str, &'a [Origin]);

/// Who made the lines that only one of two files has, those of the new one first.
///
/// Files of many lines have most of them in common and in the same order, so that nearly all are
/// passed over side by side.
pub(super) fn authors_of_difference(old: &File, new: &File) -> Vec<Origin> {
    let (head, tail) = common(old, new);
    let middle = |file| middle(file, head, tail).collect::<Vec<Made<'_>>>();
    let (old, new) = (middle(old), middle(new));
    let (mut old, mut new) = (old.as_slice(), new.as_slice());
    let (before, after) = (sorted(old), sorted(new));
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    while added.len() < AUTHORS {
        match (old, new) {
            ([], []) => break,
            ([a, old_rest @ ..], [b, new_rest @ ..]) if a.0 == b.0 => {
                (old, new) = (old_rest, new_rest);
            }
            (_, [(line, by), rest @ ..]) if before.binary_search(line).is_err() => {
                add_authors(&mut added, by);
                new = rest;
            }
            ([(line, by), rest @ ..], _) if after.binary_search(line).is_err() => {
                add_authors(&mut removed, by);
                old = rest;
            }
            // Both are in the other file at another place.
            _ => {
                old = old.get(1..).unwrap_or_default();
                new = new.get(1..).unwrap_or_default();
            }
        }
    }
    add_authors(&mut added, &removed);
    added
}

/// How many bytes of whole lines two files have in common at their beginning and at their end.
pub(super) fn common(old: &File, new: &File) -> (usize, usize) {
    let (a, b) = (&*old.content, &*new.content);
    let head = common_lines(a.bytes().zip(b.bytes()));
    let tail = common_lines(a[head..].bytes().rev().zip(b[head..].bytes().rev()));
    (head, tail)
}

/// How many bytes of whole lines two texts have in common, up to the first difference.
fn common_lines(pairs: impl Iterator<Item = (u8, u8)>) -> usize {
    let mut whole = 0;
    for (place, (a, b)) in pairs.enumerate() {
        if a != b {
            break;
        }
        if a == b'\n' {
            whole = place + 1;
        }
    }
    whole
}

/// The lines of a file without so many bytes of whole lines at its beginning and at its end.
fn middle(file: &File, head: usize, tail: usize) -> impl Iterator<Item = Made<'_>> {
    let before = file.content[..head].bytes().filter(|it| *it == b'\n');
    let made = file.source_map.lines().skip(before.count());
    // Of a file that was found on a disk nobody knows who made it, and its lines count all the same.
    let made = made.chain(std::iter::repeat(&[][..]));
    middle_text(file, head, tail).lines().zip(made)
}

/// The text of [`middle`]. Counted from the end, whole lines begin behind a line feed, which stays.
pub(super) fn middle_text(file: &File, head: usize, tail: usize) -> &str {
    &file.content[head..file.content.len() - tail.saturating_sub(1)]
}

fn sorted<'a>(lines: &[Made<'a>]) -> Vec<&'a str> {
    let mut lines: Vec<&str> = lines.iter().map(|it| it.0).collect();
    lines.sort_unstable();
    lines
}

/// Who made the lines of a file.
pub(super) fn authors_of_lines(file: &File) -> Vec<Origin> {
    authors_of(file.content.lines().zip(file.source_map.lines()), |_| true)
}
