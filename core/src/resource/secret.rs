//! Secret, `v1`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::resource::Meta;

/// Certificates, keys and passwords.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Secret {
    #[serde(rename = "metadata")]
    #[expect(missing_docs, reason = "the same in every kind")]
    pub meta: Meta,
    /// Such as `kubernetes.io/tls`.
    #[serde(rename = "type")]
    pub kind: Option<Arc<str>>,
    /// Contents by name, decoded.
    #[serde(deserialize_with = "entries", serialize_with = "revealed")]
    pub data: BTreeMap<Arc<str>, SecretData>,
    /// Contents by name as plain text, in manifests only. It wins over `data`, as in the API.
    #[serde(
        deserialize_with = "texts",
        serialize_with = "revealed_texts",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub string_data: BTreeMap<Arc<str>, SecretData>,
}

/// Bytes that never reach a log, a diagnostic or a debug print.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct SecretData(Arc<[u8]>);

impl Secret {
    /// The names of all contents that are read; whoever fetches Secrets may leave out others.
    pub const ENTRIES: [&str; 6] = [
        "auth",
        "ca.crl",
        "ca.crt",
        "dhparam.pem",
        "tls.crt",
        "tls.key",
    ];

    /// One content by name.
    pub fn get(&self, name: &str) -> Option<&SecretData> {
        debug_assert!(Self::ENTRIES.contains(&name), "`{name}` may not be there");
        self.string_data.get(name).or_else(|| self.data.get(name))
    }
}

impl SecretData {
    /// Wraps bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for those that must have them.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretData({} bytes)", self.0.len())
    }
}

impl<'de> Deserialize<'de> for SecretData {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        // YAML folds long lines; the API accepts neither, but a manifest on disk may have them.
        let compact: String = text
            .chars()
            .filter(|it| !it.is_ascii_whitespace())
            .collect();
        STANDARD
            .decode(compact)
            .map(Self::new)
            .map_err(|error| serde::de::Error::custom(format!("not base64: {error}")))
    }
}

/// All contents, as the API has them. Only [`Object::encode`](super::Object::encode) asks for this.
fn revealed<S: serde::Serializer>(
    data: &BTreeMap<Arc<str>, SecretData>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(
        data.iter()
            .map(|(name, it)| (name, STANDARD.encode(it.reveal()))),
    )
}

/// The same of plain texts.
fn revealed_texts<S: serde::Serializer>(
    texts: &BTreeMap<Arc<str>, SecretData>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let text = |it: &SecretData| String::from_utf8_lossy(it.reveal()).into_owned();
    serializer.collect_map(texts.iter().map(|(name, it)| (name, text(it))))
}

/// `data`, for which the API may also say `null`, as may each entry.
fn entries<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Arc<str>, SecretData>, D::Error> {
    let map: Option<BTreeMap<Arc<str>, Option<SecretData>>> = Option::deserialize(deserializer)?;
    let pairs = map.unwrap_or_default();
    Ok(pairs
        .into_iter()
        .map(|(name, data)| (name, data.unwrap_or_default()))
        .collect())
}

fn texts<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Arc<str>, SecretData>, D::Error> {
    let map: Option<BTreeMap<Arc<str>, String>> = Option::deserialize(deserializer)?;
    let pairs = map.unwrap_or_default();
    Ok(pairs
        .into_iter()
        .map(|(name, text)| (name, SecretData::new(text.into_bytes())))
        .collect())
}
