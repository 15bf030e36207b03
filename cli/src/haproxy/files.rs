//! A bundle on disk: written whole or not at all.
//!
//! HAProxy may be started again at any instant, by somebody else, and the paths in its configuration
//! never change. So the files stand in numbered generations, and each path that HAProxy knows is a
//! symbolic link that leads through one other link, `.current`:
//!
//! ```text
//! etc/haproxy/haproxy.cfg             ─▶ .current/files/haproxy.cfg
//! etc/haproxy/maps/front.map          ─▶ ../.current/files/maps/front.map
//! var/lib/haproxy/crt/shop.pem        ─▶ ../../../../etc/haproxy/.current/lib/crt/.3f/shop.pem
//!
//! etc/haproxy/.current                ─▶ .generations/7            one rename(2) switches everything
//! etc/haproxy/.generations/7/files/      haproxy.cfg, generation.cfg, maps/front.map, …
//! etc/haproxy/.generations/7/lib      ─▶ ../../../../var/lib/haproxy/.generations/5
//! etc/haproxy/.generations/7/generation.json, places.json, outline.json
//! var/lib/haproxy/.generations/5/crt/.3f ─▶ ../../../.parts/4-0
//! var/lib/haproxy/.parts/4-0/            shop.pem, …
//! ```
//!
//! The two folders may be different mounts: private keys stay on theirs, the switch is on the other.
//! All links are relative, so the tree may be mounted elsewhere. A generation is built under a name
//! that begins with `.new-`, synced and renamed; what does not change is a second name of the same
//! file, and the certificates are a generation of their own that many of the others share, as its parts
//! are shared by those that come after it.
//!
//! HAProxy reads all `*.cfg` in `etc/haproxy`, and a link that leads nowhere stops it. Therefore a new
//! one first leads to a comment in the generations that do not have that file. A file that somebody
//! else has put in the place of a link is copied into the current generation before it is replaced,
//! so that the replacement changes nothing.
//!
//! `generation.cfg` makes HAProxy itself tell which generation it was started from, and when: it sets variables
//! of the process that the worker's socket shows (`get var`, 2.4 and later). A HAProxy that happens to
//! start while `.current` is switched may read some files before and some after; it then shows a
//! generation that is not the current one, or is told to reload anyway: a switch is followed by a reload, or
//! follows commands, and then the process that took them is the only one that may show an earlier one.
//!
//! *Invariant:* between any two changes of the disk, HAProxy finds one whole generation. A generation
//! that HAProxy has confirmed is there until a newer one is confirmed.

mod build;
mod contents;
mod disk;
mod garbage;
mod held;
mod library;
mod links;
mod memo;
mod recover;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use haproxy_ingress_core::bundle;
use serde::{Deserialize, Serialize};

use crate::haproxy::files::contents::Contents;
use crate::haproxy::files::disk::{Disk, failed, unfinished};
use crate::haproxy::files::library::{Library, PARTS};
pub(crate) use crate::haproxy::files::memo::Memo;

/// The files of HAProxy below one prefix. One process may write them.
#[derive(Debug)]
pub(crate) struct Files {
    /// `etc/haproxy`.
    etc: Place,
    /// `var/lib/haproxy`.
    lib: Place,
    disk: Disk,
    stored: BTreeMap<u64, Stored>,
    current: Option<u64>,
    /// How many former generations are kept beside the current one and the last good one.
    former: usize,
    /// The paths that are known to be links of ours.
    linked: HashSet<Arc<str>>,
    /// How long everything but the configuration of the last bundle took to be written.
    maps_in: Duration,
}

