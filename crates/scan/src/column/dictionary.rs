//! A column chunk's dictionary, evaluated before any row is read: if no entry passes a predicate, no row does.

use super::decoder::ColumnDecoder;
use super::view::{TextPredicate, ViewDecoder};
use crate::interner::Interners;
use crate::value::text::Meaning;
use bytes::Bytes;
use pages::decompress::{Codec, Decompressor};
use pages::guard::catch;
use pages::stream::{PageBuffer, PageStream};
use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use std::ops::Range;

/// Returns the byte range of a chunk's dictionary page, header included, if the footer states that every value of the
/// chunk is an entry of it; `None` if it does not, or if the page cannot be read by itself.
pub fn dictionary_page_range(chunk: &ColumnChunkMetaData) -> Option<Range<u64>> {
    Codec::of(chunk.compression())?;
    let only_entries = chunk.page_encoding_stats_mask().is_some_and(|encodings| {
        encodings.is_only(Encoding::RLE_DICTIONARY) || encodings.is_only(Encoding::PLAIN_DICTIONARY)
    });
    let begin = u64::try_from(chunk.dictionary_page_offset()?).ok()?;
    let end = u64::try_from(chunk.data_page_offset()).ok()?;
    let length = u64::try_from(chunk.compressed_size()).ok()?;
    (only_entries && begin < end && end - begin <= length).then_some(begin..end)
}

/// Returns for each predicate whether any text of a dictionary, or a missing text, passes it; `bytes` are those of
/// [`dictionary_page_range`]. Returns `None` when a predicate cannot be answered, or when the page is damaged: the row
/// reader reports that error.
pub fn dictionary_passes(
    chunk: &ColumnChunkMetaData,
    bytes: Bytes,
    predicates: &[TextPredicate],
    meaning: Meaning,
) -> Option<Vec<bool>> {
    catch(|| answers(chunk, bytes, predicates, meaning)).ok()?.ok()
}

fn answers(
    chunk: &ColumnChunkMetaData,
    bytes: Bytes,
    predicates: &[TextPredicate],
    meaning: Meaning,
) -> Result<Vec<bool>> {
    let none = || ParquetError::General("no dictionary where the footer has one".to_owned());
    let mut stream = PageStream::of_bytes(chunk, bytes)?;
    let page = stream.next_page()?.filter(|page| page.is_dictionary).ok_or_else(none)?;
    let count = page.values;
    let mut buffer = PageBuffer::default();
    stream.load(page, &mut Decompressor::new(), &mut buffer)?;
    if count > buffer.values().len() {
        return Err(none());
    }
    let mut views = ViewDecoder::default();
    views.meaning = meaning;
    let mut entries = Vec::new();
    views.set_predicates(predicates.to_vec())?;
    views.dictionary(buffer.values(), count, &Interners::default(), &mut entries)?;
    let any = entries.iter().map(|view| views.answers_of(*view)).fold(views.answers_of_missing(), |any, one| any | one);
    Ok((0..predicates.len()).map(|index| any >> index & 1 == 1).collect())
}
