//! In front of a real API server: everything is passed on, and what tests want to go wrong goes wrong.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::apiserver::Shared;
use crate::apiserver::answer::{failure, is_true};
use crate::apiserver::real::Real;
use crate::apiserver::route::Kind;
use crate::http::server::{Incoming, Reply};

/// How often to look whether a watch shall end.
const LOOK: Duration = Duration::from_millis(50);

/// The headers of a request that mean something to the real server.
fn headers(request: &Incoming) -> Vec<(&str, &str)> {
    ["accept", "content-type"]
        .into_iter()
        .filter_map(|name| Some((name, request.headers.get(name)?)))
        .collect()
}

impl Shared {
    pub(super) fn pass_on(
        self: &Arc<Self>,
        real: &Real,
        request: &Incoming,
        reply: Reply<'_>,
        kind: &'static Kind,
    ) -> io::Result<()> {
        if request.method == "GET" && is_true(request, "watch") {
            return self.pass_watch_on(real, request, reply, kind.plural);
        }
        let target = self.in_pages(&request.target);
        let headers = headers(request);
        let passing = (request.method != "GET").then(|| self.passing.read());
        let answer = real.ask(&request.method, &target, &headers, &request.body)?;
        self.record(request, answer.status);
        drop(passing);
        let mut body = answer.body.clone();
        if self.state().hidden.contains(kind.plural) && answer.json()["items"].is_array() {
            let mut list = answer.json();
            list["items"] = json!([]);
            if let Some(metadata) = list["metadata"].as_object_mut() {
                metadata.remove("continue");
            }
            body = list.to_string().into_bytes();
        }
        let content_type = answer.header("content-type").unwrap_or("application/json");
        let is_read = request.method == "GET" && answer.status == 200;
        if is_read {
            return self.reply(reply, kind.plural, content_type, &body);
        }
        reply.send(answer.status, &[("Content-Type", content_type)], &body)
    }

    /// The target of a list, with the size of pages that the test wants.
    fn in_pages(&self, target: &str) -> String {
        let Some(size) = self.state().page else {
            return target.to_owned();
        };
        let parameters = target.split('&').map(|it| match it.strip_prefix("limit=") {
            Some(_) => format!("limit={size}"),
            None => it.to_owned(),
        });
        parameters.collect::<Vec<_>>().join("&")
    }

    fn pass_watch_on(
        &self,
        real: &Real,
        request: &Incoming,
        reply: Reply<'_>,
        plural: &'static str,
    ) -> io::Result<()> {
        let from = request.parameter("resourceVersion").unwrap_or_default();
        let from: u64 = from.parse().unwrap_or_default();
        let gone = || {
            let (_, status): (u16, Value) = failure(410, "Expired", "too old resource version");
            format!("{}\n", json!({ "type": "ERROR", "object": status }))
        };
        let forgotten = self.state().forgotten;
        if from < forgotten {
            self.record(request, 200);
            let mut pieces = reply.pieces("application/json")?;
            pieces.send(gone().as_bytes())?;
            return pieces.finish();
        }
        let mut chunks = real.watch(&request.target, &headers(request))?;
        self.record(request, chunks.status);
        if chunks.status != 200 {
            let status = chunks.status;
            let body = chunks.all()?;
            return reply.send(status, &[("Content-Type", "application/json")], &body);
        }
        let (sender, receiver) = mpsc::channel();
        // It ends when the watch does or when nobody listens any more and something comes.
        std::thread::spawn(move || {
            while let Ok(Some(chunk)) = chunks.receive() {
                if sender.send(chunk).is_err() {
                    return;
                }
            }
        });
        let mut pieces = reply.pieces("application/json")?;
        self.change(|state| *state.watches.entry(plural).or_default() += 1);
        let result = loop {
            match receiver.recv_timeout(LOOK) {
                Ok(chunk) => {
                    if let Err(error) = self.send(&mut pieces, plural, &chunk) {
                        break Err(error);
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let state = self.state();
            if state.stopped || state.forbidden.contains(plural) || pieces.is_abandoned() {
                break Ok(());
            }
            if state.forgotten > forgotten {
                drop(state);
                break pieces.send(gone().as_bytes());
            }
        };
        self.change(|state| {
            if let Some(count) = state.watches.get_mut(plural) {
                *count -= 1;
            }
        });
        result?;
        pieces.finish()
    }
}
