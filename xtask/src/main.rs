//! Whatever the Makefile's menu needs an `if` for.

mod web;

use clap::Parser;

/// The tasks of the project.
#[derive(Debug, Parser)]
enum Task {
    /// Build the engine for the browser and the page around it
    Web(web::Args),
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Web(args) => web::build(&args),
    }
}
