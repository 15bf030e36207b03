//! What the files of a bundle do not say of it, and whoever compares it with another one later needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::assemble::Places;
use crate::bundle::{Bundle, Compiled, File, Role, Section};

/// What the fields of an [`Outline`] mean, and the digests in it: of what exactly they are made, and
/// what is left out. It counts up when that changes.
const FORMAT: u32 = 1;

/// What has to be kept beside the files of a bundle and the [`Places`] of its servers, so that a process
/// that finds all of it can plan from there as the one that made it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Outline {
    format: u32,
    /// What files are, in the order of their paths: so many of one role, then so many of the next.
    roles: Vec<(Role, usize)>,
    /// [`Compiled::outlived`].
    outlived: BTreeSet<Arc<str>>,
    /// The sections of the main configuration: the first line, how many there are, and the frame.
    sections: Vec<(u32, u32, u64)>,
    /// The sections `defaults` of which a running HAProxy can make backends, each with those backends
    /// by their position among all sections.
    models: BTreeMap<Arc<str>, Vec<usize>>,
}

impl Outline {
    /// The outline of a result.
    pub fn of(compiled: &Compiled) -> Self {
        let bundle = &compiled.bundle;
        let mut files: Vec<&File> = bundle.files.iter().collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let roles = files.chunk_by(|a, b| a.role == b.role);
        let mut models: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
        for (position, section) in bundle.sections.iter().enumerate() {
            if let Some(defaults) = &section.defaults {
                models.entry(defaults.clone()).or_default().push(position);
            }
        }
        let sections = bundle.sections.iter();
        Self {
            format: FORMAT,
            roles: roles.map(|it| (it[0].role, it.len())).collect(),
            outlived: compiled.outlived.clone(),
            sections: sections
                .map(|it| (it.first_line, it.lines, it.frame))
                .collect(),
            models,
        }
    }

    /// What was compiled, as far as a plan that leads on from it asks: who made what is not known, nor
    /// what was wrong with it, nor what a server would be given that is added. `files` are path, mode and
    /// text, in the order of their paths.
    ///
    /// Nothing if all of that does not belong together, or if the outline has another format.
    pub fn restore(
        self,
        files: impl IntoIterator<Item = (Arc<str>, u32, Arc<str>)>,
        places: Places,
    ) -> Option<Compiled> {
        if self.format != FORMAT {
            return None;
        }
        let roles = self.roles.iter();
        let mut roles = roles.flat_map(|(role, count)| std::iter::repeat_n(*role, *count));
        let files = files.into_iter();
        let files =
            files.map(|(path, mode, text)| Some(File::new(path, mode, roles.next()?, text)));
        let mut files: Vec<File> = files.collect::<Option<_>>()?;
        let main = files.iter().position(|it| it.role == Role::Config)?;
        if roles.next().is_some() || !files.is_sorted_by(|a, b| a.path < b.path) {
            return None;
        }
        files[..=main].rotate_right(1);
        let mut sections = sections(&files[0].content, &self.sections)?;
        for (defaults, positions) in self.models {
            for position in positions {
                sections.get_mut(position)?.defaults = Some(defaults.clone());
            }
        }
        Some(Compiled {
            bundle: Bundle { files, sections },
            places,
            outlived: self.outlived,
            ..Compiled::default()
        })
    }
}

/// The sections of a text, by their first line, how many there are, and the frame; nothing if they are
/// not there.
fn sections(text: &str, outline: &[(u32, u32, u64)]) -> Option<Vec<Section>> {
    let mut sections = Vec::with_capacity(outline.len());
    let (mut line, mut offset) = (1_u32, 0);
    for &(first_line, lines, frame) in outline {
        offset += bytes_of(&text[offset..], first_line.checked_sub(line)?)?;
        let end = offset + bytes_of(&text[offset..], lines)?;
        let own = &text[offset..end];
        sections.push(Section {
            name: Section::header(own)?.into(),
            first_line,
            lines,
            offset,
            digest: Section::digest(own),
            frame,
            defaults: None,
        });
        line = first_line.checked_add(lines)?;
        offset = end;
    }
    Some(sections)
}

/// How many bytes the first lines of a text have, if there are so many.
fn bytes_of(text: &str, lines: u32) -> Option<usize> {
    let Some(last) = lines.checked_sub(1) else {
        return Some(0);
    };
    let end = memchr::memchr_iter(b'\n', text.as_bytes()).nth(last as usize)?;
    Some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str =
        "# Ours.\n\nglobal\n    daemon\n\nbackend b\n    server s 10.0.0.1:1\n# End.\n";

    fn compiled() -> Compiled {
        let section = |name: &str, first_line, lines: u32, frame| {
            let offset = CONFIG.find(name).expect("it is there");
            let end = bytes_of(&CONFIG[offset..], lines).expect("so many lines");
            Section {
                name: name.into(),
                first_line,
                lines,
                offset,
                digest: Section::digest(&CONFIG[offset..offset + end]),
                frame,
                defaults: (frame == 7).then(|| "_backend".into()),
            }
        };
        let file = |path: &str, role, text: &str| File::new(path, 0o600, role, text);
        Compiled {
            bundle: Bundle {
                files: vec![
                    file("/m/haproxy.cfg", Role::Config, CONFIG),
                    file("/a/1.pem", Role::Certificate, "1"),
                    file("/a/2.pem", Role::Certificate, "2"),
                    file("/z/ca.pem", Role::Authorities, "3"),
                ],
                sections: vec![section("global", 3, 2, 5), section("backend b", 6, 2, 7)],
            },
            outlived: ["/z/ca.pem".into()].into(),
            ..Compiled::default()
        }
    }

    fn on_disk(compiled: &Compiled) -> Vec<(Arc<str>, u32, Arc<str>)> {
        let files = compiled.bundle.files.iter();
        let mut files: Vec<_> = files
            .map(|it| (it.path.clone(), it.mode, it.content.clone()))
            .collect();
        files.sort();
        files
    }

    #[test]
    fn files_and_outline_make_the_same_bundle() {
        let made = compiled();
        let found = Outline::of(&made).restore(on_disk(&made), Places::new());
        let found = found.expect("it is all there");
        assert_eq!(found.bundle, made.bundle);
        assert_eq!(found.outlived, made.outlived);
    }

    #[test]
    fn what_does_not_belong_together_is_not_known() {
        let made = compiled();
        let outline = Outline::of(&made);
        let restore = |outline: &Outline, files| outline.clone().restore(files, Places::new());
        let whole = on_disk(&made);
        assert!(restore(&outline, whole.clone()).is_some());

        assert!(restore(&outline, whole[1..].to_vec()).is_none(), "one less");
        let mut files = whole.clone();
        files.push(("/zz".into(), 0o600, "".into()));
        assert!(restore(&outline, files).is_none(), "one more");
        let mut files = whole.clone();
        files.swap(0, 1);
        assert!(restore(&outline, files).is_none(), "another order");
        let mut files = whole.clone();
        files[2].2 = "# Cut.\n\nglobal\n".into();
        assert!(restore(&outline, files).is_none(), "fewer lines");

        let mut other = outline.clone();
        other.format += 1;
        assert!(restore(&other, whole.clone()).is_none(), "another format");
        let mut other = outline.clone();
        other.sections.swap(0, 1);
        assert!(restore(&other, whole.clone()).is_none(), "sections");
        let mut other = outline;
        other.models.insert("_backend".into(), vec![2]);
        assert!(restore(&other, whole).is_none(), "no such section");
    }
}
