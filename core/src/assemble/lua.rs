//! The script that answers where no backend is.

use std::fmt::Write as _;

use crate::haproxy::{Config, DataFile, Role};
use crate::origin::Origin;
use crate::value::response::Response;

/// Where the script lies.
pub(crate) const PATH: &str = "/etc/haproxy/lua/responses.lua";

/// A page that the script answers with.
struct Page {
    /// The service's name, behind `lua.`.
    service: &'static str,
    /// The status whose page an operator may replace.
    code: u16,
    reason: &'static str,
    body: &'static str,
}

/// Pages about certificates of clients, of which hosts may have their own.
const CLIENT_PAGES: [Page; 3] = [
    Page {
        service: "send-421",
        code: 421,
        reason: "Misdirected Request",
        body: "<html><body><h1>421 Misdirected Request</h1>\nThe request was made for another host than the connection.\n</body></html>\n",
    },
    Page {
        service: "send-495",
        code: 495,
        reason: "SSL Certificate Error",
        body: "<html><body><h1>495 SSL Certificate Error</h1>\nAn invalid certificate has been provided.\n</body></html>\n",
    },
    Page {
        service: "send-496",
        code: 496,
        reason: "SSL Certificate Required",
        body: "<html><body><h1>496 SSL Certificate Required</h1>\nA client certificate must be provided.\n</body></html>\n",
    },
];

const PAGES: [Page; 2] = [
    Page {
        service: "send-404",
        code: 404,
        reason: "Not Found",
        body: "<html><body><h1>404 Not Found</h1>\nThe requested URL was not found.\n</body></html>\n",
    },
    Page {
        service: "send-prometheus-root",
        // No status: the key `http-response-prometheus-root` has a place of its own.
        code: 0,
        reason: "OK",
        body: "<html><body><h1>HAProxy</h1>\n<a href=\"/metrics\">Metrics</a>\n</body></html>\n",
    },
];

/// Adds the script with the operator's pages, or the built-in ones.
pub(super) fn add(config: &mut Config) {
    let mut script = String::from("-- Pages for requests that no backend answers.\n");
    let mut origins = vec![Origin::Engine("pages for requests that no backend answers")];
    for page in &PAGES {
        let built_in = page.built_in();
        let own = config.pages.get(&page.code);
        origins.extend(own.map(|it| it.origin.clone()));
        let code = if page.code == 0 { 200 } else { page.code };
        service(
            &mut script,
            page.service,
            code,
            page.reason,
            own.map_or(&built_in, |it| &it.value),
        );
    }
    if config
        .frontends
        .iter()
        .any(|it| !it.client_refusals.is_empty())
    {
        for page in &CLIENT_PAGES {
            let own = config.pages.get(&page.code);
            let variants = config.page_variants.iter().map(|it| it.get(&page.code));
            origins.extend(own.map(|it| it.origin.clone()));
            origins.extend(variants.clone().flatten().map(|it| it.origin.clone()));
            let built_in = page.built_in();
            let default = own.map_or(&built_in, |it| &it.value);
            let variants = (1..).zip(variants);
            let variants = variants.filter_map(|(number, it)| {
                let page = it?.value.0.as_ref();
                Some((number, page.unwrap_or(&built_in)))
            });
            service_of_hosts(&mut script, page, default, variants);
        }
    }
    config
        .files
        .push(DataFile::whole(PATH, Role::Lua, script, &origins));
}

impl Page {
    fn built_in(&self) -> Response {
        Response::html(self.body)
    }
}

/// A service that sends the response of a host, by the number in `txn.tls_pages`, or the usual one.
fn service_of_hosts<'a>(
    script: &mut String,
    page: &Page,
    default: &Response,
    variants: impl Iterator<Item = (u32, &'a Response)>,
) {
    let table = format!("pages_{}", page.code);
    let _ = writeln!(script, "\nlocal {table} = {{}}");
    let variants = variants.map(|(number, it)| (number.to_string(), it));
    for (number, response) in std::iter::once((String::new(), default)).chain(variants) {
        let (code, reason) = status(response, page.code, page.reason);
        let _ = write!(
            script,
            "{table}[{}] = {{ code = {code}, reason = {}, headers = {{",
            quoted(&number),
            quoted(reason)
        );
        for (name, value) in &response.headers {
            let _ = write!(script, " {{ {}, {} }},", quoted(name), quoted(value));
        }
        let _ = writeln!(script, " }}, body = {} }}", quoted(&response.body));
    }
    let _ = write!(
        script,
        "core.register_service({}, \"http\", function(applet)\n    local page = \
         {table}[applet:get_var(\"txn.tls_pages\") or \"\"] or {table}[\"\"]\n",
        quoted(page.service)
    );
    script.push_str(
        "    applet:set_status(page.code, page.reason)\n    \
         for _, header in ipairs(page.headers) do\n        \
         applet:add_header(header[1], header[2])\n    end\n    \
         applet:add_header(\"content-length\", string.len(page.body))\n    \
         applet:start_response()\n    \
         if applet.method ~= \"HEAD\" then\n        applet:send(page.body)\n    end\nend)\n",
    );
}

/// The status of a response and its reason, which may be left to us.
fn status<'a>(response: &'a Response, code: u16, reason: &'a str) -> (u16, &'a str) {
    match &response.status {
        Some((code, own)) if own.is_empty() => (*code, reason),
        Some((code, own)) => (*code, &**own),
        None => (code, reason),
    }
}

/// A service of HAProxy's Lua (`core.register_service`) that sends a response.
fn service(script: &mut String, name: &str, code: u16, reason: &str, response: &Response) {
    let (code, reason) = status(response, code, reason);
    // Writing to a `String` cannot fail.
    let _ = write!(
        script,
        "\ncore.register_service({}, \"http\", function(applet)\n    local body = {}\n    \
         applet:set_status({code}, {})\n",
        quoted(name),
        quoted(&response.body),
        quoted(reason),
    );
    for (name, value) in &response.headers {
        let _ = writeln!(
            script,
            "    applet:add_header({}, {})",
            quoted(name),
            quoted(value)
        );
    }
    script.push_str(
        "    applet:add_header(\"content-length\", string.len(body))\n    \
         applet:start_response()\n    \
         if applet.method ~= \"HEAD\" then\n        applet:send(body)\n    end\nend)\n",
    );
}

/// A text as a string of Lua (reference manual, section 3.1): every byte that is not plain is written
/// as `\ddd`, so that no text can end the string.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for byte in text.bytes() {
        match byte {
            b'\n' => quoted.push_str("\\n"),
            b'"' | b'\\' | 0..=31 | 127.. => {
                let _ = write!(quoted, "\\{byte:03}");
            }
            _ => quoted.push(char::from(byte)),
        }
    }
    quoted.push('"');
    quoted
}
