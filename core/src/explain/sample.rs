//! Expressions of a request: fetches, converters, conditions, log formats.
//!
//! Only what our own code spells is known here; another expression is unknown, and whoever asks says so.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::explain::words::{call, parts};
use crate::explain::{Certificate, Header, Request, Scheme, expression};
use crate::haproxy::{Config, DataFile};
use crate::options::Options;
use crate::origin::Origin;
use crate::value::network::Network;
use crate::value::users::Password;

/// A request on its way: as the client sent it, and as it has become.
pub(super) struct Message<'a> {
    pub(super) config: &'a Config,
    pub(super) options: &'a Options,
    pub(super) request: &'a Request,
    /// Headers as servers would get them now.
    pub(super) headers: Vec<Header>,
    /// The path as servers would get it now.
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) variables: BTreeMap<String, String>,
    /// Who made the lines of maps that were found.
    pub(super) read: Vec<Origin>,
    /// What was taken for granted while something was computed.
    pub(super) assumed: Vec<(String, Origin)>,
}

/// What an expression yields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Sample {
    /// Nothing: there is no such thing in the request.
    Nothing,
    /// One text or several, such as all values of a header.
    Texts(Vec<String>),
    /// A number.
    Number(i64),
    /// Yes or no.
    Truth(bool),
    /// What only happens, or what is not known here.
    Unknown,
}

impl Sample {
    fn text(text: impl Into<String>) -> Self {
        Self::Texts(vec![text.into()])
    }

    /// As a header or a variable gets it.
    fn written(&self) -> Option<String> {
        match self {
            Self::Texts(texts) => texts.last().cloned(),
            Self::Number(number) => Some(number.to_string()),
            Self::Truth(truth) => Some(u8::from(*truth).to_string()),
            Self::Nothing | Self::Unknown => None,
        }
    }
}

impl<'a> Message<'a> {
    /// The values of a header, each as a whole.
    pub(super) fn whole(&self, name: &str) -> Vec<String> {
        let headers = self.headers.iter();
        let headers = headers.filter(|it| it.name.eq_ignore_ascii_case(name));
        headers.map(|it| it.value.clone()).collect()
    }

    /// The parts of a header's values between commas.
    fn listed(&self, name: &str) -> Vec<String> {
        let whole = self.whole(name);
        let parts = whole.iter().flat_map(|it| it.split(','));
        parts.map(|it| it.trim().to_owned()).collect()
    }

