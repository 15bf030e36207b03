//! YAML events → trees of nodes that know where they stand.
//!
//! JSON is read in the same way. A broken document ends at the next `---`, the others count. Aliases
//! are expanded within a [`Budget`], so that a small text cannot become a large tree.

use std::collections::BTreeMap;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use granit_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::Value;

use crate::manifest::scalar;

/// A part of a text, in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) content: Content,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A text: in quotes, in a block, or plain and nothing else.
    Text(Box<str>),
    /// A plain scalar that is no text.
    Plain {
        /// As it is written.
        text: Box<str>,
        /// What it stands for.
        value: Value,
        /// Whether YAML 1.2 reads something else.
        ambiguous: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping: each key once, merge keys merged.
    Map(Vec<Entry>),
}

/// An entry of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Box<str>,
    pub(super) key_span: Span,
    /// Whether YAML 1.2 reads the key as something else.
    pub(super) ambiguous: bool,
    pub(super) node: Node,
}

/// What is wrong with a text.
#[derive(Clone, Debug)]
pub(super) enum Problem {
    /// It is not YAML; the document is skipped.
    Syntax {
        at: Span,
        message: String,
        help: Option<String>,
    },
    /// A key stands twice; the later one counts.
    DuplicateKey {
        key: Box<str>,
        first: Span,
        second: Span,
    },
}

/// How much may be read, so that no text costs more than it is worth.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    /// Nodes of the text itself.
    nodes: usize,
    /// Bytes that anchors, aliases and merge keys may copy.
    copies: usize,
}

impl Default for Budget {
    /// Enough for the dump of a cluster with 100,000 objects.
    fn default() -> Self {
        Self {
            nodes: 8_000_000,
            copies: 16 << 20,
        }
    }
}

/// How deep a tree may be. Kubernetes' own objects stay under 40.
const DEPTH: usize = 200;

/// What one copied node costs of the budget, beside its text.
const NODE_COST: usize = 64;

impl Span {
    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

impl Content {
    pub(super) fn null() -> Self {
        Self::Plain {
            text: Box::default(),
            value: Value::Null,
            ambiguous: false,
        }
    }

    /// The text as written of a scalar that is not null.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Plain { value, text, .. } if !value.is_null() => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Plain { value, .. } if value.is_null())
    }
}

impl Node {
    /// The entry of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|it| &*it.key == key).map(|it| &it.node),
            _ => None,
        }
    }

    /// The entry of a mapping, to change it.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.content {
            Content::Map(entries) => entries
                .iter_mut()
                .find(|it| &*it.key == key)
                .map(|it| &mut it.node),
            _ => None,
        }
    }
}

/// The documents of a text, and what is wrong with the others.
pub(super) fn compose(text: &str, budget: &mut Budget) -> (Vec<Node>, Vec<Problem>) {
    let options = granit_parser::options! {
        // As the parser of the Kubernetes tools does.
        block_scalar_eof_without_line_feed: true,
        // Another dependency may switch comments on for all; a document begins with its first node.
        emit_comments: false,
    };
    let mut composer = Composer {
        text,
        parser: Parser::new_from_str_with_options(text, options),
        budget,
        anchors: BTreeMap::new(),
        problems: Vec::new(),
    };
    let documents = composer.documents();
    (documents, composer.problems)
}

struct Composer<'t, 'b> {
    text: &'t str,
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    budget: &'b mut Budget,
    anchors: BTreeMap<usize, Anchor>,
    problems: Vec<Problem>,
}

/// A node that aliases stand for.
struct Anchor {
    node: Node,
    cost: usize,
    height: usize,
}

/// The document cannot be read further.
struct Broken;

type Composed<T> = Result<T, Broken>;

