//! The objects and command lines of external and embedded mode, and of the five ways to let HAProxy bind its
//! ports.

use serde_json::{Value, json};

use crate::helm::{Install, NAMESPACE, Rendered};

/// The ports of a container by their names.
fn ports(container: &Value) -> Vec<(&str, u64)> {
    let ports = container["ports"].as_array().into_iter().flatten();
    ports
        .map(|it| {
            let name = it["name"].as_str().expect("ports have names");
            (name, it["containerPort"].as_u64().expect("and numbers"))
        })
        .collect()
}

/// The places where a container has volumes.
fn mounts(container: &Value) -> Vec<&str> {
    let mounts = container["volumeMounts"].as_array().into_iter().flatten();
    mounts
        .map(|it| it["mountPath"].as_str().expect("a mount has a path"))
        .collect()
}

/// The Service's ports: name, port, target.
fn service_ports(rendered: &Rendered) -> Vec<(&str, u64, &Value)> {
    let service = rendered.object("Service", "haproxy-ingress");
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    ports
        .map(|it| {
            let name = it["name"].as_str().expect("ports have names");
            let port = it["port"].as_u64().expect("and numbers");
            (name, port, &it["targetPort"])
        })
        .collect()
}

/// The Pod's sysctls.
fn sysctls(rendered: &Rendered) -> Value {
    rendered.pod()["securityContext"]
        .get("sysctls")
        .cloned()
        .unwrap_or_default()
}

const SHARED: [&str; 3] = ["/etc/haproxy", "/var/lib/haproxy", "/var/run/haproxy"];
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

#[test]
fn a_plain_installation_has_these_objects() {
    let rendered = Install::default().rendered();
    let mut kinds: Vec<&str> = rendered
        .objects
        .iter()
        .map(|it| it["kind"].as_str().expect("objects have kinds"))
        .collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "ClusterRole",
            "ClusterRoleBinding",
            "ConfigMap",
            "Deployment",
            "Role",
            "RoleBinding",
            "Service",
            "ServiceAccount",
        ]
    );
}

#[test]
fn an_external_haproxy_is_a_container_of_its_own() {
    let rendered = Install::of("external").rendered();
    assert_eq!(rendered.args("haproxy-ingress-init"), ["--init"]);
    assert_eq!(
        rendered.args("haproxy-ingress"),
        [
            "--configmap=ingress-controller/haproxy-ingress",
            "--ingress-class=haproxy",
            "--master-socket=/var/run/haproxy/master.sock",
            "--wait-before-shutdown=10s",
        ]
    );
    assert_eq!(
        rendered.args("haproxy"),
        [
            "-W",
            "-S",
            "/var/run/haproxy/master.sock,mode,600",
            "-f",
            "/etc/haproxy",
        ]
    );

    let (init, controller, haproxy) = (
        rendered.container("haproxy-ingress-init"),
        rendered.container("haproxy-ingress"),
        rendered.container("haproxy"),
    );
    assert_eq!(init["image"], controller["image"]);
    assert!(haproxy.get("command").is_none(), "the image's own is used");
    assert_eq!(
        ports(haproxy),
        [("http", 80), ("https", 443), ("healthz", 10253)]
    );
    assert_eq!(ports(controller), []);
    assert_eq!(mounts(init), SHARED);
    assert_eq!(mounts(haproxy), SHARED);
    assert_eq!(mounts(controller)[..3], SHARED);
    assert_eq!(mounts(controller)[3..], [TOKEN]);
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let asked = &haproxy[probe]["httpGet"];
        assert_eq!(
            (&asked["path"], &asked["port"]),
            (&json!("/healthz"), &json!(10253))
        );
    }
    // The controller answers for itself, and is not in the way of traffic when it cannot update.
    assert_eq!(controller["livenessProbe"]["httpGet"]["port"], 10254);
    assert!(controller.get("readinessProbe").is_none());
    let environment = controller["env"].as_array().expect("it has an environment");
    let names: Vec<_> = environment.iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["POD_NAME", "POD_NAMESPACE"]);

    assert_eq!(
        rendered.data("haproxy-ingress"),
        [
            ("healthz-port".into(), "10253".into()),
            ("stats-port".into(), "1936".into()),
            ("syslog-endpoint".into(), "stdout".into()),
            ("syslog-format".into(), "raw".into()),
        ]
    );
}

