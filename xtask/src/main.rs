//! Whatever the Makefile's menu needs an `if` for.
//!
//! `cargo xtask COMMAND` and `make COMMAND` are the same. Every command first installs what it needs
//! and is missing ([`setup`]), and says so.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

mod cluster;
mod command;
mod faults;
mod setup;
mod menu;
mod demo;
mod image_root;
mod web;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::setup::Tool;

/// The project's own tasks.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Installs what is missing to build and test everything, on Debian and Ubuntu.
    Setup {
        /// Leave out the browser.
        #[arg(long)]
        no_browser: bool,
    },
    /// Starts a real HAProxy, the controller on a folder of manifests and two small backends.
    Demo {
        /// End after the last step, with status 0 if each went as expected.
        #[arg(long)]
        once: bool,
    },
    /// Runs everything: lints, all tests with two versions of HAProxy, the page in a browser.
    Test,
    /// Runs format, lints and the tests that start no process.
    Check,
    /// Rewrites what the case files expect.
    Update,
    /// Writes the reference under `docs/` from the code.
    Generate {
        /// Only say whether it is fresh.
        #[arg(long)]
        check: bool,
    },
    /// Builds the engine for the browser, and the playground around it.
    Web(web::Args),
    /// Builds the documentation as a site, with live examples, to `target/site`.
    Docs,
    /// Lays out the root file system of the controller's image, without Docker.
    ImageRoot(image_root::Args),
    /// Writes the manual pages of the controller and of all tools to a folder.
    Man {
        /// The folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Tries a million hostile values: that none leaves its directive, and no tenant its place.
    Injection,
    /// Lets everything go wrong that can, with two versions of HAProxy, and prints a table of what was seen.
    Faults,
    /// Runs the tests of the controller against the kube-apiserver and the etcd of KUBEBUILDER_ASSETS.
    Cluster {
        /// Passed on to the tests, such as a part of a name.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measures what the design promises.
    Bench {
        /// Passed on, such as the name of a row.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Setup { no_browser } => setup::install(&Tool::all(!no_browser)),
        Task::Demo { once } => demo::run(once),
        Task::Test => menu::test(),
        Task::Check => menu::check(),
        Task::Update => menu::update(),
        Task::Generate { check } => menu::generate(check),
        Task::Web(arguments) => setup::install(&[Tool::Node, Tool::Wasm, Tool::Page])
            .and_then(|()| web::build(&arguments)),
        Task::Docs => {
            setup::install(&[Tool::Node, Tool::Wasm, Tool::Page]).and_then(|()| web::site())
        }
        Task::ImageRoot(arguments) => image_root::build(&arguments),
        Task::Man { folder } => menu::man(&folder),
        Task::Injection => menu::injection(),
        Task::Faults => faults::test(),
        Task::Cluster { arguments } => cluster::test(&arguments),
        Task::Bench { arguments } => menu::bench(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{} {error:#}", command::red("✗"));
            ExitCode::FAILURE
        }
    }
}