/// What is known of one generation; kept beside its files.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Generation {
    /// The digest of paths, modes and texts of its files.
    pub(crate) digest: String,
    /// Whether HAProxy runs, or ran, with it.
    pub(crate) confirmed: bool,
    /// What was there before the first bundle.
    #[serde(default)]
    pub(crate) bootstrap: bool,
    /// The marker of the generation that the worker was started from which runtime commands brought
    /// to this one.
    #[serde(default)]
    pub(crate) started_from: Option<String>,
    /// Whether a worker of this generation may have been given commands that it does not hold.
    #[serde(default)]
    pub(crate) drifted: bool,
    /// The digest of what is kept beside its files for a controller that starts, if something is that
    /// it can plan from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) memo: Option<String>,
    /// Paths that lead to something in this generation although its bundle does not hold them.
    #[serde(default)]
    extra: BTreeSet<Arc<str>>,
}

/// Why files were not written. What was there before still is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The disk is full, read-only, or not what was expected.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// A file of the bundle is not below one of the two folders.
    #[error("`{path}` is not a place for a file of HAProxy")]
    Outside {
        /// Its path.
        path: Arc<str>,
    },
    /// There is a folder where a file should be.
    #[error("`{path}` is a folder, and a file has to be there")]
    Folder {
        /// Its path.
        path: Arc<str>,
    },
}

/// One of the two folders.
#[derive(Debug)]
struct Place {
    /// As the paths of bundles begin.
    path: PathBuf,
    /// Where it really is; links are relative to this.
    real: PathBuf,
}

/// A generation on the disk.
#[derive(Debug)]
struct Stored {
    generation: Generation,
    /// Which generation of `var/lib/haproxy` it uses.
    library: Option<Library>,
    contents: Contents,
}

/// Holds all generations, in both folders.
const GENERATIONS: &str = ".generations";

/// Leads to the generation that HAProxy is started from.
const CURRENT: &str = ".current";

/// Tells HAProxy which generation it is started from.
const MARKER: &str = "generation.cfg";

/// What [`MARKER`] sets (HAProxy configuration manual, section 3.1, `set-var`).
pub(crate) const MARKER_VARIABLE: &str = "proc.haproxy_ingress_generation";

/// When a process was started, as [`MARKER`] asks it: in microseconds since 1970 (HAProxy configuration manual,
/// section 7.3, `date`). Numbers of processes do not tell one from another, because in a container each start
/// has the same.
pub(crate) const START_VARIABLE: &str = "proc.haproxy_ingress_start";

/// What is in a configuration file of other generations.
const PLACEHOLDER: &[u8] = b"# Another generation has a file of this name.\n";

const BOOTSTRAP: &str = "\
# Until the controller has written its first configuration.
defaults
    timeout server 1s
    timeout client 1s
    timeout connect 1s
";

/// Writes what HAProxy can be started with before there is any configuration, and creates the
/// folders, unless there is a generation already.
pub(crate) fn write_bootstrap(prefix: &Path) -> Result<(), Error> {
    let mut files = Files::open(prefix, usize::MAX)?;
    for (folder, parts) in [
        (
            files.etc.path.clone(),
            &["maps", "errorfiles", "lua"] as &[&str],
        ),
        (
            files.lib.path.clone(),
            &["crt", "cacerts", "crl", "dhparam"],
        ),
        (root(prefix).join("var/run/haproxy"), &[""]),
    ] {
        for part in parts {
            files.disk.make_folder(&folder.join(part))?;
        }
    }
    let config = files.etc.path.join("haproxy.cfg");
    let config: Arc<str> = config.to_string_lossy().into();
    if files
        .current
        .is_some_and(|it| files.stored[&it].contents.contains_key(&config))
    {
        return Ok(());
    }
    let file = bundle::File::new(config, 0o644, bundle::Role::Config, BOOTSTRAP);
    let generation = Generation {
        bootstrap: true,
        ..Generation::default()
    };
    files.write_as(generation, &[file], &Memo::default(), false)?;
    Ok(())
}

