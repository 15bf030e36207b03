//! Judges what came out: a value may show only in the directives of its key, and a tenant only in what
//! serves that tenant.
//!
//! - A line that a key made does what lines of this key do with harmless values, in the same kind of
//!   section. Its conditions begin and end as ours do; in what a tenant wrote, log-format expressions are
//!   ones that a tenant may use, and nothing is an address of this machine or a file.
//! - A line that no key made has only words that are there with harmless values.
//! - Maps, lists, lists of certificates, certificates, responses and scripts are what HAProxy reads line by
//!   line as we mean it, and what is in their strings stays there.
//! - A section of a tenant has lines of that tenant, of the operator and of the engine only. So do the
//!   entries of maps and lists of certificates for the names of a tenant.
//! - Snippets of an operator are configuration: they begin no section.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::BuildHasher as _;

use haproxy_ingress_core::bundle::{Bundle, File, Role};
use haproxy_ingress_core::haproxy::{END, END_ORIGIN};
use haproxy_ingress_core::keys::Key;
use haproxy_ingress_core::origin::Origin;

use crate::learned::{Learned, expressions, fetch_of, is_verbatim, kind, place, without_strings};
use crate::lexer;
use crate::reader::{self, Entry, without_numbers};
use crate::world::QUIET;

/// What a value did that it must not do.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) what: String,
    pub(crate) line: String,
    pub(crate) origins: Vec<Origin>,
    /// The tenant whose doing it is, if it is one's.
    pub(crate) tenant: Option<String>,
}

/// Judges bundles, and remembers lines that it has seen.
pub(crate) struct Judge<'l> {
    learned: &'l Learned,
    hasher: std::hash::RandomState,
    seen: HashSet<u64>,
    /// The header that was met last, with its kind.
    section: (String, String),
    /// Whether only the operator writes what nobody planned for.
    is_operators: bool,
    /// How many lines of each kind of file it judged that somebody wrote, and not the engine alone.
    pub(crate) lines: BTreeMap<Role, u64>,
}

/// Fetches that tell a tenant what is none of his business.
const FORBIDDEN: &[&str] = &[
    "env(", "lua.", "var(", "map", "file(", "table_", "sc_", "sc0_", "srv_", "be_", "fe_",
    "hostname", "pid", "nbproc", "proc.",
];

/// Words behind which a log-format stands.
const FORMATS: &[&str] = &[
    "add-header",
    "lf-string",
    "location",
    "log-format",
    "prefix",
    "set-header",
    "set-path",
    "set-query",
    "set-uri",
    "set-var-fmt",
    "unique-id-format",
    "use_backend",
];

impl<'l> Judge<'l> {
    pub(crate) fn new(learned: &'l Learned, is_operators: bool) -> Self {
        Self {
            is_operators,
            learned,
            hasher: std::hash::RandomState::new(),
            seen: HashSet::new(),
            section: Default::default(),
            lines: BTreeMap::new(),
        }
    }

    /// What is wrong with a bundle.
    pub(crate) fn bundle(&mut self, bundle: &Bundle) -> Vec<Violation> {
        let mut found = Vec::new();
        for file in &bundle.files {
            if let Err(what) = whole(file, self.learned) {
                found.push(Violation {
                    what: format!("{}: {what}", file.path),
                    line: String::new(),
                    origins: file.source_map.line(1).to_vec(),
                    tenant: reader::tenant_in(&file.path).map(str::to_owned),
                });
            }
        }
        reader::each(bundle, |entry| {
            if let Err(what) = self.entry(entry, bundle) {
                let tenant = entry.origins.iter().find_map(reader::tenant);
                let tenant = tenant.or_else(|| reader::tenant_in(entry.section));
                found.push(Violation {
                    what: format!("{what} ({} {})", entry.file.path, entry.section),
                    line: entry.line.to_owned(),
                    origins: entry.origins.to_vec(),
                    tenant: tenant.map(str::to_owned),
                });
            }
        });
        found
    }

