//! What the port offers, and what was built.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use serde_json::json;

use crate::args::controller::Pages;
use crate::controller::acme::Checks;
use crate::debug::DEBUG;
use crate::http::{METRICS, STOP};

/// Where what is offered is listed.
pub(crate) const INDEX: &str = "/";

/// Where what was built is shown.
pub(crate) const BUILD: &str = "/build";

/// The commit, if whoever built it named one. It is not asked of git, for sources without a repository would
/// give another program then.
const COMMIT: Option<&str> = option_env!("HAPROXY_INGRESS_COMMIT");

/// The pages.
pub(super) fn router(pages: &Pages) -> Router {
    let index = index(pages);
    let text = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    let json = [(CONTENT_TYPE, "application/json")];
    Router::new()
        .route(INDEX, get(async move || (text, index)))
        .route(BUILD, get(async move || (json, build())))
}

/// One line for each page that there is.
fn index(pages: &Pages) -> String {
    let mut lines = vec![
        (INDEX, "", "this list"),
        (
            Checks::PATH,
            "POST",
            "looks at all certificates of --acme-server",
        ),
        (BUILD, "", "what was built, as JSON"),
        (&pages.health, "", "200 as long as the controller lives"),
        (METRICS, "", "metrics for Prometheus"),
        (
            &pages.ready,
            "",
            "200 when HAProxy has confirmed the newest configuration",
        ),
    ];
    if pages.debug {
        let what = "what HAProxy runs and what is wrong, for callers on the same machine";
        lines.push((DEBUG, "", what));
    }
    if pages.stop {
        lines.push((STOP, "POST", "stops the controller"));
    }
    lines.sort_unstable();
    let width = lines.iter().map(|it| it.0.len()).max().unwrap_or_default();
    let lines = lines
        .into_iter()
        .map(|(path, method, what)| format!("{path:width$}  {method:4}  {what}\n"));
    lines.collect()
}

/// The fields are those of the existing controller, and the compiler beside them.
fn build() -> String {
    let document = json!({
        "Name": "HAProxy Ingress",
        "Release": env!("CARGO_PKG_VERSION"),
        "Build": COMMIT.unwrap_or_default(),
        "Repository": env!("CARGO_PKG_REPOSITORY"),
        "Compiler": env!("HAPROXY_INGRESS_RUSTC"),
    });
    format!("{document}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_what_there_is_and_nothing_else() {
        let mut pages = Pages {
            address: String::new(),
            health: "/alive".into(),
            ready: "/z".into(),
            stop: false,
            debug: false,
        };
        let paths = |pages: &Pages| -> Vec<String> {
            let text = index(pages);
            let words = text.lines().filter_map(|it| it.split_whitespace().next());
            words.map(Into::into).collect()
        };
        let few = ["/", "/acme/check", "/alive", "/build", "/metrics", "/z"];
        assert_eq!(paths(&pages), few);
        (pages.stop, pages.debug) = (true, true);
        let all = [
            "/",
            "/acme/check",
            "/alive",
            "/build",
            "/debug",
            "/metrics",
            "/stop",
            "/z",
        ];
        assert_eq!(paths(&pages), all);
    }
}
