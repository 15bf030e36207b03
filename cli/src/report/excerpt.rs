//! A diagnostic with the line that it is about, as compilers show it.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin as Path, Renderer, Snippet};
use haproxy_ingress_core::diagnostic::{Diagnostic, Severity};
use haproxy_ingress_core::manifest::{Place, Positions};
use haproxy_ingress_core::origin::{Field, Origin};

use crate::report::{is_secret, named, place};

/// The longest line that is shown, in bytes. A whole text may be one, as of JSON, and the renderer goes
/// through all that it is given, for each diagnostic.
const LONGEST_LINE: usize = 1_000;

/// How much is shown of what a longer one says, in bytes.
const LONGEST_WORDS: usize = 100;

/// Renders diagnostics about some texts.
pub(super) struct Excerpts<'p> {
    positions: &'p Positions,
    renderer: Renderer,
}

impl<'p> Excerpts<'p> {
    pub(super) fn new(positions: &'p Positions, colourful: bool) -> Self {
        let renderer = if colourful {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        Self {
            positions,
            renderer: renderer.decor_style(DecorStyle::Ascii),
        }
    }

    /// One diagnostic, without a line end behind it.
    pub(super) fn render(&self, diagnostic: &Diagnostic) -> String {
        let level = match diagnostic.severity() {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Notice => Level::NOTE.with_name("notice"),
        };
        let title = level
            .primary_title(&*diagnostic.message)
            .id(diagnostic.code.name);
        let place = place(diagnostic, self.positions);
        let mut group = match &place {
            Some(place) => title.elements(self.source(diagnostic, place)),
            None => title.element(Path::path(diagnostic.origin.to_string())),
        };
        // Where the line is shown, the object's name may be far above it.
        if let (Some(_), Some(object)) = (&place, diagnostic.origin.object()) {
            let text = match diagnostic.origin.field() {
                Some(Field::Object) | None => object.to_string(),
                Some(field) => format!("{object}, {field}"),
            };
            group = group.element(Level::NOTE.no_name().message(format!("in {text}")));
        }
        group = group.element(Level::NOTE.no_name().message(&*diagnostic.outcome));
        for origin in &diagnostic.related {
            let text = format!("see also {}", named(origin, self.positions));
            group = group.element(Level::NOTE.no_name().message(text));
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(&**help));
        }
        let groups: [Group<'_>; 1] = [group];
        self.renderer.render(&groups)
    }

    /// The line with a mark below it; of Secrets only where it is.
    fn source(&self, diagnostic: &Diagnostic, place: &Place) -> Vec<Element<'_>> {
        let text = self
            .positions
            .text(&place.file)
            .filter(|text| match &diagnostic.origin {
                Origin::Text(_) => !is_in_secret(text, place.span.start),
                origin => !is_secret(origin),
            });
        let line_number = place.line as usize;
        let path = Path::path(place.file.to_string())
            .line(line_number)
            .char_column(place.column as usize);
        let Some(text) = text else {
            return vec![path.into()];
        };
        // Only the line itself: the renderer goes through all of a source.
        let start = text[..place.span.start].rfind('\n').map_or(0, |it| it + 1);
        let end = text.ceil_char_boundary(start + LONGEST_LINE + 1);
        let rest = &text[start..end];
        let line = rest.split(['\n', '\r']).next().unwrap_or_default();
        if line.len() > LONGEST_LINE || start + line.len() < place.span.start {
            let end = place.span.end.min(place.span.start + LONGEST_WORDS);
            let end = text.floor_char_boundary(end);
            let words = text[place.span.start..end].escape_debug();
            let more = if end < place.span.end { "…" } else { "" };
            let words = format!("found `{words}{more}`, in a line too long to be shown");
            return vec![path.into(), Level::NOTE.no_name().message(words).into()];
        }
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        let start = start + (rest.len() - rest.trim_start_matches('\u{feff}').len());
        let from = place.span.start.saturating_sub(start).min(line.len());
        let to = place.span.end.saturating_sub(start).clamp(from, line.len());
        let snippet = Snippet::source(line)
            .path(place.file.to_string())
            .line_start(line_number)
            .annotation(AnnotationKind::Primary.span(from..to));
        vec![snippet.into()]
    }
}

