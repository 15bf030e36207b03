//! Certificates with their private keys, checked before HAProxy meets them.
//!
//! HAProxy refuses its whole configuration for one certificate that it cannot load, so that what is
//! found out here protects everybody else. Measured with OpenSSL 3 at Debian's security level: a key
//! of another certificate, an RSA key under 2048 bits, a curve under 224 bits and a SHA-1 or MD5
//! signature (unless a certificate signs itself) each end the start.
//!
//! There is no cryptography here: a key is compared with a certificate by the public part that it
//! carries. Signatures and trust are nobody's business but the client's.
//!
//! *Invariant:* no message and no debug print holds anything of a private key.

mod dh;
mod private_key;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::asn1_rs::FromDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry as oid;
use x509_parser::pem::Pem;
use x509_parser::public_key::PublicKey;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::x509::X509Name;

pub use self::dh::dh_parameters;
use self::private_key::{PrivateKey, significant};
use crate::value::shown;

/// A certificate, the chain behind it, and its private key.
#[derive(Clone, Eq, PartialEq)]
pub struct Certificate {
    names: Vec<String>,
    validity: Validity,
    key_match: KeyMatch,
    weakness: Option<String>,
    /// Shared, so that who compares the files of two results need not look into them.
    pem: Arc<str>,
    /// Where in it the key begins.
    key_at: usize,
}

/// The longest chain that clients take, in bytes: OpenSSL's default (`SSL_CTX_set_max_cert_list`). Those
/// written in Rust and Go take less.
const LONGEST_CHAIN: usize = 100 << 10;

/// Whether a private key belongs to a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyMatch {
    /// It does.
    Matches,
    /// It is another one's.
    Differs,
    /// The key does not carry its public part, as most Ed25519 keys do not.
    Unknown,
}

/// When a certificate or a list of revoked certificates is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    starts: i64,
    /// The last second, if there is a last one.
    ends: Option<i64>,
}

/// What a time means for something that is valid for some time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// It is not valid yet.
    Before,
    /// It is valid.
    Within,
    /// It is valid, and will not be in a week.
    LastWeek,
    /// It has expired.
    After,
}

/// Certificates without keys or lists of revoked certificates, as their PEM blocks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Issued {
    /// The blocks and nothing else, newly encoded.
    pub pem: String,
    /// For each block the authority, which is the subject of a certificate and the issuer of a list, and
    /// when the block is valid.
    pub blocks: Vec<(String, Validity)>,
}

/// Why a text is no certificate with a key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CertificateError {
    /// The text has something like a PEM block that cannot be read.
    #[error("a PEM block cannot be read: {0}")]
    Pem(String),
    /// There is no `CERTIFICATE` block.
    #[error("there is no PEM block `CERTIFICATE`")]
    NoCertificate,
    /// There is no `X509 CRL` block.
    #[error("there is no PEM block `X509 CRL`")]
    NoRevocations,
    /// There is no `DH PARAMETERS` block.
    #[error("there is no PEM block `DH PARAMETERS`")]
    NoParameters,
    /// Parameters that are shorter than TLS libraries take.
    #[error("the parameters have {0} bits, and TLS libraries refuse less than 2048")]
    WeakParameters(usize),
    /// A block is not what its label says; counted from 1.
    #[error("PEM block {index} is not a {what}")]
    Block {
        /// Which one of its kind.
        index: usize,
        /// What it should be.
        what: &'static str,
    },
    /// There is no private key.
    #[error("there is no PEM block with a private key")]
    NoKey,
    /// There are several private keys.
    #[error("there is more than one private key")]
    ManyKeys,
    /// The private key needs a password.
    #[error("the private key is encrypted")]
    EncryptedKey,
    /// The private key is in a notation that HAProxy does not read.
    #[error("the private key cannot be read")]
    Key,
}

