//! Headers of pages.

use crate::thrift::{FALSE, FieldRead, I32, STRUCT, TRUE, Walk};
use parquet::basic::Encoding;

/// The header before a page.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PageHeader {
    /// Bytes that the header itself takes.
    pub length: usize,
    /// What kind of page it is.
    pub kind: PageKind,
    /// Uncompressed bytes of the page, as the header claims.
    pub uncompressed: usize,
    /// Bytes of the page after its header.
    pub compressed: usize,
    /// Values of the page, missing ones included.
    pub values: usize,
    /// How the values are encoded, by its number in the format.
    pub encoding: i32,
    /// How definition levels are encoded, in version 1.
    pub level_encoding: i32,
    /// Bytes of repetition levels, in version 2.
    pub repetition_len: usize,
    /// Bytes of definition levels, in version 2.
    pub definition_len: usize,
    /// The values are compressed if the chunk is.
    pub is_compressed: bool,
}

/// Kinds of pages.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// Values with framed levels, compressed together.
    Data,
    /// Values with separate levels.
    DataV2,
    /// Entries of a dictionary.
    Dictionary,
    /// A page that holds no values.
    #[default]
    Other,
}

impl PageHeader {
    /// Reads the header at the beginning of `bytes`; `None` when there is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut header = PageHeader { is_compressed: true, ..PageHeader::default() };
        let mut walk = Walk::new(bytes);
        let (mut kind, mut held) = (None, None);
        let size = |walk: &mut Walk<'_>| usize::try_from(walk.i32()?).ok();
        let (mut uncompressed, mut compressed) = (None, None);
        walk.fields(|walk, field, wire| {
            match (field, wire) {
                (1, I32) => kind = Some(walk.i32()?),
                (2, I32) => uncompressed = Some(size(walk)?),
                (3, I32) => compressed = Some(size(walk)?),
                (5 | 7 | 8, STRUCT) => {
                    held = Some(field);
                    header.read_values(walk, field)?;
                }
                (4, I32) | (6, STRUCT) => return Some(FieldRead::Skip),
                // A field of a kind other than the format's is damage, and readers disagree on how many bytes it takes.
                (1..=8, _) => return None,
                _ => return Some(FieldRead::Skip),
            }
            Some(FieldRead::Consumed)
        })?;
        header.length = bytes.len() - walk.rest().len();
        (header.uncompressed, header.compressed) = (uncompressed?, compressed?);
        header.kind = match (kind?, held) {
            (0, Some(5)) => PageKind::Data,
            (2, Some(7)) => PageKind::Dictionary,
            (3, Some(8)) => PageKind::DataV2,
            (0 | 2 | 3, _) => return None,
            _ => PageKind::Other,
        };
        Some(header)
    }

    /// Reads the part of the header that is specific to a kind of page.
    fn read_values(&mut self, walk: &mut Walk<'_>, part: i16) -> Option<()> {
        let size = |walk: &mut Walk<'_>| usize::try_from(walk.i32()?).ok();
        let mut values = None;
        walk.fields(|walk, field, wire| {
            match (part, field, wire) {
                (_, 1, I32) => values = Some(size(walk)?),
                (5 | 7, 2, I32) | (8, 4, I32) => self.encoding = walk.i32()?,
                (5, 3, I32) => self.level_encoding = walk.i32()?,
                (8, 5, I32) => self.definition_len = size(walk)?,
                (8, 6, I32) => self.repetition_len = size(walk)?,
                (8, 7, TRUE) => self.is_compressed = true,
                (8, 7, FALSE) => self.is_compressed = false,
                (5, 4, I32) | (8, 2 | 3, I32) | (7, 3, TRUE | FALSE) | (5, 5, STRUCT) | (8, 8, STRUCT) => {
                    return Some(FieldRead::Skip);
                }
                (5, 1..=5, _) | (7, 1..=3, _) | (8, 1..=8, _) => return None,
                _ => return Some(FieldRead::Skip),
            }
            Some(FieldRead::Consumed)
        })?;
        self.values = values?;
        Some(())
    }
}

/// Returns the encoding for a number of the format, if it is one that is read directly.
pub fn encoding(number: i32) -> Option<Encoding> {
    match number {
        0 => Some(Encoding::PLAIN),
        2 => Some(Encoding::PLAIN_DICTIONARY),
        3 => Some(Encoding::RLE),
        8 => Some(Encoding::RLE_DICTIONARY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_of_both_versions_are_understood() {
        // Data page: type 0, sizes 100 and 60, then values 7, encoding 8, levels 3 and 3, with a statistic to skip.
        let v1 = [0x15, 0, 0x15, 200, 1, 0x15, 120, 0x2c, 0x15, 14, 0x15, 16, 0x15, 6, 0x15, 6, 0x1c, 0x36, 0, 0, 0, 0];
        let header = PageHeader::read(&v1).unwrap();
        assert_eq!((header.kind, header.uncompressed, header.compressed), (PageKind::Data, 100, 60));
        assert_eq!((header.values, header.encoding, header.level_encoding), (7, 8, 3));
        assert_eq!(header.length, v1.len());
        // Version 2: 7 values, 1 missing, 7 rows, encoding 8, 5 bytes of levels, none of repetition, not compressed.
        let v2 = [
            0x15, 6, 0x15, 200, 1, 0x15, 120, 0x5c, 0x15, 14, 0x15, 2, 0x15, 14, 0x15, 16, 0x15, 10, 0x15, 0, 0x12, 0,
            0,
        ];
        let header = PageHeader::read(&v2).unwrap();
        assert_eq!((header.kind, header.values, header.encoding), (PageKind::DataV2, 7, 8));
        assert_eq!((header.definition_len, header.repetition_len, header.is_compressed), (5, 0, false));
    }

    /// Arrow accepts a number of another kind, whose bytes end elsewhere: both readers then read the page, with
    /// different results.
    #[test]
    fn fields_of_another_kind_than_the_formats_are_no_header() {
        let v2 = [
            0x15, 6, 0x15, 80, 0x15, 80, 0x5c, 0x15, 10, 0x15, 0, 0x15, 10, 0x15, 0, 0x15, 0, 0x15, 0, 0x12, 0, 0, 0x1a,
        ];
        assert_eq!(PageHeader::read(&v2).unwrap().length, v2.len() - 1);
        for at in [0, 2, 4, 6, 7, 9, 11, 13, 15, 17] {
            let mut damaged = v2;
            damaged[at] = damaged[at] & 0xf0 | 7;
            assert_eq!(PageHeader::read(&damaged), None, "a double at byte {at}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = PageHeader::read(&bytes);
        }
    }
}
