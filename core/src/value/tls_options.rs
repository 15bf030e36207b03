//! Options of TLS that a tenant may choose for a host or for servers.
//!
//! HAProxy has three ways to say which versions of TLS are spoken (`no-tlsv10`, `force-tlsv12`,
//! `ssl-min-ver`), which it lets contradict each other: it then warns, or does not start because no
//! version is left. All of them are read here, and what is written is always the two ends of a range.

use std::fmt;

use crate::value::text::Line;
use crate::value::{KeyValue, Shape, ValueError};

/// Options of connections to servers: versions, and whether sessions are resumed.
///
/// Grammar: blanks between `ssl-min-ver VERSION`, `ssl-max-ver VERSION`, `force-VERSION`,
/// `no-VERSION`, `no-tls-tickets` and `no-ssl-reuse`.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, tls_options::ServerOptions};
/// let options = ServerOptions::parse("no-sslv3 no-tlsv10 no-tlsv11 no-tls-tickets")?;
/// assert_eq!(options.to_string(), "ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.3 no-tls-tickets");
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ServerOptions {
    /// The versions that are spoken.
    pub versions: Versions,
    /// Whether servers may not hand out tickets.
    pub no_tickets: bool,
    /// Whether no session is resumed.
    pub no_reuse: bool,
}

/// Options of a host's entry in the list of certificates.
///
/// Grammar: blanks between the versions of [`ServerOptions`], `curves NAMES`, `ecdhe NAME`,
/// `allow-0rtt` and `no-ca-names`. Files, and what other keys decide, are no part of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HostOptions {
    /// The versions that are spoken, unless the ones of the whole frontend are.
    pub versions: Option<Versions>,
    /// Curves for the exchange of keys, in the order of preference.
    pub curves: Curves,
    /// The curve for clients that name none.
    pub ecdhe: Option<&'static str>,
    /// Whether a client that comes again may send data at once, which others may replay.
    pub early_data: bool,
    /// Whether clients are not told which authorities are accepted.
    pub no_ca_names: bool,
}

/// A range of versions that is never empty.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Versions {
    /// The oldest.
    pub min: TlsVersion,
    /// The newest.
    pub max: TlsVersion,
}

/// A version of TLS. SSL 3 is never spoken.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[expect(missing_docs, reason = "each variant is the version it names")]
pub enum TlsVersion {
    V10,
    V11,
    V12,
    V13,
}

/// Curves in the order of preference, each at most once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Curves([Option<&'static str>; CURVES.len()]);

const CURVES: [&str; 8] = [
    "X25519",
    "X448",
    "P-256",
    "P-384",
    "P-521",
    "prime256v1",
    "secp384r1",
    "secp521r1",
];

/// Curves that `ecdhe` takes in every version of HAProxy.
const ECDHE: [&str; 3] = ["prime256v1", "secp384r1", "secp521r1"];

impl TlsVersion {
    const ALL: [Self; 4] = [Self::V10, Self::V11, Self::V12, Self::V13];

    /// The name behind `ssl-min-ver`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V10 => "TLSv1.0",
            Self::V11 => "TLSv1.1",
            Self::V12 => "TLSv1.2",
            Self::V13 => "TLSv1.3",
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// The version in `no-tlsv10` and `force-tlsv10`.
    fn by_short_name(name: &str) -> Option<Self> {
        match name {
            "tlsv10" => Some(Self::V10),
            "tlsv11" => Some(Self::V11),
            "tlsv12" => Some(Self::V12),
            "tlsv13" => Some(Self::V13),
            _ => None,
        }
    }
}

impl Default for Versions {
    fn default() -> Self {
        Self {
            min: TlsVersion::V10,
            max: TlsVersion::V13,
        }
    }
}

/// Collects what words say about versions.
#[derive(Default)]
struct VersionWords {
    range: Versions,
    refused: Vec<TlsVersion>,
    is_said: bool,
}

