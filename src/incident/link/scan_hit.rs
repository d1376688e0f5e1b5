//! A suspect host whose sweep, scan or guessing hit another suspect.

use super::{Links, MIN_STRENGTH, SESSION_BYTES, SLACK_S, Sign, Tie, first_start_s, port_text};
use crate::detect::Severity;
use crate::incident::facts::{HostKey, PairFact};
use crate::incident::kind::Kind;
use crate::incident::model::LinkKind;
use crate::incident::signal::Signal;
use flow::codes::Role;

/// Adds links from a suspect to a suspect of its account and region that its scan, sweep or guessing names or covers and
/// that answered, before a sign of its own. Services that many hosts use answer everyone and do not count; nor
/// does what a crowd answers.
pub(super) fn add(links: Links<'_>, ties: &mut Vec<Tie>) {
    for suspect in links.suspects.values().filter(|suspect| !links.facts.calls_everyone(&suspect.host)) {
        let from = &suspect.host;
        // Who logs in at a crowd over one port logs in wherever another answers.
        let crowded = links.crowded_ports(from);
        let scans = || suspect.signals.iter().filter(|signal| signal.kind == Kind::Discovery);
        let scanned = |port: &u16| scans().any(|scan| links.findings[scan.finding].port.is_none_or(|one| one == *port));
        let by_crowd = crowded.iter().any(scanned);
        let is_probe = |signal: &&Signal| {
            matches!(signal.kind, Kind::Discovery | Kind::Credential) && signal.severity >= Severity::Medium
        };
        for signal in suspect.signals.iter().filter(is_probe) {
            for (pair, to) in links.paths_of(from) {
                let near = from.account_id == to.account_id && from.region == to.region;
                let of_crowd = by_crowd && signal.kind == Kind::Discovery;
                let says_nothing = of_crowd || links.facts.is_hub(to, pair.port);
                if !near || !covers(links, signal, pair) || says_nothing {
                    continue;
                }
                let Some(at_s) = first_start_s(pair, signal.since_s - SLACK_S) else { continue };
                if let Some(sign) = links.sign_after(to, at_s) {
                    ties.push(tie(from, to, signal, pair, (at_s, sign)));
                }
            }
        }
    }
}

/// Returns whether a scan is of the remote of a pair, or a sweep of its port, and found more than an open port.
fn covers(links: Links<'_>, signal: &Signal, pair: &PairFact) -> bool {
    let finding = &links.findings[signal.finding];
    let same_port = finding.port.is_none_or(|port| port == pair.port);
    let same_remote = finding.remote.is_none_or(|remote| remote == pair.remote);
    let of_client = finding.role == Some(Role::Client);
    pair.bytes_in >= SESSION_BYTES
        && of_client
        && same_port
        && same_remote
        && finding.protocol.is_none_or(|protocol| protocol == pair.protocol)
}

fn tie(from: &HostKey, to: &HostKey, signal: &Signal, pair: &PairFact, (at_s, sign): (i64, Sign)) -> Tie {
    let what = if signal.kind == Kind::Credential { "guessed passwords of" } else { "scanned" };
    Tie {
        kind: LinkKind::ScanHit,
        from: from.clone(),
        to: to.clone(),
        via: None,
        strength: MIN_STRENGTH,
        at_s,
        explanation: format!(
            "{} {what} {}, which answered on {} before its {} sign.",
            from.address,
            to.address,
            port_text(pair.port),
            sign.name
        ),
    }
}
