//! What a request got, and what of it is not as expected.

use std::fmt;
use std::time::Duration;

use crate::expectations::document::Wanted;
use crate::explain::expectation::is_backend;

/// What a request got.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// The status, if there was an answer.
    pub(super) status: Option<u16>,
    /// The backend, if a server got the request.
    pub(super) backend: Option<String>,
    /// The path with its query as the server got it.
    pub(super) path: Option<String>,
    /// The header `Location` of a redirect.
    pub(super) redirect: Option<String>,
    /// Headers of the response. A value that is known only when it happens is absent.
    pub(super) headers: Vec<(String, Option<String>)>,
    /// What was not simulated.
    pub(super) notes: Vec<String>,
    /// How long it took.
    pub(super) took: Duration,
}

/// Something that is not as expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Mismatch {
    what: String,
    expected: String,
    found: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            expected,
            found,
        } = self;
        write!(f, "{what}: expected {expected}, found {found}")
    }
}

/// What is not as expected.
pub(super) fn mismatches(wanted: &Wanted, found: &Found) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    let mut compare = |what: &str, expected: Option<String>, found: Option<String>| {
        if let Some(expected) = expected.filter(|it| Some(it) != found.as_ref()) {
            mismatches.push(Mismatch {
                what: what.into(),
                expected: format!("`{expected}`"),
                found: found.map_or("none".into(), |it| format!("`{it}`")),
            });
        }
    };
    let number = |it: Option<u16>| it.map(|it| it.to_string());
    compare("status", number(wanted.status), number(found.status));
    // A Service that is meant is the backend that is found.
    let is_meant = |meant: &String| {
        let found = found.backend.as_deref();
        found.is_some_and(|it| is_backend(it, meant))
    };
    let backend = wanted.backend.clone().filter(|it| !is_meant(it));
    compare("backend", backend, found.backend.clone());
    compare("path", wanted.path.clone(), found.path.clone());
    compare("redirect", wanted.redirect.clone(), found.redirect.clone());
    for (name, expected) in &wanted.headers {
        let same = |it: &&(String, Option<String>)| it.0.eq_ignore_ascii_case(name);
        let values: Vec<&Option<String>> =
            found.headers.iter().filter(same).map(|it| &it.1).collect();
        let is_right = match expected {
            None => values.is_empty(),
            Some(_) => values.contains(&expected),
        };
        if !is_right {
            let shown = |it: &Option<String>| match it {
                Some(it) => format!("`{it}`"),
                None => "a value that only a real HAProxy knows".into(),
            };
            let values: Vec<String> = values.into_iter().map(shown).collect();
            mismatches.push(Mismatch {
                what: format!("header {name}"),
                expected: expected
                    .as_ref()
                    .map_or("none".into(), |it| format!("`{it}`")),
                found: if values.is_empty() {
                    "none".into()
                } else {
                    values.join(" and ")
                },
            });
        }
    }
    mismatches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_may_be_anything() {
        let found = Found {
            status: Some(200),
            backend: Some("shop_web_8080".into()),
            headers: vec![
                ("X-A".into(), Some("1".into())),
                ("x-a".into(), Some("2".into())),
            ],
            ..Found::default()
        };
        assert_eq!(mismatches(&Wanted::default(), &found), []);
        let wanted = |backend: &str| Wanted {
            backend: Some(backend.into()),
            ..Wanted::default()
        };
        for meant in ["shop_web_8080", "shop/web"] {
            assert_eq!(mismatches(&wanted(meant), &found), []);
        }
        assert_eq!(mismatches(&wanted("shop/we"), &found).len(), 1);
        let wanted = Wanted {
            status: Some(404),
            redirect: Some("/x".into()),
            headers: [
                ("x-A".to_owned(), Some("2".to_owned())),
                ("X-B".to_owned(), None),
                ("X-C".to_owned(), Some("3".to_owned())),
            ]
            .into(),
            ..Wanted::default()
        };
        let shown: Vec<String> = mismatches(&wanted, &found)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            shown,
            [
                "status: expected `404`, found `200`",
                "redirect: expected `/x`, found none",
                "header X-C: expected `3`, found none",
            ]
        );
    }
}
