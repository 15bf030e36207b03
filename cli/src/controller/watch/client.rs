//! How the API server is reached, and how it is not asked too much.

use std::time::Duration;

use anyhow::Context as _;
use axum::body::{Bytes, HttpBody};
use axum::http::header::RETRY_AFTER;
use axum::http::{Request, Response, StatusCode};
use kube::Client;
use kube::client::{Body, ClientBuilder};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::time::sleep;
use tower::util::ThenLayer;
use tower::{BoxError, Service};
use tracing::{debug, info};

use crate::args::controller::Cluster;
use crate::controller::watch::feed::WATCH_SECONDS;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a connection may be silent that something is awaited on: longer than any watch, which the
/// server ends by itself.
pub(super) const SILENCE: Duration = Duration::from_secs(135);
const _: () = assert!(
    WATCH_SECONDS <= 120,
    "a quiet watch would be taken for dead"
);

/// The longest that the server's wish to be left alone is followed.
const PATIENCE: Duration = Duration::from_mins(2);

/// How the API server is reached.
pub(crate) async fn connect(cluster: &Cluster) -> anyhow::Result<Client> {
    let host = cluster
        .apiserver_host
        .as_deref()
        .map(|host| {
            host.parse()
                .with_context(|| format!("flag --apiserver-host: `{host}` is not a URL"))
        })
        .transpose()?;
    let mut config = match (&cluster.kubeconfig, host.clone()) {
        (Some(path), _) => {
            let kubeconfig = Kubeconfig::read_from(path)
                .with_context(|| format!("flag --kubeconfig: cannot read `{}`", path.display()))?;
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .context("flag --kubeconfig")?
        }
        (None, Some(host)) => kube::Config::new(host),
        (None, None) => infer().await?,
    };
    if let Some(host) = host {
        config.cluster_url = host;
    }
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(SILENCE);
    // The silence of a connection that nobody used does not count.
    config.reset_reader_on_write = true;
    // Whoever asks tries again at a pace of its own; a second one below would multiply the requests.
    config.default_retry = false;
    info!("reading the cluster at {}", config.cluster_url);
    let builder = ClientBuilder::try_from(config);
    let builder = builder.context("cannot set up the client of the API server")?;
    Ok(polite(builder))
}

/// A client that leaves the server alone when it asks for that.
pub(super) fn polite<S, B>(builder: ClientBuilder<S>) -> Client
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Send + 'static,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    builder.with_layer(&ThenLayer::new(obeyed)).build()
}

/// Hands on the answer of a server that wants to be left alone for a while only when the while is over, so
/// that nobody asks again before.
async fn obeyed<B>(answer: Result<Response<B>, BoxError>) -> Result<Response<B>, BoxError> {
    if let Ok(response) = &answer
        && let Some(wait) = wait(response)
    {
        debug!("the API server wants to be asked again in {wait:?}");
        sleep(wait.min(PATIENCE)).await;
    }
    answer
}

/// For how long a server wants to be left alone, if it says so.
fn wait<B>(response: &Response<B>) -> Option<Duration> {
    let (busy, away) = (
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    );
    if response.status() != busy && response.status() != away {
        return None;
    }
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    // A date is allowed as well, and no API server sends one.
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// In the order of other controllers: `$KUBECONFIG`, the service account, `~/.kube/config`.
async fn infer() -> anyhow::Result<kube::Config> {
    if std::env::var_os("KUBECONFIG").is_none()
        && let Ok(config) = kube::Config::incluster()
    {
        return Ok(config);
    }
    kube::Config::infer().await.context(
        "no cluster was found; name one by --kubeconfig or --apiserver-host, or read a folder by \
         --manifests",
    )
}
