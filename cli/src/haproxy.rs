//! One running HAProxy, and the files it reads.
//!
//! ```text
//!             ┌── files ──▶ etc/haproxy, var/lib/haproxy  ──▶ a HAProxy that starts or reloads
//!  Plan ──▶ Haproxy ── master ──▶ master.sock             ──▶ reload, which processes there are
//!             └── admin ──▶ admin.sock                    ──▶ what the worker has in memory
//! ```
//!
//! It does not matter who starts HAProxy: somebody else (*external*), or [`process`] (*embedded*). It
//! has to be started with `-f <prefix>/etc/haproxy`, the folder, so that it reads `generation.cfg`.
//!
//! *Invariant:* whenever nothing is being carried out, the disk holds a generation that HAProxy has
//! confirmed, or the one that was there before the first. After commands it holds the one before them, until
//! [`saving`] has written what they have led to.

pub(crate) mod admin;
pub(crate) mod files;
pub(crate) mod master;
pub(crate) mod process;
mod saving;
mod settings;
pub(crate) mod socket;
mod update;
pub(crate) mod workers;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use haproxy_ingress_core::assemble::Places;
use haproxy_ingress_core::bundle::Bundle;
use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::options::Version;
use haproxy_ingress_core::plan::Plan;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::haproxy::admin::{Admin, Identity};
use crate::haproxy::files::Files;
use crate::haproxy::master::{Master, Verdict};
use crate::haproxy::process::{Engine, Process, State};
use crate::haproxy::saving::{Saving, Written};
pub(crate) use crate::haproxy::settings::{Mode, Settings};
use crate::haproxy::socket::Socket;
use crate::haproxy::workers::lack_of_descriptors;

/// One HAProxy. There is one of these for each, and it is the only writer of its files.
pub(crate) struct Haproxy {
    settings: Settings,
    saving: Saving,
    master: Master,
    admin: Admin,
    process: Option<Process>,
    version: Option<Version>,
    /// Master and worker that confirmed the current generation, if they show no marker: because
    /// HAProxy is older than 2.4, or was started with a single file instead of the folder.
    unmarked: Option<(u32, Option<u32>)>,
    /// The worker that commands have brought to what it runs.
    updated: Option<admin::Process>,
    /// Whether a call that was dropped may have given some of its commands.
    is_half_told: bool,
    /// The configuration with which HAProxy died when it was last reloaded.
    died_with: Option<blake3::Hash>,
}

/// What carrying out a plan has led to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// There was nothing to do.
    Unchanged,
    /// The running HAProxy was changed.
    Updated {
        /// By how many commands.
        commands: usize,
        /// How long it took.
        timings: Timings,
    },
    /// HAProxy has read its files again.
    Reloaded {
        /// What it said; empty before 2.7.
        messages: String,
        /// Why it was reloaded although the plan was an update.
        because_of: Option<String>,
        /// How long it took.
        timings: Timings,
    },
    /// HAProxy refused the files. It goes on as before, and the last good ones are back on the disk.
    Rejected {
        /// What it said. Before 2.7 an external HAProxy says it only in its own log.
        messages: String,
        /// How long it took.
        timings: Timings,
    },
}

/// How long the steps took.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Timings {
    /// Writing maps, lists, pages, scripts and certificates.
    pub(crate) maps: Duration,
    /// Writing the configuration, and making all of it the current generation.
    pub(crate) config: Duration,
    /// Commands on the worker's socket, with reading back.
    pub(crate) update: Duration,
    /// The reload, until the new worker was seen.
    pub(crate) reload: Duration,
}

/// What was written behind commands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Saved {
    /// How long it took.
    pub(crate) timings: Timings,
    /// Whether HAProxy was told nothing since then.
    pub(crate) is_newest: bool,
}

/// What a regular look has found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Alive {
    /// HAProxy runs what was confirmed last.
    Yes,
    /// HAProxy answers and runs something else: it was started or reloaded by somebody else, or runs
    /// nothing of ours yet. Apply again, with a reload.
    Restarted {
        /// What it runs.
        why: String,
    },
    /// HAProxy does not answer.
    Silent {
        /// Why not.
        why: String,
    },
}

