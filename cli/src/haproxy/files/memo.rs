//! What is kept beside the files of a generation, so that a controller that starts can go on from there:
//! where servers stand, and what the files do not say of themselves.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use haproxy_ingress_core::assemble::Places;
use haproxy_ingress_core::bundle::Outline;
use haproxy_ingress_core::compile::Compiled;
use serde::de::DeserializeOwned;

use crate::haproxy::files::disk::{self, Disk, Unsynced, failed};
use crate::haproxy::files::{Files, Generation};

/// Where servers stand. By itself it may be old or wrong: that costs a reload at most.
pub(super) const PLACES: &str = "places.json";

/// What the files do not say of themselves.
const OUTLINE: &str = "outline.json";

/// What is kept of one generation.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    places: Option<Vec<u8>>,
    outline: Option<Vec<u8>>,
}

impl Memo {
    /// Of a configuration with its outline, from which a plan can lead on later.
    pub(crate) fn new(places: &Places, outline: &Outline) -> Self {
        let outline = serde_json::to_vec(outline).expect("plain fields become JSON");
        Self {
            outline: Some(outline),
            ..Self::from(places)
        }
    }

    /// The digest of all of it, if a plan can lead on from it.
    pub(super) fn digest(&self) -> Option<String> {
        let outline = self.outline.as_ref()?;
        let places = self.places.as_deref().unwrap_or_default();
        let mut hasher = blake3::Hasher::new();
        hasher.update(blake3::hash(places).as_bytes());
        hasher.update(outline);
        Some(hasher.finalize().to_hex().to_string())
    }

    /// Writes it into the folder of a generation.
    pub(super) fn write(
        &self,
        folder: &Path,
        disk: &Disk,
    ) -> Result<Option<Unsynced>, disk::Error> {
        if let Some(outline) = &self.outline {
            // Not waited for: what a crash has cut has another digest than the one in the note.
            let _ = disk.write(&folder.join(OUTLINE), 0o644, outline)?;
        }
        let places = self.places.as_ref();
        let written = places.map(|it| disk.write(&folder.join(PLACES), 0o644, it));
        written.transpose()
    }
}

impl From<&Places> for Memo {
    fn from(places: &Places) -> Self {
        let text = || serde_json::to_vec(places).expect("plain fields become JSON");
        Self {
            places: (!places.is_empty()).then(text),
            outline: None,
        }
    }
}

impl Files {
    /// Where servers stand in the current generation. What cannot be read is not known; that costs a
    /// reload at most.
    pub(crate) fn places(&self) -> Places {
        let Some(number) = self.current else {
            return Places::new();
        };
        let path = self.etc.generation(number).join(PLACES);
        let read = read(&path).and_then(|it| it.map(|it| understand(&it, &path)).transpose());
        let places = read.unwrap_or_else(|error| {
            tracing::warn!(%error, "it is not known where servers stand");
            None
        });
        places.unwrap_or_default()
    }

    /// What HAProxy runs if it runs the current generation: its files and what is kept beside them,
    /// unless some of that is not as it was written, or not as this program writes it.
    pub(crate) fn recall(&self) -> Option<Compiled> {
        let (number, generation) = self.current()?;
        if !generation.confirmed || generation.drifted {
            return None;
        }
        let recalled = self.recall_from(number, generation);
        recalled.unwrap_or_else(|error| {
            tracing::warn!(%error, "it is not known what HAProxy runs");
            None
        })
    }

    fn recall_from(
        &self,
        number: u64,
        generation: &Generation,
    ) -> Result<Option<Compiled>, disk::Error> {
        let folder = self.etc.generation(number);
        let [places, outline] = [PLACES, OUTLINE].map(|it| folder.join(it));
        let memo = Memo {
            places: read(&places)?,
            outline: read(&outline)?,
        };
        if memo.digest().is_none_or(|it| Some(it) != generation.memo) {
            tracing::debug!("generation {number} does not tell what it was made of");
            return Ok(None);
        }
        let text = memo.outline.unwrap_or_default();
        let outline: Outline = understand(&text, &outline)?;
        let known = memo.places.map(|it| understand(&it, &places));
        let known = known.transpose()?.unwrap_or_default();
        let mut files = Vec::new();
        for (path, content) in &self.stored[&number].contents {
            // By the path that HAProxy reads it by.
            let file = Path::new(&**path);
            let text = fs::read(file).map_err(failed("read", file))?;
            let is_same = blake3::hash(&text) == content.hash;
            let Some(text) = String::from_utf8(text).ok().filter(|_| is_same) else {
                tracing::warn!("`{path}` was changed by somebody else");
                return Ok(None);
            };
            files.push((Arc::clone(path), content.mode, text.into()));
        }
        Ok(outline.restore(files, known))
    }
}

/// Reads a file, if it is there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, disk::Error> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

fn understand<T: DeserializeOwned>(text: &[u8], path: &Path) -> Result<T, disk::Error> {
    serde_json::from_slice(text).map_err(|it| failed("understand", path)(it.into()))
}

