//! No text leaves its place, whoever writes it and wherever.

use std::collections::BTreeMap;

use haproxy_ingress_core::bundle::{Bundle, Compiled, Role};
use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::options::Options;
use proptest::prelude::*;

use crate::lexer;
use crate::world::{Loud, data, loud, options, snapshot};

/// How a line may begin in a section of a tenant.
const DIRECTIVES: &[&str] = &[
    "balance",
    "cookie",
    "default-server",
    "dynamic-cookie-key",
    "errorfile",
    "filter",
    "http-after-response",
    "http-check",
    "http-request",
    "http-response",
    "mode",
    "option",
    "server",
    "stick-table",
    "tcp-request",
    "timeout",
    "use-server",
];

/// What a rule of a tenant may do.
const ACTIONS: &[&str] = &[
    "add-header",
    "auth",
    "del-header",
    "deny",
    "lua.auth-request",
    "lua.auth-request-early",
    "redirect",
    "replace-path",
    "return",
    "send-spoe-group",
    "set-header",
    "set-var(txn.cors_headers)",
    "set-var(txn.cors_method)",
    "set-var(txn.cors_origin)",
    "set-var(txn.list_source)",
    "set-var(txn.path)",
    "silent-drop",
    "track-sc1",
    "use-service",
    "wait-for-body",
];

fn compiled(loud: Option<&Loud>, data: &BTreeMap<String, String>, options: &Options) -> Compiled {
    compile(&snapshot(loud, data), options, None)
}

/// Lines of all maps and lists that name the quiet tenant.
fn quiet_entries(bundle: &Bundle) -> Vec<String> {
    let is_data = |it: &Role| matches!(it, Role::Map | Role::List | Role::CertificateList);
    let files = bundle.files.iter().filter(|it| is_data(&it.role));
    let lines = files.flat_map(|it| {
        it.content
            .lines()
            .map(move |line| format!("{}: {line}", it.path))
    });
    lines
        .filter(|it| it.contains(" quiet_") || it.contains("quiet.example"))
        .collect()
}

fn check_shape(compiled: &Compiled, hosts: &[&str]) -> Result<(), TestCaseError> {
    let config = compiled.bundle.config();
    let sections = lexer::sections(config).map_err(TestCaseError::fail)?;
    for (header, lines) in &sections {
        if !header.starts_with("backend ") || header.starts_with("backend _") {
            continue;
        }
        prop_assert_eq!(header.split(' ').count(), 2, "{}", header);
        for line in lines {
            prop_assert!(
                DIRECTIVES.contains(&line[0].as_str()),
                "{:?} in {}",
                line,
                header
            );
            if line[0].starts_with("http-") && line[0] != "http-check" {
                prop_assert!(
                    ACTIONS.contains(&line[1].as_str()),
                    "{:?} in {}",
                    line,
                    header
                );
            }
        }
    }
    for file in &compiled.bundle.files {
        let made = &file.source_map;
        prop_assert_eq!(made.len(), file.content.lines().count(), "{}", file.path);
        for (number, origins) in (1..).zip(made.lines()) {
            prop_assert!(
                !origins.is_empty(),
                "{}:{} has no origin",
                file.path,
                number
            );
        }
    }
    for file in compiled
        .bundle
        .files
        .iter()
        .filter(|it| it.role == Role::Map)
    {
        prop_assert!(file.content.ends_with('\n'));
        for line in file
            .content
            .split_terminator('\n')
            .filter(|it| !it.starts_with('#'))
        {
            let is_plain = !line.chars().any(char::is_control);
            // What a service is asked has several words; no other map is read like that.
            let words = line.split(' ').count();
            prop_assert!(
                is_plain && (words == 2 || file.path.ends_with("/_auth__exact.map")),
                "{:?} in {}",
                line,
                file.path
            );
            if file.path.contains("_host__") {
                let host = line.split('#').next().unwrap_or_default();
                let known = hosts.iter().any(|it| host.contains(it)) || host.contains('\\');
                prop_assert!(
                    known || !host.contains("quiet"),
                    "{:?} in {}",
                    line,
                    file.path
                );
            }
        }
    }
    Ok(())
}

/// Whether a header is one of the sections that keys of the operator ask for: a proxy whose name no
/// Service has, or what proxies refer to by a plain name.
fn is_section_of_keys(header: &str) -> bool {
    let Some((kind, name)) = header.split_once(' ') else {
        return false;
    };
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"_.:-".contains(&it);
    name.bytes().all(is_plain)
        && match kind {
            "frontend" | "backend" => name.starts_with('_'),
            "peers" | "resolvers" | "userlist" => true,
            _ => false,
        }
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn a_tenant_never_leaves_its_lines(loud in loud()) {
        let none = BTreeMap::new();
        let alone = compiled(None, &none, &options());
        let both = compiled(Some(&loud), &none, &options());
        check_shape(&both, &["quiet.example"])?;
        let section = |it: &Compiled| {
            let all = lexer::sections(it.bundle.config()).map_err(TestCaseError::fail)?;
            Ok::<_, TestCaseError>(all.into_iter().find(|it| it.0 == "backend quiet_app_8080"))
        };
        let before = section(&alone)?;
        prop_assert!(before.is_some());
        prop_assert_eq!(before, section(&both)?);
        let after = quiet_entries(&both.bundle);
        for entry in quiet_entries(&alone.bundle) {
            // A tenant who names the other one's host as its own adds entries, but takes none away.
            prop_assert!(after.contains(&entry), "{} is gone", entry);
        }
    }

    #[test]
    fn a_value_of_the_operator_never_leaves_its_directive(data in data()) {
        let compiled = compiled(None, &data, &options());
        check_shape(&compiled, &["quiet.example"])?;
        let headers: Vec<_> = lexer::sections(compiled.bundle.config())
            .map_err(TestCaseError::fail)?
            .into_iter()
            .map(|it| it.0)
            .collect();
        for header in &headers {
            let known = ["global", "defaults", "listen stats", "frontend healthz", "frontend prometheus",
                "frontend _front_http", "frontend _front_https", "listen _front__tls",
                "frontend _front_https__local", "backend quiet_app_8080",
                "backend _redirect_https", "backend _error404"];
            prop_assert!(known.contains(&header.as_str()) || is_section_of_keys(header), "{}", header);
        }
    }
}
