//! Line ⇄ origin.

use serde::Serialize;

use crate::origin::Origin;

/// Who made each line of the main configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct SourceMap {
    /// One entry a line, the first line first.
    pub lines: Vec<LineOrigins>,
}

/// Who made one line: never empty.
pub type LineOrigins = std::sync::Arc<[Origin]>;

impl SourceMap {
    /// Who made a line, counted from 1.
    pub fn line(&self, number: u32) -> &[Origin] {
        let index = usize::try_from(number)
            .unwrap_or(usize::MAX)
            .wrapping_sub(1);
        self.lines.get(index).map_or(&[], |it| it)
    }
}
