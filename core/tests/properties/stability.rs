//! The same objects give the same bytes, and a plan leads from one world to the next.

use std::collections::BTreeMap;

use haproxy_ingress_core::assemble::{Place, Places};
use haproxy_ingress_core::bundle::Role;
use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::haproxy::{Address, ServerState};
use haproxy_ingress_core::manifest::read;
use haproxy_ingress_core::plan::{Command, Plan};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::world::{Loud, loud, options, snapshot};

/// Small manifests that meet in hosts, paths, Services and certificates.
fn documents() -> Vec<String> {
    let ingress = |name: &str, created: &str, host: &str, path: &str, service: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, \
             creationTimestamp: \"{created}\", annotations: {{haproxy-ingress.github.io/timeout-server: {path}s}}}}\n\
             spec: {{tls: [{{hosts: [{host}], secretName: {name}}}], rules: [{{host: {host}, http: \
             {{paths: [{{path: /{path}, pathType: Prefix, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}]}}}}]}}\n"
        )
    };
    let mut documents = vec![
        ingress("a", "2024-01-01T00:00:00Z", "x.example", "1", "one"),
        ingress("b", "2024-01-01T00:00:00Z", "x.example", "1", "two"),
        ingress("c", "2023-01-01T00:00:00Z", "x.example", "2", "one"),
        ingress("d", "2025-01-01T00:00:00Z", "*.example", "3", "two"),
    ];
    for name in ["one", "two"] {
        documents.push(format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: 80}}]}}\n"
        ));
        for slice in ["p", "q"] {
            documents.push(format!(
                "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}-{slice}, \
                 labels: {{kubernetes.io/service-name: {name}}}}}\naddressType: IPv4\nports: [{{port: 80}}]\n\
                 endpoints: [{{addresses: [10.0.0.{}]}}, {{addresses: [10.0.0.9]}}]\n",
                slice.len() + name.len()
            ));
        }
    }
    documents
}

/// What a simulated HAProxy does with a command.
fn carry_out(places: &mut Places, command: &Command) {
    let with = |places: &mut Places, backend: &str, server: &str, change: &dyn Fn(&mut Place)| {
        let backend = places.get_mut(backend).expect("a backend that runs");
        change(
            backend
                .iter_mut()
                .find(|it| &*it.name == server)
                .expect("a server that runs"),
        );
    };
    match command {
        Command::AddServer {
            backend,
            server,
            ip,
            port,
            weight,
            ..
        } => {
            let places = places.get_mut(backend).expect("a backend that runs");
            assert!(
                places.iter().all(|it| it.name != *server),
                "{server} is there"
            );
            places.push(Place {
                name: server.clone(),
                address: Address::Ip(*ip, *port),
                weight: *weight,
                state: ServerState::Maint,
                options: None,
            });
        }
        Command::RemoveServer { backend, server } => {
            let places = places.get_mut(backend).expect("a backend that runs");
            places.retain(|it| it.name != *server);
        }
        Command::SetServerAddress {
            backend,
            server,
            ip,
            port,
        } => {
            with(places, backend, server, &|it| {
                it.address = Address::Ip(*ip, *port);
            });
        }
        Command::SetServerWeight {
            backend,
            server,
            weight,
        } => {
            with(places, backend, server, &|it| it.weight = *weight);
        }
        Command::SetServerState {
            backend,
            server,
            state,
        } => {
            with(places, backend, server, &|it| it.state = *state);
        }
        other => panic!("{other} is not about endpoints"),
    }
}

/// Servers in maintenance are the same wherever they would be.
fn effective(places: &Places) -> Places {
    let mut places = places.clone();
    for place in places
        .values_mut()
        .flatten()
        .filter(|it| it.state == ServerState::Maint)
    {
        place.address = Address::Name("nowhere".into(), 1);
        place.weight = 1;
    }
    for place in places.values_mut().flatten() {
        // The simulated HAProxy does not read the options of servers that are added.
        place.options = None;
    }
    places
}

