//! What a finding is evidence of: its kind, and the tactic of an intrusion that it shows.

use super::model::Tactic;
use crate::detect::Finding;
use flow::codes::Role;
use serde::{Deserialize, Serialize};

/// Independent kinds of evidence. Two findings of one kind add little to each other, two of different kinds add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Sweeps and scans.
    Discovery,
    /// Guessing of passwords.
    Credential,
    /// An implant calls, or an operator works through one.
    CommandAndControl,
    /// Data leave.
    Exfiltration,
    /// A list names the remote.
    Listed,
    /// Floods and spam.
    Impact,
    /// A service became reachable from outside.
    Exposure,
    /// Regular or long contact with an inside remote, as health checks have: little evidence, but a proxy is one, too.
    Inside,
    /// Any other finding.
    Odd,
    /// Somebody came in with what is another's: a key, a token, a password, an account.
    Access,
    /// Users, keys and rights are made to stay.
    Persistence,
    /// Data are gathered.
    Collection,
    /// Logs are silenced.
    Evasion,
}

/// What a built-in detection shows: its kind and its tactic.
const BUILT_IN: &[(&str, Kind, Tactic)] = &[
    ("beacon", Kind::CommandAndControl, Tactic::CommandAndControl),
    ("brute_force", Kind::Credential, Tactic::CredentialAccess),
    ("bulk_egress", Kind::Exfiltration, Tactic::Exfiltration),
    ("equal_requests", Kind::CommandAndControl, Tactic::CommandAndControl),
    ("exposed_service", Kind::Exposure, Tactic::InitialAccess),
    ("external_dns", Kind::Odd, Tactic::CommandAndControl),
    ("indicator_contact", Kind::Listed, Tactic::CommandAndControl),
    ("access_log_gap", Kind::Odd, Tactic::DefenseEvasion),
    ("log_gap", Kind::Odd, Tactic::DefenseEvasion),
    ("long_connection", Kind::CommandAndControl, Tactic::CommandAndControl),
    ("mining_contact", Kind::Listed, Tactic::Impact),
    ("outbound_flood", Kind::Impact, Tactic::Impact),
    ("pair_surge", Kind::Exfiltration, Tactic::Exfiltration),
    ("peer_egress", Kind::Exfiltration, Tactic::Exfiltration),
    ("pooled_beacon", Kind::CommandAndControl, Tactic::CommandAndControl),
    ("port_scan", Kind::Discovery, Tactic::Discovery),
    ("port_sweep", Kind::Discovery, Tactic::Discovery),
    ("rare_egress", Kind::Exfiltration, Tactic::Exfiltration),
    ("rejected_egress", Kind::Odd, Tactic::CommandAndControl),
    ("rotating_beacon", Kind::CommandAndControl, Tactic::CommandAndControl),
    ("slow_drip", Kind::Exfiltration, Tactic::Exfiltration),
    ("spam", Kind::Impact, Tactic::Impact),
    ("strobe", Kind::CommandAndControl, Tactic::CommandAndControl),
    ("tor_contact", Kind::Listed, Tactic::CommandAndControl),
    ("unanswered_calls", Kind::CommandAndControl, Tactic::CommandAndControl),
    ("unusual_remote_port", Kind::Odd, Tactic::CommandAndControl),
    ("upload_asymmetry", Kind::Exfiltration, Tactic::Exfiltration),
];

/// What the detections over the logs beside flow logs show.
const OF_ACCESS: &[(&str, Kind, Tactic)] = &[
    ("account_by_service", Kind::Persistence, Tactic::Persistence),
    ("cloud_credential_made", Kind::Persistence, Tactic::Persistence),
    ("console_without_mfa", Kind::Access, Tactic::InitialAccess),
    ("credential_two_places", Kind::Access, Tactic::CredentialAccess),
    ("guessing", Kind::Credential, Tactic::CredentialAccess),
    ("identity_weakened", Kind::Persistence, Tactic::Persistence),
    ("instance_credentials_outside", Kind::Access, Tactic::CredentialAccess),
    ("mass_download", Kind::Collection, Tactic::Collection),
    ("mass_reading", Kind::Collection, Tactic::Collection),
    ("okta_denied", Kind::Access, Tactic::InitialAccess),
    ("probing", Kind::Discovery, Tactic::Discovery),
    ("shared_source", Kind::Access, Tactic::InitialAccess),
    ("stale_credential", Kind::Access, Tactic::InitialAccess),
    ("trail_silenced", Kind::Evasion, Tactic::DefenseEvasion),
    ("unusual_access", Kind::Access, Tactic::InitialAccess),
    ("unusual_client", Kind::Access, Tactic::InitialAccess),
    ("woken_principal", Kind::Access, Tactic::InitialAccess),
];

