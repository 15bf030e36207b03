//! How paths are compared.

use crate::haproxy::PathMatch;
use crate::keys::{Family, block, keys};
use crate::value::choice;

/// How paths are compared.
pub const FAMILY: Family = Family {
    name: "path-type",
    title: "Path types",
    blocks: &[block!(PathType)],
};

choice! {
    /// How a path is compared.
    pub enum Kind {
        /// Text from the front.
        Begin = "begin",
        /// The whole path.
        Exact = "exact",
        /// Whole elements.
        Prefix = "prefix",
        /// A regular expression.
        Regex = "regex",
    }
}

keys! {
    Path => pub struct PathType {
        /// How paths are compared whose `pathType` is `ImplementationSpecific` or absent.
        "path-type" => kind: Kind = "begin",
    }
}

impl PathType {
    /// How such a path is compared.
    pub fn path_match(&self) -> PathMatch {
        match self.kind.value {
            Kind::Begin => PathMatch::Begin,
            Kind::Exact => PathMatch::Exact,
            Kind::Prefix => PathMatch::Prefix,
            Kind::Regex => PathMatch::Regex,
        }
    }
}
