//! Redirects that a frontend makes itself.

use crate::assemble::routing::{NOT_FOUND_YET, Rules, unless_begins};
use crate::haproxy::Path;
use crate::origin::Origin;
use crate::value::text::{Format, Line};

impl<'c> Rules<'c, '_> {
    /// Redirects that belong to a host or a path, and not to a backend.
    pub(super) fn redirects(&mut self) {
        let found = self.maps.found;
        let frontend = &self.config.frontends[self.place];
        let exempt = self.exempt();
        if found.redirect_to {
            let mut line = Line::keyword("http-request redirect location")
                .format(&Format::expression("var(txn.route),field(5,/,0)"));
            if let Some(code) = &frontend.redirect_to_code {
                line = line.and("code").number(code.value.get());
            }
            line = line.and("if { var(txn.route),field(3,/) -m sub t }");
            let code = frontend.redirect_to_code.as_ref().map(|it| &it.origin);
            let authors = code.into_iter().chain(self.exempt_by());
            self.push_by(also(line, exempt.as_ref()), authors);
        }
        if self.maps.has("redir_fromroot", "exact") {
            let root = self.map("map_str", "redir_fromroot", "exact");
            self.app_root("var(txn.host)", None, &root);
            if found.wildcard {
                self.app_root("var(req.wildcard)", None, &root);
            }
            if found.alias_pattern {
                self.app_root("var(req.alias)", None, &root);
            }
            if found.default_root {
                let unnamed = Some("{ var(req.unnamed) -m found }");
                self.app_root("str(<default>)", unnamed, &root);
            }
        }
    }

    /// A redirect of what nothing matches.
    pub(super) fn redirect_fallback(&mut self, path: &Path) {
        let Some(to) = &path.redirect_to else {
            return;
        };
        let frontend = &self.config.frontends[self.place];
        let mut line = Line::keyword("http-request redirect location")
            .format(&Format::literal(to.value.as_str()));
        if let Some(code) = &frontend.redirect_to_code {
            line = line.and("code").number(code.value.get());
        }
        line = line.and("if").and(NOT_FOUND_YET);
        let code = frontend.redirect_to_code.as_ref().map(|it| &it.origin);
        let authors = std::iter::once(&to.origin)
            .chain(code)
            .chain(self.exempt_by());
        self.push_by(also(line, self.exempt().as_ref()), authors);
    }

    /// Requests for the root of a host.
    fn app_root(&mut self, host: &str, condition: Option<&str>, root: &str) {
        let frontend = &self.config.frontends[self.place];
        let found = format!("{{ {host},{root} -m found }}");
        let mut line = Line::keyword("http-request redirect location")
            .format(&Format::expression(&format!("{host},{root}")))
            .and("if { path / }")
            .and(condition.unwrap_or(&found));
        if !self.maps.found.ssl_redirect {
            self.push(line);
            return;
        }
        // Requests that TLS is wanted for go there first.
        if let Some(by) = &frontend.follows_forwarded_proto {
            let by = by.clone();
            let over_tls = line.clone().and("{ req.hdr(x-forwarded-proto) -i https }");
            self.push_by(over_tls, Some(&by));
        }
        line = line.and("!{ var(txn.route),field(3,/) -m sub s }");
        self.push(line);
    }

    /// The paths that redirects of hosts and paths leave alone, as a condition.
    fn exempt(&self) -> Option<Line> {
        let exempt = self.config.redirects.exempt.as_ref()?;
        (!exempt.value.is_empty()).then(|| unless_begins(&exempt.value))
    }

    /// Who wants these paths left alone.
    fn exempt_by(&self) -> Option<&'c Origin> {
        let exempt = self.config.redirects.exempt.as_ref()?;
        (!exempt.value.is_empty()).then_some(&exempt.origin)
    }

    /// Hosts that are redirected to others, unless a host that has a name serves the request.
    pub(super) fn redirect_from(&mut self) {
        let frontend = &self.config.frontends[self.place];
        let exempt = self.exempt();
        for (method, kind) in [("map_str", "exact"), ("map_reg", "regex")] {
            if !self.maps.has("redir_from", kind) {
                continue;
            }
            let from = self.map(method, "redir_from", kind);
            let mut names = vec!["var(txn.host)".to_owned()];
            if kind == "exact" {
                // `*.domain` may be redirected, too, though no host has that name.
                names.push("var(txn.host),regsub(^[^.]+,*)".into());
            }
            for name in names {
                let mut line = Line::keyword("http-request redirect prefix")
                    .format(&Format::literal("//").and_expression(&format!("{name},{from}")));
                if let Some(code) = &frontend.redirect_from_code {
                    line = line.and("code").number(code.value.get());
                }
                line = line.and(&format!("if {NOT_FOUND_YET} {{ {name},{from} -m found }}"));
                let code = frontend.redirect_from_code.as_ref().map(|it| &it.origin);
                let authors = code.into_iter().chain(self.exempt_by());
                self.push_by(also(line, exempt.as_ref()), authors);
            }
        }
    }
}

/// A further condition, if there is one.
fn also(line: Line, condition: Option<&Line>) -> Line {
    match condition {
        Some(condition) => line.line(condition),
        None => line,
    }
}
