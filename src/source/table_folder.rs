//! Folders of table formats, in which only a log says which files are live.

use super::delta::live_files;
use super::error::SourceError;
use super::object::Object;
use super::s3::Bucket;
use super::store::Store;
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
    /// Removes the objects of the table that are not live: replaced or deleted, but not yet cleaned up.
    ///
    /// # Errors
    /// [`SourceError::TableFormat`] when the log of the table cannot be read by flowsift; then nothing tells which objects
    /// are live.
    pub(super) async fn keep_live(
        &self,
        bucket: Option<&Arc<Bucket>>,
        objects: &mut Vec<Object>,
    ) -> Result<(), SourceError> {
        let below = |object: &Object| object.url.strip_prefix(&self.folder).map(str::to_owned);
        if !objects.iter().any(|object| below(object).is_some()) {
            return Ok(());
        }
        let format = match self.format {
            TableFormat::Delta => {
                let live = live_files(&Store::of_folder(&self.folder, bucket), &self.folder).await?;
                objects.retain(|object| below(object).is_none_or(|name| live.contains(&name)));
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
}
