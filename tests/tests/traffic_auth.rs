//! Authentication by a service, with a real HAProxy and services that behave in every way.
//!
//! What one request to a service that admits everybody can show is a case; here are those that refuse,
//! fail, are slow, lie or talk nonsense.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use haproxy_ingress_tests::haproxy::at_once;
use haproxy_ingress_tests::http::{Connection, Request, Response};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::stage::Stage;
use haproxy_ingress_tests::tls::Authority;

/// A service on this machine that answers what the path of the client's request says.
struct Service {
    port: u16,
    /// The heads of all requests so far.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let heads = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heads = heads.clone();
                std::thread::spawn(move || converse(stream, &heads));
            }
        });
        Self { port, seen }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/check?who", self.port)
    }

    fn heads(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The last request's field, however often it is there.
    fn field(&self, name: &str) -> Vec<String> {
        let heads = self.heads();
        let head = heads.last().expect("it was asked");
        let fields = head.lines().filter_map(|it| it.split_once(": "));
        fields
            .filter(|it| it.0.eq_ignore_ascii_case(name))
            .map(|it| it.1.to_owned())
            .collect()
    }
}

/// Answers requests of one connection.
fn converse(mut stream: TcpStream, heads: &Mutex<Vec<String>>) {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|it| it == b"\r\n\r\n") {
                break end + 4;
            }
            let mut piece = [0; 4096];
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(count) => buffer.extend_from_slice(&piece[..count]),
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        buffer.drain(..end);
        let target = head
            .lines()
            .find_map(|it| {
                it.to_ascii_lowercase()
                    .strip_prefix("x-original-uri: ")
                    .map(str::to_owned)
            })
            .unwrap_or_default();
        heads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(head);
        if answer(&target, &mut stream).is_err() {
            return;
        }
    }
}

/// Answers one request; an error ends the connection.
fn answer(target: &str, stream: &mut TcpStream) -> std::io::Result<()> {
    let end = || Err(std::io::Error::other("the connection ends"));
    let path = target.split('?').next().unwrap_or_default();
    let text: &[u8] = match path.trim_end_matches('/') {
        "/ok" => b"HTTP/1.1 200 OK\r\nX-User: joe\r\nX-Group: a\r\nX-Group: b\r\nContent-Type: x/y\r\n\
                   Content-Length: 5\r\n\r\nhello",
        "/guest" => b"HTTP/1.1 204 No Content\r\n\r\n",
        "/hinted" => b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nX-User: joe\r\n\
                       Content-Length: 0\r\n\r\n",
        "/401" => b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nSet-Cookie: a=1\r\n\
                    Set-Cookie: b=2\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\ngo away",
        "/chunks" => b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n\
                       0\r\n\r\n",
        "/302" => b"HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\nContent-Length: 0\r\n\r\n",
        "/500" => b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops",
        "/304" => b"HTTP/1.1 304 Not Modified\r\n\r\n",
        "/999" => b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
        "/forged" => b"HTTP/1.1 401 No\r\nX-HAProxy-Auth-Status: 200\r\nContent-Length: 0\r\n\r\n",
        "/garbage" => {
            stream.write_all(b"\x16\x03\x01 200 OK\r\n\r\n")?;
            return end();
        }
        "/gone" => return end(),
        "/short" => {
            stream.write_all(b"HTTP/1.1 401 No\r\nContent-Length: 10\r\n\r\nab")?;
            return end();
        }
        "/large" => {
            stream.write_all(b"HTTP/1.1 401 No\r\nX-Why: large\r\nContent-Length: 100000\r\n\r\n")?;
            return stream.write_all(&vec![b'x'; 100_000]);
        }
        "/endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nX-User: joe\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            loop {
                stream.write_all(b"5\r\nhello\r\n")?;
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        "/silent" => {
            std::thread::sleep(Duration::from_secs(20));
            return end();
        }
        "/drop-by-drop" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nX-Long: ")?;
            loop {
                stream.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(200));
            }
        }
        _ => b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    };
    stream.write_all(text)
}

