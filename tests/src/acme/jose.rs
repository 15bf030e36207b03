//! Signed requests (RFC 7515), as far as accounts of an authority need them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;

/// A public key on the curve P-256.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Key {
    x: String,
    y: String,
}

/// A request.
pub(super) struct Jws {
    /// The address that it was signed for.
    pub(super) url: String,
    pub(super) nonce: String,
    /// The key, where there is no account yet.
    pub(super) key: Option<Key>,
    /// The account.
    pub(super) account: Option<String>,
    /// What is asked; null where there is nothing to say.
    pub(super) payload: Value,
    signed: String,
    signature: Vec<u8>,
}

impl Key {
    /// The thumbprint (RFC 7638).
    pub(super) fn thumbprint(&self) -> String {
        let text = format!(
            r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
            self.x, self.y
        );
        URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
    }
}

impl Jws {
    /// Reads the body of a request.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body).map_err(|it| it.to_string())?;
        let part = |name: &str| {
            let text = body[name].as_str();
            text.ok_or_else(|| format!("`{name}` is missing"))
        };
        let (protected, payload) = (part("protected")?, part("payload")?);
        let header: Value =
            serde_json::from_slice(&decoded(protected)?).map_err(|it| it.to_string())?;
        if header["alg"] != "ES256" {
            return Err(format!("algorithm {} is not known", header["alg"]));
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = match &header["jwk"] {
            Value::Null => None,
            jwk if jwk["kty"] == "EC" && jwk["crv"] == "P-256" => Some(Key {
                x: text(&jwk["x"]),
                y: text(&jwk["y"]),
            }),
            other => return Err(format!("key {other} is not known")),
        };
        let content = decoded(payload)?;
        Ok(Self {
            url: text(&header["url"]),
            nonce: text(&header["nonce"]),
            key,
            account: header["kid"].as_str().map(Into::into),
            payload: match content.as_slice() {
                [] => Value::Null,
                content => serde_json::from_slice(content).map_err(|it| it.to_string())?,
            },
            signed: format!("{protected}.{payload}"),
            signature: decoded(part("signature")?)?,
        })
    }

    /// Whether a key signed it.
    pub(super) fn verify(&self, key: &Key) -> Result<(), String> {
        let mut point = vec![4];
        point.extend(decoded(&key.x)?);
        point.extend(decoded(&key.y)?);
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        let verified = key.verify(self.signed.as_bytes(), &self.signature);
        verified.map_err(|_| "the signature is not of this key".into())
    }
}

/// The bytes of a text in base64 as this protocol writes it.
pub(super) fn decoded(text: &str) -> Result<Vec<u8>, String> {
    let decoded = URL_SAFE_NO_PAD.decode(text);
    decoded.map_err(|it| format!("not base64: {it}"))
}
