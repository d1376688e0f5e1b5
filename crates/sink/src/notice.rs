//! What is sent: an incident that changed, the digest of a day, or the sign of life of a run.

use crate::digest::{Digest, Heartbeat};
use flow::Severity;
use flow::printable::printable;
use flow::time::rfc3339;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The version of the fields of a notice.
pub const SCHEMA_VERSION: u32 = 1;

/// Most hosts, remotes, principals and links of a notice, each; what is left out is counted.
const MAX_LISTED: usize = 50;
/// Most entries of the story of a notice.
const MAX_STORY: usize = 20;
/// Most bytes of one text, as [`cut_to_bytes`] counts them. With the limits above, a notice stays within 256 KB in every
/// form.
const MAX_TEXT_BYTES: usize = 500;

/// What a run found that may be sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunView {
    /// The names of its sources, without secrets.
    pub sources: Vec<String>,
    /// First second of the window; `None` where neither options nor records tell.
    pub window_from_s: Option<i64>,
    /// First second after the window.
    pub window_to_s: Option<i64>,
    /// Findings that are shown.
    pub findings: u64,
    /// Objects that could not be read.
    pub unread_objects: u64,
    /// Flow logs that fell silent.
    pub silent_logs: u64,
    /// Findings that allow-lists and verdicts hold back.
    pub held_back: u64,
    /// All incidents that the run knows, also closed ones.
    pub incidents: Vec<IncidentView>,
}

/// An incident, as far as it is sent. Times are seconds since 1970-01-01 UTC here and RFC 3339 text in JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IncidentView {
    /// 32 hex characters; the same in every run.
    pub id: String,
    /// How often it changed materially, from 1.
    pub revision: u32,
    /// Whether it goes on: `open`, `closed` or `merged`.
    pub status: String,
    /// Why it ended.
    pub closed_reason: Option<String>,
    /// The incident that it became part of.
    pub merged_into: Option<String>,
    /// What the run changed, such as `opened`.
    pub change: String,
    /// One line.
    pub title: String,
    /// The highest of its life.
    pub severity: Severity,
    /// How surprising its evidence is.
    pub score: f64,
    /// Compromised hosts, in the order of their first sign.
    pub hosts: Vec<Host>,
    /// Outside addresses that take part.
    pub remotes: Vec<Remote>,
    /// Users, roles and service accounts that take part.
    pub principals: Vec<String>,
    /// First second of the evidence.
    pub first_seen: Moment,
    /// Last second of the evidence.
    pub last_seen: Moment,
    /// The end of the window of the run that opened it.
    pub opened_at: Moment,
    /// The end of the window of the run that changed it last.
    pub updated_at: Moment,
    /// ATT&CK tactics in the order of time, such as `command-and-control`.
    pub tactics: Vec<String>,
    /// ATT&CK technique ids, sorted.
    pub techniques: Vec<String>,
    /// Number of its findings in the window.
    pub findings: u64,
    /// What happened, in the order of time.
    pub story: Vec<StoryLine>,
    /// Why its hosts belong together, one sentence each.
    pub links: Vec<String>,
    /// How many hosts, remotes, principals, story lines and links are left out, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, u64>,
}

/// A moment in time, in seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// Returns it as RFC 3339 text.
    #[must_use]
    pub fn text(self) -> String {
        rfc3339(self.0)
    }
}

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        flow::time::parse_time(&text, 0).map(Self).map_err(serde::de::Error::custom)
    }
}

/// A compromised host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Its address.
    pub host: String,
    /// The AWS account.
    pub account_id: Option<String>,
    /// The AWS region.
    pub region: Option<String>,
    /// Its VPC.
    pub vpc_id: Option<String>,
    /// Its network interface.
    pub interface_id: Option<String>,
    /// Its instance.
    pub instance_id: Option<String>,
    /// Its part in the story, such as `first` or `pivot`.
    pub part: String,
    /// When its first sign was seen.
    pub since: Moment,
}

/// An outside address that takes part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Remote {
    /// Its address.
    pub address: String,
    /// The port of its service; `None` where several or none.
    pub port: Option<u16>,
    /// Its part in the story, such as `controller`.
    pub part: String,
    /// The owner of its network, where known.
    pub owner: Option<String>,
}

/// An entry of the story of an incident.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StoryLine {
    /// When it began.
    pub time: Moment,
    /// One plain sentence.
    pub text: String,
}