#[test]
fn an_embedded_haproxy_shares_the_controllers_container() {
    let rendered = Install::of("embedded").rendered();
    let pod = rendered.pod();
    assert!(pod.get("initContainers").is_none());
    assert_eq!(pod["containers"].as_array().map(Vec::len), Some(1));
    let controller = rendered.container("haproxy-ingress");
    assert_eq!(
        ports(controller),
        [("http", 80), ("https", 443), ("healthz", 10253)]
    );
    assert_eq!(controller["readinessProbe"]["httpGet"]["port"], 10253);
    let args = rendered.args("haproxy-ingress");
    assert!(!args.iter().any(|it| it.starts_with("--master-socket")));
    let class = rendered.object("IngressClass", "haproxy");
    assert_eq!(
        class["spec"]["controller"],
        "haproxy-ingress.github.io/controller"
    );
}

#[test]
fn a_haproxy_that_is_root_gives_its_socket_to_the_controller() {
    let rendered = Install::of("external-root").rendered();
    assert_eq!(
        rendered.args("haproxy")[2],
        "/var/run/haproxy/master.sock,mode,600,uid,99"
    );
    let context = &rendered.container("haproxy")["securityContext"];
    assert_eq!(context["runAsUser"], 0);
    assert_eq!(context["runAsNonRoot"], false);
    assert_eq!(
        context["capabilities"]["add"],
        json!(["CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE"])
    );
    // The controller is not, and says so.
    assert_eq!(rendered.pod()["securityContext"]["runAsUser"], 99);
    assert_eq!(rendered.pod()["securityContext"]["runAsNonRoot"], true);
    assert_eq!(sysctls(&rendered), Value::Null);

    // Both as root need no more.
    let both = Install::of("external-root").set("controller.securityContext.runAsUser", "0");
    let both = both.rendered();
    assert_eq!(
        both.args("haproxy")[2],
        "/var/run/haproxy/master.sock,mode,600"
    );
    assert_eq!(both.pod()["securityContext"].get("runAsNonRoot"), None);
}

#[test]
fn users_that_could_not_work_together_are_refused() {
    let refused =
        Install::of("external").set("controller.haproxy.securityContext.runAsUser", "101");
    let why = refused.render().expect_err("they cannot work together");
    assert!(
        why.contains("as user 101 and the controller as user 99"),
        "{why}"
    );
    let refused = Install::of("external")
        .set("controller.legacySecurityContext", "false")
        .set("controller.securityContext.runAsUser", "0");
    let why = refused.render().expect_err("keys of root are unreadable");
    assert!(
        why.contains("as user 99 and the controller as user 0"),
        "{why}"
    );
    let together = Install::of("external").set("controller.podSecurityContext.runAsUser", "101");
    let rendered = together.rendered();
    assert_eq!(rendered.pod()["securityContext"]["runAsUser"], 101);
    assert_eq!(
        rendered.args("haproxy")[2],
        "/var/run/haproxy/master.sock,mode,600"
    );
}

#[test]
fn high_ports_need_no_sysctl_and_the_service_leads_to_them() {
    let rendered = Install::of("external-high-ports").rendered();
    assert_eq!(sysctls(&rendered), Value::Null);
    assert_eq!(
        service_ports(&rendered),
        [
            ("http-80", 80, &json!(8080)),
            ("https-443", 443, &json!(8443))
        ]
    );
    let service = rendered.object("Service", "haproxy-ingress");
    assert_eq!(service["spec"]["externalTrafficPolicy"], "Local");
    assert_eq!(service["spec"]["type"], "LoadBalancer");
    // Names lead there as well.
    assert_eq!(
        ports(rendered.container("haproxy"))[..2],
        [("http", 8080), ("https", 8443)]
    );
}

