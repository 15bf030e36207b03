//! TLS for hosts that no Ingress lists under `tls`.

use crate::keys::{Family, block, keys};

/// TLS for hosts that no Ingress lists under `tls`.
pub const FAMILY: Family = Family {
    name: "ssl-always-add-https",
    title: "TLS without a certificate of one's own",
    // It is read where hosts are made: other keys have to know whether there is TLS.
    blocks: &[block!(AlwaysHttps)],
};

keys! {
    Host => pub struct AlwaysHttps {
        /// Whether the Ingress' hosts are served over TLS even if no Ingress lists them under `tls`.
        ///
        /// They get the default certificate.
        "ssl-always-add-https" => add: bool = "false",
        /// Whether `ssl-redirect` acts on hosts that have TLS because of `ssl-always-add-https` alone.
        "ssl-always-follow-redirect" => follow: bool = "true",
    }
}
