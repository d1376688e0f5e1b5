//! Lists local folders, files and globs.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::error::SourceError;
use super::layout::{FolderKind, Stored, folder_kind, parse_key, stored_at};
use super::listing::{Found, ListFilter};
use super::object::{Location, Object, TimeRange, WILDCARDS, is_hidden, kind_of};
use super::table_folder::{TableFolder, TableFormat};

/// Runs a listing on tokio's blocking threads.
pub(crate) async fn blocking<T: Send + 'static>(
    spec: &str,
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(SourceError::Io { action: "list", path: spec.to_owned(), source: std::io::Error::other(error) })
    })
}

/// Lists one file, whatever its name, or a folder with everything below; symlinks are followed.
///
/// # Errors
/// [`SourceError::Io`] when the root cannot be read.
pub(crate) fn list_path(root: &Path, filter: &ListFilter) -> Result<Found, SourceError> {
    let metadata = fs::metadata(root).map_err(|error| io("list", root, error))?;
    if !metadata.is_dir() {
        return Ok(Found::alone(object(root, &real_path(root)?, &metadata)));
    }
    let mut found = Found::default();
    FolderWalk::new(root, filter).folder(root, "", &mut found)?;
    Ok(found)
}

/// Lists the files that match, and the folders that match with everything below.
///
/// # Errors
/// [`SourceError::NoMatch`], and [`SourceError::Io`] when a match cannot be read.
pub(crate) fn list_glob(pattern: &str, filter: &ListFilter) -> Result<Found, SourceError> {
    let matches = glob::glob(pattern).map_err(|error| SourceError::BadGlob {
        pattern: pattern.to_owned(),
        at: error.pos,
        problem: error.msg,
    })?;
    let mut found = Found::default();
    let mut any = false;
    let mut looked_at: HashSet<PathBuf> = HashSet::new();
    let literal = pattern.find(WILDCARDS).map_or(pattern, |at| &pattern[..at]);
    let (above, below) = pattern.split_at(literal.rfind('/').map_or(0, |at| at + 1));
    // A pattern that spells out a hidden folder asks for it.
    let hidden_wanted = below.split('/').any(is_hidden);
    for path in matches {
        let path = path.map_err(|error| {
            let path = error.path().to_owned();
            io("list", &path, error.into())
        })?;
        any = true;
        let text = shown(&path);
        let below_root = text.strip_prefix(above).unwrap_or(&text);
        if !hidden_wanted && below_root.split('/').any(is_hidden) {
            continue;
        }
        // What a pattern picks may lie in a table as well.
        for folder in path.ancestors().skip(1).take_while(|folder| shown(folder).len() + 1 >= above.len()) {
            if looked_at.insert(folder.to_owned()) {
                found.tables.extend(table_at(folder));
            }
        }
        let metadata = fs::metadata(&path).map_err(|error| io("list", &path, error))?;
        if metadata.is_dir() {
            FolderWalk::new(&path, filter).folder(&path, "", &mut found)?;
        } else {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let real = real_path(&path)?;
            // A file that a pattern picks is wanted wherever it lies.
            sort_in(
                &Entry { path: &path, real: &real, below_root: &name, metadata: &metadata },
                true,
                filter,
                &mut found,
            );
        }
    }
    if any { Ok(found) } else { Err(SourceError::NoMatch { pattern: pattern.to_owned() }) }
}

/// A depth-first walk in the order of names.
struct FolderWalk<'a> {
    filter: &'a ListFilter,
    /// Real paths of the folders visited: a link to a folder above, or a second link to one folder, is not followed again.
    seen: HashSet<PathBuf>,
    foreign_wanted: bool,
}

impl<'a> FolderWalk<'a> {
    fn new(root: &Path, filter: &'a ListFilter) -> Self {
        let foreign_wanted = matches!(stored_at(&(slashed(root) + "/")), Stored::Foreign | Stored::Accesses);
        Self { filter, seen: HashSet::new(), foreign_wanted }
    }

