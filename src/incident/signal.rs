//! The signs that hosts show: their findings, each of a kind, and since when.

use super::facts::{Facts, HostKey, PairFact};
use super::kind::{Kind, tactic};
use super::model::Tactic;
use crate::detect::finding::compare_findings;
use crate::detect::{Finding, Severity};
use flow::Address;
use flow::codes::Role;
use std::collections::{BTreeMap, BTreeSet};

/// A finding about more hosts than an incident holds counts for the host that it names alone.
const MAX_MEMBERS: usize = super::cluster::MAX_HOSTS;

/// A finding as a sign of a host.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Signal {
    /// Its place among the findings.
    pub(super) finding: usize,
    pub(super) kind: Kind,
    pub(super) tactic: Option<Tactic>,
    pub(super) severity: Severity,
    /// Whether it opens an incident, or only supports one.
    pub(super) opens: bool,
    /// When it began: the first contact in all kept history for calls, else the finding's first second.
    pub(super) since_s: i64,
    pub(super) last_s: i64,
    /// The outside remotes that it is about.
    pub(super) outside: Vec<Address>,
    /// The inside remote that it is about.
    pub(super) inside: Option<Address>,
}

impl Signal {
    /// Returns whether a benign host may show the like at any time: regular or long contact of severity medium at most.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.kind, Kind::CommandAndControl | Kind::Inside) && self.severity <= Severity::Medium
    }
}

/// A host with signs that open an incident.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Suspect {
    pub(super) host: HostKey,
    /// The first of the signs that open.
    pub(super) since_s: i64,
    /// In the order of reports.
    pub(super) signals: Vec<Signal>,
}

impl Suspect {
    /// Returns the signs that open an incident.
    pub(super) fn opening(&self) -> impl Iterator<Item = &Signal> {
        self.signals.iter().filter(|signal| signal.opens)
    }

    /// Returns the sign that shows that the host was entered at a second: its first, or where that lies further back, its
    /// first from then on, `slack_s` allowed. Calls inside begin at any time and show nothing. `None` where none follows.
    pub(super) fn sign_after_s(&self, entered_s: i64, slack_s: i64) -> Option<i64> {
        let from_s = entered_s - slack_s;
        if self.since_s >= from_s {
            return Some(self.since_s);
        }
        let later = self.opening().filter(|signal| signal.kind != Kind::Inside && signal.since_s >= from_s);
        later.map(|signal| signal.since_s).min()
    }
}

/// Returns whether a finding may be a sign: low and above, and neither allowed nor judged harmless.
pub(super) fn counts(finding: &Finding) -> bool {
    finding.severity >= Severity::Low && !is_allowed(finding)
}

/// Returns whether the user allows what a finding is about, or judged it harmless.
pub(super) fn is_allowed(finding: &Finding) -> bool {
    finding.is_held_back()
}

/// Returns the hosts that a finding is about: the one that it names first, then those that share the remote or follow one
/// another as addresses of one train.
pub(super) fn hosts_of(finding: &Finding) -> Vec<HostKey> {
    // The host of a finding about a principal is where that one acted from.
    let Some(named) = finding.host.filter(|_| finding.principal.is_none()) else { return Vec::new() };
    let successors = finding.evidence.get("successors").and_then(serde_json::Value::as_array).into_iter().flatten();
    let successors = successors.filter_map(|text| text.as_str()?.parse().ok());
    let pooled = finding.members.iter().copied().filter(|_| finding.remote.is_some());
    let others: BTreeSet<Address> = pooled.chain(successors).filter(|address| *address != named).collect();
    let others = others.into_iter();
    let most = if others.len() < MAX_MEMBERS { MAX_MEMBERS } else { 0 };
    let key = |address: Address| HostKey {
        account_id: finding.account_id.clone().unwrap_or_default(),
        region: finding.region.clone().unwrap_or_default(),
        address,
    };
    std::iter::once(named).chain(others.take(most)).map(key).collect()
}

