//! The bytes of one object: all of them, or the ranges that a scan needs.

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use std::ops::Range;

/// Bytes of an object as they came from the store.
#[derive(Debug, Clone)]
pub enum ObjectBytes {
    /// The whole object.
    Whole(Bytes),
    /// Parts of an object of `len` bytes: offset and bytes, sorted by offset, not overlapping.
    Ranges {
        /// Length of the whole object in bytes.
        len: u64,
        /// The parts that were fetched.
        parts: Vec<(u64, Bytes)>,
    },
}

impl ObjectBytes {
    fn missing(start: u64, length: usize) -> ParquetError {
        ParquetError::General(format!("bytes {start}..{} of the object were not fetched", start + length as u64))
    }
}

impl Length for ObjectBytes {
    fn len(&self) -> u64 {
        match self {
            ObjectBytes::Whole(bytes) => bytes.len() as u64,
            ObjectBytes::Ranges { len, .. } => *len,
        }
    }
}

impl ChunkReader for ObjectBytes {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        match self {
            ObjectBytes::Whole(bytes) => match usize::try_from(start) {
                Ok(start) if start <= bytes.len() => Ok(bytes.slice(start..).reader()),
                _ => Err(Self::missing(start, 1)),
            },
            ObjectBytes::Ranges { parts, .. } => {
                let at = parts.partition_point(|(offset, _)| *offset <= start);
                let (offset, bytes) = at.checked_sub(1).map(|i| &parts[i]).ok_or_else(|| Self::missing(start, 1))?;
                let skip = usize::try_from(start - offset).unwrap_or(usize::MAX);
                if skip > bytes.len() {
                    return Err(Self::missing(start, 1));
                }
                Ok(bytes.slice(skip..).reader())
            }
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let rest = self.get_read(start)?.into_inner();
        if rest.len() < length {
            return Err(ParquetError::EOF(format!(
                "wanted {length} bytes at {start}, the object has {} there",
                rest.len()
            )));
        }
        Ok(rest.slice(..length))
    }
}

/// Returns the byte range of a column chunk in its object.
///
/// # Errors
/// When the footer claims a negative offset or length.
pub fn chunk_range(chunk: &ColumnChunkMetaData) -> Result<Range<u64>> {
    let begin = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    let length = chunk.compressed_size();
    let (Ok(start), Ok(bytes)) = (u64::try_from(begin), u64::try_from(length)) else {
        let column = chunk.column_path();
        return Err(ParquetError::General(format!("column {column} claims {length} bytes at offset {begin}")));
    };
    Ok(start..start.saturating_add(bytes))
}

/// Returns the length in bytes of a footer and its frame, from the last 8 bytes of a Parquet file; `None` for bytes
/// that are not the end of one.
pub fn footer_length(tail: &[u8]) -> Option<u64> {
    let (length, magic) = tail.last_chunk::<8>()?.split_at(4);
    let length = u32::from_le_bytes(length.try_into().ok()?);
    (magic == b"PAR1").then_some(u64::from(length) + 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_answer_like_the_whole() {
        let whole = Bytes::from_iter(0..100u8);
        let parts = vec![(10, whole.slice(10..30)), (50, whole.slice(50..100))];
        let ranges = ObjectBytes::Ranges { len: 100, parts };
        let whole = ObjectBytes::Whole(whole);
        for (start, length) in [(10, 20), (12, 5), (50, 50), (99, 1)] {
            assert_eq!(ranges.get_bytes(start, length).unwrap(), whole.get_bytes(start, length).unwrap());
        }
        for (start, length) in [(0, 1), (9, 2), (20, 20), (40, 1), (60, 41), (101, 1)] {
            assert!(ranges.get_bytes(start, length).is_err(), "{start} {length}");
        }
    }
}
