//! Which server of a backend gets the request.

use std::sync::Arc;

use crate::explain::words::words;
use crate::explain::{End, Stage, Step, Target, Walk};
use crate::haproxy::{Backend, Server, ServerState, Template};

const ASKED: &str = "Which server gets it?";

impl Walk<'_> {
    /// The servers that may get a request, or what is answered where there is none.
    pub(super) fn servers(&mut self, backend: &Backend) -> End {
        let name = backend.name.clone();
        if let Some(template) = &backend.template {
            return self.template(template, name);
        }
        if let Some(server) = self.chosen(backend) {
            return End::Backend {
                name,
                servers: vec![target(server, 1.0)],
            };
        }
        let is_ready = |it: &&Server| it.state == ServerState::Ready && it.weight > 0;
        let ready: Vec<&Server> = backend.servers.iter().filter(is_ready).collect();
        let total: u32 = ready.iter().map(|it| u32::from(it.weight)).sum();
        if ready.is_empty() {
            let outcome = "503: it has no server that takes requests";
            let step = Step::new(Stage::Server, ASKED, outcome).by(&backend.owners);
            self.decision.steps.push(step.end());
            return End::Status { status: 503 };
        }
        let servers: Vec<Target> = ready
            .iter()
            .map(|it| target(it, f64::from(it.weight) / f64::from(total)))
            .collect();
        let balance = backend
            .balance
            .as_ref()
            .or(self.config.defaults.balance.as_ref());
        let algorithm = balance.map_or("roundrobin", |it| it.value.as_str());
        let count = servers.len();
        let outcome = match count {
            1 => format!("`{}`, the only one", servers[0].name),
            _ => format!("one of {count}, by `balance {algorithm}`"),
        };
        let mut step = Step::new(Stage::Server, ASKED, outcome);
        if count > 1 {
            step = step.by(balance.map(|it| &it.origin));
        }
        let cookie = backend.cookie.as_ref().filter(|_| Self::is_http(backend));
        if let Some(cookie) = cookie {
            let its = cookie
                .line
                .value
                .as_str()
                .split(' ')
                .next()
                .unwrap_or_default();
            let text = match self.message.cookie(its) {
                Some(_) => format!("the cookie `{its}` leads it back to a server, if it names one"),
                None => format!("the answer has a cookie `{its}` that leads back to the server"),
            };
            step = step.note(text, [&cookie.line.origin]);
        }
        self.decision.steps.push(step);
        End::Backend { name, servers }
    }

    /// The server that a rule or a cookie picks.
    fn chosen<'b>(&mut self, backend: &'b Backend) -> Option<&'b Server> {
        if !Self::is_http(backend) {
            return None;
        }
        let usable = |it: &&Server| it.state != ServerState::Maint;
        // A cookie counts before rules.
        if let Some(cookie) = &backend.cookie {
            let name = cookie
                .line
                .value
                .as_str()
                .split(' ')
                .next()
                .unwrap_or_default();
            let value = self.message.cookie(name);
            let server = value.and_then(|value| {
                let mut servers = backend.servers.iter().filter(usable);
                servers.find(|it| it.cookie.as_ref().is_some_and(|it| it.as_str() == value))
            });
            if let Some(server) = server {
                let outcome = format!("`{}`, by the cookie `{name}`", server.name);
                let step = Step::new(Stage::Server, ASKED, outcome).by([&cookie.line.origin]);
                self.decision.steps.push(step);
                return Some(server);
            }
        }
        for rule in &backend.use_servers {
            if self.message.holds(&words(&rule.condition)) != Some(true) {
                continue;
            }
            let mut servers = backend.servers.iter().filter(usable);
            if let Some(server) = servers.find(|it| it.name == rule.server) {
                let outcome = format!("`{}`, which the request asks for", server.name);
                let step = Step::new(Stage::Server, ASKED, outcome).by(&rule.origins);
                self.decision.steps.push(step);
                return Some(server);
            }
        }
        None
    }

    /// Servers that HAProxy finds by a name.
    fn template(&mut self, template: &Template, name: Arc<str>) -> End {
        let address = match template.port {
            Some(port) => format!("{}:{port}", template.name),
            None => template.name.to_string(),
        };
        let outcome = format!(
            "one of at most {} that `{address}` resolves to",
            template.count
        );
        let step = Step::new(Stage::Server, ASKED, outcome).by([&template.origin]);
        self.decision.steps.push(step);
        let what = format!("what `{address}` resolves to: taken for at least one server");
        self.leave_out(what, [&template.origin]);
        let servers = vec![Target {
            name: Template::server(1),
            address,
            weight: template.weight,
            chance: 1.0,
            origin: template.origin.clone(),
        }];
        End::Backend { name, servers }
    }
}

fn target(server: &Server, chance: f64) -> Target {
    Target {
        name: server.name.clone(),
        address: server.address.to_string(),
        weight: server.weight,
        chance,
        origin: server.origin.clone(),
    }
}
