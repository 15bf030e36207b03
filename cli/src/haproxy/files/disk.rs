//! Changes of a disk that survive a crash, each one whole or not at all.
//!
//! Tests cut the sequence of these changes after any of them, as a full disk or a killed process
//! would.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::haproxy::files::garbage::Garbage;

/// Everything that is ever changed goes through here.
#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) garbage: Garbage,
    #[cfg(test)]
    pub(super) fuse: fuse::Fuse,
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} `{path}`", path = .path.display())]
pub(crate) struct Error {
    /// What was tried.
    pub(crate) doing: &'static str,
    /// With what.
    pub(crate) path: PathBuf,
    /// What the system said.
    #[source]
    pub(crate) source: io::Error,
}

/// A file or a folder that a crash may still take away.
#[derive(Debug)]
#[must_use = "it is not on the disk before it is synced"]
pub(super) struct Unsynced {
    path: PathBuf,
    file: File,
}

/// What below one folder a crash may still take away: a few files and folders, or everything.
#[derive(Debug)]
pub(super) struct Waiting {
    folder: PathBuf,
    few: Vec<Unsynced>,
    is_everything: bool,
}

/// What is written before it takes its place begins like this, as does what has lost its place, and is
/// removed when found later.
pub(super) const UNFINISHED: &str = ".new-";

/// How many files are synced at once: a file system writes its journal for all that wait for it.
const AT_ONCE: usize = 8;

/// From here on the whole disk is synced instead of each file, none of which then needs to stay open.
const MANY: usize = 100;

impl Disk {
    /// Writes a file that was not there.
    pub(super) fn write(&self, path: &Path, mode: u32, content: &[u8]) -> Result<Unsynced, Error> {
        let write = || {
            self.spend(true)?;
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.write_all(content)?;
            Ok(file)
        };
        let file = write().map_err(failed("write", path))?;
        let path = path.to_owned();
        Ok(Unsynced { path, file })
    }

    /// Writes a file in place of one that may be there.
    pub(super) fn replace(&self, path: &Path, mode: u32, content: &[u8]) -> Result<(), Error> {
        let unfinished = unfinished(path);
        self.remove(&unfinished)?;
        let written = self.write(&unfinished, mode, content)?;
        self.sync(&[written])?;
        self.rename(&unfinished, path)
    }

    /// Gives a file a second name. Whether that worked: not every disk can.
    pub(super) fn share(&self, from: &Path, to: &Path) -> bool {
        self.spend(true).is_ok() && fs::hard_link(from, to).is_ok()
    }

    /// Lets a path lead elsewhere, in one step whatever was there before.
    pub(super) fn point(&self, path: &Path, target: &Path) -> Result<(), Error> {
        let unfinished = unfinished(path);
        self.remove(&unfinished)?;
        self.make_link(&unfinished, target)?;
        self.rename(&unfinished, path)
    }

    /// Lets a path that was not there lead elsewhere.
    pub(super) fn make_link(&self, path: &Path, target: &Path) -> Result<(), Error> {
        self.spend(true)
            .and_then(|()| symlink(target, path))
            .map_err(failed("create", path))
    }

