//! Backends (management guide, section 9.3: `add backend`, `publish backend`, `show stat`), from HAProxy
//! 3.4 on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use haproxy_ingress_core::plan::Command;

use crate::haproxy::admin::{Admin, Error, answers, batches, is_name, last, refused};

/// How long connections of a server that nobody uses may take to be closed, in milliseconds.
const CLOSING: u8 = 100;

/// Whether requests can be sent to a backend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Presence {
    /// It is not there.
    Absent,
    /// It is there, and no request is sent to it.
    Unpublished,
    /// It takes requests.
    Published,
}

impl Admin {
    /// Adds a backend. One of the same name may be there that could not be removed when it was to be, and
    /// may be another one; if it still has connections, only a reload helps.
    pub(super) async fn add_backend(
        &mut self,
        backend: &str,
        command: &Command,
    ) -> Result<(), Error> {
        let text = command.to_string();
        let mut answer = self.ask_one(&text).await?;
        if last(&answer).contains("name is already used") {
            self.remove_backend(backend).await?;
            answer = self.ask_one(&text).await?;
        }
        match last(&answer) {
            "New backend registered." => Ok(()),
            _ => Err(refused(&text, &answer)),
        }
    }

    pub(super) async fn publish_backend(&mut self, backend: &str) -> Result<(), Error> {
        let text = format!("publish backend {backend}");
        let answer = self.ask_one(&text).await?;
        match last(&answer) {
            "Backend published." => Ok(()),
            _ => Err(refused(&text, &answer)),
        }
    }

    /// Takes a backend out with its servers and removes it. One that has connections stays without a way
    /// to it until they end, which does no harm.
    pub(super) async fn remove_backend(&mut self, backend: &str) -> Result<(), Error> {
        let servers = self.servers(&[backend].into()).await?;
        let mut lines = vec![format!("unpublish backend {backend}")];
        for (_, server) in servers.keys() {
            lines.push(format!("set server {backend}/{server} state maint"));
        }
        // Connections that nobody uses are closed by now, each by the thread that has it.
        if let Some((_, server)) = servers.keys().last() {
            lines.push(format!("wait {CLOSING} srv-removable {backend}/{server}"));
        }
        for batch in batches(&lines) {
            self.ask(batch).await?;
        }
        self.delete_backend(backend, servers.keys().map(|it| &*it.1))
            .await
    }

    /// Deletes those that had connections when they were removed and have none by now. They are only
    /// deleted: one that has come back since, by whatever way, is refused.
    pub(super) async fn delete_left_backends(&mut self) -> Result<(), Error> {
        for backend in self.left.clone() {
            let servers = self.servers(&[&*backend].into()).await?;
            self.delete_backend(&backend, servers.keys().map(|it| &*it.1))
                .await?;
        }
        Ok(())
    }

    async fn delete_backend(
        &mut self,
        backend: &str,
        servers: impl Iterator<Item = &str>,
    ) -> Result<(), Error> {
        let mut lines: Vec<String> = servers
            .map(|it| format!("del server {backend}/{it}"))
            .collect();
        lines.push(format!("del backend {backend}"));
        let mut said = String::new();
        for batch in batches(&lines) {
            said = self.ask(batch).await?;
        }
        if matches!(last(&said), "Backend deleted." | "No such backend.") {
            self.left.remove(backend);
        } else {
            tracing::debug!(backend, answer = said.trim(), "a backend stays unpublished");
            self.left.insert(backend.into());
        }
        Ok(())
    }

    /// The names of all backends, but HAProxy's own.
    pub(super) async fn backends(&mut self) -> Result<BTreeSet<Arc<str>>, Error> {
        let answer = self.ask_one("show backend").await?;
        let names = answer.lines().map(str::trim);
        let names = names.filter(|it| !it.is_empty() && !it.starts_with('#'));
        Ok(names.map(Into::into).collect())
    }

    pub(super) async fn read_backends_back(&mut self, commands: &[Command]) -> Result<(), Error> {
        let wanted: BTreeMap<&Arc<str>, bool> = commands.iter().filter_map(wanted).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let names: Vec<&Arc<str>> = wanted.keys().copied().collect();
        let lines: Vec<String> = names
            .iter()
            .map(|it| format!("show stat {it} 2 -1"))
            .collect();
        let mut next = names.into_iter();
        for batch in batches(&lines) {
            let said = self.ask(batch).await?;
            for (answer, backend) in answers(&said).zip(next.by_ref().take(batch.len())) {
                let found = presence(&answer);
                let is_published = found == Some(Presence::Published);
                if found.is_none() || is_published != wanted[backend] {
                    return Err(Error::Differs {
                        what: format!("backend `{backend}`"),
                        wanted: name(wanted[backend]).into(),
                        found: found.map_or("no state", Presence::name).into(),
                    });
                }
            }
        }
        Ok(())
    }
}

