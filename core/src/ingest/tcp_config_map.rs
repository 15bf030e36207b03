//! The ConfigMap of TCP services → ports and where their connections go.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, codes};
use crate::ingest::service;
use crate::keys::Cx;
use crate::origin::{Field, Origin, Setting};
use crate::resource::{Resource as _, ServiceBackendPort};
use crate::route::{TargetPort, TcpListener};
use crate::value::tcp::{Entry, public_port};

/// What happens to an entry that is none.
const LEFT_OUT: &str = "the entry is left out";

/// Reads the entries, in the order of their ports.
pub(super) fn read(cx: &mut Cx<'_>) -> Vec<TcpListener> {
    let Some(name) = cx.options.tcp_services.clone() else {
        return Vec::new();
    };
    let Some(config_map) = cx.snapshot.config_maps.get(&name) else {
        cx.report(
            &codes::NOT_FOUND,
            &Origin::Flag("tcp-services-configmap"),
            format!("there is no ConfigMap `{name}`"),
            "there are no TCP services but those of Ingresses",
        );
        return Vec::new();
    };
    let object = Arc::new(config_map.object_ref());
    let mut listeners: Vec<_> = config_map
        .data
        .iter()
        .filter_map(|(port, text)| {
            let origin = Origin::Object(object.clone(), Field::Data(port.clone()));
            listener(port, text, &origin, cx)
        })
        .collect();
    listeners.sort_by_key(|it| it.port.value);
    listeners
}

/// One entry; `None`, with a report, if it cannot be served.
fn listener(port: &str, text: &str, origin: &Origin, cx: &mut Cx<'_>) -> Option<TcpListener> {
    let port = match public_port(port) {
        Ok(port) => Setting::new(port, origin.clone()),
        Err(error) => {
            cx.report(&codes::INVALID_PORT, origin, error.to_string(), LEFT_OUT);
            return None;
        }
    };
    if text.trim().is_empty() {
        // An entry that was emptied is one that was taken away.
        return None;
    }
    let entry = match Entry::parse(text) {
        Ok(entry) => entry,
        Err(error) => {
            let mut diagnostic = Diagnostic::new(
                &codes::INVALID_PROTECTION,
                origin.clone(),
                error.to_string(),
                LEFT_OUT,
            );
            diagnostic.help = error.help;
            cx.sink.report(diagnostic);
            return None;
        }
    };
    if let Some(error) = &entry.check_refused {
        let outcome = "servers are checked every `2s`";
        cx.report(&codes::INVALID_VALUE, origin, error.to_string(), outcome);
    }
    let wanted = ServiceBackendPort {
        name: Some(entry.port.clone()),
        number: None,
    };
    let target = service::target(entry.service.clone(), &wanted, origin, cx);
    // A target that is missing was reported.
    (!matches!(target.port, TargetPort::Missing)).then_some(TcpListener {
        port,
        entry,
        target,
    })
}
