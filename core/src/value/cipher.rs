//! Ciphers of TLS.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError};

/// Ciphers up to TLS 1.2 in the notation of OpenSSL: names and instructions joined by `:`; an empty
/// text says nothing.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, cipher::Ciphers};
/// assert!(Ciphers::parse("HIGH:!aNULL")?.is_certain());
/// assert!(!Ciphers::parse("HIGH:!HIGH")?.is_certain());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ciphers(Arc<str>);

/// Cipher suites of TLS 1.3 joined by `:`; an empty text says nothing.
///
/// There are five, and HAProxy does not start with a list of others, so the names are checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CipherSuites(Arc<str>);

const SUITES: [&str; 5] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
];

/// Names that OpenSSL 1.1.1 and 3 know and have compiled in, besides the ones of [`is_strong`].
const WEAKER: &[&str] = &[
    "DHE-RSA-AES128-GCM-SHA256",
    "DHE-RSA-AES256-GCM-SHA384",
    "DHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA",
    "DHE-RSA-AES128-SHA256",
    "DHE-RSA-AES256-SHA256",
    "DHE-RSA-AES128-SHA",
    "DHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA256",
    "AES256-SHA256",
    "AES128-SHA",
    "AES256-SHA",
];

/// What may be excluded without touching a strong cipher.
const HARMLESS: &[&str] = &[
    "aNULL", "eNULL", "NULL", "EXPORT", "EXP", "LOW", "MEDIUM", "MD5", "DES", "3DES", "RC2", "RC4",
    "IDEA", "SEED", "PSK", "SRP", "DSS", "aDSS", "CAMELLIA", "ARIA", "ADH", "AECDH", "aECDH",
    "SSLv2", "KRB5", "DH", "DHE", "EDH", "kDHE", "kRSA", "SHA", "SHA1",
];

/// Whether an element certainly adds an authenticated cipher with forward secrecy.
fn is_strong(element: &str) -> bool {
    match element.split_once('+') {
        None => {
            matches!(
                element,
                "ALL" | "HIGH" | "ECDHE" | "EECDH" | "AESGCM" | "CHACHA20"
            ) || ["ECDHE-ECDSA-", "ECDHE-RSA-"].iter().any(|front| {
                matches!(
                    element.strip_prefix(front),
                    Some("AES128-GCM-SHA256" | "AES256-GCM-SHA384" | "CHACHA20-POLY1305")
                )
            })
        }
        Some((exchange, cipher)) => {
            matches!(exchange, "ECDHE" | "EECDH")
                && matches!(
                    cipher,
                    "AESGCM" | "AES" | "AES128" | "AES256" | "CHACHA20" | "HIGH"
                )
        }
    }
}

/// Whether every OpenSSL reads an element as a name or as names joined by `+`, known or not.
fn is_plain(element: &str) -> bool {
    element.split('+').all(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'-')
    })
}

impl Ciphers {
    /// The list, if it says anything.
    pub fn as_str(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(&*self.0)
    }

    /// Whether OpenSSL certainly finds a cipher in it.
    ///
    /// HAProxy does not start when it finds none, so a tenant's list must be certain. It is when it
    /// excludes nothing and has a cipher that every OpenSSL has, or when it has a strong one and
    /// excludes only what is not strong.
    pub fn is_certain(&self) -> bool {
        let (mut excludes, mut known, mut strong) = (false, false, false);
        for element in self.0.split(':') {
            if let Some(excluded) = element.strip_prefix(['!', '-']) {
                excludes = true;
                if !HARMLESS.contains(&excluded) {
                    return false;
                }
            } else if let Some(instruction) = element.strip_prefix('@') {
                // Above level 2, usual certificates are refused while HAProxy starts.
                if !matches!(
                    instruction,
                    "STRENGTH" | "SECLEVEL=0" | "SECLEVEL=1" | "SECLEVEL=2"
                ) {
                    return false;
                }
            } else if let Some(moved) = element.strip_prefix('+') {
                // It moves ciphers that are there already.
                if !is_plain(moved) {
                    return false;
                }
            } else {
                if !is_plain(element) {
                    return false;
                }
                strong |= is_strong(element);
                known |= strong || WEAKER.contains(&element);
            }
        }
        strong || (known && !excludes)
    }
}

impl KeyValue for Ciphers {
    const SHAPE: Shape = Shape::Text {
        grammar: "names of ciphers joined by colons, as OpenSSL writes them",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let list = text.trim();
        let is_letter = |it: u8| it.is_ascii_alphanumeric() || b"_+=.-".contains(&it);
        let is_element = |it: &str| {
            let name = it.strip_prefix(['!', '-', '+', '@']).unwrap_or(it);
            !name.is_empty() && name.bytes().all(is_letter)
        };
        if list.len() > 4096 || !(list.is_empty() || list.split(':').all(is_element)) {
            return Err(ValueError::new(
                "names of ciphers joined by `:`, such as `ECDHE+AESGCM:ECDHE+CHACHA20`",
                text,
            ));
        }
        Ok(Self(list.into()))
    }
}

impl CipherSuites {
    /// The list, if it says anything.
    pub fn as_str(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(&*self.0)
    }
}

impl KeyValue for CipherSuites {
    const SHAPE: Shape = Shape::Text {
        grammar: "names of TLS 1.3 cipher suites joined by colons",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let list = text.trim();
        if !(list.is_empty() || list.split(':').all(|it| SUITES.contains(&it))) {
            return Err(
                ValueError::new("names of TLS 1.3 cipher suites joined by `:`", text)
                    .help(format!("the names are {}", SUITES.join(", "))),
            );
        }
        Ok(Self(list.into()))
    }
}

impl fmt::Display for Ciphers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for CipherSuites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_cannot_leave_its_word() {
        for good in [
            "",
            "HIGH:!aNULL:+kRSA:@STRENGTH",
            "ECDHE-RSA-AES128-GCM-SHA256",
        ] {
            let ciphers = Ciphers::parse(good).expect("ciphers");
            assert_eq!(Ciphers::parse(&ciphers.to_string()), Ok(ciphers));
        }
        for bad in ["a b", "a]", "a\nb", ":", "a:", "!", "a'b", "a,b"] {
            assert!(Ciphers::parse(bad).is_err(), "{bad:?}");
        }
        assert!(CipherSuites::parse("TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384").is_ok());
        assert!(CipherSuites::parse("TLS_AES_128_GCM_SHA256:FOO").is_err());
    }

    #[test]
    fn a_list_is_certain_when_no_openssl_can_find_it_empty() {
        for (list, certain) in [
            ("AES128-SHA", true),
            ("ECDHE+AESGCM:!aNULL:!MD5", true),
            ("FOO:ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=1", true),
            ("FOO", false),
            ("HIGH:ECDHE+", false),
            ("HIGH:@FOO", false),
            ("HIGH:!HIGH", false),
            ("AES128-SHA:!SHA", false),
            ("HIGH:@SECLEVEL=5", false),
            ("!aNULL", false),
        ] {
            let ciphers = Ciphers::parse(list).expect("ciphers");
            assert_eq!(ciphers.is_certain(), certain, "{list}");
        }
    }
}
