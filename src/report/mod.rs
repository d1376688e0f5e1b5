//! Writes findings and incidents: JSON Lines and Parquet for programs, a table and a page for people, a summary of the
//! run.
//!
//! Nothing here prints: every function writes to the writer that it is given.

pub mod incidents;
pub mod jsonl;
pub mod manifest;
pub mod ocsf;
pub mod parquet;
pub mod stix;
pub mod summary;
pub mod table;
pub mod timesketch;

pub mod html;

mod error;
mod evidence;

pub use self::parquet::{finding_schema, read_parquet, write_parquet};
pub use error::ReportError;
pub use html::{Figures, Page, write_html};
pub use incidents::{read_incidents, write_incidents};
pub use jsonl::{read_jsonl, write_jsonl};
pub use manifest::{Manifest, ManifestFile, RunFacts};
pub use ocsf::{ocsf_events, write_ocsf, write_ocsf_parquet};
pub use stix::write_stix;
pub use summary::{
    AccessLogSummary, BaselineOrigin, BaselineSpan, DataSpan, HeldBack, IncidentLife, LogGap, ObjectCounts,
    SinkSummary, SkippedObject, StageTime, Summary,
};
pub use table::{TableOptions, findings_table, incidents_text, write_table};
pub use timesketch::write_timesketch;
