//! The files of `var/lib/haproxy`, most of which are certificates: a generation of their own.
//!
//! There may be ten thousand, of which ten change. A second name for each of the others takes longer
//! than to tell HAProxy of the ten, so they lie in parts, and a generation leads to the parts that have
//! not changed as the one before does.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::haproxy::files::contents::{self, Content, Contents};
use crate::haproxy::files::disk::{self, Disk, UNFINISHED, Waiting};
use crate::haproxy::files::links::relative;
use crate::haproxy::files::{Error, Files, names};

/// Holds the parts of all generations.
pub(super) const PARTS: &str = ".parts";

/// In how many parts the files of a folder lie. With a thousand of them a change of ten gives a second
/// name to two hundred files and links.
const COUNT: u8 = 128;

/// A generation of `var/lib/haproxy`.
#[derive(Clone, Debug)]
pub(super) struct Library {
    pub(super) number: u64,
    /// The names of its parts in [`PARTS`], by where it has them.
    pub(super) parts: Arc<BTreeMap<PathBuf, String>>,
}

/// The files of a part by their names.
type Part<'c> = BTreeMap<&'c Path, (&'c Arc<str>, &'c Content)>;

/// Where a generation of `var/lib/haproxy` has a file that HAProxy looks for `below` it.
pub(super) fn spread(below: &Path) -> PathBuf {
    let folder = below.parent().unwrap_or(Path::new(""));
    let hash = blake3::hash(below.as_os_str().as_encoded_bytes());
    let part = hash.as_bytes()[0] % COUNT;
    let name = below.file_name().unwrap_or_default();
    // No file of a bundle has a name that begins with a dot.
    folder.join(format!(".{part:02x}")).join(name)
}

/// The part of a file.
pub(super) fn part(below: &Path) -> PathBuf {
    let mut path = spread(below);
    path.pop();
    path
}

impl Files {
    /// Writes the files of `var/lib/haproxy`, unless they are those of the current generation.
    pub(super) fn build_library(
        &self,
        number: u64,
        contents: &Contents,
        waiting: &mut Waiting,
    ) -> Result<Option<Library>, Error> {
        let current = self.current.and_then(|it| {
            let stored = &self.stored[&it];
            Some((stored.library.as_ref()?, &stored.contents))
        });
        let is_here = |it: &(&Arc<str>, &Content)| Path::new(&**it.0).starts_with(&self.lib.path);
        if let Some((library, known)) = current
            && (known.iter().filter(is_here)).eq(contents.iter().filter(is_here))
        {
            return Ok(Some(library.clone()));
        }
        let parts = self.parts(contents);
        if parts.is_empty() {
            return Ok(None);
        }
        let current = current.map(|(library, known)| (library, self.parts(known)));
        let folder = self.lib.generation(number);
        let new = disk::unfinished(&folder);
        let mut folders = BTreeSet::from([new.clone()]);
        let mut built = BTreeMap::new();
        for (index, (place, files)) in parts.iter().enumerate() {
            let link = new.join(place);
            let parent = link.parent().expect("it is below the generation");
            if !folders.contains(parent) {
                self.disk.make_folder(parent)?;
                let above = parent.ancestors().take_while(|it| *it != new);
                folders.extend(above.map(Path::to_owned));
            }
            let same = current.as_ref().and_then(|(library, known)| {
                let name = library.parts.get(place)?;
                let old = self.lib.generation(library.number).join(place);
                (known.get(place) == Some(files)).then_some((old, name))
            });
            if let Some((old, name)) = same {
                self.lead(&link, name, Some(&old))?;
                built.insert(place.clone(), name.clone());
                continue;
            }
            let name = format!("{number}-{index}");
            self.fill_part(&name, files, waiting)?;
            self.lead(&link, &name, None)?;
            built.insert(place.clone(), name);
        }
        for folder in folders {
            waiting.add(Disk::names_in(&folder)?);
        }
        waiting.add(Disk::names_in(&self.lib.path.join(PARTS))?);
        // Nothing leads there before all of it is on the disk.
        self.disk.rename(&new, &folder)?;
        waiting.add(Disk::names_in(&self.lib.generations())?);
        Ok(Some(Library {
            number,
            parts: Arc::new(built),
        }))
    }