    fn entry(&mut self, entry: &Entry<'_>, bundle: &Bundle) -> Result<(), String> {
        if entry.origins.is_empty() {
            return Err("nobody made this line".into());
        }
        // An empty line sets a section apart from the one before, and belongs to the one behind.
        if entry.line.is_empty() && entry.file.role == Role::Config {
            return Ok(());
        }
        if entry.origins.iter().any(|it| it.object().is_some()) {
            *self.lines.entry(entry.file.role).or_default() += 1;
        }
        match entry.file.role {
            Role::Map | Role::Checks | Role::RegexMap => map(entry),
            Role::CertificateList => certificate_list(entry, bundle),
            Role::List => list(entry),
            Role::Certificate | Role::Authorities | Role::Revocations | Role::DhParameters => {
                pem(entry.line)
            }
            Role::Response | Role::Lua => Ok(()),
            _ => self.directive(entry, bundle),
        }
    }

    /// A line of the main configuration, or of another file that is read like it.
    fn directive(&mut self, entry: &Entry<'_>, bundle: &Bundle) -> Result<(), String> {
        if entry.section != self.section.0 {
            self.section = (entry.section.to_owned(), kind(entry.section));
        }
        let owner = reader::owner(entry.section);
        let is_quiet = reader::is_quiet(entry.section);
        let mut hash = None;
        if !entry.origins.iter().any(|it| reader::key(it).is_some()) {
            let line = without_numbers(entry.line.as_bytes());
            let is_own = owner.is_some();
            hash = Some(self.hasher.hash_one((&self.section.1, line, is_own)));
        }
        for tenant in entry.origins.iter().filter_map(reader::tenant) {
            if is_quiet || owner.is_some_and(|it| it != tenant) {
                return Err(format!("a line of {tenant} in another one's section"));
            }
        }
        if hash.is_some_and(|it| self.seen.contains(&it)) {
            return Ok(());
        }
        self.words(entry, bundle)?;
        self.seen.extend(hash);
        Ok(())
    }

    fn words(&self, entry: &Entry<'_>, bundle: &Bundle) -> Result<(), String> {
        let is_header = reader::is_header(entry.line);
        let keys: Vec<&Key> = entry.origins.iter().filter_map(reader::key).collect();
        let read = lexer::words(entry.line);
        if let Some(key) = keys.iter().find(|it| is_verbatim(it)) {
            let may = key.name == "config-sections";
            if is_header && !may {
                return Err(format!("`{}` begins a section", key.name));
            }
            // Variables of the environment are the operator's to use.
            return match read {
                Err(error) if !error.contains("variable") => Err(error),
                Ok(_) | Err(_) => Ok(()),
            };
        }
        let words = read?;
        if words.is_empty() {
            return Ok(());
        }
        if is_header {
            return if self.learned.has_header(entry.section) {
                Ok(())
            } else {
                Err("no harmless value makes this section".into())
            };
        }
        let place = place(&self.section.1, &words);
        if keys.is_empty() {
            let Some(strange) = words.iter().find(|it| !self.learned.has_word(it)) else {
                return Ok(());
            };
            // The object as a whole may stand for what its keys say; and where only the operator
            // writes, a line may name another one of his keys, or none.
            let owner = reader::owner(entry.section);
            let mut tenants = entry.origins.iter().filter_map(reader::tenant);
            let is_own = tenants.any(|it| owner.is_none_or(|owner| owner == it));
            if (is_own || self.is_operators) && self.learned.has_line(&place) {
                return self.conditions(&words, bundle);
            }
            return Err(format!(
                "no key made this line, and no harmless line has the word {:?}",
                String::from_utf8_lossy(strange)
            ));
        }
        // What an operator says makes more kinds of lines than one of his keys alone, so that a line in
        // which no tenant has a part may be of any kind that harmless values make.
        let is_tenants = entry.origins.iter().any(|it| reader::tenant(it).is_some());
        let is_operators = self.is_operators || !is_tenants;
        let is_known = keys.iter().any(|it| self.learned.has_shape(it, &place));
        if !is_known && !(is_operators && self.learned.has_line(&place)) {
            let names: Vec<&str> = keys.iter().map(|it| it.name).collect();
            return Err(format!(
                "no harmless value of `{}` makes such a directive",
                names.join("`, `")
            ));
        }
        self.conditions(&words, bundle)?;
        if is_tenants {
            self.tenants(&words, bundle)?;
        }
        Ok(())
    }

