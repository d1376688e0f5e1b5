//! Finds objects and reads their bytes: S3 in AWS's layouts, or local files, folders and globs.
//!
//! [`Source::open`] takes what the user named, [`Source::list`] finds the objects of a time range,
//! [`units()`] groups them into units of work, and [`ObjectReader`] reads them. [`Store`] writes whole objects.

mod error;
mod file_buffers;
mod identity;
pub mod layout;
mod left_out;
mod list;
mod listing;
mod local;
mod read;
mod s3;
mod spans;
mod store;
mod units;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Handle;

pub use error::SourceError;
pub use layout::{KeyFacts, Layout, Partition, parse_key};
pub use listing::{Grain, Listing};
pub use read::{ObjectReader, ReadError};
pub use store::{PutMode, Store, StoredObject};
pub use units::{Fingerprint, Unit, units};

use identity::Identity;
use left_out::{LeftOut, Output};
use listing::Window;
use s3::Bucket;

/// How to reach and list sources; [`SourceOptions::default`] suits AWS.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// The AWS profile; `None` leaves it to `AWS_PROFILE` and the default profile.
    pub profile: Option<String>,
    /// The AWS region; `None` asks the environment, the profile and then the bucket.
    pub region: Option<String>,
    /// Another S3 endpoint, `http://` or `https://`; buckets are then addressed by path.
    pub endpoint_url: Option<String>,
    /// Sends unsigned requests, for public buckets.
    pub no_sign_request: bool,
    /// Accepts the cost of requests to buckets that let the requester pay.
    pub request_payer: bool,
    /// Tries after the first, per request, against 500, 503 and broken connections.
    pub retries: u32,
    /// Listing requests at a time, at least 1.
    pub list_concurrency: usize,
    /// How long after the name of the file that follows, or the end of its folder, a file's records may begin, in
    /// seconds.
    pub early_margin_s: i64,
    /// How long before the name of the file before, or the begin of its folder, they may begin, in seconds: late
    /// delivery.
    pub late_margin_s: i64,
    /// The runtime that carries the HTTP of data reads; `None` uses the caller's.
    pub io_runtime: Option<Handle>,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            profile: None,
            region: None,
            endpoint_url: None,
            no_sign_request: false,
            request_payer: false,
            retries: 8,
            list_concurrency: 32,
            early_margin_s: 15 * 60,
            late_margin_s: 60 * 60,
            io_runtime: None,
        }
    }
}

/// A half-open range of time in seconds since 1970-01-01 UTC; `None` is unbounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TimeRange {
    /// First second wanted.
    pub from_s: Option<i64>,
    /// First second no longer wanted.
    pub to_s: Option<i64>,
}

impl TimeRange {
    /// Tells whether any second lies in both ranges.
    pub fn overlaps(&self, other: &Self) -> bool {
        let begins_before =
            |from_s: Option<i64>, to_s: Option<i64>| from_s.zip(to_s).is_none_or(|(from, to)| from < to);
        begins_before(self.from_s, other.to_s) && begins_before(other.from_s, self.to_s)
    }
}

/// Where an object lies.
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

/// One object as listed; [`ObjectReader`] refuses it when it has changed since.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// `s3://bucket/key`, or the local path with the folder as the user gave it.
    pub url: Arc<str>,
    /// Where it lies.
    pub location: Location,
    /// Size in bytes.
    pub size: u64,
    /// The ETag (S3), or modification time in nanoseconds and size (local).
    pub version: Arc<str>,
    /// Last modification, in seconds since 1970-01-01 UTC.
    pub modified_s: i64,
    /// What the key says.
    pub facts: KeyFacts,
    /// When its records may begin, as far as its name and those around it tell; margins are in it.
    pub starts: TimeRange,
}

