//! The examples of the playground: each finds what it says, and HAProxy accepts what comes of it.
//!
//! Comments at the head of an example say more of it: `# configmap: NAMESPACE/NAME` is the global
//! ConfigMap, `# finds: CODE…` are the findings that it is there to show, `# request: …` are requests that
//! the page asks about.

use std::collections::BTreeSet;
use std::path::Path;

use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::manifest;
use haproxy_ingress_core::options::{DefaultCertificate, Options};
use haproxy_ingress_tests::haproxy::{Folder, Haproxy};

/// What a comment at the head of an example says.
fn said<'a>(text: &'a str, what: &str) -> Option<&'a str> {
    let comments = text.lines().take_while(|it| it.starts_with('#'));
    let mut values = comments.filter_map(|it| it.strip_prefix("# ")?.strip_prefix(what));
    values.next().map(str::trim)
}

#[test]
fn every_example_finds_what_it_says_and_haproxy_accepts_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let files = std::fs::read_dir(&folder).expect("the examples are there");
    let mut count = 0;
    for entry in files {
        let path = entry.expect("the folder is readable").path();
        if path.extension().is_none_or(|it| it != "yaml") {
            continue;
        }
        count += 1;
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).expect("the example is readable");
        let haproxy = Haproxy::find();
        let here = Folder::new();
        let certificate = rcgen::generate_simple_self_signed(vec!["ingress.local".to_owned()]);
        let certificate = certificate.expect("it is the name of a host");
        let pem = format!(
            "{}{}",
            certificate.cert.pem(),
            certificate.signing_key.serialize_pem()
        );
        let config_map = said(&text, "configmap:");
        let options = Options {
            haproxy: haproxy.version,
            prefix: here.prefix(),
            watch_without_class: true,
            config_map: config_map.map(|it| it.parse().expect("it is the name of a ConfigMap")),
            default_certificate: DefaultCertificate::Pem(pem.into()),
            ..Options::default()
        };
        let manifests = manifest::read(&[(name.clone(), text.clone())]);
        let mut snapshot = manifests.snapshot();
        let mut found = manifests.diagnostics.clone();
        found.extend(manifest::complete(&mut snapshot, &options));
        let compiled = compile(&snapshot, &options, None);
        found.extend(compiled.diagnostics.iter().cloned());
        let found: BTreeSet<&str> = found.iter().map(|it| it.code.name).collect();
        let expected = said(&text, "finds:").unwrap_or_default();
        let expected: BTreeSet<&str> = expected.split_whitespace().collect();
        assert_eq!(found, expected, "{name}");
        let verdict = haproxy.check(&compiled.bundle, &here);
        assert!(verdict.accepted, "{name}: {}", verdict.output);
    }
    assert!(count > 8, "only {count} examples in {}", folder.display());
}
