//! Which pairs and hosts are drawn: those of the incidents' findings, in the order of the incidents, then those of the
//! worst other findings.

use super::{MAX_BEATS, MAX_UPLOADS};
use crate::detect::Finding;
use crate::incident::Incident;
use crate::incident::model::TimelineKind;
use crate::report::html::membership::Membership;
use crate::report::html::words;
use flow::Address;
use flow::codes::Role;
use std::collections::{BTreeSet, HashSet};

/// A pair, as `pairs` has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PairKey {
    pub(super) host: HostKey,
    pub(super) remote: Address,
    pub(super) port: u16,
    pub(super) protocol: u8,
    pub(super) role: Role,
}

/// A host, as tables tell it: by account, region and address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct HostKey {
    pub(super) account_id: String,
    pub(super) region: String,
    pub(super) host: Address,
}

/// A finding whose starts are drawn: those of all its pairs together.
#[derive(Debug)]
pub(super) struct WantedBeat {
    pub(super) subject: String,
    pub(super) title: String,
    pub(super) pairs: Vec<PairKey>,
}

/// What is drawn, and how much else there is.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) beats: Vec<WantedBeat>,
    pub(super) uploads: Vec<HostKey>,
    pub(super) beats_left_out: u64,
    pub(super) uploads_left_out: u64,
}

impl Wanted {
    pub(super) fn of(incidents: &[Incident], findings: &[Finding]) -> Self {
        let mut beats: Vec<WantedBeat> = Vec::new();
        let mut uploads: Vec<HostKey> = Vec::new();
        let (mut subjects, mut hosts) = (HashSet::new(), BTreeSet::new());
        let mut add_host = |key: HostKey| {
            if hosts.insert(key.clone()) {
                uploads.push(key);
            }
        };
        for incident in incidents {
            let uploading = |address: Address| {
                incident.timeline.iter().any(|entry| entry.kind == TimelineKind::Upload && entry.actor == address)
            };
            for host in incident.hosts.iter().filter(|host| uploading(host.host)) {
                add_host(HostKey {
                    account_id: host.account_id.clone().unwrap_or_default(),
                    region: host.region.clone().unwrap_or_default(),
                    host: host.host,
                });
            }
        }
        // The findings of incidents come first, those of the worst incident before the others.
        let membership = Membership::of(incidents);
        let mut ordered: Vec<(usize, &Finding)> =
            (findings.iter()).map(|finding| (membership.incident(finding).unwrap_or(usize::MAX), finding)).collect();
        ordered.sort_by_key(|(incident, _)| *incident);
        for (_, finding) in ordered {
            if finding.evidence.get("period_s").is_some_and(serde_json::Value::is_number) {
                let pairs = pairs_of(finding);
                if !pairs.is_empty() && subjects.insert(finding.subject.clone()) {
                    let title = format!("{} {}", words::who(finding), words::other_side(finding));
                    beats.push(WantedBeat { subject: finding.subject.clone(), title, pairs });
                }
            }
            if sends_out(finding)
                && let Some(key) = host_of(finding, finding.host)
            {
                add_host(key);
            }
        }
        let beats_left_out = beats.len().saturating_sub(MAX_BEATS) as u64;
        let uploads_left_out = uploads.len().saturating_sub(MAX_UPLOADS) as u64;
        beats.truncate(MAX_BEATS);
        uploads.truncate(MAX_UPLOADS);
        Self { beats, uploads, beats_left_out, uploads_left_out }
    }
}

/// Returns whether a finding says that data left.
fn sends_out(finding: &Finding) -> bool {
    const TECHNIQUES: [&str; 5] = ["T1048", "T1041", "T1567", "T1030", "T1029"];
    let names = |technique: &String| TECHNIQUES.iter().any(|known| technique.starts_with(known));
    finding.host.is_some() && finding.evidence.contains_key("bytes_out") && finding.techniques.iter().any(names)
}

fn host_of(finding: &Finding, host: Option<Address>) -> Option<HostKey> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Some(HostKey { account_id: text(&finding.account_id), region: text(&finding.region), host: host? })
}

/// Returns the pairs that a finding with a cadence is about: its host with the remote, or with each of several.
fn pairs_of(finding: &Finding) -> Vec<PairKey> {
    let (Some(port), Some(protocol), Some(role)) = (finding.port, finding.protocol, finding.role) else {
        return Vec::new();
    };
    let pair = |host: Option<Address>, remote: Address| {
        host_of(finding, host).map(|host| PairKey { host, remote, port, protocol, role })
    };
    match finding.remote {
        Some(remote) if finding.members.is_empty() => pair(finding.host, remote).into_iter().collect(),
        Some(remote) => finding.members.iter().filter_map(|host| pair(Some(*host), remote)).collect(),
        None => finding.members.iter().filter_map(|remote| pair(finding.host, *remote)).collect(),
    }
}
