//! `render`: manifests → configuration, on the screen or in a folder, without a cluster.

pub(crate) mod check;
mod only;
mod output;
mod trace;

use std::io::{self, Write as _};
use std::path::PathBuf;

use haproxy_ingress_core::bundle::{Bundle, File, Role, Section};
use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::diagnostic::{Diagnostic, Sink};
use haproxy_ingress_core::manifest::Positions;
use haproxy_ingress_core::origin::{ObjectRef, Origin};
use serde_json::{Value, json};

use crate::input;
use crate::progress::Progress;
use crate::report::{self, Deny, Format, json as report_json};

/// Flags of `render`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints haproxy.cfg to standard output and findings to standard error.

Exit status: 0 fine, 1 there are findings that are denied, 2 usage or I/O.

  haproxy-ingress render -f shop.yaml
  helm template shop ./chart | haproxy-ingress render -f - --check --deny warning
  haproxy-ingress render -f manifests/ --only Ingress/shop/web
  haproxy-ingress render -f manifests/ --out build/ --haproxy-version 2.8")]
pub(crate) struct Args {
    #[command(flatten)]
    input: input::Args,
    /// Write all files below this folder, with the paths that they have for HAProxy
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Let HAProxy check the configuration, in a temporary folder
    #[arg(long)]
    check: bool,
    /// The HAProxy for --check
    #[arg(
        long,
        value_name = "PATH",
        env = "HAPROXY",
        hide_env_values = true,
        default_value = "haproxy"
    )]
    haproxy: PathBuf,
    /// Print who made each line of haproxy.cfg, the maps and the lists: object, field, and place in
    /// the manifests
    #[arg(long, conflicts_with = "only")]
    trace: bool,
    /// Print only the lines that one object had a part in, in all files
    #[arg(long, value_name = "KIND/[NS/]NAME", value_parser = only::parse)]
    only: Option<ObjectRef>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The lowest severity with which the exit status is 1
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    deny: Deny,
}

/// Runs `render`; whether no finding is denied.
pub(crate) fn run(args: &Args) -> anyhow::Result<bool> {
    let input = args.input.read()?;
    if let Some(object) = &args.only {
        only::is_there(object, &input.snapshot)?;
    }
    let progress = Progress::start("Compiling");
    let Compiled {
        bundle,
        mut diagnostics,
        acme,
        ..
    } = input.compile();
    drop(progress);

    let mut notes = Vec::new();
    if let Some(folder) = &args.out {
        let count = output::write(&bundle, folder, &input.options.prefix)?;
        notes.push(format!(
            "{count} files written below `{}`",
            folder.display()
        ));
    }
    if args.check {
        let progress = Progress::start("Asking HAProxy");
        let checked = check::check(&input, &args.haproxy)?;
        drop(progress);
        notes.push(checked.verdict);
        let mut sink = Sink::default();
        sink.extend(diagnostics.into_iter().chain(checked.diagnostics));
        diagnostics = sink.into_sorted();
    }

    match args.format {
        Format::Json => {
            let mut document = document(&bundle, &diagnostics, &input.positions);
            if let Some(object) = &args.only {
                document = json!({ "diagnostics": document["diagnostics"].take() });
                document["object"] = json!(object);
                document["lines"] = only::json(&bundle, object, &input.positions);
            }
            document["haproxy"] = json!(input.options.haproxy.to_string());
            document["notes"] = json!(notes);
            let acme = acme.map(|it| report_json::acme(&it, &input.positions));
            document["acme"] = json!(acme);
            report::print(&format!("{document:#}\n"))?;
        }
        Format::Text => {
            if let Some(object) = &args.only {
                report::print(&only::text(&bundle, object, &input.positions))?;
            } else if args.trace {
                report::print(&trace::text(&bundle, &input.positions))?;
            } else if args.out.is_none() {
                report::print(bundle.config())?;
            }
            let _ = report::write(&mut io::stderr(), &diagnostics, &input.positions);
            for note in notes {
                let _ = writeln!(io::stderr(), "{note}");
            }
        }
    }
    Ok(!args.deny.denies(&diagnostics))
}

/// Everything as one JSON document. Origins stand once; lines refer to them by number.
pub(crate) fn document(
    bundle: &Bundle,
    diagnostics: &[Diagnostic],
    positions: &Positions,
) -> Value {
    let maps = bundle.files.iter().map(|it| &it.source_map);
    let mut origins: Vec<&Origin> = maps.flat_map(|it| it.lines().flatten()).collect();
    origins.sort();
    origins.dedup();
    let index = |it: &Origin| origins.binary_search(&it).unwrap_or_default();
    let lines = |file: &File| -> Vec<Vec<usize>> {
        let lines = file.source_map.lines();
        lines.map(|it| it.iter().map(index).collect()).collect()
    };
    let files = bundle.files.iter().map(|it| {
        let mut value = file(it);
        // That of the main configuration stands beside its sections.
        if it.role != Role::Config && !it.is_secret() {
            value["sourceMap"] = json!(lines(it));
        }
        value
    });
    let diagnostics = diagnostics
        .iter()
        .map(|it| report_json::diagnostic(it, positions));
    json!({
        "files": files.collect::<Vec<_>>(),
        "sections": bundle.sections.iter().map(section).collect::<Vec<_>>(),
        "origins": origins.iter().map(|it| report_json::origin(it, positions)).collect::<Vec<_>>(),
        "sourceMap": bundle.main().map(lines).unwrap_or_default(),
        "diagnostics": diagnostics.collect::<Vec<_>>(),
    })
}

/// A file; the content of one with a private key is null.
fn file(file: &File) -> Value {
    json!({
        "path": file.path,
        "mode": format!("{:04o}", file.mode),
        "role": file.role,
        "bytes": file.content.len(),
        "content": (!file.is_secret()).then_some(&file.content),
    })
}

fn section(section: &Section) -> Value {
    json!({
        "name": section.name,
        "firstLine": section.first_line,
        "lines": section.lines,
        "digest": format!("{:016x}", section.digest),
    })
}
