//! The templates' environment: the one place where a value becomes text.
//!
//! A template can print a [`Printed`] value, which our code made of typed parts, several of them as
//! [`Lines`], a number, or the result of a macro, and nothing else. Where a value knows who wrote it, a
//! mark follows it that [`section`](crate::render::section) takes out again and turns into the line's
//! origin. Lines are printed as a mark alone: the line on which it stands is repeated for each of them.

use std::fmt::Write as _;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

use crate::value::text::Line;

/// Begins a mark. No typed part can hold it: words escape control characters, lines refuse them.
pub(super) const MARK: u8 = 1;
/// Ends a mark.
pub(super) const MARK_END: u8 = 2;
/// Begins a mark, behind [`MARK`], that stands for lines by their number in the section.
pub(super) const LINES: char = '*';
/// Stands in front of text that can be changed while HAProxy runs; the next mark ends it.
pub(super) const CHANGE: u8 = 3;

/// Templates by their file name, in the order of the sections that they print.
pub const TEMPLATES: &[(&str, &str)] = &[
    ("global.j2", include_str!("templates/global.j2")),
    ("defaults.j2", include_str!("templates/defaults.j2")),
    ("peers.j2", include_str!("templates/peers.j2")),
    ("resolvers.j2", include_str!("templates/resolvers.j2")),
    ("userlist.j2", include_str!("templates/userlist.j2")),
    ("stats.j2", include_str!("templates/stats.j2")),
    ("healthz.j2", include_str!("templates/healthz.j2")),
    ("prometheus.j2", include_str!("templates/prometheus.j2")),
    ("frontend.j2", include_str!("templates/frontend.j2")),
    ("auth.j2", include_str!("templates/auth.j2")),
    ("tcp.j2", include_str!("templates/tcp.j2")),
    ("backend.j2", include_str!("templates/backend.j2")),
    (
        "redirect_https.j2",
        include_str!("templates/redirect_https.j2"),
    ),
    ("not_found.j2", include_str!("templates/not_found.j2")),
    ("peer_table.j2", include_str!("templates/peer_table.j2")),
    ("agents.j2", include_str!("templates/agents.j2")),
    ("acme.j2", include_str!("templates/acme.j2")),
];

/// Text made of typed parts, and which set of authors wrote it.
#[derive(Clone, Debug)]
pub(super) struct Printed {
    pub(super) text: Line,
    pub(super) authors: Option<u32>,
    pub(super) changes: Changes,
}

/// Lines of a section, each of which is printed on a line of its own.
#[derive(Debug)]
pub(super) struct Lines {
    /// Which of the section's lists they are.
    pub(super) number: usize,
    pub(super) lines: Vec<Printed>,
}

/// How a text can be changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Changes {
    /// By another configuration.
    WithReload,
    /// By a command.
    WhileRunning,
}

/// Named values for a template; a name that is not there is undefined.
#[derive(Debug)]
pub(super) struct Record(Vec<(&'static str, Value)>);

impl Object for Printed {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// A template may also loop over them.
impl Object for Lines {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let line = self.lines.get(key.as_usize()?)?;
        Some(Value::from_object(line.clone()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.lines.len())
    }
}

impl Record {
    /// An empty one, with room for what most sections have.
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(16))
    }

    pub(super) fn set(&mut self, name: &'static str, value: Value) {
        self.0.push((name, value));
    }
}

impl Object for Record {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.iter().find(|it| it.0 == key).map(|it| it.1.clone())
    }
}

/// An environment with the strict formatter and no template.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .expect("the default delimiters");
    environment.set_syntax(syntax);
    // What is not there can be asked for and looped over; the formatter refuses to print it.
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    // A custom mode makes the results of macros safe strings, so that others can be refused.
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("haproxy".into()));
    environment.set_formatter(format);
    environment
}

fn format(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    if let Some(printed) = value.downcast_object_ref::<Printed>() {
        let text = printed.text.as_str();
        let Some(authors) = printed.authors else {
            out.write_str(text)?;
            return Ok(());
        };
        if printed.changes == Changes::WhileRunning {
            out.write_char(char::from(CHANGE))?;
        }
        out.write_str(text)?;
        let mut mark = itoa::Buffer::new();
        out.write_char(char::from(MARK))?;
        out.write_str(mark.format(authors))?;
        out.write_char(char::from(MARK_END))?;
        return Ok(());
    }
    if let Some(lines) = value.downcast_object_ref::<Lines>() {
        let (mark, end) = (char::from(MARK), char::from(MARK_END));
        write!(out, "{mark}{LINES}{}{end}", lines.number)?;
        return Ok(());
    }
    if value.is_safe() || value.is_integer() {
        write!(out, "{value}")?;
        return Ok(());
    }
    let kind = if value.is_undefined() {
        ErrorKind::UndefinedError
    } else {
        ErrorKind::BadEscape
    };
    Err(Error::new(
        kind,
        format!("a value of type {} cannot be printed", value.kind()),
    ))
}
