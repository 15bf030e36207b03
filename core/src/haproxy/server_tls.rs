//! TLS with servers, until it is known whether they speak it and what the references lead to.

use crate::origin::Setting;
use crate::value::hostname::Hostname;
use crate::value::reference::Reference;
use crate::value::tried::{Inherited, Tried};

/// What a backend wants of TLS with its servers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerTls {
    /// Who may have signed their certificates.
    pub authorities: Option<Setting<Tried<Reference>>>,
    /// The certificate that HAProxy shows them.
    pub certificate: Option<Setting<Tried<Reference>>>,
    /// The name that HAProxy asks for in the handshake.
    pub sni: Option<Setting<Inherited<Sni>>>,
    /// The name that their certificate must be for.
    pub hostname: Option<Setting<Tried<Hostname>>>,
}

/// The name in a handshake with a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sni {
    /// The one of the client's handshake.
    Client,
    /// The host of the request.
    Host,
    /// Always the same.
    Name(Hostname),
}
