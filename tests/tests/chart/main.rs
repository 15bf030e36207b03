//! The chart: Helm renders it, Kubernetes knows every field, our program takes every flag, and HAProxy's
//! container is as the documentation has it.

mod helm;
mod kubernetes;
mod monitoring;
mod rights;
mod shape;
mod values;

use std::collections::BTreeSet;

use haproxy_ingress_tests::{terminal, tree};
use serde_json::Value;

use crate::helm::{Install, NAMESPACE, Rendered};

/// Everything that is documented, the chart alone, and what the existing chart takes.
fn installations() -> Vec<(String, Install)> {
    let mut all = vec![("no values".to_owned(), Install::default())];
    for path in helm::documented() {
        let path = path.display().to_string();
        all.push((path.clone(), Install::default().with(&path)));
    }
    let existing = tree::root().join("tests/tests/chart/values.yaml");
    let existing = Install::default().with(&existing.display().to_string());
    all.push((
        "all values, as a DaemonSet".into(),
        existing.clone().set("controller.kind", r#""DaemonSet""#),
    ));
    all.push((
        "all values, embedded".into(),
        existing.clone().set("controller.haproxy.enabled", "false"),
    ));
    all.push((
        "scaled, with the exporter and old contexts".into(),
        existing
            .clone()
            .set("controller.legacySecurityContext", "true")
            .set("controller.autoscaling.enabled", "true")
            .set("controller.metrics.embedded", "false")
            .set("controller.podMonitor.enabled", "true")
            .set("controller.logs.probes", "true")
            .set("controller.maxUnavailable", r#""25%""#),
    ));
    all.push(("all values".into(), existing));
    all
}

/// The configuration of each installation as the engine reads it.
fn config_map(rendered: &Rendered) -> String {
    rendered.object("ConfigMap", "haproxy-ingress").to_string()
}

#[test]
fn helm_finds_nothing_to_say() {
    let mut arguments = vec!["lint".to_owned(), "--strict".into()];
    arguments.push(helm::chart().display().to_string());
    for path in helm::documented() {
        let mut arguments = arguments.clone();
        arguments.push(format!("--values={}", path.display()));
        let output = helm::helm(&arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}:\n{text}", path.display());
        assert!(!text.contains("[WARNING]"), "{}:\n{text}", path.display());
    }
}

#[test]
fn every_object_is_one_of_kubernetes_and_stands_once() {
    for (name, install) in installations() {
        let rendered = install.rendered();
        let faults: Vec<String> = rendered
            .objects
            .iter()
            .flat_map(kubernetes::faults)
            .collect();
        assert!(faults.is_empty(), "{name}: {faults:#?}");
        let mut seen = BTreeSet::new();
        for it in &rendered.objects {
            let metadata = &it["metadata"];
            let id = format!(
                "{} {} {}",
                it["kind"], metadata["namespace"], metadata["name"]
            );
            assert!(seen.insert(id.clone()), "{name}: {id} stands twice");
        }
        let blank = rendered
            .text
            .lines()
            .find(|it| !it.is_empty() && it.trim().is_empty());
        assert_eq!(blank, None, "{name}: a line of blanks");
    }
}

#[test]
fn every_flag_is_one_that_our_program_takes_and_heeds() {
    let help = terminal::run(["--help"], "").stdout;
    let (_, ignored) = help
        .split_once("Accepted and ignored:")
        .expect("the help lists what is ignored");
    for (name, install) in installations() {
        let rendered = install.rendered();
        for container in ["haproxy-ingress", "haproxy-ingress-init"] {
            let is_there = rendered.text.contains(&format!("name: {container}\n"));
            if !is_there {
                continue;
            }
            let mut args = rendered.args(container);
            // Flags are checked before this one is obeyed.
            args.push("--version".into());
            let printed = terminal::run(&args, "");
            assert_eq!(printed.code, 0, "{name}: {args:?}: {}", printed.stderr);
        }
        if name.starts_with("all values") || name.starts_with("scaled") {
            continue;
        }
        for flag in rendered.args("haproxy-ingress") {
            let flag = flag.split('=').next().unwrap_or_default();
            let is_ignored = ignored
                .lines()
                .any(|it| it.trim().split(' ').next() == Some(flag));
            assert!(!is_ignored, "{name}: {flag} has no effect");
        }
    }
}

#[test]
fn a_flag_that_does_not_exist_would_be_found() {
    let printed = terminal::run(["--no-such-flag=1", "--version"], "");
    assert_eq!(printed.code, 2, "{}", printed.stdout);
}

#[test]
fn every_key_of_the_configuration_is_known_and_every_value_is_right() {
    for (name, install) in installations() {
        let rendered = install.rendered();
        let configmap = format!("--configmap={NAMESPACE}/haproxy-ingress");
        let args = ["render", "-f", "-", "--deny=notice", &configmap];
        let printed = terminal::run(args, &config_map(&rendered));
        assert_eq!(printed.code, 0, "{name}: {}", printed.stderr);
        for port in ["healthz-port", "stats-port"] {
            let data = rendered.data("haproxy-ingress");
            assert!(data.iter().any(|(key, _)| key == port), "{name}: no {port}");
        }
    }
}

#[test]
fn a_key_that_does_not_exist_would_be_found() {
    let rendered = Install::default()
        .set("controller.config.no-such-key", r#""1""#)
        .rendered();
    let configmap = format!("--configmap={NAMESPACE}/haproxy-ingress");
    let args = ["render", "-f", "-", "--deny=notice", &configmap];
    let printed = terminal::run(args, &config_map(&rendered));
    assert_eq!(printed.code, 1, "{}", printed.stderr);
    assert!(printed.stderr.contains("no-such-key"), "{}", printed.stderr);
}

/// What must be so of every container, whatever the values.
#[test]
fn no_container_of_ours_may_more_than_it_needs() {
    for path in helm::documented() {
        let rendered = Install::default()
            .with(&path.display().to_string())
            .rendered();
        let pod = rendered.pod();
        let name = path.display();
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
            "{name}"
        );
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        let containers = pod["containers"].as_array().into_iter().flatten();
        let init = pod["initContainers"].as_array().into_iter().flatten();
        for container in containers.chain(init) {
            let own = &container["securityContext"];
            let who = format!("{name}: {}", container["name"]);
            assert_eq!(own["readOnlyRootFilesystem"], true, "{who}");
            assert_eq!(helm::words(&own["capabilities"]["drop"]), ["ALL"], "{who}");
            let serves = container["ports"]
                .as_array()
                .is_some_and(|it| it.iter().any(|it| it["name"] == "healthz"));
            let by_file = ["capability", "runtime", "host-network"]
                .iter()
                .any(|it| path.to_string_lossy().contains(it));
            assert_eq!(
                own["allowPrivilegeEscalation"],
                Value::Bool(serves && by_file),
                "{who}"
            );
            let is_controller = container["name"] == "haproxy-ingress";
            let has_token = container["volumeMounts"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|it| it["name"] == "kube-api-access");
            assert_eq!(has_token, is_controller, "{who}");
            let is_root = own["runAsUser"] == 0;
            assert_eq!(
                is_root,
                path.ends_with("external-root.yaml") && container["name"] == "haproxy",
                "{who}"
            );
        }
    }
}

#[test]
fn versions_agree_wherever_they_stand() {
    let root = tree::root();
    let workspace = tree::read(&root.join("Cargo.toml"));
    let field = |name: &str| {
        let line = workspace.lines().find(|it| it.starts_with(name));
        let value = line.and_then(|it| it.split('"').nth(1));
        value.expect("the workspace says it").to_owned()
    };
    let (version, rust) = (field("version = "), field("rust-version = "));
    let chart = tree::read(&helm::chart().join("Chart.yaml"));
    for line in [
        format!("version: {version}"),
        format!("appVersion: {version}"),
    ] {
        assert!(
            chart.lines().any(|it| it == line),
            "no `{line}` in:\n{chart}"
        );
    }
    let image = tree::read(&root.join("deploy/Dockerfile"));
    assert!(
        image.lines().any(|it| it == format!("ARG RUST={rust}")),
        "{image}"
    );
    // The same HAProxy in the image and beside the controller, and one that is tested.
    let haproxy = image
        .lines()
        .find_map(|it| it.strip_prefix("ARG HAPROXY="))
        .expect("the image has a HAProxy");
    let rendered = Install::of("external").rendered();
    let beside = rendered.container("haproxy")["image"].as_str();
    assert_eq!(beside, Some(format!("docker.io/{haproxy}").as_str()));
    assert!(haproxy.starts_with("haproxy:2.8"), "{haproxy}");
}

#[test]
fn every_link_of_the_guides_leads_somewhere() {
    let docs = tree::root().join("docs");
    for guide in [
        "getting-started",
        "external-haproxy",
        "operations",
        "migrate-from-haproxy-ingress",
        "migrate-from-ingress-nginx",
    ] {
        let text = tree::read(&docs.join(format!("{guide}.md")));
        let links = text.split("](").skip(1);
        let links = links.filter_map(|it| it.split(')').next());
        let mut count = 0;
        for link in links.filter(|it| !it.starts_with("http")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => docs.join(format!("{guide}.md")),
                path => docs.join(path),
            };
            assert!(target.exists(), "{guide}: {link}");
            if !anchor.is_empty() {
                let title = |it: &str| it.trim_start_matches('#').trim().to_lowercase();
                let slug = |it: &str| title(it).replace(' ', "-").replace(['.', ',', '`'], "");
                let text = tree::read(&target);
                let mut titles = text.lines().filter(|it| it.starts_with('#'));
                assert!(titles.any(|it| slug(it) == anchor), "{guide}: {link}");
            }
            count += 1;
        }
        assert!(count > 0, "{guide} leads nowhere");
    }
}

#[test]
fn every_key_that_the_guides_name_is_one() {
    // In tables of the guide the keys of this project stand in the second column.
    let guide = tree::root().join("docs/migrate-from-ingress-nginx.md");
    let known = terminal::run(["keys", "--format=json"], "").stdout;
    let mut count = 0;
    for row in tree::read(&guide).lines().filter(|it| it.starts_with('|')) {
        let column = row.split('|').nth(2).unwrap_or_default();
        for word in column.split('`').skip(1).step_by(2) {
            let key = word.split([':', ' ']).next().unwrap_or_default();
            let is_other = key.contains(['*', '.', '/', '(']) || key.starts_with("--");
            if is_other || key.ends_with("CODE") || !key.contains('-') {
                continue;
            }
            assert!(
                known.contains(&format!("\"{key}\"")),
                "there is no key {key}"
            );
            count += 1;
        }
    }
    assert!(count > 20, "{count} keys are named");
}
