//! A new generation, beside those that are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::haproxy::files::contents::{self, Content, Contents};
use crate::haproxy::files::disk::{Disk, Unsynced, failed, unfinished};
use crate::haproxy::files::links::relative;
use crate::haproxy::files::{
    Error, Files, GENERATIONS, Generation, MANY_FILES, MARKER, MARKER_VARIABLE, Memo, PLACEHOLDER,
    Place, Stored, is_config, marker, names, note,
};

impl Files {
    /// Writes a generation beside the others.
    pub(super) fn build(
        &mut self,
        number: u64,
        mut stored: Stored,
        memo: &Memo,
        marked: bool,
    ) -> Result<(), Error> {
        let start = Instant::now();
        let mut unsynced = Vec::new();
        stored.library = self.build_library(number, &stored.contents, &mut unsynced)?;
        self.maps_in = start.elapsed();
        if stored.library.is_some_and(|it| it != number)
            && let Some(current) = self.current
        {
            let extra = &self.stored[&current].generation.extra;
            let shared = extra.iter().filter(|it| self.lib.holds(it)).cloned();
            stored.generation.extra.extend(shared);
        }
        let folder = self.etc.generation(number);
        let new = unfinished(&folder);
        self.disk.make_folder(&new.join("files"))?;
        if marked {
            let text = format!(
                "# The generation of files that HAProxy was started from.\nglobal\n    set-var {MARKER_VARIABLE} str({})\n",
                marker(number, &stored.generation.digest)
            );
            let path = new.join("files").join(MARKER);
            unsynced.push(self.disk.write(&path, 0o644, text.as_bytes())?);
        }
        // Configuration files that other generations have.
        for name in names(&self.etc.path)? {
            let path = new.join("files").join(&name);
            let file = self.etc.path.join(&name);
            let place: Arc<str> = file.to_string_lossy().into();
            let has = stored.contents.contains_key(&place) || path.exists();
            if is_config(&name) && self.is_ours(&file) && !has {
                unsynced.push(self.disk.write(&path, 0o644, PLACEHOLDER)?);
                stored.generation.extra.insert(place);
            }
        }
        let files = new.join("files");
        let source = |from| self.etc.generation(from).join("files");
        let maps_in = self.fill(&files, &self.etc, &stored.contents, source, &mut unsynced)?;
        self.maps_in += maps_in;
        if let Some(library) = stored.library {
            let target = relative(
                &self.etc.real.join(GENERATIONS).join(number.to_string()),
                &self.lib.real.join(GENERATIONS).join(library.to_string()),
            );
            self.disk.point(&new.join("lib"), &target)?;
        }
        let note = note(&stored.generation);
        let path = new.join("generation.json");
        unsynced.push(self.disk.write(&path, 0o644, &note)?);
        unsynced.extend(memo.write(&new, &self.disk)?);
        unsynced.push(Disk::names_in(&new)?);
        self.disk.sync(&unsynced)?;
        self.disk.rename(&new, &folder)?;
        self.stored.insert(number, stored);
        Ok(self.disk.sync_folder(&self.etc.generations())?)
    }

    /// Writes the certificates, unless they are those of the current generation.
    fn build_library(
        &self,
        number: u64,
        contents: &Contents,
        unsynced: &mut Vec<Unsynced>,
    ) -> Result<Option<u64>, Error> {
        let ours = |contents: &Contents| -> Vec<(Arc<str>, Content)> {
            contents
                .iter()
                .filter(|(path, _)| self.lib.holds(path))
                .map(|(path, it)| (Arc::clone(path), it.clone()))
                .collect()
        };
        let wanted = ours(contents);
        if wanted.is_empty() {
            return Ok(None);
        }
        if let Some(current) = self.current
            && let stored = &self.stored[&current]
            && ours(&stored.contents) == wanted
        {
            return Ok(stored.library);
        }
        let folder = self.lib.generation(number);
        let new = unfinished(&folder);
        let source = |from| {
            let library = self.stored[&from].library.unwrap_or(from);
            self.lib.generation(library)
        };
        self.fill(&new, &self.lib, contents, source, unsynced)?;
        // Nothing leads there before all of it is on the disk.
        self.disk.rename(&new, &folder)?;
        unsynced.push(Disk::names_in(&self.lib.generations())?);
        Ok(Some(number))
    }

