//! An incident: the findings of one intrusion, with its hosts, its timeline and its reach.

mod graph;
mod party;

pub use graph::{Deed, DeedKind, Edge, Graph, Node, NodeClass, Thing};
pub use party::{Party, PartyKind};

use crate::detect::Severity;
use crate::detect::text_forms;
use flow::Address;
use serde::{Deserialize, Serialize};

/// The version of the incident's fields that this code writes and reads.
pub const SCHEMA_VERSION: u32 = 1;

/// An incident tells at most this many entries of its timeline.
pub const MAX_TIMELINE: usize = 200;

/// One incident, schema version 1: one JSON object per line of `incidents.jsonl`.
///
/// Times are seconds since 1970-01-01 UTC here and RFC 3339 text in JSON; addresses are text in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The version of these fields: [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// 32 hex characters; the same in every run in which the incident lives on.
    pub id: String,
    /// How often it changed materially, from 1.
    pub revision: u32,
    /// Whether it goes on.
    pub status: Status,
    /// Why it ended; `None` while it is open.
    pub closed_reason: Option<ClosedReason>,
    /// The `id` of the incident that it became part of.
    pub merged_into: Option<String>,
    /// What this run changed.
    pub change: Change,
    /// One line, such as `10.0.57.128 calls 103.6.160.233, entered 10.0.28.247, 5.3 GB left`.
    pub title: String,
    /// The highest of its life.
    pub severity: Severity,
    /// How surprising its evidence is: the sum over kinds of −log₁₀ of how often a benign host shows them.
    pub score: f64,
    /// How many incidents of at least this score a day of benign traffic is expected to show: hosts × 10^−score × windows
    /// a day.
    pub expected_per_day: f64,
    /// Compromised hosts, in the order of their first sign; none where only principals take part.
    pub hosts: Vec<IncidentHost>,
    /// Outside addresses that take part.
    pub remotes: Vec<IncidentRemote>,
    /// Users, roles and service accounts that take part.
    pub principals: Vec<String>,
    /// First second of the evidence.
    #[serde(rename = "first_seen", with = "text_forms::rfc3339_text")]
    pub first_seen_s: i64,
    /// Last second of the evidence.
    #[serde(rename = "last_seen", with = "text_forms::rfc3339_text")]
    pub last_seen_s: i64,
    /// The end of the window of the run that opened it.
    #[serde(rename = "opened_at", with = "text_forms::rfc3339_text")]
    pub opened_at_s: i64,
    /// The end of the window of the run that changed it last.
    #[serde(rename = "updated_at", with = "text_forms::rfc3339_text")]
    pub updated_at_s: i64,
    /// ATT&CK tactics in the order of time.
    pub stages: Vec<Stage>,
    /// The `subject`s of its findings, sorted.
    pub subjects: Vec<String>,
    /// Number of its findings in this window.
    pub findings: u64,
    /// Why its hosts belong together: the links of the spanning tree first, strongest first.
    pub links: Vec<Link>,
    /// What happened, in the order of time: at most [`MAX_TIMELINE`] entries.
    pub timeline: Vec<TimelineEntry>,
    /// Whom the hosts reached, and who entered the first.
    pub graph: Graph,
    /// The `id`s of incidents that may belong to it, such as one that a person closed.
    pub related: Vec<String>,
    /// The lowest coverage of its hosts, 0–1; `None` where no ENI is known.
    pub coverage: Option<f64>,
}

/// Whether an incident goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It goes on.
    Open,
    /// It ended; see [`ClosedReason`].
    Closed,
    /// It became part of another.
    Merged,
}

/// Why an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedReason {
    /// It showed nothing new for days.
    Quiet,
    /// All its findings are allowed.
    Allowed,
    /// A person says that nothing happened.
    FalsePositive,
    /// A person says that it happened and is wanted.
    Benign,
    /// A person has dealt with it.
    Resolved,
}

/// What a run changed in an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The run saw it first.
    Opened,
    /// Its severity rose.
    Escalated,
    /// It has a new host, tactic or remote.
    Extended,
    /// Nothing material.
    Unchanged,
    /// It became part of another.
    Merged,
    /// It ended.
    Closed,
    /// It had been closed and goes on.
    Reopened,
}

/// A compromised host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentHost {
    /// Its address.
    #[serde(with = "text_forms::address_text")]
    pub host: Address,
    /// The AWS account; `None` where the logs do not name it.
    pub account_id: Option<String>,
    /// The AWS region.
    pub region: Option<String>,
    /// Its VPC.
    pub vpc_id: Option<String>,
    /// Its network interface.
    pub interface_id: Option<String>,
    /// Its instance.
    pub instance_id: Option<String>,
    /// Its part in the story.
    pub part: HostPart,
    /// When its first sign was seen that counts: of a host that another entered, from the entry on.
    #[serde(rename = "since", with = "text_forms::rfc3339_text")]
    pub since_s: i64,
}

/// The part of a host in an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostPart {
    /// The first that showed a sign.
    First,
    /// One that showed signs of its own.
    Compromised,
    /// One on the way between two others, without signs of its own.
    Pivot,
    /// One that was reached.
    Target,
}

