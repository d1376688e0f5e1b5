//! How surprising a kind of evidence is: how seldom a benign host shows it.

use super::facts::HostKey;
use super::kind::Kind;
use crate::detect::Severity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most that one piece of evidence weighs: rates below 10^−4.5 cannot be learnt from what anyone keeps.
const MAX_WEIGHT: f64 = 4.5;

/// The shipped rates are worth so many windows of a host.
const PRIOR_HOST_WINDOWS: f64 = 200.0;

/// How often benign hosts showed each kind of evidence in an installation; empty until something is learnt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// Windows of hosts that were counted.
    pub host_windows: u64,
    /// Of those, the windows with findings of a kind of at least a severity.
    pub shown: BTreeMap<Kind, BTreeMap<Severity, u64>>,
}

impl Rates {
    /// Adds a window: `signs` are the findings of benign hosts by kind and severity, `hosts` the number of all benign
    /// hosts. A host counts once for each kind, with the worst that it shows.
    pub fn add_window(&mut self, signs: impl IntoIterator<Item = (HostKey, Kind, Severity)>, hosts: u64) {
        let mut worst: BTreeMap<(HostKey, Kind), Severity> = BTreeMap::new();
        for (host, kind, severity) in signs {
            let known = worst.entry((host, kind)).or_insert(severity);
            *known = severity.max(*known);
        }
        for ((_, kind), worst) in worst {
            let by_severity = self.shown.entry(kind).or_default();
            for severity in Severity::ALL.into_iter().filter(|one| (Severity::Low..=worst).contains(one)) {
                *by_severity.entry(severity).or_default() += 1;
            }
        }
        self.host_windows += hosts;
    }

    /// Returns the weight of evidence: −log₁₀ of the share of windows of benign hosts that show the kind with at least the
    /// severity, 0–4.5.
    ///
    /// The share is (k + 200·p) / (n + 200): k of n windows seen here, and the shipped share p worth 200 windows. The
    /// weight is the surprisal of the evidence, as NoDoze (Hassan et al., NDSS 2019) scores events by how rare they are
    /// where they happen.
    #[must_use]
    pub fn weight(&self, kind: Kind, severity: Severity) -> f64 {
        let shown = self.shown.get(&kind).and_then(|by_severity| by_severity.get(&severity)).copied().unwrap_or(0);
        let prior = shipped(kind, severity);
        let share = (shown as f64 + PRIOR_HOST_WINDOWS * prior) / (self.host_windows as f64 + PRIOR_HOST_WINDOWS);
        (-share.log10()).clamp(0.0, MAX_WEIGHT)
    }
}

/// Returns the share of windows of benign hosts that show a kind with at least a severity, as long as nothing is learnt.
///
/// Regular contact is what benign hosts show most: of 6,000 days of generated hosts, a third of which call a remote of
/// their own, 15 to 17 % showed one of severity low, 11 to 12 % medium and 0.5 % high; most networks have fewer callers.
/// The other shares are first guesses that held on the same corpora.
fn shipped(kind: Kind, severity: Severity) -> f64 {
    match (kind, severity) {
        (_, Severity::Informational) => 1.0,
        // Health checks beat everywhere.
        (Kind::Inside, Severity::Low) => 0.9,
        (Kind::Inside, Severity::Medium) => 0.3,
        (Kind::Inside, Severity::High) => 0.05,
        (Kind::Inside, Severity::Critical) => 0.01,
        (Kind::CommandAndControl, Severity::Low) => 0.15,
        (Kind::CommandAndControl, Severity::Medium) => 0.1,
        (Kind::CommandAndControl, Severity::High) => 0.003,
        (_, Severity::Low) => 0.05,
        (_, Severity::Medium) => 0.01,
        (_, Severity::High) => 0.000_8,
        (_, Severity::Critical) => 0.000_05,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_the_shipped_shares() {
        let weight = |severity| Rates::default().weight(Kind::Exfiltration, severity);
        let severities = Severity::ALL.map(weight);
        for (got, expected) in severities.into_iter().zip([0.0, 1.301_030, 2.0, 3.096_910, 4.301_030]) {
            assert!((got - expected).abs() < 1e-6, "{got} is not {expected}");
        }
        assert!(Rates::default().weight(Kind::Inside, Severity::Low) < 0.1);
        assert!((Rates::default().weight(Kind::CommandAndControl, Severity::Medium) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_window_counts_each_host_once_a_kind_with_its_worst() {
        let host = |last: u32| HostKey {
            account_id: String::new(),
            region: String::new(),
            address: flow::Address::from_v4_bits(last),
        };
        let mut rates = Rates::default();
        let signs = [
            (host(1), Kind::Exfiltration, Severity::Low),
            (host(1), Kind::Exfiltration, Severity::High),
            (host(2), Kind::Exfiltration, Severity::Medium),
            (host(2), Kind::Odd, Severity::Informational),
        ];
        rates.add_window(signs, 300);
        let counts = [(Severity::Low, 2), (Severity::Medium, 2), (Severity::High, 1)].into();
        let shown = [(Kind::Exfiltration, counts), (Kind::Odd, BTreeMap::new())].into();
        assert_eq!(rates, Rates { host_windows: 300, shown });
    }

    #[test]
    fn what_is_seen_often_weighs_less() {
        let shown = [(Kind::Exfiltration, [(Severity::Medium, 80)].into())].into();
        let rates = Rates { host_windows: 1_800, shown };
        // (80 + 200 · 0.01) / (1,800 + 200) = 0.041.
        assert!((rates.weight(Kind::Exfiltration, Severity::Medium) - 1.387_216).abs() < 1e-6);
        // (0 + 200 · 0.01) / 2,000 = 0.001.
        assert!((rates.weight(Kind::Discovery, Severity::Medium) - 3.0).abs() < 1e-9);
        // 200 · 0.00005 / 2,000 = 0.000005, beyond what may be known.
        assert!((rates.weight(Kind::Discovery, Severity::Critical) - 4.5).abs() < 1e-9);
    }
}
