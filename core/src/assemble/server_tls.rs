//! What backends speak with their servers, once all keys have said what they want of it.
//!
//! Where a certificate or an authority cannot be used, nothing is sent to the servers: requests are
//! answered with 503, and what stands in for the authority signs nothing.

use crate::assemble::names;
use crate::diagnostic::codes;
use crate::haproxy::{Backend, Config, Mode, Rules, Sni};
use crate::ingest::certificate::Certificates;
use crate::keys::Cx;
use crate::keys::cross_namespace::{Permitted, Purpose, Refusal};
use crate::keys::fastcgi;
use crate::origin::{Origin, Setting};
use crate::value::ValueError;
use crate::value::reference::Reference;
use crate::value::text::Line;
use crate::value::tried::Tried;

/// What happens to requests of a backend whose servers must not be spoken to.
const REFUSED: &str = "its requests are answered with 503";

/// Settles what backends speak with their servers.
pub(super) fn add(certificates: &mut Certificates, config: &mut Config, cx: &mut Cx<'_>) {
    for place in 0..config.backends.len() {
        let backend = &mut config.backends[place];
        if backend.mode == Mode::Tcp {
            // Bytes are handed over as they are, whatever they mean.
            backend.server_options.remove("proto");
            backend.server_options.remove("ssl-alpn");
            backend.fcgi = None;
        }
        application(backend, cx);
        if backend.server_options.contains_key("ssl") {
            authorities(backend, cx);
            certificate(backend, certificates, cx);
            server_name(backend, cx);
            no_other_name(backend, cx);
        } else if let Some(key) = backend.server_tls.take().and_then(|it| it.authorities) {
            without_tls(&key.origin, backend, cx);
        }
        if backend.is_internal && !backend.refused.is_empty() {
            // Nothing is sent to these servers, so nothing is to be said in it.
            backend.rules = Rules::default();
        }
    }
}

/// Servers without TLS that should be verified. Where somebody may have asked for TLS, and nobody can
/// tell, they are not spoken to.
fn without_tls(wanted: &Origin, backend: &mut Backend, cx: &mut Cx<'_>) {
    if backend.unread_tls.is_empty() {
        cx.report(
            &codes::NO_EFFECT,
            wanted,
            "`secure-verify-ca-secret`: the servers do not speak TLS",
            "nothing is verified",
        );
    }
    for (key, it) in std::mem::take(&mut backend.unread_tls) {
        cx.report_item(&codes::INVALID_PROTECTION, key, &it, &it.value, REFUSED);
        backend.refused.push(it.origin);
    }
}

/// FastCGI needs an application that the operator declared.
fn application(backend: &mut Backend, cx: &mut Cx<'_>) {
    let app = backend.fcgi_app.take();
    let Some(protocol) = backend.fcgi.clone() else {
        if let Some(app) = app {
            let message = "`fcgi-app`: the servers do not speak FastCGI";
            cx.report(&codes::NO_EFFECT, &app.origin, message, "it is ignored");
        }
        return;
    };
    let origin = app.as_ref().map_or(&protocol, |it| &it.origin);
    let found = match &app {
        Some(app) => fastcgi::find(&app.value, cx),
        None => Err("FastCGI needs an application: `fcgi-app` is not set".into()),
    };
    match found {
        Ok(()) => backend.fcgi_app = app,
        Err(message) => {
            cx.report(&codes::NOT_FOUND, origin, message, REFUSED);
            backend.refused.push(origin.clone());
            // HAProxy does not start with a server that speaks FastCGI for no application.
            backend.server_options.remove("proto");
            backend.fcgi = None;
        }
    }
}

