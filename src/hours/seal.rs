//! A checksum over a whole Parquet file, stored in the file's own metadata: a bit flipped by storage may still decode.

use parquet::file::metadata::KeyValue;

const KEY: &str = "flowsift.seal";
const MARK: &[u8] = b"crc32:";
/// Takes the offset of the checksum until it is known, and while it is computed.
const BLANK: &[u8; 8] = b"00000000";

/// Returns the metadata entry that a file needs before [`seal`] can seal it.
pub(super) fn unsealed() -> KeyValue {
    KeyValue::new(KEY.to_owned(), format!("{}{}", String::from_utf8_lossy(MARK), String::from_utf8_lossy(BLANK)))
}

/// Writes the checksum of a file into its metadata.
pub(super) fn seal(file: &mut [u8]) {
    if let Some(offset) = offset_of_sum(file) {
        let sum = sum_of(file, offset);
        file[offset..offset + BLANK.len()].copy_from_slice(sum.as_bytes());
    }
}

/// Returns whether a file is as it was when it was sealed.
pub(super) fn is_whole(file: &[u8]) -> bool {
    offset_of_sum(file).is_some_and(|offset| sum_of(file, offset).as_bytes() == &file[offset..offset + BLANK.len()])
}

/// Returns the offset of the checksum: after the last mark in the footer, whose length precedes the last four bytes.
fn offset_of_sum(file: &[u8]) -> Option<usize> {
    let end = file.len().checked_sub(8)?;
    let length = u32::from_le_bytes(file[end..end + 4].try_into().ok()?);
    let begin = end.checked_sub(usize::try_from(length).ok()?)?;
    let mark = file[begin..end].windows(MARK.len()).rposition(|bytes| bytes == MARK)?;
    let offset = begin + mark + MARK.len();
    (offset + BLANK.len() <= end).then_some(offset)
}

/// Returns the checksum of the whole file, with the checksum itself left blank.
fn sum_of(file: &[u8], offset: usize) -> String {
    let mut sum = libdeflater::Crc::new();
    sum.update(&file[..offset]);
    sum.update(BLANK);
    sum.update(&file[offset + BLANK.len()..]);
    format!("{:08x}", sum.sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::file::properties::WriterProperties;
    use std::sync::Arc;

    fn sealed() -> Vec<u8> {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..200));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![unsealed()])).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        let mut file = writer.into_inner().unwrap();
        assert!(!is_whole(&file), "not yet");
        seal(&mut file);
        file
    }

    #[test]
    fn a_sealed_file_is_parquet_still() {
        let file = sealed();
        assert!(is_whole(&file));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap().build().unwrap();
        assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 200);
    }

    #[test]
    fn every_bit_counts_and_every_byte() {
        let mut file = sealed();
        for at in 0..file.len() {
            for bit in 0..8 {
                file[at] ^= 1 << bit;
                assert!(!is_whole(&file), "bit {bit} of byte {at}");
                file[at] ^= 1 << bit;
            }
            assert!(!is_whole(&file[..at]), "cut at {at}");
        }
        assert!(is_whole(&file));
    }
}
