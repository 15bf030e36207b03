//! Two sets of manifests, and what is said of the difference.

use super::*;
use crate::compile::compile;
use crate::manifest;
use crate::options::Options;

fn compiled(text: &str, old: Option<&Compiled>) -> Compiled {
    let options = Options {
        watch_without_class: true,
        ..Options::default()
    };
    let mut snapshot = manifest::read(&[("a.yaml".into(), text.into())]).snapshot();
    manifest::complete(&mut snapshot, &options);
    compile(&snapshot, &options, old.map(|it| &it.places))
}

fn compared(old: &str, new: &str) -> Comparison {
    let old = compiled(old, None);
    let new = compiled(new, Some(&old));
    let comparison = compare(&old, &new);
    for it in &comparison.files {
        is_applicable(it, &old.bundle, &new.bundle);
    }
    comparison
}

/// Hunks name lines by their numbers, and whoever applies them to the old file has the new one.
fn is_applicable(change: &FileChange, old: &Bundle, new: &Bundle) {
    let lines = |it: &Bundle| -> Vec<String> {
        let text = it.file(&change.path).map_or("", |it| &*it.content);
        text.lines().map(|it| shown(it).into_owned()).collect()
    };
    let (old, new) = (lines(old), lines(new));
    let hunks = change.sections.iter().flat_map(|it| &it.hunks);
    for line in hunks.flat_map(|it| &it.lines) {
        let at =
            |lines: &[String], number: Option<u32>| number.map(|it| lines[it as usize - 1].clone());
        let sides = (at(&old, line.old), at(&new, line.new));
        let text = Some(line.text.clone());
        let expected = match line.change {
            None => (text.clone(), text),
            Some(Change::Removed) => (text, None),
            Some(_) => (None, text),
        };
        assert_eq!(sides, expected);
    }
}

/// What a reader sees: `section: -line`, `section: +line`, and `by ORIGIN`.
fn summary(comparison: &Comparison) -> Vec<String> {
    let mut summary = Vec::new();
    for file in &comparison.files {
        for section in &file.sections {
            for hunk in &section.hunks {
                let changed = hunk.lines.iter().filter_map(|it| Some((it.change?, it)));
                summary.extend(changed.map(|(change, it)| {
                    let sign = if change == Change::Removed { '-' } else { '+' };
                    format!("{}: {sign}{}", section.name, it.text.trim_start())
                }));
                let objects = hunk.origins.iter().filter(|it| it.object().is_some());
                summary.extend(objects.map(|it| format!("by {it}")));
            }
        }
    }
    summary
}

const SHOP: &str = r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  annotations: {haproxy-ingress.github.io/timeout-server: "10s"}
spec:
  rules:
  - host: shop.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}
"#;

#[test]
fn a_changed_value_is_one_line_and_names_its_author() {
    let comparison = compared(SHOP, &SHOP.replace("10s", "20s"));
    assert_eq!(
        summary(&comparison),
        [
            "backend default_shop_80: -timeout server 10s",
            "backend default_shop_80: +timeout server 20s",
            "by Ingress default/shop metadata.annotations[\"haproxy-ingress.github.io/timeout-server\"]",
        ]
    );
    let [hunk] = &comparison.files[0].sections[0].hunks[..] else {
        panic!("one hunk: {comparison:?}");
    };
    assert!(hunk.lines.len() <= 2 + 2 * CONTEXT);
    assert!(matches!(comparison.plan, Plan::Reload { .. }));
}

#[test]
fn equal_manifests_have_no_difference() {
    let comparison = compared(SHOP, &SHOP.replace("  name: shop\n", "  name: \"shop\"\n"));
    assert!(comparison.files.is_empty());
    assert_eq!(comparison.plan, Plan::Nothing);
}

#[test]
fn sections_and_files_come_and_go() {
    let more = SHOP.replace("shop", "blog");
    let both = format!("{SHOP}\n---\n{more}");
    let comparison = compared(SHOP, &both);
    let change = |comparison: &Comparison| -> Vec<(String, Change)> {
        let sections = comparison.files.iter().flat_map(|it| &it.sections);
        sections
            .map(|it| (it.name.to_string(), it.change))
            .collect()
    };
    let backend = |it| (String::from("backend default_blog_80"), it);
    assert!(
        change(&comparison).contains(&backend(Change::Added)),
        "{comparison:?}"
    );
    let back = compared(&both, SHOP);
    assert!(
        change(&back).contains(&backend(Change::Removed)),
        "{back:?}"
    );
    let map = back.files.iter().find(|it| it.path.ends_with("prefix.map"));
    let map = map.expect("the map of prefixes differs");
    assert_eq!((map.change, map.sections.len()), (Change::Changed, 1));
    assert!(
        summary(&back)
            .iter()
            .any(|it| it.contains("-blog.example#/"))
    );
}

#[test]
fn no_secret_is_in_a_comparison() {
    let secret = |name: &str, data: &str| {
        format!(
            "\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{auth: \"{data}\"}}\n"
        )
    };
    let text = SHOP.replace(
        "timeout-server: \"10s\"",
        "auth-secret: users, haproxy-ingress.github.io/affinity: cookie, \
         haproxy-ingress.github.io/session-cookie-value-strategy: server-name",
    );
    let old = format!("{text}{}", secret("users", "jane::canary1"));
    let new = format!("{text}{}", secret("users", "jane::canary2"));
    let comparison = compared(&old, &new);
    let lines = summary(&comparison);
    assert!(
        lines
            .iter()
            .any(|it| it.ends_with("+user jane insecure-password (hidden)")),
        "{lines:?}"
    );
    let all = serde_json::to_string(&comparison).expect("it is plain");
    assert!(!all.contains("canary"), "{all}");
}

#[test]
fn large_tables_without_anything_in_common_are_compared_at_once() {
    let file = |host: &str| {
        let lines = (0..50_000).map(|it| format!("{host}{it}#/ backend\n"));
        File::new("m.map", 0o644, Role::Map, lines.collect::<String>())
    };
    let compiled = |file| Compiled {
        bundle: Bundle {
            files: vec![file],
            sections: Vec::new(),
        },
        ..Compiled::default()
    };
    let comparison = compare(&compiled(file("a")), &compiled(file("b")));
    assert_eq!(
        comparison.files[0].sections[0].hunks[0].lines.len(),
        100_000
    );
}
