//! What the controller holds back from the generations, beside those of `var/lib/haproxy`: it may hold
//! secrets.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::haproxy::files::{Error, Files};

impl Files {
    /// What was kept last, if anything was and can be read.
    pub(crate) fn held(&self) -> Option<Vec<u8>> {
        let path = self.held_path();
        let text = fs::read(&path);
        if let Err(error) = &text
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(%error, "cannot read `{}`", path.display());
        }
        text.ok()
    }

    /// Keeps a text in place of the one that was kept before.
    pub(crate) fn keep_held(&self, text: &[u8]) -> Result<(), Error> {
        self.disk.replace(&self.held_path(), 0o600, text)?;
        Ok(self.disk.sync_folder(&self.lib.path)?)
    }

    fn held_path(&self) -> PathBuf {
        self.lib.path.join(".held.json")
    }
}
