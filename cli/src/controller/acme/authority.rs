//! The authority over HTTP: each answer has a limit of time and of size.
//!
//! The client of the protocol says nothing about other chains for a certificate, nor about the contacts
//! of an account that is there. Both pass here, so they are noted here.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, LINK};
use hyper::http::response::Parts;
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use serde::Deserialize;
use tokio::time::timeout;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How large one may be.
const SIZE: usize = 1 << 20;

/// A client, and what it noted. A clone notes in the same place.
#[derive(Clone)]
pub(super) struct Authority {
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    notes: Arc<Mutex<Notes>>,
}

#[derive(Default)]
struct Notes {
    chain: Option<Chain>,
    contacts: Option<Vec<String>>,
}

/// A certificate with those of its issuers.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// As PEM.
    pub(super) pem: String,
    /// Where other chains for it are.
    pub(super) alternates: Vec<String>,
}

impl Authority {
    /// One that is trusted as the system trusts: `SSL_CERT_FILE` names further authorities.
    pub(super) fn new() -> io::Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            notes: Arc::default(),
        })
    }

    /// The chain that was answered last, once.
    pub(super) fn chain(&self) -> Option<Chain> {
        self.note(|it| it.chain.take())
    }

    /// The contacts of the account that was answered last.
    pub(super) fn contacts(&self) -> Option<Vec<String>> {
        self.note(|it| it.contacts.clone())
    }

    fn note<R>(&self, change: impl FnOnce(&mut Notes) -> R) -> R {
        change(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes what is in an answer.
    fn read(&self, parts: &Parts, body: &Bytes) {
        if is(parts, "application/pem-certificate-chain") {
            let pem = String::from_utf8_lossy(body).into_owned();
            let links = parts.headers.get_all(LINK).iter();
            let links = links.filter_map(|it| it.to_str().ok());
            let alternates = links.flat_map(alternates).collect();
            self.note(|it| it.chain = Some(Chain { pem, alternates }));
        } else if let Ok(it) = serde_json::from_slice::<Contacts>(body) {
            self.note(|notes| notes.contacts = Some(it.contact));
        }
    }
}

/// What only the description of an account has.
#[derive(Deserialize)]
struct Contacts {
    contact: Vec<String>,
}

impl HttpClient for Authority {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (uri, sent) = (request.uri().clone(), self.client.request(request));
        let authority = self.clone();
        Box::pin(async move {
            let answer = async {
                let answer = sent.await.map_err(|it| Error::Other(it.into()))?;
                let (parts, body) = answer.into_parts();
                let body = Limited::new(body, SIZE).collect().await;
                Ok((parts, body.map_err(Error::Other)?.to_bytes()))
            };
            let answer = timeout(PATIENCE, answer).await;
            let (parts, body) = answer
                .map_err(|_| other(format!("no answer from {uri} in {PATIENCE:?}")))
                .flatten()?;
            refuse(&uri, &parts)?;
            authority.read(&parts, &body);
            Ok(Response::from_parts(parts, Full::new(body)).into())
        })
    }
}

/// Whatever is wrong and is said in another form than that of the protocol.
fn refuse(uri: &Uri, parts: &Parts) -> Result<(), Error> {
    let is_problem = is(parts, "application/problem+json") || is(parts, "application/json");
    if parts.status.is_success() || is_problem {
        return Ok(());
    }
    Err(other(format!("{uri} answers {}", parts.status)))
}

fn other(text: String) -> Error {
    Error::Other(text.into())
}

/// Whether an answer has a type of content, with or without parameters.
fn is(parts: &Parts, name: &str) -> bool {
    let found = parts.headers.get(CONTENT_TYPE);
    let found = found.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let found = found.split(';').next().unwrap_or_default().trim();
    found.eq_ignore_ascii_case(name)
}

/// The addresses in a header `Link` that lead to other chains (RFC 8555, section 7.4.2).
fn alternates(header: &str) -> impl Iterator<Item = String> + '_ {
    header.split(',').filter_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_alternate = parameters.split(';').any(|it| {
            let it = it.trim().to_ascii_lowercase();
            it == "rel=alternate" || it == "rel=\"alternate\""
        });
        is_alternate.then(|| address.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_chains_are_links_that_say_so() {
        let found: Vec<String> = alternates(
            "<https://ca.example/dir>;rel=\"index\", <https://ca.example/1>; rel=\"alternate\", \
             <https://ca.example/2>;rel=alternate, broken",
        )
        .collect();
        assert_eq!(found, ["https://ca.example/1", "https://ca.example/2"]);
    }
}
