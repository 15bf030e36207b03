//! Text of an operator for several sections.

use std::sync::Arc;

use crate::value::text::Snippet;
use crate::value::{KeyValue, Shape, ValueError};

/// Whole sections of configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sections(pub Snippet);

/// Lines for several proxies: the name of a proxy at the front of a line, its lines indented below.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ProxySnippets {
    /// Names of proxies and the lines for each.
    pub proxies: Vec<(Arc<str>, Snippet)>,
    /// Why other lines cannot be used.
    pub refused: Vec<ValueError>,
}

impl KeyValue for Sections {
    const SHAPE: Shape = Shape::Lines {
        grammar: "a line of HAProxy configuration",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        Snippet::parse_sections(text).map(Self)
    }
}

impl KeyValue for ProxySnippets {
    const SHAPE: Shape = Shape::Lines {
        grammar: "the name of a proxy, or an indented line of its configuration",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let mut texts: Vec<(&str, String)> = Vec::new();
        let mut snippets = Self::default();
        for line in text.lines().filter(|it| !it.trim().is_empty()) {
            if !line.starts_with([' ', '\t']) {
                let name = line.trim_end();
                if !texts.iter().any(|it| it.0 == name) {
                    texts.push((name, String::new()));
                }
                // A name that comes again goes on where it ended.
                let place = texts
                    .iter()
                    .position(|it| it.0 == name)
                    .expect("it is there");
                let last = texts.len() - 1;
                texts.swap(place, last);
            } else if let Some((_, lines)) = texts.last_mut() {
                lines.push_str(line.trim());
                lines.push('\n');
            } else {
                snippets.refused.push(ValueError::new(
                    "the name of a proxy in front of the first indented line",
                    line,
                ));
            }
        }
        for (name, lines) in texts {
            match Snippet::parse(&lines) {
                Ok(lines) => snippets.proxies.push((name.into(), lines)),
                Err(error) => snippets.refused.push(error),
            }
        }
        snippets.proxies.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(snippets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_belong_to_the_name_above_them() {
        let text = "  lost\n_front_http\n  maxconn 10\n\nstats\n\tstats hide-version\n_front_http\n  \
                    log global\nbad\n  x \"y\n";
        let snippets = ProxySnippets::parse(text).expect("snippets");
        let found: Vec<_> = snippets
            .proxies
            .iter()
            .map(|(name, lines)| (&**name, lines.lines().len()))
            .collect();
        assert_eq!(found, [("_front_http", 2), ("stats", 1)]);
        assert_eq!(snippets.refused.len(), 2);
    }
}
