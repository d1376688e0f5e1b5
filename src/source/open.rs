//! Everything that the user named as input: opened, then listed.

use super::access_objects::{KnownKinds, Recognised, Recognition, is_wanted};
use super::copies::find_copies;
use super::error::SourceError;
use super::folder_times::{FolderTimes, tree_of};
use super::identity::Identity;
use super::layout::Layout;
use super::left_out::{LeftOut, RunOutput};
use super::list::{BucketQuery, list_bucket};
use super::listing::{Found, Grain, ListFilter, ListWindow, Listing, WantedLogs};
use super::local::{blocking, list_glob, list_path};
use super::object::{Location, Object, TimeRange, WILDCARDS};
use super::options::SourceOptions;
use super::read::ObjectReader;
use super::s3::{Bucket, split_url};
use super::spans::note_spans;
use super::store::Store;
use super::units::UnitIds;
use memory::lock;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// One source as the user named it.
#[derive(Clone, Debug)]
enum Root {
    Local(PathBuf),
    Glob { pattern: String },
    S3 { bucket: Arc<Bucket>, key: String, pattern: Option<glob::Pattern> },
}

impl Root {
    /// Returns whether an object below the root, by its URL, is one that the user named: a pattern must match it or one of
    /// its folders.
    fn names(&self, url: &str) -> bool {
        let strict = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
        let matches = |pattern: &glob::Pattern, path: &str| {
            let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
            folders.chain([path]).any(|part| pattern.matches_with(part, strict))
        };
        match self {
            Self::Local(_) | Self::S3 { pattern: None, .. } => true,
            Self::S3 { bucket, pattern: Some(pattern), .. } => {
                url.strip_prefix(&format!("s3://{}/", bucket.name)).is_some_and(|key| matches(pattern, key))
            }
            Self::Glob { pattern } => {
                let pattern = glob::Pattern::new(pattern.trim_end_matches('/'));
                pattern.is_ok_and(|pattern| matches(&pattern, url))
            }
        }
    }
}

/// Everything the user named as input, opened.
#[derive(Clone, Debug)]
pub struct Source {
    roots: Vec<(String, Root)>,
    buckets: Arc<BTreeMap<Arc<str>, Arc<Bucket>>>,
    options: SourceOptions,
    outputs: Vec<RunOutput>,
    /// What was learned of the folders of other writers.
    folder_times: Arc<Mutex<FolderTimes>>,
    /// What objects were seen to be, whose names do not tell.
    known_kinds: Arc<tokio::sync::Mutex<KnownKinds>>,
}

