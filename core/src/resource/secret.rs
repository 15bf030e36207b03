//! Secret, `v1`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::resource::Meta;
use crate::value::certificate::{Certificate, CertificateError};

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
    #[serde(skip)]
    reading: Reading,
}

/// Bytes that never reach a log, a diagnostic or a debug print.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct SecretData(Arc<[u8]>);

/// What the certificate of a Secret was read as when somebody first asked: each compilation asks again, and
/// to read a thousand certificates takes longer than all else in it. It says nothing that the contents do
/// not say, so it takes no part when Secrets are compared, and a copy has none.
#[derive(Default)]
struct Reading(OnceLock<Box<(Contents, Read)>>);

/// A certificate, or why it is none.
type Read = Result<Arc<Certificate>, CertificateError>;

/// The contents that make a certificate: `tls.crt`, `tls.key` and `ca.crt`.
#[derive(Clone)]
struct Contents {
    chain: SecretData,
    key: SecretData,
    authorities: Option<SecretData>,
}

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

    /// The certificate with its key, read once as long as its contents stay; nothing if one of both is
    /// missing.
    pub fn certificate(&self) -> Option<Result<Arc<Certificate>, CertificateError>> {
        let contents = Contents {
            chain: self.get("tls.crt")?.clone(),
            key: self.get("tls.key")?.clone(),
            authorities: self.get("ca.crt").cloned(),
        };
        let read = |contents: Contents| {
            let certificate = contents.read().map(Arc::new);
            Box::new((contents, certificate))
        };
        let (of, certificate) = &**self.reading.0.get_or_init(|| read(contents.clone()));
        Some(if of.is(&contents) {
            certificate.clone()
        } else {
            // The fields are open to whoever owns the object, and were changed since.
            contents.read().map(Arc::new)
        })
    }
}

impl Contents {
    fn read(&self) -> Result<Certificate, CertificateError> {
        let certificate = Certificate::parse(self.chain.reveal(), self.key.reveal())?;
        match &self.authorities {
            Some(it) => certificate.with_authorities(it.reveal()),
            None => Ok(certificate),
        }
    }

    /// Whether they are the same bytes at the same place.
    fn is(&self, other: &Self) -> bool {
        let is = |one: &SecretData, other: &SecretData| Arc::ptr_eq(&one.0, &other.0);
        let authorities = match (&self.authorities, &other.authorities) {
            (Some(one), Some(other)) => is(one, other),
            (None, None) => true,
            _ => false,
        };
        is(&self.chain, &other.chain) && is(&self.key, &other.key) && authorities
    }
}

impl Clone for Reading {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Reading {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Reading {}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_there = self.0.get().is_some();
        f.debug_tuple("Reading").field(&is_there).finish()
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

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &[u8] = include_bytes!("../value/certificate/ec.crt.pem");
    const KEY: &[u8] = include_bytes!("../value/certificate/ec.key.pem");
    const OTHER: &[u8] = include_bytes!("../value/certificate/rsa.crt.pem");

    fn secret() -> Secret {
        let mut secret = Secret::default();
        secret.data.insert("tls.crt".into(), SecretData::new(CHAIN));
        secret.data.insert("tls.key".into(), SecretData::new(KEY));
        secret
    }

    fn certificate(secret: &Secret) -> Arc<Certificate> {
        let certificate = secret.certificate().expect("both are there");
        certificate.expect("both can be read")
    }

    #[test]
    fn a_certificate_is_read_once() {
        let secret = secret();
        let first = certificate(&secret);
        assert!(Arc::ptr_eq(&first, &certificate(&secret)));
        assert!(Arc::ptr_eq(first.pem(), certificate(&secret).pem()));
        let mut half = secret.clone();
        half.data.remove("tls.key");
        assert!(half.certificate().is_none());
    }

    #[test]
    fn contents_that_change_are_read_again() {
        let mut secret = secret();
        let names = |secret: &Secret| certificate(secret).names().to_vec();
        let before = names(&secret);
        let copy = secret.clone();
        secret.data.insert("tls.crt".into(), SecretData::new(OTHER));
        assert_eq!(names(&secret), ["common.example"]);
        assert_eq!(names(&copy), before);
        let length = certificate(&copy).pem().len();
        let mut copy = copy;
        copy.data.insert("ca.crt".into(), SecretData::new(OTHER));
        assert_eq!(certificate(&copy).pem().len(), length + OTHER.len());
        copy.string_data
            .insert("tls.key".into(), SecretData::new(&b"none"[..]));
        let error = copy
            .certificate()
            .expect("both are there")
            .expect_err("no key");
        assert_eq!(error, CertificateError::NoKey);
    }

    #[test]
    fn what_was_read_makes_no_difference() {
        let (read, unread) = (secret(), secret());
        certificate(&read);
        assert_eq!(read, unread);
        assert!(!format!("{read:?}").contains("PRIVATE"));
    }
}