    /// The value of a cookie.
    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        let whole = self.whole("cookie");
        let mut cookies = whole.iter().flat_map(|it| it.split(';'));
        cookies.find_map(|it| {
            let (its, value) = it.trim().split_once('=')?;
            (its == name).then(|| value.to_owned())
        })
    }

    /// Whether the client was asked for a certificate, which it cannot show otherwise.
    fn shows_certificate(&self) -> bool {
        let asked = self.variables.get("txn.tls_asked");
        let is_asked = asked.is_some_and(|it| !it.starts_with("-/"));
        is_asked && self.request.certificate != Certificate::None
    }

    /// Computes an expression with its converters.
    pub(super) fn sample(&mut self, text: &str) -> Sample {
        let mut steps = parts(text).into_iter();
        let (name, arguments) = call(steps.next().unwrap_or_default());
        let fetched = self.fetch(name, arguments);
        steps.fold(fetched, |sample, it| self.convert(&sample, it))
    }

    fn fetch(&mut self, name: &str, arguments: Option<&str>) -> Sample {
        let (argument, place) = match arguments.map(|it| it.split_once(',')) {
            Some(Some((argument, place))) => (argument, Some(place)),
            _ => (arguments.unwrap_or_default(), None),
        };
        let texts = |mut texts: Vec<String>| {
            if place == Some("-1") && texts.len() > 1 {
                texts.drain(..texts.len() - 1);
            }
            if texts.is_empty() {
                Sample::Nothing
            } else {
                Sample::Texts(texts)
            }
        };
        let optional = |text: Option<String>| text.map_or(Sample::Nothing, Sample::text);
        let is_tls = self.request.scheme == Scheme::Https;
        match name {
            "src" => Sample::text(self.request.client.to_string()),
            "method" => Sample::text(&self.request.method),
            "path" => Sample::text(&self.path),
            "query" => Sample::text(self.query.clone().unwrap_or_default()),
            "pathq" | "url" => Sample::text(self.target()),
            "base" => {
                let host = self.whole("host").pop().unwrap_or_default();
                Sample::text(format!("{host}{}", self.path))
            }
            "str" => Sample::text(argument),
            "bool" => Sample::Truth(argument == "true"),
            "var" => optional(self.variables.get(argument).cloned()),
            "hdr" | "req.hdr" => texts(self.listed(argument)),
            "req.fhdr" => texts(self.whole(argument)),
            "req.hdr_ip" => {
                let mut values = self.listed(argument);
                values.retain(|it| it.parse::<IpAddr>().is_ok());
                texts(values)
            }
            "cook" | "req.cook" => optional(self.cookie(argument)),
            "req.body_size" => Sample::Number(self.request.body_size.cast_signed()),
            "http_auth" => self.authenticate(argument),
            "ssl_fc" => Sample::Truth(is_tls),
            "ssl_fc_has_sni" => Sample::Truth(is_tls && self.request.sni.is_some()),
            "ssl_fc_sni" => optional(self.request.sni.clone().filter(|_| is_tls)),
            "ssl_c_used" => Sample::Truth(self.shows_certificate()),
            "ssl_c_verify" => Sample::Number((self.request.certificate == Certificate::Bad).into()),
            _ => Sample::Unknown,
        }
    }

    fn convert(&mut self, sample: &Sample, step: &str) -> Sample {
        let (name, arguments) = call(step);
        let arguments = arguments.unwrap_or_default();
        let Sample::Texts(texts) = sample else {
            return sample.clone();
        };
        let mut results = Vec::with_capacity(texts.len());
        for text in texts {
            let result = match name {
                "lower" => Some(text.to_ascii_lowercase()),
                "upper" => Some(text.to_ascii_uppercase()),
                "field" => field(text, arguments),
                "host_only" => Some(without_port(text).to_owned()),
                "length" => Some(text.len().to_string()),
                "map_str" => self.look_up(arguments, text),
                "regsub" => match arguments.split_once(',') {
                    Some(("^[^.]+", by)) => {
                        let rest = text.find('.').map_or("", |it| &text[it..]);
                        let is_one = !text.is_empty() && !text.starts_with('.');
                        Some(if is_one {
                            format!("{by}{rest}")
                        } else {
                            text.clone()
                        })
                    }
                    _ => return Sample::Unknown,
                },
                "strcmp" => match self.variables.get(arguments) {
                    Some(other) => return Sample::Number(i64::from(text != other)),
                    None => None,
                },
                _ => return Sample::Unknown,
            };
            results.extend(result);
        }
        if results.is_empty() {
            Sample::Nothing
        } else {
            Sample::Texts(results)
        }
    }

    /// A line of a map, whose authors are noted.
    fn look_up(&mut self, file: &str, key: &str) -> Option<String> {
        let file = self.file(file)?;
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some((its, value)) = line.split_once(' ')
                && its == key
                && !line.starts_with('#')
            {
                self.read.extend_from_slice(file.source_map.line(number));
                return Some(value.to_owned());
            }
        }
        None
    }

    /// A file by the path under which HAProxy reads it.
    fn file(&self, path: &str) -> Option<&'a DataFile> {
        let path = path.strip_prefix(&*self.options.prefix)?;
        self.config.files.iter().find(|it| &*it.path == path)
    }

    /// Whether the request has the name and the password of a user of a list. A hash is not computed:
    /// whoever names such a user is taken for him.
    fn authenticate(&mut self, list: &str) -> Sample {
        use base64::Engine as _;
        let Some(list) = self.config.user_lists.iter().find(|it| &*it.name == list) else {
            return Sample::Unknown;
        };
        let header = self.whole("authorization").pop().unwrap_or_default();
        let (scheme, value) = header.split_once(' ').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("basic") {
            return Sample::Truth(false);
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(value.trim());
        let decoded = decoded.ok().and_then(|it| String::from_utf8(it).ok());
        let Some((name, password)) = decoded.as_deref().and_then(|it| it.split_once(':')) else {
            return Sample::Truth(false);
        };
        let user = list.users.iter().find(|it| it.name.as_str() == name);
        Sample::Truth(match user.map(|it| &it.password) {
            None => false,
            Some(Password::Clear(its)) => its.as_str() == password,
            Some(Password::Hash { .. }) => {
                self.assumed.push((
                    format!(
                        "the password of the user `{name}` is a hash: it is taken for the right one"
                    ),
                    list.origin.clone(),
                ));
                true
            }
        })
    }

    /// The path with its query.
    pub(super) fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// Whether all conditions hold; nothing if that cannot be said.
    pub(super) fn holds(&mut self, conditions: &[String]) -> Option<bool> {
        let mut is_known = true;
        for condition in tests(conditions) {
            match self.test(condition.words) {
                Some(it) if it == condition.is_negated => return Some(false),
                Some(_) => {}
                None => is_known = false,
            }
        }
        is_known.then_some(true)
    }

    fn test(&mut self, words: &[String]) -> Option<bool> {
        let (expression, rest) = words.split_first()?;
        let flags = Flags::read(rest);
        let patterns = match flags.file {
            None => flags.patterns.to_vec(),
            Some(path) => {
                let file = self.file(path)?;
                let lines = file
                    .text
                    .lines()
                    .filter(|it| !it.is_empty() && !it.starts_with('#'));
                lines.map(str::to_owned).collect()
            }
        };
        let (name, method) = match expression.as_str() {
            "path_beg" => ("path", "beg"),
            "src" => ("src", "ip"),
            name => (name, flags.method),
        };
        let sample = self.sample(name);
        if method == "found" {
            return (sample != Sample::Unknown).then_some(sample != Sample::Nothing);
        }
        let texts = match &sample {
            Sample::Unknown => return None,
            Sample::Nothing => return Some(false),
            Sample::Truth(truth) => return Some(*truth),
            Sample::Number(number) => return compare(*number, &patterns),
            Sample::Texts(texts) => texts,
        };
        if method == "int" {
            return compare(texts.last()?.parse().ok()?, &patterns);
        }
        let is_insensitive = flags.is_insensitive;
        let mut is_known = true;
        for text in texts {
            for pattern in &patterns {
                match matches(method, text, pattern, is_insensitive) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => is_known = false,
                }
            }
        }
        is_known.then_some(false)
    }

    /// A log-format text with its expressions computed; those that are not known stay as they are.
    pub(super) fn format(&mut self, format: &str) -> String {
        let mut text = String::new();
        let mut rest = format;
        while let Some(place) = rest.find('%') {
            text.push_str(&rest[..place]);
            rest = &rest[place + 1..];
            if let Some(behind) = rest.strip_prefix('%') {
                text.push('%');
                rest = behind;
                continue;
            }
            let (is_quoted, inner) = match rest.strip_prefix("{+Q}[") {
                Some(inner) => (true, Some(inner)),
                None => (false, rest.strip_prefix('[')),
            };
            let Some((expression, behind)) = inner.and_then(|it| it.split_once(']')) else {
                // A field of an operator's.
                text.push('%');
                continue;
            };
            let sample = self.sample(expression);
            match (sample.written(), is_quoted) {
                _ if sample == Sample::Unknown => {
                    text.push_str("%[");
                    text.push_str(expression);
                    text.push(']');
                }
                (value, true) => text.extend(["\"", &value.unwrap_or_default(), "\""]),
                (value, false) => text.extend(value),
            }
            rest = behind;
        }
        text.push_str(rest);
        text
    }

    /// Computes an expression for a variable.
    pub(super) fn set(&mut self, variable: &str, expression: &str) {
        if let Some(value) = self.sample(expression).written() {
            self.variables.insert(variable.to_owned(), value);
        }
    }
}