    /// What stands behind `if`: tests in braces, of which each begins with a fetch that we write.
    fn conditions(&self, words: &[Vec<u8>], bundle: &Bundle) -> Result<(), String> {
        let is = |at: usize, any: &[&str]| {
            let word = words.get(at).map(Vec::as_slice).unwrap_or_default();
            any.iter().any(|it| it.as_bytes() == word)
        };
        // A value may read `if` as well; what ours opens is the last one in front of a brace.
        let begin =
            (0..words.len()).rfind(|at| is(*at, &["if", "unless"]) && is(*at + 1, &["{", "!{"]));
        let Some(begin) = begin else { return Ok(()) };
        let mut at = begin + 1;
        while at < words.len() {
            if is(at, &["or", "||"]) {
                at += 1;
                continue;
            }
            if !is(at, &["{", "!{"]) {
                return Err(format!(
                    "{:?} stands between conditions",
                    String::from_utf8_lossy(&words[at])
                ));
            }
            let fetch = words.get(at + 1).map(|it| String::from_utf8_lossy(it));
            let name = fetch.as_deref().map(fetch_of).unwrap_or_default();
            if !self.learned.has_fetch(name) {
                return Err(format!("the condition {fetch:?} is none of ours"));
            }
            let end = (at + 2..words.len()).find(|it| is(*it, &["}"]));
            let Some(end) = end else {
                return Err("a condition does not end".into());
            };
            // What stands behind `--` is what is compared with.
            let options = (at + 2..end).take_while(|it| !is(*it, &["--"]));
            for option in options.filter(|it| is(*it, &["-f"])) {
                let file = String::from_utf8_lossy(&words[option + 1]);
                if bundle.file(&file).is_none() {
                    return Err(format!("a list is read from {file:?}"));
                }
            }
            at = end + 1;
        }
        Ok(())
    }

    /// What a tenant may not say in a line, whichever key it is of.
    fn tenants(&self, words: &[Vec<u8>], bundle: &Bundle) -> Result<(), String> {
        const ADDRESSED: &[&str] = &["server", "bind", "log", "source", "nameserver", "peer"];
        let first = words.first().map(|it| String::from_utf8_lossy(it));
        let first = first.unwrap_or_default();
        if ADDRESSED.contains(&&*first) {
            let is_local = |it: &&Vec<u8>| {
                let word = String::from_utf8_lossy(it);
                ["unix@", "abns@", "fd@", "sockpair@", "/"]
                    .iter()
                    .any(|it| word.starts_with(it))
            };
            // Files of the bundle are nobody else's.
            let is_ours = |it: &&Vec<u8>| {
                self.learned.has_word(it) || bundle.file(&String::from_utf8_lossy(it)).is_some()
            };
            let mut strange = words.iter().filter(is_local);
            if let Some(word) = strange.find(|it| !is_ours(it)) {
                let word = String::from_utf8_lossy(word);
                return Err(format!("a tenant names {word:?} of this machine"));
            }
        }
        let is_format = |it: &Vec<u8>| FORMATS.iter().any(|word| word.as_bytes() == it.as_slice());
        if words.iter().take(4).any(is_format) {
            for expression in expressions(words) {
                let is_forbidden = FORBIDDEN.iter().any(|it| expression.starts_with(it));
                if is_forbidden && !self.learned.has_expression(&expression) {
                    return Err(format!("a tenant asks for `{expression}`"));
                }
            }
        }
        Ok(())
    }
}

/// The longest line of a map or list: HAProxy cuts lines at the size of its buffers, 16 KiB.
const LINE: usize = 16_000;

