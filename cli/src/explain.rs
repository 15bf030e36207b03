//! `explain`: where a request goes and why, without a cluster and without HAProxy.

pub(crate) mod expectation;
mod json;
mod text;

use std::io::{self, Write as _};
use std::net::IpAddr;

use anyhow::Context as _;
use haproxy_ingress_core::compile::compile_with_model;
use haproxy_ingress_core::diagnostic::Sink;
use haproxy_ingress_core::explain::{Certificate, Request, explain};

use self::expectation::Expectation;
use crate::input;
use crate::report::{self, Format};

/// Flags of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Says step by step what HAProxy decides about a request: the frontend, the host and the path that match
and the others that do not, redirects, certificates, lists of addresses, passwords, headers, rewrites,
the backend and its servers, each with the object and the field that made it so. What only a running
HAProxy knows, such as counters and the answers of other services, is named at the end.

A URL without a port is one of the usual port of its scheme, whatever the port of HAProxy behind it is.

--expect may be repeated:
  backend=NAME      the backend's name in haproxy.cfg, or NAMESPACE/SERVICE
  status=CODE       the status of the answer; 200 stands for one of a server
  redirect=URL      the header Location
  path=PATH         the path with its query as servers get it

Exit status: 0 fine, 1 an expectation is not met, 2 usage or I/O.

  haproxy-ingress explain -f shop.yaml https://shop.example/cart
  haproxy-ingress explain -f shop.yaml -X POST -H 'X-Version: beta' --client 10.0.0.7 https://shop.example/
  haproxy-ingress explain unknown-key          what a kind of finding means, as with lint --explain
  helm template shop ./chart | haproxy-ingress explain -f - --expect backend=shop/web http://shop.example/")]
pub(crate) struct Args {
    /// What is asked for: http://HOST[:PORT]/PATH?QUERY or https://…
    url: Option<String>,
    #[command(flatten)]
    input: input::Args,
    /// The method
    #[arg(short = 'X', long = "request", value_name = "METHOD", default_value = "GET", value_parser = method)]
    method: String,
    /// A header, `name: value`; `Host` takes the place of the URL's. May be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The address of the client
    #[arg(long, value_name = "IP", default_value_t = Request::default().client)]
    client: IpAddr,
    /// The name in the handshake of TLS, if it is not the URL's host; empty for none
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// What certificate the client shows where it is asked for one
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    certificate: Shown,
    /// The length of the body
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    body_size: u64,
    /// What has to come of it; else the exit status is 1. May be repeated
    #[arg(long = "expect", value_name = "WHAT=VALUE", num_args = 1..)]
    expectations: Vec<String>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The certificate of the client.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
enum Shown {
    /// None
    #[default]
    None,
    /// One that the host accepts
    Good,
    /// One that the host does not accept
    Bad,
}

/// Runs `explain`; whether all expectations are met.
pub(crate) fn run(mut args: Args) -> anyhow::Result<bool> {
    let request = args.request()?;
    let expectations = args.expectations.iter().map(|it| Expectation::read(it));
    let expectations: Vec<Expectation> = expectations.collect::<Result<_, _>>()?;
    let input = args.input.read()?;
    let (compiled, model) = compile_with_model(&input.snapshot, &input.options, None);
    let decision = explain(&model, &input.options, &request);
    let mut sink = Sink::default();
    sink.extend(
        input
            .diagnostics
            .iter()
            .cloned()
            .chain(compiled.diagnostics),
    );
    let diagnostics = sink.into_sorted();
    let verdicts: Vec<_> = expectations.iter().map(|it| it.judge(&decision)).collect();
    let are_met = verdicts.iter().all(|it| it.is_met);
    report::print(&match args.format {
        Format::Json => {
            let document = json::document(&request, &decision, &verdicts, &input, &diagnostics);
            format!("{document:#}\n")
        }
        Format::Text => text::text(
            &request,
            &decision,
            &text::Page {
                positions: &input.positions,
                diagnostics: &diagnostics,
                is_colourful: report::is_colourful(&io::stdout()),
            },
        ),
    })?;
    let mut notes = io::stderr().lock();
    if let Some(count) = report::count(&diagnostics) {
        let _ = writeln!(notes, "the manifests have {count}, which `lint` shows");
    }
    for verdict in verdicts.iter().filter(|it| !it.is_met) {
        let _ = writeln!(notes, "haproxy-ingress: {verdict}");
    }
    Ok(are_met)
}

impl Args {
    /// The URL, wherever it stands: flags that take several values take it, too, if it stands behind
    /// them.
    fn url(&mut self) -> Option<String> {
        let is_url = |it: &&mut String| it.contains("://");
        let of_flag = || {
            let last = self
                .expectations
                .last_mut()
                .filter(is_url)
                .map(std::mem::take);
            self.expectations.retain(|it| !it.is_empty());
            last
        };
        self.url
            .take()
            .or_else(of_flag)
            .or_else(|| self.input.take_url())
    }

    /// What is said where there is no URL: maybe it stands among the manifests, without a scheme.
    fn no_url(&self) -> String {
        let among = self.input.files.iter().skip(1).next_back();
        match among.filter(|it| it.as_os_str() != "-" && !it.exists()) {
            Some(it) => format!(
                "there is no file `{}`; behind -f, a URL begins with `http://` or `https://`",
                it.display()
            ),
            None => "expected the URL of a request, such as `https://shop.example/cart`".into(),
        }
    }

    /// The request that is asked about.
    fn request(&mut self) -> anyhow::Result<Request> {
        let url = self.url().with_context(|| self.no_url())?;
        let mut request = Request::of_url(&url).map_err(|it| anyhow::anyhow!("{it}"))?;
        request.method.clone_from(&self.method);
        request.client = self.client;
        request.body_size = self.body_size;
        request.certificate = match self.certificate {
            Shown::None => Certificate::None,
            Shown::Good => Certificate::Good,
            Shown::Bad => Certificate::Bad,
        };
        if let Some(name) = &self.sni {
            request.sni = (!name.is_empty()).then(|| name.clone());
        }
        for (name, value) in &self.headers {
            request = request.with(name, value);
        }
        Ok(request)
    }
}

/// A method (RFC 9110, section 9.1).
fn method(text: &str) -> Result<String, String> {
    if text.is_empty() || !text.bytes().all(is_token) {
        return Err("expected a method, such as `POST`".into());
    }
    Ok(text.into())
}

/// A header as `curl` takes it.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').unwrap_or(("", ""));
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || !name.bytes().all(is_token) || value.chars().any(char::is_control) {
        return Err("expected a header, `name: value`".into());
    }
    Ok((name.into(), value.into()))
}

/// What names of headers and methods are made of (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