impl Certificate {
    /// Reads a certificate with its chain, and its key. The key may also stand beside the certificate.
    pub fn parse(pem_cert: &[u8], pem_key: &[u8]) -> Result<Self, CertificateError> {
        let certificates_and_more = blocks(pem_cert)?;
        let chain = certificates(&certificates_and_more)?;
        let keys_and_more = blocks(pem_key)?;
        let key = the_key(certificates_and_more.iter().chain(&keys_and_more))?;

        let (_, leaf) = X509Certificate::from_der(chain[0]).map_err(|_| not_a_certificate(1))?;
        let public = leaf.public_key();
        let private = PrivateKey::read(&key.label, &key.contents).ok_or(CertificateError::Key)?;
        let mut weakness = None;
        for der in &chain {
            let (_, it) = X509Certificate::from_der(der).map_err(|_| not_a_certificate(1))?;
            weakness = weakness.or_else(|| weakness_of(&it));
        }
        weakness = weakness.or_else(|| too_long(chain.iter().map(|it| it.len())));
        let mut pem: String = chain.iter().map(|it| block("CERTIFICATE", it)).collect();
        let key_at = pem.len();
        pem.push_str(&block(&key.label, &key.contents));
        Ok(Self {
            names: names(&leaf),
            validity: Validity::of(&leaf),
            key_match: private.belongs_to(
                &public.algorithm.algorithm,
                public.parsed().ok().as_ref(),
                &public.subject_public_key.data,
            ),
            weakness,
            pem: pem.into(),
            key_at,
        })
    }

    /// Adds certificates behind the chain, such as `ca.crt` of a Secret.
    pub fn with_authorities(mut self, pem: &[u8]) -> Result<Self, CertificateError> {
        let authorities = authorities(pem)?.pem;
        let (chain, key) = self.pem.split_at(self.key_at);
        let chain = [chain, &authorities].concat();
        // HAProxy sends them as a part of the chain.
        let all = blocks(chain.as_bytes())?;
        let is_too_long = || too_long(all.iter().map(|it| it.contents.len()));
        self.weakness = self.weakness.or_else(is_too_long);
        self.key_at = chain.len();
        self.pem = [&*chain, key].concat().into();
        Ok(self)
    }

    /// The DNS names that it is for, in lower case; the common name if it has no DNS name.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether it is for a host (RFC 6125): a `*` stands for exactly one label, the first. A host with
    /// a `*` itself is covered by the same name only.
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let parent = host.split_once('.').map(|it| it.1);
        self.names.iter().any(|name| {
            *name == host
                || (!host.starts_with('*')
                    && name.strip_prefix("*.").is_some_and(|it| parent == Some(it)))
        })
    }

    /// When it is valid.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Whether the key belongs to the certificate.
    pub fn key_match(&self) -> KeyMatch {
        self.key_match
    }

    /// Why a TLS library with today's usual security level refuses it, as a noun phrase.
    pub fn weakness(&self) -> Option<&str> {
        self.weakness.as_deref()
    }

    /// The file for HAProxy: PEM blocks and nothing else, newly encoded, the key last.
    pub fn pem(&self) -> &Arc<str> {
        &self.pem
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("names", &self.names)
            .field("validity", &self.validity)
            .field("key_match", &self.key_match)
            .finish_non_exhaustive()
    }
}

impl Validity {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self {
            starts: validity.not_before.timestamp(),
            ends: Some(validity.not_after.timestamp()),
        }
    }

    /// What a time means for it, in seconds since 1970.
    pub fn at(self, now: i64) -> Moment {
        const WEEK: i64 = 7 * 24 * 3600;
        match self.ends {
            Some(end) if now > end => Moment::After,
            _ if now < self.starts => Moment::Before,
            Some(end) if now > end - WEEK => Moment::LastWeek,
            _ => Moment::Within,
        }
    }
}

/// Certificates without keys, such as those that clients are checked against.
pub fn authorities(pem: &[u8]) -> Result<Issued, CertificateError> {
    let blocks = blocks(pem)?;
    let mut issued = Issued::default();
    for (index, der) in (1..).zip(certificates(&blocks)?) {
        let (_, it) = X509Certificate::from_der(der).map_err(|_| not_a_certificate(index))?;
        issued.push("CERTIFICATE", der, it.subject(), Validity::of(&it));
    }
    Ok(issued)
}