/// A Service `app` and an Ingress `app.example` with annotations.
fn app(annotations: &[(&str, &str)]) -> Vec<Object> {
    let mut ingress = object::ingress("app").route("app.example", "/", "app", 80);
    for (key, value) in annotations {
        ingress = ingress.annotation(key, value);
    }
    vec![
        object::service("app", 80),
        object::endpoints("app", &[[10, 0, 0, 1].into()], 8080),
        ingress,
    ]
}

fn get(stage: &Stage, path: &str) -> Response {
    stage.get("app.example", path)
}

/// Runs a test with the service asked by the backend, and again by the frontend.
fn in_both_places(test: impl Fn(&Stage, &Service) + Sync) {
    at_once(2, &["backend", "frontend"], |&placement| {
        let service = Service::start();
        let stage = Stage::with(
            app(&[("auth-external-placement", placement)]),
            &[("auth-url", &service.url())],
        );
        test(&stage, &service);
    });
}

#[test]
fn a_request_passes_with_what_the_service_says_of_it() {
    in_both_places(|stage, service| {
        let request = Request::new("POST", "/ok?a=b%20c")
            .host("App.Example")
            .header("X-User", "root")
            .header("X_User", "root")
            .header("X-Auth-Request-Email", "root@example")
            .header("X_Auth-Request_Groups", "admins")
            .header("X-Original-URI", "/forged")
            .header("X_Original_URI", "/forged")
            .header("X-Forwarded-Host", "forged")
            .header("X-HAProxy-Auth-Backend", "_error404")
            .header("If-None-Match", "\"x\"")
            .header("Cookie", "session=1")
            .header("Content-Type", "text/plain")
            .body(vec![b'x'; 50_000]);
        let response = stage.send(&request);
        assert_eq!(response.backend().as_deref(), Some("app"), "{response}");
        let answer = response.json();
        assert_eq!(answer["headers"]["x-user"], serde_json::json!(["joe"]));
        assert_eq!(answer["headers"]["x-group"], serde_json::json!(["a", "b"]));
        for forged in ["x-auth-request-email", "x_auth-request_groups"] {
            assert_eq!(answer["headers"][forged], serde_json::Value::Null);
        }
        assert_eq!(answer["headers"]["content-type"][0], "text/plain");
        assert_eq!(answer["body_length"], 50_000);
        assert_eq!(answer["method"], "POST");

        let heads = service.heads();
        assert_eq!(heads.len(), 1, "{heads:?}");
        assert!(
            heads[0].starts_with("GET /check?who HTTP/1.1\r\n"),
            "{heads:?}"
        );
        for (name, value) in [
            ("host", format!("127.0.0.1:{}", service.port).as_str()),
            ("x-original-method", "POST"),
            ("x-original-uri", "/ok?a=b%20c"),
            ("x-original-url", "http://App.Example/ok?a=b%20c"),
            ("x-forwarded-method", "POST"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "App.Example"),
            ("x-forwarded-uri", "/ok?a=b%20c"),
            ("x-forwarded-for", "127.0.0.1"),
            ("cookie", "session=1"),
            ("x-user", "root"),
        ] {
            assert_eq!(service.field(name), [value], "{name}");
        }
        for name in [
            "content-length",
            "if-none-match",
            "x-haproxy-auth-backend",
            "x_original_uri",
        ] {
            assert!(service.field(name).is_empty(), "{name}");
        }
        assert_eq!(get(stage, "/guest").status, 200);
        assert_eq!(
            get(stage, "/hinted").received("x-user").as_deref(),
            Some("joe")
        );
        let begun = Instant::now();
        assert_eq!(
            get(stage, "/endless").received("x-user").as_deref(),
            Some("joe")
        );
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "it reads no body that nobody needs"
        );
    });
}

#[test]
fn a_refusal_is_passed_on() {
    in_both_places(|stage, _| {
        let response = get(stage, "/401");
        assert_eq!(
            (response.status, response.text().as_str()),
            (401, "go away")
        );
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
        assert_eq!(response.header("content-type"), Some("text/plain"));
        assert_eq!(
            response.headers.all("set-cookie").collect::<Vec<_>>(),
            ["a=1", "b=2"]
        );
        let response = get(stage, "/chunks");
        assert_eq!(
            (response.status, response.text().as_str()),
            (403, "hello world")
        );
        let response = get(stage, "/302");
        assert_eq!(
            (response.status, response.header("location")),
            (302, Some("https://login.example/"))
        );
        let response = get(stage, "/large");
        assert_eq!((response.status, response.body.len()), (401, 0));
        assert_eq!(response.header("x-why"), Some("large"));
        let head = stage.send(&Request::new("HEAD", "/401").host("app.example"));
        assert_eq!((head.status, head.body.len()), (401, 0));
        assert_eq!(get(stage, "/500").status, 500);
        assert_eq!(get(stage, "/ok").status, 200, "others are served as before");
    });
}

