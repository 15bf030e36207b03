//! The paths that HAProxy knows, as links into the current generation.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::haproxy::files::disk::{Disk, UNFINISHED};
use crate::haproxy::files::library::spread;
use crate::haproxy::files::{CURRENT, Error, Files, MARKER, PLACEHOLDER, is_config, names};

impl Files {
    /// Lets the paths of a generation lead through [`CURRENT`]. Changes nothing that HAProxy finds.
    pub(super) fn link(
        &mut self,
        number: u64,
        marked: bool,
        made: &mut Vec<Arc<str>>,
    ) -> Result<(), Error> {
        let own = marked.then(|| self.etc.path.join(MARKER).to_string_lossy().into());
        let contents = &self.stored[&number].contents;
        let paths: Vec<Arc<str>> = own
            .into_iter()
            .chain(contents.keys().map(Arc::clone))
            .filter(|it| !self.linked.contains(it))
            .collect();
        let mut folders = BTreeSet::new();
        for path in paths {
            let file = Path::new(&*path);
            let target = self.target(file);
            if fs::read_link(file).is_ok_and(|it| it == target) {
                self.linked.insert(path);
                continue;
            }
            let parent = file.parent().expect("it is below one of the two folders");
            self.disk.make_folder(parent)?;
            match file.symlink_metadata() {
                Ok(it) if it.is_dir() => return Err(Error::Folder { path }),
                Ok(_) => {
                    // Through the link it must lead to what it held itself.
                    let held = fs::read(file).unwrap_or_default();
                    self.fill_in(&path, &held)?;
                }
                Err(_) => {
                    if is_config(&path) && parent == self.etc.path {
                        self.fill_in(&path, PLACEHOLDER)?;
                    }
                    made.push(Arc::clone(&path));
                }
            }
            self.disk.point(file, &target)?;
            folders.insert(parent.to_owned());
            self.linked.insert(path);
        }
        for folder in folders {
            self.disk.sync_folder(&folder)?;
        }
        Ok(())
    }

    /// Puts a file into all generations that have none at its path.
    fn fill_in(&mut self, file: &Arc<str>, text: &[u8]) -> Result<(), Error> {
        let numbers: Vec<u64> = self.stored.keys().copied().collect();
        for number in numbers {
            let stored = &self.stored[&number];
            if stored.contents.contains_key(file) || stored.generation.extra.contains(file) {
                continue;
            }
            let path = match (
                Path::new(&**file).strip_prefix(&self.etc.path),
                &stored.library,
            ) {
                (Ok(below), _) => self.etc.generation(number).join("files").join(below),
                (Err(_), Some(library)) => {
                    let below = Path::new(&**file).strip_prefix(&self.lib.path);
                    let below = below.expect("it was checked");
                    self.lib.generation(library.number).join(spread(below))
                }
                (Err(_), None) => continue,
            };
            // Noted first: a file that is noted and absent changes nothing.
            let stored = self.stored(number);
            stored.generation.extra.insert(Arc::clone(file));
            self.save(number)?;
            if !path.exists() {
                let parent = path.parent().expect("it is below a generation");
                self.disk.make_folder(parent)?;
                let written = self.disk.write(&path, 0o644, text)?;
                self.disk.sync(&[written, Disk::names_in(parent)?])?;
            }
        }
        Ok(())
    }

    /// Removes links of ours that lead nowhere.
    pub(super) fn remove_loose_links(&self, folder: &Path) -> Result<(), Error> {
        for name in names(folder)? {
            let path = folder.join(&name);
            if path.is_symlink() {
                let loose = !path.exists() && self.is_ours(&path);
                if loose || name.starts_with(UNFINISHED) {
                    self.disk.remove(&path)?;
                }
            } else if path.is_dir() && !name.starts_with('.') {
                self.remove_loose_links(&path)?;
            }
        }
        Ok(())
    }

    pub(super) fn is_ours(&self, path: &Path) -> bool {
        fs::read_link(path).is_ok_and(|it| it == self.target(path))
    }

    /// Where the link at a path leads.
    pub(super) fn target(&self, file: &Path) -> PathBuf {
        let (place, below, through) = if let Ok(below) = file.strip_prefix(&self.lib.path) {
            (&self.lib, below, Path::new("lib").join(spread(below)))
        } else {
            let below = file.strip_prefix(&self.etc.path).unwrap_or(file);
            (&self.etc, below, Path::new("files").join(below))
        };
        let folder = place.real.join(below.parent().unwrap_or(Path::new("")));
        relative(&folder, &self.etc.real)
            .join(CURRENT)
            .join(through)
    }
}

/// The way from one folder to another; both are real paths from the root.
pub(super) fn relative(from: &Path, to: &Path) -> PathBuf {
    let common = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    up.chain(to.components().skip(common)).collect()
}
