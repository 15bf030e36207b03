//! How the sessions of old processes are closed.

use crate::diagnostic::codes;
use crate::haproxy::{Closing, Config};
use crate::keys::timeout::Timeouts;
use crate::keys::{Cx, Family, block, keys};
use crate::value::spread::Spread;

/// How the sessions of old processes are closed.
pub const FAMILY: Family = Family {
    name: "close-sessions-duration",
    title: "Sessions of old processes",
    blocks: &[block!(Global, CloseSessions)],
};

keys! {
    Global => pub struct CloseSessions {
        /// The last part of `timeout-stop`, during which the sessions of an old process are closed one
        /// after the other and not all at its end.
        ///
        /// A time, such as `10m`, or a percentage of `timeout-stop`, from 2% to 98%. It needs
        /// `--track-old-instances`. Only sessions of clients are closed, and in no certain order: what is
        /// under way then is broken off as it would be at the end.
        "close-sessions-duration" => duration: Spread,
    }
}

impl CloseSessions {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        let Some(duration) = &self.duration else {
            return;
        };
        let timeouts = cx.global_settings::<Timeouts>();
        let stop = &timeouts.stop.value;
        let spread = duration.value.milliseconds_of(stop.milliseconds());
        let why = if spread >= stop.milliseconds() {
            format!("`close-sessions-duration` is not shorter than `timeout-stop`, {stop}")
        } else if cx.options.follows_old_workers == Some(false) {
            "`close-sessions-duration` needs the flag `--track-old-instances`".into()
        } else {
            config.global.closing = Some(Closing {
                stop: stop.milliseconds(),
                spread,
            });
            return;
        };
        let instead = "sessions are closed at the end of `timeout-stop`, all at once";
        cx.report(&codes::CONFLICT, &duration.origin, why, instead);
    }
}
