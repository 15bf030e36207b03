//! Lines of HAProxy configuration that users write themselves.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Config, Frontend, TcpProxy};
use crate::keys::{Block, Cx, Family, Key, Reader, Setting, block, keys, peers};
use crate::value::sections::{ProxySnippets, Sections};
use crate::value::text::{Line, Snippet};

/// Lines of HAProxy configuration that users write themselves.
pub const FAMILY: Family = Family {
    name: "configuration-snippet",
    title: "Configuration snippets",
    blocks: &[
        // The block without keys gives each frontend what the global ConfigMap says of all.
        block!(Frontend, FrontendSnippets),
        block!(Backend, BackendSnippets),
        block!(Global, GlobalSnippets),
        block!(Tcp, TcpSnippets),
    ],
};

keys! {
    Backend => pub struct BackendSnippets {
        /// Lines for the backend; another name for `config-backend-late`, which wins.
        "config-backend" => backend: Snippet,
        /// Lines for the backend, in front of all rules of its own.
        ///
        /// In annotations, snippets are refused unless the operator permits them with
        /// `--disable-config-keywords`. `%[service]` and `%[namespace]` stand for the names of the
        /// Service and of its namespace.
        "config-backend-early" => early: Snippet,
        /// Lines for the backend, behind the rules that may refuse a request and in front of the one
        /// that rewrites its path.
        ///
        /// See `config-backend-early` for who may write them.
        "config-backend-late" => late: Snippet,
    }
}

keys! {
    Global => pub struct GlobalSnippets {
        /// Lines at the end of the section `defaults`.
        "config-defaults" => defaults: Snippet,
        /// Lines for each HTTP frontend; another name for `config-frontend-late`, which wins.
        "config-frontend" => frontend: Snippet,
        /// Lines for each HTTP frontend, in front of all rules of its own.
        "config-frontend-early" => frontend_early: Snippet,
        /// Lines for each HTTP frontend, in front of the choice of the backend.
        "config-frontend-late" => frontend_late: Snippet,
        /// Lines at the end of the section `global`.
        "config-global" => global: Snippet,
        /// Lines for the section `peers`, in front of its servers.
        "config-peers" => peers: Snippet,
        /// Lines for single proxies: the name of a proxy at the front of a line, its lines indented
        /// below it.
        ///
        /// Proxies are the frontends `_front_http` and `_front_https`, with `_` and the port behind it
        /// those of other ports, `_front_tcp_PORT` of a TCP service and the one of `auth-proxy`; the
        /// backends, by the names that the configuration has, such as `shop_web_8080`; and HAProxy's own:
        /// `_acme_challenge`, `_error404`, `_redirect_https`, `spoe-modsecurity`, `stats`, `healthz` and
        /// `prometheus`. Lines for a proxy that is not there have no effect.
        "config-proxy" => proxy: ProxySnippets,
        /// Whole sections, as they are.
        "config-sections" => sections: Sections,
        /// Lines for each TCP proxy of the `--tcp-services-configmap`.
        "config-tcp" => tcp: Snippet,
    }
}

keys! {
    Tcp => pub struct TcpSnippets {
        /// Lines for the frontend of a TCP service, in front of the choice of the backend.
        ///
        /// See `config-backend-early` for who may write them. From the ConfigMap they are for the
        /// frontends of all TCP services.
        "config-tcp-service" => service: Snippet,
    }
}

/// What the global ConfigMap says of every frontend.
#[derive(Debug)]
struct FrontendSnippets;

impl Block for FrontendSnippets {
    const KEYS: &'static [Key] = &[];

    fn read(_: &mut Reader<'_>) -> Self {
        Self
    }
}

impl BackendSnippets {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let early = self.early.as_ref();
        backend.early = early.and_then(|it| checked("config-backend-early", it, backend, cx));
        if let (Some(alias), Some(_)) = (&self.backend, &self.late) {
            report_alias("config-backend", alias, cx);
        }
        let (key, late) = match &self.late {
            Some(late) => ("config-backend-late", Some(late)),
            None => ("config-backend", self.backend.as_ref()),
        };
        backend.late = late.and_then(|it| checked(key, it, backend, cx));
    }
}

#[expect(
    clippy::unused_self,
    reason = "every block has this method, this one has no keys"
)]
impl FrontendSnippets {
    fn apply(&self, frontend: &mut Frontend, cx: &mut Cx<'_>) {
        let snippets = cx.global_settings::<GlobalSnippets>();
        let mut resolved = |key, it: &Option<Setting<Snippet>>| {
            it.as_ref().and_then(|it| peers::resolve(key, it, None, cx))
        };
        frontend.early = resolved("config-frontend-early", &snippets.frontend_early);
        frontend.late = if snippets.frontend_late.is_some() {
            resolved("config-frontend-late", &snippets.frontend_late)
        } else {
            resolved("config-frontend", &snippets.frontend)
        };
    }
}

impl GlobalSnippets {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        let mut resolved = |key, it: Option<&Setting<Snippet>>| {
            it.and_then(|it| peers::resolve(key, it, None, cx))
        };
        config.global.snippet = resolved("config-global", self.global.as_ref());
        config.defaults.snippet = resolved("config-defaults", self.defaults.as_ref());
        let sections = self.sections.as_ref().map(|it| it.map(|it| it.0.clone()));
        config.sections = resolved("config-sections", sections.as_ref());
        if let Some(setting) = &self.proxy {
            cx.report_items("config-proxy", setting, &setting.value.refused);
            for (name, lines) in &setting.value.proxies {
                let lines = setting.map(|_| lines.clone());
                if let Some(lines) = peers::resolve("config-proxy", &lines, None, cx) {
                    config.proxy_snippets.insert(name.clone(), lines);
                }
            }
        }
        if let (Some(alias), Some(_)) = (&self.frontend, &self.frontend_late) {
            report_alias("config-frontend", alias, cx);
        }
        config.tcp_snippet =
            (self.tcp.as_ref()).and_then(|it| peers::resolve("config-tcp", it, None, cx));
    }
}