impl VersionWords {
    /// Takes a word, and the one behind it where it needs one; says whether it was about versions.
    fn take<'a>(&mut self, word: &str, words: &mut impl Iterator<Item = &'a str>) -> Option<bool> {
        match word {
            "no-sslv3" => {}
            "ssl-min-ver" => self.range.min = TlsVersion::by_name(words.next()?)?,
            "ssl-max-ver" => self.range.max = TlsVersion::by_name(words.next()?)?,
            _ => {
                if let Some(version) = word.strip_prefix("no-").and_then(TlsVersion::by_short_name)
                {
                    self.refused.push(version);
                } else if let Some(version) = word
                    .strip_prefix("force-")
                    .and_then(TlsVersion::by_short_name)
                {
                    self.range = Versions {
                        min: version,
                        max: version,
                    };
                } else {
                    return Some(false);
                }
            }
        }
        self.is_said = true;
        Some(true)
    }

    /// The newest versions that are left, down to the first gap.
    fn finish(&self) -> Option<Versions> {
        let mut left = TlsVersion::ALL
            .into_iter()
            .rev()
            .filter(|it| *it <= self.range.max)
            .skip_while(|it| self.refused.contains(it))
            .take_while(|it| *it >= self.range.min && !self.refused.contains(it));
        let max = left.next()?;
        Some(Versions {
            min: left.last().unwrap_or(max),
            max,
        })
    }
}

const NO_VERSION_LEFT: &str = "options that leave a version of TLS";

impl ServerOptions {
    /// The options for one server, complete, so that no default shows through.
    pub fn line(self) -> Line {
        Line::default().and(&self.to_string())
    }
}

impl KeyValue for ServerOptions {
    const SHAPE: Shape = Shape::Text {
        grammar: "ssl-min-ver, ssl-max-ver, no-tlsv…, force-tlsv…, no-tls-tickets, no-ssl-reuse",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        const EXPECTED: &str = "`ssl-min-ver TLSv1.2`, `ssl-max-ver TLSv1.3`, `no-tlsv10`, \
             `force-tlsv12`, `no-tls-tickets` or `no-ssl-reuse`, with blanks between them";
        let mut options = Self::default();
        let mut versions = VersionWords::default();
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "no-tls-tickets" => options.no_tickets = true,
                "no-ssl-reuse" => options.no_reuse = true,
                _ => {
                    if !versions.take(word, &mut words).unwrap_or(false) {
                        return Err(ValueError::new(EXPECTED, text));
                    }
                }
            }
        }
        options.versions = versions
            .finish()
            .ok_or_else(|| ValueError::new(NO_VERSION_LEFT, text))?;
        Ok(options)
    }
}

impl fmt::Display for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.versions.fmt(f)?;
        if self.no_tickets {
            f.write_str(" no-tls-tickets")?;
        }
        if self.no_reuse {
            f.write_str(" no-ssl-reuse")?;
        }
        Ok(())
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (min, max) = (self.min.name(), self.max.name());
        write!(f, "ssl-min-ver {min} ssl-max-ver {max}")
    }
}

impl KeyValue for HostOptions {
    const SHAPE: Shape = Shape::Text {
        grammar: "ssl-min-ver, ssl-max-ver, no-tlsv…, force-tlsv…, curves, ecdhe, allow-0rtt, no-ca-names",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        const EXPECTED: &str = "`ssl-min-ver TLSv1.2`, `ssl-max-ver TLSv1.3`, `no-tlsv12`, \
             `force-tlsv12`, `curves X25519:P-256`, `ecdhe secp384r1`, `allow-0rtt` or \
             `no-ca-names`, with blanks between them";
        let wrong = || ValueError::new(EXPECTED, text);
        let mut options = Self::default();
        let mut versions = VersionWords::default();
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "allow-0rtt" => options.early_data = true,
                "no-ca-names" => options.no_ca_names = true,
                "curves" => {
                    let names = words.next().ok_or_else(wrong)?;
                    options.curves = Curves::by_names(names).ok_or_else(wrong)?;
                }
                "ecdhe" => {
                    let name = words.next().ok_or_else(wrong)?;
                    let known = ECDHE.into_iter().find(|it| *it == name);
                    options.ecdhe = Some(known.ok_or_else(wrong)?);
                }
                "alpn" | "ciphers" | "ciphersuites" => {
                    let key = match word {
                        "alpn" => "tls-alpn",
                        "ciphers" => "ssl-ciphers",
                        _ => "ssl-cipher-suites",
                    };
                    return Err(wrong().help(format!("`{key}` is the key for `{word}`")));
                }
                _ => {
                    if !versions.take(word, &mut words).unwrap_or(false) {
                        return Err(wrong());
                    }
                }
            }
        }
        if versions.is_said {
            let range = versions.finish();
            options.versions = Some(range.ok_or_else(|| ValueError::new(NO_VERSION_LEFT, text))?);
        }
        Ok(options)
    }
}

