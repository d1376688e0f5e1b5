//! Runs the detections: SQL files over the derived tables, then discovery control, allow-lists and context.

pub mod catalogue;
pub mod finding;
mod interfaces;
mod joint;
mod rows;
mod run;
pub mod severity;

pub use catalogue::{Detection, Need, Parameter, built_in, from_folder, wanted};
pub use finding::{Finding, SCHEMA_VERSION, finding_id, sort_findings};
pub use rollup::window::{BaselineKind, WindowOptions, choose_window};
pub use run::{Context, Outcome, detect};
pub use severity::{InvalidSeverity, Severity};

/// Says why detections could not be run.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// A detection's file has no or a wrong header.
    #[error("detection {name}, line {line}: {problem}")]
    Header {
        /// Name of the detection.
        name: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// The folder of own detections could not be read.
    #[error("detections in {folder}: {problem}")]
    Folder {
        /// The folder.
        folder: String,
        /// What went wrong.
        problem: String,
    },
    /// A detection's SQL failed.
    #[error("detection {0}")]
    Sql(#[from] crate::sql::SqlError),
    /// A detection's result lacks a column or has it in another type.
    #[error("detection {name}: column `{column}` of the result is {got}, expected {expected}")]
    Result {
        /// Name of the detection.
        name: String,
        /// The column.
        column: String,
        /// What is there.
        got: String,
        /// What was expected.
        expected: &'static str,
    },
}