    fn folder(&mut self, folder: &Path, below_root: &str, found: &mut Found) -> Result<(), SourceError> {
        let real = real_path(folder)?;
        if self.filter.left_out.has_path(&real) || !self.seen.insert(real.clone()) {
            return Ok(());
        }
        let mut entries = fs::read_dir(folder)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| io("list", folder, error))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(format) = table_format(&path, &name) {
                // Adds the last `/` only where it is missing.
                found.tables.insert(TableFolder { folder: shown(&folder.join("")), format });
            }
            if is_hidden(&name) {
                continue;
            }
            // A dangling link, or a file removed in the meantime, is not an object.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_file() {
                // Nearly every file is no link, and resolving each path takes as long as everything else.
                let own = entry.file_type().is_ok_and(|kind| kind.is_file());
                let real = if own { real.join(entry.file_name()) } else { real_path(&path)? };
                let below_root = &format!("{below_root}{name}");
                let entry = Entry { path: &path, real: &real, below_root, metadata: &metadata };
                sort_in(&entry, self.foreign_wanted, self.filter, found);
            } else if metadata.is_dir() {
                let slashed = slashed(&path);
                let logs = self.filter.logs;
                match folder_kind(&slashed) {
                    FolderKind::Foreign if !self.foreign_wanted => {}
                    FolderKind::Access { .. } if !logs.has_accesses() && !self.foreign_wanted => {}
                    _ if !logs.has_flows() && stored_at(&(slashed + "/")) == Stored::Flows => {}
                    FolderKind::Dated { from_s, to_s }
                    | FolderKind::Hour { from_s, to_s }
                    | FolderKind::Access { from_s, to_s, .. }
                        if !self.filter.window.overlaps(from_s, to_s) =>
                    {
                        found.pruned_folders += 1;
                    }
                    _ => self.folder(&path, &format!("{below_root}{name}/"), found)?,
                }
            }
        }
        Ok(())
    }
}

/// A file of a folder.
struct Entry<'a> {
    path: &'a Path,
    real: &'a Path,
    below_root: &'a str,
    metadata: &'a Metadata,
}

/// Adds a file to a listing by its kind.
fn sort_in(entry: &Entry<'_>, foreign_wanted: bool, filter: &ListFilter, found: &mut Found) {
    if filter.left_out.has_path(entry.real) {
        return;
    }
    let (kind, stored) = (kind_of(entry.below_root, filter.any_name), stored_at(&slashed(entry.path)));
    found.sort_in(kind, stored, foreign_wanted, filter, || object(entry.path, entry.real, entry.metadata));
}

/// Returns the table format whose own folder this is.
fn table_format(path: &Path, name: &str) -> Option<TableFormat> {
    match name {
        "_delta_log" => Some(TableFormat::Delta),
        ".hoodie" => Some(TableFormat::Hudi),
        "metadata" => {
            let is_version = |entry: fs::DirEntry| entry.file_name().to_string_lossy().ends_with(".metadata.json");
            fs::read_dir(path).ok()?.flatten().any(is_version).then_some(TableFormat::Iceberg)
        }
        _ => None,
    }
}

/// Returns the table that a folder is, if it is one.
fn table_at(folder: &Path) -> Option<TableFolder> {
    let own = ["_delta_log", ".hoodie", "metadata"].iter().map(|name| (folder.join(name), *name));
    let format = own.filter(|(path, _)| path.is_dir()).find_map(|(path, name)| table_format(&path, name))?;
    let folder = if folder.as_os_str().is_empty() { String::new() } else { format!("{}/", shown(folder)) };
    Some(TableFolder { folder, format })
}

/// Returns a path as the user gave it, with `/` between folders.
fn shown(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

fn real_path(path: &Path) -> Result<PathBuf, SourceError> {
    fs::canonicalize(path).map_err(|error| io("list", path, error))
}

fn object(path: &Path, real: &Path, metadata: &Metadata) -> Object {
    let modified_s = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0));
    Object {
        url: shown(path).into(),
        location: Location::Local(real.into()),
        size: metadata.len(),
        version: version_of(metadata).into(),
        modified_s,
        facts: parse_key(&slashed(path)),
        starts: TimeRange::default(),
    }
}

/// Returns the version of a file, which changes whenever it is written: modification time in nanoseconds, and size.
pub(crate) fn version_of(metadata: &Metadata) -> String {
    let nanos = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_nanos());
    format!("{nanos}-{}", metadata.len())
}

/// Returns the absolute path with `/` between folders, so that a source named from inside `AWSLogs/` is recognised, too.
fn slashed(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.to_string_lossy().replace('\\', "/")
}

