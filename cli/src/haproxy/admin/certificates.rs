//! Certificates and lists of them (management guide, section 9.3: `set ssl cert`, `add ssl crt-list`).
//!
//! HAProxy has one transaction for all certificates. Before 3.1, but for the last of 2.8, `set ssl
//! cert` for one file while another's transaction is open puts this certificate into the other's, so
//! the file that an answer names counts, and what is in doubt is aborted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use haproxy_ingress_core::bundle::{File, Role};
use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::plan::{Command, ListEntry};
use sha1::{Digest, Sha1};
use x509_parser::asn1_rs::FromDer as _;
use x509_parser::pem::Pem;
use x509_parser::revocation_list::CertificateRevocationList;

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

    /// Puts something in the place of what a file of a kind holds.
    pub(super) async fn exchange(
        &mut self,
        kind: FileKind,
        file: &str,
        pem: &str,
    ) -> Result<(), Error> {
        self.exchange_all(kind, &[(file, pem)]).await
    }

    /// The same for several files, one after the other. Nothing is committed before the answer has named
    /// its file; what comes next is begun with the same words, as each answer takes a while to come.
    pub(super) async fn exchange_all(
        &mut self,
        kind: FileKind,
        files: &[(&str, &str)],
    ) -> Result<(), Error> {
        let [(file, pem), ..] = files else {
            return Ok(());
        };
        let word = kind.word();
        let set = |file: &str| format!("set ssl {word} {}", escaped(file));
        let mut answer = self.ask_with(&set(file), &whole_lines(pem)).await?;
        for (index, (file, _)) in files.iter().enumerate() {
            // Newer versions begin with a capital for all kinds.
            let is_ours = ["created", "updated"]
                .map(|it| format!("ransaction {it} for {} {file}!", kind.noun()))
                .iter()
                .any(|it| last(&answer).strip_prefix(['T', 't']) == Some(it));
            if !is_ours {
                self.abort(kind, &escaped(file)).await?;
                return Err(refused(&set(file), &answer));
            }
            let commit = format!("commit ssl {word} {}", escaped(file));
            let next = files.get(index + 1);
            let committed = if let Some((next, pem)) = next {
                let (next, lines) = (set(next), whole_lines(pem));
                let both = self.ask_then_with(&commit, &next, &lines).await?;
                answer = both.1;
                both.0
            } else {
                self.ask_one(&commit).await?
            };
            if last(&committed) != "Success!" {
                self.abort(kind, &escaped(file)).await?;
                if let Some((next, _)) = next {
                    self.abort(kind, &escaped(next)).await?;
                }
                return Err(refused(&commit, &committed));
            }
        }
        Ok(())
    }

    async fn abort(&mut self, kind: FileKind, name: &str) -> Result<(), Error> {
        let command = format!("abort ssl {} {name}", kind.word());
        let answer = self.ask_one(&command).await?;
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
                Command::AddCertificate { file, .. }
                | Command::SetCertificate { file, .. }
                | Command::SetAuthorities { file, .. }
                | Command::SetRevocations { file, .. } => {
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

    /// Compares what HAProxy has with files of certificates, authorities and revocations.
    async fn compare_certificates(
        &mut self,
        files: BTreeSet<&Arc<str>>,
        wanted: &Compiled,
    ) -> Result<(), Error> {
        let files = files.into_iter().filter_map(|it| wanted.bundle.file(it));
        let files: Vec<&File> = files.collect();
        let found = self.find_certificates(files.iter().copied()).await?;
        for file in files {
            let found = match found.get(&file.path) {
                Some(true) => continue,
                Some(false) => "something else",
                None => "nothing",
            };
            return Err(Error::Differs {
                what: format!("`{}`", file.path),
                wanted: "what is in its file".into(),
                found: found.into(),
            });
        }
        Ok(())
    }

    /// Which of some files HAProxy has read, and whether it has what is in them.
    pub(super) async fn find_certificates<'f>(
        &mut self,
        files: impl Iterator<Item = &'f File>,
    ) -> Result<BTreeMap<Arc<str>, bool>, Error> {
        let mut wanted = BTreeMap::new();
        let mut commands = Vec::new();
        for file in files {
            let Some(kind) = FileKind::of(file) else {
                continue;
            };
            commands.push(format!("show ssl {} {}", kind.word(), escaped(&file.path)));
            wanted.insert(&*file.path, (kind, file));
        }
        let mut answers = String::new();
        for batch in batches(&commands) {
            answers.push_str(&self.ask(batch).await?);
        }
        let mut found = BTreeMap::new();
        for answer in shown(&answers) {
            if let Some((kind, file)) = wanted.get(answer.file) {
                let is_wanted = kind
                    .marks(&file.content)
                    .is_some_and(|it| it == answer.marks);
                found.insert(file.path.clone(), is_wanted);
            }
        }
        Ok(found)
    }

    /// The entries of a list.
    pub(super) async fn find_list(&mut self, list: &str) -> Result<Vec<ListEntry>, Error> {
        let entries = self.list(list).await?;
        Ok(entries.into_iter().map(|it| it.1).collect())
    }
}

