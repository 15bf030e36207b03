//! Tasks with names, none of which may end before it is time.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::task::JoinSet;

use crate::controller::stop::{Control, Stop};

/// All tasks of the controller.
pub(crate) struct Tasks {
    set: JoinSet<(&'static str, anyhow::Result<()>)>,
    stop: Stop,
}

impl Tasks {
    /// No tasks yet.
    pub(crate) fn new(stop: Stop) -> Self {
        Self {
            set: JoinSet::new(),
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

    /// Waits until `last`, the task that finishes the work, has ended after being asked to stop, and
    /// at most `limit` from then on. Any other end is an error.
    pub(crate) async fn join(
        mut self,
        last: &'static str,
        limit: Duration,
        control: &Control,
    ) -> anyhow::Result<()> {
        let stop = self.stop.clone();
        let too_late = async {
            stop.stopping().await;
            tokio::time::sleep(limit).await;
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
            if name == last {
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
        tasks.spawn("reconcile", async move {
            stop.stopping().await;
            Ok(())
        });
        tasks.spawn("http", async { Ok(()) });
        let error = tasks.join("reconcile", LIMIT, &control).await;
        let error = error.expect_err("http ended");
        assert_eq!(
            error.to_string(),
            "task `http` ended before it was asked to"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_last_task_is_the_end() -> anyhow::Result<()> {
        let (control, stop) = stop::channel();
        let mut tasks = Tasks::new(stop.clone());
        tasks.spawn("watch", std::future::pending());
        let stopping = stop.clone();
        tasks.spawn("reconcile", async move {
            stopping.stopping().await;
            Ok(())
        });
        let asker = control.clone();
        tokio::spawn(async move { asker.stop() });
        tasks.join("reconcile", LIMIT, &control).await?;
        stop.finished().await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_has_a_limit() {
        let (control, stop) = stop::channel();
        let mut tasks = Tasks::new(stop);
        tasks.spawn("reconcile", std::future::pending());
        control.stop();
        let error = tasks.join("reconcile", LIMIT, &control).await;
        assert_eq!(
            error.expect_err("the task never ends").to_string(),
            "stopping took longer than 25s"
        );
    }
}