    /// Writes a part. What the current generation has of it gets a second name.
    fn fill_part(&self, name: &str, files: &Part<'_>, waiting: &mut Waiting) -> Result<(), Error> {
        let folder = self.lib.path.join(PARTS).join(name);
        self.disk.make_folder(&folder)?;
        for (below, (path, content)) in files {
            let known = self.current.and_then(|it| {
                let stored = &self.stored[&it];
                let is_same = stored.contents.get(*path) == Some(*content);
                let library = stored.library.as_ref().filter(|_| is_same)?;
                Some(self.lib.generation(library.number).join(spread(below)))
            });
            let name = below.file_name().expect("a file has a name");
            if let Some(written) = self.put(&folder.join(name), content, known.as_deref())? {
                waiting.add(written);
            }
        }
        waiting.add(Disk::names_in(&folder)?);
        Ok(())
    }

    /// Lets a path lead to a part, as another one does already.
    fn lead(&self, link: &Path, name: &str, same: Option<&Path>) -> Result<(), Error> {
        if same.is_some_and(|it| self.disk.share(it, link)) {
            return Ok(());
        }
        let from = link.parent().expect("it is in a generation");
        let to = self.lib.path.join(PARTS).join(name);
        Ok(self.disk.make_link(link, &relative(from, &to))?)
    }

    /// The files of `var/lib/haproxy` by their parts.
    fn parts<'c>(&self, contents: &'c Contents) -> BTreeMap<PathBuf, Part<'c>> {
        let mut parts: BTreeMap<PathBuf, Part<'c>> = BTreeMap::new();
        for (path, content) in contents {
            if let Ok(below) = Path::new(&**path).strip_prefix(&self.lib.path) {
                let files = parts.entry(part(below)).or_default();
                files.insert(below, (path, content));
            }
        }
        parts
    }

    /// Reads a generation of `var/lib/haproxy` from the disk.
    pub(super) fn read_library(
        &self,
        number: u64,
        contents: &mut Contents,
    ) -> Result<Library, Error> {
        let mut parts = BTreeMap::new();
        let folder = self.lib.generation(number);
        self.read_parts(&folder, Path::new(""), &mut parts, contents)?;
        Ok(Library {
            number,
            parts: Arc::new(parts),
        })
    }

    fn read_parts(
        &self,
        folder: &Path,
        below: &Path,
        parts: &mut BTreeMap<PathBuf, String>,
        contents: &mut Contents,
    ) -> Result<(), Error> {
        for name in names(&folder.join(below))? {
            let place = below.join(&name);
            if !name.starts_with('.') {
                self.read_parts(folder, &place, parts, contents)?;
                continue;
            }
            let path = folder.join(&place);
            let part = fs::read_link(&path).ok();
            let part = part.as_deref().and_then(Path::file_name);
            if let Some(part) = part {
                parts.insert(place, part.to_string_lossy().into_owned());
            }
            contents::scan(&path, &self.lib.path.join(below), contents)?;
        }
        Ok(())
    }

    /// The generations of `var/lib/haproxy` that no other one uses, and the parts that are in none.
    pub(super) fn unused_libraries(&self) -> Result<Vec<PathBuf>, Error> {
        let libraries = || self.stored.values().filter_map(|it| it.library.as_ref());
        let numbers: HashSet<u64> = libraries().map(|it| it.number).collect();
        let parts = libraries().flat_map(|it| it.parts.values());
        let parts: HashSet<&str> = parts.map(String::as_str).collect();
        let is_unused = |name: &str| name.parse().is_ok_and(|it| !numbers.contains(&it));
        let mut unused = below(&self.lib.generations(), is_unused)?;
        let is_unused = |name: &str| !name.starts_with(UNFINISHED) && !parts.contains(name);
        unused.extend(below(&self.lib.path.join(PARTS), is_unused)?);
        Ok(unused)
    }
}

/// What is in a folder with such names.
fn below(folder: &Path, is_such: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, Error> {
    let mut names = names(folder)?;
    names.retain(|it| is_such(it));
    Ok(names.iter().map(|it| folder.join(it)).collect())
}
