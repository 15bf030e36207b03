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
        let built_in = Response {
            status: None,
            headers: vec![
                ("content-type".into(), "text/html".into()),
                ("cache-control".into(), "no-cache".into()),
            ],
            body: page.body.into(),
        };
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
    config
        .files
        .push(DataFile::whole(PATH, Role::Lua, script, &origins));
}

/// A service of HAProxy's Lua (`core.register_service`) that sends a response.
fn service(script: &mut String, name: &str, code: u16, reason: &str, response: &Response) {
    let (code, reason) = match &response.status {
        Some((code, own)) if own.is_empty() => (*code, reason),
        Some((code, own)) => (*code, &**own),
        None => (code, reason),
    };
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