/// One condition of a rule.
pub(super) struct Condition<'a> {
    pub(super) is_negated: bool,
    pub(super) words: &'a [String],
}

/// The conditions behind an `if`: `{ … }` and `!{ … }`.
pub(super) fn tests(words: &[String]) -> impl Iterator<Item = Condition<'_>> {
    let mut rest = words;
    std::iter::from_fn(move || {
        let (open, behind) = rest.split_first()?;
        let end = behind.iter().position(|it| it == "}")?;
        rest = &behind[end + 1..];
        Some(Condition {
            is_negated: open == "!{",
            words: &behind[..end],
        })
    })
}

/// What stands behind the expression of a condition.
pub(super) struct Flags<'a> {
    pub(super) method: &'a str,
    pub(super) is_insensitive: bool,
    pub(super) file: Option<&'a str>,
    pub(super) patterns: &'a [String],
}

impl<'a> Flags<'a> {
    pub(super) fn read(words: &'a [String]) -> Self {
        let mut flags = Self {
            method: "str",
            is_insensitive: false,
            file: None,
            patterns: words,
        };
        loop {
            match flags.patterns {
                [flag, method, rest @ ..] if flag == "-m" => {
                    (flags.method, flags.patterns) = (method, rest);
                }
                [flag, file, rest @ ..] if flag == "-f" => {
                    (flags.file, flags.patterns) = (Some(file.as_str()), rest);
                }
                [flag, rest @ ..] if flag == "-i" => {
                    (flags.is_insensitive, flags.patterns) = (true, rest);
                }
                [flag, rest @ ..] if flag == "--" => {
                    flags.patterns = rest;
                    return flags;
                }
                _ => return flags,
            }
        }
    }
}

