//! The JSON Schema of configuration keys: it is one, takes what is right, and refuses what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::diagnostic::Diagnostic;
use haproxy_ingress_core::keys::{Key, REGISTRY};
use haproxy_ingress_core::manifest;
use haproxy_ingress_core::options::{Name, Options};
use haproxy_ingress_core::origin::{Field, Origin};
use haproxy_ingress_core::resource::{Meta, Resource};
use haproxy_ingress_core::snapshot::Snapshot;
use haproxy_ingress_core::value::Shape;
use haproxy_ingress_tests::case::{Case, PRELUDE};
use haproxy_ingress_tests::show::show;
use haproxy_ingress_tests::terminal;
use jsonschema::Validator;
use serde_json::{Value, json};

/// The codes of a text that is no value.
const INVALID: &[&str] = &["invalid-port", "invalid-protection", "invalid-value"];

/// The codes of what no schema can know: that a value means nothing where it stands.
const OF_PLACE: &[&str] = &["misplaced-key", "unknown-key"];

#[test]
fn it_is_a_schema_of_the_draft_that_it_names() {
    let schema = schema(&[]);
    jsonschema::draft202012::meta::validate(&schema).expect("it follows the draft");
    validator(&schema);
}

#[test]
fn it_takes_what_cases_write_and_the_engine_takes() {
    let validator = validator(&schema(&[]));
    let cases = Case::all(&Case::folder().join("keys")).unwrap_or_else(|error| panic!("{error}"));
    let mut wrong = Vec::new();
    let (mut taken, mut refused, mut missed) = (0, 0, 0);
    for case in &cases {
        let input = case.input().unwrap_or_else(|error| panic!("{error}"));
        let defaults = Options::default();
        if input.options.annotation_prefixes != defaults.annotation_prefixes {
            continue;
        }
        let objects = &input.snapshot;
        let ingresses = objects.ingresses.values();
        let ingresses = ingresses.map(|it| ("Ingress", it.object_ref(), &it.meta));
        let services = objects.services.values();
        let services = services.map(|it| ("Service", it.object_ref(), &it.meta));
        let mut written: Vec<(Value, Origin)> = Vec::new();
        for (kind, object, Meta { annotations, .. }) in ingresses.chain(services) {
            for (name, text) in annotations {
                let metadata = json!({ "annotations": { &**name: &**text } });
                let field = Field::Annotation(name.clone());
                let origin = Origin::Object(object.clone().into(), field);
                written.push((json!({ "kind": kind, "metadata": metadata }), origin));
            }
        }
        let global = objects.config_maps.values();
        for it in global.filter(|it| *it.meta.name == *"haproxy-ingress") {
            for (name, text) in &it.data {
                let origin = Origin::Object(it.object_ref().into(), Field::Data(name.clone()));
                written.push((config_map(name, text), origin));
            }
        }
        let diagnostics = compile(&input.snapshot, &input.options, None).diagnostics;
        for (object, origin) in written {
            let reports = diagnostics.iter().filter(|it| it.origin == origin);
            let codes: Vec<&str> = reports.map(|it| it.code.name).collect();
            let is_wrong = |codes: &[&str]| {
                codes
                    .iter()
                    .any(|it| INVALID.contains(it) || OF_PLACE.contains(it))
            };
            match (validator.is_valid(&object), is_wrong(&codes)) {
                (true, false) => taken += 1,
                (false, true) => refused += 1,
                (true, true) => missed += 1,
                (false, false) => wrong.push(format!("{}: {object}", case.title)),
            }
        }
    }
    assert!(wrong.is_empty(), "it refuses:\n{}", wrong.join("\n"));
    assert!(
        taken > 1000 && refused > 100,
        "{taken} taken, {refused} refused"
    );
    show(&format!(
        "{taken} texts of cases are taken; of those that the engine refuses, {refused} are refused \
         and {missed} are more than a pattern can say"
    ));
}

