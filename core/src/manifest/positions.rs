//! Where objects and their fields stand in the texts that they were read from.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::manifest::compose::{Content, Node, Span};
use crate::origin::{Field, Kind, ObjectRef, Origin, TextPlace};

/// Turns an origin into a place in a text.
#[derive(Clone, Debug, Default)]
pub struct Positions {
    files: Vec<File>,
    /// More than one entry for what is written more than once; the last one counts.
    objects: BTreeMap<Arc<ObjectRef>, Vec<Located>>,
}

/// A part of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The text's name.
    pub file: Arc<str>,
    /// The bytes of the value; of the key where there is no value.
    pub span: Range<usize>,
    /// The bytes of the key that names it, if there is one.
    pub key: Option<Range<usize>>,
    /// The line of the value's first byte, from 1.
    pub line: u32,
    /// Its column, from 1, in characters.
    pub column: u32,
    /// Whether this is the very field, and not only what encloses it.
    pub exact: bool,
}

#[derive(Clone, Debug)]
struct File {
    name: Arc<str>,
    text: Arc<str>,
    /// Where each line begins.
    lines: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Located {
    file: usize,
    spans: Spans,
}

/// The spans of a value and of all its parts.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    key: Option<Span>,
    value: Span,
    parts: Parts,
}

#[derive(Clone, Debug)]
enum Parts {
    None,
    List(Box<[Spans]>),
    Map(Box<[(Box<str>, Spans)]>),
}

impl Positions {
    /// Where an origin stands: the field, else the nearest that encloses it. `None` for what no text
    /// says: defaults, flags, the engine, and objects that were not read from a text.
    pub fn locate(&self, origin: &Origin) -> Option<Place> {
        match origin {
            Origin::Object(object, field) => {
                let candidates = self.objects.get(object)?;
                let mut places = candidates
                    .iter()
                    .rev()
                    .map(|it| self.find(it, object, field));
                let last = places.next()?;
                if last.exact {
                    return Some(last);
                }
                Some(places.find(|it| it.exact).unwrap_or(last))
            }
            Origin::Text(place) => {
                let file = self.files.iter().position(|it| it.name == place.file)?;
                let span = Span {
                    start: place.start,
                    end: place.end,
                };
                Some(self.place(file, span, None, true))
            }
            Origin::Default(_) | Origin::Flag(_) | Origin::Engine(_) => None,
        }
    }

    /// The text of an origin as it is written, such as `"1 day"` with its quotes.
    pub fn value_of(&self, origin: &Origin) -> Option<&str> {
        let place = self.locate(origin)?;
        self.text(&place.file)?.get(place.span)
    }

    /// The whole of an object.
    pub fn extent(&self, object: &ObjectRef) -> Option<Place> {
        let located = self.objects.get(object)?.last()?;
        Some(self.place(located.file, located.spans.value, None, true))
    }

    /// The object at a byte of a text, and the innermost field there as a JSON pointer.
    pub fn at(&self, file: &str, offset: usize) -> Option<(Arc<ObjectRef>, String)> {
        let offset = u32::try_from(offset).ok()?;
        let file = self.files.iter().position(|it| &*it.name == file)?;
        self.objects.iter().find_map(|(object, candidates)| {
            let located = candidates
                .iter()
                .find(|it| it.file == file && it.spans.encloses(offset))?;
            let mut pointer = String::new();
            located.spans.descend(offset, &mut pointer);
            Some((object.clone(), pointer))
        })
    }

    /// A part of a text by its bytes.
    pub fn at_bytes(&self, file: &str, span: Range<usize>) -> Option<Place> {
        let file = self.files.iter().position(|it| &*it.name == file)?;
        let number =
            |it: usize| u32::try_from(it.min(self.files[file].text.len())).unwrap_or(u32::MAX);
        let span = Span {
            start: number(span.start),
            end: number(span.end),
        };
        Some(self.place(file, span, None, true))
    }

    /// The names of all texts, in the order in which they came.
    pub fn files(&self) -> impl Iterator<Item = &Arc<str>> {
        self.files.iter().map(|it| &it.name)
    }

    /// A text by its name.
    pub fn text(&self, file: &str) -> Option<&str> {
        self.files
            .iter()
            .find(|it| &*it.name == file)
            .map(|it| &*it.text)
    }

    pub(super) fn add_file(&mut self, name: &str, text: &str) -> usize {
        let breaks = text.bytes().zip(1..).filter(|it| it.0 == b'\n');
        self.files.push(File {
            name: name.into(),
            text: text.into(),
            lines: std::iter::once(0).chain(breaks.map(|it| it.1)).collect(),
        });
        self.files.len() - 1
    }

    pub(super) fn add_object(&mut self, object: Arc<ObjectRef>, file: usize, spans: Spans) {
        let located = Located { file, spans };
        self.objects.entry(object).or_default().push(located);
    }

