use super::*;
use flow::time::parse_time;

const SUBJECT: &str = "0123456789abcdef0123456789abcdef";
const INCIDENT: &str = "ffffffffffffffffffffffffffffffff";

fn verdicts(lines: &str) -> Verdicts {
    let mut verdicts = Verdicts::default();
    verdicts.add(Path::new("v.csv"), &format!("# ours\n\nkind,value,verdict,until,by,note\n{lines}")).unwrap();
    verdicts
}

fn lowering(verdicts: &Verdicts, subject: &str, host: &str, remote: &str, at: &str) -> Option<u64> {
    let suspect = Suspect {
        subject,
        account_id: Some("111122223333"),
        host: host.parse().ok(),
        remote: remote.parse().ok(),
        at_s: parse_time(at, 0).unwrap(),
    };
    verdicts.lowering(&suspect).map(|entry| entry.line)
}

#[test]
fn findings_are_lowered_by_subject_host_and_remote_until_the_last_day() {
    let verdicts = verdicts(&format!(
        "subject,{SUBJECT},false_positive,2026-12-31,bob,\nhost,10.0.5.0/24,benign,2026-12-31,,\n\
         host,999999999999/10.0.6.1,benign,2026-12-31,,\nhost,111122223333/10.0.7.1,benign,2026-12-31,,\n\
         remote,203.0.113.0/24,benign,2026-06-30T12:00:00Z,alice,\"backup, ticket 42\"\n"
    ));
    let of = |subject: &str, host: &str, remote: &str| lowering(&verdicts, subject, host, remote, "2026-06-01");
    assert_eq!(of(SUBJECT, "10.0.0.1", "none"), Some(4));
    assert_eq!(of("", "10.0.5.9", "none"), Some(5));
    assert_eq!((of("", "10.0.6.1", "none"), of("", "10.0.7.1", "none")), (None, Some(7)));
    assert_eq!(of("", "10.0.0.1", "203.0.113.9"), Some(8));
    let at = |time: &str| lowering(&verdicts, "", "10.0.0.1", "203.0.113.9", time);
    assert_eq!((at("2026-06-30T12:00:00Z"), at("2026-06-30T12:00:01Z")), (Some(8), None));
    assert_eq!(verdicts.entries()[4].reason(), "benign by v.csv:8 (alice): backup, ticket 42");
    let expired: Vec<String> =
        verdicts.expired(parse_time("2026-07-01", 0).unwrap()).iter().map(ToString::to_string).collect();
    assert_eq!(
        expired,
        ["v.csv:8: `remote,203.0.113.0/24,benign,2026-06-30T12:00:00Z,alice,\"backup, ticket 42\"` has expired, and \
          counts only for what was last seen before; expected a later `until`, or the line removed"]
    );
}

#[test]
fn a_verdict_about_an_incident_counts_for_its_findings() {
    let mut verdicts = verdicts(&format!("incident,{INCIDENT},benign,2026-12-31,,drill\n"));
    let at_s = parse_time("2026-06-01", 0).unwrap();
    assert_eq!(verdicts.of_incident(INCIDENT, at_s).unwrap().verdict, Verdict::Benign);
    assert!(verdicts.of_incident(SUBJECT, at_s).is_none());
    assert_eq!(lowering(&verdicts, SUBJECT, "10.0.0.1", "none", "2026-06-01"), None);
    verdicts.cover(INCIDENT, [&SUBJECT.to_owned()]);
    assert_eq!(lowering(&verdicts, SUBJECT, "10.0.0.1", "none", "2026-06-01"), Some(4));
    assert_eq!(lowering(&verdicts, SUBJECT, "10.0.0.1", "none", "2027-06-01"), None);
}

#[test]
fn wrong_lines_are_refused_with_their_place() {
    let header = "kind,value,verdict,until,by,note";
    for (text, message) in [
        ("kind,value\n", "v:1: got `kind,value`, expected the header `kind,value,verdict,until,by,note`"),
        (
            "host,10.0.0.1,benign\n",
            "v:2: got `host,10.0.0.1,benign`, expected 6 fields as in the header; fields with commas in double quotes",
        ),
        (
            "network,10.0.0.1,benign,2026-12-31,,",
            "v:2: got `network`, expected the kind `incident`, `subject`, `host` or `remote`",
        ),
        (
            "incident,12,benign,2026-12-31,,",
            "v:2: got `12`, expected 32 hex characters, as `id` of incidents and `subject` of findings have",
        ),
        (
            "host,1/10.0.0.1,benign,2026-12-31,,",
            "v:2: got `1/10.0.0.1`, expected an address or a network, such as 10.0.5.20 or 111122223333/10.0.5.20",
        ),
        (
            "remote,10.0.0.1,fine,2026-12-31,,",
            "v:2: got `fine`, expected the verdict `false_positive`, `benign` or `resolved`",
        ),
        (
            "remote,10.0.0.1,resolved,2026-12-31,,",
            "v:2: got `resolved`, expected the verdict `false_positive` or `benign`; `resolved` is for incidents only",
        ),
        (
            "remote,10.0.0.1,benign,,,",
            "v:2: got ``, expected the last valid day or moment, such as 2026-12-31; it is required",
        ),
    ] {
        let text = if text.starts_with("kind") { text.to_owned() } else { format!("{header}\n{text}") };
        let error = Verdicts::default().add(Path::new("v"), &text).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    // A byte order mark and an empty file are fine.
    Verdicts::default().add(Path::new("v"), "").unwrap();
}
