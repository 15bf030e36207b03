//! Certificates and lists of them (management guide, section 9.3: `set ssl cert`, `add ssl crt-list`).
//!
//! HAProxy has one transaction for all certificates. Before 3.1, but for the last of 2.8, `set ssl
//! cert` for one file while another's transaction is open puts this certificate into the other's, so
//! the file that an answer names counts, and what is in doubt is aborted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::plan::{Command, ListEntry};
use sha1::{Digest, Sha1};
use x509_parser::pem::Pem;

use crate::haproxy::admin::{Admin, Error, batches, escaped, last, refused};

impl Admin {
    /// Makes room for a certificate; there may be one already that could not be removed.
    pub(super) async fn new_certificate(&mut self, file: &str) -> Result<(), Error> {
        let command = format!("new ssl cert {}", escaped(file));
        let answer = self.ask_one(&command).await?;
        let is_there = |it: &str| {
            it.starts_with("New empty certificate store") || it.ends_with("already exists!")
        };
        if is_there(last(&answer)) {
            Ok(())
        } else {
            Err(refused(&command, &answer))
        }
    }

    /// Puts a certificate in the place of the one that a file has.
    pub(super) async fn set_certificate(&mut self, file: &str, pem: &str) -> Result<(), Error> {
        let name = escaped(file);
        let set = format!("set ssl cert {name}");
        let lines: Vec<&str> = pem.lines().filter(|it| !it.trim().is_empty()).collect();
        let answer = self.ask_with(&set, &lines.join("\n")).await?;
        let is_ours = ["created", "updated"]
            .map(|it| format!("Transaction {it} for certificate {file}!"))
            .contains(&last(&answer).to_owned());
        if !is_ours {
            self.abort(&name).await?;
            return Err(refused(&set, &answer));
        }
        let commit = format!("commit ssl cert {name}");
        let answer = self.ask_one(&commit).await?;
        if last(&answer) == "Success!" {
            return Ok(());
        }
        self.abort(&name).await?;
        Err(refused(&commit, &answer))
    }

    async fn abort(&mut self, name: &str) -> Result<(), Error> {
        let answer = self.ask_one(&format!("abort ssl cert {name}")).await?;
        tracing::debug!(answer = answer.trim(), "a transaction was aborted");
        Ok(())
    }

    /// Removes a certificate. One that something else still uses stays, which does no harm.
    pub(super) async fn remove_certificate(&mut self, file: &str) -> Result<(), Error> {
        let command = format!("del ssl cert {}", escaped(file));
        let answer = self.ask_one(&command).await?;
        if !last(&answer).ends_with("deleted!") {
            tracing::debug!(file, answer = answer.trim(), "a certificate stays loaded");
        }
        Ok(())
    }

    pub(super) async fn add_to_list(&mut self, list: &str, line: &str) -> Result<(), Error> {
        let command = format!("add ssl crt-list {}", escaped(list));
        let answer = self.ask_with(&command, line).await?;
        if last(&answer) == "Success!" {
            Ok(())
        } else {
            Err(refused(&command, &answer))
        }
    }

    /// Removes entries; where another one is like one of them, the older of both.
    pub(super) async fn remove_from_list(
        &mut self,
        list: &str,
        lines: &[&str],
    ) -> Result<(), Error> {
        let mut entries = self.list(list).await?;
        entries.sort_unstable_by_key(|it| it.0);
        for line in lines {
            let wanted = ListEntry::read(line);
            let oldest = entries.iter().position(|it| Some(&it.1) == wanted.as_ref());
            let command = format!("del ssl crt-list {} ", escaped(list));
            let Some(oldest) = oldest else {
                return Err(refused(&(command + line), "(no entry is like this)"));
            };
            let (number, entry) = entries.remove(oldest);
            let command = format!("{command}{}:{number}", escaped(&entry.certificate));
            let answer = self.ask_one(&command).await?;
            if !last(&answer).starts_with("Entry ") {
                return Err(refused(&command, &answer));
            }
        }
        Ok(())
    }

    /// The entries of a list with their numbers.
    async fn list(&mut self, list: &str) -> Result<Vec<(u32, ListEntry)>, Error> {
        let command = format!("show ssl crt-list -n {}", escaped(list));
        let answer = self.ask_one(&command).await?;
        let lines = answer.lines().map(str::trim);
        lines
            .filter(|it| !it.is_empty() && !it.starts_with('#'))
            .map(|line| numbered(line).ok_or_else(|| refused(&command, line)))
            .collect()
    }