fn io(action: &'static str, path: &Path, source: std::io::Error) -> SourceError {
    SourceError::Io { action, path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::super::SourceOptions;
    use super::super::left_out::LeftOut;
    use super::super::listing::WantedLogs;
    use super::*;

    fn touch(root: &Path, name: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }

    fn everything() -> ListFilter {
        filter(&TimeRange::default(), WantedLogs::Flows)
    }

    fn filter(range: &TimeRange, logs: WantedLogs) -> ListFilter {
        ListFilter::new(range, &SourceOptions::default(), LeftOut::default(), logs)
    }

    fn names(listing: &Found) -> Vec<&str> {
        listing.objects.iter().map(Object::name).collect()
    }

    #[test]
    fn walks_folders_in_order_and_leaves_the_rest() {
        let root = tempfile::tempdir().unwrap();
        for name in ["b/2.parquet", "a/1.PARQUET", "a/x.log.gz", "_SUCCESS", ".hidden/3.parquet", "c/.4.parquet"] {
            touch(root.path(), name);
        }
        touch(root.path(), "AWSLogs/123456789012/CloudTrail/5.parquet");
        touch(root.path(), "AWSLogs/123456789012/vpcflowlogs/r/2024/04/19/6.parquet");
        let listing = list_path(root.path(), &everything()).unwrap();
        assert_eq!(names(&listing), ["6.parquet", "1.PARQUET", "2.parquet"]);
        assert_eq!(listing.other_objects, 1);
        let trail = list_path(&root.path().join("AWSLogs/123456789012/CloudTrail"), &everything()).unwrap();
        assert_eq!(names(&trail), ["5.parquet"], "named on purpose");
        let range = TimeRange { from_s: Some(1_713_600_000), to_s: None };
        let late = list_path(root.path(), &filter(&range, WantedLogs::Flows)).unwrap();
        assert_eq!((names(&late), late.pruned_folders), (vec!["1.PARQUET", "2.parquet"], 1));
    }

    #[test]
    fn logs_of_accesses_are_found_where_they_are_wanted() {
        let root = tempfile::tempdir().unwrap();
        let account = "AWSLogs/123456789012";
        touch(root.path(), &format!("{account}/vpcflowlogs/r/2024/04/19/1.parquet"));
        touch(root.path(), &format!("{account}/vpcflowlogs/r/2024/04/19/1.log.gz"));
        touch(root.path(), &format!("{account}/CloudTrail/r/2024/04/19/2.json.gz"));
        touch(root.path(), &format!("{account}/CloudTrail/r/2024/04/22/3.json.gz"));
        touch(root.path(), &format!("{account}/CloudTrail/r/2024/04/22/4.parquet"));
        touch(root.path(), &format!("{account}/CloudTrail-Digest/r/2024/04/22/5.json.gz"));
        touch(root.path(), "okta/2024/04/19/6");
        touch(root.path(), "okta/2024/04/19/7.md");
        let range = TimeRange { from_s: Some(1_713_700_000), to_s: None };
        let found = |range, logs| {
            let found = list_path(root.path(), &filter(&range, logs)).unwrap();
            let others: Vec<String> = found.others.iter().map(|object| object.name().to_owned()).collect();
            (names(&found).join(" "), others.join(" "), found.other_objects, found.pruned_folders)
        };
        let of = |objects: &str, others: &str, count, pruned| (objects.to_owned(), others.to_owned(), count, pruned);
        let all = TimeRange::default();
        assert_eq!(found(all, WantedLogs::Flows), of("1.parquet", "", 3, 0));
        assert_eq!(found(all, WantedLogs::All), of("1.parquet", "2.json.gz 3.json.gz 6", 5, 0));
        assert_eq!(found(all, WantedLogs::Accesses), of("", "2.json.gz 3.json.gz 6", 4, 0));
        assert_eq!(found(range, WantedLogs::All), of("", "3.json.gz 6", 3, 2));
    }

    #[cfg(unix)]
    #[test]
    fn follows_links_but_no_loops() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        touch(root.path(), "a/1.parquet");
        touch(elsewhere.path(), "2.parquet");
        std::os::unix::fs::symlink(root.path(), root.path().join("a/loop")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join("b")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.path().join("c.parquet")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("2.parquet"), root.path().join("d.parquet")).unwrap();
        let listing = list_path(root.path(), &everything()).unwrap();
        assert_eq!(names(&listing), ["1.parquet", "2.parquet", "d.parquet"]);
        // The same file has the same place, by whatever name it is found.
        let real = |path: PathBuf| fs::canonicalize(path).unwrap();
        let (one, two) = (real(root.path().join("a/1.parquet")), real(elsewhere.path().join("2.parquet")));
        let places: Vec<_> = listing
            .objects
            .iter()
            .map(|object| match &object.location {
                Location::Local(place) => place.to_path_buf(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(places, [one, two.clone(), two]);
    }

    #[test]
    fn globs_take_files_and_folders() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), "day1/1.parquet");
        touch(root.path(), "day2/2.parquet");
        touch(root.path(), "3.parquet");
        let text = root.path().display().to_string();
        assert_eq!(names(&list_glob(&format!("{text}/day*"), &everything()).unwrap()), ["1.parquet", "2.parquet"]);
        assert_eq!(names(&list_glob(&format!("{text}/*.parquet"), &everything()).unwrap()), ["3.parquet"]);
        assert!(matches!(list_glob(&format!("{text}/x*"), &everything()), Err(SourceError::NoMatch { .. })));
    }
}