impl Object {
    /// Returns the file name: the URL after its last `/`.
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or(&self.url)
    }

    /// Tells whether the object is a file of this machine.
    pub fn is_local(&self) -> bool {
        matches!(self.location, Location::Local(_))
    }

    /// Returns the URL up to and with its last `/`; empty when there is none.
    pub fn folder(&self) -> &str {
        &self.url[..self.url.len() - self.name().len()]
    }
}

/// What the name of a found object makes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Parquet,
    Other,
    /// Markers, hidden files and folder placeholders.
    Ignored,
}

/// Judges an object by its path below the root that was named.
pub(crate) fn kind_of(below_root: &str) -> Kind {
    let name = below_root.rsplit('/').next().unwrap_or(below_root);
    if name.is_empty() || name.starts_with('_') || below_root.split('/').any(|part| part.starts_with('.')) {
        return Kind::Ignored;
    }
    let parquet = name.len() >= 8 && name.as_bytes()[name.len() - 8..].eq_ignore_ascii_case(b".parquet");
    if parquet { Kind::Parquet } else { Kind::Other }
}

/// One thing the user named.
#[derive(Clone, Debug)]
enum Root {
    Local(PathBuf),
    Glob { pattern: String },
    S3 { bucket: Arc<Bucket>, key: String, pattern: Option<glob::Pattern> },
}

/// Everything the user named as input, opened.
#[derive(Clone, Debug)]
pub struct Source {
    roots: Vec<(String, Root)>,
    buckets: Arc<BTreeMap<Arc<str>, Arc<Bucket>>>,
    options: SourceOptions,
    outputs: Vec<Output>,
}

/// The letters that make a path a pattern.
const WILDCARDS: [char; 3] = ['*', '?', '['];

impl Source {
    /// Opens local files, folders and globs and `s3://bucket/prefix` URLs (globs work there too).
    ///
    /// For S3 it finds credentials and each bucket's region; nothing is listed yet.
    ///
    /// # Errors
    /// [`SourceError`] when a text is no path or URL, a path does not exist, or AWS refuses the caller.
    pub async fn open<S: AsRef<str>>(specs: &[S], options: &SourceOptions) -> Result<Self, SourceError> {
        let mut roots = Vec::new();
        let mut buckets: BTreeMap<Arc<str>, Arc<Bucket>> = BTreeMap::new();
        let mut identity: Option<Identity> = None;
        for spec in specs.iter().map(AsRef::as_ref) {
            let Some((name, key)) = s3::split_url(spec)? else {
                roots.push((spec.to_owned(), local_root(spec)?));
                continue;
            };
            let bucket = match buckets.get(name) {
                Some(bucket) => bucket.clone(),
                None => {
                    let identity = match &mut identity {
                        Some(identity) => identity,
                        empty => empty.insert(Identity::resolve(options).await?),
                    };
                    let bucket = Arc::new(Bucket::open(name, identity, options).await?);
                    buckets.insert(bucket.name.clone(), bucket.clone());
                    bucket
                }
            };
            let pattern = if key.contains(WILDCARDS) { Some(glob_pattern(key)?) } else { None };
            roots.push((spec.to_owned(), Root::S3 { bucket, key: key.to_owned(), pattern }));
        }
        Ok(Self { roots, buckets: Arc::new(buckets), options: options.clone(), outputs: Vec::new() })
    }

