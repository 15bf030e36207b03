//! The steps, and what is expected of each.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::command;
use crate::demo::Stop;
use crate::demo::client::{self, Answer, Load};
use crate::demo::place::Place;
use crate::demo::process::Process;
use crate::demo::upstream::Upstream;

/// The host of the example's Ingress. Browsers send `*.localhost` to the machine itself.
const HOST: &str = "shop.localhost";
/// How long a step may take. It says how long it took.
const LIMIT: Duration = Duration::from_secs(20);
/// The line that says that HAProxy reads its files again.
const RELOADED: &str = "haproxy successfully reloaded (external)";

/// The demo as it is told.
pub(super) struct Story<'a> {
    place: &'a Place,
    stop: &'a Stop,
    // Fields are dropped in this order: the controller stops before its HAProxy.
    controller: Option<Process>,
    haproxy: Option<Process>,
    /// Each expectation, and whether it was met.
    checks: Vec<(String, bool)>,
}

impl<'a> Story<'a> {
    /// Starts HAProxy with nothing to do, then the controller.
    pub(super) fn begin(place: &'a Place, stop: &'a Stop) -> Result<Self> {
        let mut story = Self {
            place,
            stop,
            controller: None,
            haproxy: None,
            checks: Vec::new(),
        };
        command::title("A HAProxy of its own, and the controller beside it");
        place.init()?;
        story.start_haproxy()?;
        story.start_controller()?;
        Ok(story)
    }

    /// Tells it all.
    pub(super) fn tell(&mut self, blue: &Upstream, green: &Upstream) -> Result<()> {
        self.empty()?;
        self.add(blue)?;
        self.move_endpoint(blue, green)?;
        self.tls()?;
        self.delete()?;
        self.kill_controller()?;
        self.restart_haproxy(blue)
    }

    /// Lists what was expected and whether it was so; true if all of it was.
    pub(super) fn summary(&self) -> bool {
        command::title("Summary");
        for (what, met) in &self.checks {
            println!("{}", marked(what, *met));
        }
        let met = self.checks.iter().filter(|(_, met)| *met).count();
        println!("{met} of {} as expected", self.checks.len());
        met == self.checks.len()
    }

    /// Stops what it started, the controller before its HAProxy.
    pub(super) fn stop(&mut self) {
        for it in [self.controller.take(), self.haproxy.take()]
            .into_iter()
            .flatten()
        {
            it.stop();
        }
    }

    fn empty(&mut self) -> Result<()> {
        command::title("1. Nothing is routed yet");
        let port = self.place.ports.http;
        self.expect_answer("an empty set of manifests answers 404", 404, "", || {
            client::get(port, HOST, "/")
        })?;
        for message in [
            "HAProxy Ingress successfully initialized",
            "starting haproxy update id=1",
            "using auto generated fake certificate",
            RELOADED,
        ] {
            self.expect_line(&format!("the controller says `{message}`"), true, |it| {
                it.contains(message)
            })?;
        }
        self.expect_line(
            "the controller says where the time of the first update went",
            true,
            is_timer_line,
        )?;
        self.expect_line(
            "HAProxy logs the request that nothing matches",
            false,
            |it| {
                it.contains(" _front_http _error404/<lua.send-404> ")
                    && it.ends_with("\"GET / HTTP/1.1\"")
            },
        )
    }

    fn add(&mut self, upstream: &Upstream) -> Result<()> {
        command::title("2. A Service and an Ingress appear");
        self.place.write_service(upstream)?;
        self.place.write_ingress()?;
        self.expect_served("an Ingress file is served", upstream)
    }

    fn move_endpoint(&mut self, from: &Upstream, to: &Upstream) -> Result<()> {
        command::title("3. The Service's endpoint moves to another address");
        let before = self.reloads()?;
        self.place.write_service(to)?;
        let what = format!("requests go from {} to {}", from.name, to.name);
        self.expect_served(&what, to)?;
        let after = self.reloads()?;
        self.check(
            "HAProxy was not reloaded for it",
            before == after,
            &after.shown(),
        );
        Ok(())
    }

