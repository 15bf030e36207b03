//! The file that describes the agents of a web application firewall (HAProxy's `doc/SPOE.txt`).

use crate::haproxy::{Config, DataFile, Role, Waf};
use crate::origin::{Origin, SourceMap};
use crate::value::text::Line;

/// The file while it is written.
struct File {
    text: String,
    source_map: SourceMap,
}

/// Adds the file, if there are agents.
///
/// Messages are sent by rules and not by an event, so that only the paths that ask for it are looked
/// at, and only after what refuses a request without looking at it.
pub(super) fn add(config: &mut Config) {
    let Some(waf) = &config.waf else { return };
    let mut file = File {
        text: String::new(),
        source_map: SourceMap::default(),
    };
    let engine = Origin::Engine("how agents are asked");
    let mut push = |line: Line, origin: &Origin| file.push(&line, origin);
    let name = |before: &'static str, name: &str| Line::keyword(before).and(name);
    let message = waf.kind.message();
    push(Line::keyword("[modsecurity]"), &engine);
    push(Line::keyword("spoe-agent modsecurity-agent"), &engine);
    push(name("groups", message), &engine);
    push(name("option var-prefix", waf.kind.prefix()), &engine);
    push(Line::keyword("option set-on-error error"), &engine);
    push(Line::keyword("option set-process-time time"), &engine);
    for (timeout, it) in &waf.agent_timeouts {
        push(name("timeout", timeout).line(&it.value), &it.origin);
    }
    push(name("use-backend", Waf::BACKEND), &engine);
    if config.global.log.is_some() {
        push(Line::keyword("log global"), &engine);
        push(Line::keyword("option dontlog-normal"), &engine);
    }
    push(name("spoe-message", message), &engine);
    if !waf.arguments.value.as_str().is_empty() {
        let line = Line::keyword("args").line(&waf.arguments.value);
        push(line, &waf.arguments.origin);
    }
    push(name("spoe-group", message), &engine);
    push(name("messages", message), &engine);
    let File { text, source_map } = file;
    config
        .files
        .push(DataFile::of_lines(Waf::PATH, Role::Agent, text, source_map));
}

impl File {
    /// Adds a line; what is inside of a section is indented.
    fn push(&mut self, line: &Line, origin: &Origin) {
        let line = line.as_str();
        if !line.starts_with('[') && !line.starts_with("spoe-") {
            self.text.push_str("    ");
        }
        self.text.push_str(line);
        self.text.push('\n');
        self.source_map.add_line_by([origin.clone()]);
    }
}
