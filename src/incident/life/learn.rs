//! How often benign hosts of this installation show each kind of evidence, counted run by run.

use crate::detect::Severity;
use crate::incident::facts::HostKey;
use crate::incident::kind::Kind;
use crate::incident::model::{Incident, Status};
use crate::incident::weight::Rates;
use std::collections::BTreeSet;

/// What the hosts of a window show.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// Their signs, as [`shown_signs`](crate::incident::shown_signs) tells them.
    pub signs: Vec<(HostKey, Kind, Severity)>,
    /// All monitored hosts.
    pub hosts: u64,
}

/// Adds a window to the rates. Hosts of open incidents are no benign ones and are left out.
pub(super) fn learn(rates: &mut Rates, shown: &Shown, incidents: &[Incident]) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let open = incidents.iter().filter(|one| one.status == Status::Open).flat_map(|one| &one.hosts);
    let implicated: BTreeSet<HostKey> = open
        .map(|host| HostKey { account_id: text(&host.account_id), region: text(&host.region), address: host.host })
        .collect();
    let benign = shown.signs.iter().filter(|(host, ..)| !implicated.contains(host)).cloned();
    rates.add_window(benign, shown.hosts.saturating_sub(implicated.len() as u64));
}

#[cfg(test)]
mod tests {
    use super::super::examples::incident;
    use super::*;

    #[test]
    fn hosts_of_open_incidents_teach_nothing() {
        let sign = |address: &str, severity: Severity| {
            let (account_id, region) = ("111122223333".to_owned(), "eu-west-1".to_owned());
            (HostKey { account_id, region, address: address.parse().unwrap() }, Kind::Exfiltration, severity)
        };
        let signs = vec![sign("10.0.0.1", Severity::High), sign("10.0.0.2", Severity::Medium)];
        let shown = Shown { signs, hosts: 100 };
        let mut rates = Rates::default();
        learn(&mut rates, &shown, &[incident("1", &["10.0.0.1"], &["s"])]);
        let counts = [(Severity::Low, 1), (Severity::Medium, 1)].into();
        assert_eq!(rates, Rates { host_windows: 99, shown: [(Kind::Exfiltration, counts)].into() });
        // Incidents that ended say nothing against their hosts.
        let mut ended = incident("1", &["10.0.0.1"], &["s"]);
        ended.status = Status::Closed;
        learn(&mut rates, &shown, &[ended]);
        assert_eq!((rates.host_windows, rates.shown[&Kind::Exfiltration][&Severity::High]), (199, 1));
    }
}
