//! `lint --verdicts`: every key on every object has one, and it is true.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use haproxy_ingress_core::bundle::Bundle;
use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::diagnostic::codes;
use haproxy_ingress_core::keys::REGISTRY;
use haproxy_ingress_core::options::{Name, Options};
use haproxy_ingress_core::origin::{Field, Kind, ObjectRef, Origin};
use haproxy_ingress_core::resource::{Object, Resource as _};
use haproxy_ingress_core::snapshot::Snapshot;
use haproxy_ingress_core::verdict::{Outcome, Verdict, judge};
use haproxy_ingress_tests::case::Case;
use haproxy_ingress_tests::show::show;
use serde_json::Value;

use crate::{Folder, endpoints, shop};

/// Codes of findings that say what happens in place of what is written, and which changes the
/// configuration all the same.
const INSTEAD: [(&str, &str); 9] = [
    ("invalid-protection", "what the key protects is denied"),
    ("unsupported-protection", "what the key protects is denied"),
    (
        "unprotected",
        "what the key protects is served all the same",
    ),
    ("invalid-path", "the paths are left out"),
    ("invalid-port", "the Ingress is left out"),
    ("conflict", "the Ingress is left out"),
    ("not-found", "what the key asks for is left out"),
    (
        "not-permitted",
        "what the operator says of all counts, or what holds for all",
    ),
    (
        "unsupported",
        "what HAProxy has in its place counts, or what holds for all",
    ),
];

