//! Redirects that frontends make.

use std::cmp::Reverse;

use crate::assemble::{is_in, ssl_redirect};
use crate::explain::find::{Hit, Names, display};
use crate::explain::{End, Stage, Step, Walk, expression};
use crate::haproxy::{Frontend, FrontendKind, Host, HostKey};
use crate::origin::{Origin, Setting};
use crate::value::location::{Location, RedirectCode};

impl<'a> Walk<'a> {
    /// The redirect of a path.
    pub(super) fn redirect(&mut self, frontend: &Frontend, hit: Option<&Hit<'a>>) -> Option<End> {
        let to = hit?.path.redirect_to.as_ref()?;
        let asked = "Is its path redirected?";
        if let Some(by) = self.exempt() {
            let outcome = format!(
                "no: `{}` begins as paths that are left alone",
                self.message.path
            );
            self.decision
                .steps
                .push(Step::new(Stage::Redirect, asked, outcome).by([&by]));
            return None;
        }
        let (status, by) = status(frontend.redirect_to_code.as_ref());
        let outcome = format!("yes, with {status} to `{}`", to.value);
        let step = Step::new(Stage::Redirect, asked, outcome);
        self.decision
            .steps
            .push(step.by(std::iter::once(&to.origin).chain(by)).end());
        Some(End::Redirect {
            status,
            location: to.value.to_string(),
        })
    }

    /// A host that is redirected to another one.
    pub(super) fn redirect_from(&mut self, frontend: &'a Frontend, host: &str) -> Option<End> {
        let hosts = self.config.hosts.values();
        let hosts = hosts.filter(|it| is_in(it, frontend) && !it.paths.is_empty());
        let hosts: Vec<&'a Host> = hosts.collect();
        if hosts
            .iter()
            .all(|it| it.redirect_from.is_empty() && it.redirect_from_patterns.is_empty())
            || self.exempt().is_some()
        {
            return None;
        }
        let wildcard = host.find('.').map(|it| format!("*{}", &host[it..]));
        let named = [Some(host.to_owned()), wildcard]
            .into_iter()
            .flatten()
            .find_map(|name| {
                hosts.iter().find_map(|it| {
                    let from = it
                        .redirect_from
                        .iter()
                        .find(|it| it.value.as_str() == name)?;
                    Some((*it, &from.origin))
                })
            });
        let mut patterns: Vec<_> = hosts
            .iter()
            .flat_map(|host| {
                host.redirect_from_patterns
                    .iter()
                    .map(move |it| (*host, it))
            })
            .collect();
        patterns.sort_by_key(|it| (Reverse(it.1.value.as_str().len()), it.1.value.shared()));
        let by_pattern = || {
            let mut patterns = patterns.iter();
            let found =
                patterns.find(|it| expression::matches(it.1.value.as_str(), host) == Some(true));
            found.map(|it| (it.0, &it.1.origin))
        };
        let (to, from) = named.or_else(by_pattern)?;
        let (status, by) = status(frontend.redirect_from_code.as_ref());
        let name = if to.name.is_empty() {
            "<default>"
        } else {
            &to.name
        };
        let location = format!("//{name}{}", self.message.target());
        let asked = format!("Is `{host}` redirected to another host?");
        let outcome = format!("yes, with {status} to `{}`", display(to));
        let step = Step::new(Stage::Redirect, asked, outcome);
        self.decision
            .steps
            .push(step.by(std::iter::once(from).chain(by)).end());
        Some(End::Redirect { status, location })
    }

    /// Sends a request for the root of a host elsewhere, if the host wants it.
    pub(super) fn redirect_root(
        &mut self,
        frontend: &Frontend,
        names: &Names<'a>,
        hit: Option<&Hit<'a>>,
    ) -> Option<End> {
        let root = self.app_root(frontend, names, hit)?;
        let asked = "Is the root of the host elsewhere?";
        let outcome = format!("yes, with 302 to `{}`", root.value);
        let step = Step::new(Stage::Redirect, asked, outcome).by([&root.origin]);
        self.decision.steps.push(step.end());
        Some(End::Redirect {
            status: 302,
            location: root.value.to_string(),
        })
    }

