//! What is in the files of a generation, by path, without necessarily holding their text.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use haproxy_ingress_core::bundle;

use crate::haproxy::files::disk::{self, failed};

/// All files of a generation by their absolute paths.
pub(super) type Contents = BTreeMap<Arc<str>, Content>;

/// One file.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// Its permission bits.
    pub(super) mode: u32,
    /// The digest of its text.
    pub(super) hash: blake3::Hash,
    /// Its text, unless it was only seen on the disk. Kept to recognise by its address what does not
    /// change from one bundle to the next: hashing ten thousand certificates takes longer than
    /// telling HAProxy about one new endpoint may.
    pub(super) text: Option<Arc<[u8]>>,
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        (self.mode, self.hash) == (other.mode, other.hash)
    }
}

/// The files of a bundle; `known` spares the hashing of those that are the same text in memory.
pub(super) fn of(files: &[bundle::File], known: Option<&Contents>) -> Contents {
    let content = |file: &bundle::File| {
        let text = Arc::<[u8]>::from(Arc::clone(&file.content));
        let hash = known
            .and_then(|it| it.get(&file.path))
            .filter(|it| it.text.as_ref().is_some_and(|it| Arc::ptr_eq(it, &text)))
            .map_or_else(|| blake3::hash(&text), |it| it.hash);
        Content {
            mode: file.mode,
            hash,
            text: Some(text),
        }
    };
    files
        .iter()
        .map(|it| (Arc::clone(&it.path), content(it)))
        .collect()
}

/// Reads what is below a folder, as if it were below another one.
pub(super) fn scan(
    folder: &Path,
    place: &Path,
    contents: &mut Contents,
) -> Result<(), disk::Error> {
    for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
        let entry = entry.map_err(failed("read", folder))?;
        let (path, place) = (entry.path(), place.join(entry.file_name()));
        let metadata = entry.metadata().map_err(failed("read", &path))?;
        if metadata.is_dir() {
            scan(&path, &place, contents)?;
        } else {
            let text = fs::read(&path).map_err(failed("read", &path))?;
            contents.insert(
                place.to_string_lossy().into(),
                Content {
                    mode: metadata.permissions().mode() & 0o7777,
                    hash: blake3::hash(&text),
                    text: None,
                },
            );
        }
    }
    Ok(())
}

/// One digest of paths, modes and texts.
pub(super) fn digest(contents: &Contents) -> String {
    let mut hasher = blake3::Hasher::new();
    for (path, content) in contents {
        hasher.update(path.as_bytes());
        // No path holds a NUL, so that no two lists of files make the same sequence of bytes.
        hasher.update(&[0]);
        hasher.update(&content.mode.to_le_bytes());
        hasher.update(content.hash.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
