//! What HAProxy runs and what is wrong with the input, as pages for whoever looks for a mistake.
//!
//! They show the names of all tenants, so that they are there only if the operator asks for them, and only
//! for callers on the same machine, as `kubectl port-forward` is. A request that came through a proxy is none
//! of those: a tenant might have HAProxy itself ask.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{CONTENT_TYPE, FORWARDED, HeaderName, VIA};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::diagnostic::{Diagnostic, Sink};
use haproxy_ingress_core::manifest::Positions;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::controller::current::Current;
use crate::render;
use crate::report::json as report_json;
use crate::report::shown::without_secrets;

/// What stands in front of the path of each of these pages.
pub(crate) const DEBUG: &str = "/debug";

/// Headers that proxies add.
const OF_PROXIES: [HeaderName; 3] = [FORWARDED, VIA, HeaderName::from_static("x-forwarded-for")];

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

const INDEX: &str = "\
/debug/config       haproxy.cfg as HAProxy confirmed it last
/debug/bundle       that with all other files and who made each line, as JSON (render --format json)
/debug/diagnostics  what is wrong with what users wrote, as JSON
";

/// Makes a page; none without anything that HAProxy has confirmed.
type Make = fn(&Current) -> Option<String>;

/// The pages.
pub(crate) fn router(current: &watch::Receiver<Current>) -> Router {
    let page = |content_type: &'static str, make: Make| {
        let current = current.clone();
        get(move || {
            let now = current.borrow().clone();
            async move {
                // Ten thousand Ingresses take a while.
                let made = spawn_blocking(move || make(&now)).await;
                match made {
                    Ok(Some(text)) => ([(CONTENT_TYPE, content_type)], text).into_response(),
                    Ok(None) => {
                        let why = "haproxy has confirmed nothing yet\n";
                        (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
                    }
                    Err(error) => {
                        let why = format!("{error}\n");
                        (StatusCode::INTERNAL_SERVER_ERROR, why).into_response()
                    }
                }
            }
        })
    };
    Router::new()
        .route(DEBUG, get(async || ([(CONTENT_TYPE, TEXT)], INDEX)))
        .route(&format!("{DEBUG}/config"), page(TEXT, config))
        .route(&format!("{DEBUG}/bundle"), page(JSON, bundle))
        .route(
            &format!("{DEBUG}/diagnostics"),
            page(JSON, |it| Some(diagnostics(it))),
        )
        .layer(middleware::from_fn(local_only))
}

/// Refuses everybody else.
async fn local_only(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if is_local(peer, request.headers()) {
        return next.run(request).await;
    }
    let why = "these pages are for callers on the same machine, such as `kubectl port-forward`\n";
    (StatusCode::FORBIDDEN, why).into_response()
}

fn is_local(peer: SocketAddr, headers: &HeaderMap) -> bool {
    let is_forwarded = OF_PROXIES.iter().any(|it| headers.contains_key(it));
    peer.ip().to_canonical().is_loopback() && !is_forwarded
}

fn config(current: &Current) -> Option<String> {
    let served = current.served.as_ref()?;
    Some(without_secrets(&served.bundle).config().to_owned())
}

/// As `render --format json`, without what only that knows.
fn bundle(current: &Current) -> Option<String> {
    let served = current.served.as_ref()?;
    let bundle = without_secrets(&served.bundle);
    let document = render::document(&bundle, &sorted(current), &Positions::default());
    Some(format!("{document}\n"))
}

fn diagnostics(current: &Current) -> String {
    let now = sorted(current);
    let none = Positions::default();
    let diagnostics = now.iter().map(|it| report_json::diagnostic(it, &none));
    let is_served = match (&current.served, &current.newest) {
        (Some(served), Some(newest)) => same(served, newest),
        _ => false,
    };
    let document: Value = json!({
        "diagnostics": diagnostics.collect::<Vec<_>>(),
        "served": is_served,
    });
    format!("{document}\n")
}

/// Whether HAProxy runs the newest configuration.
fn same(served: &Arc<Compiled>, newest: &Arc<Compiled>) -> bool {
    Arc::ptr_eq(served, newest) || served.bundle == newest.bundle
}

/// Errors first.
fn sorted(current: &Current) -> Vec<Diagnostic> {
    let mut sink = Sink::default();
    sink.extend(current.diagnostics().cloned());
    sink.into_sorted()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_caller_is_local_if_it_is_here_and_no_proxy() {
        let peer = |text: &str| -> SocketAddr { text.parse().expect("it is an address") };
        let mut headers = HeaderMap::new();
        for local in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(is_local(peer(local), &headers), "{local}");
        }
        for other in ["10.0.0.1:1", "[::ffff:10.0.0.1]:1", "[fd00::1]:1"] {
            assert!(!is_local(peer(other), &headers), "{other}");
        }
        headers.insert("X-Forwarded-For", HeaderValue::from_static("127.0.0.1"));
        assert!(!is_local(peer("127.0.0.1:1"), &headers));
    }
}
