//! Markdown → cases.

use std::ops::Range;
use std::path::Path;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Parser, Tag, TagEnd};

use crate::case::{Block, Case, Expected, ReadError, Settings, Target};

/// Where the text of a file breaks into lines.
struct Lines(Vec<usize>);

pub(super) fn read(file: &Path, text: &str) -> Result<Vec<Case>, ReadError> {
    let lines = Lines::of(text);
    let error = |line: u32, message: String| ReadError {
        file: file.into(),
        line,
        message,
    };
    let mut cases: Vec<Case> = Vec::new();
    let mut events = Parser::new(text).into_offset_iter();
    while let Some((event, range)) = events.next() {
        match event {
            Event::Start(Tag::Heading {
                level: HeadingLevel::H2,
                ..
            }) => {
                let title: String = events
                    .by_ref()
                    .take_while(|(it, _)| !matches!(it, Event::End(TagEnd::Heading(_))))
                    .filter_map(|(it, _)| match it {
                        Event::Text(text) | Event::Code(text) => Some(text.into_string()),
                        _ => None,
                    })
                    .collect();
                cases.push(Case {
                    file: file.into(),
                    line: lines.number(range.start),
                    title,
                    settings: Settings::default(),
                    yaml: Vec::new(),
                    expected: Vec::new(),
                    diagnostics: Vec::new(),
                    requests: Vec::new(),
                });
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let info = info.trim().to_owned();
                let mut content: Option<Range<usize>> = None;
                for (event, range) in events.by_ref() {
                    match event {
                        Event::Text(_) => {
                            let start = content.map_or(range.start, |it| it.start);
                            content = Some(start..range.end);
                        }
                        _ => break,
                    }
                }
                let opening = lines.number(range.start);
                let block = Block {
                    info,
                    line: opening + 1,
                    text: content.map_or_else(String::new, |it| text[it].to_owned()),
                };
                let Some(case) = cases.last_mut() else {
                    let message = "a block stands before the first `##` heading".to_owned();
                    return Err(error(opening, message));
                };
                case.take(block).map_err(|(line, it)| error(line, it))?;
            }
            _ => {}
        }
    }
    for case in &cases {
        if case.expected.is_empty() && case.requests.is_empty() && !case.expects_a_finding() {
            let message = format!("the case `{}` says nothing checkable", case.title);
            return Err(error(case.line, message));
        }
        case.settings
            .options()
            .map_err(|message| error(case.line, message))?;
    }
    Ok(cases)
}

impl Case {
    /// Takes a block for what its first word says.
    fn take(&mut self, block: Block) -> Result<(), (u32, String)> {
        let info = block.info.clone();
        let (kind, rest) = info.split_once(' ').unwrap_or((&info, ""));
        let rest = rest.trim().to_owned();
        let wrong = |message: String| (block.line, message);
        match (kind, rest.is_empty()) {
            ("yaml", _) if rest.is_empty() || rest == "global" => self.yaml.push(block),
            ("options", true) => {
                for (index, line) in (block.line..).zip(block.text.lines()) {
                    if line.trim().is_empty() {
                        continue;
                    }
                    let pair = line.split_once(':');
                    let (name, value) = pair.ok_or((index, "not `name: value`".to_owned()))?;
                    let value = value.trim().to_owned();
                    self.settings.0.insert(name.trim().into(), value);
                }
            }
            ("haproxy", false) => self.expect(Target::Section(rest), true, block),
            ("haproxy-absent", false) => self.expect(Target::Section(rest), false, block),
            ("haproxy-absent", true) => self.expect(Target::Config, false, block),
            ("map", false) => self.expect(Target::Map(rest), true, block),
            ("map-absent", false) => self.expect(Target::Map(rest), false, block),
            ("file", false) => self.expect(Target::File(rest), true, block),
            ("diagnostics", true) => {
                for (line, text) in (block.line..).zip(block.text.lines()) {
                    if !text.trim().is_empty() {
                        let finding = text.trim().parse().map_err(|it| (line, it))?;
                        self.diagnostics.push((line, finding));
                    }
                }
            }
            ("request", true) => {
                for (line, text) in (block.line..).zip(block.text.lines()) {
                    if !text.trim().is_empty() {
                        let exchange = super::Exchange::read(line, text);
                        self.requests.push(exchange.map_err(|it| (line, it))?);
                    }
                }
            }
            _ => return Err(wrong(format!("a block `{info}` means nothing here"))),
        }
        Ok(())
    }

    fn expect(&mut self, target: Target, present: bool, block: Block) {
        self.expected.push(Expected {
            target,
            present,
            block,
        });
    }

    fn expects_a_finding(&self) -> bool {
        !self.diagnostics.is_empty()
            || self
                .yaml
                .iter()
                .flat_map(|it| it.text.lines())
                .any(|line| !super::input::findings(line).is_empty())
    }
}

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line of a byte, from 1.
    fn number(&self, offset: usize) -> u32 {
        let before = self.0.partition_point(|it| *it < offset);
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }
}
