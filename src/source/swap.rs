//! Compare-and-swap of one object of a store: of two writers at once, one wins and the other is told.
//!
//! On S3 a conditional PUT decides (`If-Match` with the ETag that was read, `If-None-Match: *` for a new object). On disk
//! a hash of the content takes the ETag's place, and a lock beside the file holds the others back between the comparison
//! and the rename.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::RequestPayer;
use bytes::Bytes;
use flow::fnv::Fnv128;

use super::error::{Cause, SourceError, one_line};
use super::local::blocking;
use super::s3::Bucket;
use super::store::{Backend, PutMode, Store, checked, io, key_of, put_file};
use super::whole_file::{LOCK, create_folder};

/// How often a PUT is tried that S3 answers with 409: another one of the same object was under way.
const CONFLICT_ATTEMPTS: u32 = 4;
/// Wait before the next try.
const CONFLICT_WAIT: Duration = Duration::from_millis(100);

/// Which content of an object was read: its ETag on S3, a hash of its bytes on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version(String);

/// What became of a swap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Swap {
    /// The object has the new content.
    Done,
    /// Another writer was faster, and the object is as that one left it: read it again.
    Lost,
}

impl Store {
    /// Reads a whole object and its version, for a later [`Store::swap`]; `None` when it does not exist.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be read, or the server names no version.
    pub async fn get_versioned(&self, name: &str) -> Result<Option<(Bytes, Version)>, SourceError> {
        match &self.backend {
            Backend::Local(_) => {
                let bytes = self.get(name).await?;
                Ok(bytes.map(|bytes| (bytes.clone(), version_of(&bytes))))
            }
            Backend::S3 { bucket, prefix } => bucket.get_versioned(key_of(prefix, name)?.as_ref()).await,
        }
    }

    /// Writes a whole object if it still has the version `expected`; with `None`, if it still does not exist.
    ///
    /// A lost answer may hide that the swap was done: whoever is told [`Swap::Lost`] reads the object and compares.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be written for any other reason.
    pub async fn swap(&self, name: &str, bytes: Bytes, expected: Option<&Version>) -> Result<Swap, SourceError> {
        match &self.backend {
            Backend::Local(folder) => {
                let path = folder.join(checked(name)?);
                let expected = expected.cloned();
                blocking(&self.url_of(name), move || swap_file(&path, &bytes, expected.as_ref())).await
            }
            Backend::S3 { bucket, prefix } => {
                let key = key_of(prefix, name)?;
                let mut tried = 1;
                loop {
                    match bucket.put_if(key.as_ref(), bytes.clone(), expected).await? {
                        Answer::Placed => return Ok(Swap::Done),
                        Answer::Conflict if tried < CONFLICT_ATTEMPTS => {
                            tokio::time::sleep(CONFLICT_WAIT * tried).await
                        }
                        Answer::Changed | Answer::Conflict => return Ok(Swap::Lost),
                    }
                    tried += 1;
                }
            }
        }
    }
}

fn version_of(bytes: &[u8]) -> Version {
    let mut hash = Fnv128::default();
    hash.write(bytes);
    Version(format!("{:032x}-{}", hash.finish(), bytes.len()))
}

fn swap_file(path: &Path, bytes: &[u8], expected: Option<&Version>) -> Result<Swap, SourceError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    create_folder(folder).map_err(|error| io("write", folder, error))?;
    // Held until the function ends.
    let _lock = lock_beside(path).map_err(|error| io("write", path, error))?;
    let found = match fs::read(path) {
        Ok(bytes) => Some(version_of(&bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(io("read", path, error)),
    };
    if found.as_ref() != expected {
        return Ok(Swap::Lost);
    }
    put_file(path, bytes, PutMode::Overwrite)?;
    Ok(Swap::Done)
}

/// Locks a file beside `path`, which stays: whoever removed it would part those who wait for it from those who come later.
fn lock_beside(path: &Path) -> std::io::Result<File> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = path.with_file_name(format!(".{name}{LOCK}"));
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(beside)?;
    // File systems without locks are let be: the comparison alone leaves a gap of microseconds there.
    let _ = file.lock();
    Ok(file)
}

