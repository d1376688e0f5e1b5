//! Reads bytes of listed objects, and refuses an object that changed since it was listed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectStore, coalesce_ranges};

use super::file_buffers::FileBuffers;
use super::local::version_of;
use super::object::{Location, Object};
use super::read_error::{ReadError, explain, failed, refused};
use super::s3::Bucket;

/// Ranges that are closer than this are fetched as one: a request costs more than the bytes between them.
const COALESCE_BYTES: u64 = 1 << 20;
/// The same for files, whose bytes are copied.
const COALESCE_FILE_BYTES: u64 = 16 << 10;

/// Reads objects of one [`super::Source`]; clones share connections.
#[derive(Clone, Debug)]
pub struct ObjectReader {
    buckets: Arc<BTreeMap<Arc<str>, Arc<Bucket>>>,
    buffers: Arc<FileBuffers>,
}

impl ObjectReader {
    pub(crate) fn new(buckets: Arc<BTreeMap<Arc<str>, Arc<Bucket>>>) -> Self {
        Self { buckets, buffers: Arc::default() }
    }

    /// Reads a whole object with one request.
    ///
    /// # Errors
    /// [`ReadError`] when the object was deleted, replaced or truncated, or access is denied.
    pub async fn whole(&self, object: &Object) -> Result<Bytes, ReadError> {
        if object.size == 0 {
            return Ok(Bytes::new());
        }
        self.range(object, None).await
    }

    /// Reads the last `length` bytes, or the whole object when it is shorter.
    ///
    /// # Errors
    /// As [`Self::whole`].
    pub async fn suffix(&self, object: &Object, length: u64) -> Result<Bytes, ReadError> {
        let from = object.size.saturating_sub(length);
        if from == object.size {
            return Ok(Bytes::new());
        }
        self.range(object, Some(from..object.size)).await
    }

