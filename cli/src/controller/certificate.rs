//! The certificate for hosts without one: generated, kept, renewed.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use x509_parser::pem::Pem;

/// How long before its end a certificate is renewed, in seconds.
const RENEWAL: i64 = 30 * 86_400;

/// Where it is kept below a prefix.
fn path(prefix: &Path) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push("/var/lib/haproxy/fake-default.pem");
    path.into()
}

/// The certificate of a former run, or a new one if there is none or it ends soon.
pub(crate) fn load(prefix: &Path, now: Timestamp) -> anyhow::Result<Arc<str>> {
    let path = path(prefix);
    if let Ok(pem) = fs::read_to_string(&path)
        && end(&pem).is_some_and(|it| it - now.as_second() > RENEWAL)
    {
        return Ok(pem.into());
    }
    let pem = generate(now).context("cannot generate the default certificate")?;
    keep(&path, &pem).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(pem.into())
}

/// Writes whole or not at all, readable by nobody else.
fn keep(path: &Path, pem: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension("tmp");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    // The mode above does not count for a file that a former run has left behind.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    fs::rename(temporary, path)
}

/// A certificate for one year from yesterday, with the names that the existing controller uses.
fn generate(now: Timestamp) -> anyhow::Result<String> {
    let day = |days: i64| -> anyhow::Result<_> {
        let date = now.to_zoned(TimeZone::UTC).checked_add(days.days())?.date();
        Ok(date_time_ymd(
            date.year().into(),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        ))
    };
    let mut params = CertificateParams::new(["localhost".to_owned(), "ingress.local".to_owned()])?;
    // Yesterday: the clocks of clients may be behind.
    params.not_before = day(-1)?;
    params.not_after = day(364)?;
    let name = &mut params.distinguished_name;
    *name = rcgen::DistinguishedName::new();
    name.push(DnType::OrganizationName, "Acme Co");
    name.push(
        DnType::CommonName,
        "Kubernetes Ingress Controller Fake Certificate",
    );
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&key)?;
    Ok(certificate.pem() + &key.serialize_pem())
}

/// When the first certificate of a text ends, in seconds since 1970.
fn end(pem: &str) -> Option<i64> {
    let first = Pem::iter_from_buffer(pem.as_bytes()).next()?.ok()?;
    let certificate = first.parse_x509().ok()?;
    pem.contains("PRIVATE KEY-----")
        .then(|| certificate.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("this is a time")
    }

    #[test]
    fn a_restart_keeps_the_certificate_and_its_end_renews_it() -> anyhow::Result<()> {
        let prefix = tempfile::tempdir()?;
        let first = load(prefix.path(), at(NOW))?;
        let mode = fs::metadata(path(prefix.path()))?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let again = load(prefix.path(), at(NOW + 300 * 86_400))?;
        assert_eq!(again, first);

        let renewed = load(prefix.path(), at(NOW + 340 * 86_400))?;
        assert_ne!(renewed, first);
        Ok(())
    }

    #[test]
    fn a_file_that_is_no_certificate_is_replaced() -> anyhow::Result<()> {
        let prefix = tempfile::tempdir()?;
        keep(&path(prefix.path()), "half a certif")?;
        assert!(end(&load(prefix.path(), at(NOW))?).is_some());
        Ok(())
    }

    #[test]
    fn it_has_the_names_of_the_existing_controller() -> anyhow::Result<()> {
        let pem = generate(at(NOW))?;
        let first = Pem::iter_from_buffer(pem.as_bytes())
            .next()
            .context("there is a certificate")??;
        let certificate = first.parse_x509()?;
        assert_eq!(
            certificate.subject().to_string(),
            "O=Acme Co, CN=Kubernetes Ingress Controller Fake Certificate"
        );
        let names = certificate
            .subject_alternative_name()?
            .context("it has alternative names")?;
        assert_eq!(names.value.general_names.len(), 2);
        Ok(())
    }
}
