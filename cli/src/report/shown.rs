//! A configuration as it may be shown to whoever may see the names of all tenants: without secrets.
//!
//! HAProxy reads passwords and keys in clear text, and what users write in their own words, such as headers
//! and snippets, may hold any. Private keys have files of their own, which are shown by nobody. The number of
//! lines stays, so that what is known of a line still goes for it.

use std::borrow::Cow;

use haproxy_ingress_core::bundle::{Bundle, File, Role, Section};
use haproxy_ingress_core::origin::{Field, Kind, Origin};

/// What stands for what is not shown.
pub(crate) const HIDDEN: &str = "(hidden)";

/// Keys whose values are users' own words: all that they make is hidden but for its first words.
const OWN_WORDS: [&str; 3] = ["agent-check-send", "headers", "http-header-match"];

/// Keys whose values are addresses of pages, which may have a token in their query.
const QUERIES: [&str; 4] = ["auth-signin", "auth-url", "health-check-uri", "oauth"];

/// How much of a line may be seen.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Shown {
    /// So many of its words.
    Words(usize),
    /// What stands in front of the first `?`.
    Path,
    All,
}

/// The same without secrets.
pub(crate) fn without_secrets(bundle: &Bundle) -> Bundle {
    let files: Vec<File> = bundle.files.iter().map(file).collect();
    let config = bundle
        .main()
        .zip(files.iter().find(|it| it.role == Role::Config));
    let sections = bundle.sections.iter().map(|section| {
        let is_as_it_was = config.is_some_and(|(was, is)| {
            let lines = |it: &File| lines_of(it, section);
            lines(was) == lines(is)
        });
        Section {
            // Passwords can be guessed by a digest of them.
            digest: if is_as_it_was { section.digest } else { 0 },
            ..section.clone()
        }
    });
    Bundle {
        sections: sections.collect(),
        files,
    }
}

fn lines_of(file: &File, section: &Section) -> Vec<String> {
    let (first, count) = (section.first_line as usize, section.lines as usize);
    let lines = file.content.lines().skip(first.saturating_sub(1));
    lines.take(count).map(Into::into).collect()
}

fn file(file: &File) -> File {
    let is_of_lines = match file.role {
        Role::Config
        | Role::Map
        | Role::Checks
        | Role::RegexMap
        | Role::CertificateList
        | Role::List
        | Role::Agent => true,
        // Private keys are shown by nobody, and the rest is sent to clients or known to everybody.
        Role::Certificate
        | Role::Authorities
        | Role::Revocations
        | Role::DhParameters
        | Role::Response
        | Role::Lua => false,
    };
    if !is_of_lines {
        return file.clone();
    }
    let mut content = String::with_capacity(file.content.len());
    for (number, text) in (1..).zip(file.content.lines()) {
        content.push_str(&line(text, file.source_map.line(number)));
        content.push('\n');
    }
    File {
        content: content.into(),
        ..file.clone()
    }
}

/// A line as it may be shown, by what it says and by who made it.
fn line<'t>(text: &'t str, authors: &[Origin]) -> Cow<'t, str> {
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    let by_words = match *words {
        ["user" | "set-param", ..] | ["stats", "auth", ..] => Shown::Words(2),
        ["dynamic-cookie-key", ..] => Shown::Words(1),
        // `http-header-match`, of which all paths with the same headers are authors.
        ["http-request", action, ..] if action.starts_with("set-var(req.headers") => {
            Shown::Words(2)
        }
        _ => Shown::All,
    };
    let by_authors = authors.iter().map(|it| by_author(it, &words)).min();
    match by_words.min(by_authors.unwrap_or(Shown::All)) {
        Shown::All => text.into(),
        Shown::Path => match text.split_once('?') {
            Some((path, _)) => format!("{path}?{HIDDEN}").into(),
            None => text.into(),
        },
        Shown::Words(count) => {
            let indent = &text[..text.len() - text.trim_start().len()];
            let is_longer = text.split_whitespace().nth(count).is_some();
            if !is_longer {
                return text.into();
            }
            let shown = words[..count.min(words.len())].join(" ");
            format!("{indent}{shown} {HIDDEN}").into()
        }
    }
}

