//! What a running HAProxy can be told.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::Serialize;

use crate::bundle::{File, Role};
use crate::haproxy::ServerState;

/// One change of a running worker (HAProxy management guide, section 9.3).
///
/// What takes several commands, such as a transaction about a certificate, is one change.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "command")]
pub enum Command {
    /// `add backend B from D`, which nothing is sent to yet.
    AddBackend {
        /// The backend's name.
        backend: Arc<str>,
        /// The section `defaults` that says what it is like.
        defaults: Arc<str>,
    },
    /// `publish backend B`.
    PublishBackend {
        /// The backend's name.
        backend: Arc<str>,
    },
    /// `unpublish backend B`, all its servers go as with [`Command::RemoveServer`], `del backend B`. One
    /// that still has connections stays without a way to it until they end.
    RemoveBackend {
        /// The backend's name.
        backend: Arc<str>,
    },
    /// `add server B/S IP:PORT OPTIONS`, in maintenance, with its checks if it has some.
    AddServer {
        /// The backend's name.
        backend: Arc<str>,
        /// The server's name.
        server: Arc<str>,
        /// Where it listens.
        ip: IpAddr,
        /// The port, 1 to 65535.
        port: u16,
        /// 0 to 256.
        weight: u16,
        /// What else its line says.
        options: Arc<str>,
        /// Whether its health is checked.
        is_checked: bool,
        /// Whether its agent is asked.
        has_agent: bool,
        /// Whether its cookie is made of its address.
        has_dynamic_cookie: bool,
    },
    /// `set server B/S state maint`, `del server B/S`. One that still has connections stays in
    /// maintenance.
    RemoveServer {
        /// The backend's name.
        backend: Arc<str>,
        /// The server's name.
        server: Arc<str>,
    },
    /// `set server B/S addr IP port P`.
    SetServerAddress {
        /// The backend's name.
        backend: Arc<str>,
        /// The server's name.
        server: Arc<str>,
        /// Where it listens.
        ip: IpAddr,
        /// The port, 1 to 65535.
        port: u16,
    },
    /// `set server B/S weight N`.
    SetServerWeight {
        /// The backend's name.
        backend: Arc<str>,
        /// The server's name.
        server: Arc<str>,
        /// 0 to 256.
        weight: u16,
    },
    /// `set server B/S state ready|drain|maint`.
    SetServerState {
        /// The backend's name.
        backend: Arc<str>,
        /// The server's name.
        server: Arc<str>,
        /// The state.
        state: ServerState,
    },
    /// `new ssl cert F`, `set ssl cert F`, `commit ssl cert F`.
    AddCertificate {
        /// The path of its file.
        file: Arc<str>,
        /// What is in it.
        pem: Pem,
    },
    /// `set ssl cert F`, `commit ssl cert F`.
    SetCertificate {
        /// The path of its file.
        file: Arc<str>,
        /// What is in it.
        pem: Pem,
    },
    /// `set ssl ca-file F`, `commit ssl ca-file F` (2.5 and later).
    SetAuthorities {
        /// The path of the file.
        file: Arc<str>,
        /// What is in it.
        pem: Pem,
    },
    /// `set ssl crl-file F`, `commit ssl crl-file F` (2.5 and later).
    SetRevocations {
        /// The path of the file.
        file: Arc<str>,
        /// What is in it.
        pem: Pem,
    },
    /// `add ssl crt-list L`.
    AddToList {
        /// The path of the list.
        list: Arc<str>,
        /// The line, as it stands in the file.
        line: Arc<str>,
    },
    /// `add map F` or `add acl F`, for keys that are not there yet.
    AddEntries {
        /// Where to.
        table: Table,
        /// What stands there for the first time.
        entries: Vec<Entry>,
    },
    /// `set map F K V`, for a key that is there.
    SetEntry {
        /// Which map.
        table: Table,
        /// The key with its new value.
        entry: Entry,
    },
    /// `prepare map F`, `add map @N F`, `commit map @N F`, or the same for an ACL: all of it changes
    /// at one instant.
    ReplaceEntries {
        /// Which table.
        table: Table,
        /// What its file holds.
        #[serde(skip)]
        content: Arc<str>,
    },
    /// `del map F K` or `del acl F K`.
    RemoveEntry {
        /// Where from.
        table: Table,
        /// The key.
        key: Arc<str>,
    },
    /// `del ssl crt-list L F`, for the oldest entry with this certificate and these names.
    RemoveFromList {
        /// The path of the list.
        list: Arc<str>,
        /// The line, as it stood in the file.
        line: Arc<str>,
    },
    /// `del ssl cert F`.
    RemoveCertificate {
        /// The path of its file.
        file: Arc<str>,
    },
}