/// Lists of certificates that are revoked.
pub fn revocations(pem: &[u8]) -> Result<Issued, CertificateError> {
    const LABEL: &str = "X509 CRL";
    let mut issued = Issued::default();
    let blocks = blocks(pem)?;
    for (index, block) in (1..).zip(blocks.iter().filter(|it| it.label == LABEL)) {
        let Ok(([], list)) = CertificateRevocationList::from_der(&block.contents) else {
            return Err(CertificateError::Block {
                index,
                what: "list of revoked certificates",
            });
        };
        let validity = Validity {
            starts: list.last_update().timestamp(),
            ends: list.next_update().map(|it| it.timestamp()),
        };
        issued.push(LABEL, &block.contents, list.issuer(), validity);
    }
    if issued.blocks.is_empty() {
        return Err(CertificateError::NoRevocations);
    }
    Ok(issued)
}

/// Whether authorities accept every certificate that others accepted.
pub fn accepts_no_less(new: &str, old: &str) -> bool {
    let all = |pem: &str| -> Option<BTreeSet<Vec<u8>>> {
        let blocks = blocks(pem.as_bytes()).ok()?;
        let ders = certificates(&blocks).ok()?;
        Some(ders.into_iter().map(<[u8]>::to_vec).collect())
    };
    matches!((all(new), all(old)), (Some(new), Some(old)) if new.is_superset(&old))
}

/// Whether lists of the same authorities revoke nothing but what others revoked already.
pub fn revokes_no_more(new: &str, old: &str) -> bool {
    type Serials = BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>;
    let all = |pem: &str| -> Option<Serials> {
        let mut all = Serials::new();
        for block in blocks(pem.as_bytes()).ok()? {
            let (_, list) = CertificateRevocationList::from_der(&block.contents).ok()?;
            let revoked = list.iter_revoked_certificates();
            let serials = revoked.map(|it| it.raw_serial().to_vec());
            let issuer = list.issuer().as_raw().to_vec();
            all.entry(issuer).or_default().extend(serials);
        }
        Some(all)
    };
    let (Some(new), Some(old)) = (all(new), all(old)) else {
        return false;
    };
    // An authority without a list has all of its certificates refused.
    new.len() == old.len()
        && new
            .iter()
            .all(|(issuer, new)| old.get(issuer).is_some_and(|old| new.is_subset(old)))
}

impl Issued {
    fn push(&mut self, label: &str, der: &[u8], authority: &X509Name<'_>, validity: Validity) {
        self.pem.push_str(&block(label, der));
        self.blocks.push((shown(&authority.to_string()), validity));
    }
}

fn blocks(pem: &[u8]) -> Result<Vec<Pem>, CertificateError> {
    // The older form of encryption has headers in its block (RFC 1421).
    if pem.windows(10).any(|it| it == b"Proc-Type:") {
        return Err(CertificateError::EncryptedKey);
    }
    Pem::iter_from_buffer(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| CertificateError::Pem(error.to_string()))
}

/// The certificates among some blocks, each of them whole.
fn certificates(blocks: &[Pem]) -> Result<Vec<&[u8]>, CertificateError> {
    let labels = ["CERTIFICATE", "X509 CERTIFICATE"];
    let mut ders: Vec<&[u8]> = Vec::new();
    for it in blocks.iter().filter(|it| labels.contains(&&*it.label)) {
        match X509Certificate::from_der(&it.contents) {
            Ok(([], _)) => ders.push(&it.contents),
            _ => return Err(not_a_certificate(ders.len() + 1)),
        }
    }
    if ders.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    Ok(ders)
}

fn not_a_certificate(index: usize) -> CertificateError {
    CertificateError::Block {
        index,
        what: "certificate",
    }
}