impl Source {
    /// Opens local files, folders and globs and `s3://bucket/prefix` URLs (globs work there too).
    ///
    /// For S3 it finds credentials and each bucket's region; nothing is listed yet.
    ///
    /// # Errors
    /// [`SourceError`] when a text is neither a path nor a URL, a path does not exist, or AWS refuses access.
    pub async fn open<S: AsRef<str>>(specs: &[S], options: &SourceOptions) -> Result<Self, SourceError> {
        let mut roots = Vec::new();
        let mut buckets: BTreeMap<Arc<str>, Arc<Bucket>> = BTreeMap::new();
        let mut identity: Option<Identity> = None;
        for spec in specs.iter().map(AsRef::as_ref) {
            let Some((name, key)) = split_url(spec)? else {
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
        Ok(Self {
            roots,
            buckets: Arc::new(buckets),
            options: options.clone(),
            outputs: Vec::new(),
            folder_times: Arc::default(),
            known_kinds: Arc::default(),
        })
    }

    /// Leaves out of every listing the files and folders of these names in `store`, which a run writes there. An object
    /// that the user named by itself is still listed.
    pub fn leave_out(&mut self, store: &Store, names: &[&str]) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.outputs.push(RunOutput { location: store.written(), names });
    }

    /// Finds the flow logs that may hold records of `range`; objects named twice are listed once.
    ///
    /// # Errors
    /// [`SourceError::NothingFound`] when a source holds no log at all (a time range that leaves nothing is not an error),
    /// and any other [`SourceError`] when it cannot be listed.
    pub async fn list(&self, range: &TimeRange) -> Result<Listing, SourceError> {
        self.list_by(range, Grain::Object, WantedLogs::Flows).await
    }

    /// Lists as [`Source::list`] does, with the objects that `grain` adds, and the logs that `logs` wants.
    ///
    /// # Errors
    /// As [`Source::list`].
    pub async fn list_by(&self, range: &TimeRange, grain: Grain, logs: WantedLogs) -> Result<Listing, SourceError> {
        let mut all = Listing::default();
        let filter = ListFilter::new(range, &self.options, LeftOut::of(&self.outputs), logs);
        let mut alone: HashSet<Location> = HashSet::new();
        for (spec, root) in &self.roots {
            let mut found = self.find(spec, root, &filter).await?;
            let bucket = match root {
                Root::S3 { bucket, .. } => Some(bucket),
                _ => None,
            };
            for table in std::mem::take(&mut found.tables) {
                table.keep_live(bucket, &mut found.objects, |url| root.names(url)).await?;
            }
            let others = std::mem::take(&mut found.others).into_iter().filter(|object| object.size > 0);
            let (others, outside): (Vec<_>, Vec<_>) =
                others.partition(|object| found.alone || is_wanted(object, &filter.window));
            let recognised = self.recognise(others).await;
            let is_empty = found.objects.is_empty() && found.pruned_folders == 0 && !recognised.has_acts();
            if found.alone {
                // Reading it says what is wrong with it.
                found.objects.extend(recognised.others);
            }
            if logs.has_accesses() {
                found.other_objects = found.other_objects.saturating_sub(recognised.accesses.len() as u64);
                all.accesses.extend(recognised.accesses);
            }
            if is_empty && !found.alone && !self.recognise(outside).await.has_acts() {
                // Before it is called empty, the logs that were not wanted are looked for, too.
                if logs == WantedLogs::All || self.is_empty(spec, root, &filter).await? {
                    return Err(SourceError::NothingFound { spec: spec.clone(), other_objects: found.other_objects });
                }
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
        // Several local paths may name one file: the location is canonical, the URL is as given.
        all.objects.retain(|object| seen.insert(object.location.clone()));
        let mut seen = HashSet::with_capacity(all.accesses.len());
        all.accesses.sort_by(|a, b| a.object.url.cmp(&b.object.url));
        all.accesses.retain(|one| seen.insert(one.object.location.clone()));
        let copied = all.accesses.iter().filter(|one| !one.kind.has_ids()).map(|one| one.object.clone());
        let of_accesses = find_copies(&copied.collect::<Vec<_>>(), &self.reader(), self.options.list_concurrency).await;
        let copies: HashSet<&str> = of_accesses.iter().map(|copy| copy.object.as_ref()).collect();
        all.accesses.retain(|one| !copies.contains(one.object.url.as_ref()));
        let bounded = self.bounded_trees(&all.objects, range).await;
        note_spans(&mut all.objects, &self.options, |object| bounded.contains(tree_of(object)));
        all.copies = find_copies(&all.objects, &self.reader(), self.options.list_concurrency).await;
        if !all.copies.is_empty() {
            let copies: HashSet<&str> = all.copies.iter().map(|copy| copy.object.as_ref()).collect();
            all.objects.retain(|object| !copies.contains(object.url.as_ref()));
        }
        all.copies.extend(of_accesses);
        let wanted = |object: &Object| alone.contains(&object.location) || object.starts.overlaps(range);
        let listed = all.objects.len();
        match grain {
            Grain::Object => all.objects.retain(wanted),
            Grain::Unit => {
                let ids = UnitIds::new(&all.objects);
                let whole: HashSet<String> =
                    all.objects.iter().filter(|o| wanted(o)).map(|object| ids.of(object)).collect();
                all.objects.retain(|object| whole.contains(&ids.of(object)));
            }
        }
        all.pruned_objects = (listed - all.objects.len()) as u64;
        Ok(all)
    }

    /// Returns whether a root holds no log of any kind.
    async fn is_empty(&self, spec: &str, root: &Root, filter: &ListFilter) -> Result<bool, SourceError> {
        let any = self.find(spec, root, &ListFilter { logs: WantedLogs::All, ..filter.clone() }).await?;
        let has_flows = !any.objects.is_empty() || any.pruned_folders > 0;
        Ok(!has_flows && !self.recognise(any.others).await.has_acts())
    }

    /// Lists one root.
    async fn find(&self, spec: &str, root: &Root, filter: &ListFilter) -> Result<Found, SourceError> {
        match root {
            Root::Local(path) => {
                let (path, filter) = (path.clone(), filter.clone());
                blocking(spec, move || list_path(&path, &filter)).await
            }
            Root::Glob { pattern } => {
                let (pattern, filter) = (pattern.clone(), filter.clone());
                blocking(spec, move || list_glob(&pattern, &filter)).await
            }
            Root::S3 { bucket, key, pattern } => {
                let query = BucketQuery { key, pattern: pattern.as_ref(), filter };
                list_bucket(bucket, &query, self.options.list_concurrency).await
            }
        }
    }

    /// Tells apart the objects that hold logs of accesses and all others. What was looked at once is known from then on.
    async fn recognise(&self, objects: Vec<Object>) -> Recognised {
        if objects.is_empty() {
            return Recognised::default();
        }
        let reader = self.reader();
        let (rules, concurrency) = (&self.options.log_rules[..], self.options.list_concurrency);
        let mut known = self.known_kinds.lock().await;
        Recognition { reader: &reader, rules, concurrency }.of(objects, &mut known).await
    }

    /// Returns the trees of other writers whose folders bound the times of their records. Where no time is asked for,
    /// nothing has to be known; each object is looked at once.
    async fn bounded_trees(&self, objects: &[Object], range: &TimeRange) -> HashSet<String> {
        if *range == TimeRange::default() {
            return HashSet::new();
        }
        let mut learned = lock(&self.folder_times).clone();
        let dated: Vec<&Object> = objects.iter().filter(|object| object.facts.layout == Layout::Dated).collect();
        let window = ListWindow::new(range, &self.options);
        learned.learn(&dated, &window, &self.reader(), &self.options).await;
        let mut known = lock(&self.folder_times);
        known.merge(learned);
        known.bounded_trees()
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
