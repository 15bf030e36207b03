//! A new generation, beside those that are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::haproxy::files::contents::{self, Content, Contents};
use crate::haproxy::files::disk::{Disk, Unsynced, Waiting, failed, unfinished};
use crate::haproxy::files::library::{self, Library};
use crate::haproxy::files::links::relative;
use crate::haproxy::files::{
    Error, Files, GENERATIONS, Generation, MARKER, MARKER_VARIABLE, Memo, PLACEHOLDER,
    START_VARIABLE, Stored, is_config, marker, names, note,
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
        let mut lib = Waiting::below(&self.lib.path);
        let mut etc = Waiting::below(&self.etc.path);
        stored.library = self.build_library(number, &stored.contents, &mut lib)?;
        self.maps_in = start.elapsed();
        let shared = self.shared_extra(stored.library.as_ref());
        stored.generation.extra.extend(shared);
        let folder = self.etc.generation(number);
        let new = unfinished(&folder);
        self.disk.make_folder(&new.join("files"))?;
        if marked {
            let text = format!(
                "# The generation of files that HAProxy was started from, and when it was.\nglobal\n    \
                 set-var {MARKER_VARIABLE} str({})\n    set-var {START_VARIABLE} date(0,us)\n",
                marker(number, &stored.generation.digest)
            );
            let path = new.join("files").join(MARKER);
            etc.add(self.disk.write(&path, 0o644, text.as_bytes())?);
        }
        // Configuration files that other generations have.
        for name in names(&self.etc.path)? {
            let path = new.join("files").join(&name);
            let file = self.etc.path.join(&name);
            let place: Arc<str> = file.to_string_lossy().into();
            let has = stored.contents.contains_key(&place) || path.exists();
            if is_config(&name) && self.is_ours(&file) && !has {
                etc.add(self.disk.write(&path, 0o644, PLACEHOLDER)?);
                stored.generation.extra.insert(place);
            }
        }
        let maps_in = self.fill(&new.join("files"), &stored.contents, &mut etc)?;
        self.maps_in += maps_in;
        if let Some(library) = &stored.library {
            let library = library.number.to_string();
            let target = relative(
                &self.etc.real.join(GENERATIONS).join(number.to_string()),
                &self.lib.real.join(GENERATIONS).join(library),
            );
            self.disk.make_link(&new.join("lib"), &target)?;
        }
        let note = note(&stored.generation);
        let path = new.join("generation.json");
        etc.add(self.disk.write(&path, 0o644, &note)?);
        if let Some(places) = memo.write(&new, &self.disk)? {
            etc.add(places);
        }
        etc.add(Disk::names_in(&new)?);
        self.disk.sync_waiting([lib, etc])?;
        self.disk.rename(&new, &folder)?;
        self.stored.insert(number, stored);
        Ok(self.disk.sync_folder(&self.etc.generations())?)
    }

    /// Paths of the current generation's parts that a library has, too, although no bundle holds them.
    fn shared_extra(&self, library: Option<&Library>) -> Vec<Arc<str>> {
        let Some((library, current)) = library.zip(self.current) else {
            return Vec::new();
        };
        let current = &self.stored[&current];
        let is_shared = |path: &&Arc<str>| {
            let below = Path::new(&***path).strip_prefix(&self.lib.path).ok();
            below
                .zip(current.library.as_ref())
                .is_some_and(|(it, known)| {
                    let part = library::part(it);
                    let is_same = library.parts.get(&part) == known.parts.get(&part);
                    library.number == known.number || is_same && library.parts.contains_key(&part)
                })
        };
        let extra = current.generation.extra.iter();
        extra.filter(is_shared).cloned().collect()
    }

    /// Writes all files of `etc/haproxy` into a new folder, and returns how long those that are no
    /// configuration took. What the current generation has already gets a second name.
    fn fill(
        &self,
        folder: &Path,
        contents: &Contents,
        waiting: &mut Waiting,
    ) -> Result<Duration, Error> {
        let known = self.current.map(|it| {
            let folder = self.etc.generation(it).join("files");
            (folder, &self.stored[&it].contents)
        });
        let known = |path: &Arc<str>, content: &Content| {
            let (folder, contents) = known.as_ref()?;
            (contents.get(path)? == content).then_some(folder)
        };
        let files = contents.iter().filter_map(|(path, content)| {
            let below = Path::new(&**path).strip_prefix(&self.etc.path).ok()?;
            Some((below, content, known(path, content)))
        });
        self.disk.make_folder(folder)?;
        let mut folders = BTreeSet::from([folder.to_owned()]);
        let mut others_in = Duration::ZERO;
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
            if let Some(written) = self.put(&path, content, from.as_deref())? {
                waiting.add(written);
            }
            if parent != folder || !is_config(&below.to_string_lossy()) {
                others_in += start.elapsed();
            }
        }
        for folder in &folders {
            waiting.add(Disk::names_in(folder)?);
        }
        Ok(others_in)
    }

    /// Writes one file, unless the same is there already and can have a second name.
    pub(super) fn put(
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
