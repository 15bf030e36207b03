//! Servers that stand in for all others: they answer 200 and say what they got.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// The longest head of a request that is read.
const LONGEST: usize = 64 * 1024;

/// How long a server waits for more of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it is waited for a connection that ends without an answer.
const LATE: Duration = Duration::from_millis(500);

/// What a server got.
#[derive(Debug)]
pub(super) struct Served {
    /// From where the connection came.
    pub(super) from: IpAddr,
    /// The path with its query, if it was a request.
    pub(super) target: Option<String>,
}

/// Servers on one port.
pub(super) struct Servers {
    address: SocketAddr,
    served: Mutex<Receiver<Served>>,
}

impl Servers {
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (sender, served) = mpsc::channel();
        // It ends with the process, which does nothing else.
        thread::Builder::new()
            .name("servers".into())
            .spawn(move || accept(&listener, &sender))?;
        Ok(Self {
            address,
            served: Mutex::new(served),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forgets what came before.
    pub(super) fn forget(&self) {
        while self.newest(false).is_some() {}
    }

    /// What came last; waits a moment for it where no answer says that it has come.
    pub(super) fn newest(&self, is_late: bool) -> Option<Served> {
        let served = self.served.lock().ok()?;
        let first = if is_late {
            served.recv_timeout(LATE).ok()
        } else {
            served.try_recv().ok()
        };
        served.try_iter().last().or(first)
    }
}

fn accept(listener: &TcpListener, sender: &Sender<Served>) {
    for stream in listener.incoming().flatten() {
        let sender = sender.clone();
        // A connection that is dropped says enough.
        thread::spawn(move || serve(stream, &sender).ok());
    }
}

fn serve(mut stream: TcpStream, sender: &Sender<Served>) -> io::Result<()> {
    let from = stream.peer_addr()?.ip();
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    let ends = |it: &[u8]| it.windows(4).any(|it| it == b"\r\n\r\n");
    while !ends(&head) && head.len() < LONGEST {
        match stream.read(&mut buffer)? {
            0 => break,
            count => head.extend_from_slice(&buffer[..count]),
        }
        // What is no text is no request: TLS that was passed on.
        if head[0] < b' ' {
            break;
        }
    }
    let text = String::from_utf8_lossy(&head);
    let line = text.lines().next().unwrap_or_default();
    let is_request = line.contains(" HTTP/1.");
    let target = line.split(' ').nth(1).filter(|_| is_request);
    let target = target.map(str::to_owned);
    // Nobody listens any more when the process ends.
    let _ = sender.send(Served { from, target });
    if is_request {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    }
    Ok(())
}
