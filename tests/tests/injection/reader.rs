//! Reads a bundle back: its lines, each with its place and with who made it.

use std::borrow::Cow;

use haproxy_ingress_core::bundle::{Bundle, File, Role};
use haproxy_ingress_core::keys::{Key, REGISTRY};
use haproxy_ingress_core::origin::{Field, Origin};
use haproxy_ingress_core::value::text::SECTION_NAMES;

use crate::world::{QUIET, QUIET_PORT};

/// One line of a file.
pub(crate) struct Entry<'a> {
    pub(crate) file: &'a File,
    /// The header of its section, in files that have sections; empty in others.
    pub(crate) section: &'a str,
    /// The line without its line feed.
    pub(crate) line: &'a str,
    pub(crate) origins: &'a [Origin],
}

/// Calls a function for each line of each file.
pub(crate) fn each<'a>(bundle: &'a Bundle, mut function: impl FnMut(&Entry<'a>)) {
    for file in &bundle.files {
        let mut section = "";
        let mut origins = file.source_map.lines();
        for line in file.content.split_terminator('\n') {
            if has_sections(file.role) && is_header(line) {
                section = line;
            }
            function(&Entry {
                file,
                section,
                line,
                origins: origins.next().unwrap_or_default(),
            });
        }
    }
}

fn has_sections(role: Role) -> bool {
    role == Role::Config
}

/// Whether HAProxy takes a line for the beginning of a section.
pub(crate) fn is_header(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    SECTION_NAMES.contains(&first)
}

/// The key that an origin is about.
pub(crate) fn key(origin: &Origin) -> Option<&'static Key> {
    let (Field::Annotation(name) | Field::Data(name)) = origin.field()? else {
        return None;
    };
    let name = name.rsplit('/').next().unwrap_or_default();
    REGISTRY.find(name).map(|it| REGISTRY.key(it))
}

/// The namespace of a tenant who made something, by its number.
pub(crate) fn tenant(origin: &Origin) -> Option<&str> {
    let namespace = &*origin.object()?.namespace;
    is_tenant(namespace).then_some(namespace)
}

fn is_tenant(namespace: &str) -> bool {
    let digits = namespace.strip_prefix('t').unwrap_or_default();
    digits.len() == 3 && digits.bytes().all(|it| it.is_ascii_digit())
}

/// The first tenant whose namespace stands in a text as a part of a name.
pub(crate) fn tenant_in(text: &str) -> Option<&str> {
    let parts = text.split(|it: char| !it.is_ascii_alphanumeric());
    parts.into_iter().find(|it| is_tenant(it))
}

/// Whether a section is of a host that is asked who may come: its name is any that somebody wrote, and
/// it serves nobody's requests.
pub(crate) fn is_asked_host(section: &str) -> bool {
    ["backend _auth_http_", "backend _auth_https_"]
        .iter()
        .any(|it| section.starts_with(it))
}

/// The tenant whose section it is, if it is one's.
pub(crate) fn owner(section: &str) -> Option<&str> {
    tenant_in(section).filter(|_| !is_asked_host(section))
}

/// Whether a section is of the tenant who wants nothing special.
pub(crate) fn is_quiet(section: &str) -> bool {
    let is_port = section.ends_with(&format!("_front_tcp_{QUIET_PORT}"));
    (section.contains(QUIET) && !is_asked_host(section)) || is_port
}

/// A text in which every number is 0: tenants, servers and paths differ by numbers.
pub(crate) fn without_numbers(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(u8::is_ascii_digit) {
        return Cow::Borrowed(text);
    }
    let mut short = Vec::with_capacity(text.len());
    let mut in_number = false;
    for byte in text {
        let is_digit = byte.is_ascii_digit();
        if !is_digit {
            short.push(*byte);
        } else if !in_number {
            short.push(b'0');
        }
        in_number = is_digit;
    }
    Cow::Owned(short)
}

/// The same for a text.
pub(crate) fn general(text: &str) -> String {
    String::from_utf8_lossy(&without_numbers(text.as_bytes())).into_owned()
}

/// What a line does: its first word, with the second where that is a verb of its own.
pub(crate) fn shape(words: &[Vec<u8>]) -> String {
    const VERBS: &[&str] = &[
        "http-request",
        "http-response",
        "http-after-response",
        "http-check",
        "tcp-request",
        "tcp-response",
        "tcp-check",
        "option",
        "timeout",
        "stick",
        "stats",
        "no",
        "server",
    ];
    let word = |at: usize| words.get(at).map(|it| String::from_utf8_lossy(it));
    let Some(first) = word(0) else {
        return String::new();
    };
    let mut shape = general(&first);
    if !VERBS.contains(&&*first) || first == "server" {
        return shape;
    }
    let second = word(1).unwrap_or_default();
    shape.push(' ');
    shape.push_str(&general(&second));
    if matches!(&*second, "content" | "connection" | "session") {
        shape.push(' ');
        shape.push_str(&general(&word(2).unwrap_or_default()));
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer;

    #[test]
    fn a_line_is_known_by_what_it_does() {
        for (line, wanted) in [
            ("    timeout server 5s", "timeout server"),
            (
                "    http-request set-var(txn.a) src if { src 10.0.0.1 }",
                "http-request set-var(txn.a)",
            ),
            (
                "    tcp-request content reject",
                "tcp-request content reject",
            ),
            ("    server srv001 10.0.0.1:80", "server"),
        ] {
            let words = lexer::words(line).expect("HAProxy reads it");
            assert_eq!(shape(&words), wanted);
        }
        assert_eq!(general("t012_app_8080"), "t0_app_0");
        assert_eq!(tenant_in("backend t012_app_8080"), Some("t012"));
        assert!(is_header("backend a") && !is_header("    server backend"));
    }
}