/// Returns the other sides that a finding is about: its remote, or the remotes that it stands for.
pub(super) fn remotes_of(finding: &Finding) -> Vec<Address> {
    finding.remote.map_or_else(|| finding.members.clone(), |remote| vec![remote])
}

/// Returns the hosts with signs that open an incident, and all their signs, by host. `is_inside` tells remotes that lie
/// inside; `facts` tells of first contacts.
///
/// The result does not depend on the order of the findings, except for their places.
pub(super) fn suspects(
    findings: &[Finding],
    is_inside: &dyn Fn(&HostKey, Address) -> bool,
    facts: &Facts,
) -> BTreeMap<HostKey, Suspect> {
    let mut order: Vec<usize> = (0..findings.len()).filter(|at| counts(&findings[*at])).collect();
    order.sort_by(|a, b| compare_findings(&findings[*a], &findings[*b]));
    let mut by_host: BTreeMap<HostKey, Vec<Signal>> = BTreeMap::new();
    for at in order {
        for host in hosts_of(&findings[at]) {
            let signal = signal(&findings[at], at, &host, is_inside, facts);
            by_host.entry(host).or_default().push(signal);
        }
    }
    let suspect = |(host, signals): (HostKey, Vec<Signal>)| {
        let since_s = signals.iter().filter(|signal| signal.opens).map(|signal| signal.since_s).min()?;
        Some((host.clone(), Suspect { host, since_s, signals }))
    };
    by_host.into_iter().filter_map(suspect).collect()
}

/// Returns when a host began to talk to the remote that a sum over several names: its own first second is that of any of
/// them, and the earliest may have nothing to do with it.
fn named_since_s(finding: &Finding, host: &HostKey, facts: &Facts) -> Option<i64> {
    let remote = finding.remote.filter(|_| finding.host == Some(host.address))?;
    let several = finding.evidence.get("destinations").and_then(serde_json::Value::as_u64);
    several.filter(|several| *several > 1)?;
    let with_it = facts.pairs_of(host).iter().filter(|pair| pair.remote == remote && pair.role == Role::Client);
    let first_s = with_it.map(|pair| pair.first_seen_s).min()?;
    (first_s >= finding.first_seen_s && first_s <= finding.last_seen_s).then_some(first_s)
}

pub(super) fn signal(
    finding: &Finding,
    at: usize,
    host: &HostKey,
    is_inside: &dyn Fn(&HostKey, Address) -> bool,
    facts: &Facts,
) -> Signal {
    let (inside, mut outside): (Vec<Address>, Vec<Address>) =
        remotes_of(finding).into_iter().partition(|remote| is_inside(host, *remote));
    outside.sort_unstable();
    outside.dedup();
    let kind = Kind::of(finding, !inside.is_empty() && outside.is_empty());
    // What calls now may have called before: of a pair that is no habit, the history tells since when.
    let met_s = facts.pairs_of(host).iter().filter(|pair| {
        kind == Kind::CommandAndControl
            && pair.role == Role::Client
            && !pair.is_habit()
            && outside.binary_search(&pair.remote).is_ok()
            && finding.port.is_none_or(|port| port == pair.port)
    });
    let met_s = met_s.map(PairFact::met_s).min();
    let since_s = match met_s {
        // Of several hosts, each began when it called first.
        Some(met_s) if finding.host != Some(host.address) => met_s,
        Some(met_s) => met_s.min(finding.first_seen_s),
        None => named_since_s(finding, host, facts).unwrap_or(finding.first_seen_s),
    };
    Signal {
        finding: at,
        kind,
        tactic: tactic(finding),
        severity: finding.severity,
        opens: finding.severity >= Severity::Medium,
        since_s,
        last_s: finding.last_seen_s,
        outside,
        inside: inside.into_iter().next().filter(|_| finding.remote.is_some()),
    }
}
