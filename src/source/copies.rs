//! Finds objects that repeat another one: a backup of the tree under another prefix, or a second replication of it.
//!
//! A copy has the file name and the size of its original. That alone proves nothing, since writers reuse names, so either
//! S3's ETags are equal or the last bytes are: the footer with the statistics of every column, and the pages before it.

use super::layout::Layout;
use super::object::{Location, Object};
use super::read::ObjectReader;
use flow::fnv::Fnv128;
use futures::stream::{self, StreamExt};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes from the end of two objects that are compared.
const TAIL_BYTES: u64 = 64 << 10;
/// The same for files, which cost no request: most are compared whole, so that a damaged one is no copy of a sound one.
const LOCAL_TAIL_BYTES: u64 = 16 << 20;

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
    groups.retain(|_, group| group.len() > 1);
    let unlike =
        groups.values().filter(|group| etag(group[0]).is_none() || group.iter().any(|o| etag(o) != etag(group[0])));
    let unlike: Vec<Object> = unlike.flatten().map(|object| (*object).clone()).collect();
    let tails = stream::iter(unlike)
        .map(|object| {
            let reader = reader.clone();
            // An object that cannot be read is no copy: reading it later says why.
            let bytes = if object.is_local() { LOCAL_TAIL_BYTES } else { TAIL_BYTES };
            async move { Some((object.url.clone(), sum_of(&reader.suffix(&object, bytes).await.ok()?))) }
        })
        .buffer_unordered(concurrency.max(1));
    let tails: HashMap<Arc<str>, u128> = tails.filter_map(|tail| async move { tail }).collect().await;
    let mut copies: Vec<CopiedObject> = groups.into_values().flat_map(|group| copies_of(group, &tails)).collect();
    copies.sort_unstable_by(|a, b| a.object.cmp(&b.object));
    copies
}

/// Returns the copies among objects of one name and size, given the sums of their last bytes.
fn copies_of(mut group: Vec<&Object>, tails: &HashMap<Arc<str>, u128>) -> Vec<CopiedObject> {
    let is_aws = |object: &Object| matches!(object.facts.layout, Layout::Plain | Layout::Hive);
    group.sort_unstable_by(|a, b| (!is_aws(a), a.url.len(), &a.url).cmp(&(!is_aws(b), b.url.len(), &b.url)));
    let (mut by_etag, mut by_tail): (HashMap<&str, &Object>, HashMap<u128, &Object>) = Default::default();
    let mut copies = Vec::new();
    for object in group {
        let (etag, tail) = (etag(object), tails.get(&object.url));
        let original = etag.and_then(|etag| by_etag.get(etag)).or_else(|| by_tail.get(tail?)).copied();
        match original {
            Some(original) => copies.push(CopiedObject { object: object.url.clone(), original: original.url.clone() }),
            None => {
                by_etag.extend(etag.map(|etag| (etag, object)));
                by_tail.extend(tail.map(|tail| (*tail, object)));
            }
        }
    }
    copies
}

/// Returns the ETag of an object in S3, which is derived from its content.
fn etag(object: &Object) -> Option<&str> {
    let is_remote = matches!(object.location, Location::S3 { .. });
    (is_remote && object.version.starts_with('"')).then_some(object.version.as_ref())
}

fn sum_of(bytes: &[u8]) -> u128 {
    let mut sum = Fnv128::default();
    sum.write(bytes);
    sum.finish()
}

#[cfg(test)]
mod tests {
    use super::super::TimeRange;
    use super::super::layout::parse_key;
    use super::*;
    use proptest::prelude::*;

    fn object(key: &str, version: &str) -> Object {
        Object {
            url: format!("s3://b/{key}").into(),
            location: Location::S3 { bucket: "b".into(), key: key.into() },
            size: 100,
            version: version.into(),
            modified_s: 0,
            facts: parse_key(key),
            starts: TimeRange::default(),
        }
    }

    proptest! {
        #[test]
        fn the_same_object_counts_in_any_order(order in Just((0usize..5).collect::<Vec<_>>()).prop_shuffle()) {
            let day = "AWSLogs/123456789012/vpcflowlogs/eu-west-1/2024/04/19";
            let objects = [
                object("a/x.parquet", "\"1\""),
                object(&format!("backup/{day}/x.parquet"), "\"1\""),
                object(&format!("{day}/x.parquet"), "\"2\""),
                object("c/x.parquet", "\"3\""),
                object("b/x.parquet", "\"1\""),
            ];
            // The second and the third have one content, whatever their ETags.
            let tails = [1, 1, 1, 2, 1].iter().zip(&objects).map(|(sum, object)| (object.url.clone(), *sum)).collect();
            let mut copies = copies_of(order.iter().map(|index| &objects[*index]).collect(), &tails);
            copies.sort_unstable_by(|a, b| a.object.cmp(&b.object));
            let names: Vec<_> = copies.iter().map(|copy| (copy.object.as_ref(), copy.original.as_ref())).collect();
            let original = format!("s3://b/{day}/x.parquet");
            let backup = format!("s3://b/backup/{day}/x.parquet");
            let expected = ["s3://b/a/x.parquet", "s3://b/b/x.parquet", &backup].map(|copy| (copy, original.as_str()));
            prop_assert_eq!(names, expected);
        }
    }
}
