//! The controller's own pages: what there is, health, readiness, metrics, and those for debugging.

mod about;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use rustix::process::{Signal, getpid, kill_process};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tracing::error;

use crate::args::controller::Pages;
use crate::controller::current::Current;
use crate::controller::metrics::Metrics;
use crate::controller::stop::Stop;
use crate::debug;

pub(crate) use self::about::{BUILD, INDEX};

/// Whether HAProxy runs what the cluster says, or why not.
pub(crate) type Readiness = Result<(), String>;

/// Where metrics are.
pub(crate) const METRICS: &str = "/metrics";

/// Where it is asked to stop.
pub(crate) const STOP: &str = "/stop";

/// How long the answer to `POST /stop` may take to leave.
const ANSWER: Duration = Duration::from_millis(200);

/// Opens the address. `:PORT` stands for every address of the machine.
pub(crate) async fn listen(address: &str) -> std::io::Result<TcpListener> {
    let Some(port) = address.strip_prefix(':') else {
        return TcpListener::bind(address).await;
    };
    match TcpListener::bind(format!("[::]:{port}")).await {
        // A machine without IPv6.
        Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
            TcpListener::bind(format!("0.0.0.0:{port}")).await
        }
        listener => listener,
    }
}

/// Serves the pages, and further ones, until the very end, so that health can be asked for while stopping.
pub(crate) async fn run(
    listener: TcpListener,
    pages: Pages,
    readiness: watch::Receiver<Readiness>,
    metrics: Metrics,
    current: watch::Receiver<Current>,
    further: Router,
    stop: Stop,
) -> anyhow::Result<()> {
    let leaving = stop.clone();
    let ready = move || {
        let readiness = if leaving.is_leaving() {
            Err("the controller is stopping".into())
        } else {
            readiness.borrow().clone()
        };
        async move {
            match readiness {
                Ok(()) => (StatusCode::OK, "ok\n".into()),
                Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
            }
        }
    };
    let mut router = about::router(&pages);
    if pages.debug {
        router = router.merge(debug::router(&current));
    }
    let metrics = move || {
        let served = current.borrow().served.clone();
        let metrics = metrics.clone();
        async move {
            // Certificates are read, which takes a while where there are many.
            let text = spawn_blocking(move || metrics.text(served.as_ref())).await;
            let text = text
                .map_err(|it| it.to_string())
                .and_then(|it| it.map_err(|it| it.to_string()));
            let content_type = [(CONTENT_TYPE, prometheus::TEXT_FORMAT)];
            let text = text.map_err(|it| (StatusCode::INTERNAL_SERVER_ERROR, format!("{it}\n")));
            text.map(|it| (content_type, it))
        }
    };
    router = router
        .route(METRICS, get(metrics))
        .route(&pages.health, get(async || "ok\n"))
        .route(&pages.ready, get(ready))
        .merge(further);
    if pages.stop {
        router = router.route(STOP, post(stop_self));
    }
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::select! {
        served = axum::serve(listener, service) => Ok(served?),
        () = stop.finished() => Ok(()),
    }
}

/// Stops as after a first signal, which is what this sends: once the answer is on its way, for nothing
/// waits for it at the end.
async fn stop_self() -> &'static str {
    tokio::spawn(async {
        tokio::time::sleep(ANSWER).await;
        if let Err(error) = kill_process(getpid(), Signal::TERM) {
            error!("cannot stop at POST /stop: {error}");
        }
    });
    "stopping\n"
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::controller::stop;

    async fn status(address: std::net::SocketAddr, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
        Ok(format!("{status} {}", body.trim_end()))
    }

    #[tokio::test]
    async fn health_is_always_there_and_readiness_says_why_not() -> anyhow::Result<()> {
        let pages = Pages {
            address: "127.0.0.1:0".into(),
            health: "/healthz".into(),
            ready: "/readyz".into(),
            stop: false,
            debug: false,
        };
        let listener = listen(&pages.address).await?;
        let address = listener.local_addr()?;
        let (control, stop) = stop::channel();
        let (readiness, receiver) = watch::channel(Err("nothing was read yet".to_owned()));
        let (_, current) = watch::channel(Current::default());
        let server = tokio::spawn(run(
            listener,
            pages,
            receiver,
            Metrics::default(),
            current,
            Router::new(),
            stop,
        ));

        assert_eq!(status(address, "/healthz").await?, "200 ok");
        assert_eq!(
            status(address, "/readyz").await?,
            "503 nothing was read yet"
        );
        readiness.send(Ok(()))?;
        assert_eq!(status(address, "/readyz").await?, "200 ok");
        let metrics = status(address, METRICS).await?;
        assert!(
            metrics.contains("\nhaproxyingress_update_success 0"),
            "{metrics}"
        );
        for path in ["/other", "/stop", "/debug", "/debug/config"] {
            assert!(status(address, path).await?.starts_with("404"), "{path}");
        }

        control.leave();
        assert_eq!(
            status(address, "/readyz").await?,
            "503 the controller is stopping"
        );
        assert_eq!(status(address, "/healthz").await?, "200 ok");
        control.finish();
        server.await??;
        Ok(())
    }
}