impl fmt::Display for HostOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.versions.map(|it| it.to_string()));
        parts.extend(self.curves.to_names().map(|it| format!("curves {it}")));
        parts.extend(self.ecdhe.map(|it| format!("ecdhe {it}")));
        parts.extend(self.early_data.then(|| "allow-0rtt".into()));
        parts.extend(self.no_ca_names.then(|| "no-ca-names".into()));
        f.write_str(&parts.join(" "))
    }
}

impl Curves {
    /// Reads names joined by colons.
    fn by_names(names: &str) -> Option<Self> {
        let mut curves = Self::default();
        for (index, name) in names.split(':').enumerate() {
            let known = CURVES.into_iter().find(|it| *it == name)?;
            if curves.0.contains(&Some(known)) {
                return None;
            }
            *curves.0.get_mut(index)? = Some(known);
        }
        Some(curves)
    }

    /// The names joined by colons, if there are any.
    pub fn to_names(self) -> Option<String> {
        let names: Vec<_> = self.0.into_iter().flatten().collect();
        (!names.is_empty()).then(|| names.join(":"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_servers_become_a_range_of_versions() {
        for (text, written) in [
            ("", "ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.3"),
            (
                "no-sslv3 no-tlsv10",
                "ssl-min-ver TLSv1.1 ssl-max-ver TLSv1.3",
            ),
            ("force-tlsv12", "ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2"),
            ("no-tlsv12", "ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.3"),
            (
                "ssl-max-ver TLSv1.1 no-ssl-reuse no-tls-tickets",
                "ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.1 no-tls-tickets no-ssl-reuse",
            ),
        ] {
            let options = ServerOptions::parse(text).expect("options");
            assert_eq!(options.to_string(), written, "{text}");
            assert_eq!(ServerOptions::parse(written), Ok(options));
        }
    }

    #[test]
    fn options_of_servers_never_leave_them_without_a_version() {
        for bad in [
            "no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13",
            "ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.2",
            "force-tlsv12 no-tlsv12",
            "force-sslv3",
            "ssl-min-ver",
            "ca-file /etc/passwd",
            "verify none",
        ] {
            assert!(ServerOptions::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn options_of_hosts_are_those_that_a_tenant_may_choose() {
        for (text, written) in [
            ("", ""),
            (
                "ssl-min-ver TLSv1.3",
                "ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.3",
            ),
            (
                "curves X25519:P-256 no-ca-names",
                "curves X25519:P-256 no-ca-names",
            ),
            ("allow-0rtt ecdhe secp384r1", "ecdhe secp384r1 allow-0rtt"),
        ] {
            let options = HostOptions::parse(text).expect("options");
            assert_eq!(options.to_string(), written, "{text}");
            assert_eq!(HostOptions::parse(written), Ok(options));
        }
        for bad in [
            "ca-file /x",
            "verify none",
            "curves X25519:foo",
            "curves X25519:X25519",
            "ecdhe foo",
            "no-tls-tickets",
            "allow-0rtt] *.example",
            "ciphers HIGH",
        ] {
            assert!(HostOptions::parse(bad).is_err(), "{bad}");
        }
    }
}
