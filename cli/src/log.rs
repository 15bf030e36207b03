//! Log lines as Kubernetes' own components write them, or JSON.
//!
//! ```text
//! I0117 17:30:27.282701       6 reconcile.rs:87] starting haproxy update id=1
//! ```
//!
//! *Invariant:* an event is one line, whatever its texts hold.

use std::fmt::{self, Write as _};

use jiff::Zoned;
use jiff::civil::DateTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::controller::Log;

/// Starts logging to standard error. To be called once. From then on a panic is a log line as well.
pub(crate) fn start(log: Log) {
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!("this is a bug: {panic}");
        tracing::debug!("{backtrace}");
    }));
    let registry = tracing_subscriber::registry().with(filter(log.level));
    if log.json {
        let lines = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_file(true)
            .with_line_number(true)
            .with_writer(std::io::stderr);
        registry.with(lines).init();
    } else {
        let lines = tracing_subscriber::fmt::layer()
            .event_format(Klog {
                process: std::process::id(),
            })
            .with_writer(std::io::stderr);
        registry.with(lines).init();
    }
}

/// What `--v` lets through. Libraries are heard from 5 on; what they have to say below that, the
/// controller says in its own words.
fn filter(level: u32) -> Targets {
    let ours = match level {
        0..=2 => LevelFilter::INFO,
        3 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let libraries = match level {
        0..=4 => LevelFilter::ERROR,
        _ => LevelFilter::DEBUG,
    };
    // At each try it says that the answer was a refusal, which is said once in words of our own.
    let client = match level {
        0..=4 => LevelFilter::OFF,
        _ => LevelFilter::DEBUG,
    };
    Targets::new()
        .with_default(libraries)
        .with_target("kube_client::client::builder", client)
        .with_target("haproxy_ingress", ours)
        // What the HAProxy that we started writes.
        .with_target("haproxy", ours)
}

/// The text form.
struct Klog {
    /// The process id, which stands in every line.
    process: u32,
}

impl<S, N> FormatEvent<S, N> for Klog
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let about = event.metadata();
        head(
            &mut writer,
            *about.level(),
            Zoned::now().datetime(),
            self.process,
            (about.file().unwrap_or_default(), about.line().unwrap_or(0)),
        )?;
        let mut texts = Texts::default();
        event.record(&mut texts);
        writeln!(writer, "{}{}", texts.message, texts.fields)
    }
}

/// What stands in front of the message.
fn head(
    writer: &mut impl fmt::Write,
    level: Level,
    time: DateTime,
    process: u32,
    (file, line): (&str, u32),
) -> fmt::Result {
    let severity = match level {
        Level::ERROR => 'E',
        Level::WARN => 'W',
        _ => 'I',
    };
    let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
    write!(
        writer,
        "{severity}{:02}{:02} {:02}:{:02}:{:02}.{:06} {process:>7} {file}:{line}] ",
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.subsec_nanosecond() / 1000,
    )
}

/// The texts of an event.
#[derive(Default)]
struct Texts {
    message: String,
    fields: String,
}

impl Visit for Texts {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            line(&mut self.message, value);
            return;
        }
        let _ = write!(self.fields, " {}=", field.name());
        let plain = |it: char| it.is_ascii_graphic() && it != '"' && it != '=';
        if !value.is_empty() && value.chars().all(plain) {
            self.fields.push_str(value);
        } else {
            let _ = write!(self.fields, "{value:?}");
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            line(&mut self.message, &text);
        } else {
            let _ = write!(self.fields, " {}=", field.name());
            line(&mut self.fields, &text);
        }
    }
}

/// Adds a text without what would start a new line or move a cursor: it may be a tenant's.
fn line(onto: &mut String, text: &str) {
    for it in text.chars() {
        if it.is_control() {
            onto.extend(it.escape_default());
        } else {
            onto.push(it);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A place for lines that the test can read.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no test panics here").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(Klog { process: 6 })
            .with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, log);
        let bytes = lines.0.lock().expect("no test panics here").clone();
        String::from_utf8(bytes).expect("log lines are text")
    }

    #[test]
    fn the_head_is_that_of_the_existing_controller() {
        let mut text = String::new();
        let time = jiff::civil::datetime(2021, 1, 17, 17, 30, 27, 282_701_999);
        let place = ("cli/src/controller.rs", 87);
        head(&mut text, Level::INFO, time, 6, place).expect("a string takes any text");
        assert_eq!(text, "I0117 17:30:27.282701       6 controller.rs:87] ");
    }

    #[test]
    fn fields_follow_the_message() {
        let text = logged(|| tracing::warn!(id = 1, path = "a b", to = "c", "starting {}", 7));
        assert!(text.starts_with('W'), "{text}");
        assert!(text.contains("      6 log.rs:"), "{text}");
        assert!(
            text.ends_with("] starting 7 id=1 path=\"a b\" to=c\n"),
            "{text}"
        );
    }

    #[test]
    fn an_event_is_one_line_whatever_its_texts_hold() {
        let evil = "a\nE0101 00:00:00.000000       1 x.rs:1] b\u{1b}[2J";
        let text = logged(|| tracing::info!(evil, debug = ?evil, "{evil}"));
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