fn world() -> impl Strategy<Value = Loud> {
    let address = (1_u8..6).prop_map(|it| format!("10.1.0.{it}"));
    (loud(), vec(address, 0..4)).prop_map(|(mut loud, addresses)| {
        // Whoever wants no scaling wants a reload for each change.
        loud.annotations.remove("dynamic-scaling");
        loud.service_annotations.remove("dynamic-scaling");
        loud.addresses = addresses;
        loud.service = "app".into();
        loud
    })
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn the_order_of_objects_changes_no_byte(order in Just(documents()).prop_shuffle()) {
        let compiled = |documents: &[String]| {
            let text = documents.join("---\n");
            let manifests = read(&[("all.yaml".to_owned(), text)]);
            compile(&manifests.snapshot(), &options(), None)
        };
        let (sorted, shuffled) = (compiled(&documents()), compiled(&order));
        prop_assert!(sorted.bundle.config().contains("backend default_one_80"));
        prop_assert_eq!(&sorted.bundle, &shuffled.bundle);
        prop_assert_eq!(&sorted.diagnostics, &shuffled.diagnostics);
    }

    #[test]
    fn a_plan_leads_from_one_world_to_the_next(before in world(), addresses in vec(1_u8..6, 0..4)) {
        let mut after = before.clone();
        after.addresses = addresses.iter().map(|it| format!("10.1.0.{it}")).collect();
        let none = BTreeMap::new();
        let running = compile(&snapshot(Some(&before), &none), &options(), None);
        let wanted = compile(&snapshot(Some(&after), &none), &options(), Some(&running.places));
        match Plan::between(Some(&running), &wanted) {
            Plan::Nothing => prop_assert_eq!(running.bundle.config(), wanted.bundle.config()),
            Plan::Update { commands } => {
                let mut places = running.places.clone();
                for command in &commands {
                    carry_out(&mut places, command);
                }
                prop_assert_eq!(effective(&places), effective(&wanted.places));
                let others = |it: &haproxy_ingress_core::bundle::Bundle| {
                    it.files.iter().filter(|it| it.role != Role::Config).cloned().collect::<Vec<_>>()
                };
                prop_assert_eq!(others(&running.bundle), others(&wanted.bundle));
            }
            Plan::Reload { reasons } => {
                // Only more servers than there are places need one, where none can be added.
                prop_assert!(!reasons.is_empty());
                let count = |it: &Places| it.get("loud_app_8080").map_or(0, Vec::len);
                let can_add = wanted.new_servers.contains_key("loud_app_8080");
                let is_more = count(&wanted.places) > count(&running.places);
                prop_assert!(is_more && !can_add, "{:?}\n{}\n{}", reasons, running.bundle.config(), wanted.bundle.config());
            }
        }
        // What was reached is where the next step begins.
        prop_assert_eq!(Plan::between(Some(&wanted), &wanted), Plan::Nothing);
        // Whoever was told only the places, in writing, comes to the same bytes.
        let written = serde_json::to_string(&wanted.places).expect("places become JSON");
        let places: Places = serde_json::from_str(&written).expect("places are read back");
        let again = compile(&snapshot(Some(&after), &none), &options(), Some(&places));
        prop_assert_eq!(again.bundle, wanted.bundle);
    }
}

/// A tenant with some endpoints and annotations.
fn tenant(annotations: &[(&str, &str)], endpoints: &[u8]) -> Loud {
    let annotations = annotations.iter();
    Loud {
        annotations: annotations
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
            .collect(),
        service_annotations: BTreeMap::new(),
        host: Some("loud.example".into()),
        path: "/".into(),
        path_type: "Prefix".into(),
        service: "app".into(),
        secret: "app".into(),
        addresses: endpoints.iter().map(|it| format!("10.1.0.{it}")).collect(),
    }
}

/// What leads from some endpoints to others.
fn plan(annotations: &[(&str, &str)], before: &[u8], after: &[u8]) -> Plan {
    let compiled = |endpoints, places: Option<&Places>| {
        let tenant = tenant(annotations, endpoints);
        compile(
            &snapshot(Some(&tenant), &BTreeMap::new()),
            &options(),
            places,
        )
    };
    let running = compiled(before, None);
    Plan::between(Some(&running), &compiled(after, Some(&running.places)))
}

#[test]
fn endpoints_take_slots_without_a_reload_as_long_as_there_are_some() {
    for strategy in ["slots", "true", "auto"] {
        let keys = [("dynamic-scaling", strategy), ("slots-min-free", "2")];
        let needs_reload = |after| matches!(plan(&keys, &[1], after), Plan::Reload { .. });
        assert!(!needs_reload(&[1, 2, 3]), "{strategy}");
        assert!(!needs_reload(&[2, 3]), "{strategy}");
        assert!(!needs_reload(&[]), "{strategy}");
        assert!(needs_reload(&[1, 2, 3, 4]), "{strategy}");
    }
}

#[test]
fn without_scaling_every_other_endpoint_needs_a_reload() {
    let keys = [("dynamic-scaling", "none")];
    for after in [&[1, 2, 3][..], &[1], &[1, 3], &[]] {
        let plan = plan(&keys, &[1, 2], after);
        assert!(matches!(plan, Plan::Reload { .. }), "{after:?}: {plan:?}");
    }
    assert_eq!(plan(&keys, &[1, 2], &[2, 1]), Plan::Nothing);
}

#[test]
fn a_server_that_is_named_after_its_address_gives_way_to_another_one() {
    let keys = [("backend-server-naming", "ip")];
    for after in [&[1, 3][..], &[1]] {
        let plan = plan(&keys, &[1, 2], after);
        assert!(matches!(plan, Plan::Update { .. }), "{plan:?}");
    }
}

#[test]
fn servers_are_added_where_haproxy_can_do_it() {
    let updates = |keys: &[(&str, &str)], before: &[u8], after: &[u8]| {
        matches!(plan(keys, before, after), Plan::Update { .. })
    };
    assert!(updates(&[], &[], &[1, 2, 3]));
    assert!(updates(
        &[("health-check-interval", "2s"), ("secure-backends", "true")],
        &[1],
        &[1, 2]
    ));
    for algorithm in ["source", "static-rr"] {
        let keys = [("balance-algorithm", algorithm), ("dynamic-scaling", "add")];
        assert!(!updates(&keys, &[1], &[1, 2]), "{algorithm}");
        assert!(updates(&keys, &[1, 2], &[2]), "{algorithm}");
    }
}
