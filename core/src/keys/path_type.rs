//! How paths are compared, and in which order kinds of paths are looked up.

use crate::diagnostic::codes;
use crate::haproxy::{Config, PathMatch, PathTypeOrder};
use crate::keys::{Cx, Family, block, keys};
use crate::origin::Origin;
use crate::value::tried::Tried;
use crate::value::{KeyValue, Shape, ValueError, choice, pattern};

/// How paths are compared. Ingest reads the kind of a path itself, because two paths of different
/// kinds are two entries and not one.
pub const FAMILY: Family = Family {
    name: "path-type",
    title: "Path types",
    blocks: &[block!(Global, PathOrder), block!(PathType)],
};

choice! {
    /// How a path is compared.
    pub enum PathKind {
        /// Text from the front, in any case.
        Begin = "begin",
        /// The whole path.
        Exact = "exact",
        /// Whole elements from the front.
        Prefix = "prefix",
        /// A regular expression, anchored at the front.
        Regex = "regex",
    }
}

keys! {
    Global => pub struct PathOrder {
        /// The order in which kinds of paths are looked up: all four, joined by commas.
        ///
        /// Exact paths are always looked up first, wherever the word stands, and of a `prefix` and a
        /// `begin` that both fit the longer one wins. The order is that of one host: all kinds of paths
        /// of the host that a request names come before those of a wildcard that covers it, and these
        /// before the hosts of `server-alias-regex` and the one without a name.
        "path-type-order" => order: PathTypeOrder = "exact,prefix,begin,regex",
    }
}

keys! {
    Path => pub struct PathType {
        /// How a path is compared whose `pathType` is `ImplementationSpecific` or absent.
        ///
        /// - `begin`: text from the front in any case; `/app` is also the beginning of `/apple`
        /// - `exact`: the whole path
        /// - `prefix`: whole elements from the front; `/app` is a prefix of `/app/x`, not of `/apple`
        /// - `regex`: a regular expression, anchored at the front
        ///
        /// With another word the path is `begin`, the widest, and its requests are denied: whom it should
        /// have let in is not known, and as another path they could go around its protection.
        "path-type" => kind: Tried<PathKind> = "begin",
    }
}

impl PathOrder {
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        config.route.order = self.order.value.clone();
    }
}

impl PathType {
    /// How the path is compared, and who wants it otherwise in a word that is none, which is reported.
    pub(crate) fn path_match(&self, cx: &mut Cx<'_>) -> (PathMatch, Option<Origin>) {
        match &self.kind.value.0 {
            Ok(kind) => ((*kind).into(), None),
            Err(error) => {
                let code = &codes::INVALID_PROTECTION;
                let outcome = "the paths are compared as `begin`, and their requests are denied";
                cx.report_item(code, "path-type", &self.kind, error, outcome);
                (PathMatch::Begin, Some(self.kind.origin.clone()))
            }
        }
    }
}

impl From<PathKind> for PathMatch {
    fn from(kind: PathKind) -> Self {
        match kind {
            PathKind::Begin => Self::Begin,
            PathKind::Exact => Self::Exact,
            PathKind::Prefix => Self::Prefix,
            PathKind::Regex => Self::Regex,
        }
    }
}

impl KeyValue for PathTypeOrder {
    const SHAPE: Shape = Shape::Text {
        grammar: "exact, prefix, begin and regex in some order, joined by commas",
    };

    fn pattern() -> Option<String> {
        let kinds: Vec<String> = ["exact", "prefix", "begin", "regex"]
            .map(pattern::word)
            .into();
        let kind = format!(r"(?:{})", kinds.join("|"));
        Some(pattern::trimmed(&format!(r"{kind}(?:\s*,\s*{kind}){{3}}")))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let kinds: Option<Vec<PathMatch>> = text
            .split(',')
            .map(|it| PathKind::parse(it).ok().map(Into::into))
            .collect();
        kinds
            .and_then(|it| <[PathMatch; 4]>::try_from(it).ok())
            .filter(|kinds| (1..kinds.len()).all(|it| !kinds[..it].contains(&kinds[it])))
            .map(Self)
            .ok_or_else(|| {
                ValueError::new(
                    "`exact`, `prefix`, `begin` and `regex`, each once, joined by commas",
                    text,
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_names_each_kind_once() {
        let order = PathTypeOrder::parse("exact,prefix,begin,regex");
        assert_eq!(order, Ok(PathTypeOrder::default()));
        let order = PathTypeOrder::parse("regex, Exact, begin, prefix").expect("all four");
        assert_eq!(order.0[0], PathMatch::Regex);
        for bad in [
            "",
            "exact",
            "exact,exact,begin,regex",
            "exact,prefix,begin,regex,exact",
        ] {
            assert!(PathTypeOrder::parse(bad).is_err(), "{bad}");
        }
    }
}
