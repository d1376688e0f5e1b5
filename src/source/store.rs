//! A folder or S3 prefix for whole objects: kept hours and results.

use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path as Key;
use object_store::{Attribute, Attributes, ObjectStore, ObjectStoreExt, PutOptions, PutPayload};

use super::error::{Cause, SourceError, one_line, without_xml};
use super::identity::Identity;
use super::left_out::OutputLocation;
use super::local::blocking;
use super::options::SourceOptions;
use super::s3::{Bucket, split_url};
use super::whole_file::{LOCK, Placing, UNFINISHED, WholeFile, create_folder, sweep};

/// What to do when the object exists already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PutMode {
    /// Fail with [`SourceError::Exists`]: one of two writers wins.
    Create,
    /// Replace it.
    Overwrite,
}

/// One object of a [`Store`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StoredObject {
    /// Its name below the store, `/` between folders.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
}

/// A folder or S3 prefix; writes are whole and atomic: a reader sees the old object or the new one.
#[derive(Clone, Debug)]
pub struct Store {
    url: String,
    pub(super) backend: Backend,
}

#[derive(Clone, Debug)]
pub(super) enum Backend {
    Local(PathBuf),
    S3 { bucket: Arc<Bucket>, prefix: String },
}

/// How often a read is tried whose answer was cut off or refused for a reason that passes; object_store's own retries are
/// part of each try.
const READ_ATTEMPTS: u32 = 2;
/// Wait before the next try.
const WAIT: Duration = Duration::from_millis(100);

impl Store {
    /// Opens a folder (created by the first write) or `s3://bucket/prefix`.
    ///
    /// # Errors
    /// [`SourceError`] when the text is neither, or AWS refuses access.
    pub async fn open(url: &str, options: &SourceOptions) -> Result<Self, SourceError> {
        let backend = match split_url(url)? {
            None => Backend::Local(PathBuf::from(url)),
            Some((name, key)) => {
                let identity = Identity::resolve(options).await?;
                let bucket = Arc::new(Bucket::open(name, &identity, options).await?);
                Backend::S3 { bucket, prefix: key.trim_matches('/').to_owned() }
            }
        };
        Ok(Self { url: url.trim_end_matches('/').to_owned(), backend })
    }

    /// Returns the store of a folder that was listed, in `bucket` or on disk; `folder` has a last `/`.
    pub(super) fn of_folder(folder: &str, bucket: Option<&Arc<Bucket>>) -> Self {
        let url = folder.trim_end_matches('/').to_owned();
        let backend = match bucket {
            None => Backend::Local(PathBuf::from(folder)),
            Some(bucket) => {
                let key = url.strip_prefix(&format!("s3://{}", bucket.name)).unwrap_or_default();
                Backend::S3 { bucket: bucket.clone(), prefix: key.trim_matches('/').to_owned() }
            }
        };
        Self { url, backend }
    }

    /// Returns the store's own URL or path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the URL or path of `name`.
    pub fn url_of(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    /// Returns the folder when the store is local.
    pub fn local_folder(&self) -> Option<&Path> {
        match &self.backend {
            Backend::Local(folder) => Some(folder),
            Backend::S3 { .. } => None,
        }
    }

    /// Returns the location as listings compare it.
    pub(super) fn written(&self) -> OutputLocation {
        match &self.backend {
            Backend::Local(folder) => OutputLocation::Local(folder.clone()),
            Backend::S3 { bucket, prefix } => {
                OutputLocation::S3 { bucket: bucket.name.to_string(), prefix: prefix.clone() }
            }
        }
    }

    /// Writes a whole object.
    ///
    /// # Errors
    /// [`SourceError::Exists`] with [`PutMode::Create`], and any other [`SourceError`] when it cannot be written.
    pub async fn put(&self, name: &str, bytes: Bytes, mode: PutMode) -> Result<(), SourceError> {
        let url = self.url_of(name);
        match &self.backend {
            Backend::Local(folder) => {
                let path = folder.join(checked(name)?);
                blocking(&url, move || put_file(&path, &bytes, mode)).await
            }
            Backend::S3 { bucket, prefix } => {
                let mode = match mode {
                    PutMode::Create => object_store::PutMode::Create,
                    PutMode::Overwrite => object_store::PutMode::Overwrite,
                };
                let key = key_of(prefix, name)?;
                let options = PutOptions { attributes: attributes_of(name), ..PutOptions::from(mode) };
                let put = bucket.store.put_opts(&key, PutPayload::from_bytes(bytes), options).await;
                put.map(|_| ()).map_err(|error| explain("write", url, &error))
            }
        }
    }

    /// Reads a whole object; `None` when it does not exist.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be read.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>, SourceError> {
        let url = self.url_of(name);
        match &self.backend {
            Backend::Local(folder) => {
                let path = folder.join(checked(name)?);
                blocking(&url, move || match fs::read(&path) {
                    Ok(bytes) => Ok(Some(bytes.into())),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(io("read", &path, error)),
                })
                .await
            }
            Backend::S3 { bucket, prefix } => {
                let key = key_of(prefix, name)?;
                let mut tried = 1;
                loop {
                    match read_whole(bucket, &key).await {
                        Ok(bytes) => return Ok(Some(bytes)),
                        Err(object_store::Error::NotFound { .. }) => return Ok(None),
                        Err(error) if tried == READ_ATTEMPTS || is_final(&error) => {
                            return Err(explain("read", url, &error));
                        }
                        Err(error) => tracing::info!("{url}: {}, asked again", one_line(&error)),
                    }
                    tokio::time::sleep(WAIT).await;
                    tried += 1;
                }
            }
        }
    }