#[test]
fn a_service_that_fails_admits_nobody() {
    in_both_places(|stage, _| {
        let paths = [
            ("/garbage", 502),
            ("/gone", 502),
            ("/304", 502),
            ("/999", 502),
            ("/forged", 401),
            ("/silent", 504),
            ("/drop-by-drop", 504),
        ];
        at_once(paths.len(), &paths, |&(path, status)| {
            let begun = Instant::now();
            let response = get(stage, path);
            assert_eq!(
                (response.status, response.backend()),
                (status, None),
                "{path}: {response}"
            );
            // HAProxy waits eight seconds; the silent one ends the connection after twenty.
            assert!(begun.elapsed() < Duration::from_secs(16), "{path}");
        });
        assert_eq!(get(stage, "/short").backend(), None);
    });
}

#[test]
fn a_service_that_is_down_admits_nobody() {
    at_once(2, &["backend", "frontend"], |&placement| {
        let url = format!(
            "http://127.0.0.1:{}/",
            haproxy_ingress_tests::haproxy::free_port()
        );
        let annotations = [
            ("auth-external-placement", placement),
            ("auth-signin", "https://login.example/"),
        ];
        let stage = Stage::with(app(&annotations), &[("auth-url", &url)]);
        let response = get(&stage, "/");
        assert_eq!(
            (response.status, response.backend()),
            (503, None),
            "{response}"
        );
    });
}

#[test]
fn who_may_not_pass_is_sent_to_sign_in() {
    for placement in ["backend", "frontend"] {
        let service = Service::start();
        let annotations = [
            ("auth-external-placement", placement),
            ("auth-signin", "https://login.example/?rd=%[pathq,url_enc]"),
        ];
        let stage = Stage::with(app(&annotations), &[("auth-url", &service.url())]);
        let response = get(&stage, "/401?x=y");
        assert_eq!(
            (response.status, response.header("location")),
            (302, Some("https://login.example/?rd=%2F401%3Fx%3Dy"))
        );
        assert_eq!(service.heads().len(), 1, "it is asked once");
        assert_eq!(get(&stage, "/ok").status, 200);
        let response = get(&stage, "/500");
        assert_eq!((response.status, response.header("location")), (500, None));
    }
}

#[test]
fn headers_are_chosen_by_lists() {
    let service = Service::start();
    let annotations = [
        ("auth-method", "*"),
        ("auth-headers-request", "X-Token, cook*"),
        ("auth-headers-succeed", "X-User, x-gr?up, x-auth-*"),
        ("auth-headers-fail", "www-*"),
    ];
    let stage = Stage::with(app(&annotations), &[("auth-url", &service.url())]);
    let request = Request::new("PUT", "/ok")
        .host("app.example")
        .header("X-Token", "t")
        .header("X-Other", "o")
        .header("Cookie", "c=1")
        .header("X-Auth-Admin", "yes")
        .header("X_Auth_Admin", "yes")
        .header("X_User", "root")
        .header("X-Auth-Host-", "x")
        .body("text");
    let answer = stage.send(&request).json();
    assert_eq!(answer["headers"]["x-user"][0], "joe");
    assert_eq!(answer["headers"]["x-group"], serde_json::json!(["a", "b"]));
    for forged in ["x-auth-admin", "x_auth_admin", "x_user"] {
        assert_eq!(
            answer["headers"][forged],
            serde_json::Value::Null,
            "{forged}"
        );
    }
    assert_eq!(answer["headers"]["x-other"][0], "o");
    assert_eq!(answer["body_length"], 4);
    assert!(service.heads()[0].starts_with("PUT /check?who HTTP/1.1\r\n"));
    assert_eq!(service.field("x-token"), ["t"]);
    assert_eq!(service.field("cookie"), ["c=1"]);
    assert_eq!(service.field("content-length"), ["0"]);
    assert!(service.field("x-other").is_empty());
    let guest = Request::get("/guest")
        .host("app.example")
        .header("X-User", "root");
    assert_eq!(stage.send(&guest).received("x-user"), None);
    let response = get(&stage, "/401");
    assert_eq!(response.header("www-authenticate"), Some("Bearer"));
    assert_eq!(response.header("set-cookie"), None);
    assert_eq!(response.header("content-type"), Some("text/plain"));
}

