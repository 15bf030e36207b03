//! Answers to challenges, on a socket that HAProxy knows.
//!
//! What is answered is public: whoever knows a token may ask for it. So everybody on this machine may
//! connect, whichever user HAProxy's workers are; the folder says who reaches the socket at all.

use std::fs::{self, Permissions};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixListener as Listener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::{StatusCode, Uri};
use haproxy_ingress_core::haproxy::Acme;
use tokio::net::UnixListener;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use super::tokens::{Contents, Tokens, answer};
use crate::controller::progress::Progress;
use crate::controller::stop::Stop;
use crate::controller::trouble::Trouble;

/// How long a token that was read may be answered with.
const FRESH: Duration = Duration::from_secs(5);

/// How long after a look at the ConfigMap the next one may be: whoever asks for tokens that are not
/// there, and everybody may, costs the API server no more than that.
const SPACE: Duration = Duration::from_millis(500);

/// How many bytes the name of an abstract socket has for HAProxy, which fills it up with zeros.
const ABSTRACT: usize = 107;

/// Who answers.
pub(super) struct Answers {
    listener: UnixListener,
    path: PathBuf,
    known: Arc<Known>,
    progress: watch::Receiver<Progress>,
}

/// What is known of tokens.
struct Known {
    tokens: Tokens,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    contents: Contents,
    /// When the look at the ConfigMap that found this was begun.
    since: Option<Instant>,
    trouble: Trouble,
}

impl Answers {
    /// Listens below a prefix.
    pub(super) fn open(
        prefix: &Path,
        tokens: Tokens,
        progress: watch::Receiver<Progress>,
    ) -> anyhow::Result<Self> {
        let mut path = prefix.as_os_str().to_owned();
        path.push(Acme::SOCKET);
        let path = PathBuf::from(path);
        let listener =
            listen(&path).with_context(|| format!("cannot listen on `{}`", path.display()))?;
        let cache = Mutex::default();
        Ok(Self {
            listener,
            path,
            known: Arc::new(Known { tokens, cache }),
            progress,
        })
    }

    /// Answers until the very end.
    pub(super) async fn run(self, stop: Stop) -> anyhow::Result<()> {
        let router = Router::new().fallback(reply).with_state(self.known);
        let mut progress = self.progress;
        let wants_abstract = |it: &Progress| it.acme.as_ref().is_some_and(|it| it.is_abstract);
        let further = async {
            if progress.wait_for(wants_abstract).await.is_err() {
                return std::future::pending().await;
            }
            match listen_abstract(&self.path) {
                Ok(listener) => axum::serve(listener, router.clone()).await,
                Err(error) => {
                    // The other socket is of use as soon as `use-chroot` is taken away.
                    warn!(
                        "cannot listen on the abstract socket `{}`, so challenges fail: {error}",
                        self.path.display()
                    );
                    std::future::pending().await
                }
            }
        };
        tokio::select! {
            served = axum::serve(self.listener, router.clone()) => served?,
            served = further => served?,
            () = stop.finished() => {}
        }
        Ok(())
    }
}

/// Listens on a path, in place of whoever was there: HAProxy finds one or the other at any time.
fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&beside)?;
    fs::set_permissions(&beside, Permissions::from_mode(0o666))?;
    fs::rename(&beside, path)?;
    Ok(listener)
}

