//! A decision for people: numbered steps, each with its author.

use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Style};
use haproxy_ingress_core::explain::{
    Decision, End, HeaderAction, HeaderChange, Request, Scheme, Stage, Step, Target,
};
use haproxy_ingress_core::manifest::Positions;
use haproxy_ingress_core::origin::Origin;

/// How many authors of a thing are named.
const NAMED: usize = 3;

/// How wide the names of stages are.
const STAGE: usize = 14;

/// The decision, with colours where they are wanted.
pub(super) fn text(
    request: &Request,
    decision: &Decision,
    positions: &Positions,
    is_colourful: bool,
) -> String {
    let page = Page {
        positions,
        is_colourful,
    };
    let mut text = page.head(request);
    for (number, step) in (1..).zip(&decision.steps) {
        page.step(number, step, &mut text);
    }
    page.end(decision, &mut text);
    if !decision.not_simulated.is_empty() {
        let _ = writeln!(
            text,
            "\n{}",
            page.paint("Not simulated", Style::new().bold())
        );
        for it in &decision.not_simulated {
            let _ = writeln!(text, "  - {}", plain(&it.what));
            page.authors(&it.origins, 4, &mut text);
        }
    }
    text
}

/// How things are written.
struct Page<'a> {
    positions: &'a Positions,
    is_colourful: bool,
}

impl Page<'_> {
    fn paint(&self, text: &str, style: Style) -> String {
        if self.is_colourful {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    fn dim(&self, text: &str) -> String {
        self.paint(text, Style::new().dimmed())
    }

    /// The request.
    fn head(&self, request: &Request) -> String {
        let scheme = match request.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let host = request.header("host").unwrap_or_default();
        let line = format!("{} {scheme}://{host}{}", request.method, request.target);
        let mut text = self.paint(&plain(&line), Style::new().bold());
        let _ = writeln!(text, "\nfrom {}", request.client);
        for it in request
            .headers
            .iter()
            .filter(|it| !it.name.eq_ignore_ascii_case("host"))
        {
            let _ = writeln!(text, "{}", plain(&format!("{}: {}", it.name, it.value)));
        }
        text.push('\n');
        text
    }

    fn step(&self, number: usize, step: &Step, text: &mut String) {
        let stage = format!("{:<STAGE$}", name(step.stage));
        let stage = self.paint(&stage, AnsiColor::Cyan.on_default());
        let _ = writeln!(
            text,
            "{number:>2}  {stage}  {}",
            self.dim(&plain(&step.asked))
        );
        let style = if step.is_end {
            AnsiColor::Yellow.on_default().bold()
        } else {
            Style::new().bold()
        };
        let indent = STAGE + 6;
        let _ = writeln!(
            text,
            "{:indent$}{}",
            "",
            self.paint(&plain(&step.outcome), style)
        );
        self.authors(&step.origins, indent + 2, text);
        for note in &step.notes {
            let _ = writeln!(text, "{:indent$}- {}", "", plain(&note.text));
            self.authors(&note.origins, indent + 4, text);
        }
    }

    /// Who made something so, and where that stands.
    fn authors(&self, origins: &[Origin], indent: usize, text: &mut String) {
        for origin in origins.iter().take(NAMED) {
            let place = match self.positions.locate(origin) {
                Some(it) => format!("  {}:{}:{}", it.file, it.line, it.column),
                None => String::new(),
            };
            let line = plain(&format!("{origin}{place}"));
            let _ = writeln!(text, "{:indent$}{}", "", self.dim(&line));
        }
        if let Some(more) = origins.len().checked_sub(NAMED + 1) {
            let line = format!("and {} more", more + 1);
            let _ = writeln!(text, "{:indent$}{}", "", self.dim(&line));
        }
    }

    /// What comes of it.
    fn end(&self, decision: &Decision, text: &mut String) {
        let colour = match &decision.end {
            End::Backend { .. } | End::Passthrough { .. } => AnsiColor::Green,
            End::Redirect { .. } => AnsiColor::Yellow,
            End::Status { .. } | End::Closed => AnsiColor::Red,
        };
        let line = match &decision.end {
            End::Backend { name, .. } => format!("backend {name}"),
            End::Passthrough { name, .. } => format!("backend {name}, the connection as it is"),
            End::Redirect { status, location } => format!("{status} {location}"),
            End::Status { status } => format!("{status}"),
            End::Closed => "the connection is closed".into(),
        };
        let line = self.paint(&plain(&format!("=> {line}")), colour.on_default().bold());
        let _ = writeln!(text, "\n{line}");
        servers(decision.end.servers(), text);
        if let Some(path) = &decision.path {
            row("path", path, text);
        }
        for (title, changes) in [
            ("request", &decision.request_headers),
            ("response", &decision.response_headers),
        ] {
            let mut title = title;
            for it in changes {
                row(title, &change(it), text);
                title = "";
            }
        }
    }
}

/// The servers with their chances, in columns.
fn servers(servers: &[Target], text: &mut String) {
    let width = |of: fn(&Target) -> &str| {
        let widths = servers.iter().map(|it| of(it).chars().count());
        widths.max().unwrap_or_default()
    };
    let (names, addresses) = (width(|it| &it.name), width(|it| &it.address));
    let mut title = if servers.len() == 1 {
        "server"
    } else {
        "servers"
    };
    for it in servers {
        let percent = it.chance * 100.0;
        let line = format!(
            "{:<names$}  {:<addresses$}  {percent:>5.1} %",
            it.name, it.address
        );
        row(title, &line, text);
        title = "";
    }
}

fn row(title: &str, value: &str, text: &mut String) {
    let _ = writeln!(text, "   {title:<10}{}", plain(value));
}

fn change(change: &HeaderChange) -> String {
    let HeaderChange {
        action,
        name,
        value,
        ..
    } = change;
    let value = value.as_deref().unwrap_or_default();
    match action {
        HeaderAction::Set => format!("{name}: {value}"),
        HeaderAction::Add => format!("{name}: {value}  (added)"),
        HeaderAction::Delete => format!("{name}  (taken out)"),
        HeaderAction::DeleteMatching => format!("all that match {name}  (taken out)"),
    }
}

/// The name of a stage.
fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Frontend => "frontend",
        Stage::Passthrough => "passthrough",
        Stage::Host => "host",
        Stage::Path => "path",
        Stage::Redirect => "redirect",
        Stage::ClientCertificate => "certificate",
        Stage::Limit => "limit",
        Stage::Access => "access",
        Stage::Cors => "cors",
        Stage::Authentication => "password",
        Stage::ExternalAuth => "external auth",
        Stage::BodySize => "body size",
        Stage::Firewall => "firewall",
        Stage::RequestHeaders | Stage::ResponseHeaders => "headers",
        Stage::Snippet => "snippet",
        Stage::Rewrite => "rewrite",
        Stage::Backend => "backend",
        Stage::Server => "server",
    }
}

/// A text in which nothing commands the terminal.
fn plain(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        if it.is_control() {
            escaped.extend(it.escape_default());
        } else {
            escaped.push(it);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_reaches_the_terminal_as_a_command() {
        assert_eq!(plain("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
    }
}
