//! What HAProxy was told is written behind the commands, while others go on.
//!
//! Clients wait for commands and for nothing else. A disk takes as long as it takes, and one that takes
//! nothing keeps nobody from following its endpoints: what it does not hold is known here.
//!
//! ```text
//! commands ──▶ begin ──▶ in work ──▶ the disk holds it
//!                │ newer ones take the place of what waits
//!                └──▶ waits ──▶ in work ──▶ …
//! ```
//!
//! *Invariant:* whoever else uses the files finds nothing in work; but for the supervisor of an embedded
//! HAProxy, which waits for what is.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use haproxy_ingress_core::assemble::Places;
use haproxy_ingress_core::bundle::{File, Outline};
use haproxy_ingress_core::compile::Compiled;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::haproxy::files::{self, Files, Memo};

/// The files, and what is on its way to them.
pub(super) struct Saving {
    /// Shared with the supervisor of an embedded HAProxy, which goes back to the last good generation
    /// before it starts it again.
    files: Arc<Mutex<Files>>,
    /// What HAProxy was told last, until the disk holds it.
    unsaved: Option<Arc<Told>>,
    work: Option<Work>,
    /// How it ended, until somebody asks.
    ended: VecDeque<Result<Written, files::Error>>,
    /// Who holds it makes the disk slow.
    #[cfg(test)]
    pub(super) gate: Arc<tokio::sync::Mutex<()>>,
}

/// What commands have led to.
struct Told {
    content: Content,
    /// The marker of the generation that the worker was started from.
    started_from: Option<String>,
}

/// What makes a generation.
pub(super) struct Content {
    files: Vec<File>,
    places: Places,
    outline: Outline,
    marked: bool,
}

/// A generation that was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) number: u64,
    /// How long everything but the configuration took.
    pub(super) maps_in: Duration,
    /// How long all of it took.
    pub(super) took: Duration,
}

struct Work {
    told: Arc<Told>,
    done: JoinHandle<Result<Written, files::Error>>,
}

impl Saving {
    /// Nothing is on its way.
    pub(super) fn new(files: Arc<Mutex<Files>>) -> Self {
        Self {
            files,
            unsaved: None,
            work: None,
            ended: VecDeque::new(),
            #[cfg(test)]
            gate: Arc::default(),
        }
    }

    /// Begins to write what commands have led to, or lets it wait for what is in work. A worker shows
    /// the marker of the generation that it was `started_from`.
    pub(super) fn begin(&mut self, content: Content, started_from: Option<String>) {
        self.unsaved = Some(Arc::new(Told {
            content,
            started_from,
        }));
        self.again();
    }

    /// Begins to write what the disk does not hold, unless something is in work already.
    pub(super) fn again(&mut self) {
        if self.work.is_some() {
            return;
        }
        let Some(told) = self.unsaved.clone() else {
            return;
        };
        let (files, state) = (Arc::clone(&self.files), Arc::clone(&told));
        #[cfg(test)]
        let gate = Arc::clone(&self.gate);
        let done = spawn_blocking(move || {
            #[cfg(test)]
            let _open = gate.blocking_lock();
            state.write(&mut lock(&files))
        });
        self.work = Some(Work { told, done });
    }

    /// What HAProxy was told last is of no meaning any more: it runs something else.
    pub(super) fn forget(&mut self) {
        self.unsaved = None;
    }

    /// Whether HAProxy was told what the disk does not hold yet.
    pub(super) fn is_behind(&self) -> bool {
        self.unsaved.is_some()
    }

    /// Whether a worker that shows this marker is the one that was told what the disk does not hold yet.
    pub(super) fn is_told(&self, marker: &str) -> bool {
        let told = self.unsaved.as_ref();
        told.is_some_and(|it| it.started_from.as_deref() == Some(marker))
    }

    /// Whether what the disk does not hold yet has these files.
    pub(super) fn is_of(&self, files: &[File]) -> bool {
        let Some(told) = &self.unsaved else {
            return false;
        };
        let is_same = |(one, other): (&File, &File)| {
            one.path == other.path && one.mode == other.mode && one.content == other.content
        };
        let held = &told.content.files;
        held.len() == files.len() && held.iter().zip(files).all(is_same)
    }

    /// How the next work ended that nobody has asked for yet; nothing if there is none. May be dropped at
    /// any time.
    pub(super) async fn ended(&mut self) -> Option<Result<Written, files::Error>> {
        while self.ended.is_empty() && self.work.is_some() {
            self.step().await;
        }
        self.ended.pop_front()
    }

    /// Waits until nothing is in work: the disk holds what HAProxy was told, or has refused it.
    pub(super) async fn rest(&mut self) {
        while self.work.is_some() {
            self.step().await;
        }
    }

    /// Waits for what is in work and begins what waits.
    async fn step(&mut self) {
        let Some(work) = &mut self.work else {
            return;
        };
        let done = (&mut work.done).await;
        let done = done.expect("the disk is written without a panic");
        let Some(work) = self.work.take() else {
            return;
        };
        let is_newest = |it: &Arc<Told>| Arc::ptr_eq(it, &work.told);
        let is_newest = self.unsaved.as_ref().is_some_and(is_newest);
        match done {
            // What comes next says whether the disk takes files again.
            Err(error) if !is_newest => {
                tracing::debug!(%error, "what HAProxy was told before is not on the disk");
            }
            done => {
                if is_newest && done.is_ok() {
                    self.unsaved = None;
                }
                self.ended.push_back(done);
            }
        }
        if !is_newest {
            self.again();
        }
    }

    /// Works on the disk when nothing else does.
    pub(super) async fn run<T, W>(&mut self, work: W) -> Result<T, files::Error>
    where
        T: Send + 'static,
        W: FnOnce(&mut Files) -> Result<T, files::Error> + Send + 'static,
    {
        self.rest().await;
        let files = Arc::clone(&self.files);
        let done = spawn_blocking(move || work(&mut lock(&files)));
        done.await.expect("the disk is written without a panic")
    }

    /// The files, of which nobody may ask while something is in work.
    pub(super) fn files(&self) -> MutexGuard<'_, Files> {
        lock(&self.files)
    }
}

impl Content {
    /// Of a configuration; `marked` if HAProxy can tell which generation it was started from.
    pub(super) fn of(compiled: &Compiled, marked: bool) -> Self {
        Self {
            files: compiled.bundle.files.clone(),
            places: compiled.places.clone(),
            outline: Outline::of(compiled),
            marked,
        }
    }

    /// Makes it the current generation, which HAProxy has not confirmed.
    pub(super) fn write(&self, files: &mut Files) -> Result<Written, files::Error> {
        let start = Instant::now();
        let memo = Memo::new(&self.places, &self.outline);
        let number = files.write(&self.files, memo, self.marked)?;
        Ok(Written {
            number,
            maps_in: files.maps_in(),
            took: start.elapsed(),
        })
    }
}

impl Told {
    /// Makes it the current generation, which HAProxy runs already. An embedded HAProxy that dies finds
    /// either all of it or nothing.
    fn write(&self, files: &mut Files) -> Result<Written, files::Error> {
        let written = self.content.write(files)?;
        files.confirm(written.number, self.started_from.clone())?;
        Ok(written)
    }
}

fn lock(files: &Mutex<Files>) -> MutexGuard<'_, Files> {
    files.lock().unwrap_or_else(PoisonError::into_inner)
}
