//! Certificates that an authority signs for us (ACME, RFC 8555).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::options::Name;
use crate::origin::{Origin, Setting};
use crate::value::acme::{Chain, Directory, Email};

/// The account at an authority, how its challenges are answered, and what has to be signed.
#[derive(Clone, Debug)]
pub struct Acme {
    /// Where the authority's directory is.
    pub directory: Setting<Directory>,
    /// Whom the authority may write to.
    pub emails: Vec<Email>,
    /// How many days before its end a certificate is signed anew.
    pub expiring: u32,
    /// Whether the paths of Ingresses come before challenges.
    pub is_shared: bool,
    /// Whether HAProxy looks for the abstract socket of the name of [`Self::SOCKET`]: a worker without
    /// files reaches no other one.
    pub is_abstract: bool,
    /// What has to be signed, by Secret.
    pub orders: Vec<Order>,
}

/// A certificate that has to be signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Order {
    /// The Secret in which it is kept.
    pub secret: Name,
    /// The names that it is for.
    pub hosts: BTreeSet<Arc<str>>,
    /// The chain that is preferred, if the authority offers several.
    pub chain: Option<Chain>,
    /// Who asked for it first.
    pub origin: Origin,
}

impl Acme {
    /// The backend that answers challenges.
    pub const BACKEND: &'static str = "_acme_challenge";
    /// How the paths of challenges begin (RFC 8555, section 8.3).
    pub const CHALLENGE: &'static str = "/.well-known/acme-challenge/";
    /// Where whoever answers challenges listens, without the operator's prefix.
    pub const SOCKET: &'static str = "/var/run/haproxy/acme.sock";
}
