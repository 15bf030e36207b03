//! Commands that all reach the same worker (management guide, section 9.3, `prompt`).
//!
//! Each connection of its own goes to whoever serves at that moment, so a worker that comes in between
//! would hear the second half of an update only: what is taken away, and not what takes its place. A
//! session stays with its worker, even one that has stopped to serve.
//!
//! Behind each answer comes a prompt, an empty line and `> `; no answer has a line that begins so. From
//! 3.0 on, all answers to the commands of one line share the prompt behind the last of them, which the
//! first words of a session find out.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use crate::haproxy::socket::{
    Answered, Error, LONGEST_ANSWER, Socket, USUAL_ANSWER, check, check_lines, readable, shorten,
    with_lines,
};

/// What stands behind each answer.
const PROMPT: &[u8] = b"\n> ";

/// What stands in front of the answer, for each line that was handed over.
const CONTINUED: &str = "+ ";

/// Two commands that are answered alike, by which it is found out how many prompts two commands get.
const TWICE: &str = "show version;show version";

/// A connection on which commands follow each other.
#[derive(Debug)]
pub(crate) struct Session {
    /// Nothing after an answer that did not come, as the next would be taken for it.
    stream: Option<UnixStream>,
    /// Whether a prompt stands behind each answer, or behind all answers to a line.
    is_prompted_each: bool,
    limit: Duration,
    answered: Option<Answered>,
}

impl Socket {
    /// Begins a session with the worker that serves now.
    pub(crate) async fn session(&self) -> Result<Session, Error> {
        let stream = self.connect(Instant::now() + self.limit, "prompt").await?;
        let mut session = Session {
            stream: Some(stream),
            is_prompted_each: true,
            limit: self.limit,
            answered: self.answered.clone(),
        };
        let once = |answer: &[u8]| ends(answer, 1);
        session.send("prompt", "prompt\n", once).await?;
        let sent = format!("{TWICE}\n");
        let twice = |answer: &[u8]| ends(answer, if has_both(answer) { 1 } else { 2 });
        let answer = session.send(TWICE, &sent, twice).await?;
        session.is_prompted_each = !has_both(&answer);
        Ok(session)
    }
}

impl Session {
    /// Gives commands on one line and returns all answers, each with an empty line behind it.
    pub(crate) async fn ask(&mut self, commands: &[String]) -> Result<String, Error> {
        let line = commands.join(";");
        check(&line)?;
        let sent = format!("{line}\n");
        let prompts = if self.is_prompted_each {
            commands.len()
        } else {
            1
        };
        let answer = self.send(&line, &sent, |it| ends(it, prompts)).await?;
        Ok(readable(answer).replace("\n> ", "\n"))
    }

    /// Gives a command that reads some lines, of which none may be empty: behind the first empty one
    /// HAProxy reads commands.
    pub(crate) async fn ask_with(&mut self, command: &str, lines: &str) -> Result<String, Error> {
        check(command)?;
        check_lines(command, lines)?;
        let sent = with_lines(command, lines);
        let answer = self.send(command, &sent, |it| ends(it, 1)).await?;
        Ok(without_marks(&readable(answer)))
    }

    /// Gives a command and, without waiting for its answer, one that reads some lines.
    pub(crate) async fn ask_then_with(
        &mut self,
        first: &str,
        command: &str,
        lines: &str,
    ) -> Result<(String, String), Error> {
        check(first)?;
        check(command)?;
        check_lines(command, lines)?;
        let sent = format!("{first}\n{}", with_lines(command, lines));
        let answer = self.send(command, &sent, |it| ends(it, 2)).await?;
        let answer = readable(answer);
        let (first, second) = answer.split_once("\n> ").unwrap_or((&answer, ""));
        Ok((format!("{first}\n"), without_marks(second)))
    }

