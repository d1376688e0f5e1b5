//! The names of ATT&CK's techniques that detections name.

/// Ids without the part of a sub-technique, and their names, sorted.
const NAMES: &[(&str, &str)] = &[
    ("T1005", "Data from Local System"),
    ("T1008", "Fallback Channels"),
    ("T1018", "Remote System Discovery"),
    ("T1021", "Remote Services"),
    ("T1029", "Scheduled Transfer"),
    ("T1030", "Data Transfer Size Limits"),
    ("T1039", "Data from Network Shared Drive"),
    ("T1041", "Exfiltration Over C2 Channel"),
    ("T1046", "Network Service Discovery"),
    ("T1048", "Exfiltration Over Alternative Protocol"),
    ("T1071", "Application Layer Protocol"),
    ("T1078", "Valid Accounts"),
    ("T1087", "Account Discovery"),
    ("T1090", "Proxy"),
    ("T1098", "Account Manipulation"),
    ("T1105", "Ingress Tool Transfer"),
    ("T1110", "Brute Force"),
    ("T1119", "Automated Collection"),
    ("T1133", "External Remote Services"),
    ("T1136", "Create Account"),
    ("T1190", "Exploit Public-Facing Application"),
    ("T1199", "Trusted Relationship"),
    ("T1213", "Data from Information Repositories"),
    ("T1484", "Domain or Tenant Policy Modification"),
    ("T1496", "Resource Hijacking"),
    ("T1498", "Network Denial of Service"),
    ("T1499", "Endpoint Denial of Service"),
    ("T1505", "Server Software Component"),
    ("T1526", "Cloud Service Discovery"),
    ("T1528", "Steal Application Access Token"),
    ("T1530", "Data from Cloud Storage"),
    ("T1538", "Cloud Service Dashboard"),
    ("T1539", "Steal Web Session Cookie"),
    ("T1550", "Use Alternate Authentication Material"),
    ("T1552", "Unsecured Credentials"),
    ("T1555", "Credentials from Password Stores"),
    ("T1556", "Modify Authentication Process"),
    ("T1562", "Impair Defenses"),
    ("T1567", "Exfiltration Over Web Service"),
    ("T1570", "Lateral Tool Transfer"),
    ("T1571", "Non-Standard Port"),
    ("T1572", "Protocol Tunneling"),
    ("T1573", "Encrypted Channel"),
    ("T1580", "Cloud Infrastructure Discovery"),
    ("T1595", "Active Scanning"),
    ("T1619", "Cloud Storage Object Discovery"),
    ("T1621", "Multi-Factor Authentication Request Generation"),
];

/// Returns the name of a technique; its id, as of a detection of the user's own, where the name is not known.
pub(super) fn technique_name(id: &str) -> &str {
    let found = NAMES.binary_search_by_key(&id, |(known, _)| known);
    found.ok().and_then(|at| NAMES.get(at)).map_or(id, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_technique_of_a_detection_has_a_name() {
        assert!(NAMES.is_sorted());
        for detection in crate::detect::built_in().unwrap() {
            for technique in &detection.techniques {
                let main = technique.split('.').next().unwrap();
                assert_ne!(technique_name(main), main, "{}", detection.name);
            }
        }
        assert_eq!(technique_name("T0000"), "T0000");
    }
}
