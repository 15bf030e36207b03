//! IngressClass, `networking.k8s.io/v1`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::resource::Meta;

/// Which controller serves the Ingresses of a class.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct IngressClass {
    #[serde(rename = "metadata")]
    #[expect(missing_docs, reason = "the same in every kind")]
    pub meta: Meta,
    /// What it says.
    pub spec: IngressClassSpec,
}

/// `spec` of an IngressClass.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct IngressClassSpec {
    /// The controller's name, such as `haproxy-ingress.github.io/controller`.
    pub controller: Arc<str>,
    /// An object with further configuration.
    pub parameters: Option<Parameters>,
}

/// `spec.parameters`: a reference to an object.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Parameters {
    /// The object's API group; absent stands for the core group.
    pub api_group: Option<Arc<str>>,
    /// The object's kind.
    pub kind: Arc<str>,
    /// The object's name.
    pub name: Arc<str>,
    /// `Cluster` or `Namespace`.
    pub scope: Option<Arc<str>>,
    /// The object's namespace, for the scope `Namespace`.
    pub namespace: Option<Arc<str>>,
}
