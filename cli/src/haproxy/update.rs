//! What a running HAProxy is told by commands.

use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::plan::Command;
use tokio::time::Instant;

use crate::haproxy::admin::Identity;
use crate::haproxy::files::Files;
use crate::haproxy::saving::Content;
use crate::haproxy::{Error, Haproxy, Look, Outcome, Timings};

/// Why commands were not enough.
const RESTARTED: &str = "HAProxy was started again while it was told";

impl Haproxy {
    /// Carries out commands. One that does not go as expected becomes a reload.
    pub(super) async fn update(
        &mut self,
        commands: &[Command],
        compiled: &Compiled,
    ) -> Result<Outcome, Error> {
        let mut timings = Timings::default();
        let drifted = self.settle().await?;
        let before = match self.look().await {
            _ if drifted => Err("earlier commands were carried out in part only".to_owned()),
            Ok(Look::Ours(it)) => Ok(it),
            Ok(Look::Other(why)) => Err(why),
            Err(error) => Err(error.to_string()),
        };
        let before = match before {
            Ok(it) => it,
            Err(why) => return self.reload(compiled, Some(why), timings).await,
        };
        // Clients wait for the commands and not for the disk, if another worker that takes the place of this
        // one is noticed by its process. Else it is by what it was started from, which comes first.
        let written = if before.can_be_told() {
            None
        } else {
            Some(self.write(compiled, &mut timings).await?)
        };
        let start = Instant::now();
        self.is_half_told = true;
        let process = before.process.as_ref();
        let done = self.admin.carry_out(commands, compiled, process).await;
        timings.update = start.elapsed();
        let after = match done {
            Ok(()) => self.look_again(&before).await,
            Err(error) => Err(error.to_string()),
        };
        let after = match after {
            Ok(()) => self.remember(compiled, written, &before).await?,
            Err(why) => Err(why),
        };
        if let Err(why) = after {
            self.saving.forget();
            let outcome = self.reload(compiled, Some(why), timings).await;
            if !matches!(outcome, Ok(Outcome::Reloaded { .. })) {
                // The worker goes on, with some of the commands.
                self.on_disk(Files::note_drift).await?;
            }
            self.is_half_told = false;
            return outcome;
        }
        self.is_half_told = false;
        Ok(Outcome::Updated {
            commands: commands.len(),
            timings,
        })
    }

    /// Remembers what a worker was told, on the disk, too; or why it has not heard all of it.
    async fn remember(
        &mut self,
        compiled: &Compiled,
        written: Option<u64>,
        worker: &Identity,
    ) -> Result<Result<(), String>, Error> {
        let marker = worker.marker.clone();
        if let Some(number) = written {
            // An embedded HAProxy that dies in between takes the disk back with it.
            let is_current = self.on_disk(move |it| it.confirm(number, marker)).await?;
            if !is_current {
                return Ok(Err(RESTARTED.to_owned()));
            }
            self.saving.forget();
        } else {
            let content = self.content(compiled).await;
            self.saving.begin(content, marker);
        }
        self.updated = worker.process;
        Ok(Ok(()))
    }

    /// Whether the worker that has taken commands is still the one that was looked at before.
    async fn look_again(&mut self, before: &Identity) -> Result<(), String> {
        let now = self.admin.identity().await.map_err(|it| it.to_string())?;
        let same = match &now.marker {
            Some(_) => now.marker == before.marker,
            None => self.unmarked.is_some() && self.unmarked == self.processes().await.ok(),
        };
        if same && now.is(before.process.as_ref()) {
            Ok(())
        } else {
            Err(RESTARTED.to_owned())
        }
    }

    /// Goes back from what a call that was dropped has left. Whether the worker may differ from what is
    /// known of it is returned.
    pub(super) async fn settle(&mut self) -> Result<bool, Error> {
        let is_half_told = self.is_half_told;
        if is_half_told {
            self.saving.forget();
        }
        if self.saving.is_behind() {
            return Ok(false);
        }
        let settled = self.on_disk(move |it| {
            if it.roll_back()? || is_half_told {
                it.note_drift()?;
            }
            Ok(it.current().is_some_and(|(_, it)| it.drifted))
        });
        let settled = settled.await?;
        self.is_half_told = false;
        Ok(settled)
    }

    /// What the disk is to hold.
    pub(super) async fn content(&mut self, compiled: &Compiled) -> Content {
        if self.version.is_none()
            && let Err(error) = self.version().await
        {
            tracing::debug!(%error, "files are written for a HAProxy that is not known yet");
        }
        // A HAProxy that was never reached may be any, and is most likely not older.
        let marked = self.version.is_none_or(|it| it.is_at_least(2, 4));
        Content::of(compiled, marked)
    }
}