/// Keys that are looked up while HAProxy runs, by the path of the file that they were read from.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// A map: each key has a value.
    Map(Arc<str>),
    /// A list that an ACL compares with.
    List(Arc<str>),
}

/// A key of a table, with its value if the table is a map.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Entry {
    /// The key; in a list, all of the line.
    pub key: Arc<str>,
    /// The value; empty in a list.
    pub value: Arc<str>,
}

/// An entry of a list of certificates, as far as it is told from others.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ListEntry {
    /// The path of the certificate.
    pub certificate: Arc<str>,
    /// What is asked of clients, such as `verify optional`, sorted. HAProxy shows options in an order of
    /// its own and with all that they stand for, so that of others nothing is told.
    pub checks: Vec<Arc<str>>,
    /// For which names it is shown, sorted.
    pub names: Vec<Arc<str>>,
}

/// A certificate with its private key, or what certificates are checked against. Never shown.
#[derive(Clone, Eq, PartialEq, Serialize)]
pub struct Pem(#[serde(skip)] Arc<str>);

impl Command {
    /// The first words of it, such as `set_server`: few words, by which commands can be counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AddBackend { .. } => "add_backend",
            Self::PublishBackend { .. } => "publish_backend",
            Self::RemoveBackend { .. } => "del_backend",
            Self::AddServer { .. } => "add_server",
            Self::RemoveServer { .. } => "del_server",
            Self::SetServerAddress { .. }
            | Self::SetServerWeight { .. }
            | Self::SetServerState { .. } => "set_server",
            Self::AddCertificate { .. } => "new_ssl_cert",
            Self::SetCertificate { .. } => "set_ssl_cert",
            Self::RemoveCertificate { .. } => "del_ssl_cert",
            Self::SetAuthorities { .. } => "set_ssl_ca_file",
            Self::SetRevocations { .. } => "set_ssl_crl_file",
            Self::AddToList { .. } => "add_ssl_crt_list",
            Self::RemoveFromList { .. } => "del_ssl_crt_list",
            Self::AddEntries { .. } => "add_entries",
            Self::SetEntry { .. } => "set_map",
            Self::ReplaceEntries { .. } => "commit_entries",
            Self::RemoveEntry { .. } => "del_entry",
        }
    }

    /// When it has its turn: what refers to something comes behind what makes it, and in front of
    /// what takes it away, so that nothing is missing in between.
    pub(super) fn turn(&self) -> u8 {
        match self {
            Self::AddBackend { .. } => 0,
            // Servers that take requests come before those go that no longer do.
            Self::AddServer { .. }
            | Self::SetServerAddress { .. }
            | Self::SetServerWeight { .. }
            | Self::SetServerState {
                state: ServerState::Ready,
                ..
            } => 1,
            Self::SetServerState { .. } | Self::RemoveServer { .. } => 2,
            Self::PublishBackend { .. } => 3,
            Self::AddCertificate { .. }
            | Self::SetCertificate { .. }
            | Self::SetAuthorities { .. }
            | Self::SetRevocations { .. } => 4,
            Self::AddToList { .. } => 5,
            // What changes tables has an order of its own.
            Self::AddEntries { .. }
            | Self::SetEntry { .. }
            | Self::ReplaceEntries { .. }
            | Self::RemoveEntry { .. } => 6,
            Self::RemoveBackend { .. } => 7,
            Self::RemoveFromList { .. } => 8,
            Self::RemoveCertificate { .. } => 9,
        }
    }
}

impl Table {
    /// The table that a file holds, if it holds one.
    pub fn of(file: &File) -> Option<Self> {
        match file.role {
            Role::List => Some(Self::List(file.path.clone())),
            it if it.is_map() => Some(Self::Map(file.path.clone())),
            _ => None,
        }
    }

