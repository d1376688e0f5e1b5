//! What a column chunk's dictionary says before any of its rows is read: if no entry passes a test, no row does.

use super::Books;
use super::cursor::Kind;
use super::inflate::{Codec, Inflater};
use super::object::guarded;
use super::page_stream::{PageBuffer, PageStream};
use super::texts::Meaning;
use super::views::{TextTest, Views};
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use std::ops::Range;

/// Returns where the dictionary page of a chunk lies, header and all, when every value of the chunk is one of its
/// entries, as the footer tells; `None` when it does not tell so, or the page cannot be read by itself.
pub fn whole_dictionary(chunk: &ColumnChunkMetaData) -> Option<Range<u64>> {
    Codec::of(chunk.compression())?;
    let of_entries = chunk.page_encoding_stats_mask().is_some_and(|encodings| {
        encodings.is_only(Encoding::RLE_DICTIONARY) || encodings.is_only(Encoding::PLAIN_DICTIONARY)
    });
    let begin = u64::try_from(chunk.dictionary_page_offset()?).ok()?;
    let end = u64::try_from(chunk.data_page_offset()).ok()?;
    let length = u64::try_from(chunk.compressed_size()).ok()?;
    (of_entries && begin < end && end - begin <= length).then_some(begin..end)
}

/// Tells of each test whether a text of a dictionary, or a missing one, passes it; `bytes` are those of
/// [`whole_dictionary`]. `None` when the page is damaged, for which those who read the rows have the words, or a test
/// cannot be answered.
pub fn asked_of_dictionary(
    chunk: &ColumnChunkMetaData,
    bytes: Bytes,
    tests: &[TextTest],
    meaning: Meaning,
) -> Option<Vec<bool>> {
    // The object has a name where its rows are read.
    guarded("", || Ok(answers(chunk, bytes, tests, meaning))).ok()?.ok()
}

fn answers(chunk: &ColumnChunkMetaData, bytes: Bytes, tests: &[TextTest], meaning: Meaning) -> Result<Vec<bool>> {
    let none = || ParquetError::General("no dictionary where the footer has one".to_owned());
    let mut stream = PageStream::of_bytes(chunk, bytes)?;
    let page = stream.next()?.filter(|page| page.is_dictionary).ok_or_else(none)?;
    let (count, mut buffer) = (page.values, PageBuffer::default());
    stream.load(page, &mut Inflater::new(), &mut buffer)?;
    if count > buffer.values().len() {
        return Err(none());
    }
    let (mut views, mut entries) = (Views::default(), Vec::new());
    views.meaning = meaning;
    views.ask(tests.to_vec())?;
    views.dictionary(buffer.values(), count, &Books::default(), &mut entries)?;
    let any = entries.iter().map(|view| views.answers_of(*view)).fold(views.answers_of_missing(), |any, one| any | one);
    Ok((0..tests.len()).map(|place| any >> place & 1 == 1).collect())
}