/// Why something could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The files were not written.
    #[error(transparent)]
    Files(#[from] files::Error),
    /// The master could not be used.
    #[error(transparent)]
    Master(#[from] master::Error),
    /// The worker could not be used.
    #[error(transparent)]
    Admin(#[from] admin::Error),
    /// Another HAProxy answers than the one that was reloaded, and it does not run what was written.
    #[error("HAProxy died while it was reloaded")]
    Died,
    /// HAProxy tells a version that is none.
    #[error("`{found}` is not a version of HAProxy")]
    Version {
        /// What it tells.
        found: String,
    },
}

/// Which configuration the worker that serves runs.
enum Look {
    /// One that the current generation accounts for.
    Ours(Identity),
    /// Another one.
    Other(String),
}

/// The shortest time a reload is given: ten thousand certificates take nine seconds.
const SHORTEST_RELOAD_LIMIT: Duration = Duration::from_mins(1);

/// How long the old worker may still take commands after a reload.
const HAND_OVER: Duration = Duration::from_secs(5);

impl Haproxy {
    /// Clears up on the disk and, if HAProxy is ours to start, starts it from there.
    pub(crate) async fn open(settings: Settings) -> Result<Self, Error> {
        let (prefix, former) = (settings.prefix.clone(), settings.former);
        let embedded = matches!(settings.mode, Mode::Embedded { .. });
        let files = spawn_blocking(move || {
            if embedded {
                files::write_bootstrap(&prefix)?;
            }
            Files::open(&prefix, former)
        });
        let files = files
            .await
            .expect("the disk is looked at without a panic")?;
        let files = Arc::new(Mutex::new(files));
        let run = settings.run();
        let master_socket = match &settings.mode {
            Mode::External { master_socket, .. } => master_socket.clone(),
            Mode::Embedded { .. } => run.join("master.sock"),
        };
        let master = Master::new(Socket::master(master_socket.clone(), settings.timeout));
        let admin = Admin::new(settings.admin(), master.clone());
        let process = match &settings.mode {
            Mode::External { .. } => None,
            Mode::Embedded { binary, grace } => {
                if let Ok(leftover) = master.processes().await {
                    process::end_leftover(leftover.master.pid, &master_socket, *grace).await;
                }
                let files = Arc::clone(&files);
                Some(Process::start(Engine {
                    binary: binary.clone(),
                    folder: settings.folder(),
                    master_socket,
                    grace: *grace,
                    prepare: Arc::new(move || go_back(&files)),
                    output: Arc::new(|line| tracing::info!(target: "haproxy", "{line}")),
                }))
            }
        };
        Ok(Self {
            settings,
            saving: Saving::new(files),
            master,
            admin,
            process,
            version: None,
            unmarked: None,
            updated: None,
            is_half_told: false,
            died_with: None,
        })
    }

    /// How the log calls it.
    pub(crate) fn name(&self) -> &'static str {
        match self.settings.mode {
            Mode::External { .. } => "external",
            Mode::Embedded { .. } => "embedded",
        }
    }

    /// Its master.
    pub(crate) fn master(&self) -> &Master {
        &self.master
    }

    /// Waits until the master answers. `waiting` is called at the start of a wait and every ten
    /// seconds, with how long it has taken so far and why. May be dropped at any time.
    ///
    /// An error is one that waiting does not help.
    pub(crate) async fn wait_ready(
        &mut self,
        mut waiting: impl FnMut(Duration, &str),
    ) -> Result<(), Error> {
        const SAY: Duration = Duration::from_secs(10);
        let start = Instant::now();
        let mut next = start;
        let mut pause = Duration::from_millis(10);
        loop {
            let error = match self.version().await {
                Ok(_) => {
                    self.warn_of_user().await;
                    return Ok(());
                }
                Err(error) if error.is_transient() => error,
                Err(error) => return Err(error),
            };
            if Instant::now() >= next {
                waiting(start.elapsed(), &self.explain(&error));
                next += SAY;
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// Says so if HAProxy cannot read what is private to us, which it would say in its own log only.
    async fn warn_of_user(&self) {
        let us = rustix::process::geteuid().as_raw();
        if let Some(user) = self.master.user().await
            && user != 0
            && user != us
        {
            tracing::error!(
                "HAProxy runs as user {user} and cannot read private keys, which belong to user {us}, \
                 us: start both as the same user, or HAProxy as root"
            );
        }
    }

    /// Which HAProxy it is. Asked each time, because it may have been replaced by another.
    pub(crate) async fn version(&mut self) -> Result<Version, Error> {
        let processes = self.master.processes().await?;
        let version = processes.version().ok_or(Error::Version {
            found: processes.master.version,
        })?;
        self.version = Some(version);
        Ok(version)
    }

    /// Whether HAProxy has confirmed exactly this bundle, and the HAProxy that runs now is the one that did
    /// so or was started from it. Then nothing has to be applied.
    pub(crate) async fn adopt(&mut self, compiled: &Compiled) -> Result<bool, Error> {
        let files = compiled.bundle.files.clone();
        self.saving.rest().await;
        let holds = if self.saving.is_behind() {
            self.saving.is_of(&files)
        } else {
            let holds = move |it: &mut Files| {
                let sound = it
                    .current()
                    .is_some_and(|(_, it)| it.confirmed && !it.drifted);
                Ok(sound && it.holds(&files))
            };
            self.on_disk(holds).await?
        };
        Ok(holds && matches!(self.look().await?, Look::Ours(_)))
    }

    /// What it runs, read back from the disk: not who made it, but all that a plan needs that leads on
    /// from it. Nothing where the disk does not tell, or HAProxy does not say that it runs that: a reload
    /// may be what it needs to say something.
    pub(crate) async fn recall(&mut self) -> Option<Compiled> {
        let recalled = self.on_disk(|it| Ok(it.recall())).await.ok().flatten()?;
        let look = self.look().await;
        let is_on_disk = !self.saving.is_behind() && matches!(look, Ok(Look::Ours(_)));
        is_on_disk.then_some(recalled)
    }

    /// Where servers stand in what the disk holds.
    pub(crate) async fn places(&mut self) -> Places {
        self.on_disk(|it| Ok(it.places())).await.unwrap_or_default()
    }

    /// Whether the disk holds nothing yet but what HAProxy waits with.
    pub(crate) async fn is_fresh(&mut self) -> bool {
        let fresh = |it: &mut Files| Ok(it.current().is_none_or(|(_, it)| it.bootstrap));
        self.on_disk(fresh).await.unwrap_or(false)
    }

    /// Its program, if that may be run to check a configuration.
    pub(crate) fn program(&self) -> Option<&Path> {
        match &self.settings.mode {
            Mode::External { checker, .. } => checker.as_deref(),
            Mode::Embedded { binary, .. } => Some(binary),
        }
    }

    /// What was kept with [`Haproxy::keep_held`].
    pub(crate) async fn held(&mut self) -> Option<Vec<u8>> {
        let held = self.on_disk(|it| Ok(it.held())).await;
        held.ok().flatten()
    }

    /// Keeps beside the generations what is held back from them.
    pub(crate) async fn keep_held(&mut self, text: Vec<u8>) -> Result<(), Error> {
        self.on_disk(move |it| it.keep_held(&text)).await
    }

    /// Carries out a plan that leads from what was confirmed last to a bundle.
    ///
    /// An update that does not go as expected becomes a reload. After an error or a rejection the
    /// last good generation is back on the disk. After an update [`Haproxy::saved`] tells when the disk
    /// holds what it has led to.
    pub(crate) async fn carry_out(
        &mut self,
        plan: &Plan,
        compiled: &Compiled,
    ) -> Result<Outcome, Error> {
        match plan {
            Plan::Nothing => Ok(Outcome::Unchanged),
            Plan::Update { commands } => self.update(commands, compiled).await,
            Plan::Reload { .. } => {
                self.settle().await?;
                self.reload(compiled, None, Timings::default()).await
            }
        }
    }

    /// Compares what HAProxy has in memory with what it should have: what would put it right.
    pub(crate) async fn audit(&mut self, compiled: &Compiled) -> Result<Plan, Error> {
        let found = self.admin.find(compiled).await?;
        Ok(Plan::repair(&found, compiled))
    }

    /// Whether HAProxy answers, and still runs what was confirmed last.
    pub(crate) async fn alive(&mut self) -> Alive {
        let replaced = match self.look().await {
            Ok(Look::Ours(_)) => self.another_version().await,
            Ok(Look::Other(why)) => Ok(Some(why)),
            Err(error) => Err(error),
        };
        match replaced {
            Ok(None) => Alive::Yes,
            Ok(Some(why)) => Alive::Restarted { why },
            Err(error) => Alive::Silent {
                why: self.explain(&error),
            },
        }
    }

    /// Whether HAProxy was replaced by another version, which may have been started from our files and
    /// run what was confirmed. What it is can be asked without its master, which may be away.
    async fn another_version(&mut self) -> Result<Option<String>, Error> {
        let known = self.version;
        let found = self.admin.version().await?;
        if known.is_none() || found.is_none() || found == known {
            return Ok(None);
        }
        // The worker of an older version may go on after a reload that failed, and is no news.
        let master = self.master.processes().await?.version();
        let why = master.filter(|it| Some(*it) != known);
        Ok(why.map(|it| format!("it is HAProxy {it} now")))
    }

    /// Waits until what commands have led to is on the disk, or is not, for the reason given; for ever if
    /// there is nothing to wait for. May be dropped at any time.
    pub(crate) async fn saved(&mut self) -> Result<Saved, Error> {
        let Some(written) = self.saving.ended().await else {
            return std::future::pending().await;
        };
        let mut timings = Timings::default();
        timings.take(written?);
        Ok(Saved {
            timings,
            is_newest: !self.saving.is_behind(),
        })
    }

    /// Tries again to write what the disk did not take.
    pub(crate) fn save_again(&mut self) {
        self.saving.again();
    }

    /// Stops an embedded HAProxy within its grace period, or when `hurry` comes; leaves an external one
    /// alone. Waits for the disk meanwhile.
    pub(crate) async fn stop(self, hurry: impl Future<Output = ()>) {
        let Self {
            mut saving,
            process,
            ..
        } = self;
        let stop = async {
            if let Some(process) = process {
                process.stop(hurry).await;
            }
        };
        tokio::join!(saving.rest(), stop);
    }

    async fn reload(
        &mut self,
        compiled: &Compiled,
        because_of: Option<String>,
        mut timings: Timings,
    ) -> Result<Outcome, Error> {
        let lack = lack_of_descriptors(&self.master, self.version, &compiled.bundle);
        if let Some(messages) = lack.await {
            return Ok(Outcome::Rejected { messages, timings });
        }
        let number = self.write(compiled, &mut timings).await?;
        let start = Instant::now();
        let lines = self.process.as_ref().map_or(0, Process::lines);
        let verdict = self.master.reload(self.reload_limit()).await;
        let mut died = matches!(
            verdict,
            Ok(Verdict::Replaced) | Err(master::Error::Died { .. })
        );
        let loaded = match verdict {
            Ok(verdict) => self.verify(verdict).await,
            Err(error) => Err(error.into()),
        };
        timings.reload = start.elapsed();
        let refused = match loaded {
            // An embedded HAProxy may have died afterwards, and then the disk is back already.
            Ok(Ok(messages)) if self.on_disk(move |it| it.confirm(number, None)).await? => {
                self.died_with = None;
                self.saving.forget();
                return Ok(Outcome::Reloaded {
                    messages,
                    because_of,
                    timings,
                });
            }
            Ok(Ok(_)) => {
                died = true;
                Error::Died
            }
            Ok(Err(messages)) if !died => {
                self.go_back().await?;
                return Ok(Outcome::Rejected {
                    messages: self.complete(messages, lines),
                    timings,
                });
            }
            Ok(Err(_)) => Error::Died,
            Err(error) => error,
        };
        self.go_back().await?;
        // Who was killed for want of memory, or by somebody, looks the same as who died of what it read.
        if died && self.dies_again(&compiled.bundle) {
            let written = self.process.as_ref().map(|it| it.lines_since(lines));
            let written = written.unwrap_or_default();
            return Ok(Outcome::Rejected {
                messages: format!("{refused}, twice\n{written}").trim_end().to_owned(),
                timings,
            });
        }
        Err(refused)
    }

    /// Puts the last good generation back, and on it what HAProxy was told and the disk did not take before.
    async fn go_back(&mut self) -> Result<(), Error> {
        self.on_disk(Files::roll_back).await?;
        self.saving.again();
        Ok(())
    }

    /// Notes that HAProxy died while it was reloaded, and tells whether it did so the last time, too, with
    /// the same configuration.
    fn dies_again(&mut self, bundle: &Bundle) -> bool {
        let config = blake3::hash(bundle.config().as_bytes());
        self.died_with.replace(config) == Some(config)
    }

    /// Looks whether the worker of the new generation serves. The messages are HAProxy's, or why
    /// its word is not believed.
    async fn verify(&mut self, verdict: Verdict) -> Result<Result<String, String>, Error> {
        let messages = match verdict {
            Verdict::Loaded { messages } => Ok(messages),
            Verdict::Rejected { messages } => return Ok(Err(messages)),
            Verdict::Replaced => Err(Error::Died.to_string()),
        };
        self.admin.has_new_worker();
        let wanted = self.saving.files().marker();
        let end = Instant::now() + HAND_OVER.max(self.settings.timeout);
        let mut pause = Duration::from_millis(2);
        loop {
            let found = self.admin.identity().await.map(|it| it.marker);
            let (last, silence) = match found {
                Ok(found) if found.is_some() && found == wanted => {
                    self.unmarked = None;
                    return Ok(Ok(messages.unwrap_or_default()));
                }
                Ok(None) => {
                    // There is nothing but HAProxy's word.
                    self.unmarked = Some(self.processes().await?);
                    return Ok(messages);
                }
                Ok(Some(found)) => (format!("HAProxy still runs generation `{found}`"), None),
                Err(error) if error.is_transient() => (error.to_string(), Some(error)),
                Err(error) => return Err(error.into()),
            };
            if Instant::now() + pause >= end {
                return match (messages, silence) {
                    (Err(messages), _) => Ok(Err(messages)),
                    // It took the configuration and then stood still: no object is to blame.
                    (Ok(_), Some(error)) => Err(error.into()),
                    (Ok(messages), None) => {
                        Ok(Err(format!("{messages}\n{last}").trim().to_owned()))
                    }
                };
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }

    /// Which configuration the worker that serves runs.
    async fn look(&mut self) -> Result<Look, Error> {
        let worker = self.admin.identity().await?;
        let Some(marker) = &worker.marker else {
            let ours = self.unmarked.is_some() && self.unmarked == Some(self.processes().await?);
            if ours {
                return Ok(Look::Ours(worker));
            }
            self.saving.forget();
            let why = "HAProxy does not run a configuration of ours";
            return Ok(Look::Other(why.into()));
        };
        let (is_current, is_earlier) = if self.saving.is_behind() {
            (false, self.saving.is_told(marker))
        } else {
            self.saving.rest().await;
            let files = self.saving.files();
            let current = files.current().map(|(_, it)| it);
            let earlier = current.and_then(|it| it.started_from.as_ref());
            let is_current = files.marker().as_ref() == Some(marker);
            (is_current, earlier == Some(marker))
        };
        // Another one may have been started from the same files, just before the commands.
        if is_current || is_earlier && worker.is(self.updated.as_ref()) {
            return Ok(Look::Ours(worker));
        }
        self.saving.forget();
        let without = if is_earlier {
            ", without what it was told since"
        } else {
            ""
        };
        let why = format!("HAProxy runs generation `{marker}`{without}");
        Ok(Look::Other(why))
    }

    async fn processes(&self) -> Result<(u32, Option<u32>), Error> {
        let processes = self.master.processes().await?;
        Ok((processes.master.pid, processes.worker()))
    }

    /// Writes a generation that HAProxy has not confirmed.
    async fn write(&mut self, compiled: &Compiled, timings: &mut Timings) -> Result<u64, Error> {
        let content = self.content(compiled).await;
        let written = self.on_disk(move |it| content.write(it)).await?;
        timings.take(written);
        Ok(written.number)
    }

    /// Works on the disk when what was begun there has ended.
    async fn on_disk<T, W>(&mut self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(&mut Files) -> Result<T, files::Error> + Send + 'static,
    {
        Ok(self.saving.run(work).await?)
    }

    fn reload_limit(&self) -> Duration {
        SHORTEST_RELOAD_LIMIT.max(self.settings.timeout * 4)
    }

    /// Adds to an error what is known of an embedded HAProxy.
    fn explain(&self, error: &Error) -> String {
        match self.process.as_ref().map(Process::state) {
            Some(State::Ended { how }) => format!("{error}; {how}"),
            _ => error.to_string(),
        }
    }

    /// The messages of a rejection, from where there are some.
    fn complete(&self, messages: String, lines: usize) -> String {
        if !messages.is_empty() {
            return messages;
        }
        let written = self.process.as_ref().map(|it| it.lines_since(lines));
        match (written, self.version) {
            (Some(written), _) if !written.is_empty() => written,
            (_, Some(version)) => {
                format!("HAProxy {version} says why only in its own log")
            }
            _ => "HAProxy says why only in its own log".into(),
        }
    }
}

impl Timings {
    /// Adds how long it took to write something.
    fn take(&mut self, written: Written) {
        self.maps += written.maps_in;
        self.config += written.took.saturating_sub(written.maps_in);
    }
}

impl Error {
    /// Whether the same call may well succeed a little later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Master(error) => error.is_transient(),
            Self::Admin(error) => error.is_transient(),
            Self::Died => true,
            Self::Files(_) | Self::Version { .. } => false,
        }
    }
}

/// Goes back to the last good generation before HAProxy is started.
fn go_back(files: &Mutex<Files>) {
    let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = files.roll_back() {
        tracing::warn!(%error, "HAProxy is started from files that it may not like");
    }
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
