//! Namespace, `v1`.

use serde::Deserialize;

use crate::resource::Meta;

/// A space for names; one that is being deleted no longer counts.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub struct Namespace {
    #[serde(rename = "metadata")]
    #[expect(missing_docs, reason = "the same in every kind")]
    pub meta: Meta,
}