/// An outside address that takes part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentRemote {
    /// Its address.
    #[serde(with = "text_forms::address_text")]
    pub address: Address,
    /// The port of its service; `None` where several or none.
    pub port: Option<u16>,
    /// Its part in the story.
    pub part: RemotePart,
    /// The owner of its network, where known.
    pub owner: Option<String>,
    /// The hosts that contact it.
    pub prevalence_hosts: Option<u64>,
}

/// The part of a remote in an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemotePart {
    /// Hosts call it regularly.
    Controller,
    /// Data went to it.
    Drop,
    /// A feed names it.
    Indicator,
    /// It entered, or tried to.
    Source,
}

/// An ATT&CK tactic of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The tactic, such as `command-and-control`.
    pub tactic: Tactic,
    /// First second of its evidence.
    #[serde(rename = "first_seen", with = "text_forms::rfc3339_text")]
    pub first_seen_s: i64,
    /// Last second of its evidence.
    #[serde(rename = "last_seen", with = "text_forms::rfc3339_text")]
    pub last_seen_s: i64,
    /// ATT&CK technique ids, sorted.
    pub techniques: Vec<String>,
    /// The `subject`s of its findings, sorted.
    pub subjects: Vec<String>,
}

/// An ATT&CK tactic, in the order of an intrusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tactic {
    /// TA0001: a service is exposed, or someone came in.
    InitialAccess,
    /// TA0007: sweeps and scans.
    Discovery,
    /// TA0006: guessing of passwords.
    CredentialAccess,
    /// TA0003: keys, users and rights are made to stay.
    Persistence,
    /// TA0008: from host to host.
    LateralMovement,
    /// TA0009: data are gathered.
    Collection,
    /// TA0011: an implant calls.
    CommandAndControl,
    /// TA0010: data leave.
    Exfiltration,
    /// TA0005: logs end.
    DefenseEvasion,
    /// TA0040: floods, spam, mining.
    Impact,
}

/// Why two hosts or principals of an incident belong together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// What kind of evidence it is.
    pub kind: LinkKind,
    /// The host or principal that came first.
    pub from: Party,
    /// The other one.
    pub to: Party,
    /// How strong the link is; at least 1.
    pub strength: f64,
    /// When it was seen.
    #[serde(rename = "at", with = "text_forms::rfc3339_text")]
    pub at_s: i64,
    /// Whether it is part of the spanning tree that holds the incident together.
    pub in_tree: bool,
    /// One plain sentence.
    pub explanation: String,
}

/// Kinds of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// Both call one rare remote.
    SameRemote,
    /// One entered the other, in the order of time.
    Lateral,
    /// One entered a host without signs, and that one entered the other.
    Bridge,
    /// One swept or guessed and hit the other.
    ScanHit,
    /// Both have one instance, or one address that moved.
    SameInstance,
    /// One principal made or changed the other.
    Created,
    /// A credential of one made a credential of the other.
    Minted,
    /// A principal acted from the host itself.
    FromHost,
    /// Both came from one address that few use.
    SameSource,
    /// Both came from one network that few use.
    SameNetwork,
    /// A balancer passed a suspect client on to the host.
    Served,
}

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When it began.
    #[serde(rename = "time", with = "text_forms::rfc3339_text")]
    pub time_s: i64,
    /// When it ended; equal to `time` for a moment.
    #[serde(rename = "end", with = "text_forms::rfc3339_text")]
    pub end_s: i64,
    /// What happened.
    pub kind: TimelineKind,
    /// The host or principal that acted, or with which it happened.
    pub actor: Party,
    /// The other side.
    #[serde(default)]
    pub target: Option<Party>,
    /// The port of the service.
    pub port: Option<u16>,
    /// The tactic, where it has one.
    pub tactic: Option<Tactic>,
    /// Bytes that moved, where they matter.
    pub bytes: Option<u64>,
    /// The `subject` of the finding that tells it, if one does.
    pub subject: Option<String>,
    /// One plain sentence.
    pub text: String,
    /// A command to copy that shows the records behind it.
    pub query: String,
}

/// Kinds of entries of a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    /// A host met a remote for the first time in all kept history, or was entered from outside.
    FirstContact,
    /// Regular calls begin.
    CadenceBegins,
    /// Regular calls change their period.
    CadenceChanges,
    /// Regular calls end.
    CadenceEnds,
    /// A host tried many others.
    Sweep,
    /// A host guessed passwords.
    Guessing,
    /// A session after that, from the same source.
    SessionAfterGuessing,
    /// A session between two inside hosts that opens a new path or a management port.
    InsideSession,
    /// A host pulled far more than usual from another inside.
    InsidePull,
    /// Data left in an hour.
    Upload,
    /// A service became reachable from outside.
    Exposure,
    /// A principal or a credential was used as never before.
    CredentialUsed,
    /// Somebody was refused, or failed to log in.
    AccessDenied,
    /// A user, key or right was made or changed.
    AccountMade,
    /// Repositories, objects or pages were taken in bulk.
    Download,
    /// A log ended or has a gap.
    LogGap,
    /// Any other finding.
    Finding,
    /// A person judged.
    Verdict,
    /// Another incident became part of this one.
    Merge,
}