#[test]
fn low_ports_are_opened_by_a_sysctl_of_the_pod() {
    let name = "net.ipv4.ip_unprivileged_port_start";
    let ours = Install::of("external").rendered();
    assert_eq!(sysctls(&ours), json!([{ "name": name, "value": "0" }]));
    let written = Install::of("external-sysctl").rendered();
    assert_eq!(sysctls(&written), json!([{ "name": name, "value": "1" }]));
    // A HAProxy of the machine's network cannot have one, and the runtime's does not need it.
    for file in ["host-network", "external-runtime", "external-capability"] {
        assert_eq!(
            sysctls(&Install::of(file).rendered()),
            Value::Null,
            "{file}"
        );
    }
    // TCP services count.
    let tcp = Install::of("external-high-ports").set("controller.tcp", r#"{"25":"mail/smtp:25"}"#);
    assert_eq!(
        sysctls(&tcp.rendered()),
        json!([{ "name": name, "value": "0" }])
    );
}

#[test]
fn a_sysctl_in_the_wrong_place_is_put_right_and_that_is_said() {
    let name = "net.ipv4.ip_unprivileged_port_start";
    for written in [
        format!(r#"{{"{name}": 1}}"#),
        format!(r#"{{"{name}": "1"}}"#),
        format!(r#"[{{"name": "{name}", "value": "1"}}]"#),
    ] {
        let install =
            Install::of("external").set("controller.haproxy.securityContext.sysctls", &written);
        let rendered = install.rendered();
        assert_eq!(sysctls(&rendered), json!([{ "name": name, "value": "1" }]));
        let container = &rendered.container("haproxy")["securityContext"];
        assert_eq!(container.get("sysctls"), None, "{written}");
        let notes = install.notes();
        assert!(
            notes.contains("controller.podSecurityContext.sysctls"),
            "{notes}"
        );
    }
}

#[test]
fn ports_of_the_machine_are_those_of_a_daemon_set() {
    let rendered = Install::of("daemonset").rendered();
    let haproxy = rendered.container("haproxy");
    let hosted: Vec<_> = haproxy["ports"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["hostPort"].as_u64())
        .collect();
    assert_eq!(hosted, [80, 443]);
    assert!(rendered.find("Service", "haproxy-ingress").is_none());
    let budget = rendered.object("PodDisruptionBudget", "haproxy-ingress");
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
}

#[test]
fn replicas_are_spread_scaled_watched_and_closed_to_others() {
    let rendered = Install::of("replicas").rendered();
    let deployment = rendered.object("Deployment", "haproxy-ingress");
    assert!(deployment["spec"].get("replicas").is_none(), "they scale");
    let scaler = rendered.object("HorizontalPodAutoscaler", "haproxy-ingress");
    assert_eq!(scaler["spec"]["minReplicas"], 3);
    assert_eq!(
        scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"],
        70
    );
    let budget = rendered.object("PodDisruptionBudget", "haproxy-ingress");
    assert_eq!(budget["spec"]["minAvailable"], 2);
    assert_eq!(
        ports(rendered.container("haproxy-ingress")),
        [("ctrl-metrics", 10254)]
    );
    let args = rendered.args("haproxy-ingress");
    let publish = format!("--publish-service={NAMESPACE}/haproxy-ingress");
    assert!(args.contains(&publish), "{args:?}");

    let policy = rendered.object("NetworkPolicy", "haproxy-ingress");
    let rules = policy["spec"]["ingress"].as_array().expect("it has rules");
    let numbers = |rule: &Value| -> Vec<u64> {
        let ports = rule["ports"].as_array().into_iter().flatten();
        ports.filter_map(|it| it["port"].as_u64()).collect()
    };
    assert_eq!(numbers(&rules[0]), [80, 443]);
    assert!(rules[0].get("from").is_none(), "traffic is for everybody");
    assert_eq!(numbers(&rules[1]), [9101, 10254, 1936]);
    assert_eq!(numbers(&rules[2]), [10000]);
    assert!(rules[1].get("from").is_some() && rules[2].get("from").is_some());

    let monitor = rendered.object("ServiceMonitor", "haproxy-ingress");
    let endpoints = monitor["spec"]["endpoints"].as_array().expect("two");
    let names: Vec<_> = endpoints.iter().map(|it| &it["port"]).collect();
    assert_eq!(names, ["ctrl-metrics", "metrics"]);
    let metrics = rendered.object("Service", "haproxy-ingress-metrics");
    for (label, value) in monitor["spec"]["selector"]["matchLabels"]
        .as_object()
        .expect("it selects")
    {
        assert_eq!(&metrics["metadata"]["labels"][label], value);
    }
}

#[test]
fn selectors_find_the_pods() {
    for install in [Install::of("external"), Install::of("replicas")] {
        let rendered = install.rendered();
        let template = &rendered.object("Deployment", "haproxy-ingress")["spec"]["template"];
        let labels = &template["metadata"]["labels"];
        for it in &rendered.objects {
            let spec = &it["spec"];
            let selector = match it["kind"].as_str() {
                Some("Service") => &spec["selector"],
                Some("NetworkPolicy") => &spec["podSelector"]["matchLabels"],
                Some("Deployment" | "PodDisruptionBudget") => &spec["selector"]["matchLabels"],
                _ => continue,
            };
            let selector = selector.as_object().expect("it selects something");
            assert!(!selector.is_empty());
            for (label, value) in selector {
                assert_eq!(&labels[label], value, "{}", it["kind"]);
            }
        }
    }
}