    /// Removes what killed processes left unfinished in the folder `below` (`""` for the store's own). S3 has none of it:
    /// an object there appears with its last byte.
    pub async fn sweep(&self, below: &str) {
        let Backend::Local(root) = &self.backend else { return };
        let folder = if below.is_empty() { root.clone() } else { root.join(below) };
        // A sweep that fails leaves what it would have removed.
        let _ = tokio::task::spawn_blocking(move || sweep(&folder)).await;
    }

    /// Deletes an object; it is no error when it does not exist.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be deleted.
    pub async fn delete(&self, name: &str) -> Result<(), SourceError> {
        let url = self.url_of(name);
        match &self.backend {
            Backend::Local(folder) => {
                let path = folder.join(checked(name)?);
                blocking(&url, move || match fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("delete", &path, error)),
                    _ => Ok(()),
                })
                .await
            }
            Backend::S3 { bucket, prefix } => bucket.delete(key_of(prefix, name)?.as_ref()).await,
        }
    }

    /// Lists the objects whose names begin with the folder `below` (`""` for all), sorted by name.
    ///
    /// # Errors
    /// [`SourceError`] when the store cannot be listed; a folder that does not exist is empty.
    pub async fn list(&self, below: &str) -> Result<Vec<StoredObject>, SourceError> {
        let below = below.trim_matches('/').to_owned();
        let mut found = match &self.backend {
            Backend::Local(root) => {
                let (root, url) = (root.clone(), self.url.clone());
                blocking(&url, move || {
                    let mut found = Vec::new();
                    let start = if below.is_empty() { root } else { root.join(checked(&below)?) };
                    let prefix = if below.is_empty() { String::new() } else { format!("{below}/") };
                    list_folder(&start, &prefix, &mut found)?;
                    Ok(found)
                })
                .await?
            }
            Backend::S3 { bucket, prefix } => {
                let root = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
                let folder = if below.is_empty() { root.clone() } else { format!("{root}{below}/") };
                let listed = bucket.list(&folder, false).await?.objects;
                let named = |key: &str| key.strip_prefix(&root).unwrap_or(key).to_owned();
                listed.into_iter().map(|entry| StoredObject { name: named(&entry.key), size: entry.size }).collect()
            }
        };
        found.retain(|entry| !entry.name.is_empty() && !entry.name.ends_with('/'));
        found.sort();
        Ok(found)
    }
}

/// Returns a name as a path, and refuses names that lead out of the store.
pub(super) fn checked(name: &str) -> Result<&Path, SourceError> {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !plain {
        let problem = "a name in a store has no `..` and does not begin with `/`".to_owned();
        return Err(SourceError::BadUrl { spec: name.to_owned(), problem });
    }
    Ok(path)
}

pub(super) fn key_of(prefix: &str, name: &str) -> Result<Key, SourceError> {
    checked(name)?;
    let whole = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
    Key::parse(&whole).map_err(|error| SourceError::BadUrl { spec: whole, problem: one_line(&error) })
}

/// Returns the bytes of an object, all that the answer promised.
async fn read_whole(bucket: &Bucket, key: &Key) -> object_store::Result<Bytes> {
    let answer = bucket.store.get(key).await?;
    let promised = answer.meta.size;
    let bytes = answer.bytes().await?;
    if bytes.len() as u64 == promised {
        return Ok(bytes);
    }
    let source = format!("the answer was cut off after {} of {promised} bytes", bytes.len()).into();
    Err(object_store::Error::Generic { store: "S3", source })
}