/// A line of a list: a pattern, as it is. HAProxy takes blanks in front away, and with `#` in front the
/// whole line.
fn list(entry: &Entry<'_>) -> Result<(), String> {
    let line = entry.line;
    if line == END.trim_end() && entry.origins == [END_ORIGIN] {
        return Ok(());
    }
    if line.chars().any(char::is_control) {
        return Err("a control character in a list".into());
    }
    if line.trim().is_empty() || line.starts_with(['#', ' ']) || line.len() > LINE {
        return Err("HAProxy would read another pattern than this one".into());
    }
    let whose = reader::tenant_in(&entry.file.path);
    let mut tenants = entry.origins.iter().filter_map(reader::tenant);
    if let Some(tenant) = tenants.find(|it| whose != Some(it)) {
        return Err(format!("a pattern of {tenant} in another one's list"));
    }
    Ok(())
}

/// A line of certificates, keys or parameters (RFC 7468).
fn pem(line: &str) -> Result<(), String> {
    let is_base64 = |it: u8| it.is_ascii_alphanumeric() || b"+/=".contains(&it);
    let label = line
        .strip_prefix("-----BEGIN ")
        .or_else(|| line.strip_prefix("-----END "))
        .and_then(|it| it.strip_suffix("-----"));
    let is_letter = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b' ';
    let is_label = |it: &str| it.bytes().all(is_letter);
    if label.is_some_and(is_label) || (line.len() <= 76 && line.bytes().all(is_base64)) {
        return Ok(());
    }
    Err("no line of a certificate".into())
}

/// A line of a map: a key and a value, for nobody but who made it.
fn map(entry: &Entry<'_>) -> Result<(), String> {
    if entry.line.starts_with('#') {
        return Ok(());
    }
    if entry.line.chars().any(char::is_control) {
        return Err("a control character in a map".into());
    }
    if entry.line.len() > LINE {
        return Err("HAProxy would cut this entry".into());
    }
    let Some((key, value)) = entry.line.split_once(' ') else {
        return Err("an entry of a map without a value".into());
    };
    // What a service is asked with: eight words, each of which is read by its place.
    let is_auth = entry.file.path.ends_with("/_auth__exact.map");
    let count = if is_auth { 8 } else { 1 };
    let is_word = |it: &str| !it.is_empty();
    if value.split(' ').count() != count || !value.split(' ').all(is_word) {
        return Err(format!("the value of an entry is not {count} words"));
    }
    let host = key.split('#').next().unwrap_or_default();
    // What redirects lead to is any text; backends are in the maps of hosts.
    let of_backends = ["host__", "_tcp_sni_"];
    let mut of_backends = of_backends.iter();
    let is_target = of_backends.any(|it| entry.file.path.contains(it)) && !value.starts_with('_');
    for tenant in entry.origins.iter().filter_map(reader::tenant) {
        let quiet = format!("{QUIET}.example");
        let is_others = |it: &str| {
            it.ends_with(&quiet)
                || it.starts_with("quiet_")
                || reader::tenant_in(it).is_some_and(|other| other != tenant)
        };
        if is_others(host) {
            return Err(format!("{tenant} made an entry for another one's host"));
        }
        if is_target && is_others(value) {
            return Err(format!("{tenant} leads to another one's backend"));
        }
    }
    Ok(())
}

/// A line of a list of certificates: a file, options in brackets, names.
fn certificate_list(entry: &Entry<'_>, bundle: &Bundle) -> Result<(), String> {
    let line = entry.line;
    if line.starts_with('#') {
        return Ok(());
    }
    let is_plain = |it: char| !it.is_control() && !matches!(it, '#' | '"' | '\'' | '\\');
    if !line.chars().all(is_plain) {
        return Err("a character that ends an entry in a list of certificates".into());
    }
    let (file, rest) = line.split_once(' ').unwrap_or((line, ""));
    let is_generated = file.ends_with(haproxy_ingress_core::assemble::GENERATED);
    if bundle.file(file).is_none() && !is_generated {
        return Err(format!("the certificate {file:?} is not in the bundle"));
    }
    let names = match rest.strip_prefix('[') {
        Some(rest) => {
            let (options, names) = rest.split_once(']').ok_or("options that do not end")?;
            if options.contains('[') || names.contains(['[', ']']) {
                return Err("brackets in options of a certificate".into());
            }
            names
        }
        None => rest,
    };
    if names.split(' ').filter(|it| !it.is_empty()).count() > 60 {
        return Err("too many names on a line".into());
    }
    if is_generated {
        // It is for everybody who has none, which an operator may ask for.
        return Ok(());
    }
    let tenants: Vec<&str> = entry.origins.iter().filter_map(reader::tenant).collect();
    for name in names.split(' ') {
        let whose = reader::tenant_in(name);
        if whose.is_some_and(|it| !tenants.is_empty() && !tenants.contains(&it)) {
            return Err(format!("{name:?} is served by another one's certificate"));
        }
    }
    Ok(())
}

