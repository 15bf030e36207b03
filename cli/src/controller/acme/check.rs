//! `POST /acme/check`: looking at all certificates because somebody says so.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::sync::{Notify, watch};

/// Whether somebody can look: at how many certificates, or why not.
type State = Result<usize, String>;

/// The side of those who ask.
#[derive(Clone)]
pub(crate) struct Checks {
    state: watch::Receiver<State>,
    ask: Arc<Notify>,
}

/// The side of whoever looks.
pub(crate) struct Asked {
    state: watch::Sender<State>,
    ask: Arc<Notify>,
}

impl Checks {
    /// Where the page is.
    pub(crate) const PATH: &'static str = "/acme/check";

    /// Both sides.
    pub(crate) fn new() -> (Self, Asked) {
        let (sender, state) =
            watch::channel(Err("the controller runs without --acme-server".into()));
        let ask = Arc::new(Notify::new());
        let asked = Asked {
            state: sender,
            ask: ask.clone(),
        };
        (Self { state, ask }, asked)
    }

    /// The page.
    pub(crate) fn router(self) -> Router {
        let check = move || {
            let state = self.state.borrow().clone();
            if state.is_ok() {
                self.ask.notify_one();
            }
            async move {
                match state {
                    Ok(count) => (StatusCode::OK, format!("looking at {count} certificates\n")),
                    Err(reason) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{reason}\n")),
                }
            }
        };
        // Other methods find nothing, as in the existing controller.
        let other = async || StatusCode::NOT_FOUND;
        Router::new().route(Self::PATH, post(check).fallback(other))
    }
}

impl Asked {
    /// So many certificates can be looked at.
    pub(super) fn can(&self, count: usize) {
        self.set(Ok(count));
    }

    /// Nothing can be looked at.
    pub(super) fn cannot(&self, reason: &str) {
        self.set(Err(reason.into()));
    }

    fn set(&self, state: State) {
        let _former = self.state.send_replace(state);
    }

    /// Until somebody asks.
    pub(super) async fn asked(&self) {
        self.ask.notified().await;
    }
}
