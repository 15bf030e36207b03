//! Byte offsets → UTF-16 offsets, the unit in which JavaScript counts.

use std::ops::Range;

/// The offsets of one text, converted in logarithmic time.
#[derive(Debug, Default)]
pub(crate) struct Utf16 {
    /// Behind each character that is not ASCII: its end in bytes, and by how much the bytes up to
    /// there outnumber the code units. A text in ASCII has none.
    surplus: Vec<(usize, usize)>,
}

impl Utf16 {
    /// Scans a text once.
    pub(crate) fn new(text: &str) -> Self {
        let mut sum = 0;
        let surplus = text
            .char_indices()
            .filter(|(_, it)| !it.is_ascii())
            .map(|(start, it)| {
                sum += it.len_utf8() - it.len_utf16();
                (start + it.len_utf8(), sum)
            })
            .collect();
        Self { surplus }
    }

    /// The offset of a character that starts at `byte`.
    pub(crate) fn offset(&self, byte: usize) -> usize {
        let before = self.surplus.partition_point(|(end, _)| *end <= byte);
        let surplus = before.checked_sub(1).map_or(0, |it| self.surplus[it].1);
        byte - surplus
    }

    /// Both ends of a range.
    pub(crate) fn range(&self, bytes: &Range<usize>) -> Range<usize> {
        self.offset(bytes.start)..self.offset(bytes.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_javascript() {
        let text = "a: ä€😀b";
        let it = Utf16::new(text);
        for (start, _) in text.char_indices() {
            assert_eq!(it.offset(start), text[..start].encode_utf16().count());
        }
        assert_eq!(it.range(&(0..text.len())), 0..text.encode_utf16().count());
    }

    #[test]
    fn ascii_is_unchanged() {
        assert_eq!(Utf16::new("kind: Ingress").range(&(6..13)), 6..13);
    }
}