/// Texts that some notation or other nearly has.
const TEXTS: &[&str] = &[
    "",
    " ",
    "true",
    "TRUE",
    "tRuE",
    " false\n",
    "t",
    "F",
    "1",
    "0",
    "yes",
    "no",
    "on",
    "off",
    "truefalse",
    "-1",
    "+1",
    "-0",
    "00",
    "007",
    "1.5",
    "1e3",
    "0x10",
    "12 3",
    "64",
    "65",
    "255",
    "256",
    "257",
    "511",
    "512",
    "1000",
    "1001",
    "1023",
    "1024",
    "16384",
    "16385",
    "36500",
    "36501",
    "65535",
    "65536",
    "65545",
    "99999",
    "2147483647",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "-2147483648",
    "-2147483649",
    "-9223372036854775809",
    "79",
    "80",
    "١",
    "5s",
    "5S",
    "5",
    "5 s",
    "-5s",
    "+5s",
    "005s",
    "5ms",
    "5us",
    "5m",
    "5h",
    "5d",
    "5w",
    "1h30m",
    "24d",
    "25d",
    "596h",
    "597h",
    "35791m",
    "35792m",
    "2147483s",
    "2147484s",
    "2147483647ms",
    "2147483648ms",
    "4294967295us",
    "4294967296us",
    "10k",
    "10K",
    "1024g",
    "1025g",
    "1048576m",
    "1048577m",
    "unlimited",
    "Unlimited",
    "1099511627776",
    "1099511627777",
    "1t",
    "200",
    "301",
    "+301",
    "0302",
    "304",
    "307",
    "308",
    "224",
    "384",
    "cookie",
    "COOKIE",
    "cookies",
    "h1",
    "H2",
    "h2-ssl",
    "h3",
    "fcgi",
    "deny",
    "Allow",
    "detect",
    "insert",
    "v1",
    "v2",
    "v2-ssl-cn",
    "optional",
    "optional_no_ca",
    "sequence",
    "pod",
    "ip",
    "deploy",
    "auto",
    "slots",
    "add",
    "update",
    "ifmissing",
    "exact",
    "regex",
    "Prefix",
    "oauth2_proxy",
    "oauth2-proxy",
    "modsecurity",
    "coraza",
    "raw",
    "rfc5424",
    "acme",
    "frontend",
    "backend",
    "server-name",
    "pod-uid",
    "app.example",
    "*.app.example",
    "a b",
    "a,b",
    "-a",
    "10.0.0.1",
    "10.0.0.256",
    "010.0.0.1",
    "::1",
    "[::1]",
    "[10.0.0.1]",
    "10.0.0.0/8",
    "10.0.0.0/33",
    "!10.0.0.1, ::/0,",
    "10.0.0.1 10.0.0.2",
    "x,",
    ",",
    "shop/tls",
    "secret://tls",
    "a/b/c",
    "file:///x",
    "file:///x,/y",
    "file://x",
    "https://ca.example/x",
    "/app",
    "/",
    "//",
    "app",
    "/a b",
    "h2,http/1.1",
    "h2,,x",
    "admin@app.example",
    "a@b@c",
    "GET",
    "GE T",
    "*",
    "X-A",
    "X-A: b",
    "X A",
    "a\nb",
    "a\u{0}b",
    "{{ x }}",
    "é",
];

/// Keys of which the engine says nothing here: it reads them beside others only, `auth-tls-secret` and
/// addresses to bind.
const IS_NOT_READ: [&str; 2] = ["auth-tls-verify-client", "allow-local-bind"];

/// The grammar of times.
const TIME: &str = "a time, such as 30s, 5m or 1h";