/// Whether a document that could not be read, around a byte of a text, seems to be a Secret.
fn is_in_secret(text: &str, offset: usize) -> bool {
    let (before, behind) = text.split_at(offset);
    let start = before.rfind("\n---").unwrap_or(0);
    let end = behind.find("\n---").map_or(text.len(), |it| offset + it);
    let signs = text[start..end]
        .chars()
        .filter(|it| !it.is_whitespace() && !matches!(it, '"' | '\''));
    signs.collect::<String>().contains("kind:Secret")
}

#[cfg(test)]
mod tests {
    use super::*;
    use haproxy_ingress_core::diagnostic::codes;
    use haproxy_ingress_core::manifest::{self, Manifests};
    use haproxy_ingress_core::origin::ObjectRef;
    use haproxy_ingress_core::resource::Kind;

    fn read(text: &str) -> Manifests {
        manifest::read(&[("shop.yaml".into(), text.into())])
    }

    #[test]
    fn a_finding_shows_its_line_and_what_happened() {
        let read = read(
            "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations:
    haproxy-ingress.github.io/cors-max-age: \"1 day\"  # ä
",
        );
        let ingress = ObjectRef::new(Kind::Ingress, "default", "web");
        let name = "haproxy-ingress.github.io/cors-max-age";
        let origin = Origin::Object(ingress.into(), Field::Annotation(name.into()));
        let diagnostic = Diagnostic::new(
            &codes::INVALID_VALUE,
            origin.clone(),
            "expected a number of seconds, found `1 day`",
            "the default, `86400`, is used",
        )
        .help("write `86400` for one day")
        .related(origin);
        assert_eq!(
            Excerpts::new(&read.positions, false).render(&diagnostic),
            r#"warning[invalid-value]: expected a number of seconds, found `1 day`
 --> shop.yaml:6:45
  |
6 |     haproxy-ingress.github.io/cors-max-age: "1 day"  # ä
  |                                             ^^^^^^^
  |
  = in Ingress default/web, metadata.annotations["haproxy-ingress.github.io/cors-max-age"]
  = the default, `86400`, is used
  = see also Ingress default/web metadata.annotations["haproxy-ingress.github.io/cors-max-age"] (shop.yaml:6:45)
  = help: write `86400` for one day"#
        );
        let coloured = Excerpts::new(&read.positions, true).render(&diagnostic);
        assert!(coloured.contains('\u{1b}'), "{coloured}");
    }

    #[test]
    fn of_a_long_line_only_the_words_are_shown_that_are_meant() {
        let before = "ä".repeat(1_000);
        let read = read(&format!("a: [{before}, b: [\u{7}{before}\n"));
        let shown = Excerpts::new(&read.positions, false).render(&read.diagnostics[0]);
        assert_eq!(
            shown,
            r"error[invalid-yaml]: unexpected character: `\u{7}'
--> shop.yaml:1:1011
 = found `\u{7}`, in a line too long to be shown
 = this document is skipped"
        );
    }

    #[test]
    fn what_is_in_a_secret_is_not_shown() {
        let read =
            read("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {pin: 73155}\n");
        let shown = Excerpts::new(&read.positions, false).render(&read.diagnostics[0]);
        assert!(shown.contains("shop.yaml:4:19"), "{shown}");
        assert!(!shown.contains("73155"), "{shown}");

        let broken = self::read("a: 1\n---\nstringData: {pin: 73155]\nkind: 'Secret'\n---\nb: 2\n");
        let shown = Excerpts::new(&broken.positions, false).render(&broken.diagnostics[0]);
        assert!(shown.contains("invalid-yaml"), "{shown}");
        assert!(!shown.contains("73155"), "{shown}");
    }

    #[test]
    fn nothing_in_a_text_reaches_the_terminal_as_a_command() {
        let read = read("a: [\u{1b}[31mred\u{7}\n");
        let shown = Excerpts::new(&read.positions, false).render(&read.diagnostics[0]);
        assert!(!shown.contains(['\u{1b}', '\u{7}']), "{shown:?}");
    }
}
