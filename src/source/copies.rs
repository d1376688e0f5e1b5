//! Finds objects that repeat another one: a backup of the tree under another prefix, or a second replication of it.
//!
//! A copy has the file name and the size of its original. That alone proves nothing, since writers reuse names, so either
//! S3's ETags are equal or the last bytes are: the footer with the statistics of every column, and the pages before it.

use super::layout::Layout;
use super::object::{Location, Object};
use super::read::ObjectReader;
use futures::stream::{self, StreamExt};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes from the end of two objects that are compared.
const TAIL_BYTES: u64 = 64 << 10;

/// Smaller objects are no Parquet: its magic numbers and the footer's length take as much.
const MIN_PARQUET_BYTES: u64 = 12;

/// An object that repeats another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopiedObject {
    /// The URL of the copy, which is left out.
    pub object: Arc<str>,
    /// The URL of the object that counts.
    pub original: Arc<str>,
}

impl CopiedObject {
    /// Returns why the object is left out.
    pub fn reason(&self) -> String {
        format!("a copy of {}", self.original)
    }
}

/// Returns the copies among objects, sorted by URL. In any order of the objects, the same one counts: the one in AWS's
/// layout before others, then the one with the shorter URL, then the first by URL.
pub(super) async fn find_copies(objects: &[Object], reader: &ObjectReader, concurrency: usize) -> Vec<CopiedObject> {
    let mut groups: HashMap<(&str, u64), Vec<&Object>> = HashMap::with_capacity(objects.len());
    for object in objects.iter().filter(|object| object.size >= MIN_PARQUET_BYTES) {
        groups.entry((object.name(), object.size)).or_default().push(object);
    }
    let alike = groups.into_values().filter(|group| group.len() > 1);
    let alike: Vec<Vec<Object>> = alike.map(|group| group.into_iter().cloned().collect()).collect();
    let found = stream::iter(alike).map(|group| copies_of(group, reader.clone())).buffer_unordered(concurrency.max(1));
    let mut found: Vec<CopiedObject> = found.flat_map(stream::iter).collect().await;
    found.sort_unstable_by(|a, b| a.object.cmp(&b.object));
    found
}

/// Returns the copies among objects of one name and size.
async fn copies_of(mut group: Vec<Object>, reader: ObjectReader) -> Vec<CopiedObject> {
    let is_aws = |object: &Object| matches!(object.facts.layout, Layout::Plain | Layout::Hive);
    group.sort_unstable_by_key(|object| (Reverse(is_aws(object)), object.url.len(), object.url.clone()));
    let mut originals: Vec<(&Object, Option<bytes::Bytes>)> = Vec::new();
    let mut copies = Vec::new();
    for object in &group {
        let mut original = originals.iter().find(|(other, _)| has_same_etag(object, other)).map(|(other, _)| *other);
        let mut tail = None;
        if original.is_none() && !originals.is_empty() {
            // An object that cannot be read is no copy: reading it later says why.
            tail = reader.suffix(object, TAIL_BYTES).await.ok();
            for (other, other_tail) in &mut originals {
                if other_tail.is_none() {
                    *other_tail = reader.suffix(other, TAIL_BYTES).await.ok();
                }
                if tail.is_some() && tail == *other_tail {
                    original = Some(*other);
                    break;
                }
            }
        }
        match original {
            Some(original) => {
                copies.push(CopiedObject { object: object.url.clone(), original: original.url.clone() });
            }
            None => originals.push((object, tail)),
        }
    }
    copies
}

/// Returns whether two objects of one size have one ETag, which S3 derives from the content.
fn has_same_etag(a: &Object, b: &Object) -> bool {
    let remote = |object: &Object| matches!(object.location, Location::S3 { .. }) && object.version.starts_with('"');
    remote(a) && remote(b) && a.version == b.version
}
