//! Rewriting of the path before a server sees it.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Path, PathMatch, Phase, Rule};
use crate::keys::{Cx, Family, block, keys};
use crate::value::KeyValue;
use crate::value::regex::Regex;
use crate::value::rewrite::RewriteTarget;
use crate::value::text::{Format, Line};

/// Rewriting of the path before a server sees it.
pub const FAMILY: Family = Family {
    name: "rewrite-target",
    title: "Rewriting the path",
    blocks: &[block!(OnePath, Rewrite)],
};

keys! {
    Path => pub struct Rewrite {
        /// What takes the place of the path in the request that the server gets.
        ///
        /// The matched part is replaced, what follows it stays: with the path `/shop` and the target
        /// `/v1`, a request for `/shop/cart` reaches the server as `/v1/cart`. The query stays as it
        /// is. A path that is a regular expression is replaced whole; `\1` to `\9` in the target stand
        /// for what its groups matched. A path of the type `begin` is found and replaced in any case.
        "rewrite-target" => target: RewriteTarget,
    }
}

impl Rewrite {
    fn apply(&self, path: &mut Path, backend: &mut Backend, cx: &mut Cx<'_>) {
        let Some(target) = &self.target else {
            return;
        };
        let (pattern, replacement) = if path.matching == PathMatch::Regex {
            let Ok(pattern) = Regex::parse(&path.path) else {
                cx.report(
                    &codes::INVALID_PATH,
                    &path.origin,
                    format!("`{}` is no regular expression to rewrite by", path.path),
                    "the path is not rewritten",
                );
                return;
            };
            (format!("^{pattern}"), target.value.with_references())
        } else {
            from_front(path, &target.value)
        };
        let line = Line::keyword("http-request replace-path")
            .text(&pattern)
            .format(&Format::literal(&replacement));
        backend.add(path.number, Rule::new(Phase::Rewrite, line), &target.origin);
    }
}

/// The expression and the replacement for a path that is compared from its front.
fn from_front(path: &Path, target: &RewriteTarget) -> (String, String) {
    let text = &*path.path;
    let ends_in_slash = text.ends_with('/');
    // `/app` may be asked for without the slash of `/app/`: a prefix ends at an element.
    let (front, is_slash_optional) = match text.strip_suffix('/') {
        Some(front) if path.matching == PathMatch::Prefix && !front.is_empty() => (front, true),
        _ => (text, !ends_in_slash && target.as_str() == "/"),
    };
    let front = match path.matching {
        PathMatch::Begin => in_any_case(front),
        _ => Regex::quoted(front),
    };
    let slash = if is_slash_optional { "/?" } else { "" };
    let mut replacement = target.literal();
    if ends_in_slash && !replacement.ends_with('/') {
        replacement.push('/');
    }
    (format!("^{front}{slash}(.*)$"), format!(r"{replacement}\1"))
}

/// An expression that matches a text in upper and lower case. HAProxy has no flag for this here, and
/// not each of its engines knows `(?i)`.
fn in_any_case(text: &str) -> String {
    let mut expression = String::with_capacity(text.len() * 4);
    for c in text.chars() {
        if c.is_ascii_alphabetic() {
            let (lower, upper) = (c.to_ascii_lowercase(), c.to_ascii_uppercase());
            expression.extend(['[', lower, upper, ']']);
        } else {
            expression.push_str(&Regex::quoted(c.encode_utf8(&mut [0; 4])));
        }
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Origin;

    fn rules(matching: PathMatch, path: &str, target: &str) -> (String, String) {
        let path = Path {
            path: path.into(),
            matching,
            ..Path::of_all(0, 1, &Origin::Engine("test"))
        };
        from_front(&path, &RewriteTarget::parse(target).expect("a target"))
    }

    #[test]
    fn the_matched_part_is_replaced() {
        for (matching, path, target, pattern, replacement) in [
            (PathMatch::Exact, "/abc", "/", r"^/abc/?(.*)$", r"/\1"),
            (PathMatch::Prefix, "/abc", "/", r"^/abc/?(.*)$", r"/\1"),
            (PathMatch::Prefix, "/abc", "/y", r"^/abc(.*)$", r"/y\1"),
            (
                PathMatch::Prefix,
                "/abc/",
                "/v1",
                r"^/abc/?(.*)$",
                r"/v1/\1",
            ),
            (PathMatch::Prefix, "/abc", "/v1/", r"^/abc(.*)$", r"/v1/\1"),
            (PathMatch::Prefix, "/", "/v1", r"^/(.*)$", r"/v1/\1"),
            (PathMatch::Prefix, "/a.c", "/", r"^/a\.c/?(.*)$", r"/\1"),
            (PathMatch::Exact, "/a/", r"/\1%", r"^/a/(.*)$", r"/\\1%/\1"),
            (PathMatch::Begin, "/aB1", "/", r"^/[aA][bB]1/?(.*)$", r"/\1"),
            (PathMatch::Begin, "/a/", "/b", r"^/[aA]/(.*)$", r"/b/\1"),
        ] {
            assert_eq!(
                rules(matching, path, target),
                (pattern.into(), replacement.into()),
                "{path} {target}"
            );
        }
    }
}
