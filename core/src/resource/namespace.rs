//! Namespace, `v1`.

use serde::{Deserialize, Serialize};

use crate::resource::Meta;

/// A space for names; one that is being deleted no longer counts.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Namespace {
    #[serde(rename = "metadata")]
    #[expect(missing_docs, reason = "the same in every kind")]
    pub meta: Meta,
}
