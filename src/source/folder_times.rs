//! Whether dated folders of other writers bound the times of their records.
//!
//! Such folders may be named by local time, or by the day that a job ran, some of them or all. Nothing in their names
//! tells, but the footers of files do: they hold the first and the last `start`. Looked at are the first and the last
//! folder of a tree, a few between, and those next to the time asked for, which would be left out. A tree whose files
//! agree with their folders, within the margins of a listing, is pruned by folder. All others are read, whatever time is
//! asked for.

use super::layout::undated_folders;
use super::listing::ListWindow;
use super::object::Object;
use super::options::SourceOptions;
use super::read::ObjectReader;
use flow::schema::{Field, to_seconds};
use futures::stream::{self, StreamExt};
use pages::ObjectBytes;
use pages::object_bytes::footer_length;
use parquet::file::statistics::Statistics;
use scan::Binding;
use scan::object::footer;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Bytes from the end of an object that are read first.
const FOOTER_BYTES: u64 = 64 << 10;

/// What is looked at of a tree.
struct Sampling {
    /// Files of the first and of the last folder: those of a day by the hour.
    end_files: usize,
    /// Folders between them.
    folders: usize,
    /// Folders on each side of the time asked for.
    near_folders: usize,
    /// Files of each folder that is not at an end.
    files: usize,
}

const SAMPLING: Sampling = Sampling { end_files: 24, folders: 16, near_folders: 2, files: 2 };
/// The same where a source has more than [`MANY_TREES`], such as one for each account and region.
const SAMPLING_OF_MANY: Sampling = Sampling { end_files: 4, folders: 4, near_folders: 1, files: 2 };
const MANY_TREES: usize = 16;

/// Returns the tree of an object: its URL up to the first dated folder.
pub(super) fn tree_of(object: &Object) -> &str {
    undated_folders(&object.url)
}

/// What was learned of the trees of a source.
#[derive(Clone, Debug, Default)]
pub(super) struct FolderTimes {
    /// Whether the folders of a tree bound the times of its records, as far as is known.
    bounded: BTreeMap<String, bool>,
    /// URLs of the objects looked at.
    looked_at: HashSet<Arc<str>>,
}

impl FolderTimes {
    /// Returns the trees whose folders bound the times of their records.
    pub(super) fn bounded_trees(&self) -> HashSet<String> {
        self.bounded.iter().filter(|(_, bounded)| **bounded).map(|(tree, _)| tree.clone()).collect()
    }

    /// Takes in what was learned elsewhere of the same source. One file that lies outside its folder decides.
    pub(super) fn merge(&mut self, other: Self) {
        for (tree, bounded) in other.bounded {
            self.bounded.entry(tree).and_modify(|known| *known &= bounded).or_insert(bounded);
        }
        self.looked_at.extend(other.looked_at);
    }

    /// Learns of the trees of some objects, for a listing of `window`.
    pub(super) async fn learn(
        &mut self,
        objects: &[&Object],
        window: &ListWindow,
        reader: &ObjectReader,
        options: &SourceOptions,
    ) {
        let mut trees: BTreeMap<&str, BTreeMap<&str, Vec<&Object>>> = BTreeMap::new();
        for object in objects {
            trees.entry(tree_of(object)).or_default().entry(object.folder()).or_default().push(object);
        }
        let sampling = if trees.len() > MANY_TREES { &SAMPLING_OF_MANY } else { &SAMPLING };
        let mut samples: Vec<(String, Object)> = Vec::new();
        for (tree, folders) in &trees {
            let known = self.bounded.get(*tree);
            if known == Some(&false) {
                continue;
            }
            let folders: Vec<&[&Object]> = folders.values().map(Vec::as_slice).collect();
            let mut wanted = near(&folders, window, sampling);
            if known.is_none() {
                wanted.extend(sampled(&folders, sampling));
            }
            for object in wanted {
                if self.looked_at.insert(object.url.clone()) {
                    samples.push(((*tree).to_owned(), object.clone()));
                }
            }
        }
        let judged = stream::iter(samples)
            .map(|(tree, object)| {
                let (reader, options) = (reader.clone(), options.clone());
                async move { (tree, is_within_folder(object, reader, options).await) }
            })
            .buffer_unordered(options.list_concurrency.max(1));
        let judged: Vec<(String, Option<bool>)> = judged.collect().await;
        for tree in trees.keys() {
            let mut within = judged.iter().filter(|(of, _)| of == tree).filter_map(|(_, within)| *within).peekable();
            // A tree of which nothing can be read is not pruned.
            let known = self.bounded.get(*tree).copied().unwrap_or(within.peek().is_some());
            self.bounded.insert((*tree).to_owned(), known && within.all(|within| within));
        }
    }
}

