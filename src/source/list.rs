//! Lists a bucket along AWS's layouts: many prefixes at a time, and only the days that are wanted.

use futures::stream::{self, StreamExt, TryStreamExt};

use super::error::SourceError;
use super::layout::{FolderKind, folder_kind, is_foreign, parse_key};
use super::left_out::LeftOut;
use super::listing::{Found, ListWindow};
use super::object::{Kind, Location, Object, TimeRange, WILDCARDS, kind_of};
use super::s3::{Bucket, ListedObject};

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
    pub(super) window: ListWindow,
    pub(super) left_out: &'a LeftOut,
}

/// What the descent leaves out.
#[derive(Debug)]
struct DescentFilter<'a> {
    window: ListWindow,
    foreign_wanted: bool,
    left_out: &'a LeftOut,
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
}

/// Lists the Parquet objects below a key, without the folders that are outside the window.
///
/// # Errors
/// [`SourceError::NoMatch`] for a pattern without a match, and any error of S3.
pub(crate) async fn list_bucket(
    bucket: &Bucket,
    query: &BucketQuery<'_>,
    concurrency: usize,
) -> Result<Found, SourceError> {
    let BucketQuery { key, pattern, window, left_out } = *query;
    if pattern.is_none()
        && !key.is_empty()
        && !key.ends_with('/')
        && let Some(single) = bucket.head(key).await
    {
        // An object named by itself is listed whatever its name and time.
        return Ok(Found { objects: vec![object(bucket, single)], alone: true, ..Found::default() });
    }
    let mut found = Found::default();
    let prefix = root_prefix(key, pattern.is_some());
    // A foreign folder that the user named is listed.
    let foreign_wanted = folder_kind(&prefix) == FolderKind::Foreign;
    let filter = DescentFilter { window, foreign_wanted, left_out };
    let mut round = vec![Visit::Look { prefix: prefix.clone(), blind: 0 }];
    let mut listed: Vec<ListedObject> = Vec::new();
    while !round.is_empty() {
        let steps: Vec<StepResult> = stream::iter(round)
            .map(|visit| step(bucket, visit, &filter))
            .buffer_unordered(concurrency.max(1))
            .try_collect()
            .await?;
        round = Vec::new();
        for seen in steps {
            listed.extend(seen.objects);
            round.extend(seen.next);
            found.pruned_folders += seen.pruned_folders;
        }
    }
    let strict = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    let mut matched = pattern.is_none();
    for entry in listed {
        if (!foreign_wanted && is_foreign(&entry.key)) || filter.left_out.has_key(&bucket.name, &entry.key) {
            continue;
        }
        if let Some(pattern) = pattern {
            if !pattern.matches_with(&entry.key, strict) {
                continue;
            }
            matched = true;
        }
        match kind_of(entry.key.strip_prefix(&prefix).unwrap_or(&entry.key)) {
            Kind::Ignored => {}
            Kind::Other => found.other_objects += 1,
            Kind::Parquet => found.objects.push(object(bucket, entry)),
        }
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

async fn step(bucket: &Bucket, visit: Visit, filter: &DescentFilter<'_>) -> Result<StepResult, SourceError> {
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
        if filter.left_out.has_key(&bucket.name, &folder) {
            continue;
        }
        let kind = folder_kind(&folder);
        unknown += usize::from(kind == FolderKind::Unknown);
        match kind {
            FolderKind::Foreign if !filter.foreign_wanted => {}
            FolderKind::Dated { from_s, to_s } | FolderKind::Hour { from_s, to_s }
                if !filter.window.overlaps(from_s, to_s) =>
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
