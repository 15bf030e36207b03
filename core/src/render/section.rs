//! One section: a context of typed parts, a template, and who made each line.

use std::ops::Range;
use std::sync::Arc;

use memchr::memchr3;
use minijinja::{Template, Value};

use crate::bundle::Section;
use crate::haproxy::Part;
use crate::origin::{Origin, Setting, SourceMap};
use crate::render::environment::{CHANGE, Changes, LINES, Lines, MARK, MARK_END, Printed, Record};
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
    lists: Vec<Arc<Lines>>,
    source_map: &'a mut SourceMap,
}

/// A section's text while its marks are taken out.
struct Marked<'a> {
    lists: &'a [Arc<Lines>],
    /// Who made the lines that say nothing of their own.
    owner: u32,
    /// Where the text says what can be changed while HAProxy runs.
    changing: Vec<Range<usize>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(source_map: &'a mut SourceMap) -> Self {
        Self {
            record: Record::new(),
            lists: Vec::new(),
            source_map,
        }
    }

    /// Sets a part; without one the name stays undefined.
    pub(super) fn part(&mut self, name: &'static str, part: Option<&Part>) {
        if let Some(part) = part {
            self.line_of(name, part.value.clone(), std::slice::from_ref(&part.origin));
        }
    }

    /// Sets a line that our code spells.
    pub(super) fn line(&mut self, name: &'static str, line: Line) {
        self.line_of(name, line, &[]);
    }

    /// Sets a line that several authors made.
    pub(super) fn line_of(&mut self, name: &'static str, line: Line, authors: &[Origin]) {
        let printed = Printed {
            text: line,
            authors: self.authors(authors),
            changes: Changes::WithReload,
        };
        self.record.set(name, Value::from_object(printed));
    }

    /// Sets a list of lines, each with its authors.
    pub(super) fn lines<'l>(
        &mut self,
        name: &'static str,
        lines: impl IntoIterator<Item = (Line, &'l [Origin])>,
    ) {
        self.list(name, lines, Changes::WithReload);
    }

    /// Sets the servers, whose state can be changed while HAProxy runs.
    pub(super) fn servers<'l>(&mut self, servers: impl IntoIterator<Item = (Line, &'l [Origin])>) {
        self.list("servers", servers, Changes::WhileRunning);
    }

    fn list<'l>(
        &mut self,
        name: &'static str,
        lines: impl IntoIterator<Item = (Line, &'l [Origin])>,
        changes: Changes,
    ) {
        // Lines that one rule needs for its many paths share their authors, who may be as many.
        let mut before: (&[Origin], Option<u32>) = (&[], None);
        let lines: Vec<Printed> = lines
            .into_iter()
            .map(|(text, by)| {
                if !std::ptr::eq(before.0, by) {
                    before = (by, self.authors(by));
                }
                Printed {
                    text,
                    authors: before.1,
                    changes,
                }
            })
            .collect();
        if !lines.is_empty() {
            let number = self.lists.len();
            let lines = Arc::new(Lines { number, lines });
            self.lists.push(lines.clone());
            self.record.set(name, Value::from_dyn_object(lines));
        }
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

    fn authors(&mut self, authors: &[Origin]) -> Option<u32> {
        (!authors.is_empty()).then(|| self.source_map.add_set(authors))
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
        let lists = context.lists;
        let marked = template.render(Value::from_object(context.record))?;
        self.add(&marked, &lists, owner);
        Ok(())
    }

    /// The text of the section that was added last.
    pub(super) fn last(&self) -> Option<&str> {
        self.sections.last().map(|it| &self.text[it.offset..])
    }

    /// Notes of which section `defaults` a running HAProxy can make the backend that was added last.
    pub(super) fn made_of(&mut self, defaults: Arc<str>) {
        if let Some(section) = self.sections.last_mut() {
            section.defaults = Some(defaults);
        }
    }

    /// The lines of a section without its header.
    pub(super) fn lines_of(&self, name: &str) -> Option<&str> {
        let section = self.sections.iter().find(|it| &*it.name == name)?;
        let text = &self.text[section.offset + name.len() + 1..];
        let ends = text.match_indices('\n').map(|it| it.0 + 1);
        let end = ends.take(section.lines as usize - 1).last();
        Some(&text[..end.unwrap_or_default()])
    }

    /// Adds text that is no template's, such as sections of the operator.
    pub(super) fn text(&mut self, text: &str, owners: &[Origin]) {
        let owner = self.source_map.add_set(owners);
        self.add(text, &[], owner);
    }

    /// Takes the marks out of a section's text and notes who made each line.
    fn add(&mut self, marked: &str, lists: &[Arc<Lines>], owner: u32) {
        let start = self.text.len();
        let first_line = self.source_map.len() + 1;
        let mut section = Marked {
            lists,
            owner,
            changing: Vec::new(),
        };
        let mut rest = marked;
        while !rest.is_empty() {
            let authors;
            (authors, rest) = self.add_line(rest, &mut section);
            self.source_map.add_line(authors.unwrap_or(owner));
            self.text.push('\n');
        }
        let text = &self.text[start..];
        let Some(name) = Section::header(text) else {
            return;
        };
        let number = |it: usize| u32::try_from(it).expect("fewer lines than bytes");
        let digest = Section::digest(text);
        self.sections.push(Section {
            name: name.into(),
            first_line: number(first_line),
            lines: number(self.source_map.len() + 1 - first_line),
            offset: start,
            digest,
            frame: if section.changing.is_empty() {
                digest
            } else {
                frame(text, start, &section.changing)
            },
            defaults: None,
        });
    }

    /// Adds the first line of a marked text without its marks, or several if it is repeated; returns who
    /// made the last one, if a mark says so, and the text behind.
    fn add_line<'t>(
        &mut self,
        marked: &'t str,
        section: &mut Marked<'_>,
    ) -> (Option<u32>, &'t str) {
        let start = self.text.len();
        let mut authors: Option<u32> = None;
        let mut change = None;
        let mut rest = marked;
        while let Some(end) = memchr3(b'\n', CHANGE, MARK, rest.as_bytes()) {
            self.text.push_str(&rest[..end]);
            let mark = rest.as_bytes()[end];
            rest = &rest[end + 1..];
            match mark {
                b'\n' => return (authors, rest),
                CHANGE => change = Some(self.text.len()),
                _ => {
                    let (mark, behind) =
                        rest.split_once(char::from(MARK_END)).unwrap_or((rest, ""));
                    rest = behind;
                    // An operator's template can write anything.
                    if let Some(number) = mark.strip_prefix(LINES) {
                        let list = number.parse().ok();
                        if let Some(list) = list.and_then(|it: usize| section.lists.get(it)) {
                            authors = self.add_list(list, start, authors, section);
                        }
                        continue;
                    }
                    section
                        .changing
                        .extend(change.take().map(|it| it..self.text.len()));
                    let set = mark.parse().ok().filter(|it| self.source_map.has_set(*it));
                    authors = self.either(authors, set);
                }
            }
        }
        self.text.push_str(rest);
        (authors, "")
    }

    /// Adds lines, in front of each of which stands what the text has from `start`, which some have made;
    /// returns who made the last one.
    fn add_list(
        &mut self,
        list: &Lines,
        start: usize,
        authors: Option<u32>,
        section: &mut Marked<'_>,
    ) -> Option<u32> {
        let front = start..self.text.len();
        let mut of_line = authors;
        for (place, line) in list.lines.iter().enumerate() {
            if place > 0 {
                self.source_map.add_line(of_line.unwrap_or(section.owner));
                self.text.push('\n');
                self.text.extend_from_within(front.clone());
            }
            let from = self.text.len();
            self.text.push_str(line.text.as_str());
            if line.changes == Changes::WhileRunning {
                section.changing.push(from..self.text.len());
            }
            of_line = self.either(authors, line.authors);
        }
        of_line
    }

    /// The authors of two sets, if there are any.
    fn either(&mut self, one: Option<u32>, other: Option<u32>) -> Option<u32> {
        match (one, other) {
            (Some(one), Some(other)) => Some(self.both(one, other)),
            (one, other) => one.or(other),
        }
    }

    /// The authors of two sets.
    fn both(&mut self, one: u32, other: u32) -> u32 {
        let mut all: Vec<Origin> = self.source_map.set(one).to_vec();
        for origin in self.source_map.set(other) {
            if !all.contains(origin) {
                all.push(origin.clone());
            }
        }
        self.source_map.add_set(&all)
    }
}