impl Presence {
    fn name(self) -> &'static str {
        match self {
            Self::Absent => "no place",
            Self::Unpublished => "no requests",
            Self::Published => "requests",
        }
    }
}

fn name(is_published: bool) -> &'static str {
    if is_published {
        "requests"
    } else {
        "no requests"
    }
}

/// The backend that a command is about, and whether it takes requests behind it.
fn wanted(command: &Command) -> Option<(&Arc<str>, bool)> {
    match command {
        Command::PublishBackend { backend } => Some((backend, true)),
        Command::RemoveBackend { backend } => Some((backend, false)),
        _ => None,
    }
}

/// What `show stat` says of a backend. Columns are found by their names.
fn presence(answer: &str) -> Option<Presence> {
    if last(answer) == "No such proxy." {
        return Some(Presence::Absent);
    }
    let mut lines = answer.lines();
    let mut names = lines.next()?.split(',');
    let column = names.position(|it| it == "status")?;
    let status = lines.next()?.split(',').nth(column)?;
    Some(if status.contains("(UNPUB)") {
        Presence::Unpublished
    } else {
        Presence::Published
    })
}

/// Refuses a name that HAProxy's own parser refuses.
pub(super) fn check(command: &Command) -> Result<(), Error> {
    let names: [Option<&Arc<str>>; 2] = match command {
        Command::AddBackend { backend, defaults } => [Some(backend), Some(defaults)],
        Command::PublishBackend { backend } | Command::RemoveBackend { backend } => {
            [Some(backend), None]
        }
        _ => [None, None],
    };
    match names.into_iter().flatten().find(|it| !is_name(it)) {
        Some(name) => Err(Error::Name { name: name.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use haproxy_ingress_core::compile::Compiled;
    use haproxy_ingress_core::plan::ServerState;

    use super::*;
    use crate::haproxy::fixture::Script;

    const ADD: (&str, &str) = (
        "add backend two from _backend",
        "New backend registered.\n\n",
    );
    const PUBLISH: (&str, &str) = ("publish backend two", "Backend published.\n\n");
    const SERVERS: (&str, &str) = (
        "show servers state two",
        "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight \
         srv_iweight srv_port\n5 two 1 s1 127.77.0.1 2 0 1 1 4481\n\n",
    );
    const NO_SERVERS: (&str, &str) = (
        "show servers state two",
        "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight \
         srv_iweight srv_port\n\n",
    );
    const TAKE_OUT: &str = "unpublish backend two;set server two/s1 state maint;\
                            wait 100 srv-removable two/s1";
    const DELETE: &str = "del server two/s1;del backend two";
    const DELETED: &str = "Server deleted.\n\nServer two/s1 is going DOWN for maintenance. 0 active and 0 backup \
                           servers left. 0 sessions active, 0 requeued, 0 remaining in queue.\nbackend \
                           'two' has no server available!\nServer deleted.\nBackend deleted.\n\n";
    const STAYS: &str = "Server still has connections attached to it, cannot remove it.\n\n\
                         Only a backend without server can be deleted.\n\n";
    const LOOK: &str = "show stat two 2 -1";
    const TAKES_REQUESTS: &str = "# pxname,svname,qcur,status,weight,\ntwo,BACKEND,0,UP,1,\n\n";
    const TAKES_NONE: &str = "# pxname,svname,qcur,status,weight,\ntwo,BACKEND,0,UP (UNPUB),1,\n\n";

    /// Carries commands out with a worker that answers as 3.4.0 does.
    async fn carry_out(
        commands: &[Command],
        lines: &'static [(&'static str, &'static str)],
    ) -> Result<(), Error> {
        let script = Script::play(lines);
        let (mut admin, nothing) = (script.admin(), Compiled::default());
        let done = admin.carry_out(commands, &nothing, None).await;
        script.end().await;
        done
    }

    fn add() -> [Command; 4] {
        let backend: Arc<str> = "two".into();
        [
            Command::AddBackend {
                backend: backend.clone(),
                defaults: "_backend".into(),
            },
            Command::AddServer {
                backend: backend.clone(),
                server: "s1".into(),
                ip: [127, 77, 0, 1].into(),
                port: 4481,
                weight: 1,
                options: "".into(),
                is_checked: false,
                has_agent: false,
                has_dynamic_cookie: false,
            },
            Command::SetServerState {
                backend: backend.clone(),
                server: "s1".into(),
                state: ServerState::Ready,
            },
            Command::PublishBackend { backend },
        ]
    }

    fn remove() -> [Command; 1] {
        let backend = "two".into();
        [Command::RemoveBackend { backend }]
    }

    #[tokio::test]
    async fn a_backend_comes_with_its_servers_and_is_read_back() -> Result<(), Error> {
        let lines = &[
            ADD,
            (
                "add server two/s1 127.77.0.1:4481 weight 1",
                "New server registered.\n\n",
            ),
            ("set server two/s1 state ready", "\n"),
            PUBLISH,
            (LOOK, TAKES_REQUESTS),
            SERVERS,
        ];
        carry_out(&add(), lines).await
    }

    #[tokio::test]
    async fn one_that_takes_no_requests_is_noticed() {
        let publish = &add()[3..];
        for (found, what) in [
            (&[PUBLISH, (LOOK, TAKES_NONE)], "no requests"),
            (&[PUBLISH, (LOOK, "No such proxy.\n\n")], "no place"),
        ] {
            match carry_out(publish, found).await {
                Err(Error::Differs { found, .. }) => assert_eq!(found, what),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_backend_that_cannot_be_made_is_refused() {
        let lines = &[(ADD.0, "Cannot find default proxy '_backend'.\n\n")];
        let error = carry_out(&add(), lines).await;
        assert!(matches!(error, Err(Error::Refused { .. })), "{error:?}");
        // It would take no servers.
        let lines = &[(
            ADD.0,
            "New backend registered (no support for dynamic servers: backend 'two' uses a non dynamic \
             load balancing method).\n\n",
        )];
        let error = carry_out(&add(), lines).await;
        assert!(matches!(error, Err(Error::Refused { .. })), "{error:?}");
    }

    #[tokio::test]
    async fn a_backend_goes_with_its_servers() -> Result<(), Error> {
        let lines = &[
            SERVERS,
            (TAKE_OUT, "Backend unpublished.\n\n\nDone.\n\n"),
            (DELETE, DELETED),
            (LOOK, "No such proxy.\n\n"),
        ];
        carry_out(&remove(), lines).await
    }

    #[tokio::test]
    async fn one_with_connections_stays_unpublished_until_they_end() -> Result<(), Error> {
        let script = Script::play(&[
            SERVERS,
            (
                TAKE_OUT,
                "Backend unpublished.\n\n\nFailed. Server still has connections attached to it, cannot \
                 remove it.\n\n",
            ),
            (DELETE, STAYS),
            (LOOK, TAKES_NONE),
            SERVERS,
            (DELETE, STAYS),
            SERVERS,
            (DELETE, DELETED),
        ]);
        let (mut admin, nothing) = (script.admin(), Compiled::default());
        admin.carry_out(&remove(), &nothing, None).await?;
        // The last time, nothing is left to be asked about.
        for _ in 0..3 {
            admin.delete_left_backends().await?;
        }
        script.end().await;
        Ok(())
    }

    #[tokio::test]
    async fn one_that_stayed_gives_way_to_the_next() -> Result<(), Error> {
        let lines = &[
            (
                ADD.0,
                "Error during backend creation : name is already used by other proxy 'backend \
                 two'.\n\n",
            ),
            NO_SERVERS,
            ("unpublish backend two", "Backend unpublished.\n\n"),
            ("del backend two", "Backend deleted.\n\n"),
            ADD,
            PUBLISH,
            (LOOK, TAKES_REQUESTS),
        ];
        let [add, _, _, publish] = add();
        carry_out(&[add, publish], lines).await
    }

    #[tokio::test]
    async fn a_name_that_haproxy_does_not_take_is_not_sent() {
        let backend = "two;show info".into();
        let error = carry_out(&[Command::RemoveBackend { backend }], &[]).await;
        assert!(matches!(error, Err(Error::Name { .. })), "{error:?}");
    }
}
