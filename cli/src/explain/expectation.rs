//! What has to come of a request.

use std::fmt;

use haproxy_ingress_core::explain::{Decision, End};

/// Something that is expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Expectation {
    what: What,
    value: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum What {
    Backend,
    Status,
    Redirect,
    Path,
}

/// Whether what is expected is so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Verdict {
    pub(super) name: &'static str,
    pub(super) expected: String,
    /// What is so; absent where there is nothing of the kind.
    pub(super) found: Option<String>,
    pub(super) is_met: bool,
    /// What comes of the request, in words.
    end: String,
}

impl Expectation {
    /// Reads `backend=NAME` and the like.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        let wrong = || {
            let expected = "expected `backend=NAME`, `status=CODE`, `redirect=URL` or `path=PATH`";
            anyhow::anyhow!("--expect: {expected}, found `{text}`")
        };
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        let what = match name {
            "backend" => What::Backend,
            "status" => What::Status,
            "redirect" | "location" => What::Redirect,
            "path" => What::Path,
            _ => return Err(wrong()),
        };
        if what == What::Status && value.parse::<u16>().is_err() {
            anyhow::bail!("--expect: expected `status=` and a number, found `{value}`");
        }
        Ok(Self {
            what,
            value: value.into(),
        })
    }

    /// Holds it against what comes of a request.
    pub(super) fn judge(&self, decision: &Decision) -> Verdict {
        let end = &decision.end;
        let (name, found) = match self.what {
            What::Backend => ("backend", end.backend().map(str::to_owned)),
            What::Status => ("status", status(end).map(|it| it.to_string())),
            What::Redirect => ("redirect", end.location().map(str::to_owned)),
            What::Path => ("path", decision.path.clone()),
        };
        let is_met = found.as_ref().is_some_and(|found| match self.what {
            What::Backend => is_backend(found, &self.value),
            _ => *found == self.value,
        });
        Verdict {
            name,
            expected: self.value.clone(),
            found,
            is_met,
            end: summary(end),
        }
    }
}

/// The status that a client gets where every server answers 200; where there is none, HAProxy says so.
pub(crate) fn status(end: &End) -> Option<u16> {
    match end {
        End::Backend { servers, .. } => Some(if servers.is_empty() { 503 } else { 200 }),
        other => other.status(),
    }
}

/// Whether a backend is meant by its name or by its Service.
pub(crate) fn is_backend(name: &str, meant: &str) -> bool {
    let of_service = || {
        let (namespace, service) = meant.split_once('/')?;
        // No part of a backend's name holds `_`.
        name.strip_prefix(namespace)?
            .strip_prefix('_')?
            .strip_prefix(service)?
            .strip_prefix('_')
    };
    name == meant || of_service().is_some()
}

/// What comes of a request, in a few words.
fn summary(end: &End) -> String {
    match end {
        End::Backend { name, .. } => format!("a server of `{name}` answers"),
        End::Passthrough { name, .. } => format!("the connection goes to `{name}`"),
        End::Redirect { status, location } => format!("{status} to `{location}`"),
        End::Status { status } => format!("HAProxy answers {status}"),
        End::Closed => "the connection is closed".into(),
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} `{}`, found ", self.name, self.expected)?;
        match &self.found {
            Some(found) => write!(f, "`{found}`"),
            None => f.write_str("none"),
        }?;
        write!(f, ": {}", self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_meant_by_its_name_or_its_service() {
        for meant in ["shop_web_8080", "shop/web"] {
            assert!(is_backend("shop_web_8080", meant), "{meant}");
        }
        for meant in ["shop", "shop/we", "shop/web_8080", "other/web", ""] {
            assert!(!is_backend("shop_web_8080", meant), "{meant}");
        }
    }

    #[test]
    fn an_expectation_says_what_it_can_be() {
        for text in ["backend", "stat=1", "status=ok", ""] {
            let error = Expectation::read(text).expect_err("it is none");
            assert!(error.to_string().contains("expected `"), "{error}");
        }
    }
}