    /// Where requests for the root of the host are sent, if this is one.
    fn app_root(
        &self,
        frontend: &Frontend,
        names: &Names<'a>,
        hit: Option<&Hit<'a>>,
    ) -> Option<&'a Setting<Location>> {
        if self.message.path != "/" {
            return None;
        }
        // What is sent to TLS goes there first.
        if hit.is_some_and(|it| self.wants_tls(it, frontend).is_some())
            && !self.came_over_tls(frontend)
        {
            return None;
        }
        let by_name = |name: &str| {
            let hosts = self.config.hosts.values();
            let mut hosts = hosts.filter(|it| is_in(it, frontend) && !it.paths.is_empty());
            hosts.find_map(|it| {
                let root = it.app_root.as_ref()?;
                let mut aliases = it.aliases.iter();
                let is_it = *it.name == *name || aliases.any(|it| it.value.as_str() == name);
                (is_it && !name.is_empty()).then_some(root)
            })
        };
        let unnamed = || {
            let key = HostKey::new(frontend.group, &Host::ANY.into());
            let any = self.config.hosts.get(&key).filter(|it| is_in(it, frontend));
            any.filter(|it| !it.paths.is_empty())?.app_root.as_ref()
        };
        let of_name = self.host().as_deref().and_then(by_name);
        let of_wildcard = || names.wildcard.as_deref().and_then(by_name);
        let of_pattern = || match names.by_pattern {
            Some(host) if host.name.is_empty() => unnamed(),
            Some(host) => by_name(&host.name),
            None => None,
        };
        let of_any = || names.is_unnamed.then(unnamed).flatten();
        of_name
            .or_else(of_wildcard)
            .or_else(of_pattern)
            .or_else(of_any)
    }

    /// Who wants plain requests of a path to be sent to TLS, if they can be.
    pub(super) fn wants_tls<'h>(&self, hit: &Hit<'h>, frontend: &Frontend) -> Option<&'h Origin> {
        ssl_redirect(hit.path, hit.host?, frontend, self.config)
    }

    /// Whether a proxy in front says that the request came to it over TLS.
    pub(super) fn came_over_tls(&self, frontend: &Frontend) -> bool {
        let values = || self.message.whole("x-forwarded-proto");
        frontend.follows_forwarded_proto.is_some()
            && values()
                .iter()
                .flat_map(|it| it.split(','))
                .any(|it| it.trim().eq_ignore_ascii_case("https"))
    }

    /// Sends a plain request to TLS, if it is wanted.
    pub(super) fn redirect_to_tls(
        &mut self,
        frontend: &Frontend,
        hit: Option<&Hit<'a>>,
    ) -> Option<End> {
        let hit = hit?;
        let asked = "Is it sent to TLS?";
        let passed_on = hit.path.is_passed_on;
        let wanted = self.wants_tls(hit, frontend);
        let redirects = &self.config.redirects;
        let path = &self.message.path;
        let exempt = redirects.ssl_exempt.as_ref();
        let exempt = exempt.filter(|it| it.value.iter().any(|it| path.starts_with(&**it)));
        let code = redirects.ssl_code.as_ref();
        let (status, by) = status(code);
        if let Some(by_path) = wanted.filter(|_| frontend.kind == FrontendKind::Http) {
            if let Some(exempt) = exempt {
                let outcome = format!("no: `{path}` begins as paths that are left alone");
                let step = Step::new(Stage::Redirect, asked, outcome).by([&exempt.origin]);
                self.decision.steps.push(step);
            } else if self.came_over_tls(frontend) {
                let outcome = "no: the proxy in front says that it came over TLS";
                let by = frontend.follows_forwarded_proto.iter();
                self.decision
                    .steps
                    .push(Step::new(Stage::Redirect, asked, outcome).by(by));
            } else {
                let location = self.tls_location(frontend);
                let outcome = format!("yes, with {status} to `{location}`");
                let tls = hit.host.and_then(|it| it.tls.as_ref()).map(|it| &it.origin);
                let step = Step::new(Stage::Redirect, asked, outcome);
                let step = step.by(std::iter::once(by_path).chain(tls).chain(by));
                self.decision.steps.push(step.end());
                return Some(End::Redirect { status, location });
            }
        }
        if !passed_on {
            return None;
        }
        // HAProxy's own `redirect scheme` keeps the host as the client wrote it.
        let host = self.message.whole("host").pop().unwrap_or_default();
        let location = format!("https://{host}{}", self.message.target());
        let outcome =
            format!("yes, with {status} to `{location}`: its servers speak TLS themselves");
        let step = Step::new(Stage::Redirect, asked, outcome);
        self.decision
            .steps
            .push(step.by(std::iter::once(&hit.path.origin).chain(by)).end());
        Some(End::Redirect { status, location })
    }

    /// Where a plain request is sent to TLS.
    fn tls_location(&self, frontend: &Frontend) -> String {
        let host = self.message.whole("host").pop().unwrap_or_default();
        let target = self.message.target();
        match &frontend.tls_port {
            Some(port) if host.ends_with(&format!(":{}", frontend.port.value)) => {
                let name = self.host().unwrap_or_default();
                format!("https://{name}:{}{target}", port.value)
            }
            _ => format!("https://{host}{target}"),
        }
    }

    /// Who wants redirects of hosts and paths to leave the path of the request alone, if it is one.
    fn exempt(&self) -> Option<Origin> {
        let exempt = self.config.redirects.exempt.as_ref()?;
        let mut paths = exempt.value.iter();
        let is_it = paths.any(|it| self.message.path.starts_with(&**it));
        is_it.then(|| exempt.origin.clone())
    }
}

/// The status of a redirect and who wants it; HAProxy's own is 302.
fn status(code: Option<&Setting<RedirectCode>>) -> (u16, Option<&Origin>) {
    match code {
        Some(code) => (code.value.get(), Some(&code.origin)),
        None => (302, None),
    }
}