    /// Moves within one folder or file system, in one step.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), Error> {
        self.spend(false)
            .and_then(|()| fs::rename(from, to))
            .map_err(failed("rename to", to))
    }

    /// Creates a folder and those above it.
    pub(super) fn make_folder(&self, path: &Path) -> Result<(), Error> {
        if path.is_dir() {
            return Ok(());
        }
        self.spend(true)
            .and_then(|()| fs::create_dir_all(path))
            .map_err(failed("create", path))
    }

    /// Removes a file, or the name of one.
    pub(super) fn remove(&self, path: &Path) -> Result<(), Error> {
        if path.symlink_metadata().is_err() {
            return Ok(());
        }
        self.spend(false)
            .and_then(|()| fs::remove_file(path))
            .map_err(failed("remove", path))
    }

    /// Removes a folder with all that is in it.
    pub(super) fn remove_folder(&self, path: &Path) -> Result<(), Error> {
        if path.symlink_metadata().is_err() {
            return Ok(());
        }
        self.spend(false)
            .and_then(|()| fs::remove_dir_all(path))
            .map_err(failed("remove", path))
    }

    /// Takes folders away with all that is in them. What takes long of that is done while others go on.
    pub(super) fn discard(&self, paths: impl IntoIterator<Item = PathBuf>) -> Result<(), Error> {
        let mut gone = Vec::new();
        for path in paths {
            if path.symlink_metadata().is_err() {
                continue;
            }
            let mut name = unfinished(&path).into_os_string();
            name.push(format!("-gone-{}", self.garbage.count() + gone.len()));
            let name = PathBuf::from(name);
            self.rename(&path, &name)?;
            gone.push(name);
        }
        self.garbage.remove(gone);
        Ok(())
    }

    /// The names in a folder.
    pub(super) fn names_in(path: &Path) -> Result<Unsynced, Error> {
        let file = File::open(path).map_err(failed("sync", path))?;
        let path = path.to_owned();
        Ok(Unsynced { path, file })
    }

    /// Waits until the names in a folder are on the disk.
    pub(super) fn sync_folder(&self, path: &Path) -> Result<(), Error> {
        self.sync(&[Self::names_in(path)?])
    }

    /// Waits until all of some files and folders is on the disk.
    pub(super) fn sync(&self, all: &[Unsynced]) -> Result<(), Error> {
        for it in all {
            self.spend(false).map_err(failed("sync", &it.path))?;
        }
        let next = AtomicUsize::new(0);
        let sync = || {
            while let Some(it) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                it.file.sync_all().map_err(failed("sync", &it.path))?;
            }
            Ok(())
        };
        thread::scope(|scope| {
            let help = |_| thread::Builder::new().spawn_scoped(scope, sync).ok();
            // A thread that cannot be started only means that the others have more to do.
            let helpers: Vec<_> = (1..all.len().min(AT_ONCE)).map_while(help).collect();
            helpers.into_iter().fold(sync(), |done, it| {
                done.and(it.join().expect("to sync a file panics nowhere"))
            })
        })
    }

    /// Waits until all is on the disk that waits for it.
    pub(super) fn sync_waiting(&self, all: impl IntoIterator<Item = Waiting>) -> Result<(), Error> {
        let mut few = Vec::new();
        for waiting in all {
            few.extend(waiting.few);
            if waiting.is_everything {
                self.sync_all(&waiting.folder)?;
            }
        }
        self.sync(&few)
    }

    /// Waits until everything on the disk that holds a folder is on it. For many files this is much
    /// faster than one after the other.
    fn sync_all(&self, path: &Path) -> Result<(), Error> {
        self.spend(false)
            .and_then(|()| Ok(rustix::fs::syncfs(File::open(path)?)?))
            .map_err(failed("sync", path))
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "tests cut the sequence here"
    )]
    fn spend(&self, _takes_space: bool) -> io::Result<()> {
        Ok(())
    }

    #[cfg(test)]
    fn spend(&self, takes_space: bool) -> io::Result<()> {
        self.fuse.spend(takes_space)
    }
}

impl Waiting {
    /// Nothing below a folder.
    pub(super) fn below(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            few: Vec::new(),
            is_everything: false,
        }
    }

    /// One thing more.
    pub(super) fn add(&mut self, it: Unsynced) {
        if self.few.len() == MANY {
            self.few.clear();
            self.is_everything = true;
        }
        if !self.is_everything {
            self.few.push(it);
        }
    }
}

/// Names what was tried with which path.
pub(super) fn failed<'a>(
    doing: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// The name beside a path under which it is prepared.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let name = path
        .file_name()
        .expect("what is written has a name")
        .to_string_lossy();
    path.with_file_name(format!("{UNFINISHED}{name}"))
}

#[cfg(test)]
pub(super) mod fuse {
    use std::io;
    use std::sync::Mutex;

    /// Lets a number of changes pass.
    #[derive(Debug, Default)]
    pub(in crate::haproxy::files) struct Fuse(Mutex<State>);

    #[derive(Debug, Default)]
    struct State {
        left: Option<usize>,
        end: End,
        passed: usize,
        spent: usize,
    }

    /// What happens then.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub(in crate::haproxy::files) enum End {
        /// What takes space fails, the rest goes on.
        #[default]
        Full,
        /// Nothing is changed any more.
        Killed,
    }

    impl Fuse {
        /// Lets so many changes pass and then ends.
        pub(in crate::haproxy::files) fn set(&self, left: usize, end: End) {
            let mut state = self.0.lock().expect("one thread");
            *state = State {
                left: Some(left),
                end,
                passed: 0,
                spent: 0,
            };
        }

        /// Whether it has ended.
        pub(in crate::haproxy::files) fn is_blown(&self) -> bool {
            self.0.lock().expect("one thread").spent > 0
        }

        /// How many changes were made before it ended.
        pub(in crate::haproxy::files) fn passed(&self) -> usize {
            self.0.lock().expect("one thread").passed
        }

        pub(super) fn spend(&self, takes_space: bool) -> io::Result<()> {
            let mut state = self.0.lock().expect("one thread");
            match (state.left, state.end) {
                (Some(0), End::Killed) => {
                    state.spent += 1;
                    Err(io::ErrorKind::Interrupted.into())
                }
                (Some(0), End::Full) if takes_space => {
                    state.spent += 1;
                    Err(io::ErrorKind::StorageFull.into())
                }
                (None, _) | (Some(0), End::Full) => Ok(()),
                (Some(left), _) => {
                    state.left = Some(left - 1);
                    state.passed += 1;
                    Ok(())
                }
            }
        }
    }
}