impl<'t> Composer<'t, '_> {
    fn documents(&mut self) -> Vec<Node> {
        let mut documents = Vec::new();
        let mut open = None;
        while let Some(next) = self.parser.next_event() {
            let read = match next {
                Ok((Event::DocumentEnd, _)) => {
                    documents.extend(open.take());
                    self.anchors.clear();
                    continue;
                }
                Ok((Event::StreamStart | Event::DocumentStart(..), _)) => continue,
                Ok((Event::StreamEnd, _)) => break,
                Ok((event, span)) => self.node(event, span, 0).map(|it| open = Some(it)),
                Err(error) => Err(self.syntax(&error)),
            };
            if read.is_err() {
                open = None;
                self.anchors.clear();
                if self.budget.nodes == 0 || !self.parser.proceed_next_document().unwrap_or(false) {
                    break;
                }
            }
        }
        documents
    }

    /// The node that an event begins.
    fn node(
        &mut self,
        event: Event<'t>,
        span: granit_parser::Span,
        depth: usize,
    ) -> Composed<Node> {
        let at = self.span(span);
        if depth > DEPTH {
            return Err(self.broken(at, format!("more than {DEPTH} levels deep")));
        }
        let Some(nodes) = self.budget.nodes.checked_sub(1) else {
            return Err(self.broken(at, "too many values"));
        };
        self.budget.nodes = nodes;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let content = self.scalar(&text, style, tag.as_deref(), at)?;
                self.anchored(anchor, Node { span: at, content }, at)
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                let end = loop {
                    match self.next(at)? {
                        (Event::SequenceEnd, end) => break self.span(end),
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                };
                let last = items.last().map(|it: &Node| it.span);
                let span = self.collection(at, last, end);
                let content = Content::List(items);
                self.anchored(anchor, Node { span, content }, at)
            }
            Event::MappingStart(_, anchor, _) => {
                let node = self.mapping(at, depth)?;
                self.anchored(anchor, node, at)
            }
            Event::Alias(id) => {
                let mut node = self.alias(id, at, depth)?;
                node.span = at;
                Ok(node)
            }
            _ => Err(self.broken(at, "a value is expected here")),
        }
    }

    fn mapping(&mut self, at: Span, depth: usize) -> Composed<Node> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut known: BTreeMap<Box<str>, usize> = BTreeMap::new();
        let mut merged: Vec<Node> = Vec::new();
        let mut last = None;
        let end = loop {
            let (event, span) = match self.next(at)? {
                (Event::MappingEnd, end) => break self.span(end),
                it => it,
            };
            let key_span = self.span(span);
            let merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let (key, ambiguous) = self.key(event, key_span)?;
            let (event, span) = self.next(key_span)?;
            let node = self.node(event, span, depth + 1)?;
            last = Some(if node.span.is_empty() {
                key_span
            } else {
                node.span
            });
            if merge {
                merged.push(node);
                continue;
            }
            let entry = Entry {
                key,
                key_span,
                ambiguous,
                node,
            };
            if let Some(&index) = known.get(&entry.key) {
                self.problems.push(Problem::DuplicateKey {
                    key: entry.key.clone(),
                    first: entries[index].key_span,
                    second: key_span,
                });
                entries[index] = entry;
            } else {
                known.insert(entry.key.clone(), entries.len());
                entries.push(entry);
            }
        };
        for node in merged {
            let span = node.span;
            let sources = match node.content {
                Content::Map(entries) => vec![entries],
                Content::List(items) => items
                    .into_iter()
                    .map(|it| match it.content {
                        Content::Map(entries) => Ok(entries),
                        _ => Err(()),
                    })
                    .collect::<Result<_, _>>()
                    .map_err(|()| self.broken(span, MERGE))?,
                _ => return Err(self.broken(span, MERGE)),
            };
            for entry in sources.into_iter().flatten() {
                if !known.contains_key(&entry.key) {
                    known.insert(entry.key.clone(), entries.len());
                    entries.push(entry);
                }
            }
        }
        Ok(Node {
            span: self.collection(at, last, end),
            content: Content::Map(entries),
        })
    }

    /// The text of a key, and whether YAML 1.2 reads something else.
    fn key(&mut self, event: Event<'t>, at: Span) -> Composed<(Box<str>, bool)> {
        let content = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let content = self.scalar(&text, style, tag.as_deref(), at)?;
                self.anchored(anchor, Node { span: at, content }, at)?
                    .content
            }
            Event::Alias(id) => self.alias(id, at, 0)?.content,
            _ => return Err(self.broken(at, "a key must be a text, not a list or a mapping")),
        };
        match content {
            Content::Text(text) => Ok((text, false)),
            Content::Plain {
                text,
                value,
                ambiguous,
            } => match value {
                Value::Bool(truth) => Ok((truth.to_string().into(), ambiguous)),
                Value::Number(number) if !number.is_f64() => {
                    Ok((number.to_string().into(), ambiguous))
                }
                Value::Number(_) => Ok((text, ambiguous)),
                _ => Err(self.broken(at, "a key must be a text, not null")),
            },
            _ => Err(self.broken(at, "a key must be a text, not a list or a mapping")),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        at: Span,
    ) -> Composed<Content> {
        let core = tag.map(|it| it.suffix_in_namespace("tag:yaml.org,2002:"));
        let plain = match core.as_ref().map(Option::as_deref) {
            None => style == ScalarStyle::Plain,
            Some(Some("binary")) => {
                let compact: String = text.split_ascii_whitespace().collect();
                let decoded = STANDARD.decode(compact).ok();
                return match decoded.and_then(|it| String::from_utf8(it).ok()) {
                    Some(text) => Ok(Content::Text(text.into())),
                    None => Err(self.broken(at, "not the base64 form of a text")),
                };
            }
            Some(Some("null" | "bool" | "int" | "float")) => true,
            // `!!str`, and what only its author knows.
            Some(_) => false,
        };
        if !plain {
            return Ok(Content::Text(text.into()));
        }
        let resolved = scalar::resolve(text);
        Ok(match resolved.value {
            Value::String(text) => Content::Text(text.into()),
            value => Content::Plain {
                text: text.into(),
                value,
                ambiguous: resolved.ambiguous,
            },
        })
    }

    /// Remembers a node that has an anchor.
    fn anchored(&mut self, anchor: usize, node: Node, at: Span) -> Composed<Node> {
        if anchor != 0 {
            let (cost, height) = measure(&node);
            self.pay(cost, at)?;
            let node = node.clone();
            self.anchors.insert(anchor, Anchor { node, cost, height });
        }
        Ok(node)
    }

    /// A copy of the node that an alias stands for.
    fn alias(&mut self, id: usize, at: Span, depth: usize) -> Composed<Node> {
        let Some(anchor) = self.anchors.get(&id) else {
            return Err(self.broken(at, "the alias stands inside of what it stands for"));
        };
        let (cost, height) = (anchor.cost, anchor.height);
        if depth + height > DEPTH {
            return Err(self.broken(at, format!("more than {DEPTH} levels deep")));
        }
        self.pay(cost, at)?;
        Ok(self.anchors[&id].node.clone())
    }

    fn pay(&mut self, cost: usize, at: Span) -> Composed<()> {
        if let Some(copies) = self.budget.copies.checked_sub(cost) {
            self.budget.copies = copies;
            Ok(())
        } else {
            Err(self.broken(at, "the aliases stand for too much text"))
        }
    }

    fn next(&mut self, open: Span) -> Composed<(Event<'t>, granit_parser::Span)> {
        match self.parser.next_event() {
            Some(Ok(it)) => Ok(it),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Err(self.broken(open, "the text ends too early")),
        }
    }

    /// The span of a list or mapping: up to the end of its last part, or to the bracket.
    fn collection(&self, start: Span, last: Option<Span>, end: Span) -> Span {
        let flow = matches!(
            self.text.as_bytes().get(start.start as usize),
            Some(b'{' | b'[')
        );
        let until = if flow {
            end.end
        } else {
            last.unwrap_or(end).end
        };
        self.trimmed(start.start, until.max(start.end))
    }

    fn span(&self, span: granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or_default();
        // Texts of 4 GB and more are refused before.
        let number = |it: usize| u32::try_from(it.min(self.text.len())).unwrap_or(u32::MAX);
        self.trimmed(number(range.start), number(range.end.max(range.start)))
    }

    /// Without the blanks and line ends behind it.
    fn trimmed(&self, start: u32, end: u32) -> Span {
        let bytes = &self.text.as_bytes()[..end as usize];
        let blanks = bytes[start as usize..]
            .iter()
            .rev()
            .take_while(|it| it.is_ascii_whitespace())
            .count();
        Span {
            start,
            end: u32::try_from(bytes.len() - blanks).unwrap_or(end),
        }
    }

    fn broken(&mut self, at: Span, message: impl Into<String>) -> Broken {
        let help = self.help(at.start as usize);
        self.problems.push(Problem::Syntax {
            at,
            message: message.into(),
            help,
        });
        Broken
    }

    fn syntax(&mut self, error: &granit_parser::ScanError) -> Broken {
        let offset = error.marker().byte_offset().unwrap_or_default();
        let start = self.text.floor_char_boundary(offset);
        let width = self.text[start..].chars().next().map_or(0, char::len_utf8);
        let number = |it| u32::try_from(it).unwrap_or(u32::MAX);
        let at = Span {
            start: number(start),
            end: number(start + width),
        };
        self.broken(at, error.info())
    }

    /// What is most often behind an error on a line.
    fn help(&self, offset: usize) -> Option<String> {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let start = before.rfind('\n').map_or(0, |it| it + 1);
        let line = self.text[start..].lines().next()?;
        if line.contains("{{") {
            let help =
                "this looks like a template; render it first, with `helm template` for example";
            Some(help.into())
        } else if line.trim_start_matches(' ').starts_with('\t') {
            Some("indent with spaces".into())
        } else {
            None
        }
    }
}

const MERGE: &str = "`<<` takes a mapping or a list of mappings";

/// What a copy of a node costs, and how many levels it has.
fn measure(node: &Node) -> (usize, usize) {
    let parts: &mut dyn Iterator<Item = (usize, &Node)> = match &node.content {
        Content::Text(text) | Content::Plain { text, .. } => return (NODE_COST + text.len(), 0),
        Content::List(items) => &mut items.iter().map(|it| (0, it)),
        Content::Map(entries) => &mut entries.iter().map(|it| (it.key.len(), &it.node)),
    };
    let mut total = NODE_COST;
    let mut height = 0;
    for (key, part) in parts {
        let (cost, levels) = measure(part);
        total += key + cost;
        height = height.max(levels + 1);
    }
    (total, height)
}
