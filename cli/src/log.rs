//! Log lines as Kubernetes' own components write them, or JSON.
//!
//! ```text
//! I0117 17:30:27.282701       6 reconcile.rs:87] starting haproxy update id=1
//! ```
//!
//! *Invariant:* an event is one line, whatever its texts hold.

use std::fmt::{self, Write as _};

use jiff::civil::DateTime;
use jiff::{Timestamp, Zoned};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::controller::{Clock, Log};

/// Starts logging to standard error. To be called once. From then on a panic is a log line as well.
pub(crate) fn start(log: Log) {
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!("this is a bug: {panic}");
        tracing::debug!("{backtrace}");
    }));
    let registry = tracing_subscriber::registry().with(filter(log.level));
    if let Some(clock) = log.json {
        let lines = tracing_subscriber::fmt::layer()
            .event_format(Json { clock })
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

/// One JSON object a line.
struct Json {
    clock: Clock,
}

impl<S, N> FormatEvent<S, N> for Json
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
        let mut fields = Fields::default();
        let head = [
            ("timestamp", self.clock.write(Timestamp::now())),
            ("level", about.level().as_str().into()),
        ];
        fields
            .0
            .extend(head.map(|(name, it)| (name.to_owned(), it)));
        event.record(&mut fields);
        let tail = [
            ("target", about.target().into()),
            ("filename", about.file().into()),
            ("line_number", about.line().into()),
        ];
        fields
            .0
            .extend(tail.map(|(name, it)| (name.to_owned(), it)));
        writeln!(writer, "{}", Value::Object(fields.0))
    }
}

impl Clock {
    /// A time in this form: a text, or a number.
    fn write(self, now: Timestamp) -> Value {
        let text = |format: &str| now.strftime(format).to_string().into();
        match self {
            Self::Rfc3339Nano => now.to_string().into(),
            Self::Rfc3339 => text("%Y-%m-%dT%H:%M:%SZ"),
            Self::Iso8601 => text("%Y-%m-%dT%H:%M:%S.%3f+0000"),
            Self::Millis => (now.as_duration().as_secs_f64() * 1000.0).into(),
            // Nanoseconds of a day in the year 2262 are too many.
            Self::Nanos => i64::try_from(now.as_nanosecond())
                .unwrap_or(i64::MAX)
                .into(),
        }
    }
}

/// The fields of an event as JSON; `serde_json` escapes whatever would start a new line.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().into(), value.into());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
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

    use tracing_subscriber::Registry;
    use tracing_subscriber::fmt::format::DefaultFields;

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
        logged_as(Klog { process: 6 }, log)
    }

    fn logged_as<F>(form: F, log: impl FnOnce()) -> String
    where
        F: FormatEvent<Registry, DefaultFields> + Send + Sync + 'static,
    {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(form)
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
    fn an_event_of_json_is_one_object_with_its_fields() {
        let form = Json {
            clock: Clock::Millis,
        };
        let text = logged_as(form, || {
            tracing::warn!(id = 1, evil = "a\nb", "starting {}", 7);
        });
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let value: Value = serde_json::from_str(&text).expect("it is JSON");
        assert!(value["timestamp"].as_f64() > Some(1e12), "{text}");
        assert_eq!(value["level"], "WARN");
        assert_eq!(value["message"], "starting 7");
        assert_eq!((&value["id"], &value["evil"]), (&1.into(), &"a\nb".into()));
        assert!(value["line_number"].is_u64() && value["filename"].is_string());
    }

    #[test]
    fn times_have_five_forms() {
        let time = "2021-01-17T17:30:27.282701999Z";
        let time: Timestamp = time.parse().expect("it is a time");
        for (clock, wanted) in [
            (Clock::Rfc3339Nano, "2021-01-17T17:30:27.282701999Z".into()),
            (Clock::Rfc3339, "2021-01-17T17:30:27Z".into()),
            (Clock::Iso8601, "2021-01-17T17:30:27.282+0000".into()),
            (Clock::Nanos, Value::from(1_610_904_627_282_701_999_i64)),
        ] {
            assert_eq!(clock.write(time), wanted, "{clock:?}");
        }
        let millis = Clock::Millis.write(time).as_f64();
        assert!(millis.is_some_and(|it| (it - 1_610_904_627_282.702).abs() < 0.01));
    }

    #[test]
    fn an_event_is_one_line_whatever_its_texts_hold() {
        let evil = "a\nE0101 00:00:00.000000       1 x.rs:1] b\u{1b}[2J";
        let text = logged(|| tracing::info!(evil, debug = ?evil, "{evil}"));
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