impl Files {
    /// Looks at what is on the disk and clears away what an earlier process did not finish.
    ///
    /// A current generation that HAProxy has not confirmed gives way to the last good one. Beside these
    /// two, some `former` ones are kept.
    pub(crate) fn open(prefix: &Path, former: usize) -> Result<Self, Error> {
        let disk = Disk::default();
        let place = |below: &str| {
            let path = root(prefix).join(below);
            disk.make_folder(&path.join(GENERATIONS))?;
            let real = path.canonicalize().map_err(failed("find", &path))?;
            Ok::<_, disk::Error>(Place { path, real })
        };
        let (etc, lib) = (place("etc/haproxy")?, place("var/lib/haproxy")?);
        disk.make_folder(&lib.path.join(PARTS))?;
        let mut files = Self {
            etc,
            lib,
            disk,
            stored: BTreeMap::new(),
            current: None,
            former,
            linked: HashSet::new(),
            maps_in: Duration::ZERO,
        };
        files.recover()?;
        Ok(files)
    }

    /// The generation that HAProxy is started from.
    pub(crate) fn current(&self) -> Option<(u64, &Generation)> {
        let number = self.current?;
        Some((number, &self.stored[&number].generation))
    }

    /// What [`MARKER_VARIABLE`] holds in a HAProxy that was started from the current generation.
    pub(crate) fn marker(&self) -> Option<String> {
        self.current()
            .map(|(number, it)| marker(number, &it.digest))
    }

    /// Whether the current generation is exactly this bundle.
    pub(crate) fn holds(&self, files: &[bundle::File]) -> bool {
        let known = self.current.map(|it| &self.stored[&it]);
        known.is_some_and(|it| {
            let contents = contents::of(files, Some(&it.contents));
            contents::digest(&contents) == it.generation.digest
        })
    }

    /// Makes a bundle the current generation and returns its number. Writes nothing if it is already.
    ///
    /// The `memo` is kept beside it. With `marked` it carries its marker, which needs HAProxy 2.4.
    pub(crate) fn write(
        &mut self,
        files: &[bundle::File],
        memo: impl Into<Memo>,
        marked: bool,
    ) -> Result<u64, Error> {
        self.write_as(Generation::default(), files, &memo.into(), marked)
    }

    fn write_as(
        &mut self,
        generation: Generation,
        files: &[bundle::File],
        memo: &Memo,
        marked: bool,
    ) -> Result<u64, Error> {
        for file in files {
            self.check(&file.path)?;
        }
        self.maps_in = Duration::ZERO;
        let known = self.current.map(|it| &self.stored[&it].contents);
        let contents = contents::of(files, known);
        let digest = contents::digest(&contents);
        if let Some((number, it)) = self.current()
            && it.digest == digest
        {
            return Ok(number);
        }
        if self.current.is_none() {
            self.take_over(&contents)?;
        }
        let number = self.next_number();
        let stored = Stored {
            generation: Generation {
                digest,
                memo: memo.digest(),
                ..generation
            },
            library: None,
            contents,
        };
        let mut linked = Vec::new();
        let written = self
            .build(number, stored, memo, marked)
            .and_then(|()| self.link(number, marked, &mut linked))
            .and_then(|()| self.switch(number));
        if let Err(error) = written {
            self.undo(number, &linked);
            return Err(error);
        }
        self.prune();
        Ok(number)
    }

    /// How much of the last [`Files::write`] was spent on maps, lists, pages, scripts and certificates.
    pub(crate) fn maps_in(&self) -> Duration {
        self.maps_in
    }

    /// Notes that HAProxy runs with a generation, and removes those that are not needed any more.
    ///
    /// `started_from` is the marker that the worker shows, if commands have brought it here. Whether
    /// the generation still is the current one is returned.
    pub(crate) fn confirm(
        &mut self,
        number: u64,
        started_from: Option<String>,
    ) -> Result<bool, Error> {
        if self.current != Some(number) {
            return Ok(false);
        }
        let generation = &mut self.stored(number).generation;
        let confirmed = Generation {
            confirmed: true,
            started_from,
            drifted: false,
            ..generation.clone()
        };
        if *generation != confirmed {
            *generation = confirmed;
            self.save(number)?;
        }
        self.prune();
        Ok(true)
    }

