//! Servers (management guide, section 9.3: `set server`, `add server`, `show servers state`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use haproxy_ingress_core::plan::Command;

use crate::haproxy::admin::state::{self, Server, Wanted};
use crate::haproxy::admin::{Admin, Error, batches, is_name, last, refused};

/// From here on all servers are read instead of those of each backend.
const MANY_BACKENDS: usize = 200;

/// HAProxy reads 64 words of a command and forgets the others without a word.
const MOST_OPTIONS: usize = 54;

impl Admin {
    /// Adds a server. One of the same name may be there that could not be removed when it was to be; if
    /// it still has connections, it is told where to go on.
    pub(super) async fn add_server(&mut self, command: &Command) -> Result<(), Error> {
        let Command::AddServer {
            backend,
            server,
            ip,
            port,
            weight,
            options,
            is_checked,
            has_agent,
            has_dynamic_cookie,
        } = command
        else {
            return Ok(());
        };
        let name = format!("{backend}/{server}");
        // Options are words already, and what would end one is part of it.
        let text = command.to_string().replace('\\', "\\\\");
        let text = text.replace(';', "\\;");
        let is_there = |it: &str| last(it).starts_with("Already exists a server");
        let mut answer = self.ask_one(&text).await?;
        if is_there(&answer) {
            self.remove_server(&name).await?;
            answer = self.ask_one(&text).await?;
        }
        // What one server has for itself may be another's by now; what all share is the same.
        let is_shared = |it: &str| !["id", "cookie", "source"].contains(&it);
        if is_there(&answer) && options.split(' ').all(is_shared) {
            let lines = [
                format!("set server {name} addr {ip} port {port}"),
                format!("set server {name} weight {weight}"),
            ];
            self.ask(&lines).await?;
            return Ok(());
        }
        if last(&answer) != "New server registered." {
            return Err(refused(&text, &answer));
        }
        let lines = [
            is_checked.then(|| format!("enable health {name}")),
            has_agent.then(|| format!("enable agent {name}")),
            has_dynamic_cookie.then(|| format!("enable dynamic-cookie backend {backend}")),
        ];
        let lines: Vec<String> = lines.into_iter().flatten().collect();
        self.give_quietly(&lines).await
    }

    /// Takes a server out and removes it. One that has connections stays in maintenance until the next
    /// reload, which does no harm.
    pub(super) async fn remove_server(&mut self, name: &str) -> Result<(), Error> {
        let lines = [
            format!("set server {name} state maint"),
            format!("del server {name}"),
        ];
        let answer = self.ask(&lines).await?;
        if last(&answer) != "Server deleted." {
            tracing::debug!(
                name,
                answer = answer.trim(),
                "a server stays in maintenance"
            );
        }
        Ok(())
    }

