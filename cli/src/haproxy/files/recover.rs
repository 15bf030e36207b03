//! What an earlier process has left.

use std::fs;
use std::path::Path;

use crate::haproxy::files::contents::{self, Contents};
use crate::haproxy::files::disk::{UNFINISHED, failed, unfinished};
use crate::haproxy::files::library::PARTS;
use crate::haproxy::files::{CURRENT, Error, Files, Generation, MARKER, Stored, names};

impl Files {
    pub(super) fn recover(&mut self) -> Result<(), Error> {
        let (etc, lib) = (self.etc.generations(), self.lib.generations());
        for folder in [&etc, &lib, &self.lib.path.join(PARTS)] {
            for name in names(folder)? {
                if name.starts_with(UNFINISHED) {
                    self.disk.remove_folder(&folder.join(name))?;
                }
            }
        }
        self.disk
            .remove(&unfinished(&self.etc.path.join(CURRENT)))?;
        let current = fs::read_link(self.etc.path.join(CURRENT)).ok();
        let current = current.and_then(|it| it.file_name()?.to_str()?.parse().ok());
        for name in names(&etc)? {
            let Ok(number) = name.parse() else { continue };
            match self.read(number) {
                Ok(stored) => {
                    self.stored.insert(number, stored);
                }
                // Without the note beside it, it is nothing to go back to.
                Err(error) => tracing::warn!(%error, "generation {number} cannot be read"),
            }
        }
        self.current = current.filter(|it| self.stored.contains_key(it));
        if self.roll_back()? {
            self.note_drift()?;
        } else if self.current.is_none()
            && let Some(good) = self.good()
        {
            self.switch(good)?;
        }
        self.prune();
        // What is left now belongs to no generation.
        for name in names(&etc)? {
            if name.parse().is_ok_and(|it| !self.stored.contains_key(&it)) {
                self.disk.remove_folder(&etc.join(name))?;
            }
        }
        for folder in self.unused_libraries()? {
            self.disk.remove_folder(&folder)?;
        }
        self.remove_loose_links(&self.etc.path)?;
        self.remove_loose_links(&self.lib.path)
    }

    /// Reads a generation from the disk.
    fn read(&self, number: u64) -> Result<Stored, Error> {
        let folder = self.etc.generation(number);
        let note = folder.join("generation.json");
        let text = fs::read(&note).map_err(failed("read", &note))?;
        let mut generation: Generation =
            serde_json::from_slice(&text).map_err(|it| failed("understand", &note)(it.into()))?;
        let library = fs::read_link(folder.join("lib"))
            .ok()
            .and_then(|it| it.file_name()?.to_str()?.parse().ok());
        let mut contents = Contents::new();
        contents::scan(&folder.join("files"), &self.etc.path, &mut contents)?;
        let library = match library {
            Some(number) => Some(self.read_library(number, &mut contents)?),
            None => None,
        };
        let marker = self.etc.path.join(MARKER);
        contents.retain(|it, _| !generation.extra.contains(it) && Path::new(&**it) != marker);
        let digest = contents::digest(&contents);
        if digest != generation.digest {
            tracing::warn!("files of generation {number} were changed by somebody else");
            generation = Generation {
                digest,
                bootstrap: generation.bootstrap,
                extra: generation.extra,
                ..Generation::default()
            };
        }
        Ok(Stored {
            generation,
            library,
            contents,
        })
    }
}