impl IncidentView {
    /// Returns whether it goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.status == "open"
    }

    /// Returns the order in which the worst comes first: by severity, score and id.
    pub(crate) fn worst_first(&self, other: &Self) -> Ordering {
        let worse = other.severity.cmp(&self.severity).then(other.score.total_cmp(&self.score));
        worse.then_with(|| self.id.cmp(&other.id))
    }

    /// Returns the account and region of its first host, where known.
    #[must_use]
    pub fn account_and_region(&self) -> (Option<&str>, Option<&str>) {
        let host = self.hosts.first();
        (host.and_then(|host| host.account_id.as_deref()), host.and_then(|host| host.region.as_deref()))
    }

    /// Cuts lists and texts to what every receiver takes, counts what is left out, and shows control and bidirectional
    /// characters as escapes.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.title = short(&self.title);
        let mut left_out = std::mem::take(&mut self.left_out);
        let mut cut = |name: &str, len: usize, most: usize| {
            if len > most {
                *left_out.entry(name.to_owned()).or_default() += (len - most) as u64;
            }
        };
        cut("hosts", self.hosts.len(), MAX_LISTED);
        cut("remotes", self.remotes.len(), MAX_LISTED);
        cut("principals", self.principals.len(), MAX_LISTED);
        cut("links", self.links.len(), MAX_LISTED);
        cut("story", self.story.len(), MAX_STORY);
        self.hosts.truncate(MAX_LISTED);
        self.remotes.truncate(MAX_LISTED);
        self.principals.truncate(MAX_LISTED);
        self.links.truncate(MAX_LISTED);
        self.story.truncate(MAX_STORY);
        self.techniques.truncate(MAX_LISTED);
        self.principals.iter_mut().for_each(|text| *text = short(text));
        self.links.iter_mut().for_each(|text| *text = short(text));
        self.story.iter_mut().for_each(|line| line.text = short(&line.text));
        for remote in &mut self.remotes {
            remote.owner = remote.owner.as_deref().map(short);
        }
        for host in &mut self.hosts {
            let texts = [
                &mut host.account_id,
                &mut host.region,
                &mut host.vpc_id,
                &mut host.interface_id,
                &mut host.instance_id,
            ];
            texts.into_iter().for_each(|text| *text = text.as_deref().map(short));
        }
        self.left_out = left_out;
        self
    }
}

/// Returns a text without control characters and of bounded length.
pub(crate) fn short(text: &str) -> String {
    cut_to_bytes(&printable(text), MAX_TEXT_BYTES)
}

/// Returns at most `most` bytes of a text; a cut one ends with `…`. Characters that JSON escapes count four bytes, since
/// some forms hold JSON within JSON.
pub(crate) fn cut_to_bytes(text: &str, most: usize) -> String {
    let bytes_of = |letter: char| if matches!(letter, '"' | '\\') { 4 } else { letter.len_utf8() };
    if text.chars().map(bytes_of).sum::<usize>() <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub('…'.len_utf8());
    let fits = |letter: &char| {
        let bytes = bytes_of(*letter);
        let fits = bytes <= left;
        left = left.saturating_sub(bytes);
        fits
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// Returns at most `most` characters of a text; a cut one ends with `…`.
pub(crate) fn cut_to(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// What became of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The sink hears of it first.
    Opened,
    /// Its severity rose.
    Escalated,
    /// It had been closed and goes on.
    Reopened,
    /// It has a new host, tactic or remote.
    Extended,
    /// It ended, or became part of another.
    Closed,
}

impl Change {
    /// Returns whether people are told: the others only keep records in step.
    #[must_use]
    pub const fn notifies(self) -> bool {
        matches!(self, Self::Opened | Self::Escalated | Self::Reopened)
    }

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Reopened => "reopened",
            Self::Extended => "extended",
            Self::Closed => "closed",
        }
    }
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
    /// An incident changed.
    Incident(Box<IncidentNotice>),
    /// What a day brought.
    Digest(Digest),
    /// A run ended: its absence tells that runs have stopped.
    Heartbeat(Heartbeat),
}

/// An incident that changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentNotice {
    /// The version of the fields: `SCHEMA_VERSION`.
    pub schema_version: u32,
    /// What became of it.
    pub change: Change,
    /// The incident after that.
    pub incident: IncidentView,
}

impl Notice {
    /// Returns the notice of an incident that changed.
    #[must_use]
    pub fn incident(change: Change, incident: IncidentView) -> Self {
        let incident = incident.bounded();
        Self::Incident(Box::new(IncidentNotice { schema_version: SCHEMA_VERSION, change, incident }))
    }

    /// Returns the incident, if it is about one.
    #[must_use]
    pub fn of_incident(&self) -> Option<&IncidentNotice> {
        match self {
            Self::Incident(notice) => Some(notice),
            Self::Digest(_) | Self::Heartbeat(_) => None,
        }
    }

    /// Returns the key by which receivers know a repetition: sent twice, it is the same.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Incident(notice) => {
                let incident = &notice.incident;
                match notice.change.notifies() {
                    true => format!("{}-{}", incident.id, incident.revision),
                    false => format!("{}-{}-{}", incident.id, incident.revision, notice.change.name()),
                }
            }
            Self::Digest(digest) => format!("digest-{}", digest.day),
            Self::Heartbeat(heartbeat) => {
                let end = heartbeat.window_end.map_or_else(|| "none".to_owned(), |end| end.0.to_string());
                let mut hash = flow::fnv::Fnv64::default();
                heartbeat.sources.iter().for_each(|source| hash.write(source.as_bytes()));
                format!("run-{end}-{:016x}", hash.finish())
            }
        }
    }
}
