//! Gzip pages through libdeflate, with guards; every doubt falls back to flate2's way through the parquet crate.

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};

/// Bytes of a gzip member without optional header fields.
const HEADER_LEN: usize = 10;
/// CRC-32 and length behind the data.
const TRAILER_LEN: usize = 8;
/// Deflate cannot expand data by more than this, so a larger claim is damage or malice.
const MAX_EXPANSION: usize = 1_032;

/// Inflates gzip pages, one after another, keeping libdeflate's tables between them.
pub struct Inflater {
    raw: libdeflater::Decompressor,
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflater {
    /// Makes an inflater; it holds about 30 kB of tables.
    pub fn new() -> Self {
        Self { raw: libdeflater::Decompressor::new() }
    }

    /// Inflates one gzip page of at most `limit` bytes of output.
    ///
    /// The fast path takes a single member without optional header fields whose trailer agrees with the output in
    /// length and CRC-32. Anything else (several members, file names in the header) goes through flate2.
    ///
    /// # Errors
    /// When the page is not gzip, is truncated, is damaged, or would inflate beyond `limit`.
    pub fn gzip(&mut self, page: &[u8], limit: usize) -> Result<Bytes> {
        let mut output = Vec::new();
        let length = self.gzip_into(page, limit, &mut output)?;
        output.truncate(length);
        Ok(output.into())
    }

    /// Inflates one gzip page into the beginning of `output` and returns its length; `output` grows as it must and
    /// never shrinks, so that a buffer is cleared once and not for every page.
    ///
    /// # Errors
    /// As for [`Self::gzip`].
    pub fn gzip_into(&mut self, page: &[u8], limit: usize, output: &mut Vec<u8>) -> Result<usize> {
        match self.single_member(page, limit, output) {
            Some(length) => Ok(length),
            None => {
                *output = inflate_members(page, limit)?;
                Ok(output.len())
            }
        }
    }

    fn single_member(&mut self, page: &[u8], limit: usize, output: &mut Vec<u8>) -> Option<usize> {
        if page.len() < HEADER_LEN + TRAILER_LEN || page[..4] != [0x1f, 0x8b, 8, 0] {
            return None;
        }
        let (data, trailer) = page[HEADER_LEN..].split_at(page.len() - HEADER_LEN - TRAILER_LEN);
        let crc = u32::from_le_bytes([trailer[0], trailer[1], trailer[2], trailer[3]]);
        let length = u32::from_le_bytes([trailer[4], trailer[5], trailer[6], trailer[7]]) as usize;
        if length > limit || length > data.len().saturating_mul(MAX_EXPANSION) {
            return None;
        }
        if output.len() < length {
            output.resize(length, 0);
        }
        let output = &mut output[..length];
        let written = self.raw.deflate_decompress(data, output).ok()?;
        (written == length && libdeflater::crc32(output) == crc).then_some(length)
    }
}

/// Inflates all members of a gzip stream, refusing to produce more than `limit` bytes.
fn inflate_members(page: &[u8], limit: usize) -> Result<Vec<u8>> {
    use std::io::Read;
    let mut output = Vec::with_capacity(page.len().saturating_mul(4).min(limit));
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::MultiGzDecoder::new(page)
        .take(bound)
        .read_to_end(&mut output)
        .map_err(|error| ParquetError::General(format!("gzip page of {} bytes: {error}", page.len())))?;
    if output.len() > limit {
        return Err(ParquetError::General(format!("gzip page inflates beyond the {limit} bytes its footer allows")));
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn inflates_several_members() {
        let mut page = gzip(b"first ");
        page.extend(gzip(b"second"));
        assert_eq!(&Inflater::new().gzip(&page, 100).unwrap()[..], b"first second");
        // Members of equal length: the trailer agrees in length, so only the checksum tells.
        let mut page = gzip(b"abc");
        page.extend(gzip(b"xyz"));
        assert_eq!(&Inflater::new().gzip(&page, 100).unwrap()[..], b"abcxyz");
    }

    #[test]
    fn refuses_more_than_the_limit() {
        let page = gzip(&vec![7; 100_000]);
        assert!(Inflater::new().gzip(&page, 99_999).is_err());
        assert_eq!(Inflater::new().gzip(&page, 100_000).unwrap().len(), 100_000);
    }

    proptest! {
        #[test]
        fn equals_flate2(data in proptest::collection::vec(0u8..4, 0..5_000)) {
            let page = gzip(&data);
            prop_assert_eq!(&Inflater::new().gzip(&page, data.len()).unwrap()[..], &data[..]);
        }

        #[test]
        fn survives_damage(data in proptest::collection::vec(any::<u8>(), 0..500), at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut page = gzip(&data);
            let at = at.index(page.len());
            page[at] = to;
            let cut = page.len() / 2;
            let mut inflater = Inflater::new();
            if let Ok(output) = inflater.gzip(&page, 1_000) {
                prop_assert!(output.len() <= 1_000);
            }
            let _ = inflater.gzip(&page[..cut], 1_000);
        }
    }
}
