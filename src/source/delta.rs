//! Which files of a Delta Lake table are live: its JSON commits, after a checkpoint if there is one.
//!
//! The log's protocol: <https://github.com/delta-io/delta/blob/master/PROTOCOL.md>. Deletion vectors, column mapping and
//! checkpoints of version 2 are refused, since ignoring them would give wrong rows.

use super::error::SourceError;
use super::store::Store;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use scan::guarded;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the log says at some version.
#[derive(Debug, Default)]
struct Snapshot {
    /// The live files and their bytes.
    live: BTreeMap<String, u64>,
}

/// The files of a log, by their version.
#[derive(Debug, Default)]
struct LogFiles {
    commits: BTreeMap<u64, String>,
    /// Names of the parts of each checkpoint, and how many there must be.
    checkpoints: BTreeMap<u64, (usize, Vec<String>)>,
}

/// Returns the paths of the live files below the table's folder, with their bytes (at least 1, even where the log does
/// not say). `folder` is for messages.
///
/// # Errors
/// [`SourceError::TableFormat`] when the log has a gap, is damaged or needs what is not supported.
pub(super) async fn live_files(store: &Store, folder: &str) -> Result<BTreeMap<String, u64>, SourceError> {
    let refused =
        |problem: String| SourceError::TableFormat { folder: folder.to_owned(), format: "a Delta Lake table", problem };
    let names = store.list("_delta_log").await?;
    let log = LogFiles::of(names.iter().map(|entry| entry.name.as_str()));
    let whole = log.checkpoints.iter().rev().find(|(_, (parts, names))| *parts == names.len());
    let mut snapshot = Snapshot::default();
    let mut next = 0;
    if let Some((version, (_, names))) = whole {
        for name in names {
            let bytes = store.get(name).await?.ok_or_else(|| refused(format!("{name} is gone")))?;
            let read = guarded(name, || Ok(read_checkpoint(bytes, &mut snapshot)));
            read.map_err(|error| refused(error.to_string()))?
                .map_err(|problem| refused(format!("{name}: {problem}")))?;
        }
        next = version + 1;
    }
    let last = log.commits.keys().next_back().copied();
    for version in next..last.map_or(next, |last| last + 1) {
        let gap = || refused(format!("commit {version} is missing, and checkpoints of version 2 are not supported"));
        let name = log.commits.get(&version).ok_or_else(gap)?;
        let bytes = store.get(name).await?.ok_or_else(gap)?;
        snapshot.commit(&bytes).map_err(|problem| refused(format!("{name}: {problem}")))?;
    }
    if last.is_none() && next == 0 {
        return Err(refused("_delta_log holds neither a commit nor a checkpoint".to_owned()));
    }
    Ok(snapshot.live)
}

impl LogFiles {
    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut log = Self::default();
        for name in names {
            let file = name.rsplit('/').next().unwrap_or(name);
            let mut parts = file.split('.');
            let Some(version) = parts.next().filter(|text| text.len() == 20).and_then(|text| text.parse().ok()) else {
                continue;
            };
            match parts.collect::<Vec<_>>().as_slice() {
                ["json"] => {
                    log.commits.insert(version, name.to_owned());
                }
                ["checkpoint", "parquet"] => {
                    log.checkpoints.insert(version, (1, vec![name.to_owned()]));
                }
                ["checkpoint", _, count, "parquet"] => {
                    let count = count.parse().unwrap_or(usize::MAX);
                    let checkpoint = log.checkpoints.entry(version).or_insert_with(|| (count, Vec::new()));
                    checkpoint.1.push(name.to_owned());
                }
                _ => {}
            }
        }
        log
    }
}

const DELETION_VECTORS: &str = "it has deletion vectors, which are not supported: run `REORG TABLE … APPLY (PURGE)`";
const COLUMN_MAPPING: &str = "its columns have other names in the files (column mapping), which is not supported";

impl Snapshot {
    /// Applies the actions of a commit.
    fn commit(&mut self, bytes: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let actions = lines.map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
        let actions = actions.map_err(|error| error.to_string())?;
        for path in actions.iter().filter_map(|action| action["remove"]["path"].as_str()) {
            self.live.remove(&decoded(path)?);
        }
        for action in &actions {
            let add = &action["add"];
            if let Some(path) = add["path"].as_str() {
                if !add["deletionVector"].is_null() {
                    return Err(DELETION_VECTORS.to_owned());
                }
                self.add(path, add["size"].as_u64())?;
            }
            check_mapping(action["metaData"]["configuration"]["delta.columnMapping.mode"].as_str())?;
        }
        Ok(())
    }

    fn add(&mut self, path: &str, bytes: Option<u64>) -> Result<(), String> {
        let path = decoded(path)?;
        if path.contains("://") || path.starts_with('/') {
            return Err(format!("its log names a file outside its folder ({path}), as shallow clones do"));
        }
        self.live.insert(path, bytes.unwrap_or(1).max(1));
        Ok(())
    }
}

fn check_mapping(mode: Option<&str>) -> Result<(), String> {
    match mode {
        None | Some("none") => Ok(()),
        Some(_) => Err(COLUMN_MAPPING.to_owned()),
    }
}

/// Adds the files of one part of a checkpoint.
fn read_checkpoint(bytes: Bytes, snapshot: &mut Snapshot) -> Result<(), String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|builder| builder.build());
    for batch in reader.map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        if batch.column_by_name("sidecar").is_some_and(|sidecars| sidecars.null_count() < sidecars.len()) {
            return Err("checkpoints of version 2 are not supported".to_owned());
        }
        check_mapping(mapping_mode(&batch).as_deref())?;
        let Some(adds) = batch.column_by_name("add").and_then(|adds| adds.as_struct_opt()) else { continue };
        let paths = adds.column_by_name("path").and_then(text_column).ok_or("the column add.path is missing")?;
        let sizes = adds.column_by_name("size").and_then(|sizes| arrow::compute::cast(sizes, &DataType::Int64).ok());
        let vectors = adds.column_by_name("deletionVector");
        let paths = paths.as_string::<i32>();
        for row in (0..batch.num_rows()).filter(|row| adds.is_valid(*row) && paths.is_valid(*row)) {
            if vectors.is_some_and(|vectors| vectors.is_valid(row)) {
                return Err(DELETION_VECTORS.to_owned());
            }
            let bytes =
                sizes.as_ref().map(|sizes| sizes.as_primitive::<Int64Type>()).filter(|sizes| sizes.is_valid(row));
            snapshot.add(paths.value(row), bytes.and_then(|sizes| u64::try_from(sizes.value(row)).ok()))?;
        }
    }
    Ok(())
}

fn text_column(column: &ArrayRef) -> Option<ArrayRef> {
    arrow::compute::cast(column, &DataType::Utf8).ok()
}

/// Returns the mode of column mapping in the metadata of a checkpoint.
fn mapping_mode(batch: &RecordBatch) -> Option<String> {
    let configuration = batch.column_by_name("metaData")?.as_struct_opt()?.column_by_name("configuration")?.clone();
    let map = configuration.as_map_opt()?;
    let (keys, values) = (text_column(map.keys())?, text_column(map.values())?);
    let (keys, values) = (keys.as_string::<i32>(), values.as_string::<i32>());
    let index =
        (0..keys.len()).find(|index| keys.is_valid(*index) && keys.value(*index) == "delta.columnMapping.mode")?;
    values.is_valid(index).then(|| values.value(index).to_owned())
}

/// Decodes the `%xx` of a path in the log.
fn decoded(path: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| format!("the path {path} is not UTF-8"))
}
