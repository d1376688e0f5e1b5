//! Makes labelled corpora of flow logs, and judges findings against labels.
//!
//! A corpus is a small world of hosts with roles, habits and services, in which attacks are planted whose timing is
//! that of real tools; [`generate`] writes it as AWS would have delivered it. [`evaluate`](evaluate()) compares
//! findings with the labels of a corpus or of a real capture.

mod attacks;
mod background;
mod campaign;
mod columns;
mod connection;
mod error;
mod evaluate;
mod findings;
mod flow_file;
mod generate;
mod labels;
mod object_names;
mod options;
mod parties;
mod place_hour;
mod random;
mod records;
mod services;
pub mod suite;
mod world;

pub use attacks::{AttackKind, AttackSpec, default_attacks, parse_attacks};
pub use error::CorpusError;
pub use evaluate::{AttackRecall, DetectionPrecision, Evaluation, evaluate, judge};
pub use findings::{FindingSeverity, JudgedFinding, read_findings};
pub use generate::{CorpusFile, GenerateSummary, generate};
pub use labels::{Label, read_labels, write_labels};
pub use options::{Codec, GenerateOptions, Layout, PageVersion, Partition};
