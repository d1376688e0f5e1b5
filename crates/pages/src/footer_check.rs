//! Checks a footer before it is parsed: the parquet crate reserves memory for as many row groups as a footer claims.

use crate::object_bytes::ObjectBytes;
use crate::thrift::{FieldRead, LIST, SET, Walk};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// Maximum number of row groups of a file; the format's ordinals end here.
const MAX_ROW_GROUPS: u64 = i16::MAX as u64;
/// Bytes of the length and the magic after the footer.
const FRAME_LEN: u64 = 8;
/// The footer's list of row groups.
const ROW_GROUPS_FIELD: i16 = 4;

/// Refuses a footer that claims more row groups than a file can have. Bytes that are not a footer at all pass: the
/// parquet crate reports them.
///
/// # Errors
/// When the claim is too large, or the bytes before it are not compact thrift.
pub fn check_row_groups(bytes: &ObjectBytes) -> Result<()> {
    let Some(at) = bytes.len().checked_sub(FRAME_LEN) else { return Ok(()) };
    let frame = bytes.get_bytes(at, FRAME_LEN as usize)?;
    let length = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]);
    let Some(begin) = at.checked_sub(u64::from(length)).filter(|_| &frame[4..] == b"PAR1") else { return Ok(()) };
    let footer = bytes.get_bytes(begin, length as usize)?;
    match claimed_row_groups(&footer) {
        Some(count) if count <= MAX_ROW_GROUPS => Ok(()),
        Some(count) => Err(ParquetError::General(format!("claims {count} row groups, {MAX_ROW_GROUPS} at most"))),
        None => Err(ParquetError::General("is not compact thrift".to_owned())),
    }
}

/// Returns the largest number of row groups that any list claims.
fn claimed_row_groups(footer: &[u8]) -> Option<u64> {
    let mut most = 0;
    Walk::new(footer).fields(|walk, field, kind| {
        if field == ROW_GROUPS_FIELD && (kind == LIST || kind == SET) {
            most = most.max(Walk::new(walk.rest()).list()?.0);
            if most > MAX_ROW_GROUPS {
                return Some(FieldRead::Stop);
            }
        }
        Some(FieldRead::Skip)
    })?;
    Some(most)
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