    /// Notes that the worker may have been given commands that the current generation does not hold.
    pub(crate) fn note_drift(&mut self) -> Result<(), Error> {
        let Some(number) = self.current else {
            return Ok(());
        };
        self.stored(number).generation.drifted = true;
        self.save(number)
    }

    /// Switches back from a generation that is not confirmed to the last good one, if there is one.
    pub(crate) fn roll_back(&mut self) -> Result<bool, Error> {
        let Some(bad) = self.current else {
            return Ok(false);
        };
        let generation = &self.stored[&bad].generation;
        if generation.confirmed || generation.bootstrap {
            return Ok(false);
        }
        let Some(good) = self.good() else {
            return Ok(false);
        };
        self.switch(good)?;
        self.prune();
        Ok(true)
    }

    /// The newest confirmed generation beside the current one, or else what was there at first.
    fn good(&self) -> Option<u64> {
        let newest = |wanted: fn(&Generation) -> bool| {
            self.stored
                .iter()
                .rfind(|(number, it)| Some(**number) != self.current && wanted(&it.generation))
                .map(|(number, _)| *number)
        };
        newest(|it| it.confirmed).or_else(|| newest(|it| it.bootstrap))
    }

    /// The one step.
    fn switch(&mut self, number: u64) -> Result<(), Error> {
        let target = Path::new(GENERATIONS).join(number.to_string());
        self.disk.point(&self.etc.path.join(CURRENT), &target)?;
        self.current = Some(number);
        Ok(self.disk.sync_folder(&self.etc.path)?)
    }

    /// Takes back what was written of a generation.
    fn undo(&mut self, number: u64, linked: &[Arc<str>]) {
        if let Err(error) = self.try_undo(number, linked) {
            tracing::warn!(%error, "a part of generation {number} stays on the disk for now");
        }
    }

    fn try_undo(&mut self, number: u64, linked: &[Arc<str>]) -> Result<(), Error> {
        // The switch itself may have been made, and only its way to the disk is unknown.
        if self.current == Some(number) && !self.roll_back()? {
            return Ok(());
        }
        for path in linked {
            self.linked.remove(path);
            self.disk.remove(Path::new(&**path))?;
        }
        self.stored.remove(&number);
        for place in [&self.etc, &self.lib] {
            let folder = place.generation(number);
            self.disk.remove_folder(&unfinished(&folder))?;
            self.disk.remove_folder(&folder)?;
        }
        for folder in self.unused_libraries()? {
            self.disk.remove_folder(&folder)?;
        }
        Ok(())
    }

    /// Removes all generations but the current one, the last good one and some former ones.
    fn prune(&mut self) {
        let mut keep: BTreeSet<u64> = [self.current, self.good()].into_iter().flatten().collect();
        // What commands have led to is no other configuration, but what HAProxy had in memory.
        let is_former = |(number, it): &(&u64, &Stored)| {
            let it = &it.generation;
            it.confirmed && it.started_from.is_none() && !keep.contains(number)
        };
        let former = self.stored.iter().rev().filter(is_former);
        let former: Vec<u64> = former.take(self.former).map(|it| *it.0).collect();
        for number in &former {
            self.stored(*number).forget_texts(|_| true);
        }
        // A configuration is as large as what the controller keeps of ten thousand objects, and no next
        // one has the same text in memory. Certificates are recognised again after a way back.
        let (current, lib) = (self.current, self.lib.path.clone());
        for number in keep.iter().filter(|it| Some(**it) != current) {
            self.stored(*number)
                .forget_texts(|it| !Path::new(it).starts_with(&lib));
        }
        keep.extend(former);
        let old: Vec<u64> = self
            .stored
            .keys()
            .copied()
            .filter(|it| !keep.contains(it))
            .collect();
        for number in old {
            if let Err(error) = self.forget(number) {
                tracing::warn!(%error, "generation {number} stays on the disk for now");
            }
        }
    }

