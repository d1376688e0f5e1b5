//! A look at a footer before it is parsed: the decoder reserves memory for as many row groups as a footer claims.

use super::ObjectBytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// Most row groups of a file; the format's ordinals end here.
const MOST_ROW_GROUPS: u64 = i16::MAX as u64;
/// Structures within structures that a footer's thrift may have.
const DEEPEST: usize = 32;
/// Length and magic behind the footer.
const FRAME_LEN: u64 = 8;
/// The footer's list of row groups.
const ROW_GROUPS_FIELD: i64 = 4;

/// Refuses a footer that claims more row groups than a file can have. What is no footer at all passes: the decoder
/// has the words for it.
///
/// # Errors
/// When the claim is too large, or the bytes before it are no compact thrift.
pub(super) fn check_row_groups(bytes: &ObjectBytes) -> Result<()> {
    let Some(at) = bytes.len().checked_sub(FRAME_LEN) else { return Ok(()) };
    let frame = bytes.get_bytes(at, FRAME_LEN as usize)?;
    let length = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]);
    let Some(begin) = at.checked_sub(u64::from(length)).filter(|_| &frame[4..] == b"PAR1") else { return Ok(()) };
    let footer = bytes.get_bytes(begin, length as usize)?;
    match (Walk { rest: &footer }).row_groups() {
        Some(count) if count <= MOST_ROW_GROUPS => Ok(()),
        Some(count) => Err(ParquetError::General(format!("claims {count} row groups, {MOST_ROW_GROUPS} at most"))),
        None => Err(ParquetError::General("is no compact thrift".to_owned())),
    }
}

/// What is left of thrift in its compact protocol.
struct Walk<'a> {
    rest: &'a [u8],
}

impl Walk<'_> {
    /// The largest number of row groups that any list of them claims.
    fn row_groups(&mut self) -> Option<u64> {
        let (mut field, mut most) = (0, 0);
        loop {
            let header = self.byte()?;
            let kind = header & 0x0f;
            if kind == 0 {
                return Some(most);
            }
            field = match header >> 4 {
                0 => zigzag(self.varint()?),
                delta => i64::wrapping_add(field, i64::from(delta)),
            };
            // The decoder reads field numbers in 16 bits.
            if field as i16 as i64 == ROW_GROUPS_FIELD && (kind == 9 || kind == 10) {
                most = most.max(Walk { rest: self.rest }.list()?.0);
                if most > MOST_ROW_GROUPS {
                    return Some(most);
                }
            }
            self.skip(kind, 0)?;
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Number and kind of a list's elements.
    fn list(&mut self) -> Option<(u64, u8)> {
        let header = self.byte()?;
        let count = if header >> 4 == 15 { self.varint()? } else { u64::from(header >> 4) };
        Some((count, header & 0x0f))
    }

    fn take(&mut self, length: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(length).ok()?..)?;
        Some(())
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match kind {
            // A field's truth lies in its kind.
            1 | 2 => {}
            3 => self.take(1)?,
            4..=6 => drop(self.varint()?),
            7 => self.take(8)?,
            8 => {
                let length = self.varint()?;
                self.take(length)?;
            }
            9 | 10 => {
                let (count, kind) = self.list()?;
                for _ in 0..count {
                    // Truths in lists take a byte each.
                    if matches!(kind, 1 | 2) { self.take(1)? } else { self.skip(kind, depth + 1)? }
                }
            }
            11 => {
                let count = self.varint()?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                for _ in 0..count {
                    for kind in [kinds >> 4, kinds & 0x0f] {
                        if matches!(kind, 1 | 2) { self.take(1)? } else { self.skip(kind, depth + 1)? }
                    }
                }
            }
            12 => loop {
                let header = self.byte()?;
                if header & 0x0f == 0 {
                    break;
                }
                if header >> 4 == 0 {
                    self.varint()?;
                }
                self.skip(header & 0x0f, depth + 1)?;
            },
            _ => return None,
        }
        Some(())
    }
}

fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(footer: &[u8]) -> ObjectBytes {
        let mut bytes = footer.to_vec();
        bytes.extend((footer.len() as u32).to_le_bytes());
        bytes.extend(b"PAR1");
        ObjectBytes::Whole(bytes.into())
    }

    #[test]
    fn two_thousand_million_row_groups_are_refused() {
        // Version, an empty schema, rows, then a list of 2^31 - 1 structures.
        let honest = [0x15, 2, 0x19, 0x0c, 0x16, 0, 0x19, 0x0c, 0];
        assert!(check_row_groups(&file(&honest)).is_ok());
        let lied = [0x15, 2, 0x19, 0x0c, 0x16, 0, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07];
        let error = check_row_groups(&file(&lied)).unwrap_err().to_string();
        assert!(error.contains("claims 2147483647 row groups"), "{error}");
    }
}