/// Returns up to `count` things of a list, evenly spread.
fn spread<T: Copy>(list: &[T], count: usize) -> impl Iterator<Item = T> {
    let count = count.min(list.len());
    (0..count).map(move |n| if count == 1 { list[list.len() / 2] } else { list[n * (list.len() - 1) / (count - 1)] })
}

/// Returns the objects that stand for a tree: many of its first and its last folder, a few of folders between.
fn sampled<'a>(folders: &[&[&'a Object]], sampling: &Sampling) -> Vec<&'a Object> {
    let ends = [folders.first(), folders.last().filter(|_| folders.len() > 1)];
    let mut found: Vec<&Object> =
        ends.into_iter().flatten().flat_map(|folder| spread(folder, sampling.end_files)).collect();
    if let [_, between @ .., _] = folders {
        found.extend(spread(between, sampling.folders).flat_map(|folder| spread(folder, sampling.files)));
    }
    found
}

/// Returns objects of the folders next to a window, on both sides, which it leaves out.
fn near<'a>(folders: &[&[&'a Object]], window: &ListWindow, sampling: &Sampling) -> Vec<&'a Object> {
    let mut dated: Vec<(i64, i64, &[&Object])> = folders
        .iter()
        .filter_map(|folder| {
            let partition = folder.first()?.facts.partition?;
            Some((partition.from_s, partition.to_s, *folder))
        })
        .collect();
    dated.sort_by_key(|(from_s, to_s, _)| (*from_s, *to_s));
    let inside = |(from_s, to_s, _): &(i64, i64, &[&Object])| window.overlaps(*from_s, *to_s);
    let (before, after) = match (dated.iter().position(inside), dated.iter().rposition(inside)) {
        (Some(first), Some(last)) => (&dated[..first], &dated[last + 1..]),
        _ => {
            let first = dated.partition_point(|(from_s, _, _)| window.begins_after(*from_s));
            dated.split_at(first)
        }
    };
    let before = before.iter().rev().take(sampling.near_folders);
    let after = after.iter().take(sampling.near_folders);
    before.chain(after).flat_map(|(_, _, folder)| spread(folder, sampling.files)).collect()
}

/// Returns whether all records of an object begin within its folder's time; `None` when it holds no flow records or
/// cannot be read.
async fn is_within_folder(object: Object, reader: ObjectReader, options: SourceOptions) -> Option<bool> {
    let partition = object.facts.partition?;
    let mut tail = reader.suffix(&object, FOOTER_BYTES).await.ok()?;
    if let Some(needed) = footer_length(&tail).filter(|needed| *needed > tail.len() as u64 && *needed <= object.size) {
        tail = reader.suffix(&object, needed).await.ok()?;
    }
    let at_end = ObjectBytes::Ranges { len: object.size, parts: vec![(object.size - tail.len() as u64, tail)] };
    let metadata = footer(&object.url, &at_end).ok()?;
    let binding = Binding::new(&object.url, metadata.file_metadata().schema_descr(), &[Field::Start]).ok()?;
    let (_, leaves) = binding.fields.first()?;
    let [leaf] = leaves.as_slice() else { return Some(false) };
    let groups = metadata.row_groups().iter().filter(|group| group.num_rows() > 0);
    // A row group without statistics tells nothing, so its folder bounds nothing.
    let within = |group: &parquet::file::metadata::RowGroupMetaData| {
        let statistics = group.columns().get(leaf.number).and_then(|chunk| chunk.statistics());
        statistics.and_then(seconds).is_some_and(|(first_s, last_s)| {
            partition.from_s - options.late_margin_s <= first_s && last_s < partition.to_s + options.early_margin_s
        })
    };
    let mut groups = groups.peekable();
    groups.peek()?;
    Some(groups.all(within))
}

/// Returns the first and the last second of a column of times.
fn seconds(statistics: &Statistics) -> Option<(i64, i64)> {
    let (first, last) = match statistics {
        Statistics::Int64(values) => (*values.min_opt()?, *values.max_opt()?),
        Statistics::Int32(values) => (i64::from(*values.min_opt()?), i64::from(*values.max_opt()?)),
        _ => return None,
    };
    Some((to_seconds(first), to_seconds(last)))
}
