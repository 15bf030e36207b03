//! The server behind HAProxy: cheap, and at every address of this machine.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use haproxy_ingress_tests::haproxy::free_port;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// The header in which it says at which address it was asked.
pub(crate) const ADDRESS: &str = "x-address";

/// It answers as long as this is there.
pub(crate) struct Upstream {
    /// Its port at all addresses of `127.0.0.0/8`.
    pub(crate) port: u16,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

/// What its connections share.
#[derive(Default)]
struct Shared {
    served: AtomicU64,
    closes: AtomicBool,
}

impl Upstream {
    /// Starts it.
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_io()
            .build()
            .expect("a thread can be started");
        let port = free_port();
        let shared = Arc::new(Shared::default());
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
            .expect("the port is free");
        let all = shared.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = all.clone();
                tokio::spawn(async move {
                    // What fails shows at the client.
                    let _ = serve(stream, &shared).await;
                });
            }
        });
        Self {
            port,
            shared,
            _runtime: runtime,
        }
    }

    /// How many requests have reached it.
    pub(crate) fn served(&self) -> u64 {
        self.shared.served.load(Ordering::SeqCst)
    }

    /// From now on closes each connection after an answer.
    pub(crate) fn closes_connections(&self) {
        self.shared.closes.store(true, Ordering::SeqCst);
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let address = stream.local_addr()?.ip();
    let mut request = Vec::new();
    // HAProxy sends no request before it has the answer to the one before.
    while stream.read_buf(&mut request).await? > 0 {
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        request.clear();
        shared.served.fetch_add(1, Ordering::SeqCst);
        let closes = shared.closes.load(Ordering::SeqCst);
        let more = if closes { "connection: close\r\n" } else { "" };
        let answer =
            format!("HTTP/1.1 200 OK\r\n{ADDRESS}: {address}\r\n{more}content-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await?;
        if closes {
            break;
        }
    }
    Ok(())
}
