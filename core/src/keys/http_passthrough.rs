//! Frontends behind a proxy that ends TLS.

use crate::keys::{Family, block, keys};
use crate::value::number::Integer;

/// Frontends behind a proxy that ends TLS.
pub const FAMILY: Family = Family {
    name: "http-passthrough",
    title: "Behind another proxy",
    // Both are read where frontends are made: they decide which ones there are.
    blocks: &[block!(PassthroughPort), block!(Passthrough)],
};

keys! {
    Global => pub struct PassthroughPort {
        /// The port for requests from a proxy in front that ends TLS; nothing or 0 opens none.
        ///
        /// If it is another one than `http-port`, every Ingress is served there too. If it is the same,
        /// the default frontend for HTTP is the one behind the proxy. Such a frontend trusts what the
        /// proxy says of the client, as `http-passthrough` tells, so no client may reach it.
        "http-passthrough-port" | "fronting-proxy-port" | "https-to-http-port" => port: Integer<0, 65535>,
    }
}

keys! {
    Frontend => pub struct Passthrough {
        /// Whether a proxy in front of the frontend for HTTP ends TLS.
        ///
        /// Then `X-Forwarded-Proto` and the headers about the client's certificate are the proxy's and
        /// stay as they are, and requests count as requests over TLS. In the global ConfigMap it goes
        /// for every frontend for HTTP.
        "http-passthrough" => enable: bool = "false",
        /// Whether a frontend behind a proxy sends a request to TLS unless `X-Forwarded-Proto` says
        /// `https`.
        ///
        /// It goes for paths with `ssl-redirect`, whether or not their host has TLS here.
        "use-forwarded-proto" => forwarded: bool = "true",
    }
}
