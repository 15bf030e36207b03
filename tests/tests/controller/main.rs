//! The controller as a process: a folder of manifests or a fake Kubernetes API on one side, a real
//! HAProxy on the other.
//!
//! [`rig`](haproxy_ingress_tests::rig) sets all of it up; each file tells one kind of story.

mod access;
mod acme;
mod classes;
mod cluster;
mod debug;
mod embedded;
mod events;
mod flags;
mod leader;
mod manifests;
mod memory;
mod metrics;
mod process;
mod replicas;
mod restart;
mod status;
mod steps;
mod watch;
