//! Backends that come and go while HAProxy runs, from 3.4 on.

use std::sync::Arc;

use crate::bundle::{Compiled, Section};
use crate::plan::{Command, servers};

/// The commands that make a backend; `None` if there is nothing that HAProxy could make it of, or a
/// server that no command can add.
pub(super) fn add(new: &Section, running: &Compiled, wanted: &Compiled) -> Option<Vec<Command>> {
    let defaults = new.defaults.as_ref()?;
    let mut read = running.bundle.sections.iter();
    read.find(|it| it.name.strip_prefix("defaults ") == Some(defaults))?;
    let (backend, places) = wanted.places.get_key_value(name(new)?)?;
    let servers = servers::changes(backend, &[], places, wanted)?;
    let (backend, defaults) = (backend.clone(), defaults.clone());
    let mut commands = vec![Command::AddBackend {
        backend: backend.clone(),
        defaults,
    }];
    commands.extend(servers);
    commands.push(Command::PublishBackend { backend });
    Some(commands)
}

/// The commands that remove what a section says, none where HAProxy may as well keep it; `None` if no
/// command can do it.
pub(super) fn remove(old: &Section) -> Option<Vec<Command>> {
    if old.name.starts_with(Section::MODEL) {
        return Some(Vec::new());
    }
    old.defaults.as_ref()?;
    let backend = Arc::from(name(old)?);
    Some(vec![Command::RemoveBackend { backend }])
}

fn name(section: &Section) -> Option<&str> {
    section.name.strip_prefix("backend ")
}
