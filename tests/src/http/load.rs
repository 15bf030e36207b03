//! Clients that never stop asking, to see whether a change loses one request.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::http::{Connection, PATIENCE, Request};

/// Clients that send the same request again and again, half of them over connections kept alive.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

/// What a [`Load`] saw.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many requests were answered with 200.
    pub answered: u64,
    /// What happened to the others.
    pub failures: Vec<String>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    answered: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// Starts clients that expect 200 of every request.
    pub fn start(address: SocketAddr, request: &Request, clients: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let clients = (0..clients)
            .map(|index| {
                let (shared, request) = (shared.clone(), request.clone());
                std::thread::spawn(move || shared.ask(address, &request, index % 2 == 0))
            })
            .collect();
        Self { shared, clients }
    }

    /// Waits until so many more requests are answered.
    pub fn goes_on_for(&self, requests: u64) {
        let goal = self.shared.answered.load(Ordering::Relaxed) + requests;
        let deadline = Instant::now() + PATIENCE;
        while self.shared.answered.load(Ordering::Relaxed) < goal {
            assert!(
                Instant::now() < deadline,
                "the load stands still: {:?}",
                self.shared.failures()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it.
    pub fn stop(self) -> Report {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("a client of the load does not panic");
        }
        Report {
            answered: self.shared.answered.load(Ordering::Relaxed),
            failures: self.shared.failures(),
        }
    }
}

impl Shared {
    fn ask(&self, address: SocketAddr, request: &Request, keep_alive: bool) {
        let mut kept: Option<Connection> = None;
        while !self.stop.load(Ordering::Relaxed) {
            let connection = match kept.take() {
                Some(connection) => Ok(connection),
                None => Connection::plain(address),
            };
            let mut connection = match connection {
                Ok(connection) => connection,
                Err(error) => {
                    self.fail(format!("cannot connect: {error}"));
                    continue;
                }
            };
            let was_reused = connection.is_reused();
            match connection.send(request) {
                Ok(response) if response.status == 200 => {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    if keep_alive && !response.headers.lists("connection", "close") {
                        kept = Some(connection);
                    }
                }
                Ok(response) => self.fail(format!("answered with {}", response.status)),
                Err(error) => self.fail(format!("lost (connection reused: {was_reused}): {error}")),
            }
        }
    }

    fn fail(&self, what: String) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.push(what);
        drop(failures);
        // A proxy that is gone would otherwise fill the list before the test can end.
        std::thread::sleep(Duration::from_millis(5));
    }

    fn failures(&self) -> Vec<String> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.clone()
    }
}