/// What can be said of a file as a whole.
fn whole(file: &File, learned: &Learned) -> Result<(), String> {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"/_.:-".contains(&it);
    let is_ours = ["/etc/haproxy/", "/var/lib/haproxy/"]
        .iter()
        .any(|it| file.path.starts_with(it));
    if !is_ours || file.path.contains("..") || !file.path.bytes().all(is_plain) {
        return Err("a file at a place that is not ours".into());
    }
    if file.path.rsplit('/').next().is_none_or(|it| it.len() > 255) {
        return Err("a name that no disk takes".into());
    }
    if file.source_map.len() != file.content.lines().count() {
        return Err("lines and authors are not as many".into());
    }
    if file.content.contains('\0') {
        return Err("a NUL".into());
    }
    match file.role {
        Role::Lua => {
            let script = without_strings(&file.content).ok_or("a string of a script is open")?;
            if let Some(line) = script.lines().find(|it| !learned.has_code(it)) {
                return Err(format!("no harmless value makes the code {line:?}"));
            }
        }
        Role::Response => response(&file.content)?,
        Role::Certificate | Role::Authorities | Role::Revocations | Role::DhParameters
            if !file.content.starts_with("-----BEGIN ") =>
        {
            return Err("a certificate that is none".into());
        }
        _ => {}
    }
    Ok(())
}

