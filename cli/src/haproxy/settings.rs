//! Which HAProxy it is.

use std::path::PathBuf;
use std::time::Duration;

use crate::haproxy::files;
use crate::haproxy::socket::{Answered, Socket};

/// Where HAProxy is and how it is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What stands in front of every path; empty for none.
    pub(crate) prefix: PathBuf,
    /// Who starts HAProxy.
    pub(crate) mode: Mode,
    /// How long one command may take (`--connection-timeout`). A reload may take longer.
    pub(crate) timeout: Duration,
    /// How many former configurations are kept (`--max-old-config-files`).
    pub(crate) former: usize,
    /// Who hears how long the worker takes for its answers.
    pub(crate) answered: Option<Answered>,
}

/// Who starts HAProxy.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    /// Somebody else.
    External {
        /// The socket of its master.
        master_socket: PathBuf,
        /// Its program, if that may be run here to check configurations.
        checker: Option<PathBuf>,
    },
    /// We do. What it writes goes to the log as events of the target `haproxy`.
    Embedded {
        /// The program.
        binary: PathBuf,
        /// How long it may finish its requests when it is stopped.
        grace: Duration,
    },
}

impl Settings {
    /// The folder of sockets.
    pub(super) fn run(&self) -> PathBuf {
        files::root(&self.prefix).join("var/run/haproxy")
    }

    /// The socket of the worker.
    pub(crate) fn admin(&self) -> Socket {
        let socket = Socket::worker(self.run().join("admin.sock"), self.timeout);
        socket.heard_by(self.answered.clone())
    }

    /// The folder that HAProxy is started with.
    pub(super) fn folder(&self) -> PathBuf {
        files::root(&self.prefix).join("etc/haproxy")
    }
}
