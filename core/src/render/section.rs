//! One section: a context of typed parts, a template, and who made each line.

use std::sync::Arc;

use minijinja::{Template, Value};
use xxhash_rust::xxh3::xxh3_64;

use crate::bundle::Section;
use crate::haproxy::Part;
use crate::origin::{Origin, Setting, SourceMap};
use crate::render::environment::{MARK, MARK_END, Printed, Record};
use crate::value::text::{Line, Snippet};

/// The main configuration while it is written.
#[derive(Default)]
pub(super) struct Output {
    pub(super) text: String,
    pub(super) sections: Vec<Section>,
    pub(super) source_map: SourceMap,
}

/// The context of one section while it is filled.
pub(super) struct Context<'a> {
    record: Record,
    /// What stands behind `server`, in the order of the lines.
    servers: Vec<Line>,
    source_map: &'a mut SourceMap,
}

impl<'a> Context<'a> {
    pub(super) fn new(source_map: &'a mut SourceMap) -> Self {
        Self {
            record: Record::default(),
            servers: Vec::new(),
            source_map,
        }
    }

    /// Sets a part; without one the name stays undefined.
    pub(super) fn part(&mut self, name: &'static str, part: Option<&Part>) {
        if let Some(part) = part {
            let value = self.printed(part.value.clone(), std::slice::from_ref(&part.origin));
            self.record.set(name, value);
        }
    }

    /// Sets a line that our code spells.
    pub(super) fn line(&mut self, name: &'static str, line: Line) {
        let value = self.printed(line, &[]);
        self.record.set(name, value);
    }

    /// Sets a line that several authors made.
    pub(super) fn line_of(&mut self, name: &'static str, line: Line, authors: &[Origin]) {
        let value = self.printed(line, authors);
        self.record.set(name, value);
    }

    /// Sets a list of lines, each with its authors.
    pub(super) fn lines<'l>(
        &mut self,
        name: &'static str,
        lines: impl IntoIterator<Item = (Line, &'l [Origin])>,
    ) {
        let values: Vec<Value> = lines
            .into_iter()
            .map(|(line, by)| self.printed(line, by))
            .collect();
        if !values.is_empty() {
            self.record.set(name, Value::from_object(values));
        }
    }

    /// Sets the servers, whose state can be changed while HAProxy runs.
    pub(super) fn servers<'l>(&mut self, servers: impl IntoIterator<Item = (Line, &'l [Origin])>) {
        let servers: Vec<_> = servers.into_iter().collect();
        self.servers = servers.iter().map(|it| it.0.clone()).collect();
        self.lines("servers", servers);
    }

    /// Sets the lines of a snippet.
    pub(super) fn snippet(&mut self, name: &'static str, snippets: &[&Setting<Snippet>]) {
        let lines = snippets.iter().flat_map(|it| {
            it.value
                .lines()
                .iter()
                .map(|line| (line.clone(), std::slice::from_ref(&it.origin)))
        });
        self.lines(name, lines);
    }

    /// Sets whether something is so.
    pub(super) fn flag(&mut self, name: &'static str, is_so: bool) {
        if is_so {
            self.record.set(name, Value::from(true));
        }
    }

    fn printed(&mut self, text: Line, authors: &[Origin]) -> Value {
        let authors = (!authors.is_empty()).then(|| self.source_map.add_set(authors));
        Value::from_object(Printed { text, authors })
    }

    fn finish(self) -> (Value, Vec<Line>) {
        (Value::from_object(self.record), self.servers)
    }
}

