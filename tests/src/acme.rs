//! An authority of certificates for tests (RFC 8555): the real protocol over plain HTTP.
//!
//! Each request must be signed by the key of its account, for its address and with a nonce that was given
//! out and not used. A challenge is met when a real request for its path, with the name of its host, gets
//! the answer from where the host is served, which a test names.
//!
//! *Invariant:* what is not asked for as the protocol says is refused, and nothing is signed that no
//! challenge has shown.

mod jose;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use std::{io, thread};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer,
};
use rcgen::{DnType, IsCa, KeyPair, SanType};
use serde_json::{Value, json};

use self::jose::{Jws, decoded};
use crate::http::Request;
use crate::http::server::{Incoming, Reply, Server};

/// The name of the authority.
pub const ROOT: &str = "Test Root";

/// The name of another one, which vouches for it: the chain that has to be asked for.
pub const OTHER_ROOT: &str = "Other Root";

/// A running authority; stops when it is dropped.
pub struct Acme {
    server: Server,
    shared: Arc<Shared>,
}

/// What connections share.
struct Shared {
    root: CertifiedIssuer<'static, KeyPair>,
    /// The root, as the other one vouches for it.
    crossed: String,
    state: Mutex<State>,
}

/// What the authority knows. Numbers are places in lists.
struct State {
    port: u16,
    /// Where hosts are served.
    hosts_at: SocketAddr,
    /// How long certificates last.
    lifetime: Duration,
    /// How long a challenge takes.
    delay: Duration,
    nonces: BTreeSet<String>,
    next_nonce: u64,
    accounts: Vec<Account>,
    authorizations: Vec<Authorization>,
    orders: Vec<Order>,
    /// What was refused.
    refused: Vec<String>,
}

/// An account.
#[derive(Clone, Debug)]
pub struct Account {
    /// The thumbprint of its key (RFC 7638).
    pub thumbprint: String,
    /// Whom the authority may write to.
    pub contacts: Vec<String>,
    key: jose::Key,
}

/// One host for one account.
struct Authorization {
    account: usize,
    host: String,
    token: String,
    /// `pending`, `processing`, `valid` or `invalid`.
    status: &'static str,
    error: Option<String>,
}

/// An order.
#[derive(Clone, Debug)]
pub struct Order {
    /// The hosts, in order.
    pub hosts: Vec<String>,
    /// When it came.
    pub since: SystemTime,
    account: usize,
    authorizations: Vec<usize>,
    /// The certificate of the host, as PEM.
    certificate: Option<String>,
}

