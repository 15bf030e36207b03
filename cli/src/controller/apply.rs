//! What the loop asks of an HAProxy: the only place through which anything is written.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use haproxy_ingress_core::assemble::Places;
use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::options::Version;
use haproxy_ingress_core::plan::Plan;

use crate::args::controller::Engine;
use crate::haproxy::socket::Answered;
use crate::haproxy::workers::Load;
use crate::haproxy::{self, Haproxy, Mode, Settings, Timings};

/// Why an HAProxy could not be used.
pub(crate) trait Failure: fmt::Display + Send {
    /// Whether it came before HAProxy heard of anything, so that trying again costs it nothing.
    fn is_free(&self) -> bool;
}

/// One HAProxy, as the loop sees it.
pub(crate) trait Proxy: Send {
    /// Why it could not be used.
    type Error: Failure;

    /// `external` or `embedded`.
    fn name(&self) -> &'static str;

    /// Until it can be talked to; calls back while it waits, with the time so far and the reason.
    fn wait_ready(
        &mut self,
        waiting: impl FnMut(Duration, &str) + Send,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Which HAProxy it is.
    fn version(&mut self) -> impl Future<Output = Result<Version, Self::Error>> + Send;

    /// Where servers stand in what it was last given, by an earlier process maybe; empty if that is
    /// not known.
    fn places(&mut self) -> impl Future<Output = Places> + Send;

    /// Whether it already runs exactly this.
    fn adopt(
        &mut self,
        compiled: &Compiled,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// What it runs by what it was last given, by an earlier process maybe, as far as a plan needs to know
    /// that leads on from it; nothing if that is not known.
    fn recall(&mut self) -> impl Future<Output = Option<Compiled>> + Send;

    /// Whether it has never run anything of ours.
    fn is_fresh(&mut self) -> impl Future<Output = bool> + Send;

    /// Its program, if that may be run to check a configuration.
    fn program(&self) -> Option<PathBuf>;

    /// What was kept with [`Proxy::keep_held`], by an earlier process maybe.
    fn held(&mut self) -> impl Future<Output = Option<Vec<u8>>> + Send;

    /// Keeps what is held back beside its files.
    fn keep_held(&mut self, text: Vec<u8>) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Makes it run something.
    fn carry_out(
        &mut self,
        plan: &Plan,
        compiled: &Compiled,
    ) -> impl Future<Output = Result<Applied, Self::Error>> + Send;

    /// Until what commands have led to is on the disk, or is not, for the reason given; for ever if nothing is on
    /// its way there. May be dropped at any time.
    fn saved(&mut self) -> impl Future<Output = Result<Saved, Self::Error>> + Send;

    /// Tries again to write what the disk did not take.
    fn save_again(&mut self);

    /// What its processes take.
    fn load(&mut self) -> impl Future<Output = Result<Load, Self::Error>> + Send;

    /// Compares what it has in memory with what it should have: what would put it right.
    fn audit(
        &mut self,
        compiled: &Compiled,
    ) -> impl Future<Output = Result<Plan, Self::Error>> + Send;

    /// Whether it still is the HAProxy that was last talked to.
    fn alive(&mut self) -> impl Future<Output = Alive> + Send;

    /// Lets it finish its sessions if it is ours, at most until `hurry` comes.
    fn finish(self, hurry: impl Future<Output = ()> + Send) -> impl Future<Output = ()> + Send;
}

/// How long each step took, in the order in which they were reached.
pub(crate) type Steps = Vec<(&'static str, Duration)>;

/// What was written behind commands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Saved {
    /// How long each step took.
    pub(crate) steps: Steps,
    /// Whether HAProxy was told nothing since then.
    pub(crate) is_newest: bool,
}

/// What became of a plan.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Applied {
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// How long each step took.
    pub(crate) steps: Steps,
}

/// How a plan ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// There was nothing to do.
    Unchanged,
    /// Commands were enough.
    Updated {
        /// How many.
        commands: usize,
    },
    /// HAProxy reads the new files.
    Reloaded {
        /// Why it was reloaded although commands were planned.
        instead: Option<String>,
    },
    /// HAProxy refused the new files and goes on as before.
    Rejected {
        /// What it said.
        messages: String,
    },
}

