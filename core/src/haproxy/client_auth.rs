//! Certificates of clients: who is asked for one, and against what it is checked.

use std::sync::Arc;

use crate::origin::{Origin, Setting};
use crate::value::location::Location;

/// What a host asks of its clients' certificates.
#[derive(Clone, Debug)]
pub struct ClientAuth {
    /// Whose certificates are accepted.
    pub authorities: Authorities,
    /// What becomes of clients without a good one.
    pub verify: Verify,
    /// Where clients without a good one are sent, in place of the pages for 495 and 496.
    pub error_page: Option<Setting<Location>>,
    /// Who asked for it.
    pub origin: Origin,
}

/// Certificates that others are checked against, as files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authorities {
    /// A name without `/`; equal names stand for equal files.
    pub name: Arc<str>,
    /// The file with the authorities, as HAProxy sees it.
    pub file: Arc<str>,
    /// The file with what they revoked, as HAProxy sees it.
    pub revoked: Option<Arc<str>>,
}

/// What becomes of a client without a good certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verify {
    /// It is refused.
    Required,
    /// It is refused if it shows a bad one.
    Optional,
    /// It is served; whoever answers must look at the certificate.
    Unjudged,
}

/// What servers are told about a client's certificate, beside its names and its SHA-1 digest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientHeaders {
    /// Who wants the whole certificate, if anybody does.
    pub certificate: Option<Setting<bool>>,
    /// Whether digests are in lower case.
    pub lower: Option<Setting<bool>>,
    /// The bits of a SHA-2 digest.
    pub sha2_bits: Option<Setting<u16>>,
}

impl Verify {
    /// Its word in maps.
    pub fn name(self) -> &'static str {
        match self {
            Self::Required => "on",
            Self::Optional => "optional",
            Self::Unjudged => "any",
        }
    }
}
