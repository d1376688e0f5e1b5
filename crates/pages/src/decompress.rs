//! Decompresses pages into a buffer that is reused, within limits: gzip through libdeflate, with flate2 as the
//! fallback; zstd with one context for all pages; snappy.

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::errors::{ParquetError, Result};

/// The codecs that are decompressed here; the parquet crate handles all others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// Not compressed.
    None,
    /// gzip, possibly with several members.
    Gzip,
    /// Zstandard.
    Zstd,
    /// Snappy without frames.
    Snappy,
}

impl Codec {
    /// Returns the codec of a column chunk; `None` if it is not decompressed here.
    pub fn of(compression: Compression) -> Option<Self> {
        match compression {
            Compression::UNCOMPRESSED => Some(Codec::None),
            Compression::GZIP(_) => Some(Codec::Gzip),
            Compression::ZSTD(_) => Some(Codec::Zstd),
            Compression::SNAPPY => Some(Codec::Snappy),
            _ => None,
        }
    }

    /// Returns the largest factor by which the codec can expand data; a larger claim is damage or malice. Runs make
    /// zstd all but unbounded.
    pub const fn max_expansion(self) -> usize {
        match self {
            Codec::None => 1,
            Codec::Snappy => 64,
            Codec::Gzip => 1_032,
            Codec::Zstd => 65_536,
        }
    }
}

/// Bytes of a gzip member without optional header fields.
const HEADER_LEN: usize = 10;
/// Bytes of the CRC-32 and the length after the data.
const TRAILER_LEN: usize = 8;