    fn forget(&mut self, number: u64) -> Result<(), Error> {
        let Some(old) = self.stored.remove(&number) else {
            return Ok(());
        };
        let unused = |path: &&Arc<str>| {
            let mut left = self.stored.values();
            !left.any(|it| it.contents.contains_key(*path)) && !leads_somewhere(path)
        };
        let paths = old.contents.keys().chain(&old.generation.extra);
        for path in paths.filter(unused) {
            let file = Path::new(&**path);
            if fs::read_link(file).is_ok_and(|it| it == self.target(file)) {
                self.disk.remove(file)?;
            }
            self.linked.remove(path);
        }
        self.disk.discard([self.etc.generation(number)])?;
        Ok(self.disk.discard(self.unused_libraries()?)?)
    }

    /// Refuses paths elsewhere, hidden ones and the one that is ours.
    fn check(&self, path: &Arc<str>) -> Result<(), Error> {
        let file = Path::new(&**path);
        let below = file
            .strip_prefix(&self.etc.path)
            .or_else(|_| file.strip_prefix(&self.lib.path));
        let plain_path = |below: &Path| {
            let plain = |it: Component<'_>| match it {
                Component::Normal(it) => !it.as_encoded_bytes().starts_with(b"."),
                _ => false,
            };
            below.file_name().is_some() && below.components().all(plain)
        };
        match below {
            Ok(below) if plain_path(below) && file != self.etc.path.join(MARKER) => Ok(()),
            _ => Err(Error::Outside {
                path: Arc::clone(path),
            }),
        }
    }

    fn stored(&mut self, number: u64) -> &mut Stored {
        self.stored
            .get_mut(&number)
            .expect("the numbers of generations come from here")
    }

    fn next_number(&self) -> u64 {
        self.stored.keys().next_back().map_or(1, |it| it + 1)
    }

    fn save(&self, number: u64) -> Result<(), Error> {
        let folder = self.etc.generation(number);
        let note = note(&self.stored[&number].generation);
        self.disk
            .replace(&folder.join("generation.json"), 0o644, &note)?;
        Ok(self.disk.sync_folder(&folder)?)
    }
}

impl Stored {
    /// Leaves it to the disk to know what is in some of its files.
    fn forget_texts(&mut self, is_forgotten: impl Fn(&str) -> bool) {
        for (path, content) in &mut self.contents {
            if content.text.is_some() && is_forgotten(path) {
                content.text = None;
            }
        }
    }
}

impl Place {
    fn generations(&self) -> PathBuf {
        self.path.join(GENERATIONS)
    }

    fn generation(&self, number: u64) -> PathBuf {
        self.generations().join(number.to_string())
    }
}

/// What the prefix stands for: an empty one is the root.
pub(crate) fn root(prefix: &Path) -> &Path {
    if prefix.as_os_str().is_empty() {
        Path::new("/")
    } else {
        prefix
    }
}

fn marker(number: u64, digest: &str) -> String {
    format!("{number}-{}", &digest[..16])
}

fn note(generation: &Generation) -> Vec<u8> {
    let mut note = serde_json::to_vec_pretty(generation).expect("plain fields become JSON");
    note.push(b'\n');
    note
}

/// Whether there is more behind a path than a placeholder: the current generation may hold there what
/// is not of a bundle.
fn leads_somewhere(path: &str) -> bool {
    fs::read(path).is_ok_and(|it| it != PLACEHOLDER)
}

/// Whether HAProxy reads a file of this name when it is given the folder.
fn is_config(name: &str) -> bool {
    name.strip_suffix(".cfg").is_some_and(|it| !it.is_empty()) && !name.starts_with('.')
}

/// What is in a folder, in a steady order.
fn names(folder: &Path) -> Result<Vec<String>, disk::Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
        let entry = entry.map_err(failed("read", folder))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod crash;
#[cfg(test)]
mod tests;
