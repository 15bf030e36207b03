//! The file with expectations.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use anyhow::{Context as _, bail};
use haproxy_ingress_core::explain::Request;
use serde::Deserialize;
use serde_saphyr::Spanned;

/// A request, and what it should get.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its name, or else what is asked.
    pub(super) name: String,
    /// The file in which it stands.
    pub(super) file: Rc<str>,
    /// The line on which it stands, from 1.
    pub(super) line: u64,
    pub(super) request: Request,
    pub(super) wanted: Wanted,
}

/// What a request should get; what is not said may be anything.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The status; 200 is what every server answers.
    pub(super) status: Option<u16>,
    /// The backend that gets it: its name, or `NAMESPACE/SERVICE`.
    pub(super) backend: Option<String>,
    /// The path with its query as the server gets it.
    pub(super) path: Option<String>,
    /// Where the client is sent.
    pub(super) redirect: Option<String>,
    /// Headers of the response; `null` for one that must not be there.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    defaults: Defaults,
    requests: Vec<Spanned<Entry>>,
}

/// What a request has that does not say otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    client: Option<IpAddr>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Option<String>,
    /// `[METHOD] URL`.
    request: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    client: Option<IpAddr>,
    expect: Wanted,
}

/// Reads a file with expectations.
pub(super) fn read(file: &Rc<str>, text: &str) -> anyhow::Result<Vec<Asked>> {
    let says_nothing = |it: &str| it.is_empty() || it.starts_with('#');
    if text.lines().all(|it| says_nothing(it.trim())) {
        bail!("it is empty: expected `requests`, a list");
    }
    let document: Document =
        serde_saphyr::from_str(text).context("it is no list of expectations")?;
    if document.requests.is_empty() {
        bail!("there is no request in it");
    }
    let requests = document.requests.into_iter();
    requests
        .map(|it| {
            let line = it.referenced.line();
            asked(it.value, &document.defaults, (file, line))
                .with_context(|| format!("line {line}"))
        })
        .collect()
}

fn asked(
    entry: Entry,
    defaults: &Defaults,
    (file, line): (&Rc<str>, u64),
) -> anyhow::Result<Asked> {
    let Entry {
        name,
        request: text,
        headers,
        client,
        expect: wanted,
    } = entry;
    if wanted == Wanted::default() {
        bail!(
            "`expect` says nothing: expected `status`, `backend`, `path`, `redirect` or `headers`"
        );
    }
    let (method, url) = match text.trim().split_once(' ') {
        Some((method, url)) => (Some(method), url.trim()),
        None => (None, text.trim()),
    };
    let mut request = Request::of_url(url).with_context(|| format!("`request: {text}`"))?;
    if let Some(method) = method {
        let is_method = !method.is_empty() && method.bytes().all(|it| it.is_ascii_uppercase());
        if !is_method {
            bail!(
                "`request: {text}`: expected a method in capitals in front of the URL, found `{method}`"
            );
        }
        request.method = method.into();
    }
    for (name, value) in defaults.headers.iter().chain(&headers) {
        let is_token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
        if name.is_empty() || !name.bytes().all(is_token) || value.contains(['\r', '\n', '\0']) {
            bail!("`{name}: {value}` is no header");
        }
        let same = |it: &str| it.eq_ignore_ascii_case(name);
        request.headers.retain(|it| !same(&it.name));
        request = request.with(name, value);
    }
    if let Some(client) = client.or(defaults.client) {
        request.client = client;
    }
    Ok(Asked {
        name: name.unwrap_or(text),
        file: file.clone(),
        line,
        request,
        wanted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_method_and_a_url() {
        let asked = read(
            &"a.test.yaml".into(),
            "defaults: {client: 203.0.113.7, headers: {X-A: a}}\nrequests:\n- request: POST https://a.example/x?y\n  \
             headers: {x-a: b}\n  expect: {status: 403}\n- {name: plain, request: a.example, client: '::1', \
             expect: {headers: {Location: null}}}\n",
        );
        let asked = asked.expect("it is right");
        let [first, second] = &asked[..] else {
            panic!("{asked:?}");
        };
        assert_eq!(
            (&*first.request.method, &*first.request.target),
            ("POST", "/x?y")
        );
        assert_eq!(first.request.client.to_string(), "203.0.113.7");
        assert_eq!(first.request.header("X-A"), Some("b"));
        assert_eq!(first.name, "POST https://a.example/x?y");
        assert_eq!(first.line, 3);
        assert_eq!((&*second.name, &*second.request.method), ("plain", "GET"));
        assert_eq!(second.request.client.to_string(), "::1");
        assert_eq!(second.wanted.headers["Location"], None);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            ("requests: []", "no request"),
            ("requests:\n- {request: a.example, expect: {}}", "line 2"),
            (
                "requests:\n- {request: a.example, expect: {stauts: 200}}",
                "stauts",
            ),
            (
                "requests:\n- {request: get http://a.example, expect: {status: 200}}",
                "capitals",
            ),
            (
                "requests:\n- {request: ftp://a.example, expect: {status: 200}}",
                "http",
            ),
            (
                "requests:\n- {request: a.example, headers: {\"a b\": c}, expect: {status: 200}}",
                "no header",
            ),
            ("request: []", "request"),
        ] {
            let error = read(&"a.test.yaml".into(), text).expect_err(text);
            let error = format!("{error:#}");
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