/// Whether a text is as a pattern says.
fn matches(method: &str, text: &str, pattern: &str, is_insensitive: bool) -> Option<bool> {
    if is_insensitive && method != "reg" {
        let (text, pattern) = (text.to_ascii_lowercase(), pattern.to_ascii_lowercase());
        return matches(method, &text, &pattern, false);
    }
    Some(match method {
        "str" => text == pattern,
        "beg" => text.starts_with(pattern),
        "end" => text.ends_with(pattern),
        "sub" => text.contains(pattern),
        "ip" => match (text.parse::<IpAddr>(), Network::parse(pattern)) {
            (Ok(address), Ok(network)) => network.contains(address),
            (Err(_), _) => false,
            (_, Err(_)) => return None,
        },
        "reg" => return expression::matches(pattern, text),
        _ => return None,
    })
}

/// Whether a number is as the words say, such as `gt 100`; without a comparison it is one of them.
fn compare(number: i64, words: &[String]) -> Option<bool> {
    let (operator, numbers) = match words {
        [] => return Some(number != 0),
        [operator, numbers @ ..] if operator.parse::<i64>().is_err() => {
            (operator.as_str(), numbers)
        }
        numbers => ("eq", numbers),
    };
    let mut is_so = false;
    for other in numbers {
        let other: i64 = other.parse().ok()?;
        is_so |= match operator {
            "eq" => number == other,
            "gt" => number > other,
            "ge" => number >= other,
            "lt" => number < other,
            "le" => number <= other,
            _ => return None,
        };
    }
    Some(is_so)
}

