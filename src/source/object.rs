//! An object as listed, and the time range that it may hold records of.

use super::layout::KeyFacts;
use std::path::Path;
use std::sync::Arc;

/// The characters that make a path a pattern.
pub(super) const WILDCARDS: [char; 3] = ['*', '?', '['];

/// A half-open range of time in seconds since 1970-01-01 UTC; `None` is unbounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TimeRange {
    /// First second wanted.
    pub from_s: Option<i64>,
    /// First second no longer wanted.
    pub to_s: Option<i64>,
}

impl TimeRange {
    /// Returns whether any second lies in both ranges.
    pub fn overlaps(&self, other: &Self) -> bool {
        let begins_before =
            |from_s: Option<i64>, to_s: Option<i64>| from_s.zip(to_s).is_none_or(|(from, to)| from < to);
        begins_before(self.from_s, other.to_s) && begins_before(other.from_s, self.to_s)
    }
}

/// Where an object is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Location {
    /// A local file.
    Local(Arc<Path>),
    /// An S3 object.
    S3 {
        /// The bucket.
        bucket: Arc<str>,
        /// The key.
        key: Arc<str>,
    },
}

/// One object as listed; [`ObjectReader`](super::ObjectReader) refuses it when it has changed since.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// `s3://bucket/key`, or the local path with the folder as the user gave it.
    pub url: Arc<str>,
    /// Where it is.
    pub location: Location,
    /// Size in bytes.
    pub size: u64,
    /// The ETag (S3), or modification time in nanoseconds and size (local).
    pub version: Arc<str>,
    /// Last modification, in seconds since 1970-01-01 UTC.
    pub modified_s: i64,
    /// The facts in its key.
    pub facts: KeyFacts,
    /// When its records may begin, by its name and the names around it; margins are included.
    pub starts: TimeRange,
}

impl Object {
    /// Returns the file name: the URL after its last `/`.
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or(&self.url)
    }

    /// Returns whether the object is a local file.
    pub fn is_local(&self) -> bool {
        matches!(self.location, Location::Local(_))
    }

    /// Returns the URL up to and with its last `/`; empty when there is none.
    pub fn folder(&self) -> &str {
        &self.url[..self.url.len() - self.name().len()]
    }
}

/// What an object is, by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Parquet,
    Other,
    /// Markers, hidden files and folder placeholders.
    Ignored,
}

/// The ends of names of files that are not Parquet, which `--any-name` does not take for Parquet either.
const OTHER_FILES: &[&str] =
    &[".gz", ".json", ".jsonl", ".csv", ".txt", ".log", ".crc", ".md5", ".xml", ".zip", ".avro", ".orc", ".manifest"];

/// The ends of names of files that hold no log of accesses either.
const NO_LOGS: &[&str] = &[
    ".crc",
    ".md5",
    ".xml",
    ".zip",
    ".avro",
    ".orc",
    ".manifest",
    ".parquet",
    ".md",
    ".html",
    ".sql",
    ".png",
    ".pdf",
    ".sha256",
    ".sha512",
    ".yaml",
    ".yml",
    ".toml",
    ".py",
    ".sh",
    ".pcap",
];

/// Returns whether a file of this name, which is not Parquet, may hold a log of accesses.
pub(crate) fn may_log_accesses(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !NO_LOGS.iter().any(|end| name.ends_with(end))
}

/// Returns whether a file of this name holds something other than Parquet, even if it is named by itself.
pub(crate) fn is_named_otherwise(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    OTHER_FILES.iter().any(|end| name.ends_with(end))
}

/// Returns whether a file or folder of this name is left out: hidden ones, and those that Spark, Hive and table formats
/// keep beside the data, such as `_temporary` and `_delta_log`. `_day=19` is a partition.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || (name.starts_with('_') && !name.contains('='))
}

/// Returns what an object is, by its path below the root that the user named; with `any_name`, files need not end in
/// `.parquet`.
pub(crate) fn kind_of(below_root: &str, any_name: bool) -> Kind {
    let name = below_root.rsplit('/').next().unwrap_or(below_root);
    if name.is_empty() || name.starts_with('_') || below_root.split('/').any(is_hidden) {
        return Kind::Ignored;
    }
    let name = name.to_ascii_lowercase();
    let parquet = name.ends_with(".parquet");
    let other = || OTHER_FILES.iter().any(|end| name.ends_with(end));
    if parquet || (any_name && !other()) { Kind::Parquet } else { Kind::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_its_kind_by_its_name() {
        for (name, kind) in [
            ("a/b.log.parquet", Kind::Parquet),
            ("B.PARQUET", Kind::Parquet),
            ("a/b.log.gz", Kind::Other),
            ("a/_SUCCESS", Kind::Ignored),
            ("a/_temporary/0/b.parquet", Kind::Ignored),
            ("_change_data/b.parquet", Kind::Ignored),
            ("_day=19/b.parquet", Kind::Parquet),
            ("a/.b.parquet", Kind::Ignored),
            (".tmp/b.parquet", Kind::Ignored),
            ("a/", Kind::Ignored),
            ("parquet", Kind::Other),
            ("é.parquet", Kind::Parquet),
            ("aé", Kind::Other),
        ] {
            assert_eq!(kind_of(name, false), kind, "{name}");
        }
        assert_eq!(kind_of("a/part-0", true), Kind::Parquet);
        assert_eq!(kind_of("a/b.log.gz", true), Kind::Other);
    }
}