impl Output {
    /// Renders a section; `owners` made the lines that say nothing of their own.
    pub(super) fn section(
        &mut self,
        template: &Template<'_, '_>,
        owners: &[Origin],
        fill: impl FnOnce(&mut Context<'_>),
    ) -> Result<(), minijinja::Error> {
        let owner = self.source_map.add_set(owners);
        // An empty line sets a section apart from the one before.
        self.text.push('\n');
        self.source_map.add_line(owner);
        let mut context = Context::new(&mut self.source_map);
        fill(&mut context);
        let (context, servers) = context.finish();
        let marked = template.render(context)?;
        self.add(&marked, owner, &servers);
        Ok(())
    }

    /// Adds text that is no template's, such as sections of the operator.
    pub(super) fn text(&mut self, text: &str, owners: &[Origin]) {
        let owner = self.source_map.add_set(owners);
        self.add(text, owner, &[]);
    }

    /// Takes the marks out of a section's text and notes who made each line.
    fn add(&mut self, marked: &str, owner: u32, servers: &[Line]) {
        let start = self.text.len();
        let first_line = self.source_map.len() + 1;
        let mut name: Option<Arc<str>> = None;
        for line in marked.lines() {
            let from = self.text.len();
            let (first, others) = self.unmark(line);
            let authors = match first {
                None => owner,
                Some(one) if others.is_empty() => one,
                Some(one) => {
                    let mut all: Vec<Origin> = Vec::new();
                    for set in std::iter::once(one).chain(others) {
                        for origin in self.source_map.set(set) {
                            if !all.contains(origin) {
                                all.push(origin.clone());
                            }
                        }
                    }
                    self.source_map.add_set(&all)
                }
            };
            self.source_map.add_line(authors);
            let text = &self.text[from..];
            if name.is_none() && text.starts_with(|it: char| it.is_ascii_alphabetic()) {
                name = Some(text.into());
            }
            self.text.push('\n');
        }
        let Some(name) = name else { return };
        let text = &self.text[start..];
        let number = |it: usize| u32::try_from(it).expect("fewer lines than bytes");
        self.sections.push(Section {
            name,
            first_line: number(first_line),
            lines: number(self.source_map.len() + 1 - first_line),
            digest: xxh3_64(text.as_bytes()),
            frame: frame(text, servers),
        });
    }

    /// Adds a line without its marks; returns the sets that they name, mostly one.
    fn unmark(&mut self, line: &str) -> (Option<u32>, Vec<u32>) {
        let (mut first, mut others) = (None, Vec::new());
        let mut rest = line;
        while let Some(mark) = rest.find(MARK) {
            self.text.push_str(&rest[..mark]);
            rest = &rest[mark + MARK.len_utf8()..];
            let Some(end) = rest.find(MARK_END) else {
                break;
            };
            if let Ok(set) = rest[..end].parse::<u32>() {
                if first.is_none() {
                    first = Some(set);
                } else {
                    others.push(set);
                }
            }
            rest = &rest[end + MARK_END.len_utf8()..];
        }
        self.text.push_str(rest);
        (first, others)
    }
}

/// The digest of a section without what our servers say of themselves. Servers of an operator's
/// snippet stay, as does all that stands between: a change there needs a reload.
fn frame(text: &str, servers: &[Line]) -> u64 {
    if servers.is_empty() {
        return xxh3_64(text.as_bytes());
    }
    let mut frame = String::with_capacity(text.len());
    let mut servers = servers.iter().peekable();
    for line in text.split_inclusive('\n') {
        let behind = servers.peek().and_then(|server| {
            let line = line.trim_start().strip_prefix("server ")?;
            line.strip_prefix(server.as_str())
        });
        if behind.is_some() {
            servers.next();
        }
        frame.push_str(behind.unwrap_or(line));
    }
    xxh3_64(frame.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_our_servers_say_is_left_out_of_a_frame() {
        let of = |text: &str, servers: &[&str]| {
            let servers: Vec<_> = servers.iter().map(|it| Line::keyword("").and(it)).collect();
            frame(text, &servers)
        };
        let one = "    server own 10.0.0.9:1\n    deny\n    server a 10.0.0.1:1\n";
        let moved = "    server own 10.0.0.9:1\n    deny\n    server a 10.0.0.2:1 disabled\n";
        assert_eq!(
            of(one, &["a 10.0.0.1:1"]),
            of(moved, &["a 10.0.0.2:1 disabled"])
        );
        for other in [
            "    server own 10.0.0.9:2\n    deny\n    server a 10.0.0.1:1\n",
            "    server own 10.0.0.9:1\n    server a 10.0.0.1:1\n",
            "    server own 10.0.0.9:1\n    deny\n    server a 10.0.0.1:1 check\n",
        ] {
            assert_ne!(of(one, &["a 10.0.0.1:1"]), of(other, &["a 10.0.0.1:1"]));
        }
    }
}
