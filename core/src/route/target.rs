//! Where the requests of a path go.

use std::sync::Arc;

use crate::origin::Origin;
use crate::resource::Service;

/// A Service and its port, looked up.
#[derive(Clone, Debug)]
pub struct Target {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The Service's name.
    pub service: Arc<str>,
    /// What names the port in the name of a backend: the target port, a number or a name.
    pub label: Arc<str>,
    /// The port.
    pub port: TargetPort,
}

impl Target {
    /// Whether both were looked up at once.
    pub fn is_same(&self, other: &Self) -> bool {
        // The text is made anew at each look-up.
        Arc::ptr_eq(&self.label, &other.label)
            && Arc::ptr_eq(&self.service, &other.service)
            && Arc::ptr_eq(&self.namespace, &other.namespace)
    }
}

/// The port of a Service, as far as it was found.
#[derive(Clone, Debug)]
pub enum TargetPort {
    /// A port whose endpoints stand in EndpointSlices under the port's name, which may be empty.
    Endpoints {
        /// The Service.
        service: Arc<Service>,
        /// The name of the port.
        name: Arc<str>,
        /// Who says so.
        origin: Origin,
    },
    /// A DNS name and a port.
    External {
        /// The name.
        name: Arc<str>,
        /// The port.
        port: u16,
        /// Who says so.
        origin: Origin,
    },
    /// There is no such Service or port: requests are answered with 503.
    Missing,
}
