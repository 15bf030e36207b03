//! Which part of a configuration needs a reload: few words, by which reloads can be counted.

use std::fmt;

use serde::Serialize;

use crate::bundle::{Role, Section};

/// A part of a configuration.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// All of it: what HAProxy runs is not known.
    Unknown,
    /// The process and what all proxies share: `global`, `defaults`, `resolvers`, `peers` and the like.
    Global,
    /// What listens: `frontend`, `listen`.
    Frontend,
    /// Where requests go: `backend`, and what it consists of.
    Backend,
    /// Users and passwords: `userlist`.
    Users,
    /// Maps and lists that are looked up.
    Table,
    /// Certificates, lists of them, authorities and parameters.
    Certificate,
    /// Scripts, pages, and how agents are asked.
    Asset,
}

impl Area {
    /// The part that a section belongs to, by its header.
    pub(super) fn of_section(header: &str) -> Self {
        if header.starts_with(Section::MODEL) {
            return Self::Backend;
        }
        match header.split(' ').next().unwrap_or_default() {
            "frontend" | "listen" => Self::Frontend,
            "backend" => Self::Backend,
            "userlist" => Self::Users,
            _ => Self::Global,
        }
    }

    /// The part that a file belongs to.
    pub(super) fn of_file(role: Role) -> Self {
        match role {
            Role::Config => Self::Global,
            Role::Map | Role::Checks | Role::RegexMap | Role::List => Self::Table,
            Role::CertificateList
            | Role::Certificate
            | Role::Authorities
            | Role::Revocations
            | Role::DhParameters => Self::Certificate,
            Role::Response | Role::Lua | Role::Agent => Self::Asset,
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Global => "global",
            Self::Frontend => "frontend",
            Self::Backend => "backend",
            Self::Users => "users",
            Self::Table => "table",
            Self::Certificate => "certificate",
            Self::Asset => "asset",
        })
    }
}