    /// The path of its file.
    pub fn file(&self) -> &Arc<str> {
        match self {
            Self::Map(file) | Self::List(file) => file,
        }
    }

    /// What commands call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Map(_) => "map",
            Self::List(_) => "acl",
        }
    }
}

impl Pem {
    /// The content of a certificate's file.
    pub(super) fn new(content: &Arc<str>) -> Self {
        Self(content.clone())
    }

    /// Its text, for whoever gives it to HAProxy.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl ListEntry {
    /// Reads `CERTIFICATE [OPTIONS] NAME…`.
    pub fn read(line: &str) -> Option<Self> {
        let (certificate, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (options, names) = match rest.trim_start().strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", rest),
        };
        let words: Vec<&str> = options.split_whitespace().collect();
        let asks = |it: &&[&str]| matches!(it[0], "ca-file" | "crl-file" | "verify");
        let checks = words.windows(2).filter(asks);
        let mut checks: Vec<Arc<str>> = checks.map(|it| it.join(" ").into()).collect();
        checks.sort_unstable();
        let mut names: Vec<Arc<str>> = names.split_whitespace().map(Into::into).collect();
        names.sort_unstable();
        let certificate = certificate.into();
        Some(Self {
            certificate,
            checks,
            names,
        })
    }
}

impl fmt::Display for ListEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.certificate)?;
        if !self.checks.is_empty() {
            write!(f, " [{}]", self.checks.join(" "))?;
        }
        self.names.iter().try_for_each(|it| write!(f, " {it}"))
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pem({} bytes)", self.0.len())
    }
}

impl fmt::Display for Command {
    /// The command as it is sent, or what stands for the few that it is made of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddBackend { backend, defaults } => {
                write!(f, "add backend {backend} from {defaults}")
            }
            Self::PublishBackend { backend } => write!(f, "publish backend {backend}"),
            Self::RemoveBackend { backend } => write!(f, "del backend {backend}"),
            Self::AddServer {
                backend,
                server,
                ip,
                port,
                weight,
                options,
                ..
            } => {
                let address = SocketAddr::new(*ip, *port);
                write!(f, "add server {backend}/{server} {address} weight {weight}")?;
                if options.is_empty() {
                    return Ok(());
                }
                write!(f, " {options}")
            }
            Self::RemoveServer { backend, server } => write!(f, "del server {backend}/{server}"),
            Self::SetServerAddress {
                backend,
                server,
                ip,
                port,
            } => write!(f, "set server {backend}/{server} addr {ip} port {port}"),
            Self::SetServerWeight {
                backend,
                server,
                weight,
            } => write!(f, "set server {backend}/{server} weight {weight}"),
            Self::SetServerState {
                backend,
                server,
                state,
            } => write!(f, "set server {backend}/{server} state {}", state.name()),
            Self::AddCertificate { file, .. } => write!(f, "new ssl cert {file}"),
            Self::SetCertificate { file, .. } => write!(f, "set ssl cert {file}"),
            Self::SetAuthorities { file, .. } => write!(f, "set ssl ca-file {file}"),
            Self::SetRevocations { file, .. } => write!(f, "set ssl crl-file {file}"),
            Self::AddToList { list, line } => write!(f, "add ssl crt-list {list} {line}"),
            Self::AddEntries { table, entries } => {
                write!(f, "add {table}")?;
                entries.iter().try_for_each(|it| write!(f, " {it}"))
            }
            Self::SetEntry { table, entry } => write!(f, "set {table} {entry}"),
            Self::ReplaceEntries { table, .. } => write!(f, "commit {table}"),
            Self::RemoveEntry { table, key } => write!(f, "del {table} {key}"),
            Self::RemoveFromList { list, line } => write!(f, "del ssl crt-list {list} {line}"),
            Self::RemoveCertificate { file } => write!(f, "del ssl cert {file}"),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.file())
    }
}

impl fmt::Display for Entry {
    /// As it stands in a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if !self.value.is_empty() {
            write!(f, " {}", self.value)?;
        }
        Ok(())
    }
}
