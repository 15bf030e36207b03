//! Values: those of the existing chart, those that are wrong, and those without effect.

use haproxy_ingress_tests::tree;
use serde_json::json;

use crate::helm::Install;

/// What the existing chart takes, all of it.
fn existing() -> Install {
    let path = tree::root().join("tests/tests/chart/values.yaml");
    Install::default().with(&path.display().to_string())
}

#[test]
fn every_value_of_the_existing_chart_has_its_effect() {
    let rendered = existing().rendered();
    assert_eq!(
        rendered.args("haproxy-ingress"),
        [
            "--configmap=ingress-controller/haproxy-ingress",
            "--ingress-class=edge",
            "--master-socket=/var/run/haproxy/master.sock",
            "--tcp-services-configmap=ingress-controller/haproxy-ingress-tcp",
            "--default-backend-service=ingress-controller/haproxy-ingress-default-backend",
            "--controller-class=edge",
            "--publish-service=ingress-controller/other",
            "--wait-before-shutdown=10s",
            "--disable-external-name",
            "--sort-endpoints-by=ip",
            "--update-status=false",
            "--v=3",
            "--watch-ingress-without-class=true",
        ]
    );
    let data = rendered.data("haproxy-ingress");
    let value = |key: &str| {
        let found = data.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(value("healthz-port"), Some("10353"));
    assert_eq!(value("stats-port"), Some("1937"));
    assert_eq!(value("prometheus-port"), Some("9102"));
    assert_eq!(value("stats-auth"), Some("haproxy-ingress:secret"));
    assert_eq!(value("nbthread"), Some("2"));
    // The side-car for logs would have another one; what is written wins.
    assert_eq!(value("syslog-endpoint"), Some("192.0.2.9:514"));

    let pod = rendered.pod();
    let affinity = pod["affinity"].as_object().expect("both parts are there");
    assert_eq!(affinity.len(), 2, "{affinity:?}");
    let names: Vec<_> = pod["containers"]
        .as_array()
        .expect("there are containers")
        .iter()
        .map(|it| it["name"].as_str().expect("they have names"))
        .collect();
    assert_eq!(names, ["haproxy-ingress", "haproxy", "access-logs", "more"]);
    assert_eq!(
        rendered.container("haproxy-ingress")["image"],
        "registry.example/haproxy-ingress:v1"
    );
    let haproxy = rendered.container("haproxy");
    let ports: Vec<_> = haproxy["ports"]
        .as_array()
        .expect("it has ports")
        .iter()
        .map(|it| it["name"].as_str().expect("they have names"))
        .collect();
    assert_eq!(
        ports,
        [
            "http",
            "https",
            "metrics",
            "stats",
            "healthz",
            "15432-tcp",
            "5432-tcp"
        ]
    );
    let mounts = haproxy["volumeMounts"].to_string();
    assert!(
        mounts.contains("/more") && mounts.contains("/etc/haproxy-custom-files"),
        "{mounts}"
    );
    assert_eq!(
        rendered.object("IngressClass", "edge")["spec"]["controller"],
        "haproxy-ingress.github.io/controller/edge"
    );
    for (kind, name) in [
        ("ConfigMap", "haproxy-ingress-tcp"),
        ("ConfigMap", "haproxy-ingress-custom-files"),
        ("Deployment", "haproxy-ingress-default-backend"),
        ("PodDisruptionBudget", "haproxy-ingress"),
        ("PodDisruptionBudget", "haproxy-ingress-default-backend"),
        ("Service", "haproxy-ingress-default-backend"),
        ("Service", "haproxy-ingress-extra-0"),
        ("Service", "haproxy-ingress-metrics"),
        ("Service", "haproxy-ingress-stats"),
        ("ServiceAccount", "proxy"),
        ("ServiceMonitor", "haproxy-ingress"),
        ("VerticalPodAutoscaler", "haproxy-ingress"),
    ] {
        rendered.object(kind, name);
    }
    let extra = rendered.object("Service", "haproxy-ingress-extra-0");
    assert_eq!(extra["spec"]["type"], "ClusterIP");
    assert_eq!(extra["spec"].get("clusterIP"), None);
}

#[test]
fn what_has_no_effect_is_said() {
    let notes = existing().notes();
    for value in [
        "rbac.secret.write",
        "rbac.security.enable",
        "controller.gatewayClassResource",
    ] {
        assert!(
            notes
                .lines()
                .any(|it| it.contains(value) && it.contains("no effect")),
            "{value}: {notes}"
        );
    }
    let signing = Install::default().set("controller.extraArgs", r#"{"acme-server":true}"#);
    assert!(signing.notes().contains("acme-server"), "it has no rights");
    let signing = signing.set("rbac.secret.write", "true").notes();
    assert!(!signing.contains("WARNING"), "{signing}");
    let plain = Install::default().notes();
    assert!(!plain.contains("WARNING"), "{plain}");
}

#[test]
fn what_is_wrong_is_refused_with_a_reason() {
    for (path, value, why) in [
        ("controller.nodeSelectr", "{}", "nodeSelectr"),
        ("controller.kind", r#""StatefulSet""#, "/controller/kind"),
        ("controller.healthzPort", "70000", "/controller/healthzPort"),
        (
            "controller.haproxy.enabled",
            r#""yes""#,
            "/controller/haproxy/enabled",
        ),
        (
            "controller.defaultBackendService",
            r#""app""#,
            "/controller/defaultBackendService",
        ),
        (
            "controller.template",
            r#""global\n""#,
            "controller.templates",
        ),
        (
            "controller.metrics",
            r#"{"enabled":true,"embedded":false}"#,
            "controller.stats.enabled",
        ),
    ] {
        let error = Install::default()
            .set(path, value)
            .render()
            .expect_err(path);
        assert!(error.contains(why), "{path}: {error}");
    }
    let both = Install::default()
        .set(
            "controller.vpa",
            r#"{"enabled":true,"updatePolicy":{"updateMode":"Recreate"}}"#,
        )
        .set("controller.autoscaling.enabled", "true");
    let error = both.render().expect_err("both change the Pods");
    assert!(error.contains("controller.vpa"), "{error}");
}

#[test]
fn a_key_that_is_blank_is_one_that_is_not_there() {
    let mut blank = Install::of("external");
    for path in [
        "extraArgs",
        "config",
        "affinity",
        "podAffinity",
        "podLabels",
        "podAnnotations",
        "securityContext",
        "podSecurityContext",
        "securityContextInitContainer",
        "tcp",
        "customFiles",
        "templates",
        "extraServices",
        "resources",
        "haproxy.securityContext",
        "haproxy.extraArgs",
    ] {
        blank = blank.set(&format!("controller.{path}"), "null");
    }
    let written = Install::of("external").rendered();
    assert_eq!(blank.rendered().pod(), written.pod());
}

#[test]
fn a_switch_that_is_off_is_off() {
    let rendered = Install::default()
        .set(
            "controller.extraArgs",
            r#"{"update-status":false,"v":0,"log-zap":true,"stop-handler":"","sync-period":"1h"}"#,
        )
        .rendered();
    let args = rendered.args("haproxy-ingress");
    assert_eq!(
        args[args.len() - 5..],
        [
            "--log-zap=true",
            "--stop-handler",
            "--sync-period=1h",
            "--update-status=false",
            "--v=0",
        ]
    );
}

#[test]
fn a_flag_that_is_written_takes_the_place_of_the_charts() {
    let rendered = Install::default()
        .set(
            "controller.extraArgs",
            r#"{"ingress-class":"edge","configmap":"a/b","healthz-port":10299}"#,
        )
        .set("controller.metrics.enabled", "true")
        .rendered();
    let args = rendered.args("haproxy-ingress");
    assert_eq!(
        args,
        [
            "--wait-before-shutdown=10s",
            "--configmap=a/b",
            "--healthz-port=10299",
            "--ingress-class=edge",
        ]
    );
    let ports = rendered.container("haproxy-ingress")["ports"].to_string();
    assert!(ports.contains("10299"), "{ports}");
}

#[test]
fn stopping_waits_until_nobody_sends_anything() {
    let rendered = Install::of("external").rendered();
    let haproxy = &rendered.container("haproxy")["lifecycle"]["preStop"];
    assert_eq!(haproxy, &json!({ "sleep": { "seconds": 10 } }));
    let none = Install::of("external").set("controller.waitBeforeShutdown", "0");
    let none = none.rendered();
    assert_eq!(none.container("haproxy").get("lifecycle"), None);
    let args = none.args("haproxy-ingress");
    assert!(
        !args.iter().any(|it| it.contains("wait-before")),
        "{args:?}"
    );
}

#[test]
fn other_templates_are_a_folder_of_the_controller() {
    let rendered = Install::of("external")
        .set("controller.templates", r#"{"healthz.j2":"{# none #}"}"#)
        .rendered();
    let args = rendered.args("haproxy-ingress");
    assert!(
        args.contains(&"--template-dir=/etc/templates/haproxy".into()),
        "{args:?}"
    );
    assert_eq!(
        rendered.data("haproxy-ingress-template"),
        [("healthz.j2".into(), "{# none #}".into())]
    );
    let mounts = rendered.container("haproxy-ingress")["volumeMounts"].to_string();
    assert!(mounts.contains("/etc/templates/haproxy"), "{mounts}");
}
