//! How the sessions of old processes are closed.

use crate::diagnostic::codes;
use crate::haproxy::Config;
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
        /// `--track-old-instances`, which has no effect yet, so a value is reported.
        "close-sessions-duration" => duration: Spread,
    }
}

impl CloseSessions {
    fn apply(&self, _: &mut Config, cx: &mut Cx<'_>) {
        let Some(duration) = &self.duration else {
            return;
        };
        let timeouts = cx.global_settings::<Timeouts>();
        let stop = &timeouts.stop.value;
        if duration.value.milliseconds_of(stop.milliseconds()) >= stop.milliseconds() {
            cx.report(
                &codes::CONFLICT,
                &duration.origin,
                format!("`close-sessions-duration` is not shorter than `timeout-stop`, {stop}"),
                "sessions are closed at the end of it, all at once",
            );
            return;
        }
        cx.report(
            &codes::UNSUPPORTED,
            &duration.origin,
            "`close-sessions-duration`: old processes are not followed yet",
            "their sessions are closed at the end of `timeout-stop`, all at once",
        );
    }
}
