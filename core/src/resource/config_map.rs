//! ConfigMap, `v1`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::resource::{Meta, map_or_null};

/// Texts by name.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct ConfigMap {
    #[serde(rename = "metadata")]
    #[expect(missing_docs, reason = "the same in every kind")]
    pub meta: Meta,
    /// The texts.
    #[serde(deserialize_with = "map_or_null")]
    pub data: BTreeMap<Arc<str>, Arc<str>>,
}