#[test]
fn a_frontend_asks_about_every_name_of_a_path() {
    let route =
        |name: &str, host: &str, path: &str| object::ingress(name).route(host, path, "app", 80);
    let guarded = |object: Object| {
        object
            .annotation("auth-url", "svc://auth:80/check")
            .annotation("auth-external-placement", "frontend")
    };
    let stage = Stage::with(
        [
            object::service("app", 80),
            object::endpoints("app", &[[10, 0, 0, 1].into()], 8080),
            object::service("auth", 80),
            object::endpoints("auth", &[[10, 0, 0, 2].into()], 8080),
            guarded(route("exact", "app.example", "/closed"))
                .annotation("server-alias", "alias.example")
                .annotation("server-alias-regex", r"^x[0-9]+\.example$"),
            guarded(route("begin", "begin.example", "/closed")).with(
                "/spec/rules/0/http/paths/0/pathType",
                "ImplementationSpecific",
            ),
            guarded(route("wild", "*.wild.example", "/")),
            guarded(route("any", "", "/closed")),
            route("open", "app.example", "/open"),
            guarded(route("cors", "cors.example", "/")).annotation("cors-enable", "true"),
        ],
        &[],
    );
    stage.backend("auth").answers("/check", 401, &[]);
    for (host, path) in [
        ("app.example", "/closed"),
        ("APP.example", "/closed/x"),
        ("alias.example", "/closed"),
        ("x1.example", "/closed"),
        ("begin.example", "/closed"),
        ("begin.example", "/CLOSEDx"),
        ("a.wild.example", "/"),
        ("other.example", "/closed"),
    ] {
        for method in ["GET", "OPTIONS", "POST"] {
            let seen = stage.backend("auth").seen().len();
            let response = stage.send(&Request::new(method, path).host(host));
            assert_eq!(response.status, 401, "{method} {host}{path}: {response}");
            let asked = stage.backend("auth").seen().len() - seen;
            assert_eq!(asked, 1, "{method} {host}{path}");
        }
    }
    assert_eq!(stage.get("app.example", "/open").status, 200);
    let preflight = Request::new("OPTIONS", "/").host("cors.example");
    let preflight = preflight.header("Origin", "https://a.example");
    assert_eq!(stage.send(&preflight).status, 204);
    assert_eq!(stage.get("cors.example", "/").status, 401);
    stage
        .backend("auth")
        .answers("/check", 200, &[("X-User", "joe")]);
    let answer = stage.get("begin.example", "/CLOSED");
    assert_eq!(answer.received("x-user").as_deref(), Some("joe"));
}

#[test]
fn a_frontend_asks_before_headers_choose_the_path() {
    let guarded = |name: &str, service: &str| {
        object::ingress(name)
            .route("app.example", "/", service, 80)
            .annotation("auth-url", "svc://auth:80/check")
            .annotation("auth-headers-succeed", "X-Group")
            .annotation("auth-external-placement", "frontend")
    };
    let service = |name: &str, last: u8| {
        let endpoints = object::endpoints(name, &[[10, 0, 0, last].into()], 8080);
        [object::service(name, 80), endpoints]
    };
    let mut objects = vec![
        guarded("app", "app"),
        guarded("beta", "beta").annotation("http-header-match", "X-Group: beta"),
    ];
    for (name, last) in [("app", 1), ("auth", 2), ("beta", 3)] {
        objects.extend(service(name, last));
    }
    let stage = Stage::with(objects, &[]);
    let auth = stage.backend("auth");
    let forged = Request::get("/")
        .host("app.example")
        .header("X-Group", "beta");
    auth.answers("/check", 200, &[("X-Group", "beta")]);
    assert_eq!(get(&stage, "/").backend().as_deref(), Some("beta"));
    auth.answers("/check", 200, &[]);
    assert_eq!(get(&stage, "/").backend().as_deref(), Some("app"));
    assert_eq!(stage.send(&forged).backend().as_deref(), Some("app"));
    auth.answers("/check", 401, &[]);
    assert_eq!(get(&stage, "/").status, 401);
    assert_eq!(stage.send(&forged).status, 401);
}