#[test]
fn it_says_of_a_text_what_the_engine_says() {
    let validator = validator(&schema(&[]));
    let mut own: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let cases = Case::all(&Case::folder()).unwrap_or_else(|error| panic!("{error}"));
    for case in &cases {
        let input = case.input().unwrap_or_else(|error| panic!("{error}"));
        let data = input.snapshot.config_maps.values().flat_map(|it| &it.data);
        let ingresses = input.snapshot.ingresses.values();
        let services = input.snapshot.services.values();
        let annotations = ingresses
            .flat_map(|it| &it.meta.annotations)
            .chain(services.flat_map(|it| &it.meta.annotations));
        for (name, text) in data.chain(annotations) {
            let name = name.rsplit('/').next().unwrap_or_default();
            if let Some(key) = REGISTRY.find(name) {
                let texts = own.entry(REGISTRY.key(key).name).or_default();
                texts.insert(text.to_string());
            }
        }
    }
    let base = base();
    let mut wrong = Vec::new();
    let (mut taken, mut refused, mut exact) = (0, 0, 0);
    for key in &REGISTRY.keys {
        // What keys of objects mean in the ConfigMap is nothing.
        if key.is_of_object || !is_exact(key) || IS_NOT_READ.contains(&key.name) {
            continue;
        }
        exact += 1;
        let texts = own.get(key.name).into_iter().flatten();
        for text in TEXTS.iter().copied().chain(texts.map(String::as_str)) {
            let engine = engine_refuses(&base, key, text);
            let schema = !validator.is_valid(&config_map(key.name, text));
            match (engine, schema) {
                (false, false) => taken += 1,
                (true, true) => refused += 1,
                (true, false) => wrong.push(format!("{}: it takes {text:?}", key.name)),
                (false, true) => wrong.push(format!("{}: it refuses {text:?}", key.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        exact > 100 && refused > 5_000,
        "{exact} keys, {refused} refused"
    );
    show(&format!(
        "{taken} texts are taken and {refused} refused as the engine does, for {exact} keys"
    ));
}

#[test]
fn a_key_stands_only_where_it_may() {
    let validator = validator(&schema(&["--class-parameters", "ns/class"]));
    let annotated = |kind: &str, name: &str, text: &str| json!({ "kind": kind, "metadata": { "annotations": { name: text } } });
    let class = |name: &str, text: &str| {
        json!({
            "kind": "ConfigMap",
            "metadata": { "name": "class", "namespace": "ns" },
            "data": { name: text },
        })
    };
    for good in [
        annotated("Ingress", "haproxy-ingress.github.io/cors-enable", "true"),
        annotated("Ingress", "ingress.kubernetes.io/cors-enable", "true"),
        annotated("Ingress", "haproxy-ingress.github.io/app-root", "/app"),
        annotated(
            "Ingress",
            "haproxy-ingress.github.io/whitelist-source-range",
            "::1",
        ),
        annotated("Ingress", "nginx.example/cors-enable", "maybe"),
        annotated("Service", "haproxy-ingress.github.io/affinity", "cookie"),
        annotated("Deployment", "haproxy-ingress.github.io/nonsense", "x"),
        config_map("nbthread", "4"),
        config_map("app-root", "/app"),
        class("http-frontend", "internal"),
        json!({ "kind": "ConfigMap", "metadata": { "name": "other" }, "data": { "nonsense": "x" } }),
        json!({ "kind": "Ingress", "metadata": { "name": "app" } }),
    ] {
        assert!(validator.is_valid(&good), "{good}");
        let list = json!({ "kind": "List", "items": [good] });
        assert!(validator.is_valid(&list), "{list}");
    }
    for bad in [
        annotated("Ingress", "haproxy-ingress.github.io/cors-enabel", "true"),
        annotated("Ingress", "ingress.kubernetes.io/cors-enabel", "true"),
        annotated("Ingress", "haproxy-ingress.github.io/cors-enable", "maybe"),
        annotated("Ingress", "ingress.kubernetes.io/cors-enable", "maybe"),
        annotated("Ingress", "haproxy-ingress.github.io/nbthread", "4"),
        annotated("Service", "haproxy-ingress.github.io/app-root", "/app"),
        annotated(
            "Service",
            "haproxy-ingress.github.io/whitelist-source-range",
            "x",
        ),
        config_map("nonsense", "x"),
        config_map("nbthread", "many"),
        config_map("http-frontend", "internal"),
        config_map("tcp-service-port", "5432"),
        class("nbthread", "4"),
        json!({ "kind": "Ingress", "metadata": { "annotations": {
            "haproxy-ingress.github.io/cors-enable": true,
        } } }),
    ] {
        assert!(!validator.is_valid(&bad), "{bad}");
        let list = json!({ "kind": "List", "items": [bad] });
        assert!(!validator.is_valid(&list), "{list}");
    }
}

#[test]
fn names_that_go_are_marked() {
    let schema = schema(&[]);
    let keys = &schema["$defs"]["annotations of an Ingress"]["properties"];
    for prefix in ["haproxy-ingress.github.io", "ingress.kubernetes.io"] {
        assert_eq!(
            keys[format!("{prefix}/whitelist-source-range")]["deprecated"],
            true
        );
        assert_eq!(
            keys[format!("{prefix}/allowlist-source-range")]["deprecated"],
            Value::Null
        );
    }
    assert_eq!(schema["$defs"]["session-cookie-shared"]["deprecated"], true);
}

/// Whether a pattern says all that there is to say about a key's values.
fn is_exact(key: &Key) -> bool {
    match key.shape {
        Shape::Boolean | Shape::Integer { .. } | Shape::Choice { .. } => true,
        Shape::Text { grammar } => grammar == TIME,
        Shape::Lines { .. } => false,
    }
}

/// The schema that the program prints.
fn schema(flags: &[&str]) -> Value {
    let printed = terminal::run([&["keys", "--format", "schema"], flags].concat(), "");
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    serde_json::from_str(&printed.stdout).expect("the program prints JSON")
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::new(schema).expect("its patterns and references can be read")
}

/// The global ConfigMap with one key.
fn config_map(name: &str, text: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "haproxy-ingress", "namespace": "ingress-controller" },
        "data": { name: text },
    })
}

/// Objects with which every key is read: an Ingress for HTTP and one for a TCP service.
fn base() -> Snapshot {
    let ingress = |name: &str, annotations: Value| {
        let rule = json!({ "host": format!("{name}.example"), "http": { "paths": [{
            "path": "/",
            "pathType": "ImplementationSpecific",
            "backend": { "service": { "name": "app", "port": { "number": 8080 } } },
        }] } });
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": { "name": name, "namespace": "default", "annotations": annotations },
            "spec": {
                "ingressClassName": "haproxy",
                "tls": [{ "hosts": [format!("{name}.example")] }],
                "rules": [rule],
            },
        })
    };
    let port = json!({ "haproxy-ingress.github.io/tcp-service-port": "5432" });
    let texts = [
        PRELUDE.to_owned(),
        ingress("app", json!({})).to_string(),
        ingress("tcp", port).to_string(),
    ];
    let files = texts.map(|it| ("base".to_owned(), it));
    let read = manifest::read(&files);
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    read.snapshot()
}

/// Whether the engine finds that a text in the global ConfigMap is no value of a key.
fn engine_refuses(base: &Snapshot, key: &Key, text: &str) -> bool {
    let mut snapshot = base.clone();
    let file = config_map(key.name, text).to_string();
    for object in manifest::read(&[("global".into(), file)]).objects {
        snapshot.insert(object);
    }
    let options = Options {
        config_map: Some(Name::new("ingress-controller", "haproxy-ingress")),
        watch_without_class: true,
        ..Options::default()
    };
    let is_refusal = |it: &Diagnostic| {
        let is_its =
            matches!(&it.origin, Origin::Object(_, Field::Data(name)) if **name == *key.name);
        // Another finding about a value is that what it needs is missing.
        is_its && INVALID.contains(&it.code.name) && it.message.contains("expected ")
    };
    compile(&snapshot, &options, None)
        .diagnostics
        .iter()
        .any(is_refusal)
}