    fn tls(&mut self) -> Result<()> {
        command::title("4. The same over HTTPS");
        let port = self.place.ports.https;
        self.expect_answer(
            "HTTPS answers, with a generated certificate",
            200,
            "hello",
            || client::get_tls(port, HOST, "/tls"),
        )
    }

    fn delete(&mut self) -> Result<()> {
        command::title("5. The Ingress is deleted, and comes back");
        let port = self.place.ports.http;
        self.place.delete_ingress()?;
        self.expect_answer("a deleted Ingress is not served", 404, "", || {
            client::get(port, HOST, "/")
        })?;
        self.place.write_ingress()?;
        self.expect_answer("it is served again when it is back", 200, "hello", || {
            client::get(port, HOST, "/")
        })
    }

    fn kill_controller(&mut self) -> Result<()> {
        command::title("6. kill -9 of the controller, and a new one, under load");
        self.settle()?;
        let before = self.place.reloads()?;
        let load = Load::start(self.place.ports.http, HOST);
        if let Some(controller) = self.controller.take() {
            controller.kill()?;
        }
        thread::sleep(Duration::from_millis(500));
        self.start_controller()?;
        self.expect_line("the new controller finishes its first update", true, |it| {
            it.contains("finish haproxy update id=1")
        })?;
        thread::sleep(Duration::from_millis(500));
        let counts = load.finish();
        self.check(
            "no request failed",
            counts.failures.is_empty(),
            &match counts.failures.first() {
                None => format!("{} sent", counts.sent),
                Some(first) => format!("{} of {}: {first}", counts.failures.len(), counts.sent),
            },
        );
        let after = self.place.reloads()?;
        self.check(
            "HAProxy was not reloaded by the new controller",
            before == after,
            &format!("{after} reloads"),
        );
        Ok(())
    }

    fn restart_haproxy(&mut self, upstream: &Upstream) -> Result<()> {
        command::title("7. HAProxy stops, and starts again");
        if let Some(haproxy) = self.haproxy.take() {
            haproxy.stop();
        }
        self.start_haproxy()?;
        let port = self.place.ports.http;
        self.expect_answer(
            "HAProxy serves the last good configuration",
            200,
            "hello",
            || client::get(port, HOST, "/"),
        )?;
        self.place.write_service(upstream)?;
        let what = format!(
            "the controller finds it again: requests go to {}",
            upstream.name
        );
        self.expect_served(&what, upstream)
    }

    fn start_haproxy(&mut self) -> Result<()> {
        let mut haproxy = self.place.haproxy()?;
        self.haproxy = Some(Process::start("haproxy", "36", &mut haproxy)?);
        Ok(())
    }

    fn start_controller(&mut self) -> Result<()> {
        let mut controller = self.place.controller()?;
        self.controller = Some(Process::start("controller", "35", &mut controller)?);
        Ok(())
    }

    /// Expects the answers to come from one of the backends.
    fn expect_served(&mut self, what: &str, upstream: &Upstream) -> Result<()> {
        let port = self.place.ports.http;
        self.expect_answer(what, 200, &format!("hello from {}", upstream.name), || {
            client::get(port, HOST, "/")
        })
    }

    /// Sends a request until it is answered as expected.
    fn expect_answer(
        &mut self,
        what: &str,
        status: u16,
        body: &str,
        ask: impl Fn() -> Result<Answer>,
    ) -> Result<()> {
        let start = Instant::now();
        let mut last = String::new();
        let met = self.wait(|_| match ask() {
            Ok(answer) => {
                last = format!("{} {:?}", answer.status, answer.body);
                answer.status == status && answer.body.starts_with(body)
            }
            Err(error) => {
                last = format!("{error:#}");
                false
            }
        })?;
        let detail = if met {
            format!("{last}, after {:.2} s", start.elapsed().as_secs_f64())
        } else {
            format!("the last answer was {last}")
        };
        self.check(what, met, &detail);
        Ok(())
    }

