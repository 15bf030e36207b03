//! What the tests of promises are made of: cases in Markdown, a real HAProxy, a fake Kubernetes API,
//! small backends and a client that sees everything.
//!
//! *Invariant:* a test that lacks what it needs fails; nothing is skipped.

pub mod http;
pub mod http2;
pub mod haproxy;
pub mod backend;
pub mod speaker;
pub mod object;
pub mod apiserver;
pub mod acme;
pub mod terminal;
pub mod rig;
pub mod cluster;
pub mod tree;
pub mod case;
pub mod stage;
pub mod tls;
pub mod random;
pub mod hostile;
pub mod spoe;
pub mod show;
pub mod recall;
pub mod world;
pub mod refused;
pub mod helm;
