//! Beginnings of paths.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError, pattern};

/// Beginnings of paths, joined by commas; an empty text is the empty list.
///
/// All of them stand in one condition, so there are at most 40. They are compared as text: `/app` is a beginning of `/app/x` and of `/apple` too.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathPrefixes(pub Vec<Arc<str>>);

/// The beginning of a path, by whole elements; not the root.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, path_prefix::PathPrefix};
/// assert_eq!(PathPrefix::parse("/oauth2/")?.as_str(), "/oauth2");
/// assert!(PathPrefix::parse("/").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathPrefix(Arc<str>);

impl PathPrefix {
    /// The path without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyValue for PathPrefix {
    const SHAPE: Shape = Shape::Text { grammar: "a path" };

    fn pattern() -> Option<String> {
        Some(pattern::trimmed("/+[A-Za-z0-9._~-][A-Za-z0-9/._~-]*"))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let path = text.trim().trim_end_matches('/');
        let is_letter = |it: u8| it.is_ascii_alphanumeric() || b"/-._~".contains(&it);
        if !path.starts_with('/') || path.len() > 256 || !path.bytes().all(is_letter) {
            return Err(ValueError::new(
                "a path of letters and digits that is not the root",
                text,
            ));
        }
        Ok(Self(path.into()))
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many fit into one line of a configuration, with what else stands there.
const MAX: usize = 40;

impl KeyValue for PathPrefixes {
    const SHAPE: Shape = Shape::Text {
        grammar: "beginnings of paths joined by commas, or nothing",
    };

    fn pattern() -> Option<String> {
        Some(pattern::items(r"/[^\s,]*"))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let items = || text.split(',').map(str::trim).filter(|it| !it.is_empty());
        if items().count() > MAX {
            return Err(ValueError::new(format!("at most {MAX} paths"), text));
        }
        items()
            .map(|item| {
                let is_path = item.starts_with('/')
                    && !item.chars().any(|it| it.is_whitespace() || it.is_control());
                is_path.then(|| item.into()).ok_or_else(|| {
                    ValueError::new("paths joined by commas, each beginning with `/`", item)
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for PathPrefixes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_read_back_as_they_are_written() {
        for (text, written) in [("", ""), ("/a", "/a"), (" /a , /b/ ,", "/a,/b/")] {
            let prefixes = PathPrefixes::parse(text).expect("prefixes");
            assert_eq!(prefixes.to_string(), written);
            assert_eq!(PathPrefixes::parse(written), Ok(prefixes));
        }
        assert!(PathPrefixes::parse(&"/a,".repeat(41)).is_err());
        for bad in ["a", "/a b", "/a\n/b", "/a,b"] {
            assert!(PathPrefixes::parse(bad).is_err(), "{bad:?}");
        }
    }
}
