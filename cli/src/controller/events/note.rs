//! What an Event says.

use haproxy_ingress_core::diagnostic::{Diagnostic, Severity};
use haproxy_ingress_core::origin::{Field, Kind, ObjectRef};

/// The longest text that the API takes, in bytes.
const TEXT: usize = 1024;

/// The longest name that the API takes, without what makes it unique.
const NAME: usize = 253 - 17;

/// Something to tell about an object. Errors come first.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Note {
    severity: Severity,
    object: ObjectRef,
    reason: String,
    text: String,
}

/// The reason of a note about an object that is served again.
const SERVED: &str = "Served";

impl Note {
    /// A finding.
    pub(super) fn of(object: &ObjectRef, finding: &Diagnostic) -> Self {
        let place = match finding.origin.field() {
            None | Some(Field::Object) => String::new(),
            Some(field) => format!("{field}: "),
        };
        let text = if object.kind == Kind::Secret {
            let summary = finding.code.doc.split('.').next().unwrap_or_default();
            format!("{place}{}; {}", summary.trim(), finding.outcome)
        } else {
            let help = finding.help.as_ref();
            let help = help.map_or(String::new(), |it| format!(" (help: {it})"));
            format!("{place}{}; {}{help}", finding.message, finding.outcome)
        };
        Self {
            severity: finding.severity(),
            object: object.clone(),
            reason: camel_case(finding.code.name),
            text: line(&text),
        }
    }

    /// Something that is no finding.
    pub(super) fn new(severity: Severity, object: &ObjectRef, reason: &str, text: &str) -> Self {
        Self {
            severity,
            object: object.clone(),
            reason: reason.into(),
            text: line(text),
        }
    }

    /// That there is more.
    pub(super) fn more(object: &ObjectRef) -> Self {
        Self {
            severity: Severity::Warning,
            object: object.clone(),
            reason: "MoreFindings".into(),
            text: "there is more to find: the controller's log has all of it".into(),
        }
    }

    /// That nothing is left out any more.
    pub(super) fn served(object: &ObjectRef) -> Self {
        Self {
            severity: Severity::Notice,
            object: object.clone(),
            reason: SERVED.into(),
            text: "nothing of it is left out any more".into(),
        }
    }

    /// Whether it says that nothing is left out any more.
    pub(super) fn is_served(&self) -> bool {
        self.reason == SERVED
    }

    pub(super) fn object(&self) -> &ObjectRef {
        &self.object
    }

    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// `Warning` or `Normal`.
    pub(super) fn kind(&self) -> &'static str {
        match self.severity {
            Severity::Error | Severity::Warning => "Warning",
            Severity::Notice => "Normal",
        }
    }

    /// The name of the Event: the object's, and a digest of what is said.
    pub(super) fn name(&self) -> String {
        let name = &*self.object.name;
        let mut end = name.len().min(NAME);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let name = name[..end].trim_end_matches(|it: char| !it.is_ascii_alphanumeric());
        let parts = [
            self.object.kind.name(),
            &self.object.name,
            &self.reason,
            &self.text,
        ];
        let digest = blake3::hash(parts.join("\n").as_bytes()).to_hex();
        format!("{name}.{}", &digest[..16])
    }
}

/// `invalid-value` as `InvalidValue`.
fn camel_case(name: &str) -> String {
    let words = name.split('-').filter(|it| !it.is_empty());
    words
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        })
        .collect()
}

/// A text as one line that is not too long.
fn line(text: &str) -> String {
    let blank = |it: char| if it.is_control() { ' ' } else { it };
    let mut line: String = text.chars().map(blank).collect();
    if line.len() > TEXT {
        let mut end = TEXT - '…'.len_utf8();
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use haproxy_ingress_core::diagnostic::codes;
    use haproxy_ingress_core::origin::Origin;

    use super::*;

    fn note(kind: Kind, name: &str, message: &str) -> Note {
        let object = ObjectRef::new(kind, "shop", name);
        let origin = Origin::Object(Arc::new(object.clone()), Field::Data("auth".into()));
        let finding = Diagnostic::new(&codes::INVALID_VALUE, origin, message, "it is left out");
        Note::of(&object, &finding)
    }

    #[test]
    fn reasons_are_codes_in_camel_case() {
        assert_eq!(note(Kind::Ingress, "web", "").reason(), "InvalidValue");
        for code in codes::ALL {
            let reason = camel_case(code.name);
            let is_word = reason.bytes().all(|it| it.is_ascii_alphanumeric());
            assert!(is_word && reason.len() <= 128, "{reason}");
        }
    }

    #[test]
    fn a_text_is_one_line_of_1024_bytes_at_most() {
        let short = note(Kind::Ingress, "web", "found\n`x`");
        assert_eq!(short.text(), "data[\"auth\"]: found `x`; it is left out");
        let long = note(Kind::Ingress, "web", &"ä".repeat(2000));
        assert!(long.text().len() <= 1024 && long.text().ends_with('…'));
    }

    #[test]
    fn what_was_found_in_a_secret_is_not_told() {
        let note = note(Kind::Secret, "users", "line 1: `tom::secret`");
        assert!(!note.text().contains("tom"), "{}", note.text());
        assert!(note.text().contains("it is left out"));
    }

    #[test]
    fn names_say_what_events_say() {
        let (a, b) = (
            note(Kind::Ingress, "web", "a"),
            note(Kind::Ingress, "web", "b"),
        );
        assert_ne!(a.name(), b.name());
        assert_eq!(a.name(), note(Kind::Ingress, "web", "a").name());
        assert!(a.name().starts_with("web."));
        let long = format!("{}.{}", "a".repeat(235), "b".repeat(17));
        let name = note(Kind::Ingress, &long, "a").name();
        assert!(name.len() <= 253 && !name.contains(".."), "{name}");
    }
}