#[test]
fn every_key_of_every_case_has_one_verdict_and_it_is_true() {
    let cases = Case::all(&Case::folder()).unwrap_or_else(|error| panic!("{error}"));
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut keys, mut applied, mut silent) = (0, 0, 0);
    for case in &cases {
        let input = case.input().unwrap_or_else(|error| panic!("{error}"));
        let (compiled, verdicts) = judge(&input.snapshot, &input.options);
        // Noting what is read changes nothing.
        let plain = compile(&input.snapshot, &input.options, None);
        assert_eq!(plain.bundle, compiled.bundle, "{}", case.title);
        assert_eq!(plain.diagnostics, compiled.diagnostics, "{}", case.title);
        let mut by_origin: BTreeMap<&Origin, &Verdict> = BTreeMap::new();
        for it in &verdicts {
            *counts.entry(it.fate.name()).or_default() += 1;
            let twice = by_origin.insert(&it.origin, it);
            assert!(
                twice.is_none(),
                "{} has two verdicts in {}",
                it.origin,
                case.title
            );
        }
        let written = written(&input.snapshot, &input.options);
        keys += written.len();
        for origin in written {
            let Some(verdict) = by_origin.get(&origin) else {
                wrong.push(format!("{}: {origin} has no verdict", place(case)));
                continue;
            };
            let other = compile(&without(&input.snapshot, &origin), &input.options, None);
            let changes = texts(&other.bundle) != texts(&compiled.bundle);
            let is_applied = verdict.fate == Outcome::Applied;
            applied += usize::from(is_applied && changes);
            silent += usize::from(is_applied && !changes);
            let mut findings = compiled.diagnostics.iter().filter(|it| it.origin == origin);
            let is_instead =
                findings.any(|it| INSTEAD.iter().any(|instead| instead.0 == it.code.name));
            if is_applied && !changes && verdict.lines == 0 {
                wrong.push(format!(
                    "{}: {origin} is applied, and the configuration is the same without it",
                    place(case)
                ));
            }
            if changes && !is_applied && !is_instead {
                let diagnostics = compiled.diagnostics.iter().filter(|it| it.origin == origin);
                let diagnostics: Vec<String> = diagnostics.map(ToString::to_string).collect();
                wrong.push(format!(
                    "{}: {origin} is {}, and its removal changes the configuration; {diagnostics:?}",
                    place(case),
                    verdict.fate
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        keys > 500 && applied > 300,
        "{keys} keys, {applied} applied"
    );
    show(&format!(
        "{keys} keys of {} cases: {applied} applied that change the configuration, {silent} that say \
         what holds anyway; {counts:?}",
        cases.len()
    ));
}

/// What HAProxy reads.
fn texts(bundle: &Bundle) -> Vec<(&str, u32, &str)> {
    let files = bundle.files.iter();
    files.map(|it| (&*it.path, it.mode, &*it.content)).collect()
}

fn place(case: &Case) -> String {
    format!("{}:{} ({})", case.file.display(), case.line, case.title)
}

/// Every annotation with one of our prefixes, and every key of ConfigMaps that are read as keys.
fn written(snapshot: &Snapshot, options: &Options) -> Vec<Origin> {
    let mut all = Vec::new();
    let ingresses = snapshot
        .ingresses
        .values()
        .map(|it| (it.object_ref(), &it.meta));
    let services = snapshot
        .services
        .values()
        .map(|it| (it.object_ref(), &it.meta));
    for (object, meta) in ingresses.chain(services) {
        let object = Arc::new(object);
        for name in meta.annotations.keys() {
            let prefix = name.split_once('/').map(|it| it.0);
            if options
                .annotation_prefixes
                .iter()
                .any(|it| Some(&**it) == prefix)
            {
                all.push(Origin::Object(
                    object.clone(),
                    Field::Annotation(name.clone()),
                ));
            }
        }
    }
    let classes = snapshot.ingress_classes.values();
    let mut read: BTreeSet<Name> = classes
        .filter(|it| *it.spec.controller == *options.controller_name)
        .filter_map(|it| {
            let it = it.spec.parameters.as_ref()?;
            let here = || options.controller_namespace.as_str().into();
            Some(Name::new(
                it.namespace.clone().unwrap_or_else(here),
                it.name.clone(),
            ))
        })
        .collect();
    read.extend(options.config_map.clone());
    for name in read {
        let Some(it) = snapshot.config_maps.get(&name) else {
            continue;
        };
        let object = Arc::new(it.object_ref());
        let keys = it.data.keys();
        all.extend(keys.map(|it| Origin::Object(object.clone(), Field::Data(it.clone()))));
    }
    all
}

/// The same objects without one key.
fn without(snapshot: &Snapshot, origin: &Origin) -> Snapshot {
    let (Some(object), Some(field)) = (origin.object(), origin.field()) else {
        panic!("{origin} is no field");
    };
    let mut snapshot = snapshot.clone();
    let ObjectRef {
        kind,
        namespace,
        name,
    } = &**object;
    let name = Name::new(namespace.clone(), name.clone());
    let changed = match (kind, field) {
        (Kind::Ingress, Field::Annotation(key)) => {
            let mut it = (*snapshot.ingresses[&name]).clone();
            it.meta.annotations.remove(key);
            Object::Ingress(it.into())
        }
        (Kind::Service, Field::Annotation(key)) => {
            let mut it = (*snapshot.services[&name]).clone();
            it.meta.annotations.remove(key);
            Object::Service(it.into())
        }
        (Kind::ConfigMap, Field::Data(key)) => {
            let mut it = (*snapshot.config_maps[&name]).clone();
            it.data.remove(key);
            Object::ConfigMap(it.into())
        }
        _ => panic!("{origin} is no key"),
    };
    snapshot.insert(changed);
    snapshot
}

/// One of each verdict.
fn all() -> Folder {
    let mut shop = shop(&[
        ("timeout-server", "10s"),
        ("timeout-connect", "soon"),
        ("syslog-endpoint", "10.0.0.9:514"),
        ("cors-enabel", "true"),
        ("cors-max-age", "60"),
        ("balance-algorithm", "leastconn"),
    ]);
    shop = shop.replace(
        "metadata: {name: shop, namespace: default}\nspec: {ports",
        "metadata:\n  name: shop\n  namespace: default\n  annotations: \
         {haproxy-ingress.github.io/balance-algorithm: random}\nspec: {ports",
    );
    let foreign = self::shop(&[("timeout-server", "1s")])
        .replace("name: shop\n", "name: other\n")
        .replace("ingressClassName: haproxy", "ingressClassName: nginx")
        .split("---\n")
        .next()
        .unwrap_or_default()
        .replace(
            "annotations:\n",
            "annotations:\n    nginx.ingress.kubernetes.io/ssl-redirect: \"true\"\n",
        );
    Folder::new(&[
        ("shop.yaml", &shop),
        ("slices.yaml", &endpoints(&["10.0.0.1"])),
        ("other.yaml", &foreign),
        (
            "global.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf, namespace: ingress}\ndata:\n  \
             timeout-server: 1s\n  syslog-endpoint: 10.0.0.8:514\n",
        ),
    ])
}

#[test]
fn each_verdict_is_shown_with_its_reason() {
    let files = [
        "lint",
        "-f",
        ".",
        "--configmap",
        "ingress/conf",
        "--verdicts",
    ];
    let folder = all();
    let printed = folder.run(&files);
    assert_eq!((printed.code, &*printed.stderr), (0, ""));
    let row = |start: &str| {
        let mut lines = printed.stdout.lines();
        let found = lines.find(|it| {
            it.trim_start()
                .split_once(' ')
                .is_some_and(|it| it.1.trim_start().starts_with(start))
        });
        found
            .unwrap_or_else(|| panic!("no {start} in:\n{}", printed.stdout))
            .to_owned()
    };
    for (start, verdict) in [
        ("timeout-connect ", "invalid"),
        ("cors-enabel ", "unknown"),
        ("cors-max-age ", "no effect"),
        ("syslog-endpoint ", "misplaced"),
        ("ssl-redirect ", "of another controller"),
    ] {
        assert!(row(start).contains(verdict), "{}", row(start));
    }
    for expected in [
        "Ingress default/other (other.yaml)\n",
        "balance-algorithm  overridden             by Service default/shop ",
    ] {
        assert!(
            printed.stdout.contains(expected),
            "{expected}\n{}",
            printed.stdout
        );
    }
    let summary = printed.stdout.lines().last().unwrap_or_default();
    assert!(summary.starts_with("11 keys: "), "{summary}");

    let json = folder.run(&[&files[..], &["--format", "json"]].concat());
    let all: Value = serde_json::from_str(&json.stdout).expect("it is one document");
    let verdicts = all["verdicts"].as_array().expect("a list");
    assert_eq!(verdicts.len(), 11);
    let overridden = verdicts
        .iter()
        .find(|it| it["verdict"] == "overridden")
        .expect("there is one");
    assert!(overridden["by"]["place"]["line"].is_u64(), "{overridden}");
    let refused = folder.run(&[&files[..], &["--format", "sarif"]].concat());
    assert_eq!(refused.code, 2);
}

#[test]
fn whoever_asks_for_the_same_as_an_older_object_is_applied_too() {
    let one = shop(&[("timeout-server", "10s"), ("timeout-queue", "soon")]);
    let two = one
        .split("---\n")
        .next()
        .unwrap_or_default()
        .replace("name: shop\n", "name: two\n");
    let two = two.replace("path: /\n", "path: /two\n");
    let folder = Folder::new(&[
        ("one.yaml", &one),
        ("two.yaml", &two),
        ("s.yaml", &endpoints(&["10.0.0.1"])),
    ]);
    let json = folder.run(&["lint", "-f", ".", "--verdicts", "--format", "json"]);
    let all: Value = serde_json::from_str(&json.stdout).expect("it is one document");
    let fates: Vec<(&str, &str)> = all["verdicts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| Some((it["key"].as_str()?, it["verdict"].as_str()?)))
        .collect();
    let of = |key: &str| {
        fates
            .iter()
            .filter(|it| it.0 == key)
            .map(|it| it.1)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("timeout-server"), ["applied", "applied"]);
    assert_eq!(of("timeout-queue"), ["invalid", "invalid"]);
}

#[test]
fn each_code_of_an_exception_is_one() {
    for (name, _) in INSTEAD {
        assert!(codes::find(name).is_some(), "{name}");
    }
    assert!(REGISTRY.find("timeout-server").is_some());
}