/// Listens on the abstract socket with the name of a path.
fn listen_abstract(path: &Path) -> io::Result<UnixListener> {
    let text = path.as_os_str().as_encoded_bytes();
    let mut name = [0; ABSTRACT];
    let place = name
        .get_mut(..text.len())
        .ok_or_else(|| io::Error::other(format!("the name has more than {ABSTRACT} bytes")))?;
    place.copy_from_slice(text);
    let listener = Listener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Answers one request.
async fn reply(State(known): State<Arc<Known>>, request: Request) -> (StatusCode, String) {
    let host = request.headers().get(HOST).and_then(|it| it.to_str().ok());
    let host = host.or_else(|| request.uri().host()).unwrap_or_default();
    // The authority asks on port 80, and may say so.
    let host = host.split(':').next().unwrap_or_default();
    let host = host.to_ascii_lowercase();
    known.reply(&host, request.uri()).await
}

impl Known {
    async fn reply(&self, host: &str, uri: &Uri) -> (StatusCode, String) {
        let path = uri.path();
        if !path.starts_with(Acme::CHALLENGE) {
            return (StatusCode::NOT_FOUND, String::new());
        }
        let asked = Instant::now();
        let mut cache = self.cache.lock().await;
        let is_fresh = cache.since.is_some_and(|it| asked < it + FRESH);
        let found = answer(&cache.contents, host, path).filter(|_| is_fresh);
        if let Some(found) = found {
            return (StatusCode::OK, found.into());
        }
        // Somebody else's look that was begun after this was asked says as much as one's own.
        if cache.since.is_none_or(|it| it < asked) {
            if let Some(since) = cache.since {
                sleep_until(since + SPACE).await;
            }
            cache.since = Some(Instant::now());
            match self.tokens.read().await {
                Ok(contents) => {
                    cache.contents = contents;
                    cache.trouble.over("the tokens of challenges");
                }
                Err(text) => {
                    cache.contents.clear();
                    cache.trouble.say(text);
                    return (StatusCode::SERVICE_UNAVAILABLE, String::new());
                }
            }
        }
        match answer(&cache.contents, host, path) {
            Some(found) => (StatusCode::OK, found.into()),
            None => {
                debug!("nobody waits for challenge {path} of host {host}");
                (StatusCode::NOT_FOUND, String::new())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use haproxy_ingress_core::options::Name;
    use haproxy_ingress_tests::apiserver::ApiServer;

    use super::*;

    const PATH: &str = "/.well-known/acme-challenge/token";

    #[tokio::test]
    async fn many_questions_are_few_to_the_api_and_a_new_token_is_found() -> anyhow::Result<()> {
        let api = ApiServer::start();
        let url = api.url().parse()?;
        let client = kube::Client::try_from(kube::Config::new(url))?;
        let tokens = Tokens::new(client, Name::new("edge", "tokens"));
        let known = Known {
            tokens: tokens.clone(),
            cache: Mutex::default(),
        };
        let uri = Uri::from_static(PATH);
        let ask = |host: &'static str| known.reply(host, &uri);
        let before = api.seen().len();
        let answers = join_all((0..500).map(|_| ask("a.example"))).await;
        assert!(answers.iter().all(|it| it.0 == StatusCode::NOT_FOUND));
        let looks = api.seen().len() - before;
        assert!(looks <= 3, "{looks} looks");
        // It was not there a moment ago.
        tokens
            .put("a.example", PATH, "answer")
            .await
            .map_err(anyhow::Error::msg)?;
        let found = (StatusCode::OK, "answer".to_owned());
        assert_eq!(ask("a.example").await, found);
        assert_eq!(ask("b.example").await.0, StatusCode::NOT_FOUND);
        tokens.clear().await.map_err(anyhow::Error::msg)?;
        assert_eq!(tokens.read().await, Ok(Contents::new()));
        api.forbids("configmaps");
        let refused = ask("b.example").await;
        assert_eq!(refused.0, StatusCode::SERVICE_UNAVAILABLE);
        Ok(())
    }

    #[tokio::test]
    async fn a_socket_takes_the_place_of_the_one_before_it() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("run/acme.sock");
        let _former = listen(&path)?;
        let listener = listen(&path)?;
        let mode = fs::metadata(&path)?.permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
        let (connected, accepted) =
            tokio::join!(tokio::net::UnixStream::connect(&path), listener.accept());
        connected?;
        accepted?;
        Ok(())
    }
}
