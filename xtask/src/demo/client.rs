//! Requests: one at a time, or many while something else happens.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::command;

/// What [`Load`] asks for.
pub(super) const LOAD: &str = "/load";

/// Status and body of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Sends requests until it is asked for the result.
#[derive(Debug)]
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Counts>,
}

/// How many requests were sent, and what became of those that were not answered with 200.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) sent: usize,
    pub(super) failures: Vec<String>,
}

/// Sends `GET path` on a new connection.
pub(super) fn get(port: u16, host: &str, path: &str) -> Result<Answer> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    // In one piece: small ones would wait for each other.
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: demo\r\nconnection: close\r\n\r\n"
    );
    connection.write_all(request.as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .with_context(|| format!("no whole answer: {answer:?}"))?;
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    Ok(Answer {
        status: status.with_context(|| format!("no status: {head:?}"))?,
        body: body.trim_end().to_owned(),
    })
}

/// Sends `GET path` over TLS, without looking at who signed the certificate.
pub(super) fn get_tls(port: u16, host: &str, path: &str) -> Result<Answer> {
    let curl = command::find("curl").context("there is no `curl`")?;
    let output = Command::new(curl)
        .args(["--silent", "--show-error", "--insecure", "--max-time", "5"])
        .args(["--noproxy", "*", "--write-out", "\n%{http_code}"])
        .args(["--resolve", &format!("{host}:{port}:127.0.0.1")])
        .arg(format!("https://{host}:{port}{path}"))
        .output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let (body, status) = text.rsplit_once('\n').context("curl said nothing")?;
    Ok(Answer {
        status: status.parse()?,
        body: body.trim_end().to_owned(),
    })
}

impl Load {
    /// Starts to send requests, each on a new connection, about 200 a second.
    pub(super) fn start(port: u16, host: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut counts = Counts::default();
            while !stopped.load(Ordering::Relaxed) {
                counts.sent += 1;
                match get(port, host, LOAD) {
                    Ok(Answer { status: 200, .. }) => {}
                    Ok(answer) => counts.failures.push(format!("status {}", answer.status)),
                    Err(error) => counts.failures.push(format!("{error:#}")),
                }
                thread::sleep(Duration::from_millis(5));
            }
            counts
        });
        Self { stop, thread }
    }

    /// Stops and counts.
    pub(super) fn finish(self) -> Counts {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("counting does not panic")
    }
}