    pub(super) async fn read_servers_back(&mut self, commands: &[Command]) -> Result<(), Error> {
        let mut wanted: BTreeMap<(Arc<str>, Arc<str>), Wanted> = BTreeMap::new();
        for command in commands {
            if let Some((backend, server)) = server(command) {
                let server = (backend.clone(), server.clone());
                wanted.entry(server).or_default().add(command);
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let backends: BTreeSet<&str> = wanted.keys().map(|(backend, _)| &**backend).collect();
        let found = self.servers(&backends).await?;
        for ((backend, server), wanted) in &wanted {
            let found = found.get(&(backend.to_string(), server.to_string()));
            if let Some((wanted, found)) = wanted.difference(found) {
                return Err(Error::Differs {
                    what: format!("server `{backend}/{server}`"),
                    wanted,
                    found,
                });
            }
        }
        Ok(())
    }

    /// What the servers of some backends are like now, by the names of backend and server.
    pub(super) async fn servers(
        &mut self,
        backends: &BTreeSet<&str>,
    ) -> Result<BTreeMap<(String, String), Server>, Error> {
        const COMMAND: &str = "show servers state";
        if backends.len() > MANY_BACKENDS {
            return Ok(state::read(&self.ask_one(COMMAND).await?));
        }
        let commands: Vec<String> = backends
            .iter()
            .map(|it| format!("{COMMAND} {it}"))
            .collect();
        let mut servers = BTreeMap::new();
        for batch in batches(&commands) {
            servers.append(&mut state::read(&self.ask(batch).await?));
        }
        Ok(servers)
    }
}

/// The backend and the server that a command is about.
pub(super) fn server(command: &Command) -> Option<(&Arc<str>, &Arc<str>)> {
    match command {
        Command::AddServer {
            backend, server, ..
        }
        | Command::RemoveServer {
            backend, server, ..
        }
        | Command::SetServerAddress {
            backend, server, ..
        }
        | Command::SetServerWeight {
            backend, server, ..
        }
        | Command::SetServerState {
            backend, server, ..
        } => Some((backend, server)),
        _ => None,
    }
}

/// Refuses what HAProxy would not take, or would take for something else.
pub(super) fn check(command: &Command) -> Result<(), Error> {
    let Some((backend, server)) = server(command) else {
        return Ok(());
    };
    for name in [backend, server] {
        if !is_name(name) {
            return Err(Error::Name { name: name.clone() });
        }
    }
    let unfit = |why| {
        let command = command.to_string();
        Err(Error::Unfit { command, why })
    };
    match command {
        Command::SetServerAddress { port: 0, .. } | Command::AddServer { port: 0, .. } => {
            unfit("port 0 is not a port")
        }
        Command::AddServer { options, .. } if options.split(' ').count() > MOST_OPTIONS => {
            unfit("HAProxy would forget the last words of it")
        }
        _ => Ok(()),
    }
}

/// Whether the answer is one of those that a command of one line gives when it was carried out.
pub(super) fn is_fine(command: &Command, answer: &str) -> bool {
    let last = last(answer);
    match command {
        Command::SetServerAddress { .. } => [
            "IP changed from",
            "port changed from",
            "no need to change",
            "nothing changed",
        ]
        .iter()
        .any(|it| last.starts_with(it)),
        _ => last.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use haproxy_ingress_core::compile::Compiled;
    use haproxy_ingress_core::plan::ServerState;

    use super::*;
    use crate::haproxy::fixture::{Backend, External, Script, config};
    use crate::haproxy::master::Master;
    use crate::haproxy::socket::Socket;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn address(server: &str, port: u16) -> Command {
        Command::SetServerAddress {
            backend: "shop".into(),
            server: server.into(),
            ip: [127, 0, 0, 1].into(),
            port,
        }
    }

    fn weight(server: &str, weight: u16) -> Command {
        Command::SetServerWeight {
            backend: "shop".into(),
            server: server.into(),
            weight,
        }
    }

    fn state(server: &str, state: ServerState) -> Command {
        Command::SetServerState {
            backend: "shop".into(),
            server: server.into(),
            state,
        }
    }

    /// What commands for servers are not compared with.
    fn nothing() -> Compiled {
        Compiled::default()
    }

    /// A HAProxy with a backend `shop` of some servers, and its worker.
    async fn shop(servers: usize) -> (External, Admin) {
        let external = External::prepare();
        external.write(&config(external.prefix(), &[Backend::new("shop", servers)]));
        let external = external.start().await;
        let master = Master::new(Socket::master(external.master_socket(), PATIENCE));
        let admin = Admin::new(Socket::worker(external.admin_socket(), PATIENCE), master);
        (external, admin)
    }

    #[tokio::test]
    async fn servers_become_what_was_asked_for() -> Result<(), Error> {
        let (_external, mut admin) = shop(3).await;
        let commands = [
            address("s0", 8081),
            weight("s0", 7),
            state("s0", ServerState::Ready),
            state("s1", ServerState::Maint),
            weight("s2", 0),
            state("s2", ServerState::Drain),
        ];
        admin.carry_out(&commands, &nothing(), None).await?;
        // The same again changes nothing, and says so in other words.
        admin.carry_out(&commands, &nothing(), None).await?;
        let found = admin.servers(&["shop"].into()).await?;
        let server = &found[&("shop".to_owned(), "s0".to_owned())];
        assert_eq!((server.port, server.weight), (Some(8081), Some(7)));
        Ok(())
    }

    #[tokio::test]
    async fn servers_come_and_go() -> Result<(), Error> {
        let (_external, mut admin) = shop(1).await;
        let add = |server: &str, options: &str, port| Command::AddServer {
            backend: "shop".into(),
            server: server.into(),
            ip: "::1".parse().expect("an address"),
            port,
            weight: 7,
            options: options.into(),
            is_checked: options.contains("check"),
            has_agent: options.contains("agent"),
            has_dynamic_cookie: false,
        };
        let options = "check inter 2s agent-check agent-port 9 ssl verify none sni str(a.example)";
        let commands = [
            add("s8", options, 80),
            state("s8", ServerState::Ready),
            add("s9", "", 81),
        ];
        admin.carry_out(&commands, &nothing(), None).await?;
        let found = admin.servers(&["shop"].into()).await?;
        assert_eq!(found.len(), 3);
        let remove = |server: &str| Command::RemoveServer {
            backend: "shop".into(),
            server: server.into(),
        };
        admin
            .carry_out(&[remove("s8"), remove("s9")], &nothing(), None)
            .await?;
        assert_eq!(admin.servers(&["shop"].into()).await?.len(), 1);
        // One that is there in maintenance gives way.
        admin
            .carry_out(&[state("s0", ServerState::Maint)], &nothing(), None)
            .await?;
        admin
            .carry_out(&[add("s0", "", 82)], &nothing(), None)
            .await?;
        let error = admin
            .carry_out(&[add("s1", "no-ssl-magic", 80)], &nothing(), None)
            .await;
        assert!(matches!(error, Err(Error::Refused { .. })), "{error:?}");
        Ok(())
    }

    #[tokio::test]
    async fn the_master_is_the_way_round_a_lost_socket() -> Result<(), Error> {
        let (external, mut admin) = shop(2).await;
        std::fs::remove_file(external.admin_socket()).expect("the socket's file");
        admin
            .carry_out(&[address("s1", 8082), weight("s1", 3)], &nothing(), None)
            .await?;
        let found = admin.servers(&["shop"].into()).await?;
        let server = &found[&("shop".to_owned(), "s1".to_owned())];
        assert_eq!((server.port, server.weight), (Some(8082), Some(3)));
        Ok(())
    }

    #[tokio::test]
    async fn thousands_of_commands_are_few_calls_and_none_is_lost() -> Result<(), Error> {
        let (_external, mut admin) = shop(1_000).await;
        let commands: Vec<Command> = (0..1_000)
            .flat_map(|it| {
                let server = format!("s{it}");
                [
                    address(&server, 10_000 + it),
                    weight(&server, it % 256),
                    state(&server, ServerState::Ready),
                ]
            })
            .collect();
        admin.carry_out(&commands, &nothing(), None).await?;
        let found = admin.servers(&["shop"].into()).await?;
        assert_eq!(found.len(), 1_000);
        let server = &found[&("shop".to_owned(), "s999".to_owned())];
        assert_eq!((server.port, server.weight), (Some(10_999), Some(231)));
        Ok(())
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_a_refusal() {
        let (_external, mut admin) = shop(1).await;
        let error = admin
            .carry_out(&[weight("s0", 3), weight("s9", 3)], &nothing(), None)
            .await
            .expect_err("there is no s9");
        let Error::Refused { command, answer } = error else {
            panic!("{error}");
        };
        assert_eq!(command, "set server shop/s9 weight 3");
        assert_eq!(answer, "No such server.");
    }

    #[tokio::test]
    async fn a_name_cannot_carry_a_second_command() {
        let external = External::prepare();
        let master = Master::new(Socket::master(external.master_socket(), PATIENCE));
        let mut admin = Admin::new(Socket::worker(external.admin_socket(), PATIENCE), master);
        for name in [
            "s0;shutdown sessions server shop/s0",
            "s0 <<",
            "a\nb",
            "",
            "a/b",
        ] {
            let error = admin
                .carry_out(&[weight(name, 1)], &nothing(), None)
                .await
                .expect_err("it is not a name");
            assert!(matches!(error, Error::Name { .. }), "{name:?}: {error}");
        }
    }

    #[tokio::test]
    async fn an_empty_answer_is_not_believed() {
        let script = Script::play(&[
            ("set server shop/s0 weight 7", "\n"),
            (
                "show servers state shop",
                "1\n# be_name srv_name srv_uweight\nshop s0 1\n\n",
            ),
        ]);
        let mut admin = script.admin();
        let error = admin
            .carry_out(&[weight("s0", 7)], &nothing(), None)
            .await
            .expect_err("the weight is still 1");
        assert_eq!(
            error.to_string(),
            "server `shop/s0` has weight 1 instead of weight 7"
        );
        script.end().await;
    }

    #[tokio::test]
    async fn options_are_whole_or_the_server_is_not_added() -> Result<(), Error> {
        let (_external, mut admin) = shop(1).await;
        let add = |options: String| Command::AddServer {
            backend: "shop".into(),
            server: "new".into(),
            ip: [192, 0, 2, 1].into(),
            port: 80,
            weight: 1,
            options: options.into(),
            is_checked: false,
            has_agent: false,
            has_dynamic_cookie: false,
        };
        // HAProxy would say that it has registered it, and know nothing of the last word.
        let many = add(format!("{} no-such-option", ["rise 2"; 30].join(" ")));
        let error = admin.carry_out(&[many], &nothing(), None).await;
        assert!(matches!(error, Err(Error::Unfit { .. })), "{error:?}");
        let second = add("rise 2;set weight shop/s0 9".into());
        let error = admin.carry_out(&[second], &nothing(), None).await;
        assert!(matches!(error, Err(Error::Refused { .. })), "{error:?}");
        let found = admin.servers(&["shop"].into()).await?;
        let weights: Vec<_> = found.values().map(|it| it.weight).collect();
        assert_eq!(weights, [Some(1)]);
        Ok(())
    }

    #[test]
    fn the_words_of_every_version_are_understood() {
        for answer in [
            "IP changed from '127.0.0.1' to '127.0.0.2', port changed from '1023' to '80' by 'stats socket command'",
            "no need to change the addr, no need to change the port by 'stats socket command'",
            "port changed from '80' to '81'",
            "nothing changed",
            "Server deleted.\nnothing changed",
        ] {
            assert!(is_fine(&address("s0", 80), answer), "{answer}");
        }
        for answer in [
            "",
            "Invalid addr 'x'",
            "No such server.",
            "nothing changed\nx",
        ] {
            assert!(!is_fine(&address("s0", 80), answer), "{answer}");
        }
        assert!(is_fine(&weight("s0", 1), ""));
        assert!(!is_fine(&weight("s0", 1), "No such backend."));
    }
}