    /// Reads byte ranges, given and returned in any order; ranges less than 1 MiB apart share a request.
    ///
    /// # Errors
    /// As [`Self::whole`]; [`ReadError::Truncated`] when a range ends after the object.
    pub async fn ranges(&self, object: &Object, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, ReadError> {
        within(object, ranges)?;
        coalesce_ranges(ranges, |range| self.range(object, Some(range)), COALESCE_BYTES).await
    }

    /// Reads byte ranges of a local file on this thread, given and returned in any order; `None` for other objects.
    /// Ranges that nearly touch are read as one.
    ///
    /// # Errors
    /// As [`Self::ranges`].
    pub fn ranges_now(&self, object: &Object, ranges: &[Range<u64>]) -> Option<Result<Vec<Bytes>, ReadError>> {
        let Location::Local(path) = &object.location else { return None };
        if let Err(error) = within(object, ranges) {
            return Some(Err(error));
        }
        let mut order: Vec<usize> = (0..ranges.len()).filter(|index| !ranges[*index].is_empty()).collect();
        order.sort_unstable_by_key(|index| ranges[*index].start);
        // Stretches of the file, and the offset of each range in their bytes.
        let (mut stretches, mut before): (Vec<Range<u64>>, u64) = (Vec::new(), 0);
        let mut offsets = vec![0; ranges.len()];
        for index in order {
            let range = &ranges[index];
            match stretches.last_mut() {
                Some(last) if range.start <= last.end + COALESCE_FILE_BYTES => last.end = last.end.max(range.end),
                last => {
                    before += last.map_or(0, |last| last.end - last.start);
                    stretches.push(range.clone());
                }
            }
            let begin = stretches.last().map_or(0, |last| last.start);
            offsets[index] = before + range.start - begin;
        }
        let read = read_file(path, &object.url, &object.version, &stretches, &self.buffers);
        Some(read.map(|bytes| {
            let slice = |(range, begin): (&Range<u64>, u64)| {
                let begin = usize::try_from(begin).unwrap_or(usize::MAX);
                let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
                bytes.slice(begin..begin.saturating_add(length))
            };
            ranges.iter().zip(offsets).map(slice).collect()
        }))
    }

    async fn range(&self, object: &Object, range: Option<Range<u64>>) -> Result<Bytes, ReadError> {
        let expected = range.as_ref().map_or(object.size, |range| range.end - range.start);
        if expected == 0 {
            return Ok(Bytes::new());
        }
        let bytes = match &object.location {
            Location::Local(path) => {
                let (path, version) = (path.clone(), object.version.clone());
                let (url, buffers) = (object.url.clone(), self.buffers.clone());
                let stretch = range.unwrap_or(0..expected);
                tokio::task::spawn_blocking(move || read_file(&path, &url, &version, &[stretch], &buffers))
                    .await
                    .unwrap_or_else(|error| Err(failed(&object.url, &error)))?
            }
            Location::S3 { bucket, key } => self.fetch(object, bucket, key, range).await?,
        };
        let got = bytes.len() as u64;
        if got != expected {
            return Err(ReadError::Truncated { url: object.url.to_string(), got, expected });
        }
        Ok(bytes)
    }

    async fn fetch(
        &self,
        object: &Object,
        bucket: &str,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, ReadError> {
        let url = || object.url.to_string();
        let bucket = self.buckets.get(bucket).ok_or_else(|| ReadError::Unopened { url: url() })?;
        // ETags are quoted; anything else was made up by the listing, and no server would match it.
        let etag = object.version.contains('"').then(|| object.version.to_string());
        let Some(key) = store_key(key) else {
            return bucket.get(key, range, etag).await.map_err(|error| refused(&object.url, error));
        };
        let options =
            GetOptions { range: range.map(GetRange::Bounded), if_match: etag.clone(), ..GetOptions::default() };
        let answer = bucket.store.get_opts(&key, options).await.map_err(|error| explain(&object.url, &error))?;
        // Some servers ignore If-Match, but return the ETag of what they sent.
        if etag.is_some() && answer.meta.e_tag.is_some() && answer.meta.e_tag != etag {
            return Err(ReadError::Changed { url: url() });
        }
        answer.bytes().await.map_err(|error| explain(&object.url, &error))
    }
}

/// Returns a key as object_store has it; `None` where it would ask for another key. It cannot express `logs//AWSLogs/…` (a
/// prefix configured with a last slash), and drops the slash at the start of `/AWSLogs/…`.
fn store_key(key: &str) -> Option<Key> {
    Key::parse(key).ok().filter(|parsed| parsed.as_ref() == key)
}

/// Reads stretches of a file into one buffer.
fn read_file(
    path: &Path,
    url: &str,
    version: &str,
    stretches: &[Range<u64>],
    buffers: &Arc<FileBuffers>,
) -> Result<Bytes, ReadError> {
    let explain = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => ReadError::Gone { url: url.to_owned() },
        std::io::ErrorKind::PermissionDenied => ReadError::Denied { url: url.to_owned(), problem: error.to_string() },
        _ => failed(url, &error),
    };
    let mut file = File::open(path).map_err(explain)?;
    if version_of(&file.metadata().map_err(explain)?) != version {
        return Err(ReadError::Changed { url: url.to_owned() });
    }
    let expected: u64 = stretches.iter().map(|stretch| stretch.end - stretch.start).sum();
    let mut buffer = buffers.take(usize::try_from(expected).unwrap_or(0));
    let mut at = 0;
    for stretch in stretches {
        if stretch.start != at {
            file.seek(SeekFrom::Start(stretch.start)).map_err(explain)?;
        }
        let length = stretch.end - stretch.start;
        let got = (&mut file).take(length).read_to_end(&mut buffer.bytes).map_err(explain)? as u64;
        if got != length {
            return Err(ReadError::Truncated { url: url.to_owned(), got: stretch.start + got, expected: stretch.end });
        }
        at = stretch.end;
    }
    Ok(Bytes::from_owner(buffer))
}

/// Refuses ranges that end after their object: a damaged footer may claim any length.
fn within(object: &Object, ranges: &[Range<u64>]) -> Result<(), ReadError> {
    match ranges.iter().find(|range| range.end > object.size || range.start > range.end) {
        Some(beyond) => {
            Err(ReadError::Truncated { url: object.url.to_string(), got: object.size, expected: beyond.end })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Source, SourceOptions, TimeRange};
    use super::*;

    #[test]
    fn a_key_is_asked_for_as_it_is_or_not_through_the_store() {
        for key in ["/AWSLogs/a.parquet", "logs//a.parquet", "a/", "a/../b", "//a"] {
            assert!(store_key(key).is_none(), "{key}");
        }
        for key in ["a.parquet", "logs/day=1/01 +é=%.parquet"] {
            assert_eq!(store_key(key).unwrap().as_ref(), key);
        }
    }

    #[tokio::test]
    async fn reads_local_bytes_and_notices_changes() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.parquet");
        let content: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let source = Source::open(&[root.path().to_str().unwrap()], &SourceOptions::default()).await.unwrap();
        let object = source.list(&TimeRange::default()).await.unwrap().objects.remove(0);
        let reader = source.reader();
        assert_eq!(reader.whole(&object).await.unwrap(), content);
        assert_eq!(reader.suffix(&object, 10).await.unwrap(), content[2_999_990..]);
        assert_eq!(reader.suffix(&object, u64::MAX).await.unwrap(), content);
        let ranges = [2_500_000..2_500_007, 3..5, 0..0, 4..100];
        let got = reader.ranges(&object, &ranges).await.unwrap();
        for (range, bytes) in ranges.iter().zip(got) {
            assert_eq!(bytes, content[range.start as usize..range.end as usize]);
        }
        let now = reader.ranges_now(&object, &ranges).unwrap().unwrap();
        for (range, bytes) in ranges.iter().zip(now) {
            assert_eq!(bytes, content[range.start as usize..range.end as usize]);
        }
        let beyond = reader.ranges_now(&object, &[Range { start: 2_000_000, end: 3_000_001 }]).unwrap();
        assert!(matches!(beyond, Err(ReadError::Truncated { got: 3_000_000, expected: 3_000_001, .. })));
        // What no memory could hold is refused before a buffer is made for it.
        let beyond = reader.ranges_now(&object, &[Range { start: 0, end: 1 << 50 }]).unwrap();
        assert!(matches!(beyond, Err(ReadError::Truncated { got: 3_000_000, .. })));
        let beyond = reader.ranges(&object, &[Range { start: 0, end: 3_000_001 }]).await;
        assert!(matches!(beyond, Err(ReadError::Truncated { got: 3_000_000, expected: 3_000_001, .. })));
        std::fs::write(&path, &content[1..]).unwrap();
        assert!(matches!(reader.whole(&object).await, Err(ReadError::Changed { .. })));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(reader.whole(&object).await, Err(ReadError::Gone { .. })));
    }
}
