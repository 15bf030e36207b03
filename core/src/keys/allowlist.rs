//! Who may come, by address.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Mode, Path, Phase, Rule};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::origin::Origin;
use crate::value::header::HeaderName;
use crate::value::network::{Network, SourceRanges};
use crate::value::text::Line;
use crate::value::tried::Tried;

/// Who may come, by address.
pub const FAMILY: Family = Family {
    name: "allowlist",
    title: "Allow and deny lists",
    blocks: &[block!(Path, Lists)],
};

keys! {
    Path => pub struct Lists {
        /// The header that holds the client's address, for the lists of these paths alone.
        ///
        /// Its last value counts. A request without the header is judged by the address of its
        /// connection, and one whose header holds no address is answered 403. The header is taken as
        /// it comes, so something in front of HAProxy has to set it. With a name that is none everybody is
        /// denied, and so it is with the header on connections that nobody looks into.
        "allowlist-source-header" => header: Tried<HeaderName>,
        /// Addresses and networks that may come; all others are answered 403.
        ///
        /// An exception, with `!` in front, is denied although a network around it is allowed. With
        /// nothing but exceptions, all others may come. An item that cannot be read is reported: where
        /// an exception is lost, or nothing is left, everybody is denied.
        "allowlist-source-range" | "whitelist-source-range" => allow: SourceRanges,
        /// Addresses and networks that are answered 403.
        ///
        /// An exception, with `!` in front, may come although a network around it is denied. With
        /// nothing but exceptions, all others are denied. An item that cannot be read is reported, and
        /// everybody is denied.
        "denylist-source-range" => deny: SourceRanges,
    }
}

/// What happens where nobody can tell who may come.
const NOBODY: &str = "everybody is denied, so that nobody is admitted who should not be";

/// The rules of one path while they are made.
struct Access<'a, 'b> {
    path: u32,
    backend: &'a mut Backend,
    cx: &'a mut Cx<'b>,
    /// What is compared, such as `src`.
    source: Line,
    header: Option<Setting<HeaderName>>,
}

impl Lists {
    fn apply(&self, path: &mut Path, backend: &mut Backend, cx: &mut Cx<'_>) {
        if self.allow.is_none() && self.deny.is_none() {
            if let Some(header) = self.header.as_ref().filter(|it| it.is_local) {
                cx.report(
                    &codes::NO_EFFECT,
                    &header.origin,
                    "`allowlist-source-header` stands alone, without a list that reads the address",
                    "it has no effect",
                );
            }
            return;
        }
        let header = match self.header.as_ref().map(|it| header(it, backend.mode, cx)) {
            None => None,
            Some(Ok(header)) => Some(header),
            Some(Err(origin)) => {
                let deny = Rule::new(Phase::Access, Line::keyword(backend.mode.denial()));
                backend.add(path.number, deny, origin);
                return;
            }
        };
        let source = match &header {
            Some(_) => Line::keyword("var(txn.list_source) -m ip"),
            None => Line::keyword("src"),
        };
        let mut access = Access {
            path: path.number,
            backend,
            cx,
            source,
            header,
        };
        access.remember_source();
        if let Some(allow) = &self.allow {
            access.allow(allow);
        }
        if let Some(deny) = &self.deny {
            access.deny(deny);
        }
    }
}

/// The header that holds the address; where none can, who asked for it, which is reported.
fn header<'a>(
    wanted: &'a Setting<Tried<HeaderName>>,
    mode: Mode,
    cx: &mut Cx<'_>,
) -> Result<Setting<HeaderName>, &'a Origin> {
    const KEY: &str = "allowlist-source-header";
    match (&wanted.value.0, mode) {
        (Ok(name), Mode::Http) => Ok(wanted.map(|_| name.clone())),
        (Ok(_), Mode::Tcp) => {
            cx.report(
                &codes::UNSUPPORTED_PROTECTION,
                &wanted.origin,
                format!("`{KEY}`: connections that nobody looks into have no headers"),
                NOBODY,
            );
            Err(&wanted.origin)
        }
        (Err(error), _) => {
            cx.report_item(&codes::INVALID_PROTECTION, KEY, wanted, error, NOBODY);
            Err(&wanted.origin)
        }
    }
}

