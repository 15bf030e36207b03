//! What a compilation produces: files with modes, sections with digests, and who made which line.

mod outline;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::assemble::Places;
pub use crate::bundle::outline::Outline;
pub use crate::bundle::shown::shown;
use crate::diagnostic::Diagnostic;
pub use crate::haproxy::Role;
use crate::haproxy::{Acme, Closing};
use crate::options::Name;
use crate::origin::Origin;
pub use crate::origin::SourceMap;

/// Everything that HAProxy reads, as one generation.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Bundle {
    /// All files, the main configuration first, then by path.
    pub files: Vec<File>,
    /// The sections of the main configuration, in order.
    pub sections: Vec<Section>,
}

/// The result of a compilation: the best configuration there is, and what is wrong with the input.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// Everything that HAProxy reads.
    pub bundle: Bundle,
    /// Everything that users should know, errors first.
    pub diagnostics: Vec<Diagnostic>,
    /// Where every server stands.
    pub places: Places,
    /// What an authority of certificates has to sign, for whoever asks it, if one is set up.
    pub acme: Option<Arc<Acme>>,
    /// What servers are given that are added while HAProxy runs, by the backend's name; backends to
    /// which none can be added are not here.
    pub new_servers: BTreeMap<Arc<str>, NewServer>,
    /// Files that say which certificates of clients are taken, where sessions of clients are resumed:
    /// HAProxy takes the certificate of an earlier session for checked, whatever the file holds by then.
    pub outlived: BTreeSet<Arc<str>>,
    /// Whether labels of Pods decide about anything, so that Pods have to be read.
    pub uses_pods: bool,
    /// How an old worker that ran this ends its sessions, if not all at once.
    pub closing: Option<Closing>,
    /// The Ingresses that are ours, the oldest first.
    pub ingresses: Vec<Name>,
}

/// What a server is given that is added to a backend while HAProxy runs. HAProxy does not apply
/// `default-server` to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewServer {
    /// Its options, as they stand on the backend's line `default-server`.
    pub options: Arc<str>,
    /// Whether its health is checked.
    pub is_checked: bool,
    /// Whether its agent is asked.
    pub has_agent: bool,
    /// Whether its cookie is made of its address.
    pub has_dynamic_cookie: bool,
}

/// One file.
#[derive(Clone, Eq, PartialEq)]
pub struct File {
    /// Its absolute path, with the prefix of the options in front.
    pub path: Arc<str>,
    /// Its permission bits, such as `0o644`.
    pub mode: u32,
    /// What it is.
    pub role: Role,
    /// What is in it.
    pub content: Arc<str>,
    /// Who made each of its lines.
    pub source_map: Arc<SourceMap>,
}

/// A part of the main configuration that HAProxy calls a section.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Section {
    /// Its header, such as `backend shop_web_8080`.
    pub name: Arc<str>,
    /// The first of its lines in the file, counted from 1.
    pub first_line: u32,
    /// How many lines it has.
    pub lines: u32,
    /// Where its first line begins in the file, in bytes.
    pub offset: usize,
    /// A digest of its text.
    pub digest: u64,
    /// A digest of its text without its servers, whose state can be changed while HAProxy runs.
    pub frame: u64,
    /// For a backend, the section `defaults` that says all of it but its servers, if there can be one:
    /// of that a running HAProxy can make it.
    pub defaults: Option<Arc<str>>,
}

impl Bundle {
    /// The text of the main configuration.
    pub fn config(&self) -> &str {
        self.main().map_or("", |it| &*it.content)
    }

    /// Whether there is something that a running HAProxy can make backends of.
    pub fn makes_backends(&self) -> bool {
        let mut sections = self.sections.iter();
        sections.any(|it| it.name.starts_with(Section::MODEL))
    }

    /// Who made a line of the main configuration, counted from 1.
    pub fn authors(&self, line: u32) -> &[Origin] {
        self.main().map_or(&[], |it| it.source_map.line(line))
    }

    /// The file with the main configuration.
    pub fn main(&self) -> Option<&File> {
        self.files.iter().find(|it| it.role == Role::Config)
    }

    /// A file by its path.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|it| &*it.path == path)
    }
}

impl Section {
    /// How the header of a section begins of which a running HAProxy makes backends.
    pub(crate) const MODEL: &str = "defaults _backend";

    /// The header in the text of a section: its first line that begins with a letter.
    pub(crate) fn header(text: &str) -> Option<&str> {
        let is_header = |it: &&str| it.starts_with(|it: char| it.is_ascii_alphabetic());
        text.lines().find(is_header)
    }

    /// The digest of a section's text, or of some of it.
    pub(crate) fn digest(text: &str) -> u64 {
        xxh3_64(text.as_bytes())
    }
}

impl File {
    /// A file of which nobody knows who made it.
    pub fn new(
        path: impl Into<Arc<str>>,
        mode: u32,
        role: Role,
        content: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            path: path.into(),
            mode,
            role,
            content: content.into(),
            source_map: Arc::default(),
        }
    }

    /// Whether its content must not be shown.
    pub fn is_secret(&self) -> bool {
        self.role == Role::Certificate
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut it = f.debug_struct("File");
        it.field("path", &self.path)
            .field("mode", &format_args!("{:#o}", self.mode));
        if self.is_secret() {
            it.field("content", &format_args!("({} bytes)", self.content.len()));
        } else {
            it.field("content", &self.content);
        }
        it.finish_non_exhaustive()
    }
}
