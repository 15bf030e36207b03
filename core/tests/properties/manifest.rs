//! No text makes the reader fail, and every finding can be found again in the text.

use haproxy_ingress_core::manifest::{Manifests, read};
use haproxy_ingress_core::origin::{Field, Origin};
use proptest::prelude::*;

/// Every notation that manifests use: anchors, merge keys, blocks, flow, lists, comments.
const SEED: &str = r#"# a comment
apiVersion: v1
kind: List
items:
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  metadata:
    name: web
    namespace: shop
    annotations: &notes
      haproxy-ingress.github.io/cors-max-age: "1 day"
      haproxy-ingress.github.io/cors-enable: yes
      haproxy-ingress.github.io/config-backend: |
        http-request deny
        # ä
  spec:
    rules:
    - host: web.example
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 8080}}}}]}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: conf}
  data:
    <<: *notes
    maxconn: 0755
---
{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 8080}]}}
...
---
kind: Secret
apiVersion: v1
metadata:
  name: 'tls'
data:
  tls.crt: !!str aGVsbG8=
  "tls.key": >-
    aGVs
    bG8=
"#;

fn parse(text: &str) -> Manifests {
    read(&[("a.yaml".into(), text.into())])
}

/// Each place lies in the text and says its line and column truly.
fn check(text: &str) -> Result<(), TestCaseError> {
    let manifests = parse(text);
    let objects = manifests
        .objects
        .iter()
        .map(|it| Origin::Object(std::sync::Arc::new(it.object_ref()), Field::Object));
    let findings = manifests
        .diagnostics
        .iter()
        .flat_map(|it| it.related.iter().chain([&it.origin]));
    for origin in objects.chain(findings.cloned()) {
        let place = manifests.positions.locate(&origin);
        let place = place.ok_or_else(|| TestCaseError::fail(format!("{origin} is nowhere")))?;
        prop_assert!(
            text.get(place.span.clone()).is_some(),
            "{origin}: {place:?}"
        );
        let before = &text[..place.span.start];
        let line = before.matches('\n').count() + 1;
        prop_assert_eq!(place.line as usize, line, "{}", origin);
        let start = before.rfind('\n').map_or(0, |it| it + 1);
        let column = before[start..]
            .trim_start_matches('\u{feff}')
            .chars()
            .count()
            + 1;
        prop_assert_eq!(place.column as usize, column, "{}", origin);
    }
    for offset in [0, text.len() / 2, text.len()] {
        let _ = manifests.positions.at("a.yaml", offset);
    }
    Ok(())
}

/// An edit: what is taken away, at which place, and what comes there.
fn edits() -> impl Strategy<Value = Vec<(usize, usize, String)>> {
    let piece = prop_oneof![
        Just(String::new()),
        "[-:,\\[\\]{}&*!|>'\"%@`#?~<= \t\r\n]{1,4}",
        Just("\n---\n".into()),
        Just("&a *a".into()),
        Just("<<: ".into()),
        Just("\u{feff}".into()),
        Just("\r\n".into()),
        Just("99999999999999999999".into()),
        Just(".inf".into()),
        Just("!!binary ".into()),
        any::<String>(),
    ];
    prop::collection::vec((0..SEED.len(), 0_usize..12, piece), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn any_lines_of_signs_are_read(text in "([ ]{0,4}([-?:] |[a-z]{1,3}: |[&*]a |[\\[{,}\\]]|'|\"|[|>]|#|---|\\.\\.\\.)[a-z0-9é]{0,3}(\r?\n)?){0,30}") {
        check(&text)?;
    }

    #[test]
    fn any_edit_of_a_manifest_is_read(edits in edits()) {
        let mut text = SEED.to_owned();
        for (start, length, piece) in edits {
            let start = text.floor_char_boundary(start);
            let end = text.ceil_char_boundary((start + length).min(text.len()));
            text.replace_range(start.min(end)..end, &piece);
        }
        check(&text)?;
    }
}

#[test]
fn the_seed_itself_is_read_whole() {
    let manifests = parse(SEED);
    assert_eq!(manifests.objects.len(), 4, "{:#?}", manifests.diagnostics);
    let codes: Vec<_> = manifests
        .diagnostics
        .iter()
        .map(|it| it.code.name)
        .collect();
    assert_eq!(codes, ["not-a-string", "not-a-string", "not-a-string"]);
}