    /// The origin of a part of a text.
    pub(super) fn origin(&self, file: usize, span: Span) -> Origin {
        let (line, column) = self.files[file].line_and_column(span.start);
        Origin::Text(Arc::new(TextPlace {
            file: self.files[file].name.clone(),
            line,
            column,
            start: span.start,
            end: span.end,
        }))
    }

    fn find(&self, located: &Located, object: &ObjectRef, field: &Field) -> Place {
        let root = &located.spans;
        let (mut found, mut exact) = match field {
            // The name says best which object is meant.
            Field::Object => {
                let (found, exact) = root.walk("/metadata/name");
                return if exact {
                    self.place(located.file, found.value, found.key, true)
                } else {
                    self.place(located.file, root.value, None, true)
                };
            }
            _ => root.walk(&field.pointer()),
        };
        // A Secret says `data` and `stringData` for the same thing.
        if let (false, Kind::Secret, Field::Data(name)) = (exact, object.kind, field) {
            let pointer = Field::Data(name.clone())
                .pointer()
                .replacen("/data", "/stringData", 1);
            let other = root.walk(&pointer);
            if other.1 {
                (found, exact) = other;
            }
        }
        self.place(located.file, found.value, found.key, exact)
    }

    fn place(&self, file: usize, value: Span, key: Option<Span>, exact: bool) -> Place {
        let text = &self.files[file];
        let span = match key {
            Some(key) if value.range().is_empty() => key,
            _ => value,
        };
        let (line, column) = text.line_and_column(span.start);
        Place {
            file: text.name.clone(),
            span: text.on_characters(span.range()),
            key: key.map(|it| text.on_characters(it.range())),
            line,
            column,
            exact,
        }
    }
}

impl File {
    fn line_and_column(&self, offset: u32) -> (u32, u32) {
        let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        let line = self.lines.partition_point(|&it| it <= offset);
        let start = self.lines[line.saturating_sub(1)] as usize;
        let end = self.text.floor_char_boundary(offset as usize);
        let before = self.text.get(start..end).unwrap_or_default();
        let before = before.trim_start_matches('\u{feff}');
        (number(line), number(before.chars().count() + 1))
    }

    /// A span that can be used for slicing, whatever it was made of.
    fn on_characters(&self, span: Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start);
        start..self.text.ceil_char_boundary(span.end).max(start)
    }
}

impl Spans {
    /// The part that a JSON pointer names, or the innermost that encloses it.
    fn walk(&self, pointer: &str) -> (&Self, bool) {
        let mut here = self;
        for token in pointer.split('/').skip(1) {
            let next = match &here.parts {
                Parts::None => None,
                Parts::List(items) => token.parse().ok().and_then(|it: usize| items.get(it)),
                Parts::Map(entries) => {
                    let token = token.replace("~1", "/").replace("~0", "~");
                    entries.iter().find(|it| *it.0 == *token).map(|it| &it.1)
                }
            };
            match next {
                Some(next) => here = next,
                None => return (here, false),
            }
        }
        (here, true)
    }

    fn encloses(&self, offset: u32) -> bool {
        let start = self
            .key
            .map_or(self.value.start, |it| it.start.min(self.value.start));
        (start..=self.value.end).contains(&offset)
    }

    fn descend(&self, offset: u32, pointer: &mut String) {
        match &self.parts {
            Parts::None => {}
            Parts::List(items) => {
                if let Some((index, it)) = items.iter().enumerate().find(|it| it.1.encloses(offset))
                {
                    pointer.push('/');
                    pointer.push_str(&index.to_string());
                    it.descend(offset, pointer);
                }
            }
            Parts::Map(entries) => {
                if let Some((key, it)) = entries.iter().find(|it| it.1.encloses(offset)) {
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                    it.descend(offset, pointer);
                }
            }
        }
    }
}

/// Splits a tree into what it says and where it stands. What is null counts as absent, as for the
/// API server.
pub(super) fn split(node: Node, key: Option<Span>) -> (Value, Spans) {
    let (value, parts) = match node.content {
        Content::Text(text) => (Value::String(text.into()), Parts::None),
        Content::Plain { value, .. } => (value, Parts::None),
        Content::List(items) => {
            let (values, spans): (Vec<_>, Vec<_>) =
                items.into_iter().map(|it| split(it, None)).unzip();
            (Value::Array(values), Parts::List(spans.into()))
        }
        Content::Map(entries) => {
            let mut values = Map::with_capacity(entries.len());
            let mut spans = Vec::with_capacity(entries.len());
            for entry in entries {
                let (value, span) = split(entry.node, Some(entry.key_span));
                if !value.is_null() {
                    values.insert(entry.key.to_string(), value);
                }
                spans.push((entry.key, span));
            }
            (Value::Object(values), Parts::Map(spans.into()))
        }
    };
    let spans = Spans {
        key,
        value: node.span,
        parts,
    };
    (value, spans)
}
