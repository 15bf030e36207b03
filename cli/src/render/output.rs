//! Files of a bundle below a folder.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use haproxy_ingress_core::assemble::GENERATED;
use haproxy_ingress_core::bundle::{Bundle, Role};

/// Writes all files below a folder, in the place of the prefix that their paths have, and a generated
/// certificate where the configuration names one that nobody brings. Answers how many there are.
pub(super) fn write(bundle: &Bundle, folder: &Path, prefix: &str) -> anyhow::Result<usize> {
    for file in &bundle.files {
        put(
            &below(folder, prefix, &file.path)?,
            file.mode,
            &file.content,
        )?;
    }
    let mut count = bundle.files.len();
    if let Some(path) = absent_certificate(bundle, prefix) {
        let path = below(folder, prefix, &path)?;
        // A certificate that is there may be known to clients.
        if !path.exists() {
            put(&path, 0o600, &generate()?)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Where a file of the bundle goes. Its path is absolute and has no `..`.
fn below(folder: &Path, prefix: &str, path: &str) -> anyhow::Result<PathBuf> {
    let inner = path.strip_prefix(prefix).unwrap_or(path);
    let inner = Path::new(inner.trim_start_matches('/'));
    if !inner
        .components()
        .all(|it| matches!(it, Component::Normal(_)))
    {
        bail!("`{path}` does not stay below a folder");
    }
    Ok(folder.join(inner))
}

/// Writes a file with its mode from the first byte on.
fn put(path: &Path, mode: u32, content: &str) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(path)?;
        // The mode above does not count for a file of a former run.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(content.as_bytes())
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
}

/// Where the default certificate goes, if the configuration names it and leaves it to whoever writes
/// the files.
fn absent_certificate(bundle: &Bundle, prefix: &str) -> Option<String> {
    let path = format!("{prefix}{GENERATED}");
    let mut texts = bundle
        .files
        .iter()
        .filter(|it| matches!(it.role, Role::Config | Role::CertificateList));
    let is_named = texts.any(|it| it.content.contains(&path));
    (is_named && bundle.file(&path).is_none()).then_some(path)
}

/// A certificate with its key for hosts without one. Clients do not trust it.
fn generate() -> anyhow::Result<String> {
    let made = rcgen::generate_simple_self_signed(["ingress.local".to_owned()])
        .context("cannot generate the default certificate")?;
    Ok(made.cert.pem() + &made.signing_key.serialize_pem())
}

#[cfg(test)]
mod tests {
    use super::*;
    use haproxy_ingress_core::bundle::File;

    fn bundle(files: &[(&str, u32, Role, &str)]) -> Bundle {
        let files = files
            .iter()
            .map(|&(path, mode, role, content)| File::new(path, mode, role, content));
        Bundle {
            files: files.collect(),
            ..Bundle::default()
        }
    }

    #[test]
    fn files_mirror_their_places_and_keep_their_modes() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let default = GENERATED.trim_start_matches('/');
        let config = format!("bind :443 ssl crt-list /p/etc/haproxy/list crt /p/{default}\n");
        let bundle = bundle(&[
            ("/p/etc/haproxy/haproxy.cfg", 0o644, Role::Config, &config),
            (
                "/p/var/lib/haproxy/crt/a.pem",
                0o600,
                Role::Certificate,
                "x",
            ),
            (
                "/p/etc/haproxy/list",
                0o644,
                Role::CertificateList,
                "/p/var/lib/haproxy/crt/a.pem a\n",
            ),
        ]);
        let mode = |path: &str| -> anyhow::Result<u32> {
            let found = fs::metadata(folder.path().join(path))?;
            Ok(found.permissions().mode() & 0o777)
        };
        assert_eq!(write(&bundle, folder.path(), "/p")?, 4);
        assert_eq!(mode("etc/haproxy/haproxy.cfg")?, 0o644);
        assert_eq!(mode("var/lib/haproxy/crt/a.pem")?, 0o600);
        assert_eq!(mode(default)?, 0o600);

        let default = folder.path().join(default);
        let first = fs::read_to_string(&default)?;
        assert!(first.contains("PRIVATE KEY"));
        fs::set_permissions(
            folder.path().join("var/lib/haproxy/crt/a.pem"),
            Permissions::from_mode(0o644),
        )?;
        assert_eq!(write(&bundle, folder.path(), "/p")?, 3);
        assert_eq!(fs::read_to_string(&default)?, first);
        assert_eq!(mode("var/lib/haproxy/crt/a.pem")?, 0o600);
        Ok(())
    }

    #[test]
    fn no_path_leaves_the_folder() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let bundle = bundle(&[("/etc/../../x", 0o644, Role::Map, "")]);
        assert!(write(&bundle, folder.path(), "").is_err());
        Ok(())
    }
}