/// HAProxy's converter `field(NUMBER,DELIMITERS[,COUNT])`, counted from 1; a count of 0 is all that is
/// left.
fn field(text: &str, arguments: &str) -> Option<String> {
    let mut arguments = arguments.split(',');
    let number: usize = arguments.next()?.parse().ok()?;
    let delimiters = arguments.next()?;
    let count: usize = arguments.next().map_or(Some(1), |it| it.parse().ok())?;
    let fields: Vec<&str> = text.split(|it| delimiters.contains(it)).collect();
    let start: usize = fields
        .iter()
        .take(number.checked_sub(1)?)
        .map(|it| it.len() + 1)
        .sum();
    if number > fields.len() {
        return None;
    }
    let end = match count {
        0 => text.len(),
        count => {
            let wanted = fields.iter().skip(number - 1).take(count);
            start + wanted.map(|it| it.len() + 1).sum::<usize>() - 1
        }
    };
    Some(text[start..end].to_owned())
}

/// HAProxy's converter `host_only`.
pub(super) fn without_port(host: &str) -> &str {
    match host.rfind([':', ']']) {
        Some(place) if host.as_bytes()[place] == b':' => &host[..place],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::words::words;
    use crate::value::text::Line;

    fn with<T>(request: &Request, ask: impl FnOnce(&mut Message<'_>) -> T) -> T {
        let (config, options) = (Config::default(), Options::default());
        let mut message = Message {
            config: &config,
            options: &options,
            request,
            headers: request.headers.clone(),
            path: request.path().to_owned(),
            query: request.query().map(str::to_owned),
            variables: BTreeMap::new(),
            read: Vec::new(),
            assumed: Vec::new(),
        };
        ask(&mut message)
    }

    #[test]
    fn conditions_hold_as_for_haproxy() {
        let request = Request::of_url("http://a.example/x/y?q=1").expect("it is a URL");
        let request = request.with("X-A", "one, two").with("x-a", "three");
        for (condition, holds) in [
            ("{ src 192.0.2.0/24 ::1 }", Some(true)),
            ("!{ src 10.0.0.0/8 }", Some(true)),
            ("{ method GET }", Some(true)),
            ("{ method get }", Some(false)),
            ("{ path_beg /x }", Some(true)),
            ("{ path /x }", Some(false)),
            ("{ req.hdr(x-a) -m str -- two }", Some(true)),
            ("{ req.hdr(x-a) -i THREE }", Some(true)),
            ("{ req.fhdr(X-A,-1) -m str two }", Some(false)),
            (
                "{ req.fhdr(X-A,-1) -m found } !{ req.hdr_ip(X-A,-1) -m found }",
                Some(true),
            ),
            ("{ req.hdr(x-a) -m reg -- ^t }", Some(true)),
            ("{ req.body_size gt 10 }", Some(false)),
            ("{ var(txn.none) -m found }", Some(false)),
            ("{ rand(2) -m found }", None),
            ("{ rand(2) -m found } { path /y }", Some(false)),
        ] {
            let words = words(&Line::default().and(condition));
            assert_eq!(with(&request, |it| it.holds(&words)), holds, "{condition}");
        }
    }

    #[test]
    fn formats_and_fields_are_those_of_haproxy() {
        let request = Request::of_url("http://a.example/x?q").expect("it is a URL");
        let text = "%%-%[path]-%[hdr(host)]-%{+Q}[src]-%[rand]-%[hdr(none)]";
        assert_eq!(
            with(&request, |it| it.format(text)),
            "%-/x-a.example-\"192.0.2.1\"-%[rand]-"
        );
        for (text, arguments, result) in [
            ("a/b/c", "1,/", Some("a")),
            ("a/b/c", "1,/,2", Some("a/b")),
            ("a/b/c", "2,/,0", Some("b/c")),
            ("a", "1,/,2", Some("a")),
            ("a", "2,/", None),
            ("", "1,/", Some("")),
            ("a/", "2,/", Some("")),
        ] {
            assert_eq!(
                field(text, arguments).as_deref(),
                result,
                "{text} {arguments}"
            );
        }
    }
}
