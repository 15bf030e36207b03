//! Engines of OpenSSL.

use crate::diagnostic::codes;
use crate::haproxy::Config;
use crate::keys::{Cx, Family, block, keys};
use crate::value::directive::Words;
use crate::value::text::Line;

/// Engines of OpenSSL, in a HAProxy that was built for them.
pub const FAMILY: Family = Family {
    name: "ssl-engine",
    title: "TLS engines",
    blocks: &[block!(Global, SslEngine)],
};

keys! {
    Global => pub struct SslEngine {
        /// The engine, and its parameters behind it, as HAProxy's `ssl-engine` has them.
        ///
        /// HAProxy must have been built with `USE_ENGINE=1`, which makes `haproxy -vv` say `+ENGINE`. Another
        /// one, such as Debian's, refuses a configuration with this key.
        "ssl-engine" => engine: Words,
        /// Whether TLS works asynchronously with the engine.
        "ssl-mode-async" => is_async: bool = "false",
    }
}

impl SslEngine {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        let engine = self.engine.as_ref();
        let engine = engine.and_then(|it| it.value.line().map(|line| it.map(|_| line)));
        let Some(engine) = engine else {
            if self.is_async.value {
                cx.report(
                    &codes::NO_EFFECT,
                    &self.is_async.origin,
                    "`ssl-mode-async` goes with `ssl-engine`, which is not set",
                    "TLS works as always",
                );
            }
            return;
        };
        config.global.tls.insert("ssl-engine", engine);
        if self.is_async.value {
            let part = self.is_async.map(|_| Line::default());
            config.global.tls.insert("ssl-mode-async", part);
        }
    }
}