impl Access<'_, '_> {
    /// Rules for an allow list: exceptions first, then everybody who is not listed.
    fn allow(&mut self, list: &Setting<SourceRanges>) {
        const KEY: &str = "allowlist-source-range";
        let SourceRanges { listed, exceptions } = &list.value;
        // Where an exception is lost, somebody would be admitted who should not be.
        let nobody = !exceptions.refused.is_empty()
            || (listed.good.is_empty() && !listed.refused.is_empty());
        if nobody {
            for error in exceptions.refused.iter().chain(&listed.refused) {
                self.report_protection(KEY, list, error);
            }
            self.add(&list.origin, None);
            return;
        }
        self.cx.report_items(KEY, list, &listed.refused);
        if !exceptions.good.is_empty() {
            let is_exception = self.test("allow-except", &list.origin, &exceptions.good);
            self.add(&list.origin, Some(&[(false, &is_exception)]));
        }
        if !listed.good.is_empty() {
            let is_listed = self.test("allow", &list.origin, &listed.good);
            self.add(&list.origin, Some(&[(true, &is_listed)]));
        }
    }

    /// Rules for a deny list: everybody who is listed, unless excepted.
    fn deny(&mut self, list: &Setting<SourceRanges>) {
        const KEY: &str = "denylist-source-range";
        let SourceRanges { listed, exceptions } = &list.value;
        if !listed.refused.is_empty() || (listed.good.is_empty() && exceptions.good.is_empty()) {
            for error in listed.refused.iter().chain(&exceptions.refused) {
                self.report_protection(KEY, list, error);
            }
            self.add(&list.origin, None);
            return;
        }
        // Without an exception more are denied than should be, which is on the safe side.
        self.cx.report_items(KEY, list, &exceptions.refused);
        let mut tests = Vec::new();
        if !listed.good.is_empty() {
            tests.push((false, self.test("deny", &list.origin, &listed.good)));
        }
        if !exceptions.good.is_empty() {
            tests.push((
                true,
                self.test("deny-except", &list.origin, &exceptions.good),
            ));
        }
        let tests: Vec<_> = tests.iter().map(|it| (it.0, &it.1)).collect();
        self.add(&list.origin, Some(&tests));
    }

    /// Remembers the address that the lists of this path compare, if a header holds it.
    fn remember_source(&mut self) {
        let Some(header) = self.header.clone() else {
            return;
        };
        for line in [
            Line::keyword("http-request set-var(txn.list_source) src"),
            Line::keyword("http-request set-var(txn.list_source)")
                .text(&format!("req.hdr_ip({},-1)", header.value)),
        ] {
            self.backend
                .add(self.path, Rule::new(Phase::Source, line), &header.origin);
        }
        // Something that is no address is nobody's: it must not pass for the connection's.
        let name = &header.value;
        let test = Line::default()
            .and("{")
            .text(&format!("req.fhdr({name},-1)"))
            .and("-m found } !{")
            .text(&format!("req.hdr_ip({name},-1)"))
            .and("-m found }");
        let rule = Rule::new(Phase::Access, Line::keyword("http-request deny")).when(test);
        self.backend.add(self.path, rule, &header.origin);
    }

    /// A test of the address against a list, without braces.
    fn test(&mut self, purpose: &str, origin: &Origin, networks: &[Network]) -> Line {
        let patterns = self.cx.patterns(purpose, origin, networks);
        self.source.clone().line(&patterns)
    }

    /// Denies those for whom all tests hold, each of which may be negated; everybody without tests.
    fn add(&mut self, origin: &Origin, tests: Option<&[(bool, &Line)]>) {
        let mut rule = Rule::new(Phase::Access, Line::keyword(self.backend.mode.denial()));
        for (is_negated, test) in tests.unwrap_or_default() {
            let open = if *is_negated { "!{" } else { "{" };
            rule = rule.when(Line::keyword(open).line(test).and("}"));
        }
        self.backend.add(self.path, rule, origin);
    }

    fn report_protection(
        &mut self,
        key: &str,
        list: &Setting<SourceRanges>,
        error: &crate::value::ValueError,
    ) {
        self.cx
            .report_item(&codes::INVALID_PROTECTION, key, list, error, NOBODY);
    }
}
