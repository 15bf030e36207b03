//! A small HTTP server that says its name.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use anyhow::Result;

/// A running server. It ends with the program.
#[derive(Debug)]
pub(super) struct Upstream {
    /// What it says first.
    pub(super) name: &'static str,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Upstream {
    /// Starts one on a free port.
    pub(super) fn start(name: &'static str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A client that goes away is its own affair.
                thread::spawn(move || serve(connection, name));
            }
        });
        Ok(Self { name, address })
    }
}

/// Answers the requests of one connection.
fn serve(connection: TcpStream, name: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut writer = connection;
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut header = String::new();
        while reader.read_line(&mut header)? > 0 && !header.trim_end().is_empty() {
            header.clear();
        }
        let path = request.split(' ').nth(1).unwrap_or("?");
        let body = format!("hello from {name}: {path}\n");
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        writer.write_all(answer.as_bytes())?;
    }
}