#[test]
fn a_request_that_is_led_to_another_path_needs_the_certificate_that_this_one_wants()
-> std::io::Result<()> {
    let clients = Authority::new("Clients");
    let alice = clients.client("alice");
    let beta = |name: &str, host: &str, verify: &str| {
        object::ingress(name)
            .route(host, "/", "beta", 80)
            .tls(host, "tls")
            .annotation("http-header-match", "X-Group: beta")
            .annotation("auth-tls-secret", "clients")
            .annotation("auth-tls-verify-client", verify)
            .annotation("ssl-redirect", "false")
    };
    let stage = Stage::with(
        [
            object::service("app", 80),
            object::endpoints("app", &[[10, 0, 0, 1].into()], 8080),
            object::service("auth", 80),
            object::endpoints("auth", &[[10, 0, 0, 2].into()], 8080),
            object::service("beta", 80),
            object::endpoints("beta", &[[10, 0, 0, 3].into()], 8080),
            object::tls_secret("tls", &["*.example"]),
            clients.secret("clients"),
            object::ingress("app")
                .route("*.example", "/", "app", 80)
                .tls("*.example", "tls")
                .annotation("auth-url", "svc://auth:80/check")
                .annotation("auth-headers-succeed", "X-Group,X-SSL-Client-CN")
                .annotation("auth-external-placement", "frontend")
                .annotation("ssl-redirect", "false"),
            beta("must", "must.example", "on"),
            beta("may", "may.example", "optional"),
        ],
        &[],
    );
    let auth = stage.backend("auth");
    let led = [("X-Group", "beta"), ("X-SSL-Client-CN", "root")];
    let over_tls = |name, identity, host: &str| {
        let mut connection = Connection::tls_as(stage.https, Some(name), identity)?;
        connection.send(&Request::get("/").host(host))
    };

    auth.answers("/check", 200, &[]);
    let answer = over_tls("open.example", None, "must.example")?;
    assert_eq!(answer.backend().as_deref(), Some("app"), "{answer}");

    auth.answers("/check", 200, &led);
    let answer = over_tls("open.example", None, "must.example")?;
    assert_eq!(answer.status, 421, "{answer}");
    assert_eq!(stage.get("must.example", "/").status, 421);
    assert_eq!(over_tls("must.example", None, "must.example")?.status, 496);

    let answer = over_tls("must.example", Some(&alice), "must.example")?;
    assert_eq!(answer.backend().as_deref(), Some("beta"), "{answer}");
    assert_eq!(answer.received("x-ssl-client-cn").as_deref(), Some("alice"));

    let answer = over_tls("may.example", None, "may.example")?;
    assert_eq!(answer.backend().as_deref(), Some("beta"), "{answer}");
    assert_eq!(answer.received("x-group").as_deref(), Some("beta"));
    assert_eq!(
        answer.received("x-ssl-client-cn"),
        None,
        "nobody showed one"
    );
    Ok(())
}

#[test]
fn a_frontend_asks_nobody_in_clear_who_is_sent_to_tls() {
    let stage = Stage::with(
        [
            object::service("app", 80),
            object::endpoints("app", &[[10, 0, 0, 1].into()], 8080),
            object::service("auth", 80),
            object::endpoints("auth", &[[10, 0, 0, 2].into()], 8080),
            object::tls_secret("tls", &["app.example"]),
            object::ingress("app")
                .route("app.example", "/", "app", 80)
                .tls("app.example", "tls")
                .annotation("auth-url", "svc://auth:80/check")
                .annotation("auth-external-placement", "frontend"),
        ],
        &[("no-tls-redirect-locations", "/plain")],
    );
    let auth = stage.backend("auth");
    auth.answers("/check", 401, &[("WWW-Authenticate", "Basic")]);
    let answer = stage.get("app.example", "/x");
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, Some("https://app.example/x"))
    );
    assert_eq!(auth.seen().len(), 0, "nobody is asked");
    assert_eq!(stage.get_over_tls("app.example", "/x").status, 401);
    assert_eq!(stage.get("app.example", "/plain").status, 401);
    assert_eq!(auth.seen().len(), 2);
}