/// The only private key among some blocks.
fn the_key<'b>(blocks: impl Iterator<Item = &'b Pem>) -> Result<&'b Pem, CertificateError> {
    let mut keys = blocks.filter(|it| it.label.ends_with("PRIVATE KEY"));
    let key = keys.next().ok_or(CertificateError::NoKey)?;
    // A combined file is often stored under both names.
    if keys.any(|it| it != key) {
        return Err(CertificateError::ManyKeys);
    }
    if key.label == "ENCRYPTED PRIVATE KEY" {
        return Err(CertificateError::EncryptedKey);
    }
    Ok(key)
}

fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let alternative = leaf.subject_alternative_name().ok().flatten();
    let general = alternative.iter().flat_map(|it| &it.value.general_names);
    let mut names: Vec<String> = general
        .filter_map(|it| match it {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        let common = leaf.subject().iter_common_name();
        names.extend(common.filter_map(|it| Some(it.as_str().ok()?.to_ascii_lowercase())));
    }
    names
}

/// What is below OpenSSL's security level 2, which Debian and others make the default.
fn weakness_of(certificate: &X509Certificate<'_>) -> Option<String> {
    let bits = match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => (significant(key.modulus).len() * 8, 2048, "RSA key"),
        Ok(PublicKey::EC(point)) => (point.key_size(), 224, "elliptic curve"),
        _ => (usize::MAX, 0, ""),
    };
    if bits.0 < bits.1 {
        return Some(format!("an {} of {} bits", bits.2, bits.0));
    }
    // Nobody trusts a certificate for signing itself, so that this signature is not looked at.
    if certificate.issuer() == certificate.subject() {
        return None;
    }
    let signature = &certificate.signature_algorithm.algorithm;
    let weak = [
        (oid::OID_PKCS1_MD5WITHRSAENC, "an MD5 signature"),
        (oid::OID_PKCS1_SHA1WITHRSA, "a SHA-1 signature"),
        (oid::OID_SHA1_WITH_RSA, "a SHA-1 signature"),
        (oid::OID_SIG_DSA_WITH_SHA1, "a SHA-1 signature"),
        // ecdsa-with-SHA1, RFC 3279, section 2.2.3.
        (oid::asn1_rs::oid!(1.2.840.10045.4.1), "a SHA-1 signature"),
    ];
    let found = weak.into_iter().find(|it| it.0 == *signature)?;
    Some(found.1.into())
}

/// What is longer than clients take, by the sizes of the certificates.
fn too_long(sizes: impl Iterator<Item = usize>) -> Option<String> {
    let size: usize = sizes.sum();
    (size > LONGEST_CHAIN)
        .then(|| format!("a chain of {size} bytes, for {LONGEST_CHAIN} are the most"))
}