/// What can be handed over of a text: an empty line would end it.
fn whole_lines(pem: &str) -> String {
    let lines = pem.lines().filter(|it| !it.trim().is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// Refuses a line that HAProxy may not come to the end of: at a bracket inside of a word, 2.6 reads on for
/// ever, until its watchdog ends the process.
pub(super) fn check(command: &Command) -> Result<(), Error> {
    let Command::AddToList { line, .. } = command else {
        return Ok(());
    };
    let (certificate, rest) = line.split_once(' ').unwrap_or((line, ""));
    let options = rest.strip_prefix('[').and_then(|it| it.split_once(']'));
    let (options, names) = options.unwrap_or(("", rest));
    let is_apart = names.is_empty() || options.is_empty() || names.starts_with(' ');
    if !is_apart
        || [certificate, options, names]
            .iter()
            .any(|it| it.contains(['[', ']']))
    {
        return Err(Error::Unfit {
            command: command.to_string(),
            why: "a bracket stands where HAProxy expects none",
        });
    }
    Ok(())
}

/// Reads an entry with the number of its line behind the name of its certificate.
fn numbered(line: &str) -> Option<(u32, ListEntry)> {
    let mut entry = ListEntry::read(line)?;
    let (certificate, number) = entry.certificate.rsplit_once(':')?;
    let number = number.parse().ok()?;
    entry.certificate = certificate.into();
    Some((number, entry))
}

/// What a file is to HAProxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FileKind {
    Certificate,
    Authorities,
    Revocations,
}

impl FileKind {
    fn of(file: &File) -> Option<Self> {
        match file.role {
            Role::Certificate => Some(Self::Certificate),
            Role::Authorities => Some(Self::Authorities),
            Role::Revocations => Some(Self::Revocations),
            _ => None,
        }
    }

    /// What commands call it.
    fn word(self) -> &'static str {
        match self {
            Self::Certificate => "cert",
            Self::Authorities => "ca-file",
            Self::Revocations => "crl-file",
        }
    }

    /// What answers call it.
    fn noun(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Authorities => "CA",
            Self::Revocations => "CRL",
        }
    }

    /// What HAProxy shows of a text, by which it is told from others: fingerprints, of a certificate with
    /// a key the first one; or the times of lists and the numbers in them.
    fn marks(self, pem: &str) -> Option<BTreeSet<String>> {
        let blocks: Vec<Pem> = Pem::iter_from_buffer(pem.as_bytes())
            .collect::<Result<_, _>>()
            .ok()?;
        let certificates = blocks.iter().filter(|it| it.label.ends_with("CERTIFICATE"));
        let fingerprints = certificates.map(|it| hex(&Sha1::digest(&it.contents)));
        match self {
            Self::Certificate => Some(fingerprints.take(1).collect()),
            Self::Authorities => Some(fingerprints.collect()),
            Self::Revocations => {
                let mut marks = BTreeSet::new();
                for block in &blocks {
                    let list = CertificateRevocationList::from_der(&block.contents);
                    let (_, list) = list.ok()?;
                    let updated = list.last_update().timestamp();
                    let updated = jiff::Timestamp::from_second(updated).ok()?;
                    marks.insert(updated.strftime("%b %e %H:%M:%S %Y GMT").to_string());
                    let revoked = list.iter_revoked_certificates();
                    marks.extend(revoked.map(|it| significant(&hex(it.raw_serial()))));
                }
                Some(marks)
            }
        }
    }
}

/// What an answer tells of one file.
struct Shown<'a> {
    file: &'a str,
    marks: BTreeSet<String>,
}

/// What `show ssl cert`, `show ssl ca-file` and `show ssl crl-file` tell, file by file.
fn shown(answers: &str) -> Vec<Shown<'_>> {
    let mut shown: Vec<Shown<'_>> = Vec::new();
    for line in answers.lines() {
        let Some((name, value)) = line.trim().split_once(": ") else {
            continue;
        };
        let value = value.trim();
        match (name, shown.last_mut()) {
            // What a transaction will bring has a star.
            ("Filename", _) => shown.push(Shown {
                file: value,
                marks: BTreeSet::new(),
            }),
            ("SHA1 FingerPrint" | "Last Update", Some(it)) => {
                it.marks.insert(value.to_owned());
            }
            ("Serial Number", Some(it)) => {
                it.marks.insert(significant(value));
            }
            _ => {}
        }
    }
    shown
}

