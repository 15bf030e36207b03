//! The server behind HAProxy: cheap, and at every address of this machine.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    served: Arc<AtomicU64>,
    _runtime: Runtime,
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
        let served = Arc::new(AtomicU64::new(0));
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
            .expect("the port is free");
        let counter = served.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let served = counter.clone();
                tokio::spawn(async move {
                    // What fails shows at the client.
                    let _ = serve(stream, &served).await;
                });
            }
        });
        Self {
            port,
            served,
            _runtime: runtime,
        }
    }

    /// How many requests have reached it.
    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, served: &AtomicU64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let address = stream.local_addr()?.ip();
    let answer = format!("HTTP/1.1 200 OK\r\n{ADDRESS}: {address}\r\ncontent-length: 0\r\n\r\n");
    let mut request = Vec::new();
    // HAProxy sends no request before it has the answer to the one before.
    while stream.read_buf(&mut request).await? > 0 {
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            served.fetch_add(1, Ordering::SeqCst);
            stream.write_all(answer.as_bytes()).await?;
        }
    }
    Ok(())
}