/// Tactics of ATT&CK techniques, by their first characters, for detections that are not built in.
const TECHNIQUES: &[(&str, Tactic)] = &[
    ("T1190", Tactic::InitialAccess),
    ("T1133", Tactic::InitialAccess),
    ("T1078", Tactic::InitialAccess),
    ("T1199", Tactic::InitialAccess),
    ("T1098", Tactic::Persistence),
    ("T1136", Tactic::Persistence),
    ("T1505", Tactic::Persistence),
    ("T1556", Tactic::Persistence),
    ("T1484", Tactic::Persistence),
    ("T1526", Tactic::Discovery),
    ("T1538", Tactic::Discovery),
    ("T1580", Tactic::Discovery),
    ("T1087", Tactic::Discovery),
    ("T1619", Tactic::Discovery),
    ("T1528", Tactic::CredentialAccess),
    ("T1539", Tactic::CredentialAccess),
    ("T1552", Tactic::CredentialAccess),
    ("T1555", Tactic::CredentialAccess),
    ("T1621", Tactic::CredentialAccess),
    ("T1550", Tactic::LateralMovement),
    ("T1530", Tactic::Collection),
    ("T1119", Tactic::Collection),
    ("T1046", Tactic::Discovery),
    ("T1018", Tactic::Discovery),
    ("T1595", Tactic::Discovery),
    ("T1110", Tactic::CredentialAccess),
    ("T1021", Tactic::LateralMovement),
    ("T1570", Tactic::LateralMovement),
    ("T1005", Tactic::Collection),
    ("T1039", Tactic::Collection),
    ("T1213", Tactic::Collection),
    ("T1008", Tactic::CommandAndControl),
    ("T1071", Tactic::CommandAndControl),
    ("T1090", Tactic::CommandAndControl),
    ("T1105", Tactic::CommandAndControl),
    ("T1571", Tactic::CommandAndControl),
    ("T1572", Tactic::CommandAndControl),
    ("T1573", Tactic::CommandAndControl),
    ("T1029", Tactic::Exfiltration),
    ("T1030", Tactic::Exfiltration),
    ("T1041", Tactic::Exfiltration),
    ("T1048", Tactic::Exfiltration),
    ("T1567", Tactic::Exfiltration),
    ("T1562", Tactic::DefenseEvasion),
    ("T1496", Tactic::Impact),
    ("T1498", Tactic::Impact),
    ("T1499", Tactic::Impact),
];

impl Kind {
    /// Returns the kind of a finding; `is_inside` says whether its remote lies inside.
    #[must_use]
    pub fn of(finding: &Finding, is_inside: bool) -> Self {
        match built_in(&finding.detection) {
            Some((_, Kind::CommandAndControl, _)) if is_inside => Kind::Inside,
            // Nobody is called: whoever keeps a connection to the host open is no controller of it.
            Some((_, Kind::CommandAndControl, _)) if finding.role == Some(Role::Server) => Kind::Odd,
            Some((_, kind, _)) => *kind,
            None => Kind::Odd,
        }
    }
}

/// Returns the tactic that a finding shows; `None` where its techniques are of none that is known here.
#[must_use]
pub fn tactic(finding: &Finding) -> Option<Tactic> {
    if let Some((.., tactic)) = built_in(&finding.detection) {
        return Some(*tactic);
    }
    let of = |technique: &String| TECHNIQUES.iter().find(|(start, _)| technique.starts_with(start));
    finding.techniques.iter().find_map(of).map(|(_, tactic)| *tactic)
}

fn built_in(detection: &str) -> Option<&'static (&'static str, Kind, Tactic)> {
    BUILT_IN.iter().chain(OF_ACCESS).find(|(name, ..)| *name == detection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect;
    use std::collections::BTreeSet;

    #[test]
    fn every_built_in_detection_has_a_kind() {
        let known: BTreeSet<&str> = BUILT_IN.iter().chain(OF_ACCESS).map(|(name, ..)| *name).collect();
        let detections = detect::built_in().unwrap();
        assert_eq!(detections.iter().map(|one| one.name.as_str()).collect::<BTreeSet<&str>>(), known);
    }

    #[test]
    fn the_tactic_is_one_of_the_techniques_of_the_detection() {
        for detection in detect::built_in().unwrap() {
            let (.., tactic) = built_in(&detection.name).unwrap();
            let of = |technique: &String| TECHNIQUES.iter().find(|(start, _)| technique.starts_with(start));
            let told: Vec<Tactic> = detection.techniques.iter().filter_map(of).map(|(_, tactic)| *tactic).collect();
            assert!(told.contains(tactic), "{}: {tactic:?} is none of {told:?}", detection.name);
        }
    }
}