fn by_author(author: &Origin, words: &[&str]) -> Shown {
    let Origin::Object(object, field) = author else {
        return Shown::All;
    };
    let key = match field {
        Field::Annotation(name) => name.rsplit('/').next().unwrap_or(name),
        Field::Data(_) if object.kind == Kind::Secret => return Shown::Words(1),
        Field::Data(name) => name,
        _ => return Shown::All,
    };
    let is_header =
        key == "headers" || key.ends_with("-set-headers") || key.ends_with("-add-headers");
    if is_header && matches!(words, [_, "set-header" | "add-header", _]) {
        // The name of the header tells what is done, its value may be a token.
        Shown::Words(3)
    } else if key.starts_with("config-")
        || is_header
        || OWN_WORDS.iter().any(|it| key.starts_with(it))
    {
        Shown::Words(1)
    } else if QUERIES.contains(&key) {
        Shown::Path
    } else {
        Shown::All
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use haproxy_ingress_core::origin::ObjectRef;

    use super::*;

    fn author(kind: Kind, field: Field) -> Origin {
        Origin::Object(Arc::new(ObjectRef::new(kind, "a", "b")), field)
    }

    fn annotation(key: &str) -> Origin {
        let name = format!("haproxy-ingress.github.io/{key}");
        author(Kind::Ingress, Field::Annotation(name.into()))
    }

    #[test]
    fn what_may_be_a_secret_is_hidden_and_the_rest_is_not() {
        let data = |key: &str| author(Kind::ConfigMap, Field::Data(key.into()));
        let secret = author(Kind::Secret, Field::Data("auth".into()));
        for (text, author, wanted) in [
            (
                "    user joe password x",
                secret.clone(),
                "    user (hidden)",
            ),
            (
                "    user joe insecure-password x",
                annotation("auth-secret"),
                "    user joe (hidden)",
            ),
            (
                "    stats auth a:b",
                data("stats-auth"),
                "    stats auth (hidden)",
            ),
            ("    stats uri /", data("stats-port"), "    stats uri /"),
            (
                "    stats socket /x level admin",
                data("x"),
                "    stats socket /x level admin",
            ),
            (
                "    dynamic-cookie-key k",
                data("cookie-key"),
                "    dynamic-cookie-key (hidden)",
            ),
            (
                "    set-param DB_PASSWORD x",
                data("app"),
                "    set-param DB_PASSWORD (hidden)",
            ),
            (
                "    http-request set-header X-Key abc",
                annotation("request-set-headers"),
                "    http-request set-header X-Key (hidden)",
            ),
            (
                "    acl a hdr(x) -m str y",
                annotation("http-header-match"),
                "    acl (hidden)",
            ),
            (
                "    http-request set-var(req.headers01) bool(true) if { req.hdr(x-key) -m str -- y }",
                annotation("path-type"),
                "    http-request set-var(req.headers01) (hidden)",
            ),
            (
                "    http-request set-header X-Key abc",
                annotation("config-backend"),
                "    http-request (hidden)",
            ),
            ("    maxconn", data("config-global"), "    maxconn"),
            (
                "    http-request set-var(txn.p) str(/check?token=x) if { y }",
                annotation("auth-url"),
                "    http-request set-var(txn.p) str(/check?(hidden)",
            ),
            (
                "    server s1 10.0.0.1:80",
                annotation("auth-url"),
                "    server s1 10.0.0.1:80",
            ),
            (
                "    timeout server 5s",
                annotation("timeout-server"),
                "    timeout server 5s",
            ),
        ] {
            assert_eq!(line(text, &[author]), wanted);
        }
    }

    #[test]
    fn nothing_tells_what_is_hidden_and_lines_keep_their_numbers() {
        let config = "userlist x\n    user joe password y\nbackend z\n    mode http\n";
        let section = |name: &str, first_line| Section {
            name: name.into(),
            first_line,
            lines: 2,
            offset: 0,
            digest: 7,
            frame: 7,
            defaults: None,
        };
        let bundle = Bundle {
            files: vec![File::new("/haproxy.cfg", 0o644, Role::Config, config)],
            sections: vec![section("userlist x", 1), section("backend z", 3)],
        };
        let shown = without_secrets(&bundle);
        let wanted = "userlist x\n    user joe (hidden)\nbackend z\n    mode http\n";
        assert_eq!(shown.config(), wanted);
        let digests: Vec<u64> = shown.sections.iter().map(|it| it.digest).collect();
        assert_eq!(digests, [0, 7]);
    }
}
