use super::*;

fn label(src: &str, dst: &str, port: u16, label: &str) -> Label {
    Label {
        src: src.parse().unwrap(),
        dst: dst.parse().unwrap(),
        port: Some(port),
        protocol: Some(6),
        label: label.into(),
        source: String::new(),
    }
}

fn finding(detection: &str, severity: FindingSeverity, host: &str, remote: &str, port: Option<u16>) -> JudgedFinding {
    JudgedFinding {
        detection: detection.into(),
        severity,
        score: 0.5,
        host: host.parse().ok(),
        remote: remote.parse().ok(),
        port,
        protocol: Some(6),
        listed: Vec::new(),
        subject: None,
        incident_id: None,
        told: Default::default(),
    }
}

fn labels() -> Vec<Label> {
    vec![
        label("10.0.0.1", "1.0.0.1", 443, "c2-sliver"),
        label("10.0.0.2", "1.0.0.2", 443, "c2-sliver"),
        label("10.0.0.3", "1.0.0.3", 443, "exfil-split"),
        label("10.0.0.3", "1.0.0.4", 443, "exfil-split"),
        label("10.0.0.4", "1.0.0.5", 443, "exfil-split"),
        label("10.0.0.5", "1.0.0.6", 123, "benign-periodic"),
    ]
}

#[test]
fn recall_and_precision_follow_the_rules() {
    use FindingSeverity::{High, Low, Medium};
    let findings = vec![
        finding("beacon", High, "10.0.0.9", "9.9.9.9", Some(443)),
        finding("beacon", Medium, "10.0.0.1", "1.0.0.1", Some(443)),
        // Seen from the other side, without a port.
        finding("beacon", Medium, "1.0.0.1", "10.0.0.1", None),
        // Another port: about the attack, but not about the attack's connections.
        finding("port_scan", Medium, "10.0.0.2", "1.0.0.2", Some(80)),
        finding("beacon", Low, "10.0.0.2", "1.0.0.2", Some(443)),
        finding("rare_egress", Medium, "10.0.0.3", "-", None),
        finding("beacon", Medium, "10.0.0.5", "1.0.0.6", Some(123)),
    ];
    let result = judge(&findings, &labels(), Medium);
    assert_eq!((result.findings, result.findings_below, result.true_findings), (6, 1, 4));
    assert_eq!((result.attacks, result.found, result.first_true_rank), (4, 2, Some(2)));
    let recall: Vec<_> = result.by_label.iter().map(|l| (l.label.as_str(), l.planted, l.found)).collect();
    assert_eq!(recall, [("c2-sliver", 2, 1), ("exfil-split", 2, 1)]);
    let beacon = &result.by_detection[0];
    assert_eq!((beacon.findings, beacon.true_findings, beacon.attacks_found), (4, 2, 1));
    assert_eq!(beacon.benign_periodic, 1);
    assert_eq!(result.missed.len(), 2);
    assert_eq!(judge(&findings, &labels(), Low).found, 3);
    let table = result.table();
    assert_eq!(table[0], "attack       planted  found  recall  found by");
    assert_eq!(table[1], "c2-sliver          2      1  50.0 %  beacon 1");
    assert!(table.contains(&"recall 50.0 % (2 of 4 attacks)".to_owned()));
}

#[test]
fn files_that_name_every_attack_reach_all_of_recall_and_precision() {
    let folder = tempfile::tempdir().unwrap();
    let (findings, known) = (folder.path().join("findings.jsonl"), folder.path().join("labels.csv"));
    crate::write_labels(&known, &labels()).unwrap();
    let line = |label: &Label| {
        let (host, remote, port) = (label.src, label.dst, label.port.unwrap_or(0));
        format!(
            "{{\"detection\":\"beacon\",\"severity\":\"high\",\"score\":1.0,\"host\":\"{host}\",\
             \"remote\":\"{remote}\",\"port\":{port},\"protocol\":6}}\n"
        )
    };
    let text: String = labels().iter().filter(|label| label.is_attack()).map(line).collect();
    std::fs::write(&findings, text).unwrap();
    let result = evaluate(&findings, &known, FindingSeverity::Medium).unwrap();
    assert_eq!((result.recall, result.precision, result.first_true_rank), (Some(1.0), Some(1.0), Some(1)));
    assert!(result.missed.is_empty());
}

#[test]
fn host_findings_match_by_what_their_evidence_lists() {
    let mut host_level = finding("fan_out", FindingSeverity::High, "10.0.0.1", "-", None);
    assert_eq!(judge(&[host_level.clone()], &labels(), FindingSeverity::Medium).found, 0);
    host_level.listed.push("1.0.0.1".parse().unwrap());
    assert_eq!(judge(&[host_level], &labels(), FindingSeverity::Medium).found, 1);
}

#[test]
fn nothing_found_and_nothing_labelled_have_no_shares() {
    let result = judge(&[], &[], FindingSeverity::Medium);
    assert_eq!((result.precision, result.recall, result.first_true_rank), (None, None, None));
    assert!(result.table().contains(&"precision - (0 of 0 findings; 0 below the minimum severity)".to_owned()));
}

#[test]
fn findings_about_other_stages_are_true_and_need_not_exist() {
    let labels =
        vec![label("10.0.0.1", "1.0.0.1", 443, "c2-campaign"), label("10.0.0.1", "10.0.0.9", 22, "stage-session")];
    let findings = vec![
        finding("brute_force", FindingSeverity::High, "10.0.0.9", "10.0.0.1", Some(22)),
        finding("port_sweep", FindingSeverity::High, "10.0.0.1", "-", Some(22)),
        finding("port_sweep", FindingSeverity::High, "10.0.0.9", "-", Some(22)),
    ];
    let result = judge(&findings, &labels, FindingSeverity::Medium);
    assert_eq!((result.attacks, result.found, result.true_findings, result.findings), (1, 0, 2, 3));
}
