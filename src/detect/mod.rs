//! Runs the detections: SQL files over the derived tables, then discovery control, allow-lists and context.

mod error;

pub mod catalogue;
pub mod finding;
mod subject;
pub(crate) mod text_forms;

mod events;
mod flagged;
mod interfaces;
mod joint;
mod rows;
mod succession;
mod told_once;

mod run;

pub use catalogue::{Detection, Need, Parameter, built_in, from_folder, wanted};
pub use error::DetectError;
pub use finding::{ALLOWED_BY, FLOW_LOG, Finding, MAX_EVENT_IDS, SCHEMA_VERSION, VERDICT, sort_findings};
pub use flagged::flagged_pairs;
pub use flow::severity::{InvalidSeverity, Severity};
pub use rollup::window::{BaselineKind, WindowOptions, choose_window};
pub use run::{Context, Outcome, detect};
pub use subject::Subject;
