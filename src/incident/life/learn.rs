//! How often benign hosts of this installation show each kind of evidence, counted run by run.

use crate::detect::{Finding, Severity};
use crate::incident::facts::HostKey;
use crate::incident::kind::Kind;
use crate::incident::model::{Incident, Status};
use crate::incident::weight::Rates;
use std::collections::{BTreeMap, BTreeSet};

/// What hosts of a run show: the highest severity of each kind.
pub type Shown = BTreeMap<(HostKey, Kind), Severity>;

/// Returns what the findings show of each host; what is held back or informational shows nothing. `is_inside` says
/// whether an address lies inside.
#[must_use]
pub fn shown(findings: &[Finding], is_inside: impl Fn(flow::Address) -> bool) -> Shown {
    let mut shown = Shown::new();
    for finding in findings.iter().filter(|one| one.severity >= Severity::Low && !one.is_held_back()) {
        let Some(address) = finding.host else { continue };
        let host = HostKey {
            account_id: finding.account_id.clone().unwrap_or_default(),
            region: finding.region.clone().unwrap_or_default(),
            address,
        };
        let kind = Kind::of(finding, finding.remote.is_some_and(&is_inside));
        let highest = shown.entry((host, kind)).or_insert(finding.severity);
        *highest = (*highest).max(finding.severity);
    }
    shown
}

/// Adds a run over `hosts` hosts to the rates. Hosts of open incidents are no benign ones and are left out.
pub(super) fn learn(rates: &mut Rates, shown: &Shown, hosts: u64, incidents: &[Incident]) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let open = incidents.iter().filter(|one| one.status == Status::Open).flat_map(|one| &one.hosts);
    let implicated: BTreeSet<HostKey> = open
        .map(|host| HostKey {
            account_id: text(&host.account_id),
            region: text(&host.region),
            address: host.host,
        })
        .collect();
    rates.host_windows += hosts.saturating_sub(implicated.len() as u64);
    for ((_, kind), highest) in shown.iter().filter(|((host, _), _)| !implicated.contains(host)) {
        let counts = rates.shown.entry(*kind).or_default();
        for severity in Severity::ALL.into_iter().filter(|one| (Severity::Low..=*highest).contains(one)) {
            *counts.entry(severity).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::incident;
    use super::*;

    #[test]
    fn benign_hosts_are_counted_at_and_below_their_severity() {
        let host = |address: &str| HostKey {
            account_id: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            address: address.parse().unwrap(),
        };
        let shown: Shown = [
            ((host("10.0.0.1"), Kind::Exfiltration), Severity::High),
            ((host("10.0.0.2"), Kind::Exfiltration), Severity::Medium),
            ((host("10.0.0.3"), Kind::Exfiltration), Severity::Low),
        ]
        .into();
        let mut rates = Rates::default();
        learn(&mut rates, &shown, 100, &[incident("1", &["10.0.0.1"], &["s"])]);
        assert_eq!(rates.host_windows, 99);
        let counts: BTreeMap<Severity, u64> = [(Severity::Low, 2), (Severity::Medium, 1)].into();
        assert_eq!(rates.shown, [(Kind::Exfiltration, counts)].into());
        // Incidents that ended say nothing against their hosts.
        let mut ended = incident("1", &["10.0.0.1"], &["s"]);
        ended.status = Status::Closed;
        learn(&mut rates, &shown, 100, &[ended]);
        assert_eq!((rates.host_windows, rates.shown[&Kind::Exfiltration][&Severity::High]), (199, 1));
    }
}
