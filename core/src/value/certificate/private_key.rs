//! The public part of a private key, to be compared with a certificate.

use x509_parser::asn1_rs::{Any, Class, FromDer, Oid, Tag};
use x509_parser::oid_registry as oid;
use x509_parser::public_key::PublicKey;

use crate::value::certificate::KeyMatch;

/// The public part of a private key, as far as it carries one.
pub(super) enum PrivateKey<'k> {
    Rsa {
        modulus: &'k [u8],
    },
    Curve {
        point: Option<&'k [u8]>,
    },
    Other {
        algorithm: Oid<'k>,
        public: Option<&'k [u8]>,
    },
    Unknown,
}

impl<'k> PrivateKey<'k> {
    /// Reads a key in the notation of its label: PKCS#1, SEC 1 or PKCS#8.
    pub(super) fn read(label: &str, der: &'k [u8]) -> Option<Self> {
        match label {
            "RSA PRIVATE KEY" => Self::pkcs1(der),
            "EC PRIVATE KEY" => Self::sec1(der),
            "PRIVATE KEY" => Self::pkcs8(der),
            "DSA PRIVATE KEY" => Some(Self::Unknown),
            _ => None,
        }
    }

    /// `RSAPrivateKey` (RFC 8017, A.1.2): version, modulus, …
    fn pkcs1(der: &'k [u8]) -> Option<Self> {
        let parts = parts(der)?;
        let modulus = parts.get(1).filter(|it| it.tag() == Tag::Integer)?;
        Some(Self::Rsa {
            modulus: modulus.data,
        })
    }

    /// `ECPrivateKey` (RFC 5915, section 3): version, key, `[0]` curve, `[1]` point.
    fn sec1(der: &'k [u8]) -> Option<Self> {
        let parts = parts(der)?;
        parts.get(1).filter(|it| it.tag() == Tag::OctetString)?;
        let point = parts.iter().skip(2).find(|it| is_context(it, 1));
        let point = point.and_then(|it| Some(Any::from_der(it.data).ok()?.1));
        Some(Self::Curve {
            point: point.and_then(|it| bits(it.data)),
        })
    }

    /// `OneAsymmetricKey` (RFC 5958, section 2): version, algorithm, key, `[0]` attributes, `[1]` public.
    fn pkcs8(der: &'k [u8]) -> Option<Self> {
        let parts = parts(der)?;
        let algorithm = Any::from_der(parts.get(1)?.data).ok()?.1.oid().ok()?;
        let key = parts.get(2).filter(|it| it.tag() == Tag::OctetString)?.data;
        if algorithm == oid::OID_PKCS1_RSAENCRYPTION {
            return Self::pkcs1(key);
        }
        if algorithm == oid::OID_KEY_TYPE_EC_PUBLIC_KEY {
            return Self::sec1(key);
        }
        let public = parts.iter().skip(3).find(|it| is_context(it, 1));
        Some(Self::Other {
            algorithm,
            public: public.and_then(|it| bits(it.data)),
        })
    }

    pub(super) fn belongs_to(
        &self,
        algorithm: &Oid<'_>,
        key: Option<&PublicKey<'_>>,
        raw: &[u8],
    ) -> KeyMatch {
        let says = |same: bool| {
            if same {
                KeyMatch::Matches
            } else {
                KeyMatch::Differs
            }
        };
        match (self, key) {
            (Self::Rsa { modulus }, Some(PublicKey::RSA(public))) => {
                says(significant(modulus) == significant(public.modulus))
            }
            (Self::Curve { point: Some(point) }, Some(PublicKey::EC(public))) => {
                says(same_point(point, public.data()))
            }
            (
                Self::Other {
                    algorithm: own,
                    public,
                },
                _,
            ) if own == algorithm => public.map_or(KeyMatch::Unknown, |it| says(it == raw)),
            (Self::Unknown, _) | (Self::Curve { point: None }, Some(PublicKey::EC(_))) => {
                KeyMatch::Unknown
            }
            // A key of another kind.
            _ => KeyMatch::Differs,
        }
    }
}

/// The parts of a sequence that fills the text.
fn parts(der: &[u8]) -> Option<Vec<Any<'_>>> {
    let (rest, sequence) = Any::from_der(der).ok()?;
    if sequence.tag() != Tag::Sequence || !rest.is_empty() {
        return None;
    }
    let mut rest = sequence.data;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (behind, part) = Any::from_der(rest).ok()?;
        parts.push(part);
        rest = behind;
    }
    Some(parts)
}

fn is_context(part: &Any<'_>, number: u32) -> bool {
    part.class() == Class::ContextSpecific && part.tag() == Tag(number)
}

/// The content of a bit string without unused bits.
fn bits(data: &[u8]) -> Option<&[u8]> {
    match data {
        [0, bits @ ..] => Some(bits),
        _ => None,
    }
}

/// A whole number without its leading zeroes.
pub(super) fn significant(number: &[u8]) -> &[u8] {
    let zeroes = number.iter().take_while(|&&it| it == 0).count();
    &number[zeroes..]
}

/// Whether two points of a curve are the same, whichever of them is compressed (SEC 1, section 2.3.3).
fn same_point(a: &[u8], b: &[u8]) -> bool {
    match (a, b) {
        ([4, whole @ ..], [sign @ (2 | 3), x @ ..])
        | ([sign @ (2 | 3), x @ ..], [4, whole @ ..]) => {
            let odd = whole.last().is_some_and(|it| it % 2 == 1);
            whole.len() == 2 * x.len() && whole.starts_with(x) && (*sign == 3) == odd
        }
        _ => a == b,
    }
}