/// What S3 answered to a conditional PUT.
enum Answer {
    Placed,
    /// The object is not what the condition asks for.
    Changed,
    /// Another PUT of the object was under way.
    Conflict,
}

impl Bucket {
    async fn get_versioned(&self, key: &str) -> Result<Option<(Bytes, Version)>, SourceError> {
        let payer = self.request_payer.then_some(RequestPayer::Requester);
        let get = self.client.get_object().bucket(self.name.as_ref()).key(key).set_request_payer(payer);
        let answer = match get.send().await {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(self.explain(&error, "read", key)),
        };
        let failed = |problem| SourceError::S3 {
            action: "read",
            url: format!("s3://{}/{key}", self.name),
            source: Cause(problem),
        };
        let Some(etag) = answer.e_tag().map(str::to_owned) else {
            return Err(failed("the server names no ETag, so the object cannot be swapped".to_owned()));
        };
        let body = answer.body.collect().await.map_err(|error| failed(one_line(&error)))?;
        Ok(Some((body.into_bytes(), Version(etag))))
    }

    async fn put_if(&self, key: &str, bytes: Bytes, expected: Option<&Version>) -> Result<Answer, SourceError> {
        let put = self.client.put_object().bucket(self.name.as_ref()).key(key).body(ByteStream::from(bytes));
        let put = match expected {
            Some(Version(etag)) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        let error = match put.send().await {
            Ok(_) => return Ok(Answer::Placed),
            Err(error) => error,
        };
        match error.raw_response().map(|answer| answer.status().as_u16()) {
            Some(412) => Ok(Answer::Changed),
            Some(409) => Ok(Answer::Conflict),
            // Deleted since it was read.
            Some(404) if error.code() == Some("NoSuchKey") => Ok(Answer::Changed),
            _ => Err(match self.explain(&error, "write", key) {
                SourceError::Denied { action, url, problem, .. } => {
                    SourceError::Denied { action, url, problem, needs: "s3:GetObject and s3:PutObject" }
                }
                other => other,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceOptions;

    #[tokio::test]
    async fn only_who_read_the_last_version_may_write() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path().to_str().unwrap(), &SourceOptions::default()).await.unwrap();
        assert_eq!(store.get_versioned("a/HEAD").await.unwrap(), None);
        assert_eq!(store.swap("a/HEAD", "one".into(), None).await.unwrap(), Swap::Done);
        assert_eq!(store.swap("a/HEAD", "two".into(), None).await.unwrap(), Swap::Lost);
        let (bytes, first) = store.get_versioned("a/HEAD").await.unwrap().unwrap();
        assert_eq!(bytes, "one");
        assert_eq!(store.swap("a/HEAD", "two".into(), Some(&first)).await.unwrap(), Swap::Done);
        assert_eq!(store.swap("a/HEAD", "three".into(), Some(&first)).await.unwrap(), Swap::Lost);
        assert_eq!(store.get("a/HEAD").await.unwrap().unwrap(), "two");
        let names: Vec<String> = store.list("").await.unwrap().into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["a/HEAD"], "the lock is no object");
        // What was deleted meanwhile is not what was read.
        store.delete("a/HEAD").await.unwrap();
        assert_eq!(store.swap("a/HEAD", "four".into(), Some(&first)).await.unwrap(), Swap::Lost);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_many_writers_none_is_lost() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path().to_str().unwrap(), &SourceOptions::default()).await.unwrap();
        let add = |number: u32| {
            let store = store.clone();
            async move {
                loop {
                    let read = store.get_versioned("list").await.unwrap();
                    let (old, version) = read.map_or((Bytes::new(), None), |(bytes, version)| (bytes, Some(version)));
                    let new = [&old[..], format!("{number}\n").as_bytes()].concat();
                    if store.swap("list", new.into(), version.as_ref()).await.unwrap() == Swap::Done {
                        return;
                    }
                }
            }
        };
        let writers: Vec<_> = (0..8).map(|number| tokio::spawn(add(number))).collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let text = store.get("list").await.unwrap().unwrap();
        let mut numbers: Vec<u32> = std::str::from_utf8(&text).unwrap().lines().map(|n| n.parse().unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..8).collect::<Vec<_>>());
    }
}