/// A number without the zeros in front, of which DER and HAProxy write different ones.
fn significant(number: &str) -> String {
    number.trim_start_matches('0').to_owned()
}

/// Bytes as HAProxy tells them.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, it| {
        let _ = write!(text, "{it:02X}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use haproxy_ingress_core::bundle::Role;
    use haproxy_ingress_core::plan::Plan;

    use super::*;
    use crate::haproxy::fixture::{External, certificate, config};

    struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

    impl Authority {
        fn new(name: &str) -> Self {
            let mut made = rcgen::CertificateParams::default();
            made.distinguished_name
                .push(rcgen::DnType::CommonName, name);
            made.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            made.key_usages = vec![
                rcgen::KeyUsagePurpose::KeyCertSign,
                rcgen::KeyUsagePurpose::CrlSign,
            ];
            let key = rcgen::KeyPair::generate().expect("a key");
            Self(rcgen::CertifiedIssuer::self_signed(made, key).expect("a certificate"))
        }

        fn pem(&self) -> String {
            self.0.pem()
        }

        /// A list of the numbers of certificates that are revoked, of some day in a month.
        fn revokes(&self, day: u8, serials: &[u64]) -> String {
            let revoked = |serial: &u64| rcgen::RevokedCertParams {
                serial_number: (*serial).into(),
                revocation_time: rcgen::date_time_ymd(2026, 1, 1),
                reason_code: None,
                invalidity_date: None,
            };
            let list = rcgen::CertificateRevocationListParams {
                this_update: rcgen::date_time_ymd(2026, 1, day),
                next_update: rcgen::date_time_ymd(2096, 1, 1),
                crl_number: u64::from(day).into(),
                issuing_distribution_point: None,
                revoked_certs: serials.iter().map(revoked).collect(),
                key_identifier_method: rcgen::KeyIdMethod::Sha256,
            };
            let list = list.signed_by(&self.0).expect("it signs");
            list.pem().expect("it has a text")
        }
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
        admin.carry_out(&there, &new, None).await?;
        let error = admin.read_certificates_back(&there, &old).await;
        let error = error.expect_err("it has the new one").to_string();
        assert!(
            error.contains("something else instead of what is in its file"),
            "{error}"
        );
        admin.carry_out(&commands(&new, &old), &old, None).await?;
        // The one that went away can come again.
        admin.carry_out(&there, &new, None).await
    }

    /// Four certificates for their hosts.
    fn four(external: &External, pems: [&str; 4]) -> Compiled {
        let names = ["a.pem", "b.pem", "c.pem", "d.pem"];
        let certificates: Vec<_> = names.into_iter().zip(pems).collect();
        files(
            external,
            &certificates,
            &["a.pem a", "b.pem b", "c.pem c", "d.pem d"],
        )
    }

    #[tokio::test]
    async fn of_those_that_are_renewed_together_one_that_is_refused_is_the_last()
    -> Result<(), Error> {
        let external = External::prepare();
        let [old, new] = [(); 2].map(|()| ["a", "b", "c", "d"].map(certificate));
        let [a, b, c, d] = old.each_ref().map(String::as_str);
        let [new_a, new_b, new_c, new_d] = new.each_ref().map(String::as_str);
        let before = four(&external, [a, b, c, d]);
        let external = start(external).await;
        let mut admin = external.admin();

        let bad = four(&external, [new_a, new_b, "no certificate", new_d]);
        let there = commands(&before, &bad);
        let error = admin.carry_out(&there, &bad, None).await;
        let error = error.expect_err("the third is none").to_string();
        assert!(error.contains("c.pem"), "{error}");
        let half = four(&external, [new_a, new_b, c, d]);
        admin.read_certificates_back(&there, &half).await?;
        // Nothing is under way.
        let good = four(&external, [a, b, new_c, new_d]);
        let there = commands(&half, &good);
        admin.carry_out(&there, &good, None).await
    }

    #[tokio::test]
    async fn those_that_are_renewed_together_may_be_as_long_as_a_command() -> Result<(), Error> {
        let external = External::prepare();
        let long = |name: &str| {
            let pem = certificate(name);
            let (leaf, _) = pem
                .split_once("-----BEGIN PRIVATE")
                .expect("the key is last");
            let count = (14_900 - pem.len()) / leaf.len();
            format!("{pem}{}", leaf.repeat(count))
        };
        let [old, new] = [(); 2].map(|()| ["a", "b", "c", "d"].map(long));
        assert!(new.iter().all(|it| (14_000..15_000).contains(&it.len())));
        let of = |external: &External, pems: &[String; 4]| {
            four(external, pems.each_ref().map(String::as_str))
        };
        let before = of(&external, &old);
        let external = start(external).await;
        let wanted = of(&external, &new);
        let there = commands(&before, &wanted);
        assert_eq!(there.len(), 4);
        external.admin().carry_out(&there, &wanted, None).await
    }

    #[tokio::test]
    async fn what_somebody_else_has_begun_is_not_finished_with_what_is_ours() -> Result<(), Error> {
        let external = External::prepare();
        let [old, new] = [(); 2].map(|()| ["a", "b", "c", "d"].map(certificate));
        let [a, b, c, d] = old.each_ref().map(String::as_str);
        let [new_a, new_b, new_c, _] = new.each_ref().map(String::as_str);
        let before = four(&external, [a, b, c, d]);
        let external = start(external).await;
        let mut admin = external.admin();
        let path = |name: &str| {
            let mut files = before.bundle.files.iter();
            let file = files.find(|it| it.path.ends_with(name));
            escaped(&file.expect("it is one of them").path)
        };
        let theirs = format!("set ssl cert {}", path("b.pem"));
        admin.ask_with(&theirs, &whole_lines(new_b)).await?;

        let wanted = four(&external, [new_a, b, new_c, d]);
        let there = commands(&before, &wanted);
        let error = admin.carry_out(&there, &wanted, None).await;
        error.expect_err("theirs is under way");
        let all = commands(&four(&external, [b, a, d, c]), &before);
        admin.read_certificates_back(&all, &before).await?;
        admin.abort(FileKind::Certificate, &path("b.pem")).await?;
        admin.carry_out(&there, &wanted, None).await
    }

    #[tokio::test]
    async fn authorities_and_what_they_revoked_change() -> Result<(), Error> {
        let external = External::prepare();
        let folder = external.prefix().join("etc/haproxy");
        let folder = folder.display();
        let (one, two) = (Authority::new("one"), Authority::new("two"));
        let both = format!("{}{}", one.pem(), two.pem());
        let pem = certificate("a");
        let line = format!(
            "{folder}/a.pem [ca-file {folder}/ca.pem crl-file {folder}/crl.pem verify optional] \
             a.example\n"
        );
        let of = |authorities: &str, revoked: &str| {
            let list = format!("{folder}/a.pem !*\n{line}");
            external.with_files(&[
                ("list", Role::CertificateList, &list),
                ("a.pem", Role::Certificate, &pem),
                ("ca.pem", Role::Authorities, authorities),
                ("crl.pem", Role::Revocations, revoked),
            ])
        };
        let old = of(&one.pem(), &one.revokes(1, &[7, 200]));
        let new = of(&both, &one.revokes(2, &[200]));
        let worse = of(&one.pem(), &one.revokes(3, &[7, 200, 300]));
        assert!(matches!(
            Plan::between(Some(&old), &worse),
            Plan::Reload { .. }
        ));
        let there = commands(&old, &new);
        let shown: Vec<String> = there.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                format!("set ssl ca-file {folder}/ca.pem"),
                format!("set ssl crl-file {folder}/crl.pem")
            ]
        );
        let external = start(external).await;
        let mut admin = external.admin();
        let found = admin.find(&new).await?.certificates;
        let found: Vec<bool> = found.into_values().collect();
        assert_eq!(found, [true, false, false]);
        admin.carry_out(&there, &new, None).await?;
        let found = admin.find(&new).await?.certificates;
        assert!(found.values().all(|it| *it), "{found:?}");
        Ok(())
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
            let error = admin.carry_out(&commands(&old, &new), &new, None).await;
            let error = error.expect_err("it is not a pair");
            assert!(matches!(error, Error::Refused { .. }), "{error}");
            assert!(!error.to_string().contains("PRIVATE"), "{error}");
        }
        let answer = admin.ask_one("commit ssl cert x").await?;
        assert!(answer.contains("No ongoing transaction"), "{answer}");
        let renewed = certificate("b");
        let new = files(&external, &[("a.pem", &a), ("b.pem", &renewed)], &list);
        admin.carry_out(&commands(&old, &new), &new, None).await
    }

    #[tokio::test]
    async fn a_line_that_haproxy_never_finishes_is_not_sent() {
        let external = External::prepare();
        let mut admin = external.admin();
        for line in [
            "a.pem x[y]",
            "a.pem [alpn h2]x",
            "a[.pem x",
            "a.pem [alpn [h2] x",
        ] {
            let (list, line) = ("/list".into(), line.into());
            let command = Command::AddToList { list, line };
            let error = admin
                .carry_out(&[command], &Compiled::default(), None)
                .await;
            assert!(matches!(error, Err(Error::Unfit { .. })), "{error:?}");
        }
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
