//! Listing a bucket: many prefixes at a time, along AWS's layouts, without the days nobody asked for.

use futures::stream::{self, StreamExt, TryStreamExt};

use super::error::SourceError;
use super::layout::{Place, is_foreign, parse_key, place_of};
use super::left_out::LeftOut;
use super::listing::{Found, Window};
use super::s3::{Bucket, Listed};
use super::{Kind, Location, Object, TimeRange, WILDCARDS, kind_of};

/// How many folders in a row may say nothing before the rest is listed in one go.
const BLIND_LEVELS: u32 = 3;
/// With more unknown subfolders than this, one plain listing costs fewer requests than one for each.
const MANY_FOLDERS: usize = 64;

/// What is asked of a bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// A folder, one object, or the pattern's own text.
    pub(super) key: &'a str,
    pub(super) pattern: Option<&'a glob::Pattern>,
    pub(super) window: Window,
    pub(super) left_out: &'a LeftOut,
}

/// What the descent passes by.
#[derive(Debug)]
struct Passed<'a> {
    window: Window,
    foreign_wanted: bool,
    left_out: &'a LeftOut,
}

/// One step of the descent.
#[derive(Debug)]
enum Visit {
    /// List the first level and look at the folders.
    Look { prefix: String, blind: u32 },
    /// List everything below.
    All { prefix: String },
}

/// What one step saw.
#[derive(Debug, Default)]
struct Seen {
    objects: Vec<Listed>,
    next: Vec<Visit>,
    pruned_folders: u64,
}

/// Lists the Parquet objects below a key, without the folders that the window does not want.
///
/// # Errors
/// Whatever keeps S3 from listing, and [`SourceError::NoMatch`] for a pattern without a match.
pub(crate) async fn list_bucket(bucket: &Bucket, asked: &Asked<'_>, concurrency: usize) -> Result<Found, SourceError> {
    let Asked { key, pattern, window, left_out } = *asked;
    if pattern.is_none()
        && !key.is_empty()
        && !key.ends_with('/')
        && let Some(single) = bucket.head(key).await
    {
        // An object that is named alone is taken whatever its name and time.
        return Ok(Found { objects: vec![object(bucket, single)], alone: true, ..Found::default() });
    }
    let mut found = Found::default();
    let prefix = root_prefix(key, pattern.is_some());
    // A foreign folder that is named on purpose is listed.
    let foreign_wanted = place_of(&prefix) == Place::Foreign;
    let passed = Passed { window, foreign_wanted, left_out };
    let mut round = vec![Visit::Look { prefix: prefix.clone(), blind: 0 }];
    let mut listed: Vec<Listed> = Vec::new();
    while !round.is_empty() {
        let steps: Vec<Seen> = stream::iter(round)
            .map(|visit| step(bucket, visit, &passed))
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
        if (!foreign_wanted && is_foreign(&entry.key)) || passed.left_out.has_key(&bucket.name, &entry.key) {
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

/// The folder to begin in: the key itself, or the folders of a pattern before its first wildcard.
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

async fn step(bucket: &Bucket, visit: Visit, passed: &Passed<'_>) -> Result<Seen, SourceError> {
    let (prefix, blind) = match visit {
        Visit::All { prefix } => {
            let page = bucket.list(&prefix, false).await?;
            return Ok(Seen { objects: page.objects, ..Seen::default() });
        }
        Visit::Look { prefix, blind } => (prefix, blind),
    };
    let page = bucket.list(&prefix, true).await?;
    let here = place_of(&prefix);
    let mut found = Seen { objects: page.objects, ..Seen::default() };
    let mut unknown = 0;
    for folder in page.folders {
        if passed.left_out.has_key(&bucket.name, &folder) {
            continue;
        }
        let place = place_of(&folder);
        unknown += usize::from(place == Place::Unknown);
        match place {
            Place::Foreign if !passed.foreign_wanted => {}
            Place::Dated { from_s, to_s } | Place::Hour { from_s, to_s } if !passed.window.overlaps(from_s, to_s) => {
                found.pruned_folders += 1;
            }
            Place::Hour { .. } | Place::Foreign => found.next.push(Visit::All { prefix: folder }),
            // A folder inside a day that is no hour: nothing left to learn.
            Place::Dated { .. } if place == here => found.next.push(Visit::All { prefix: folder }),
            Place::Dated { .. } => found.next.push(Visit::Look { prefix: folder, blind: 0 }),
            Place::Above if here == Place::Unknown => found.next.push(Visit::Look { prefix: folder, blind: 0 }),
            Place::Above | Place::Unknown if blind + 1 >= blind_limit(&place) => {
                found.next.push(Visit::All { prefix: folder });
            }
            Place::Above | Place::Unknown => found.next.push(Visit::Look { prefix: folder, blind: blind + 1 }),
        }
    }
    if unknown > MANY_FOLDERS {
        let next = vec![Visit::All { prefix }];
        return Ok(Seen { next, ..Seen::default() });
    }
    Ok(found)
}

/// Below `AWSLogs/` up to five folders (organisation, account, service, region, and a vpc-name) precede the year.
fn blind_limit(place: &Place) -> u32 {
    if *place == Place::Above { 2 * BLIND_LEVELS } else { BLIND_LEVELS }
}

fn object(bucket: &Bucket, listed: Listed) -> Object {
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