#[test]
fn an_oauth_proxy_signs_people_in() {
    let proxy = object::ingress("proxy").route("app.example", "/oauth2", "proxy", 80);
    let elsewhere = object::ingress("elsewhere")
        .route("other.example", "/", "app", 80)
        .annotation("oauth", "oauth2-proxy");
    let mut objects = app(&[
        ("oauth", "oauth2_proxy"),
        (
            "oauth-headers",
            "X-Email:X-Auth-Request-Email,X-Code:req.auth_response_header.x_code",
        ),
    ]);
    objects.extend([
        object::service("proxy", 80),
        object::endpoints("proxy", &[[10, 0, 0, 2].into()], 8080),
        proxy.annotation("oauth", "oauth2_proxy"),
        elsewhere,
    ]);
    let stage = Stage::with(objects, &[]);
    let service = stage.backend("proxy");
    service.answers(
        "/oauth2/auth",
        202,
        &[("X-Auth-Request-Email", "joe@example"), ("X-Code", "7")],
    );
    let request = Request::get("/x?y=1")
        .host("app.example")
        .header("X-Email", "root")
        .header("X_Email", "root")
        .header("X_Code", "1");
    let answer = stage.send(&request.header("X-Code", "1").header("Cookie", "c=1"));
    assert_eq!(answer.received("x_email"), None);
    assert_eq!(answer.received("x_code"), None);
    assert_eq!(answer.backend().as_deref(), Some("app"), "{answer}");
    assert_eq!(answer.received("x-email").as_deref(), Some("joe@example"));
    assert_eq!(answer.received("x-code").as_deref(), Some("7"));
    let asked = service.seen().pop().expect("it was asked");
    assert_eq!(
        (asked.method.as_str(), asked.path()),
        ("HEAD", "/oauth2/auth")
    );
    assert_eq!(asked.headers.get("cookie"), Some("c=1"));

    service.answers("/oauth2/auth", 401, &[]);
    let answer = get(&stage, "/x?y=1");
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, Some("/oauth2/start?rd=%2Fx%3Fy%3D1"))
    );
    for path in ["/oauth2/start?rd=%2F", "/oauth2", "/oauth2/sign_in"] {
        assert_eq!(
            get(&stage, path).backend().as_deref(),
            Some("proxy"),
            "{path}"
        );
    }
    // A host without the proxy's path: nothing there is open, and nobody goes in circles.
    assert_eq!(stage.get("other.example", "/").status, 302);
    assert_eq!(stage.get("other.example", "/oauth2/start").status, 403);
    assert_eq!(stage.get("other.example", "/oauth2/../x").status, 403);
    service.answers("/oauth2/auth", 503, &[]);
    assert_eq!(get(&stage, "/x").status, 503);
}

#[test]
fn beside_an_oauth_proxy_it_is_the_service_that_decides() {
    let proxy = object::ingress("proxy").route("app.example", "/oauth2", "proxy", 80);
    let mut objects = app(&[
        ("oauth", "oauth2_proxy"),
        ("auth-url", "svc://auth:80/check"),
    ]);
    objects.extend([
        object::service("proxy", 80),
        object::endpoints("proxy", &[[10, 0, 0, 2].into()], 8080),
        object::service("auth", 80),
        object::endpoints("auth", &[[10, 0, 0, 3].into()], 8080),
        proxy,
    ]);
    let stage = Stage::with(objects, &[]);
    stage.backend("proxy").answers("/oauth2/auth", 202, &[]);
    stage.backend("auth").answers("/check", 401, &[]);
    assert_eq!(get(&stage, "/").status, 401);
    stage.backend("proxy").answers("/oauth2/auth", 401, &[]);
    stage.backend("auth").answers("/check", 200, &[]);
    assert_eq!(get(&stage, "/").backend().as_deref(), Some("app"));
    assert!(stage.backend("proxy").seen().is_empty(), "it is not asked");
}
