//! Lists a bucket along AWS's layouts: many prefixes at a time, and only the days that are wanted.

use futures::stream::{self, StreamExt, TryStreamExt};

use super::error::SourceError;
use super::layout::{FolderKind, Stored, folder_kind, parse_key, stored_at};
use super::listing::{Found, ListFilter};
use super::object::{Location, Object, TimeRange, WILDCARDS, is_hidden, kind_of};
use super::s3::{Bucket, ListedObject};
use super::table_folder::{TableFolder, TableFormat};

/// After this many levels of folders without a known layout, the rest is listed at once.
const BLIND_LEVELS: u32 = 3;
/// With more unknown subfolders than this, one plain listing takes fewer requests than one listing for each.
const MANY_FOLDERS: usize = 64;

/// What to list of a bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct BucketQuery<'a> {
    /// A folder, one object, or the text of the pattern.
    pub(super) key: &'a str,
    pub(super) pattern: Option<&'a glob::Pattern>,
    pub(super) filter: &'a ListFilter,
}

/// What the descent leaves out.
#[derive(Debug)]
struct DescentFilter<'a> {
    filter: &'a ListFilter,
    foreign_wanted: bool,
    hidden_wanted: bool,
}

/// One step of the descent.
#[derive(Debug)]
enum Visit {
    /// List the first level and decide on each of its folders.
    Look { prefix: String, blind: u32 },
    /// List everything below.
    All { prefix: String },
}

/// What one step found.
#[derive(Debug, Default)]
struct StepResult {
    objects: Vec<ListedObject>,
    next: Vec<Visit>,
    pruned_folders: u64,
    tables: Vec<TableFolder>,
}

/// Lists the objects below a key, without the folders that are outside the window.
///
/// # Errors
/// [`SourceError::NoMatch`] for a pattern without a match, and any error of S3.
pub(crate) async fn list_bucket(
    bucket: &Bucket,
    query: &BucketQuery<'_>,
    concurrency: usize,
) -> Result<Found, SourceError> {
    let BucketQuery { key, pattern, filter } = *query;
    if pattern.is_none()
        && !key.is_empty()
        && !key.ends_with('/')
        && let Some(single) = bucket.head(key).await
    {
        // An object named by itself is listed whatever its name and time.
        return Ok(Found::alone(object(bucket, single)));
    }
    let mut found = Found::default();
    let prefix = root_prefix(key, pattern.is_some());
    // A foreign folder that the user named is listed.
    let foreign_wanted = matches!(stored_at(&prefix), Stored::Foreign | Stored::Accesses);
    let below = key.strip_prefix(prefix.as_str()).unwrap_or("");
    // A pattern that spells out a hidden folder asks for it.
    let hidden_wanted = pattern.is_some() && below.split('/').any(is_hidden);
    let descent = DescentFilter { filter, foreign_wanted, hidden_wanted };
    let mut round = vec![Visit::Look { prefix: prefix.clone(), blind: 0 }];
    let mut listed: Vec<ListedObject> = Vec::new();
    while !round.is_empty() {
        let steps: Vec<StepResult> = stream::iter(round)
            .map(|visit| step(bucket, visit, &descent))
            .buffer_unordered(concurrency.max(1))
            .try_collect()
            .await?;
        round = Vec::new();
        for seen in steps {
            listed.extend(seen.objects);
            round.extend(seen.next);
            found.pruned_folders += seen.pruned_folders;
            found.tables.extend(seen.tables);
        }
    }
    found.tables.extend(listed.iter().filter_map(|entry| table_of(&bucket.name, &entry.key, &prefix)));
    let strict = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    let mut matched = pattern.is_none();
    for entry in listed {
        if filter.left_out.has_key(&bucket.name, &entry.key) {
            continue;
        }
        let stored = stored_at(&entry.key);
        if let Some(pattern) = pattern {
            // A folder that matches is taken with everything below, as on disk.
            let folders = entry.key.match_indices('/').map(|(at, _)| &entry.key[..at]);
            let mut parts = folders.filter(|folder| folder.len() > prefix.len()).chain([entry.key.as_str()]);
            if !parts.any(|part| pattern.matches_with(part, strict)) {
                continue;
            }
            matched = true;
        }
        let below_root = entry.key.strip_prefix(&prefix).unwrap_or(&entry.key);
        let below_root = if hidden_wanted { below_root.rsplit('/').next().unwrap_or(below_root) } else { below_root };
        let kind = kind_of(below_root, filter.any_name);
        found.sort_in(kind, stored, foreign_wanted, filter, || object(bucket, entry));
    }
    if !matched && found.pruned_folders == 0 {
        return Err(SourceError::NoMatch { pattern: format!("s3://{}/{key}", bucket.name) });
    }
    Ok(found)
}

/// Returns the folder to begin in: the key itself, or the folders of a pattern before its first wildcard.
fn root_prefix(key: &str, is_pattern: bool) -> String {
    if is_pattern {
        let literal = key.find(WILDCARDS).map_or(key, |at| &key[..at]);
        literal.rfind('/').map_or("", |at| &literal[..=at]).to_owned()
    } else if key.is_empty() || key.ends_with('/') {
        key.to_owned()
    } else {
        format!("{key}/")
    }
}

