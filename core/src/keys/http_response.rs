//! Responses that HAProxy makes itself.

use crate::haproxy::{Backend, Config, Host};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::response::{Page, Response};

/// Responses that HAProxy makes itself. Each value is a response: an optional line with status and
/// reason, headers, an empty line, and the body.
pub const FAMILY: Family = Family {
    name: "http-response",
    title: "Responses of HAProxy",
    blocks: &[
        block!(Global, Pages),
        block!(Host, HostPages),
        block!(Backend, BackendPages),
    ],
};

keys! {
    Global => pub struct Pages {
        /// The response to requests that nothing matches.
        ///
        /// The first line may be a status with a reason, such as `404 Not Found`; headers follow up to
        /// the first empty line, and the rest is the body. `Content-Length` is computed. Of the pages that an
        /// Ingress, a Service or a class may have, an empty one takes the operator's back: the usual page is
        /// answered there.
        "http-response-404" => not_found: Response,
        /// The response at the root of the exporter of metrics, written like `http-response-404`.
        "http-response-prometheus-root" => prometheus_root: Response,
    }
}

keys! {
    Host => pub struct HostPages {
        /// The response to a request for another host than the one of its TLS connection, written like
        /// `http-response-404`.
        ///
        /// HAProxy answers so where client certificates are asked for, see `auth-tls-secret`.
        "http-response-421" => code_421: Page,
        /// The response to a client whose certificate is not accepted, written like
        /// `http-response-404`.
        ///
        /// See `auth-tls-secret`.
        "http-response-495" => code_495: Page,
        /// The response to a client that has no certificate, written like `http-response-404`.
        ///
        /// See `auth-tls-secret`.
        "http-response-496" => code_496: Page,
    }
}

keys! {
    Backend => pub struct BackendPages {
        /// The response where HAProxy answers 200 by itself, written like `http-response-404`.
        "http-response-200" => code_200: Page,
        /// The response to a request that is refused as wrong, written like `http-response-404`.
        ///
        /// Up to 3.2 HAProxy answers what it cannot parse before it looks for a page, with one of its own;
        /// from 3.3 on the global page counts.
        "http-response-400" => code_400: Page,
        /// The response to a request that lacks credentials, written like `http-response-404`.
        "http-response-401" => code_401: Page,
        /// The response to a request that is denied, written like `http-response-404`.
        "http-response-403" => code_403: Page,
        /// The response to a request whose method is not allowed, written like `http-response-404`.
        "http-response-405" => code_405: Page,
        /// The response to a request that lacks credentials for a proxy, written like
        /// `http-response-404`.
        "http-response-407" => code_407: Page,
        /// The response to a request whose body does not arrive in time, written like
        /// `http-response-404`.
        ///
        /// Up to 3.2 HAProxy answers headers that do not arrive in time before it looks for a page, with one
        /// of its own; from 3.3 on the global page counts.
        "http-response-408" => code_408: Page,
        /// The response to a request for what is gone, written like `http-response-404`.
        "http-response-410" => code_410: Page,
        /// The response to a request whose body is too large, written like `http-response-404`.
        "http-response-413" => code_413: Page,
        /// The response to a request that came too early, written like `http-response-404`.
        "http-response-425" => code_425: Page,
        /// The response to a client that asks too often, written like `http-response-404`.
        "http-response-429" => code_429: Page,
        /// The response to a request that fails inside HAProxy, written like `http-response-404`.
        "http-response-500" => code_500: Page,
        /// The response to a request that HAProxy cannot serve, written like `http-response-404`.
        "http-response-501" => code_501: Page,
        /// The response where a server's response cannot be understood, written like
        /// `http-response-404`.
        "http-response-502" => code_502: Page,
        /// The response to a request for which there is no server, written like
        /// `http-response-404`.
        "http-response-503" => code_503: Page,
        /// The response where a server's response does not arrive in time, written like
        /// `http-response-404`.
        "http-response-504" => code_504: Page,
    }
}

impl Pages {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        // The page at the root of the exporter has no status of its own.
        for (code, page) in [(404, &self.not_found), (0, &self.prometheus_root)] {
            if let Some(page) = page {
                config.pages.insert(code, page.clone());
            }
        }
        for (code, page) in cx.global_settings::<HostPages>().by_code() {
            if let Some(page) = written(page.as_ref()) {
                config.pages.insert(code, page);
            }
        }
        for (code, page) in cx.global_settings::<BackendPages>().by_code() {
            if let Some(page) = written(page.as_ref()) {
                config.defaults.error_files.insert(code, page);
            }
        }
    }
}

impl HostPages {
    fn apply(&self, host: &mut Host, cx: &mut Cx<'_>) {
        let global = cx.global_settings::<Self>();
        for (of_all, (code, page)) in global.by_code().into_iter().zip(self.by_code()) {
            host.pages
                .extend(own(code, page.as_ref(), of_all.1.as_ref()));
        }
    }

    fn by_code(&self) -> [(u16, &Option<Setting<Page>>); 3] {
        [
            (421, &self.code_421),
            (495, &self.code_495),
            (496, &self.code_496),
        ]
    }
}

impl BackendPages {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let global = cx.global_settings::<Self>();
        for (of_all, (code, page)) in global.by_code().into_iter().zip(self.by_code()) {
            let page = own(code, page.as_ref(), of_all.1.as_ref());
            backend.error_files.extend(page);
        }
    }

    fn by_code(&self) -> [(u16, &Option<Setting<Page>>); 16] {
        [
            (200, &self.code_200),
            (400, &self.code_400),
            (401, &self.code_401),
            (403, &self.code_403),
            (405, &self.code_405),
            (407, &self.code_407),
            (408, &self.code_408),
            (410, &self.code_410),
            (413, &self.code_413),
            (425, &self.code_425),
            (429, &self.code_429),
            (500, &self.code_500),
            (501, &self.code_501),
            (502, &self.code_502),
            (503, &self.code_503),
            (504, &self.code_504),
        ]
    }
}

/// A page that somebody wrote, if it is not the usual one.
fn written(page: Option<&Setting<Page>>) -> Option<Setting<Response>> {
    let page = page?;
    let response = page.value.0.clone()?;
    Some(page.map(|_| response))
}

/// The page that an object writes: the usual one is worth a word only where the operator has another one.
fn own(
    code: u16,
    page: Option<&Setting<Page>>,
    of_all: Option<&Setting<Page>>,
) -> Option<(u16, Setting<Page>)> {
    let page = page.filter(|it| it.is_local)?;
    let is_usual = page.value.0.is_none() && of_all.is_none_or(|it| it.value.0.is_none());
    (!is_usual).then(|| (code, page.clone()))
}