/// A response: a status, headers, and as many bytes as they say.
fn response(text: &str) -> Result<(), String> {
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or("the headers of a response do not end")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.") || status.contains('\n') {
        return Err(format!("a response begins with {status:?}"));
    }
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("a header without a colon")?;
        let is_token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
        if name.is_empty() || !name.bytes().all(is_token) || value.contains(['\n', '\r']) {
            return Err(format!("{line:?} is no header"));
        }
        if name.eq_ignore_ascii_case("content-length") && value.trim().parse() != Ok(body.len()) {
            return Err(format!("the body has {} bytes, not{value}", body.len()));
        }
    }
    Ok(())
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line: String = self.line.chars().take(300).collect();
        write!(f, "{}\n    {line:?}", self.what)?;
        for origin in &self.origins {
            let origin: String = origin.to_string().chars().take(200).collect();
            write!(f, "\n    by {origin}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use haproxy_ingress_core::bundle::SourceMap;
    use haproxy_ingress_core::origin::{Field, Kind, ObjectRef};

    use super::*;

    const CONFIG: &str = "/etc/haproxy/haproxy.cfg";
    const MAP: &str = "/etc/haproxy/maps/_front_http_host__exact.map";

    fn by(namespace: &str, key: &str) -> Origin {
        let object = ObjectRef::new(Kind::Ingress, namespace, "web");
        let field = Field::Annotation(format!("haproxy-ingress.github.io/{key}").into());
        Origin::Object(Arc::new(object), field)
    }

    /// What is said of one line.
    fn judged(role: Role, section: &str, line: &str, by: &[Origin]) -> Result<(), String> {
        let path = if role == Role::Map { MAP } else { CONFIG };
        let file = File::new(path, 0o644, role, line);
        assert_eq!(*file.source_map, SourceMap::default());
        let entry = Entry {
            file: &file,
            section,
            line,
            origins: by,
        };
        Judge::new(&crate::LEARNED, false).entry(&entry, &Bundle::default())
    }

    #[test]
    fn what_leaves_its_place_is_seen() {
        let own = "backend t001_app_8080";
        let timeout = [by("t001", "timeout-server")];
        let set = [by("t001", "request-set-headers")];
        let config =
            |section: &str, line: &str, by: &[Origin]| judged(Role::Config, section, line, by);
        assert_eq!(config(own, "    timeout server 7s", &timeout), Ok(()));
        assert_eq!(
            config(own, "    http-request set-header X \"a b\"", &set),
            Ok(())
        );
        let engine = [Origin::Engine("a test")];
        for (section, line, by) in [
            (own, "    server evil 192.0.2.1:80", &timeout[..]),
            (own, "    timeout server \"7s", &timeout),
            (own, "    timeout connect 7s", &timeout),
            ("backend t002_app_8080", "    timeout server 7s", &timeout),
            ("backend quiet_app_8080", "    timeout server 7s", &timeout),
            ("frontend _front_http", "    timeout server 7s", &timeout),
            (own, "    evil", &engine),
            (own, "    http-request set-header X %[env(HOME)]", &set),
            (own, "    http-request set-header X y if { evil }", &set),
            ("backend evil", "backend evil", &timeout),
        ] {
            assert!(config(section, line, by).is_err(), "{line} in {section}");
        }
        // What an operator says may show in every known kind of line, what a tenant says may not.
        let global = ObjectRef::new(Kind::ConfigMap, "ingress-controller", "global");
        let field = Field::Data("use-forwarded-proto".into());
        let global = [Origin::Object(Arc::new(global), field)];
        let log = "    option dontlognull";
        assert!(config("frontend _front_http", "    http-request deny", &timeout).is_err());
        assert_eq!(
            config("frontend _front_http", "    http-request deny", &global),
            Ok(())
        );
        assert!(config("frontend _front_http", log, &global).is_err());
        let alias = [by("t001", "server-alias")];
        let map = |line: &str| judged(Role::Map, "", line, &alias);
        assert_eq!(map("a.example#/ t001_app_8080/path01"), Ok(()));
        for line in [
            "quiet.example#/ t001_app_8080/path01",
            "t002.example#/ t001_app_8080/path01",
            "a.example#/ t002_app_8080/path01",
            "a.example#/ t001_app_8080/path01 b",
            "a.example#/",
        ] {
            assert!(map(line).is_err(), "{line}");
        }
        let list = |line: &str, by: &[Origin]| {
            let path = "/etc/haproxy/maps/_list_allow_t001_ingress_web.list";
            let file = File::new(path, 0o644, Role::List, line);
            list(&Entry {
                file: &file,
                section: "",
                line,
                origins: by,
            })
        };
        assert_eq!(list("10.0.0.0/8", &alias), Ok(()));
        assert_eq!(list("# End of file.", &[END_ORIGIN]), Ok(()));
        for line in [
            "# End of file.",
            "#a",
            " a",
            "",
            "a\tb",
            &"a".repeat(LINE + 1),
        ] {
            assert!(list(line, &alias).is_err(), "{line:?}");
        }
        assert!(list("10.0.0.0/8", &[by("t002", "allowlist-source-range")]).is_err());
        assert!(
            map(&format!(
                "a.example#/{} t001_app_8080/path01",
                "a".repeat(LINE)
            ))
            .is_err()
        );
        for line in [
            "-----BEGIN X509 CRL-----",
            "aGk+/w==",
            "-----END CERTIFICATE-----",
        ] {
            assert_eq!(pem(line), Ok(()));
        }
        for line in ["-----BEGIN a-----", "key: value", "-----BEGIN A", "a b"] {
            assert!(pem(line).is_err(), "{line}");
        }
        for line in [
            "/etc/passwd a.example",
            "/etc/passwd [alpn h2 a.example",
            "x#y",
        ] {
            assert!(judged(Role::CertificateList, "", line, &alias).is_err());
        }
    }

    #[test]
    fn a_response_is_one() {
        assert_eq!(
            response("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na"),
            Ok(())
        );
        for bad in [
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab",
            "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\na",
            "200 OK\r\n\r\n",
        ] {
            assert!(response(bad).is_err(), "{bad:?}");
        }
        assert_eq!(without_strings("a(\"x\\\"y\")").as_deref(), Some("a(\"\")"));
        for bad in ["a(\"x\n\")", "a(\"x\r\")", "a(\"x\\\n\")", "a(\"x\\"] {
            assert_eq!(without_strings(bad), None, "{bad:?}");
        }
    }
}