/// A PEM block (RFC 7468) in its strictest form.
fn block(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut block = format!("-----BEGIN {label}-----\n");
    let mut rest = &*text;
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(64));
        block.push_str(line);
        block.push('\n');
        rest = behind;
    }
    block + "-----END " + label + "-----\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSA: &str = include_str!("certificate/rsa.crt.pem");
    const RSA_KEY: &str = include_str!("certificate/rsa.key.pem");
    const EC: &str = include_str!("certificate/ec.crt.pem");
    const EC_KEY: &str = include_str!("certificate/ec.key.pem");
    const EC_SEC1: &str = include_str!("certificate/ec.key.sec1.pem");
    const ED25519: &str = include_str!("certificate/ed25519.crt.pem");
    const ED25519_KEY: &str = include_str!("certificate/ed25519.key.pem");

    fn parse(cert: &str, key: &str) -> Result<Certificate, CertificateError> {
        Certificate::parse(cert.as_bytes(), key.as_bytes())
    }

    fn key_match(cert: &str, key: &str) -> KeyMatch {
        parse(cert, key).expect("both can be read").key_match()
    }

    #[test]
    fn a_key_is_compared_where_it_carries_its_public_part() {
        let pkcs1 = include_str!("certificate/rsa.key.pkcs1.pem");
        assert_eq!(key_match(RSA, RSA_KEY), KeyMatch::Matches);
        assert_eq!(key_match(RSA, pkcs1), KeyMatch::Matches);
        assert_eq!(key_match(EC, EC_KEY), KeyMatch::Matches);
        assert_eq!(key_match(EC, EC_SEC1), KeyMatch::Matches);
        assert_eq!(key_match(ED25519, ED25519_KEY), KeyMatch::Unknown);
        assert_eq!(key_match(RSA, EC_KEY), KeyMatch::Differs);
        assert_eq!(key_match(EC, pkcs1), KeyMatch::Differs);
        assert_eq!(key_match(EC, ED25519_KEY), KeyMatch::Differs);
        let weak = include_str!("certificate/weak.crt.pem");
        assert_eq!(key_match(weak, RSA_KEY), KeyMatch::Differs);
    }

    #[test]
    fn generated_certificates_of_each_kind_match_their_keys_only() {
        let algorithms = [
            &rcgen::PKCS_ECDSA_P256_SHA256,
            &rcgen::PKCS_ECDSA_P384_SHA384,
            &rcgen::PKCS_ED25519,
        ];
        for algorithm in algorithms {
            let key = rcgen::KeyPair::generate_for(algorithm).expect("a key is generated");
            let other = rcgen::KeyPair::generate_for(algorithm).expect("a key is generated");
            let params = rcgen::CertificateParams::new(vec!["*.Example.com".to_owned()]);
            let params = params.expect("the name is one");
            let cert = params.self_signed(&key).expect("it signs itself");
            let own = parse(&cert.pem(), &key.serialize_pem()).expect("it can be read");
            assert_eq!(own.key_match(), KeyMatch::Matches, "{algorithm:?}");
            assert_eq!(own.names(), ["*.example.com"]);
            assert_eq!(
                key_match(&cert.pem(), &other.serialize_pem()),
                KeyMatch::Differs
            );
        }
    }

    #[test]
    fn a_star_stands_for_one_label() {
        let cert = parse(EC, EC_KEY).expect("both can be read");
        for (host, covered) in [
            ("ec.example", true),
            ("EC.Example.", true),
            ("a.ec.example", true),
            ("*.ec.example", true),
            ("a.b.ec.example", false),
            ("*.b.ec.example", false),
            ("*.example", false),
            ("example", false),
            ("", false),
        ] {
            assert_eq!(cert.covers(host), covered, "{host}");
        }
        let by_common_name = parse(RSA, RSA_KEY).expect("both can be read");
        assert!(by_common_name.covers("common.example"));
    }

    #[test]
    fn what_haproxy_would_refuse_is_known_before() {
        let weakness = |cert: &str, key: &str| {
            let cert = parse(cert, key).expect("both can be read");
            cert.weakness().map(str::to_owned)
        };
        let weak = include_str!("certificate/weak.crt.pem");
        let sha1 = include_str!("certificate/ec.sha1.crt.pem");
        assert_eq!(
            weakness(weak, RSA_KEY).as_deref(),
            Some("an RSA key of 1024 bits")
        );
        assert_eq!(weakness(sha1, EC_KEY).as_deref(), Some("a SHA-1 signature"));
        assert_eq!(weakness(EC, EC_KEY), None);
        let chain = [EC, weak].concat();
        assert_eq!(
            weakness(&chain, EC_KEY).as_deref(),
            Some("an RSA key of 1024 bits")
        );
    }

    #[test]
    fn a_chain_that_no_client_takes_is_known_before() {
        let one = blocks(EC.as_bytes()).expect("it can be read")[0]
            .contents
            .len();
        let most = LONGEST_CHAIN / one;
        let of = |chain, authorities| {
            let cert = parse(&EC.repeat(chain), EC_KEY).expect("both can be read");
            let all = cert.with_authorities(EC.repeat(authorities).as_bytes());
            all.expect("all can be read").weakness().map(str::to_owned)
        };
        assert_eq!(of(most - 1, 1), None);
        let found = format!(
            "a chain of {} bytes, for 102400 are the most",
            one * (most + 1)
        );
        let alone = parse(&EC.repeat(most + 1), EC_KEY).expect("both can be read");
        assert_eq!(alone.weakness(), Some(&*found));
        assert_eq!(of(most, 1), Some(found));
    }

    #[test]
    fn the_file_holds_blocks_only_in_one_form() {
        let noisy = format!(
            "subject=CN = x\r\n\r\n{}\r\nissuer\n{}",
            EC.replace('\n', "\r\n"),
            RSA
        );
        let cert = parse(&noisy, EC_SEC1).expect("both can be read");
        let cert = cert
            .with_authorities(RSA.as_bytes())
            .expect("it can be read");
        let sec1 = &EC_SEC1[EC_SEC1.find("-----BEGIN EC PRIVATE").expect("it is there")..];
        assert_eq!(**cert.pem(), [EC, RSA, RSA, sec1].concat());
        let again = parse(cert.pem(), cert.pem()).expect("what was written can be read");
        assert_eq!(again.pem(), cert.pem());
        let found = authorities(noisy.as_bytes()).expect("they can be read");
        assert_eq!(found.pem, [EC, RSA].concat());
    }

    #[test]
    fn what_is_no_pair_is_refused_and_nothing_of_the_key_is_shown() {
        let encrypted = include_str!("certificate/rsa.key.encrypted.pem");
        let older = include_str!("certificate/rsa.key.encrypted.pkcs1.pem");
        let broken = RSA_KEY.replace("MII", "*I");
        let cut = &RSA_KEY[..400];
        let wrong = RSA_KEY.replace("PRIVATE", "OPENSSH PRIVATE");
        for (cert, key, error) in [
            (RSA_KEY, RSA_KEY, "no PEM block `CERTIFICATE`"),
            ("", "", "no PEM block `CERTIFICATE`"),
            (RSA, "", "no PEM block with a private key"),
            (RSA, RSA, "no PEM block with a private key"),
            (RSA, encrypted, "encrypted"),
            (RSA, older, "encrypted"),
            (RSA, &[RSA_KEY, EC_KEY].concat(), "more than one"),
            (RSA, &broken, "cannot be read"),
            (RSA, cut, "cannot be read"),
            (RSA, &wrong, "cannot be read"),
            (
                &RSA.replace("MII", "MIJ"),
                RSA_KEY,
                "block 1 is not a certificate",
            ),
        ] {
            let found = parse(cert, key).expect_err("it is refused").to_string();
            assert!(found.contains(error), "{found}");
            assert!(found.len() < 100, "{found}");
        }
        let debug = format!("{:?}", parse(RSA, RSA_KEY));
        assert!(!debug.contains(&RSA_KEY[60..80]), "{debug}");
    }

    #[test]
    fn the_last_second_is_valid_and_the_week_before_it_the_last_one() {
        let week = 7 * 24 * 3600;
        let limited = Validity {
            starts: 1000,
            ends: Some(1000 + 2 * week),
        };
        for (now, moment) in [
            (999, Moment::Before),
            (1000, Moment::Within),
            (1000 + week, Moment::Within),
            (1001 + week, Moment::LastWeek),
            (1000 + 2 * week, Moment::LastWeek),
            (1001 + 2 * week, Moment::After),
        ] {
            assert_eq!(limited.at(now), moment, "{now}");
        }
        let endless = Validity {
            ends: None,
            ..limited
        };
        assert_eq!(endless.at(i64::MAX), Moment::Within);
    }

    #[test]
    fn lists_of_revoked_certificates_must_be_such() {
        assert_eq!(
            revocations(RSA.as_bytes()),
            Err(CertificateError::NoRevocations)
        );
        let wrong = RSA.replace("CERTIFICATE", "X509 CRL");
        assert!(matches!(
            revocations(wrong.as_bytes()),
            Err(CertificateError::Block { index: 1, .. })
        ));
    }
}