    /// Leaves files and folders of these names in `store`, which a run writes there, out of every listing. What is named
    /// alone is listed still.
    pub fn leave_out(&mut self, store: &Store, names: &[&str]) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.outputs.push(Output { place: store.written(), names });
    }

    /// Finds the objects that may hold records of `range`; objects named twice are listed once.
    ///
    /// # Errors
    /// [`SourceError::NothingFound`] when a named place holds no Parquet at all (a time range that leaves nothing is
    /// no error), or whatever keeps it from being listed.
    pub async fn list(&self, range: &TimeRange) -> Result<Listing, SourceError> {
        self.list_by(range, Grain::Object).await
    }

    /// As [`Source::list`], with what `grain` takes together.
    ///
    /// # Errors
    /// As [`Source::list`].
    pub async fn list_by(&self, range: &TimeRange, grain: Grain) -> Result<Listing, SourceError> {
        let window = Window::new(range, &self.options);
        let mut all = Listing::default();
        let left_out = LeftOut::of(&self.outputs);
        let mut alone: HashSet<Location> = HashSet::new();
        for (spec, root) in &self.roots {
            let found = match root {
                Root::Local(path) => {
                    let (path, left_out) = (path.clone(), left_out.clone());
                    local::blocking(spec, move || local::list_path(&path, &window, &left_out)).await?
                }
                Root::Glob { pattern } => {
                    let (pattern, left_out) = (pattern.clone(), left_out.clone());
                    local::blocking(spec, move || local::list_glob(&pattern, &window, &left_out)).await?
                }
                Root::S3 { bucket, key, pattern } => {
                    let asked = list::Asked { key, pattern: pattern.as_ref(), window, left_out: &left_out };
                    list::list_bucket(bucket, &asked, self.options.list_concurrency).await?
                }
            };
            if found.objects.is_empty() && found.pruned_folders == 0 {
                return Err(SourceError::NothingFound { spec: spec.clone(), other_objects: found.other_objects });
            }
            if found.alone {
                alone.extend(found.objects.iter().map(|object| object.location.clone()));
            }
            all.objects.extend(found.objects);
            all.other_objects += found.other_objects;
            all.pruned_folders += found.pruned_folders;
        }
        let mut seen = HashSet::with_capacity(all.objects.len());
        all.objects.sort_by(|a, b| a.url.cmp(&b.url));
        // One file may be named by several local paths: the location is canonical, the URL is as given.
        all.objects.retain(|object| seen.insert(object.location.clone()));
        spans::note_spans(&mut all.objects, &self.options);
        let wanted = |object: &Object| alone.contains(&object.location) || object.starts.overlaps(range);
        let listed = all.objects.len();
        match grain {
            Grain::Object => all.objects.retain(wanted),
            Grain::Unit => {
                let ids: HashSet<String> = all.objects.iter().filter(|o| wanted(o)).map(units::unit_id).collect();
                all.objects.retain(|object| ids.contains(&units::unit_id(object)));
            }
        }
        all.pruned_objects = (listed - all.objects.len()) as u64;
        Ok(all)
    }

    /// Returns a reader for the objects of this source; clones share connections.
    pub fn reader(&self) -> ObjectReader {
        ObjectReader::new(self.buckets.clone())
    }
}

fn local_root(spec: &str) -> Result<Root, SourceError> {
    let path = Path::new(spec);
    if path.exists() {
        return Ok(Root::Local(path.to_owned()));
    }
    if spec.contains(WILDCARDS) {
        glob_pattern(spec)?;
        return Ok(Root::Glob { pattern: spec.to_owned() });
    }
    Err(SourceError::NoSuchPath { path: spec.to_owned() })
}

fn glob_pattern(text: &str) -> Result<glob::Pattern, SourceError> {
    glob::Pattern::new(text).map_err(|error| SourceError::BadGlob {
        pattern: text.to_owned(),
        at: error.pos,
        problem: error.msg,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_an_object_is() {
        for (name, kind) in [
            ("a/b.log.parquet", Kind::Parquet),
            ("B.PARQUET", Kind::Parquet),
            ("a/b.log.gz", Kind::Other),
            ("a/_SUCCESS", Kind::Ignored),
            ("a/.b.parquet", Kind::Ignored),
            (".tmp/b.parquet", Kind::Ignored),
            ("a/", Kind::Ignored),
            ("parquet", Kind::Other),
            ("é.parquet", Kind::Parquet),
            ("aé", Kind::Other),
        ] {
            assert_eq!(kind_of(name), kind, "{name}");
        }
    }
}
