//! The demo: what the controller does, shown step by step with a real HAProxy.
//!
//! ```text
//!  manifests/ ──▶ haproxy-ingress ──▶ etc/haproxy, var/run/haproxy ──▶ haproxy -W -S … ──▶ two backends
//!      ▲                                                                   ▲
//!   the story writes files                                      the story sends requests
//! ```
//!
//! Everything lives under one temporary folder, listens on free ports of 127.0.0.1, and is stopped
//! by its process id when the demo ends, however it ends.

mod client;
mod place;
mod process;
mod story;
mod upstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::command;
use crate::demo::place::Place;
use crate::demo::story::Story;
use crate::demo::upstream::Upstream;
use crate::setup::{self, Tool};

/// Set when somebody wants the demo to end.
#[derive(Clone, Debug)]
struct Stop(Arc<AtomicBool>);

/// Shows it all. Stays up until Ctrl-C, or ends after the last step.
pub(crate) fn run(once: bool) -> Result<()> {
    let stop = Stop::on_signals()?;
    command::title("Set-up");
    setup::install(&[Tool::Haproxy, Tool::Curl])?;
    command::run(&mut command::cargo(&["build", "-p", "haproxy-ingress"]))?;

    let blue = Upstream::start("blue")?;
    let green = Upstream::start("green")?;
    let place = Place::new()?;
    let mut story = Story::begin(&place, &stop)?;
    let told = story.tell(&blue, &green);
    if stop.is_set() {
        command::say("stopped");
        return Ok(());
    }
    told?;
    if once {
        story.stop();
    }
    let all_well = story.summary();
    if !once {
        println!(
            "\nEverything stays up. Open {}\nor change the files in {} and ask again.\nCtrl-C stops all of it.",
            command::bold(&format!("http://shop.localhost:{}/", place.ports.http)),
            place.manifests().display(),
        );
        while !stop.is_set() {
            thread::sleep(Duration::from_millis(100));
        }
        println!();
        command::say("stopping");
        return Ok(());
    }
    if !all_well {
        bail!("not every step went as expected");
    }
    Ok(())
}

impl Stop {
    /// Is set by Ctrl-C. The children do not see it: they have process groups of their own, so that
    /// they can be stopped in order.
    fn on_signals() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
