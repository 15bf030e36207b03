//! Folders that nobody reads any more, removed while others go on.
//!
//! To remove the names of a thousand certificates takes longer than to tell HAProxy of ten new ones, and
//! nobody has to wait for it.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Removes folders one after the other. Those that wait when it is dropped are waited for.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    remover: RefCell<Option<Remover>>,
    count: Cell<usize>,
    /// Who holds it keeps everything where it is.
    #[cfg(test)]
    pub(super) gate: std::sync::Arc<std::sync::Mutex<()>>,
}

#[derive(Debug)]
struct Remover {
    folders: SyncSender<Vec<PathBuf>>,
    thread: JoinHandle<()>,
}

/// How many lists of folders wait at most. Whoever has more waits, too, so that the disk does not fill up.
const WAITING: usize = 4;

impl Garbage {
    /// How many folders it was given.
    pub(super) fn count(&self) -> usize {
        self.count.get()
    }

    /// Removes folders with all that is in them, soon.
    pub(super) fn remove(&self, folders: Vec<PathBuf>) {
        if folders.is_empty() {
            return;
        }
        self.count.set(self.count.get() + folders.len());
        let mut remover = self.remover.borrow_mut();
        if remover.is_none() {
            let (sender, waiting) = sync_channel::<Vec<PathBuf>>(WAITING);
            #[cfg(test)]
            let gate = self.gate.clone();
            let work = move || {
                for folder in waiting.into_iter().flatten() {
                    #[cfg(test)]
                    let _open = gate.lock();
                    remove(&folder);
                }
            };
            let thread = Builder::new().name("garbage".into()).spawn(work);
            // The system may have no threads left.
            *remover = thread.ok().map(|thread| Remover {
                folders: sender,
                thread,
            });
        }
        let left = match &*remover {
            Some(it) => it.folders.send(folders).err().map(|it| it.0),
            None => Some(folders),
        };
        for folder in left.unwrap_or_default() {
            remove(&folder);
        }
    }

    /// Waits until all folders are gone.
    pub(super) fn finish(&self) {
        if let Some(Remover { folders, thread }) = self.remover.take() {
            drop(folders);
            if thread.join().is_err() {
                tracing::warn!(
                    "old generations stay on the disk for now: their removal has failed"
                );
            }
        }
    }
}

impl Drop for Garbage {
    fn drop(&mut self) {
        self.finish();
    }
}

fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        let folder = folder.display();
        tracing::warn!(%error, "cannot remove `{folder}`, which stays on the disk for now");
    }
}