/// Decompresses pages, one after another, keeping the codecs' tables between them.
pub struct Decompressor {
    raw: libdeflater::Decompressor,
    /// Made at the first zstd page, since most runs have none: about 100 kB.
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl Default for Decompressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Decompressor {
    /// Creates a decompressor; it holds about 30 kB of tables.
    pub fn new() -> Self {
        Self { raw: libdeflater::Decompressor::new(), zstd: None }
    }

    /// Decompresses a page that claims to hold `length` bytes, at most `limit`, into the beginning of `output`; returns
    /// how many it holds. `output` grows as needed and never shrinks.
    ///
    /// # Errors
    /// When the page is damaged, or does not hold what it claims.
    pub fn page_into(
        &mut self,
        codec: Codec,
        page: &[u8],
        length: usize,
        limit: usize,
        output: &mut Vec<u8>,
    ) -> Result<usize> {
        if codec == Codec::Gzip {
            return self.gzip_into(page, limit, output);
        }
        if length > limit || length > page.len().saturating_mul(codec.max_expansion()) {
            let claim = format!("page of {} bytes claims to hold {length}, at most {limit} are allowed", page.len());
            return Err(ParquetError::General(claim));
        }
        if output.len() < length {
            output.resize(length, 0);
        }
        let output = &mut output[..length];
        let failed = |name: &str, error: &dyn std::fmt::Display| {
            ParquetError::General(format!("{name} page of {} bytes: {error}", page.len()))
        };
        let written = match codec {
            Codec::Zstd => {
                let context = match &mut self.zstd {
                    Some(context) => context,
                    none => none.insert(zstd::bulk::Decompressor::new().map_err(|error| failed("zstd", &error))?),
                };
                context.decompress_to_buffer(page, output).map_err(|error| failed("zstd", &error))?
            }
            Codec::Snappy => {
                let mut snappy = snap::raw::Decoder::new();
                snappy.decompress(page, output).map_err(|error| failed("snappy", &error))?
            }
            Codec::None | Codec::Gzip => {
                return Err(ParquetError::General("an uncompressed page was passed to the decompressor".to_owned()));
            }
        };
        if written != length {
            return Err(ParquetError::General(format!("page claims to hold {length} bytes and holds {written}")));
        }
        Ok(written)
    }

    /// Decompresses one gzip page to at most `limit` bytes.
    ///
    /// The fast path takes a single member without optional header fields whose trailer agrees with the output in
    /// length and CRC-32. Anything else (several members, file names in the header) goes through flate2.
    ///
    /// # Errors
    /// When the page is not gzip, is truncated, is damaged, or would decompress to more than `limit` bytes.
    pub fn gzip(&mut self, page: &[u8], limit: usize) -> Result<Bytes> {
        let mut output = Vec::new();
        let length = self.gzip_into(page, limit, &mut output)?;
        output.truncate(length);
        Ok(output.into())
    }

    /// Decompresses one gzip page into the beginning of `output` and returns its length. `output` grows as needed and
    /// never shrinks, so a buffer is cleared once and not for every page.
    ///
    /// # Errors
    /// Those of [`Self::gzip`].
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
        if length > limit || length > data.len().saturating_mul(Codec::Gzip.max_expansion()) {
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

/// Decompresses all members of a gzip stream, to at most `limit` bytes.
fn inflate_members(page: &[u8], limit: usize) -> Result<Vec<u8>> {
    use std::io::Read;
    let mut output = Vec::with_capacity(page.len().saturating_mul(4).min(limit));
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::MultiGzDecoder::new(page)
        .take(bound)
        .read_to_end(&mut output)
        .map_err(|error| ParquetError::General(format!("gzip page of {} bytes: {error}", page.len())))?;
    if output.len() > limit {
        return Err(ParquetError::General(format!(
            "gzip page decompresses to more than the {limit} bytes its footer allows"
        )));
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
        assert_eq!(&Decompressor::new().gzip(&page, 100).unwrap()[..], b"first second");
        // Members of equal length: the trailer's length agrees, so only the checksum reveals it.
        let mut page = gzip(b"abc");
        page.extend(gzip(b"xyz"));
        assert_eq!(&Decompressor::new().gzip(&page, 100).unwrap()[..], b"abcxyz");
    }

    #[test]
    fn refuses_more_than_the_limit() {
        let page = gzip(&vec![7; 100_000]);
        assert!(Decompressor::new().gzip(&page, 99_999).is_err());
        assert_eq!(Decompressor::new().gzip(&page, 100_000).unwrap().len(), 100_000);
    }

    fn packed(codec: Codec, data: &[u8]) -> Vec<u8> {
        match codec {
            Codec::None => data.to_vec(),
            Codec::Gzip => gzip(data),
            Codec::Zstd => zstd::bulk::compress(data, 1).unwrap(),
            Codec::Snappy => snap::raw::Encoder::new().compress_vec(data).unwrap(),
        }
    }

    #[test]
    fn a_page_that_holds_other_than_it_claims_is_an_error() {
        let mut decompressor = Decompressor::new();
        for codec in [Codec::Zstd, Codec::Snappy] {
            let page = packed(codec, &[7; 1_000]);
            let mut buffer = Vec::new();
            for claim in [0, 999, 1_001, 50_000_000] {
                assert!(
                    decompressor.page_into(codec, &page, claim, 60_000_000, &mut buffer).is_err(),
                    "{codec:?} {claim}"
                );
            }
            assert!(buffer.len() < 10_000_000, "{codec:?} took memory for a claim");
            assert!(decompressor.page_into(codec, &page, 1_000, 999, &mut buffer).is_err(), "{codec:?}");
            assert_eq!(decompressor.page_into(codec, &page, 1_000, 1_000, &mut buffer).unwrap(), 1_000);
        }
        assert!(decompressor.page_into(Codec::None, &[1], 1, 1, &mut Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn every_codec_gives_its_data_back(pages in proptest::collection::vec((proptest::collection::vec(0u8..4, 0..3_000), 0usize..3), 0..6)) {
            let mut decompressor = Decompressor::new();
            let mut buffer = Vec::new();
            for (data, codec) in &pages {
                let codec = [Codec::Gzip, Codec::Zstd, Codec::Snappy][*codec];
                let page = packed(codec, data);
                let length = decompressor.page_into(codec, &page, data.len(), data.len(), &mut buffer).unwrap();
                prop_assert_eq!(&buffer[..length], &data[..]);
            }
        }

        #[test]
        fn damaged_pages_never_panic(data in proptest::collection::vec(any::<u8>(), 1..500), codec in 0usize..2, at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let codec = [Codec::Zstd, Codec::Snappy][codec];
            let mut page = packed(codec, &data);
            let at = at.index(page.len());
            page[at] = to;
            let mut decompressor = Decompressor::new();
            let _ = decompressor.page_into(codec, &page, data.len(), 1_000, &mut Vec::new());
            let _ = decompressor.page_into(codec, &page[..at], data.len(), 1_000, &mut Vec::new());
        }

        #[test]
        fn equals_flate2(data in proptest::collection::vec(0u8..4, 0..5_000)) {
            let page = gzip(&data);
            prop_assert_eq!(&Decompressor::new().gzip(&page, data.len()).unwrap()[..], &data[..]);
        }

        #[test]
        fn survives_damage(data in proptest::collection::vec(any::<u8>(), 0..500), at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut page = gzip(&data);
            let at = at.index(page.len());
            page[at] = to;
            let cut = page.len() / 2;
            let mut decompressor = Decompressor::new();
            if let Ok(output) = decompressor.gzip(&page, 1_000) {
                prop_assert!(output.len() <= 1_000);
            }
            let _ = decompressor.gzip(&page[..cut], 1_000);
        }
    }
}
