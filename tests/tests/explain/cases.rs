//! The requests of the cases, whose answers a real HAProxy gave.

use haproxy_ingress_core::compile::compile_with_model;
use haproxy_ingress_core::explain::{Certificate, Decision, End, Request, Scheme, explain};
use haproxy_ingress_core::haproxy::Config;
use haproxy_ingress_tests::case::{Case, Exchange, Wanted};
use haproxy_ingress_tests::http::Identity;
use haproxy_ingress_tests::show::show;

#[test]
fn the_simulator_gives_the_answers_of_the_cases() {
    let cases = Case::all(&Case::folder()).expect("the cases can be read");
    let alice = Identity::of_data("alice").expect("she has a certificate");
    let (mut compared, mut left_out) = (0, 0);
    let mut different = Vec::new();
    for case in cases.iter().filter(|it| !it.requests.is_empty()) {
        let input = case.input().unwrap_or_else(|it| panic!("{it}"));
        let (_, model) = compile_with_model(&input.snapshot, &input.options, None);
        for exchange in &case.requests {
            let request = request(exchange, &alice);
            let decision = explain(&model, &input.options, &request);
            if !decision.not_simulated.is_empty() {
                left_out += 1;
                continue;
            }
            compared += 1;
            if let Some(says) = difference(exchange, &decision, &model) {
                let place = format!("{}:{}", case.file.display(), exchange.line);
                different.push(format!("{place}: {says}\n  {:?}", decision.steps.last()));
            }
        }
    }
    show(&format!(
        "{compared} requests of cases to the simulator, {left_out} others need what it does not simulate; \
         {} differences",
        different.len()
    ));
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(compared > 300, "only {compared} requests were compared");
}

fn request(exchange: &Exchange, alice: &Identity) -> Request {
    let scheme = if exchange.tls {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let name = exchange.host.split(':').next().unwrap_or_default();
    let mut request = Request {
        method: exchange.request.method.clone(),
        scheme,
        port: exchange
            .host
            .rsplit_once(':')
            .and_then(|it| it.1.parse().ok()),
        target: exchange.request.target.clone(),
        client: [127, 0, 0, 1].into(),
        sni: exchange.tls.then(|| name.to_owned()),
        certificate: match &exchange.client {
            None => Certificate::None,
            Some(it) if it == alice => Certificate::Good,
            Some(_) => Certificate::Bad,
        },
        ..Request::default()
    };
    for (name, value) in &exchange.request.headers.0 {
        request = request.with(name, value);
        if name.eq_ignore_ascii_case("content-length") {
            request.body_size = value.parse().unwrap_or(0);
        }
    }
    request
}

fn difference(exchange: &Exchange, decision: &Decision, model: &Config) -> Option<String> {
    let status = match &decision.end {
        End::Backend { .. } => Some(200),
        End::Passthrough { .. } => return None,
        end => end.status(),
    };
    if status != exchange.status {
        return Some(format!(
            "{:?}, and the case says {:?}",
            decision.end, exchange.status
        ));
    }
    for wanted in &exchange.wanted {
        let is_so = match wanted {
            Wanted::Backend(service) => {
                let mut backends = model.backends.iter();
                let found = backends.find(|it| Some(&*it.name) == decision.end.backend());
                found.is_some_and(|it| it.service.as_str() == service)
            }
            Wanted::Path(path) => {
                let found = decision.path.as_deref().unwrap_or_default();
                found.split('?').next() == Some(path)
            }
            Wanted::Header(name, value) if name.eq_ignore_ascii_case("location") => {
                decision.end.location() == Some(value)
            }
            Wanted::Header(name, value) => {
                let mut changes = decision.response_headers.iter().rev();
                let change = changes.find(|it| it.name.eq_ignore_ascii_case(name));
                change.is_none_or(|it| it.value.as_deref().unwrap_or_default() == value)
            }
            Wanted::Received(name, value) => {
                let mut changes = decision.request_headers.iter().rev();
                let change = changes.find(|it| it.name.eq_ignore_ascii_case(name));
                change.is_none_or(|it| it.value.as_deref().unwrap_or_default() == value)
            }
            Wanted::Certificate(_) | Wanted::Body(_) => true,
        };
        if !is_so {
            return Some(format!(
                "{wanted:?} is wanted, and there is {:?} {:?}",
                decision.end, decision.path
            ));
        }
    }
    None
}
