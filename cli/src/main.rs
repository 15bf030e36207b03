//! Ingress controller for HAProxy, and offline tools on the same engine.

mod args;
mod controller;
mod explain;
mod haproxy;
mod http;
mod input;
mod interfaces;
mod keys;
mod log;
mod messages;
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
        Ok(Invocation::Print(text)) => {
            // A reader that has seen enough closes its end.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(usage) => {
            let _ = writeln!(std::io::stderr(), "haproxy-ingress: {usage}");
            ExitCode::from(2)
        }
    }
}
