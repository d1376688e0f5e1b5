//! Finds objects and reads their bytes: S3 in AWS's layouts, or local files, folders and globs.
//!
//! [`Source::open`] takes what the user named, [`Source::list`] finds the objects of a time range, [`units()`] groups them
//! into units of work, and [`ObjectReader`] reads them. [`Store`] writes whole objects.
//!
//! **Cost.** A listing along AWS's layouts requests only the folders of the wanted days, many at a time. Each object is read
//! with one request, or with few ranges where it is large.
//!
//! **Where to begin.** `open` for the whole path, [`layout`] for what keys and folders mean, `spans` for which objects a
//! time range needs.

mod error;
mod file_buffers;
pub mod layout;
mod log_rule;
mod options;

mod identity;
mod left_out;
mod object;
mod s3;
mod whole_file;

mod copies;
mod spans;
mod table_folder;
mod units;

mod access_objects;
mod listing;

mod list;
mod local;
mod read;
mod read_error;
mod store;
mod swap;

mod delta;
mod folder_times;

mod open;

pub use access_objects::AccessObject;
pub use copies::CopiedObject;
pub use error::{Cause, SourceError};
pub use identity::login;
pub use layout::{KeyFacts, Layout, Partition, parse_key};
pub use listing::{Grain, Listing, WantedLogs};
pub use log_rule::{LogRule, LogRuleError};
pub use object::{Location, Object, TimeRange};
pub use open::Source;
pub use options::SourceOptions;
pub use read::ObjectReader;
pub use read_error::ReadError;
pub use store::{PutMode, Store, StoredObject};
pub use swap::{Swap, Version};
pub use units::{Fingerprint, Unit, units};
pub use whole_file::{WholeFile, sweep};
