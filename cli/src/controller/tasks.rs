//! Tasks with names, none of which may end before it is time.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::task::JoinSet;
use tracing::warn;

use crate::controller::stop::{Control, Stop};

/// How long it may take to end without waiting for anything.
const AT_ONCE: Duration = Duration::from_secs(2);

/// All tasks of the controller.
pub(crate) struct Tasks {
    set: JoinSet<(&'static str, anyhow::Result<()>)>,
    /// Those that finish the work at the end and have not ended yet.
    last: Vec<&'static str>,
    stop: Stop,
}

impl Tasks {
    /// No tasks yet.
    pub(crate) fn new(stop: Stop) -> Self {
        Self {
            set: JoinSet::new(),
            last: Vec::new(),
            stop,
        }
    }

    /// Starts one.
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.set.spawn(async move { (name, task.await) });
    }

    /// Starts one that finishes the work at the end, so that the end waits for it.
    pub(crate) fn spawn_last(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.last.push(name);
        self.spawn(name, task);
    }

    /// Waits until those that finish the work have ended after being asked to stop. After `limit` from then
    /// on they are to wait for nothing any more, and a little later this is an error, as any other end is.
    pub(crate) async fn join(mut self, limit: Duration, control: &Control) -> anyhow::Result<()> {
        let stop = self.stop.clone();
        let hurry = control.clone();
        let too_late = async move {
            stop.stopping().await;
            tokio::time::sleep(limit).await;
            warn!("stopping takes longer than {limit:?} (--shutdown-timeout), no longer waiting");
            hurry.hurry();
            tokio::time::sleep(AT_ONCE).await;
        };
        tokio::pin!(too_late);
        loop {
            let ended = tokio::select! {
                ended = self.set.join_next() => ended,
                () = &mut too_late => bail!("stopping took longer than {limit:?}"),
            };
            let (name, result) = match ended {
                None => bail!("every task has ended"),
                Some(Err(error)) => return Err(anyhow!(error).context("a task panicked")),
                Some(Ok(ended)) => ended,
            };
            result.with_context(|| format!("task `{name}` failed"))?;
            if !self.stop.is_leaving() {
                bail!("task `{name}` ended before it was asked to");
            }
            self.last.retain(|it| *it != name);
            if self.last.is_empty() {
                control.finish();
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::stop;

    const LIMIT: Duration = Duration::from_secs(25);

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_early_ends_all_with_its_name() {
        let (control, stop) = stop::channel();
        let mut tasks = Tasks::new(stop.clone());
        tasks.spawn_last("reconcile", async move {
            stop.stopping().await;
            Ok(())
        });
        tasks.spawn("http", async { Ok(()) });
        let error = tasks.join(LIMIT, &control).await;
        let error = error.expect_err("http ended");
        assert_eq!(
            error.to_string(),
            "task `http` ended before it was asked to"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_last_tasks_is_the_end() -> anyhow::Result<()> {
        let (control, stop) = stop::channel();
        let mut tasks = Tasks::new(stop.clone());
        tasks.spawn("watch", std::future::pending());
        let started = tokio::time::Instant::now();
        let stopping = stop.clone();
        tasks.spawn_last("leader", async move {
            stopping.stopping().await;
            tokio::time::sleep(LIMIT / 2).await;
            Ok(())
        });
        let stopping = stop.clone();
        tasks.spawn_last("reconcile", async move {
            stopping.stopping().await;
            Ok(())
        });
        let asker = control.clone();
        tokio::spawn(async move { asker.stop() });
        tasks.join(LIMIT, &control).await?;
        stop.finished().await;
        assert_eq!(started.elapsed(), LIMIT / 2, "of the last two");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_at_the_end_of_the_limit_waits_no_longer() -> anyhow::Result<()> {
        let (control, stop) = stop::channel();
        let mut tasks = Tasks::new(stop.clone());
        let started = tokio::time::Instant::now();
        tasks.spawn_last("reconcile", async move {
            stop.hurrying().await;
            Ok(())
        });
        control.stop();
        tasks.join(LIMIT, &control).await?;
        assert_eq!(started.elapsed(), LIMIT);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_has_a_limit() {
        let (control, stop) = stop::channel();
        let mut tasks = Tasks::new(stop);
        tasks.spawn_last("reconcile", std::future::pending());
        control.stop();
        let error = tasks.join(LIMIT, &control).await;
        assert_eq!(
            error.expect_err("the task never ends").to_string(),
            "stopping took longer than 25s"
        );
    }
}