/// The digest of a section without what can be changed while HAProxy runs, which is our servers. Those
/// of an operator's snippet stay, as does all that stands between: a change there needs a reload.
fn frame(text: &str, start: usize, changing: &[Range<usize>]) -> u64 {
    let mut frame = String::with_capacity(text.len());
    let mut from = 0;
    for range in changing {
        let (begin, end) = (range.start - start, range.end - start);
        let line = text[..begin].rfind('\n').map_or(0, |it| it + 1);
        // Servers can be added and removed, too, unless a template says something else of them.
        let is_server = text[line..begin].trim() == "server" && text[end..].starts_with('\n');
        let (begin, end) = if is_server {
            (line, end + 1)
        } else {
            (begin, end)
        };
        frame.push_str(&text[from..begin]);
        from = end;
    }
    frame.push_str(&text[from..]);
    Section::digest(&frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_list_is_repeated_for_each_of_its_lines() {
        let by = ["owner", "front", "a", "b"].map(Origin::Engine);
        let mut environment = crate::render::environment::environment();
        let source = "s {{ front }}\n  {{ front }} {{ list }}\n\
                      {% if none %}\n  {{ none }}\n{% endif %}\n\
                      {% for it in list %}\nof {{ it }}\n{% endfor %}\n";
        environment
            .add_template("t", source)
            .expect("a template of two lists");
        let template = environment.get_template("t").expect("it was added");
        let mut output = Output::default();
        output
            .section(&template, &by[..1], |cx| {
                let front = Line::keyword("front");
                cx.line_of("front", front, std::slice::from_ref(&by[1]));
                let lines = [("a", &by[2..3]), ("b", &by[3..]), ("c", &[][..])];
                cx.lines("list", lines.map(|it| (Line::keyword(it.0), it.1)));
                cx.lines("none", []);
            })
            .expect("it renders");
        let text = "\ns front\n  front a\n  front b\n  front c\nof a\nof b\nof c\n";
        assert_eq!(output.text, text);
        let [owner, front, a, b] = &by;
        let authors: Vec<&[Origin]> = output.source_map.lines().collect();
        let both = |it: &Origin| [front.clone(), it.clone()];
        let (with_a, with_b) = (both(a), both(b));
        let alone = std::slice::from_ref;
        let wanted: [&[Origin]; 8] = [
            alone(owner),
            alone(front),
            &with_a,
            &with_b,
            alone(front),
            alone(a),
            alone(b),
            alone(owner),
        ];
        assert_eq!(authors, wanted);
        assert_eq!(&*output.sections[0].name, "s front");
        assert_eq!(output.sections[0].lines, 7);
    }

    #[test]
    fn only_what_our_servers_say_is_left_out_of_a_frame() {
        let of = |text: &str| {
            let mut output = Output::default();
            let owner = output.source_map.add_set(&[Origin::Engine("a test")]);
            output.add(text, &[], owner);
            (output.text, output.sections[0].frame)
        };
        let one = "backend b\n    server own 10.0.0.9:1\n    server \u{3}a 10.0.0.1:1\u{1}0\u{2}\n";
        let moved = "backend b\n    server own 10.0.0.9:1\n    server \u{3}a 10.0.0.2:1 disabled\u{1}0\u{2}\n";
        let text = "backend b\n    server own 10.0.0.9:1\n    server a 10.0.0.1:1\n";
        assert_eq!(of(one).0, text);
        assert_eq!(of(one).1, of(moved).1);
        let none = "backend b\n    server own 10.0.0.9:1\n";
        let two = format!("{one}    server \u{3}b 10.0.0.3:1\u{1}0\u{2}\n");
        for other in [none, &two] {
            assert_eq!(of(one).1, of(other).1, "{other:?}");
        }
        for other in [
            one.replace("9:1", "9:2"),
            one.replace("    server own 10.0.0.9:1\n", ""),
            one.replace("\u{2}\n", "\u{2} check\n"),
        ] {
            assert_ne!(of(one).1, of(&other).1, "{other:?}");
        }
    }
}