    /// Compares the certificates and lists that commands were about with their files.
    pub(super) async fn read_certificates_back(
        &mut self,
        commands: &[Command],
        wanted: &Compiled,
    ) -> Result<(), Error> {
        let (mut files, mut lists) = (BTreeSet::new(), BTreeSet::new());
        for command in commands {
            match command {
                Command::AddCertificate { file, .. } | Command::SetCertificate { file, .. } => {
                    files.insert(file);
                }
                Command::AddToList { list, .. } | Command::RemoveFromList { list, .. } => {
                    lists.insert(list);
                }
                _ => {}
            }
        }
        self.compare_certificates(files, wanted).await?;
        for list in lists {
            let mut found = self.find_list(list).await?;
            found.sort_unstable();
            let content = wanted.bundle.file(list).map_or("", |it| &*it.content);
            let lines = content.lines().filter(|it| !it.starts_with('#'));
            let mut wanted: Vec<ListEntry> = lines.filter_map(ListEntry::read).collect();
            wanted.sort_unstable();
            if wanted != found {
                return Err(Error::Differs {
                    what: format!("`{list}`"),
                    wanted: format!("the {} entries of its file", wanted.len()),
                    found: format!("{} entries", found.len()),
                });
            }
        }
        Ok(())
    }

    /// Compares certificates with their files by their fingerprints.
    async fn compare_certificates(
        &mut self,
        files: BTreeSet<&Arc<str>>,
        wanted: &Compiled,
    ) -> Result<(), Error> {
        let found = self
            .find_certificates(files.iter().copied(), wanted)
            .await?;
        for file in files {
            let found = match found.get(file) {
                Some(true) => continue,
                Some(false) => "another one",
                None => "none",
            };
            return Err(Error::Differs {
                what: format!("`{file}`"),
                wanted: "the certificate of its file".into(),
                found: found.into(),
            });
        }
        Ok(())
    }

    /// Which of some files HAProxy has a certificate of, and whether it is the one of the file.
    pub(super) async fn find_certificates<'f>(
        &mut self,
        files: impl Iterator<Item = &'f Arc<str>>,
        wanted: &Compiled,
    ) -> Result<BTreeMap<Arc<str>, bool>, Error> {
        let commands: Vec<String> = files
            .map(|it| format!("show ssl cert {}", escaped(it)))
            .collect();
        let mut answers = String::new();
        for batch in batches(&commands) {
            answers.push_str(&self.ask(batch).await?);
        }
        let contents = wanted.bundle.files.iter();
        let contents: BTreeMap<&str, &str> = contents.map(|it| (&*it.path, &*it.content)).collect();
        let is_wanted = |(file, found): (&str, &str)| {
            let wanted = contents.get(file).and_then(|it| fingerprint(it));
            (file.into(), wanted.is_some_and(|it| it == found))
        };
        Ok(fingerprints(&answers).map(is_wanted).collect())
    }

    /// The entries of a list.
    pub(super) async fn find_list(&mut self, list: &str) -> Result<Vec<ListEntry>, Error> {
        let entries = self.list(list).await?;
        Ok(entries.into_iter().map(|it| it.1).collect())
    }
}

/// Reads an entry with the number of its line behind the name of its certificate.
fn numbered(line: &str) -> Option<(u32, ListEntry)> {
    let mut entry = ListEntry::read(line)?;
    let (certificate, number) = entry.certificate.rsplit_once(':')?;
    let number = number.parse().ok()?;
    entry.certificate = certificate.into();
    Some((number, entry))
}

/// Files and fingerprints of the certificates that `show ssl cert` tells about.
fn fingerprints(answers: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut file = "";
    answers.lines().filter_map(move |line| {
        let (name, value) = line.split_once(": ")?;
        match name {
            // What a transaction will bring has a star.
            "Filename" => file = value.trim(),
            "SHA1 FingerPrint" => return Some((file, value.trim())),
            _ => {}
        }
        None
    })
}

