//! Ingress controller for HAProxy, and offline tools on the same engine.

mod args;
mod controller;
mod debug;
mod diff;
mod expectations;
mod explain;
mod haproxy;
mod http;
mod input;
mod interfaces;
mod keys;
mod lint;
mod log;
mod messages;
mod progress;
mod render;
mod report;

use std::io::Write as _;
use std::process::ExitCode;

use crate::args::Invocation;

/// A third less time for a compilation than with the allocator of glibc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match args::parse(std::env::args_os().skip(1)) {
        Ok(Invocation::Controller(task)) => controller::start(*task),
        Ok(Invocation::Init(prefix)) => controller::init(&prefix),
        Ok(Invocation::Tool(tool)) => tool.run(),
        Ok(Invocation::Print(text)) => match report::print(&text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "haproxy-ingress: {error:#}");
                ExitCode::from(2)
            }
        },
        Err(usage) => {
            let _ = writeln!(std::io::stderr(), "haproxy-ingress: {usage}");
            ExitCode::from(2)
        }
    }
}
