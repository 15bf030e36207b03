//! Turns Kubernetes Ingress resources into HAProxy configuration: snapshot in, bundle out.
//!
//! ```text
//!  resources ──▶ ingest ──▶ route::Table ──▶ assemble ──▶ haproxy::Config ──▶ render ──▶ Bundle ──▶ plan
//!                                              ▲                                          │
//!                                             keys                            files, diagnostics, source map
//! ```
//!
//! The crate reads no file, clock, variable, socket or random number: what it needs of these comes in
//! with [`options::Options`]. The same input gives the same bytes, on every machine.

pub mod options;
pub mod origin;
pub mod diagnostic;
pub mod value;
pub mod resource;
pub mod snapshot;
pub mod manifest;
pub mod haproxy;
pub mod keys;
pub mod reference;
pub mod route;
pub mod ingest;
pub mod assemble;
pub mod bundle;
pub mod render;
pub mod compile;
pub mod explain;
pub mod plan;
pub mod compare;