/// The SHA-1 of the first certificate in a text, as HAProxy tells it.
fn fingerprint(pem: &str) -> Option<String> {
    let mut blocks = Pem::iter_from_buffer(pem.as_bytes()).filter_map(Result::ok);
    let certificate = blocks.find(|it| it.label.ends_with("CERTIFICATE"))?;
    let digest = Sha1::digest(&certificate.contents);
    Some(digest.iter().fold(String::new(), |mut text, it| {
        let _ = write!(text, "{it:02X}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use haproxy_ingress_core::bundle::Role;
    use haproxy_ingress_core::plan::Plan;

    use super::*;
    use crate::haproxy::fixture::{External, config};

    /// A certificate for a host with its key.
    fn certificate(host: &str) -> String {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]);
        let made = made.expect("a certificate");
        format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem())
    }

    /// What HAProxy reads: certificates by the name of their file, and the lines of a list.
    fn files(external: &External, certificates: &[(&str, &str)], list: &[&str]) -> Compiled {
        let folder = external.prefix().join("etc/haproxy");
        let folder = folder.display();
        let lines = list.iter().map(|it| format!("{folder}/{it}\n"));
        let list: String = lines.collect();
        let mut files = vec![("list", Role::CertificateList, list.as_str())];
        let certificates = certificates.iter();
        files.extend(certificates.map(|(name, pem)| (*name, Role::Certificate, *pem)));
        external.with_files(&files)
    }

    async fn start(external: External) -> External {
        let mut text = config(external.prefix(), &[]);
        let prefix = external.prefix().display();
        let _ = write!(
            text,
            "frontend f\n    bind unix@{prefix}/f.sock ssl crt-list {prefix}/etc/haproxy/list\n"
        );
        external.write(&text);
        external.start().await
    }

    fn commands(old: &Compiled, new: &Compiled) -> Vec<Command> {
        match Plan::between(Some(old), new) {
            Plan::Update { commands } => commands,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn certificates_come_change_and_go() -> Result<(), Error> {
        let external = External::prepare();
        let [a, b, c, renewed] = ["a", "b", "c", "a"].map(certificate);
        let old = files(
            &external,
            &[("a.pem", &a), ("b.pem", &b)],
            &[
                "a.pem !*",
                "a.pem [alpn h2,http/1.1] a.example",
                "b.pem b.example",
            ],
        );
        let external = start(external).await;
        let mut admin = external.admin();
        let new = files(
            &external,
            &[("a.pem", &renewed), ("c.pem", &c)],
            &[
                "a.pem !*",
                "a.pem [alpn h2] a.example",
                "c.pem b.example c.example",
            ],
        );
        let there = commands(&old, &new);
        admin.carry_out(&there, &new).await?;
        let error = admin.read_certificates_back(&there, &old).await;
        let error = error.expect_err("it has the new one").to_string();
        assert!(
            error.contains("another one instead of the certificate"),
            "{error}"
        );
        admin.carry_out(&commands(&new, &old), &old).await?;
        // The one that went away can come again.
        admin.carry_out(&there, &new).await
    }

    #[tokio::test]
    async fn a_certificate_that_haproxy_refuses_leaves_no_transaction() -> Result<(), Error> {
        let external = External::prepare();
        let [a, b] = ["a", "b"].map(certificate);
        let list = ["a.pem !*", "b.pem b.example"];
        let old = files(&external, &[("a.pem", &a), ("b.pem", &b)], &list);
        let external = start(external).await;
        let mut admin = external.admin();
        let (chain, _) = a.split_once("-----BEGIN PRIVATE").expect("a key");
        let (_, key) = b.split_once("-----END CERTIFICATE-----\n").expect("a key");
        for bad in ["nothing\n".to_owned(), format!("{chain}{key}")] {
            let new = files(&external, &[("a.pem", &bad), ("b.pem", &b)], &list);
            let error = admin.carry_out(&commands(&old, &new), &new).await;
            let error = error.expect_err("it is not a pair");
            assert!(matches!(error, Error::Refused { .. }), "{error}");
            assert!(!error.to_string().contains("PRIVATE"), "{error}");
        }
        let answer = admin.ask_one("commit ssl cert x").await?;
        assert!(answer.contains("No ongoing transaction"), "{answer}");
        let renewed = certificate("b");
        let new = files(&external, &[("a.pem", &a), ("b.pem", &renewed)], &list);
        admin.carry_out(&commands(&old, &new), &new).await
    }

    #[test]
    fn entries_are_shown_with_their_numbers() {
        let found = numbered("/a:1.pem:12 [verify optional ca-file /c] y x");
        let (number, found) = found.expect("an entry");
        assert_eq!((number, &*found.certificate), (12, "/a:1.pem"));
        assert_eq!(
            found.to_string(),
            "/a:1.pem [ca-file /c verify optional] x y"
        );
    }
}
