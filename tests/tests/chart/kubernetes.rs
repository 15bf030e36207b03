//! Whether an object is one of Kubernetes: every field is known and of its type.

use k8s_openapi::api::{apps, autoscaling, core, networking, policy, rbac};
use serde_json::{Value, json};

/// Kinds that come with operators, whose types are not at hand.
const OF_OPERATORS: [&str; 4] = [
    "monitoring.coreos.com/v1/ServiceMonitor",
    "monitoring.coreos.com/v1/PodMonitor",
    "monitoring.coreos.com/v1/PrometheusRule",
    "autoscaling.k8s.io/v1/VerticalPodAutoscaler",
];

/// Kinds that belong to no namespace.
const OF_THE_CLUSTER: [&str; 3] = ["ClusterRole", "ClusterRoleBinding", "IngressClass"];

/// What is wrong with an object, a line for each.
pub(crate) fn faults(object: &Value) -> Vec<String> {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let name = format!("{kind} {}", text(&object["metadata"]["name"]));
    let kept = match (version.as_str(), kind.as_str()) {
        ("v1", "ConfigMap") => kept::<core::v1::ConfigMap>(object),
        ("v1", "Service") => kept::<core::v1::Service>(object),
        ("v1", "ServiceAccount") => kept::<core::v1::ServiceAccount>(object),
        ("apps/v1", "Deployment") => kept::<apps::v1::Deployment>(object),
        ("apps/v1", "DaemonSet") => kept::<apps::v1::DaemonSet>(object),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => {
            kept::<autoscaling::v2::HorizontalPodAutoscaler>(object)
        }
        ("networking.k8s.io/v1", "IngressClass") => kept::<networking::v1::IngressClass>(object),
        ("networking.k8s.io/v1", "NetworkPolicy") => kept::<networking::v1::NetworkPolicy>(object),
        ("policy/v1", "PodDisruptionBudget") => kept::<policy::v1::PodDisruptionBudget>(object),
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => kept::<rbac::v1::ClusterRole>(object),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => {
            kept::<rbac::v1::ClusterRoleBinding>(object)
        }
        ("rbac.authorization.k8s.io/v1", "Role") => kept::<rbac::v1::Role>(object),
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => kept::<rbac::v1::RoleBinding>(object),
        _ if OF_OPERATORS.contains(&format!("{version}/{kind}").as_str()) => Ok(object.clone()),
        _ => Err(format!("no kind {kind} of {version} is known")),
    };
    let mut faults = Vec::new();
    match kept {
        Ok(kept) => compare(object, &kept, "", &mut faults),
        Err(error) => faults.push(error),
    }
    let has_namespace = object["metadata"].get("namespace").is_some();
    if has_namespace == OF_THE_CLUSTER.contains(&kind.as_str()) {
        faults.push("metadata.namespace is there and should not be, or the other way round".into());
    }
    faults.iter().map(|it| format!("{name}: {it}")).collect()
}

/// The object as the type has it: what the type does not know is gone.
fn kept<T: k8s_openapi::serde::de::DeserializeOwned + k8s_openapi::serde::Serialize>(
    object: &Value,
) -> Result<Value, String> {
    let typed: T = serde_json::from_value(object.clone()).map_err(|it| it.to_string())?;
    serde_json::to_value(typed).map_err(|it| it.to_string())
}

fn compare(given: &Value, kept: &Value, path: &str, faults: &mut Vec<String>) {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => {
            for (key, value) in given {
                let path = format!("{path}.{key}");
                match kept.get(key) {
                    Some(kept) => compare(value, kept, &path, faults),
                    None => faults.push(format!("{path} is not a field, or is {value}")),
                }
            }
        }
        (Value::Array(given), Value::Array(kept)) if given.len() == kept.len() => {
            for (index, (given, kept)) in given.iter().zip(kept).enumerate() {
                compare(given, kept, &format!("{path}[{index}]"), faults);
            }
        }
        _ if given == kept => {}
        _ => faults.push(format!("{path} is {given}, and read as {kept}")),
    }
}

#[test]
fn a_field_that_is_none_is_found() {
    let object = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "x", "namespace": "y" },
        "spec": { "ports": [{ "port": 80, "targetport": "http" }], "type": null },
    });
    let found = faults(&object);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains(".spec.ports[0].targetport"), "{found:?}");
    let mistyped = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "x", "namespace": "y" },
        "spec": { "ports": [{ "port": "eighty" }] },
    });
    assert_eq!(faults(&mistyped).len(), 1);
}
