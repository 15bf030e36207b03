//! A sign of life while something takes long: on a terminal, and never in a pipe.

use std::io::IsTerminal as _;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What takes less is not long: a sign would only flicker.
const DELAY: Duration = Duration::from_millis(300);

/// How often the sign moves.
const INTERVAL: Duration = Duration::from_millis(120);

/// Something that takes long; the sign goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

impl Progress {
    /// Shows what is done, on standard error if that is a terminal.
    pub(crate) fn start(what: &'static str) -> Self {
        let is_wanted = std::io::stderr().is_terminal()
            && std::env::var_os("TERM").is_none_or(|it| it != "dumb");
        if !is_wanted {
            return Self(None);
        }
        let (done, is_done) = mpsc::channel();
        let shown = move || {
            if is_done.recv_timeout(DELAY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = bar(what);
            // Nothing is sent: it ends when the other end is dropped.
            let _ = is_done.recv();
            bar.finish_and_clear();
        };
        // Without a thread there is no sign, and the work goes on.
        let thread = thread::Builder::new().name("progress".into()).spawn(shown);
        Self(thread.ok().map(|it| (done, it)))
    }
}

fn bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
    let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_message(what);
    bar.enable_steady_tick(INTERVAL);
    bar
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.0.take() {
            drop(done);
            // What is printed next must not meet the sign.
            let _ = thread.join();
        }
    }
}