async fn step(bucket: &Bucket, visit: Visit, descent: &DescentFilter<'_>) -> Result<StepResult, SourceError> {
    let (prefix, blind) = match visit {
        Visit::All { prefix } => {
            let page = bucket.list(&prefix, false).await?;
            return Ok(StepResult { objects: page.objects, ..StepResult::default() });
        }
        Visit::Look { prefix, blind } => (prefix, blind),
    };
    let page = bucket.list(&prefix, true).await?;
    let own_kind = folder_kind(&prefix);
    let mut found = StepResult { objects: page.objects, ..StepResult::default() };
    let mut unknown = 0;
    for folder in page.folders {
        if descent.filter.left_out.has_key(&bucket.name, &folder) {
            continue;
        }
        found.tables.extend(table_of(&bucket.name, &folder, &prefix));
        let name = folder.trim_end_matches('/').rsplit('/').next().unwrap_or(&folder);
        if is_hidden(name) && !descent.hidden_wanted {
            continue;
        }
        let kind = folder_kind(&folder);
        unknown += usize::from(matches!(kind, FolderKind::Unknown | FolderKind::Claimed { .. }));
        match kind {
            FolderKind::Foreign if !descent.foreign_wanted => {}
            FolderKind::Access { .. } if !descent.filter.logs.has_accesses() && !descent.foreign_wanted => {}
            _ if !descent.filter.logs.has_flows() && stored_at(&folder) == Stored::Flows => {}
            FolderKind::Access { from_s, to_s, .. } if !descent.filter.window.overlaps(from_s, to_s) => {
                found.pruned_folders += 1;
            }
            FolderKind::Access { is_day: true, .. } => found.next.push(Visit::All { prefix: folder }),
            FolderKind::Access { .. } => found.next.push(Visit::Look { prefix: folder, blind: 0 }),
            // Folders of other writers bound no time until the records have shown it; a year is split up for speed.
            FolderKind::Claimed { is_year: true } => found.next.push(Visit::Look { prefix: folder, blind: 0 }),
            FolderKind::Claimed { is_year: false } => found.next.push(Visit::All { prefix: folder }),
            FolderKind::Dated { from_s, to_s } | FolderKind::Hour { from_s, to_s }
                if !descent.filter.window.overlaps(from_s, to_s) =>
            {
                found.pruned_folders += 1;
            }
            FolderKind::Hour { .. } | FolderKind::Foreign => found.next.push(Visit::All { prefix: folder }),
            // A folder inside a day that is not an hour: its subfolders have no dates of their own.
            FolderKind::Dated { .. } if kind == own_kind => found.next.push(Visit::All { prefix: folder }),
            FolderKind::Dated { .. } => found.next.push(Visit::Look { prefix: folder, blind: 0 }),
            FolderKind::Above if own_kind == FolderKind::Unknown => {
                found.next.push(Visit::Look { prefix: folder, blind: 0 })
            }
            FolderKind::Above | FolderKind::Unknown if blind + 1 >= blind_limit(&kind) => {
                found.next.push(Visit::All { prefix: folder });
            }
            FolderKind::Above | FolderKind::Unknown => {
                found.next.push(Visit::Look { prefix: folder, blind: blind + 1 })
            }
        }
    }
    if unknown > MANY_FOLDERS {
        let next = vec![Visit::All { prefix }];
        return Ok(StepResult { next, ..StepResult::default() });
    }
    Ok(found)
}

/// Returns the folder of a table format that a key or a folder below `prefix` belongs to.
fn table_of(bucket: &str, key: &str, prefix: &str) -> Option<TableFolder> {
    let below = key.strip_prefix(prefix)?;
    let mut folder = prefix.to_owned();
    for part in below.split_inclusive('/') {
        let format = match part {
            "_delta_log/" => Some(TableFormat::Delta),
            ".hoodie/" => Some(TableFormat::Hudi),
            "metadata/" if key.ends_with(".metadata.json") => Some(TableFormat::Iceberg),
            _ => None,
        };
        if let Some(format) = format {
            return Some(TableFolder { folder: format!("s3://{bucket}/{folder}"), format });
        }
        folder.push_str(part);
    }
    None
}

/// Returns how many levels without a date are listed one by one. Below `AWSLogs/`, up to five folders (organisation,
/// account, service, region and a VPC's name) precede the year.
fn blind_limit(kind: &FolderKind) -> u32 {
    if *kind == FolderKind::Above { 2 * BLIND_LEVELS } else { BLIND_LEVELS }
}

fn object(bucket: &Bucket, listed: ListedObject) -> Object {
    Object {
        url: format!("s3://{}/{}", bucket.name, listed.key).into(),
        size: listed.size,
        version: listed.version.into(),
        modified_s: listed.modified_s,
        facts: parse_key(&listed.key),
        location: Location::S3 { bucket: bucket.name.clone(), key: listed.key.into() },
        starts: TimeRange::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_begins_at_its_last_literal_folder() {
        assert_eq!(root_prefix("AWSLogs/1*/x", true), "AWSLogs/");
        assert_eq!(root_prefix("*.parquet", true), "");
        assert_eq!(root_prefix("logs", false), "logs/");
        assert_eq!(root_prefix("", false), "");
    }
}
