//! Generates labelled corpora of flow logs, and evaluates findings against labels.
//!
//! This crate answers how good the detections are. A corpus is a small world of hosts with roles, habits and services,
//! with planted attacks whose timing is that of real tools; [`generate()`] writes it as AWS would have delivered it.
//! [`evaluate()`] compares findings with the labels of a corpus or of a real capture, [`judge_incidents()`] incidents with
//! its campaigns, and [`suite`] ranks implants among benign traffic of the same volume. [`generate_story()`] tells one
//! intrusion in flow logs and all logs beside them, and [`judge_story()`] compares a run with it, stage by stage.
//!
//! **Cost.** Memory holds one hour of one account and region, of a story one day; the same options give the same bytes on
//! any number of threads.
//!
//! **Where to begin.** [`generate()`] lists the steps in order: the world, the attacks, the traffic of each hour, its
//! files, the labels. `world` and `traffic` hold what is invented, `objects` what AWS's format requires; `story` has both for
//! the other logs.

mod error;
mod labels;
mod named_columns;
mod options;
mod random;

mod world;

mod traffic;

mod attacks;
mod campaigns;
mod objects;

mod evaluate;
mod generate;
mod story;
pub mod suite;

pub use attacks::{AttackKind, AttackSpec, default_attacks, parse_attacks};
pub use campaigns::duration::Duration;
pub use campaigns::forms::CampaignForm;
pub use campaigns::spec::{CampaignSpec, Machine, StageKind, StageSpec, parse_campaigns};
pub use campaigns::truth::{Part, StageTruth, read_campaigns, write_campaigns};
pub use error::CorpusError;
pub use evaluate::campaigns::{
    CampaignResult, IdChurn, IncidentEvaluation, IncidentTruth, IncidentsAtScore, judge_incidents,
};
pub use evaluate::findings::{FindingSeverity, JudgedFinding, ToldCaller, read_findings};
pub use evaluate::incidents::{
    HostPart, IncidentHost, IncidentStatus, JudgedIncident, ReachedGraph, ReachedNode, read_incidents,
};
pub use evaluate::story::{FalseFinding, StageFinding, StageRecall, StoryEvaluation, judge_story};
pub use evaluate::{AttackRecall, DetectionPrecision, Evaluation, evaluate, judge};
pub use generate::{GenerateSummary, generate};
pub use labels::{Label, read_labels, write_labels};
pub use objects::flow_file::CorpusFile;
pub use options::{FolderLayout, FolderPeriod, GenerateOptions, PageCodec, PageVersion};
pub use story::labels::{StoryLabel, read_story_labels, write_story_labels};
pub use story::options::{StoryOptions, Variation};
pub use story::{StorySummary, generate_story};
pub use world::hubs::HubShares;