impl TcpSnippets {
    fn apply(&self, proxy: &mut TcpProxy, cx: &mut Cx<'_>) {
        let snippet = self.service.as_ref();
        let key = "config-tcp-service";
        proxy.snippet = snippet
            .and_then(|it| permitted(key, it, cx))
            .and_then(|it| peers::resolve(key, &it, None, cx));
    }
}

fn report_alias(alias: &str, setting: &Setting<Snippet>, cx: &mut Cx<'_>) {
    cx.report(
        &codes::CONFLICT,
        &setting.origin,
        format!("`{alias}` is another name for `{alias}-late`, and both are set"),
        format!("`{alias}-late` is used"),
    );
}

/// The lines with their variables replaced, if their author may write all of them.
fn checked(
    key: &str,
    setting: &Setting<Snippet>,
    backend: &Backend,
    cx: &mut Cx<'_>,
) -> Option<Setting<Snippet>> {
    let variables = [
        ("service", &backend.service),
        ("namespace", &backend.namespace),
    ];
    let permitted = permitted(key, setting, cx)?;
    let replaced = permitted.map(|it| it.replace(&variables));
    peers::resolve(key, &replaced, Some(backend), cx)
}

/// The lines as they are, if their author may write all of them.
fn permitted(key: &str, setting: &Setting<Snippet>, cx: &mut Cx<'_>) -> Option<Setting<Snippet>> {
    let snippet = &setting.value;
    let texts = || snippet.lines().iter().map(Line::as_str);
    if let Some(line) = texts().find(|it| reads_credentials(it)) {
        let message = format!("`{key}` reads the credentials of a ServiceAccount: `{line}`");
        cx.report(&codes::NOT_PERMITTED, &setting.origin, message, LEFT_OUT);
        return None;
    }
    if setting.is_tenants
        && let Some(refusal) = refusal(snippet, &cx.options.disable_config_keywords)
    {
        let message = format!("`{key}`: {refusal}");
        cx.report(&codes::NOT_PERMITTED, &setting.origin, message, LEFT_OUT);
        return None;
    }
    Some(setting.clone())
}

const LEFT_OUT: &str = "the whole snippet is left out";

/// Why a tenant may not write a snippet, if that is so.
fn refusal(snippet: &Snippet, disabled: &[String]) -> Option<String> {
    if disabled.iter().any(|it| it == "*") {
        return Some("the operator does not permit snippets in annotations".into());
    }
    for line in snippet.lines() {
        let mut words = line.as_str().split_whitespace();
        let first = words.next().unwrap_or_default();
        if first.starts_with('.') {
            // `.if` without `.endif` would take away all that follows, whoever wrote it.
            return Some(format!("`{first}` acts on more than this backend"));
        }
        // `no option …` says something of `option`.
        let keyword = match first {
            "no" | "default" => words.next().unwrap_or_default(),
            _ => first,
        };
        if let Some(word) = [first, keyword]
            .iter()
            .find(|it| disabled.iter().any(|no| no == *it))
        {
            return Some(format!("the operator does not permit `{word}`"));
        }
    }
    None
}

/// Whether a line names a file of a ServiceAccount, however it is spelled.
fn reads_credentials(line: &str) -> bool {
    unquoted(line).split_whitespace().any(|word| {
        let mut parts: Vec<&str> = Vec::new();
        for part in word.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                _ => parts.push(part),
            }
        }
        parts
            .join("/")
            .contains("secrets/kubernetes.io/serviceaccount")
    })
}

/// A line as HAProxy's lexer reads it, quotes and escapes resolved.
fn unquoted(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' => {}
            '\\' => match chars.next() {
                Some('x') => {
                    let digits: String = chars.by_ref().take(2).collect();
                    let byte = u8::from_str_radix(&digits, 16).unwrap_or(b'?');
                    text.push(char::from(byte));
                }
                Some(c) => text.push(c),
                None => {}
            },
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_keyword_is_found_where_it_hides() {
        let disabled = ["option".to_owned(), "http-request".to_owned()];
        for (text, permitted) in [
            ("timeout server 1s", true),
            ("timeout server 1s\nhttp-request deny", false),
            ("no option httplog", false),
            ("no log", true),
            (".if true", false),
        ] {
            let snippet = Snippet::parse(text).expect("lines");
            assert_eq!(refusal(&snippet, &disabled).is_none(), permitted, "{text}");
        }
        let snippet = Snippet::parse("log global").expect("lines");
        assert!(refusal(&snippet, &["*".to_owned()]).is_some());
        assert!(refusal(&snippet, &[]).is_none());
    }

    #[test]
    fn credentials_are_found_however_they_are_spelled() {
        for line in [
            "errorfile 503 /var/run/secrets/kubernetes.io/serviceaccount/token",
            "errorfile 503 /run/secrets//kubernetes.io/./serviceaccount/token",
            "errorfile 503 /run/secrets/x/../kubernetes.io/serviceaccount",
            r"errorfile 503 /run/secre\x74s/kubernetes.io/serviceaccount",
            "errorfile 503 /run/sec\"rets/kubernetes.io/service\"account",
        ] {
            assert!(reads_credentials(line), "{line}");
        }
        assert!(!reads_credentials("errorfile 503 /etc/pages/503.http"));
    }
}