/// Whether an HAProxy still is there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Alive {
    /// The same as before.
    Same,
    /// It runs something else, for the reason given: mostly it was started again.
    Restarted(String),
    /// Nobody answers, for the reason given.
    Gone(String),
}

/// The HAProxy that the flags ask for.
pub(crate) fn settings(
    engine: Engine,
    prefix: &Path,
    timeout: Duration,
    former: usize,
    answered: Answered,
) -> Settings {
    Settings {
        prefix: prefix.to_owned(),
        mode: match engine {
            Engine::External {
                master_socket,
                checker,
            } => Mode::External {
                master_socket,
                checker,
            },
            Engine::Embedded { binary, grace } => Mode::Embedded { binary, grace },
        },
        timeout,
        former,
        answered: Some(answered),
    }
}

impl Failure for haproxy::Error {
    fn is_free(&self) -> bool {
        matches!(self, Self::Files(_))
    }
}

impl Proxy for Haproxy {
    type Error = haproxy::Error;

    fn name(&self) -> &'static str {
        self.name()
    }

    async fn wait_ready(
        &mut self,
        waiting: impl FnMut(Duration, &str) + Send,
    ) -> Result<(), Self::Error> {
        self.wait_ready(waiting).await
    }

    async fn version(&mut self) -> Result<Version, Self::Error> {
        self.version().await
    }

    async fn places(&mut self) -> Places {
        Haproxy::places(self).await
    }

    async fn adopt(&mut self, compiled: &Compiled) -> Result<bool, Self::Error> {
        self.adopt(compiled).await
    }

    async fn recall(&mut self) -> Option<Compiled> {
        Haproxy::recall(self).await
    }

    async fn is_fresh(&mut self) -> bool {
        Haproxy::is_fresh(self).await
    }

    fn program(&self) -> Option<PathBuf> {
        Haproxy::program(self).map(Path::to_owned)
    }

    async fn held(&mut self) -> Option<Vec<u8>> {
        Haproxy::held(self).await
    }

    async fn keep_held(&mut self, text: Vec<u8>) -> Result<(), Self::Error> {
        Haproxy::keep_held(self, text).await
    }

    async fn carry_out(
        &mut self,
        plan: &Plan,
        compiled: &Compiled,
    ) -> Result<Applied, Self::Error> {
        let (outcome, timings) = match self.carry_out(plan, compiled).await? {
            haproxy::Outcome::Unchanged => (Outcome::Unchanged, Timings::default()),
            haproxy::Outcome::Updated { commands, timings } => {
                (Outcome::Updated { commands }, timings)
            }
            haproxy::Outcome::Reloaded {
                messages: _,
                because_of,
                timings,
            } => (
                Outcome::Reloaded {
                    instead: because_of,
                },
                timings,
            ),
            haproxy::Outcome::Rejected { messages, timings } => {
                (Outcome::Rejected { messages }, timings)
            }
        };
        Ok(Applied {
            outcome,
            steps: steps(timings),
        })
    }

    async fn saved(&mut self) -> Result<Saved, Self::Error> {
        let saved = self.saved().await?;
        Ok(Saved {
            steps: steps(saved.timings),
            is_newest: saved.is_newest,
        })
    }

    fn save_again(&mut self) {
        self.save_again();
    }

    async fn load(&mut self) -> Result<Load, Self::Error> {
        Ok(Load::of(self.master()).await?)
    }

    async fn audit(&mut self, compiled: &Compiled) -> Result<Plan, Self::Error> {
        Haproxy::audit(self, compiled).await
    }

    async fn alive(&mut self) -> Alive {
        match self.alive().await {
            haproxy::Alive::Yes => Alive::Same,
            haproxy::Alive::Restarted { why } => Alive::Restarted(why),
            haproxy::Alive::Silent { why } => Alive::Gone(why),
        }
    }

    async fn finish(self, hurry: impl Future<Output = ()> + Send) {
        self.stop(hurry).await;
    }
}

fn steps(timings: Timings) -> Steps {
    let steps = [
        ("write_maps", timings.maps),
        ("write_config", timings.config),
        ("update_haproxy", timings.update),
        ("reload_haproxy", timings.reload),
    ];
    let steps = steps.into_iter().filter(|(_, time)| !time.is_zero());
    steps.collect()
}
