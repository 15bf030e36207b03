//! Pod, `v1`.

use serde::{Deserialize, Serialize};

use crate::resource::Meta;

/// What runs behind an endpoint. Only its labels are read.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Pod {
    #[serde(rename = "metadata")]
    #[expect(missing_docs, reason = "the same in every kind")]
    pub meta: Meta,
}