fn authorities(backend: &mut Backend, cx: &mut Cx<'_>) {
    const KEY: &str = "secure-verify-ca-secret";
    let tls = backend.server_tls.as_deref();
    let Some(wanted) = tls.and_then(|it| it.authorities.clone()) else {
        let origin = backend.server_options["ssl"].origin.clone();
        let none = Setting::new(Line::keyword("verify none"), origin);
        backend.server_options.insert("ssl-verify", none);
        if let Some(name) = tls.and_then(|it| it.hostname.as_ref()) {
            let message = format!("`secure-verify-hostname` goes with `{KEY}`, which is not set");
            cx.report(
                &codes::NO_EFFECT,
                &name.origin,
                message,
                "nothing is verified",
            );
        }
        return;
    };
    let found = reference(&wanted).and_then(|it| cx.authorities(&it));
    let found = found.unwrap_or_else(|refusal| {
        let code = &codes::INVALID_PROTECTION;
        cx.report_refusal(code, KEY, &wanted, &refusal, REFUSED);
        backend.refused.push(wanted.origin.clone());
        cx.nobody()
    });
    let mut line = Line::keyword("verify required ca-file").text(&found.file);
    if let Some(revoked) = &found.revoked {
        line = line.and("crl-file").text(revoked);
    }
    let part = wanted.map(|_| line);
    backend.server_options.insert("ssl-verify", part);
    let Some(name) = backend
        .server_tls
        .as_deref()
        .and_then(|it| it.hostname.clone())
    else {
        return;
    };
    match &name.value.0 {
        Ok(host) if !host.as_str().starts_with('*') => {
            let part = name.map(|_| Line::keyword("verifyhost").text(host.as_str()));
            backend.server_options.insert("ssl-verifyhost", part);
        }
        bad => {
            let error = match bad {
                Ok(host) => &ValueError::new("a name without `*`", host.as_str()),
                Err(error) => error,
            };
            let message = format!("`secure-verify-hostname`: {error}");
            cx.report(&codes::INVALID_PROTECTION, &name.origin, message, REFUSED);
            backend.refused.push(name.origin.clone());
        }
    }
}

fn certificate(backend: &mut Backend, certificates: &mut Certificates, cx: &mut Cx<'_>) {
    const KEY: &str = "secure-crt-secret";
    let tls = backend.server_tls.as_deref();
    let Some(wanted) = tls.and_then(|it| it.certificate.clone()) else {
        return;
    };
    let permitted = reference(&wanted).and_then(|it| cx.permit(&it, Purpose::Certificate));
    let file = permitted.and_then(|it| match it {
        Permitted::File(path) => Ok(path.to_string()),
        Permitted::Secret(name) => certificates
            .file_or(&name, None, &wanted.origin, REFUSED, cx)
            .map(|it| names::real(&it, cx.options))
            .ok_or_else(|| Refusal::new(format!("Secret `{name}` has no usable certificate"))),
    });
    match file {
        Ok(file) => {
            let part = wanted.map(|_| Line::keyword("crt").text(&file));
            backend.server_options.insert("ssl-crt", part);
        }
        Err(refusal) => {
            let code = &codes::INVALID_PROTECTION;
            cx.report_refusal(code, KEY, &wanted, &refusal, REFUSED);
            backend.refused.push(wanted.origin.clone());
        }
    }
}

/// The name that is asked for in the handshake.
fn server_name(backend: &mut Backend, cx: &mut Cx<'_>) {
    const KEY: &str = "secure-sni";
    let Some(tls) = backend.server_tls.take() else {
        return;
    };
    let Some(sni) = tls.sni else {
        return;
    };
    if let Some(refused) = &sni.value.refused {
        if tls.authorities.is_some() {
            // The certificate would have to be for that name.
            let code = &codes::INVALID_PROTECTION;
            cx.report_item(code, KEY, refused, &refused.value, REFUSED);
            backend.refused.push(refused.origin.clone());
        } else if sni.value.value.is_none() {
            let outcome = "no name is asked for";
            cx.report_item(&codes::INVALID_VALUE, KEY, refused, &refused.value, outcome);
        }
    }
    let Some(name) = &sni.value.value else {
        return;
    };
    let line = Line::keyword("sni");
    let line = match name {
        Sni::Client => line.and("ssl_fc_sni"),
        Sni::Host => line.and("var(txn.host)"),
        Sni::Name(name) => line.text(&format!("str({})", name.as_str())),
    };
    backend.server_options.insert("ssl-sni", sni.map(|_| line));
}

/// From 3.3 on HAProxy asks for the name in the request where no other one is asked for, and wants the
/// certificate to be for that name, whatever it shall verify.
fn no_other_name(backend: &mut Backend, cx: &Cx<'_>) {
    if !cx.haproxy_is(3, 3) {
        return;
    }
    let options = &mut backend.server_options;
    let origin = options["ssl"].origin.clone();
    let off = |keyword| Setting::new(Line::keyword(keyword), origin.clone());
    options
        .entry("ssl-sni")
        .or_insert_with(|| off("no-sni-auto"));
    if options.contains_key("check") {
        options.insert("ssl-sni-check", off("no-check-sni-auto"));
    }
}

/// The reference of a setting, if its text is one.
fn reference(setting: &Setting<Tried<Reference>>) -> Result<Setting<Reference>, Refusal> {
    match &setting.value.0 {
        Ok(it) => Ok(setting.map(|_| it.clone())),
        Err(error) => Err(Refusal::new(error.to_string())),
    }
}