    async fn send(
        &mut self,
        command: &str,
        text: &str,
        is_whole: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>, Error> {
        let broken = |source| Error::Broken {
            command: shorten(command),
            source,
        };
        let start = Instant::now();
        let stream = self.stream.take();
        let mut stream = stream.ok_or_else(|| broken(io::ErrorKind::NotConnected.into()))?;
        let answer = timeout_at(
            start + self.limit,
            converse(&mut stream, command, text, is_whole),
        );
        let answer = answer.await.map_err(|_| Error::Silent {
            command: shorten(command),
            limit: self.limit,
        })??;
        self.stream = Some(stream);
        if let Some(answered) = &self.answered {
            (answered.0)(command, start.elapsed());
        }
        Ok(answer)
    }
}

/// Sends a text that was checked, and reads until there is the whole answer, prompts included.
async fn converse(
    stream: &mut UnixStream,
    command: &str,
    sent: &str,
    is_whole: impl Fn(&[u8]) -> bool,
) -> Result<Vec<u8>, Error> {
    let broken = |source| Error::Broken {
        command: shorten(command),
        source,
    };
    // Whatever comes unasked would be taken for the answer.
    match stream.try_read(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(broken(error)),
        Ok(_) => return Err(broken(io::ErrorKind::ConnectionReset.into())),
    }
    stream.write_all(sent.as_bytes()).await.map_err(broken)?;
    let mut answer = Vec::with_capacity(USUAL_ANSWER);
    while !is_whole(&answer) {
        if stream.read_buf(&mut answer).await.map_err(broken)? == 0 {
            return Err(broken(io::ErrorKind::ConnectionReset.into()));
        }
        if answer.len() as u64 > LONGEST_ANSWER {
            return Err(Error::Endless {
                command: shorten(command),
            });
        }
    }
    Ok(answer)
}

/// An answer without the marks of who is asked for more.
fn without_marks(answer: &str) -> String {
    let answer = answer.replace("\n> ", "\n");
    answer.trim_start_matches(CONTINUED).to_owned()
}

/// Whether both answers to [`TWICE`] stand in front of the first prompt.
fn has_both(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let before = text.split("\n> ").next().unwrap_or_default();
    let mut lines = before.lines().filter(|it| !it.is_empty());
    let first = lines.next();
    first.is_some() && lines.any(|it| Some(it) == first)
}

/// Whether so many prompts have come and nothing behind the last.
fn ends(answer: &[u8], prompts: usize) -> bool {
    let all = || answer.windows(PROMPT.len()).filter(|it| *it == PROMPT);
    answer.ends_with(PROMPT) && all().count() >= prompts
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;
    use crate::haproxy::fixture::{Backend, External, config};

    const LIMIT: Duration = Duration::from_millis(500);

    #[test]
    fn as_many_prompts_end_an_answer_as_there_were_commands() {
        assert!(!ends(b"", 1) && !ends(b"a\n", 1) && !ends(b"a\n> b", 1));
        assert!(ends(b"\n> ", 1) && ends(b"a\nb\n> ", 1));
        assert!(!ends(b"a\n> ", 2) && ends(b"a\n> \n> ", 2));
    }

    #[test]
    fn the_first_answers_tell_how_many_prompts_there_are() {
        assert!(!has_both(b"") && !has_both(b"2.8\n\n> ") && !has_both(b"2.8\n\n> 2.8\n\n> "));
        assert!(has_both(b"3.4\n\n3.4\n\n> "));
    }

    #[tokio::test]
    async fn commands_stay_with_the_worker_that_took_the_first() -> Result<(), Error> {
        let external = External::prepare();
        external.write(&config(external.prefix(), &[Backend::new("shop", 2)]));
        let external = external.start().await;
        let socket = Socket::worker(external.admin_socket(), Duration::from_secs(10));
        let mut session = socket.session().await?;
        let info = ["show info".to_owned()];
        let pid = |answer: &str| {
            let mut lines = answer.lines();
            lines.find(|it| it.starts_with("Pid:")).map(str::to_owned)
        };
        let first = pid(&session.ask(&info).await?);
        assert!(first.is_some());
        external
            .master()
            .reload(LIMIT * 40)
            .await
            .expect("a reload");
        assert_ne!(pid(&socket.ask(&info[0]).await?), first);
        assert_eq!(pid(&session.ask(&info).await?), first);
        // Where it serves no longer it says so.
        let commands = ["s0", "s1"].map(|it| format!("set server shop/{it} state ready"));
        assert_eq!(
            session.ask(&commands).await?,
            "Proxy is disabled.\n\n".repeat(2)
        );
        let set = "set ssl cert none";
        let answer = session.ask_with(set, "one\ntwo").await?;
        let refusal = "Can't replace a certificate";
        assert!(answer.starts_with(refusal), "{answer}");
        let both = session.ask_then_with("commit ssl cert no", set, "one");
        let (first, second) = both.await?;
        assert!(first.starts_with("No ongoing transaction"), "{first}");
        assert!(second.starts_with(refusal), "{second}");
        Ok(())
    }

    /// A session with somebody who prompts behind each answer to a command, answers all lines with the same
    /// bytes and goes after some of them.
    async fn with_peer(answer: &'static [u8], times: usize) -> (tempfile::TempDir, Session) {
        with_peer_of(b"2.8\n\n> 2.8\n\n> ", answer, times).await
    }

    /// The same with somebody who says this of his version, when he is asked twice.
    async fn with_peer_of(
        versions: &'static [u8],
        answer: &'static [u8],
        times: usize,
    ) -> (tempfile::TempDir, Session) {
        let folder = tempfile::Builder::new().prefix("hi-").tempdir_in("/tmp");
        let folder = folder.expect("a folder for the test");
        let path = folder.path().join("a.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let mut buffer = [0; 1_000];
            for turn in 0..times + 2 {
                let read = stream.read(&mut buffer).await.expect("a command");
                if read == 0 {
                    return;
                }
                let answer = match turn {
                    0 => PROMPT,
                    1 => versions,
                    _ => answer,
                };
                stream.write_all(answer).await.expect("a reader");
            }
            let _ = stream.read(&mut buffer).await;
        });
        let session = Socket::worker(&path, LIMIT).session().await;
        (folder, session.expect("a session"))
    }

