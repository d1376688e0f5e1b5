//! Folders of table formats, in which only a log says which files are live.

use super::delta::live_files;
use super::error::SourceError;
use super::layout::parse_key;
use super::object::{Kind, Location, Object, TimeRange, kind_of};
use super::s3::Bucket;
use super::store::Store;
use std::collections::HashSet;
use std::sync::Arc;

/// A table format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum TableFormat {
    Delta,
    Hudi,
    Iceberg,
}

/// The folder of a table.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct TableFolder {
    /// Its URL or path, with a last `/`.
    pub(crate) folder: String,
    pub(crate) format: TableFormat,
}

impl TableFolder {
    /// Removes the objects of the table that are not live: replaced or deleted, but not yet cleaned up. A live file that
    /// was not found is added all the same where `is_wanted` accepts its URL: whoever reads it tells that it is gone.
    ///
    /// # Errors
    /// [`SourceError::TableFormat`] when the log of the table cannot be read by flowsift; then nothing tells which objects
    /// are live.
    pub(super) async fn keep_live(
        &self,
        bucket: Option<&Arc<Bucket>>,
        objects: &mut Vec<Object>,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<(), SourceError> {
        let below = |object: &Object| object.url.strip_prefix(&self.folder).map(str::to_owned);
        if !objects.iter().any(|object| below(object).is_some()) {
            return Ok(());
        }
        let format = match self.format {
            TableFormat::Delta => {
                let live = live_files(&Store::of_folder(&self.folder, bucket), &self.folder).await?;
                objects.retain(|object| below(object).is_none_or(|name| live.contains_key(&name)));
                let found: HashSet<String> = objects.iter().filter_map(below).collect();
                for (name, bytes) in live.iter().filter(|(name, _)| !found.contains(*name)) {
                    let url = format!("{}{name}", self.folder);
                    if is_wanted(&url) && kind_of(name, true) == Kind::Parquet {
                        objects.push(self.missing(bucket, &url, name, *bytes));
                    }
                }
                return Ok(());
            }
            TableFormat::Hudi => "an Apache Hudi table",
            TableFormat::Iceberg => "an Apache Iceberg table",
        };
        Err(SourceError::TableFormat {
            folder: self.folder.clone(),
            format,
            problem: "its log, which says which files are live, is not read".to_owned(),
        })
    }

    /// Returns a file of the table as an object that nobody has listed.
    fn missing(&self, bucket: Option<&Arc<Bucket>>, url: &str, name: &str, bytes: u64) -> Object {
        let location = match bucket {
            Some(bucket) => {
                let key = url.strip_prefix(&format!("s3://{}/", bucket.name)).unwrap_or(url);
                Location::S3 { bucket: bucket.name.clone(), key: key.into() }
            }
            None => {
                let folder = std::fs::canonicalize(&self.folder).unwrap_or_else(|_| self.folder.clone().into());
                Location::Local(folder.join(name).into())
            }
        };
        Object {
            url: url.into(),
            size: bytes,
            version: "".into(),
            modified_s: 0,
            facts: parse_key(url),
            location,
            starts: TimeRange::default(),
        }
    }
}
