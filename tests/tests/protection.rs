//! What protects fails closed: whatever is wrong with a key that protects, or with what it refers to, a
//! request does not reach the application.
//!
//! One row a key and fault. A row without a fault shows that the request would pass if nothing were
//! wrong; to add a key, add its rows to [`rows`].
#![expect(clippy::print_stdout, reason = "the table is what one wants to see")]

use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::haproxy::{free_port, in_parallel};
use haproxy_ingress_tests::http::Request;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::stage::Stage;

/// A key, what is wrong, and the world in which it is.
struct Row {
    key: &'static str,
    /// Nothing stands for a world in which all is well.
    fault: Option<&'static str>,
    /// Annotations of the Ingress.
    annotations: Vec<(&'static str, String)>,
    /// The global ConfigMap.
    data: Vec<(&'static str, String)>,
    /// What is there beside the Ingress and its Service.
    objects: Vec<Object>,
    /// Headers of the request.
    headers: Vec<(&'static str, &'static str)>,
    is_tls: bool,
}

impl Row {
    fn new(key: &'static str, fault: &'static str, value: &str) -> Self {
        Self {
            key,
            fault: Some(fault),
            annotations: vec![(key, value.into())],
            data: Vec::new(),
            objects: Vec::new(),
            headers: Vec::new(),
            is_tls: false,
        }
    }

    /// A row in which nothing is wrong.
    fn good(key: &'static str, value: &str) -> Self {
        Self {
            fault: None,
            ..Self::new(key, "", value)
        }
    }

    fn and(mut self, key: &'static str, value: &str) -> Self {
        self.annotations.push((key, value.into()));
        self
    }

    /// The operator says it for everybody, and not the Ingress.
    fn of_operator(mut self) -> Self {
        self.data = std::mem::take(&mut self.annotations);
        self
    }

    fn object(mut self, object: Object) -> Self {
        self.objects.push(object);
        self
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn over_tls(mut self) -> Self {
        self.is_tls = true;
        self
    }

    /// Sends the request; says what came, and whether it came from the application.
    fn run(&self) -> (String, bool) {
        let mut ingress = object::ingress("app").route("app.example", "/", "app", 80);
        for (key, value) in &self.annotations {
            ingress = ingress.annotation(key, value);
        }
        let mut objects = vec![
            object::service("app", 80),
            object::endpoints("app", &[[10, 0, 0, 1].into()], 8080),
        ];
        if self.is_tls {
            ingress = ingress.tls("app.example", "tls");
            objects.push(object::tls_secret("tls", &["app.example"]));
        }
        objects.push(ingress);
        objects.extend(self.objects.iter().cloned());
        let data: Vec<_> = self.data.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let stage = Stage::with(objects, &data);
        let mut request = Request::get("/").host("app.example");
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        let answer = if self.is_tls {
            request.send_over_tls(stage.https, Some("app.example"))
        } else {
            request.send_to(stage.http)
        };
        match answer {
            Ok(answer) => {
                let is_open = answer.backend().as_deref() == Some("app");
                (answer.status.to_string(), is_open)
            }
            Err(error) => (error.kind().to_string(), false),
        }
    }
}

/// A Secret with one entry.
fn secret(name: &str, entry: &str, text: &str) -> Object {
    Object::new(Kind::Secret, "default", name).with(&format!("/stringData/{entry}"), text)
}

/// A Service and its endpoint.
fn service(name: &str) -> [Object; 2] {
    [
        object::service(name, 80),
        object::endpoints(name, &[[10, 0, 0, 2].into()], 8080),
    ]
}

/// Every key that protects, with everything that can be wrong.
fn rows() -> Vec<Row> {
    let mut rows = basic();
    rows.extend(external());
    rows.extend(oauth());
    rows.extend(lists());
    rows.extend(certificates());
    rows
}

fn basic() -> Vec<Row> {
    const KEY: &str = "auth-secret";
    const JOE: (&str, &str) = ("Authorization", "Basic am9lOnNlY3JldA==");
    let users = |text: &str| secret("users", "auth", text);
    let rows = vec![
        Row::good(KEY, "users").object(users("joe::secret")),
        Row::new(KEY, "Secret missing", "users"),
        Row::new(KEY, "Secret without the entry", "users").object(secret(
            "users",
            "users",
            "joe::secret",
        )),
        Row::new(KEY, "Secret empty", "users").object(users("")),
        Row::new(KEY, "Secret malformed", "users").object(users("joe\n:secret\njoe:secret\n\u{1}")),
        Row::new(KEY, "hash unknown", "users")
            .object(users("joe:$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0")),
        Row::new(KEY, "other namespace", "other/users")
            .object(users("joe::secret").within("other")),
        Row::new(KEY, "value malformed", "no such/name/"),
        Row::new(KEY, "file", "file:///etc/hostname"),
        Row::new(KEY, "file of the operator", "file:///etc/hostname").of_operator(),
        Row::new(KEY, "Secret missing", "default/users").of_operator(),
        Row::new(KEY, "no namespace", "users")
            .of_operator()
            .object(users("joe::secret")),
    ];
    rows.into_iter().map(|it| it.header(JOE.0, JOE.1)).collect()
}

fn external() -> Vec<Row> {
    const KEY: &str = "auth-url";
    let mut rows = Vec::new();
    for placement in ["backend", "frontend", "nowhere"] {
        let [auth, endpoints] = service("auth");
        let elsewhere = || {
            [
                auth.clone().within("other"),
                endpoints.clone().within("other"),
            ]
        };
        let [other, other_endpoints] = elsewhere();
        let down = format!("http://127.0.0.1:{}/", free_port());
        let some = vec![
            Row::good(KEY, "svc://auth:80")
                .object(auth.clone())
                .object(endpoints.clone()),
            Row::new(KEY, "Service missing", "svc://auth:80"),
            Row::new(KEY, "port missing", "svc://auth:81")
                .object(auth.clone())
                .object(endpoints.clone()),
            Row::new(KEY, "no endpoint", "svc://auth:80").object(auth.clone()),
            Row::new(KEY, "other namespace", "svc://other/auth:80")
                .object(other)
                .object(other_endpoints),
            Row::new(KEY, "value malformed", "auth"),
            Row::new(KEY, "unknown protocol", "ftp://auth:80")
                .object(auth.clone())
                .object(endpoints),
            Row::new(KEY, "own machine", &down),
            Row::new(KEY, "service down", &down).of_operator(),
            Row::new(KEY, "name unknown", "http://nobody.invalid/"),
        ];
        rows.extend(
            some.into_iter()
                .map(|it| it.and("auth-external-placement", placement)),
        );
    }
    rows
}

fn oauth() -> Vec<Row> {
    const KEY: &str = "oauth";
    let [proxy, endpoints] = service("proxy");
    let path = object::ingress("proxy").route("app.example", "/oauth2", "proxy", 80);
    vec![
        Row::good(KEY, "oauth2_proxy")
            .object(proxy.clone())
            .object(endpoints.clone())
            .object(path.clone()),
        Row::new(KEY, "proxy missing", "oauth2_proxy"),
        Row::new(KEY, "Service missing", "oauth2_proxy").object(path.clone()),
        Row::new(KEY, "service down", "oauth2_proxy")
            .object(proxy.clone())
            .object(path.clone()),
        Row::new(KEY, "value malformed", "openid")
            .object(proxy.clone())
            .object(endpoints.clone())
            .object(path.clone()),
        Row::new(KEY, "other namespace", "oauth2_proxy")
            .object(proxy.within("other"))
            .object(endpoints.within("other"))
            .object(path.within("other")),
        Row::new(KEY, "auth-url malformed", "oauth2_proxy").and("auth-url", "nonsense"),
    ]
}

fn lists() -> Vec<Row> {
    const ALLOW: &str = "allowlist-source-range";
    const DENY: &str = "denylist-source-range";
    vec![
        Row::good(ALLOW, "127.0.0.0/8"),
        Row::new(ALLOW, "not listed", "192.0.2.1"),
        Row::new(ALLOW, "value malformed", "localhost"),
        Row::new(ALLOW, "exception malformed", "127.0.0.0/8,!127.0.0"),
        Row::new(ALLOW, "value malformed", "localhost").of_operator(),
        Row::new(ALLOW, "no address in the header", "127.0.0.0/8")
            .and("allowlist-source-header", "X-Client")
            .header("X-Client", "unknown"),
        Row::good(DENY, "192.0.2.1"),
        Row::new(DENY, "listed", "127.0.0.0/8"),
        Row::new(DENY, "value malformed", "192.0.2"),
        Row::new(DENY, "value malformed", "192.0.2").of_operator(),
    ]
}

fn certificates() -> Vec<Row> {
    const KEY: &str = "auth-tls-secret";
    let rows = vec![
        Row::new(KEY, "Secret missing", "clients"),
        Row::new(KEY, "Secret without the entry", "clients")
            .object(secret("clients", "tls.crt", "x")),
        Row::new(KEY, "Secret empty", "clients").object(secret("clients", "ca.crt", "")),
        Row::new(KEY, "Secret malformed", "clients")
            .object(secret("clients", "ca.crt", "nonsense")),
        Row::new(KEY, "other namespace", "other/clients"),
        Row::new(KEY, "value malformed", "no such/name/"),
        Row::new(KEY, "file", "file:///etc/hostname"),
    ];
    rows.into_iter().map(Row::over_tls).collect()
}

#[test]
fn whatever_is_wrong_nobody_is_admitted() {
    let rows = rows();
    let answers = in_parallel(&rows, Row::run);
    println!(
        "{:<24} {:<28} {:<10} {:<16}",
        "key", "what is wrong", "by", "answer"
    );
    let (mut open, mut shut) = (0, 0);
    for (row, (answer, is_open)) in rows.iter().zip(&answers) {
        let by = if row.data.is_empty() {
            "tenant"
        } else {
            "operator"
        };
        let fault = row.fault.unwrap_or("nothing");
        let mark = match (row.fault, is_open) {
            (Some(_), true) => "OPEN",
            (None, false) => "shut by mistake",
            _ => "",
        };
        open += usize::from(row.fault.is_some() && *is_open);
        shut += usize::from(row.fault.is_none() && !*is_open);
        println!("{:<24} {fault:<28} {by:<10} {answer:<16} {mark}", row.key);
    }
    println!("{} rows, {open} open", rows.len());
    assert_eq!((open, shut), (0, 0), "see the table above");
}