    #[tokio::test]
    async fn one_prompt_may_stand_behind_the_answers_to_all_commands_of_a_line() {
        let commands = ["get weight a/b", "get weight a/c"].map(str::to_owned);
        let answer = b"1\n\n2\n\n> ";
        let (_folder, mut session) = with_peer_of(b"3.4\n\n3.4\n\n> ", answer, 1).await;
        assert_eq!(session.ask(&commands).await.expect("all"), "1\n\n2\n\n");
        let (_folder, mut session) = with_peer(answer, 1).await;
        let error = session.ask(&commands).await.expect_err("one is missing");
        assert!(matches!(error, Error::Silent { .. }), "{error}");
    }

    #[tokio::test]
    async fn an_answer_that_does_not_end_is_the_last() {
        let (_folder, mut session) = with_peer(b"half", 2).await;
        let command = ["show info".to_owned()];
        let error = session.ask(&command).await.expect_err("it does not end");
        assert!(matches!(error, Error::Silent { .. }), "{error}");
        let error = session.ask(&command).await.expect_err("it is over");
        assert!(
            matches!(error, Error::Broken { .. }) && error.is_transient(),
            "{error}"
        );
    }

    #[tokio::test]
    async fn what_comes_unasked_is_not_taken_for_an_answer() {
        let (_folder, mut session) = with_peer(b"a\n> b\n> ", 2).await;
        let command = ["show info".to_owned()];
        assert_eq!(session.ask(&command).await.expect("one"), "a\nb\n");
        let (_folder, mut session) = with_peer(b"a\n> ", 1).await;
        session.ask(&command).await.expect("one");
        let error = session.ask(&command).await.expect_err("it is gone");
        assert!(
            matches!(error, Error::Broken { .. }) && error.is_transient(),
            "{error}"
        );
    }
}
