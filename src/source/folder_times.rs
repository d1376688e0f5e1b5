//! Whether dated folders of other writers bound the times of their records.
//!
//! Such folders may be named by local time, or by the day that a job ran. Nothing in their names tells, but the footers of
//! a few files do: they hold the first and the last `start`. A tree whose files agree with their folders, within the
//! margins of a listing, is pruned by folder. All others are read, whatever time is asked for.

use super::layout::undated_folders;
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
use std::collections::BTreeMap;

/// Bytes from the end of an object that are read first.
const FOOTER_BYTES: u64 = 64 << 10;

/// Files looked at in the first and in the last folder of a tree: those of a day by the hour.
const MAX_FILES: usize = 24;
/// The same where a source has more than [`MANY_TREES`], such as one for each account and region.
const MAX_FILES_OF_MANY: usize = 4;
const MANY_TREES: usize = 16;

/// Returns the tree of an object: its URL up to the first dated folder.
pub(super) fn tree_of(object: &Object) -> &str {
    undated_folders(&object.url)
}

/// Returns for each tree of the objects whether its folders bound the times of its records.
pub(super) async fn learn_folder_times(
    objects: &[&Object],
    reader: &ObjectReader,
    options: &SourceOptions,
) -> BTreeMap<String, bool> {
    let mut trees: BTreeMap<&str, BTreeMap<&str, Vec<&Object>>> = BTreeMap::new();
    for object in objects {
        trees.entry(tree_of(object)).or_default().entry(object.folder()).or_default().push(object);
    }
    let files = if trees.len() > MANY_TREES { MAX_FILES_OF_MANY } else { MAX_FILES };
    let mut samples: Vec<(String, Object)> = Vec::new();
    for (tree, folders) in &trees {
        let ends = [folders.values().next(), folders.values().next_back().filter(|_| folders.len() > 1)];
        for folder in ends.into_iter().flatten() {
            let count = files.min(folder.len());
            samples.extend((0..count).map(|n| ((*tree).to_owned(), folder[n * folder.len() / count].clone())));
        }
    }
    let judged = stream::iter(samples)
        .map(|(tree, object)| {
            let (reader, options) = (reader.clone(), options.clone());
            async move { (tree, is_within_folder(object, reader, options).await) }
        })
        .buffer_unordered(options.list_concurrency.max(1));
    let judged: Vec<(String, Option<bool>)> = judged.collect().await;
    let mut learned: BTreeMap<String, bool> = trees.keys().map(|tree| ((*tree).to_owned(), false)).collect();
    for tree in trees.keys() {
        let mut known = judged.iter().filter(|(of, _)| of == tree).filter_map(|(_, within)| *within).peekable();
        let bounded = known.peek().is_some() && known.all(|within| within);
        learned.insert((*tree).to_owned(), bounded);
    }
    learned
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