/// Returns whether asking again would get the same answer.
fn is_final(error: &object_store::Error) -> bool {
    use object_store::Error;
    !matches!(error, Error::Generic { .. } | Error::JoinError { .. })
}

/// Returns what S3 is told about an object: a browser shows a page only as what it is served.
fn attributes_of(name: &str) -> Attributes {
    let kind = match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "json")) => "application/json",
        Some((_, "jsonl")) => "application/x-ndjson",
        _ => return Attributes::new(),
    };
    Attributes::from_iter([(Attribute::ContentType, kind)])
}

pub(super) fn put_file(path: &Path, bytes: &[u8], mode: PutMode) -> Result<(), SourceError> {
    let placing = match mode {
        PutMode::Create => Placing::New,
        PutMode::Overwrite => Placing::Instead,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    create_folder(folder).map_err(|error| io("write", folder, error))?;
    let written = WholeFile::create(path).and_then(|whole| {
        whole.file().write_all(bytes)?;
        whole.place_as(placing)
    });
    written.map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            SourceError::Exists { url: path.display().to_string() }
        } else {
            io("write", path, error)
        }
    })
}

fn list_folder(folder: &Path, prefix: &str, found: &mut Vec<StoredObject>) -> Result<(), SourceError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io("list", folder, error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| io("list", folder, error))?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if name.ends_with(UNFINISHED) || name.ends_with(LOCK) {
            continue;
        }
        let Ok(metadata) = fs::metadata(entry.path()) else { continue };
        if metadata.is_dir() {
            list_folder(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.push(StoredObject { name, size: metadata.len() });
        }
    }
    Ok(())
}

pub(super) fn io(action: &'static str, path: &Path, source: std::io::Error) -> SourceError {
    SourceError::Io { action, path: path.display().to_string(), source }
}

fn explain(action: &'static str, url: String, error: &object_store::Error) -> SourceError {
    use object_store::Error;
    match error {
        Error::AlreadyExists { .. } => SourceError::Exists { url },
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            let needs = "s3:GetObject, s3:PutObject and s3:DeleteObject";
            SourceError::Denied { action, url, problem: without_xml(&one_line(error)), needs }
        }
        other => SourceError::S3 { action, url, source: Cause(without_xml(&one_line(other))) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_is_told_what_a_page_is() {
        let kind = |name| attributes_of(name).get(&Attribute::ContentType).map(|kind| kind.as_ref().to_owned());
        assert_eq!(kind("report.html").as_deref(), Some("text/html; charset=utf-8"));
        assert_eq!(kind("summary.json").as_deref(), Some("application/json"));
        assert_eq!(kind("findings.parquet"), None);
    }

    #[tokio::test]
    async fn a_folder_keeps_whole_objects() {
        let root = tempfile::tempdir().unwrap();
        let url = root.path().join("state").display().to_string();
        let store = Store::open(&url, &SourceOptions::default()).await.unwrap();
        assert_eq!(store.list("").await.unwrap(), []);
        assert_eq!(store.get("a/b").await.unwrap(), None);
        store.put("a/b", "one".into(), PutMode::Create).await.unwrap();
        let again = store.put("a/b", "two".into(), PutMode::Create).await;
        assert!(matches!(again, Err(SourceError::Exists { .. })));
        assert_eq!(store.get("a/b").await.unwrap().unwrap(), "one");
        store.put("a/b", "two".into(), PutMode::Overwrite).await.unwrap();
        store.put("c", "x".into(), PutMode::Overwrite).await.unwrap();
        assert_eq!(store.get("a/b").await.unwrap().unwrap(), "two");
        let names = |found: Vec<StoredObject>| found.into_iter().map(|entry| entry.name).collect::<Vec<_>>();
        assert_eq!(names(store.list("").await.unwrap()), ["a/b", "c"]);
        assert_eq!(names(store.list("a").await.unwrap()), ["a/b"]);
        assert_eq!(fs::read_dir(root.path().join("state/a")).unwrap().count(), 1, "nothing unfinished is left");
        for name in ["../x", "/x", "", "a/../../x"] {
            assert!(store.put(name, Bytes::new(), PutMode::Overwrite).await.is_err(), "{name}");
        }
        store.delete("a/b").await.unwrap();
        store.delete("a/b").await.unwrap();
        assert_eq!(names(store.list("").await.unwrap()), ["c"]);
    }
}
