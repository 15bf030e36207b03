//! The controller: sources → store → reconcile → HAProxy.

mod certificate;
mod pace;
pub(crate) mod stop;
mod store;
mod tasks;
mod watch;

use std::path::Path;
use std::process::ExitCode;

use crate::args::controller::Controller;

pub(crate) fn start(task: Controller) -> ExitCode {
    crate::log::start(task.log);
    ExitCode::SUCCESS
}
pub(crate) fn init(_prefix: &Path) -> ExitCode {
    ExitCode::SUCCESS
}