    /// Writes all files of one place into a new folder, and returns how long those that are no
    /// configuration took. What the current generation has already gets a second name.
    ///
    /// New files are left to be synced with the rest of the generation, unless there are many.
    fn fill(
        &self,
        folder: &Path,
        place: &Place,
        contents: &Contents,
        source: impl Fn(u64) -> PathBuf,
        unsynced: &mut Vec<Unsynced>,
    ) -> Result<Duration, Error> {
        let known = self
            .current
            .map(|it| (source(it), &self.stored[&it].contents));
        let known = |path: &Arc<str>, content: &Content| {
            let (folder, contents) = known.as_ref()?;
            (contents.get(path)? == content).then_some(folder)
        };
        let files = contents.iter().filter_map(|(path, content)| {
            let below = Path::new(&**path).strip_prefix(&place.path).ok()?;
            Some((below, content, known(path, content)))
        });
        self.disk.make_folder(folder)?;
        let mut folders = BTreeSet::from([folder.to_owned()]);
        let mut others_in = Duration::ZERO;
        let (mut written, mut many) = (Vec::new(), false);
        for (below, content, known) in files {
            let path = folder.join(below);
            let parent = path.parent().expect("it is below the folder");
            if !folders.contains(parent) {
                self.disk.make_folder(parent)?;
                let above = parent.ancestors().take_while(|it| *it != folder);
                folders.extend(above.map(Path::to_owned));
            }
            let start = Instant::now();
            let from = known.map(|it| it.join(below));
            written.extend(self.put(&path, content, from.as_deref())?);
            if written.len() > MANY_FILES {
                // None of them needs to stay open.
                written.clear();
                many = true;
            }
            if parent != folder || !is_config(&below.to_string_lossy()) {
                others_in += start.elapsed();
            }
        }
        if many {
            self.disk.sync_all(folder)?;
        } else {
            unsynced.extend(written);
            for folder in &folders {
                unsynced.push(Disk::names_in(folder)?);
            }
        }
        Ok(others_in)
    }

    /// Writes one file, unless the same is there already and can have a second name.
    fn put(
        &self,
        path: &Path,
        content: &Content,
        from: Option<&Path>,
    ) -> Result<Option<Unsynced>, Error> {
        if from.is_some_and(|it| self.disk.share(it, path)) {
            return Ok(None);
        }
        if let Some(text) = &content.text {
            return Ok(Some(self.disk.write(path, content.mode, text)?));
        }
        let from = from.expect("a file without a text is on the disk");
        let text = fs::read(from).map_err(failed("read", from))?;
        Ok(Some(self.disk.write(path, content.mode, &text)?))
    }

    /// Makes a generation of the files that somebody else has put where ours belong.
    pub(super) fn take_over(&mut self, wanted: &Contents) -> Result<(), Error> {
        let mut contents = Contents::new();
        for path in wanted.keys() {
            let file = Path::new(&**path);
            if !file.symlink_metadata().is_ok_and(|it| it.is_file()) {
                continue;
            }
            let text: Arc<[u8]> = fs::read(file).map_err(failed("read", file))?.into();
            let content = Content {
                mode: wanted[path].mode,
                hash: blake3::hash(&text),
                text: Some(text),
            };
            contents.insert(Arc::clone(path), content);
        }
        let number = self.next_number();
        let stored = Stored {
            generation: Generation {
                digest: contents::digest(&contents),
                bootstrap: true,
                ..Generation::default()
            },
            library: None,
            contents,
        };
        let made = self
            .build(number, stored, &Memo::default(), false)
            .and_then(|()| self.switch(number));
        if made.is_err() {
            self.undo(number, &[]);
        }
        made
    }
}