/// A status, headers and what is said.
type Answer = (u16, Vec<(&'static str, String)>, Body);

enum Body {
    Json(Value),
    Pem(String),
}

/// Something that is refused: a status, the kind of problem, and why.
struct Problem(u16, &'static str, String);

impl Acme {
    /// Starts one on a free port, for hosts that are served at an address.
    pub fn start(hosts_at: SocketAddr) -> Self {
        let named = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().expect("a key is generated");
            (params, key)
        };
        let (params, key) = named(OTHER_ROOT);
        let other = CertifiedIssuer::self_signed(params, key).expect("it signs itself");
        let (params, key) = named(ROOT);
        let crossed = params.signed_by(&key, &other).expect("it signs").pem();
        let root = CertifiedIssuer::self_signed(params, key).expect("it signs itself");
        let shared = Arc::new(Shared {
            root,
            crossed,
            state: Mutex::new(State {
                port: 0,
                hosts_at,
                lifetime: Duration::from_hours(90 * 24),
                delay: Duration::ZERO,
                nonces: BTreeSet::new(),
                next_nonce: 0,
                accounts: Vec::new(),
                authorizations: Vec::new(),
                orders: Vec::new(),
                refused: Vec::new(),
            }),
        });
        let server = {
            let shared = shared.clone();
            Server::start(&[Ipv4Addr::LOCALHOST.into()], move |request, reply| {
                shared.answer(request, reply)
            })
            .expect("loopback has free ports")
        };
        shared.state().port = server.port();
        Self { server, shared }
    }

    /// What `acme-endpoint` has to be.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// Hosts are served elsewhere from now on.
    pub fn finds_hosts_at(&self, address: SocketAddr) {
        self.shared.state().hosts_at = address;
    }

    /// A challenge takes so long from now on.
    pub fn takes_its_time(&self, delay: Duration) {
        self.shared.state().delay = delay;
    }

    /// All accounts.
    pub fn accounts(&self) -> Vec<Account> {
        self.shared.state().accounts.clone()
    }

    /// All orders.
    pub fn orders(&self) -> Vec<Order> {
        self.shared.state().orders.clone()
    }

    /// What was refused, but for challenges that were not met.
    pub fn refused(&self) -> Vec<String> {
        self.shared.state().refused.clone()
    }

    /// A certificate with its key, as PEM, that it signed some time ago and that lasts for some more.
    pub fn signed(&self, hosts: &[&str], since: Duration, left: Duration) -> (String, String) {
        let hosts: Vec<String> = hosts.iter().map(|it| (*it).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("these are names of hosts");
        let now = SystemTime::now();
        dated(&mut params, now - since, now + left);
        let key = KeyPair::generate().expect("a key is generated");
        let signed = params.signed_by(&key, &self.shared.root).expect("it signs");
        (signed.pem(), key.serialize_pem())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(self: &Arc<Self>, request: &Incoming, reply: Reply<'_>) -> io::Result<()> {
        let result = self.route(request);
        let (status, mut headers, body) = result.unwrap_or_else(|problem| {
            let Problem(status, kind, detail) = problem;
            let mut state = self.state();
            state.refused.push(format!("{}: {detail}", request.target));
            let kind = format!("urn:ietf:params:acme:error:{kind}");
            let problem = json!({ "type": kind, "detail": detail, "status": status });
            (status, Vec::new(), Body::Json(problem))
        });
        headers.push(("Replay-Nonce", self.state().nonce()));
        let (kind, text) = match body {
            Body::Json(value) if status >= 400 => ("application/problem+json", value.to_string()),
            Body::Json(value) => ("application/json", value.to_string()),
            Body::Pem(text) => ("application/pem-certificate-chain", text),
        };
        let mut all = vec![("Content-Type", kind)];
        all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
        reply.send(status, &all, text.as_bytes())
    }

    fn route(self: &Arc<Self>, request: &Incoming) -> Result<Answer, Problem> {
        let mut words = request.path().trim_start_matches('/').split('/');
        let (what, number) = (words.next().unwrap_or_default(), words.next());
        let number = number.and_then(|it| it.parse().ok());
        let mut state = self.state();
        match (request.method.as_str(), what) {
            ("GET", "directory") => return Ok(ok(state.directory())),
            ("HEAD", "nonce") => return Ok(ok(Value::Null)),
            ("POST", _) => {}
            _ => {
                return Err(Problem(
                    405,
                    "malformed",
                    "only POST is answered here".into(),
                ));
            }
        }
        let jws = Jws::read(&request.body).map_err(malformed)?;
        state.check(&jws, &request.target)?;
        if what == "account" && number.is_none() {
            return state.account(&jws);
        }
        let account = state.owner(&jws)?;
        let missing = || Problem(404, "malformed", "there is no such thing".into());
        let is_own = match what {
            "account" => number == Some(account),
            "authorization" | "challenge" => number
                .and_then(|it: usize| state.authorizations.get(it))
                .is_some_and(|it| it.account == account),
            "order" if number.is_none() => return state.order(account, &jws.payload),
            _ => number
                .and_then(|it: usize| state.orders.get(it))
                .is_some_and(|it| it.account == account),
        };
        let number = number.filter(|_| is_own).ok_or_else(missing)?;
        match what {
            "account" => Ok(ok(state.contact(account, &jws.payload))),
            "authorization" => Ok(ok(state.authorization(number))),
            "challenge" => {
                if state.authorizations[number].status == "pending" {
                    state.authorizations[number].status = "processing";
                    let shared = self.clone();
                    thread::spawn(move || shared.challenge(number));
                }
                Ok(ok(state.challenge(number)))
            }
            "order" => Ok(ok(state.described(number))),
            "finalize" => {
                self.sign(&mut state, number, &jws.payload)?;
                Ok(ok(state.described(number)))
            }
            "certificate" | "alternate" => {
                let leaf = state.orders[number].certificate.clone();
                let leaf = leaf.ok_or_else(missing)?;
                if what == "alternate" {
                    let body = Body::Pem(format!("{leaf}{}", self.crossed));
                    return Ok((200, Vec::new(), body));
                }
                let link = format!("<{}>;rel=\"alternate\"", state.at("alternate", number));
                let body = Body::Pem(format!("{leaf}{}", self.root.pem()));
                Ok((200, vec![("Link", link)], body))
            }
            _ => Err(missing()),
        }
    }

    /// Looks whether a host answers as it should.
    fn challenge(&self, number: usize) {
        let (host, token, expected, address, delay) = {
            let state = self.state();
            let it = &state.authorizations[number];
            let thumbprint = &state.accounts[it.account].thumbprint;
            let expected = format!("{}.{thumbprint}", it.token);
            let (host, token) = (it.host.clone(), it.token.clone());
            (host, token, expected, state.hosts_at, state.delay)
        };
        thread::sleep(delay);
        let request = Request::get(format!("/.well-known/acme-challenge/{token}"))
            .host(&host)
            .header("Connection", "close");
        let error = match request.send_to(address) {
            Ok(it) if it.status == 200 && it.text().trim_end() == expected => None,
            Ok(it) => Some(format!("{host} answers {}", it.status)),
            Err(error) => Some(format!("{host} cannot be asked: {error}")),
        };
        let mut state = self.state();
        let authorization = &mut state.authorizations[number];
        authorization.status = if error.is_none() { "valid" } else { "invalid" };
        authorization.error = error;
    }

    /// Signs what an order has shown to be its own.
    fn sign(&self, state: &mut State, number: usize, payload: &Value) -> Result<(), Problem> {
        if state.status(number) != "ready" {
            let text = format!("the order is {}", state.status(number));
            return Err(Problem(403, "orderNotReady", text));
        }
        let bad = |text: String| Problem(400, "badCSR", text);
        let csr = payload["csr"].as_str().unwrap_or_default();
        let csr = decoded(csr).map_err(bad)?;
        let request = CertificateSigningRequestParams::from_der(&csr.into());
        let mut request = request.map_err(|it| bad(it.to_string()))?;
        let mut names: Vec<String> = Vec::new();
        for name in &request.params.subject_alt_names {
            match name {
                SanType::DnsName(name) => names.push(name.to_string()),
                other => return Err(bad(format!("{other:?} was not ordered"))),
            }
        }
        names.sort();
        if names != state.orders[number].hosts {
            return Err(bad(format!("{names:?} were not ordered")));
        }
        let now = SystemTime::now();
        let since = now - Duration::from_hours(1);
        dated(&mut request.params, since, now + state.lifetime);
        let signed = request.signed_by(&self.root);
        let signed = signed.map_err(|it| bad(it.to_string()))?;
        state.orders[number].certificate = Some(signed.pem());
        Ok(())
    }
}

impl State {
    fn nonce(&mut self) -> String {
        self.next_nonce += 1;
        let nonce = format!("nonce{}", self.next_nonce);
        self.nonces.insert(nonce.clone());
        nonce
    }

    fn at(&self, what: &str, number: usize) -> String {
        format!("http://127.0.0.1:{}/{what}/{number}", self.port)
    }

    fn directory(&self) -> Value {
        let base = format!("http://127.0.0.1:{}", self.port);
        json!({
            "newNonce": format!("{base}/nonce"),
            "newAccount": format!("{base}/account"),
            "newOrder": format!("{base}/order"),
        })
    }

    /// Whether a request may be answered at all: its address, its nonce and its signature.
    fn check(&mut self, jws: &Jws, target: &str) -> Result<(), Problem> {
        let url = format!("http://127.0.0.1:{}{target}", self.port);
        if jws.url != url {
            return Err(malformed(format!("it is signed for {}", jws.url)));
        }
        if !self.nonces.remove(&jws.nonce) {
            let text = format!("`{}` was not given out, or was used", jws.nonce);
            return Err(Problem(400, "badNonce", text));
        }
        let key = match (&jws.key, &jws.account) {
            (Some(key), None) => key.clone(),
            (None, Some(_)) => self.accounts[self.owner(jws)?].key.clone(),
            _ => return Err(malformed("either `jwk` or `kid` is expected".into())),
        };
        jws.verify(&key).map_err(malformed)
    }

    /// The account that a request names.
    fn owner(&self, jws: &Jws) -> Result<usize, Problem> {
        let named = jws.account.as_deref().unwrap_or_default();
        let found = (0..self.accounts.len()).find(|it| self.at("account", *it) == named);
        let missing = || Problem(400, "accountDoesNotExist", format!("no account `{named}`"));
        found.ok_or_else(missing)
    }

    /// The account of a key, or a new one.
    fn account(&mut self, jws: &Jws) -> Result<Answer, Problem> {
        let Some(key) = &jws.key else {
            return Err(malformed("a new account needs `jwk`".into()));
        };
        let thumbprint = key.thumbprint();
        let found = self
            .accounts
            .iter()
            .position(|it| it.thumbprint == thumbprint);
        let number = found.unwrap_or(self.accounts.len());
        if found.is_none() {
            if jws.payload["termsOfServiceAgreed"] != true {
                return Err(Problem(
                    403,
                    "userActionRequired",
                    "agree to the terms".into(),
                ));
            }
            self.accounts.push(Account {
                thumbprint,
                contacts: texts(&jws.payload["contact"]),
                key: key.clone(),
            });
        }
        let status = if found.is_some() { 200 } else { 201 };
        let location = vec![("Location", self.at("account", number))];
        let contacts = &self.accounts[number].contacts;
        let body = json!({ "status": "valid", "contact": contacts });
        Ok((status, location, Body::Json(body)))
    }

    fn contact(&mut self, number: usize, payload: &Value) -> Value {
        let account = &mut self.accounts[number];
        if payload["contact"].is_array() {
            account.contacts = texts(&payload["contact"]);
        }
        json!({ "status": "valid", "contact": account.contacts })
    }

    fn order(&mut self, account: usize, payload: &Value) -> Result<Answer, Problem> {
        let identifiers = payload["identifiers"].as_array();
        let mut hosts: Vec<String> = Vec::new();
        for identifier in identifiers.into_iter().flatten() {
            match (identifier["type"].as_str(), identifier["value"].as_str()) {
                (Some("dns"), Some(host)) if !host.starts_with('*') => hosts.push(host.into()),
                _ => return Err(malformed(format!("not for {identifier}"))),
            }
        }
        hosts.sort();
        if hosts.is_empty() {
            return Err(malformed("an order needs `identifiers`".into()));
        }
        // What was shown before need not be shown again.
        let mut authorizations = Vec::new();
        for host in &hosts {
            let is_shown = |it: &Authorization| {
                it.account == account && it.host == *host && it.status == "valid"
            };
            let found = self.authorizations.iter().position(is_shown);
            authorizations.push(found.unwrap_or_else(|| {
                let number = self.authorizations.len();
                self.authorizations.push(Authorization {
                    account,
                    host: host.clone(),
                    token: format!("token-{number}_{}", self.next_nonce),
                    status: "pending",
                    error: None,
                });
                number
            }));
        }
        self.orders.push(Order {
            hosts,
            since: SystemTime::now(),
            account,
            authorizations,
            certificate: None,
        });
        let number = self.orders.len() - 1;
        let location = vec![("Location", self.at("order", number))];
        Ok((201, location, Body::Json(self.described(number))))
    }

    fn status(&self, order: usize) -> &'static str {
        let order = &self.orders[order];
        let mut parts = order.authorizations.iter();
        let has =
            |status: &'static str| move |it: &usize| self.authorizations[*it].status == status;
        if order.certificate.is_some() {
            "valid"
        } else if parts.clone().any(has("invalid")) {
            "invalid"
        } else if parts.all(has("valid")) {
            "ready"
        } else {
            "pending"
        }
    }

    fn described(&self, number: usize) -> Value {
        let order = &self.orders[number];
        let identifiers = order.hosts.iter();
        let identifiers = identifiers.map(|it| json!({ "type": "dns", "value": it }));
        let authorizations = order.authorizations.iter();
        let authorizations = authorizations.map(|it| self.at("authorization", *it));
        let mut described = json!({
            "status": self.status(number),
            "identifiers": identifiers.collect::<Vec<_>>(),
            "authorizations": authorizations.collect::<Vec<_>>(),
            "finalize": self.at("finalize", number),
        });
        if order.certificate.is_some() {
            described["certificate"] = self.at("certificate", number).into();
        }
        described
    }

    fn authorization(&self, number: usize) -> Value {
        let it = &self.authorizations[number];
        let status = if it.status == "processing" {
            "pending"
        } else {
            it.status
        };
        json!({
            "status": status,
            "identifier": { "type": "dns", "value": it.host },
            "challenges": [
                { "type": "dns-01", "url": self.at("other", number), "token": it.token,
                  "status": "pending" },
                self.challenge(number),
            ],
        })
    }

    fn challenge(&self, number: usize) -> Value {
        let it = &self.authorizations[number];
        let mut challenge = json!({
            "type": "http-01",
            "url": self.at("challenge", number),
            "token": it.token,
            "status": it.status,
        });
        if let Some(error) = &it.error {
            let kind = "urn:ietf:params:acme:error:unauthorized";
            challenge["error"] = json!({ "type": kind, "detail": error, "status": 403 });
        }
        challenge
    }
}

fn ok(value: Value) -> Answer {
    (200, Vec::new(), Body::Json(value))
}

fn malformed(text: String) -> Problem {
    Problem(400, "malformed", text)
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().into_iter().flatten();
    let texts = texts.filter_map(|it| it.as_str());
    texts.map(Into::into).collect()
}

/// Gives a certificate its dates.
fn dated(params: &mut CertificateParams, since: SystemTime, until: SystemTime) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let after = |time: SystemTime| {
        let after = time.duration_since(SystemTime::UNIX_EPOCH);
        epoch + after.expect("it is later than 1970")
    };
    params.not_before = after(since);
    params.not_after = after(until);
}