#[cfg(test)]
mod tests {
    use haproxy_ingress_core::assemble::Place;
    use haproxy_ingress_core::compile::compile;
    use haproxy_ingress_core::haproxy::{Address, ServerState};
    use haproxy_ingress_core::options::Options;
    use haproxy_ingress_core::snapshot::Snapshot;

    use super::super::tests::folder;
    use super::*;
    use crate::haproxy::files::Error;

    /// A configuration for a folder, with one server.
    fn compiled(prefix: &Path) -> Compiled {
        let options = Options {
            prefix: prefix.to_string_lossy().into_owned(),
            ..Options::default()
        };
        let place = Place {
            name: "srv001".into(),
            address: Address::Ip([10, 0, 0, 1].into(), 80),
            weight: 1,
            state: ServerState::Ready,
            options: None,
        };
        Compiled {
            places: [("shop".into(), vec![place])].into(),
            ..compile(&Snapshot::default(), &options, None)
        }
    }

    fn write(files: &mut Files, compiled: &Compiled) -> Result<u64, Error> {
        let memo = Memo::new(&compiled.places, &Outline::of(compiled));
        files.write(&compiled.bundle.files, memo, true)
    }

    /// What was confirmed, as a controller that starts finds it when something was done to the disk.
    fn found(change: impl FnOnce(&Path)) -> Result<Option<Compiled>, Error> {
        let folder = folder();
        let prefix = folder.path();
        let mut files = Files::open(prefix, 0)?;
        let number = write(&mut files, &compiled(prefix))?;
        files.confirm(number, None)?;
        drop(files);
        change(&prefix.join("etc/haproxy/.current/"));
        Ok(Files::open(prefix, 0)?.recall())
    }

    #[test]
    fn what_was_confirmed_is_recalled() -> Result<(), Error> {
        let folder = folder();
        let wanted = compiled(folder.path());
        let mut files = Files::open(folder.path(), 0)?;
        assert!(files.recall().is_none(), "there is nothing");
        let number = write(&mut files, &wanted)?;
        assert!(files.recall().is_none(), "HAProxy may not take it");
        files.confirm(number, None)?;
        for files in [files, Files::open(folder.path(), 0)?] {
            let found = files.recall().expect("all of it is there");
            assert_eq!(found.bundle.sections, wanted.bundle.sections);
            assert_eq!(found.places, wanted.places);
            let both = found.bundle.files.iter().zip(&wanted.bundle.files);
            for (found, wanted) in both {
                let of = |it: &haproxy_ingress_core::bundle::File| {
                    (it.path.clone(), it.mode, it.role, it.content.clone())
                };
                assert_eq!(of(found), of(wanted));
            }
            assert_eq!(found.bundle.files.len(), wanted.bundle.files.len());
        }
        let mut files = Files::open(folder.path(), 0)?;
        files.note_drift()?;
        assert!(files.recall().is_none(), "HAProxy has something else");
        Ok(())
    }

    #[test]
    fn what_is_not_as_it_was_written_is_not_recalled() -> Result<(), Error> {
        assert!(found(|_| {})?.is_some());
        let edit = |path: &Path, from: &str, to: &str| {
            let text = fs::read_to_string(path).expect("it is there");
            assert!(text.contains(from), "{text}");
            fs::write(path, text.replacen(from, to, 1)).expect("it is ours");
        };
        let config = found(|it| edit(&it.join("files/haproxy.cfg"), "global", "global # ours"))?;
        assert!(config.is_none(), "the configuration");
        let places = found(|it| edit(&it.join(PLACES), "10.0.0.1", "10.0.0.2"))?;
        assert!(places.is_none(), "where servers stand");
        let outline = found(|it| edit(&it.join(OUTLINE), "\"outlived\":[", "\"outlived\":[\"x\""))?;
        assert!(outline.is_none(), "the outline");
        let cut = found(|it| fs::write(it.join(OUTLINE), "").expect("it is ours"))?;
        assert!(cut.is_none(), "an outline that a crash has cut");
        let lost = found(|it| fs::remove_file(it.join(OUTLINE)).expect("it is there"))?;
        assert!(lost.is_none(), "no outline");
        // As an older version of this program has left it.
        let older = found(|it| edit(&it.join("generation.json"), "\"memo\"", "\"else\""))?;
        assert!(older.is_none(), "no digest");
        Ok(())
    }

    #[test]
    fn an_outline_of_another_format_is_not_understood() -> Result<(), Error> {
        let folder = folder();
        let wanted = compiled(folder.path());
        let mut files = Files::open(folder.path(), 0)?;
        let outline = serde_json::to_string(&Outline::of(&wanted)).expect("plain fields");
        let memo = Memo {
            outline: Some(outline.replacen("\"format\":", "\"format\":9", 1).into()),
            ..Memo::from(&wanted.places)
        };
        let number = files.write(&wanted.bundle.files, memo, true)?;
        files.confirm(number, None)?;
        assert!(files.recall().is_none());
        assert_eq!(files.places(), wanted.places);
        Ok(())
    }
}