    /// Waits for a line of the controller, or of HAProxy.
    fn expect_line(
        &mut self,
        what: &str,
        of_controller: bool,
        fits: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let met = self.wait(|story| {
            let process = if of_controller {
                &story.controller
            } else {
                &story.haproxy
            };
            let lines = process.as_ref().map(Process::lines).unwrap_or_default();
            lines.iter().any(|it| fits(it))
        })?;
        self.check(what, met, "");
        Ok(())
    }

    /// Waits until the controller has been quiet for a while: what it does next, it does for a reason.
    fn settle(&mut self) -> Result<()> {
        let mut seen = usize::MAX;
        let mut quiet = Instant::now();
        self.wait(|story| {
            let lines = story.controller.as_ref().map_or(0, |it| it.lines().len());
            if lines != seen {
                seen = lines;
                quiet = Instant::now();
            }
            quiet.elapsed() > Duration::from_secs(1)
        })?;
        Ok(())
    }

    /// Tries again and again; false when the limit is over.
    fn wait(&mut self, mut is_met: impl FnMut(&Self) -> bool) -> Result<bool> {
        let start = Instant::now();
        while !is_met(self) {
            if self.stop.is_set() {
                bail!("stopped");
            }
            for (name, process) in [
                ("the controller", &mut self.controller),
                ("HAProxy", &mut self.haproxy),
            ] {
                let ended = process.as_mut().and_then(Process::ended);
                if let Some(status) = ended {
                    bail!("{name} has ended: {status}");
                }
            }
            if start.elapsed() > LIMIT {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(true)
    }

    fn check(&mut self, what: &str, met: bool, detail: &str) {
        let mut line = marked(what, met);
        if !detail.is_empty() {
            line.push_str(&command::dim(&format!(" ({detail})")));
        }
        println!("{line}");
        self.checks.push((what.to_owned(), met));
    }

    /// Reloads as both sides count them.
    fn reloads(&mut self) -> Result<Reloads> {
        self.settle()?;
        let controller = self.controller.as_ref().context("the controller runs")?;
        Ok(Reloads {
            by_haproxy: self.place.reloads()?,
            by_controller: controller.count(RELOADED),
        })
    }
}

/// How many reloads there were.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Reloads {
    by_haproxy: u32,
    by_controller: usize,
}

impl Reloads {
    fn shown(self) -> String {
        format!(
            "{} in HAProxy's table, {} in the controller's log",
            self.by_haproxy, self.by_controller
        )
    }
}

fn marked(what: &str, met: bool) -> String {
    if met {
        format!("{} {what}", command::green("✓"))
    } else {
        format!("{} {what}", command::red("✗"))
    }
}

/// Whether this is the line that ends the first update, with a time for each of its parts.
fn is_timer_line(line: &str) -> bool {
    timers(line).is_ok()
}

/// The names of the times in `finish haproxy update id=1: parse_ingress=0.14ms … total=44.76ms`.
fn timers(line: &str) -> Result<()> {
    let (_, times) = line
        .split_once("finish haproxy update id=1: ")
        .context("not the line")?;
    let mut names = Vec::new();
    for time in times.split(' ') {
        let (name, value) = time.split_once('=').context("not a pair")?;
        let number = value.strip_suffix("ms").context("not in milliseconds")?;
        number.parse::<f64>()?;
        names.push(name);
    }
    let expected = [
        "parse_ingress",
        "write_maps",
        "write_config",
        "reload_haproxy",
        "total",
    ];
    ensure!(names == expected, "other times: {names:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_timers_is_known_by_its_names_and_numbers() {
        let line = "I0117 17:30:27.437017       6 controller.go:334] finish haproxy update id=1: \
                    parse_ingress=0.143483ms write_maps=0.149637ms write_config=0.971026ms \
                    reload_haproxy=43.498718ms total=44.762864ms";
        assert!(is_timer_line(line));
        assert!(!is_timer_line(&line.replace("write_maps", "write_map")));
        assert!(!is_timer_line(&line.replace("44.762864ms", "?")));
        assert!(!is_timer_line(&line.replace("id=1", "id=2")));
    }
}
