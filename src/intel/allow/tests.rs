use super::*;
use flow::time::parse_time;

const LIST: &str = r#"# known traffic

203.0.113.0/24 port=443 protocol=tcp host=10.1.0.0/16 # nightly backup
198.51.100.7 detection=beacon until=2026-12-31
any port=123 protocol=UDP # time servers
any host=10.9.9.9 detection=port_scan#scanner
2001:db8::/32 protocol=6 until=2024-04-19T06:00:00Z
any owner="Example Backup" port=80,8400-8499 # agent
any asn=AS64500
"#;

fn list() -> AllowList {
    let mut list = AllowList::default();
    list.add(Path::new("allow.txt"), LIST).unwrap();
    list
}

fn owned(host: &str, remote: &str, port: u16, owner: Option<NetworkOwner<'_>>) -> Option<u64> {
    let (host, remote) = (host.parse().ok(), remote.parse().ok());
    let contact =
        Contact { host, remote, port: Some(port), protocol: Some(6), owner, detection: "beacon", at_s: 1_713_484_800 };
    list().allowed(&contact).map(|entry| entry.line)
}

fn line(host: &str, remote: &str, port: u16, protocol: u8, detection: &str, at: &str) -> Option<u64> {
    let (host, remote) = (host.parse().ok(), remote.parse().ok());
    let at_s = parse_time(at, 0).unwrap();
    let contact = Contact { host, remote, port: Some(port), protocol: Some(protocol), owner: None, detection, at_s };
    list().allowed(&contact).map(|entry| entry.line)
}

#[test]
fn owners_and_systems_are_known_from_networks() {
    let owner = |owner, asn| Some(NetworkOwner { owner, service: None, region: None, asn });
    assert_eq!(owned("10.0.0.1", "9.9.9.9", 8_450, owner("EXAMPLE BACKUP Ltd", None)), Some(8));
    assert_eq!(owned("10.0.0.1", "9.9.9.9", 80, owner("Example Backup", None)), Some(8));
    assert_eq!(owned("10.0.0.1", "9.9.9.9", 8_500, owner("Example Backup", None)), None);
    assert_eq!(owned("10.0.0.1", "9.9.9.9", 8_450, owner("Example", Some(64_501))), None);
    assert_eq!(owned("10.0.0.1", "9.9.9.9", 1, owner("Other", Some(64_500))), Some(9));
    assert_eq!(owned("10.0.0.1", "9.9.9.9", 80, None), None);
    assert_eq!(list().asks_owner().unwrap().line, 8);
}

#[test]
fn every_condition_must_hold() {
    let at = "2024-04-19";
    assert_eq!(line("10.1.2.3", "203.0.113.7", 443, 6, "beacon", at), Some(3));
    assert_eq!(line("10.2.2.3", "203.0.113.7", 443, 6, "beacon", at), None);
    assert_eq!(line("10.1.2.3", "203.0.113.7", 444, 6, "beacon", at), None);
    assert_eq!(line("10.1.2.3", "203.0.113.7", 443, 17, "beacon", at), None);
    assert_eq!(line("10.1.2.3", "198.51.100.7", 1, 6, "beacon", at), Some(4));
    assert_eq!(line("10.1.2.3", "198.51.100.7", 1, 6, "bulk_egress", at), None);
    assert_eq!(line("10.1.2.3", "8.8.8.8", 123, 17, "beacon", at), Some(5));
}

#[test]
fn findings_without_a_remote_match_any_only() {
    assert_eq!(line("10.9.9.9", "none", 1, 6, "port_scan", "2024-04-19"), Some(6));
    assert_eq!(line("10.1.2.3", "none", 443, 6, "beacon", "2024-04-19"), None);
}

#[test]
fn entries_end_with_their_last_day_and_are_reported() {
    assert_eq!(line("10.0.0.1", "198.51.100.7", 1, 6, "beacon", "2026-12-31T23:59:59Z"), Some(4));
    assert_eq!(line("10.0.0.1", "198.51.100.7", 1, 6, "beacon", "2027-01-01"), None);
    assert_eq!(line("10.0.0.1", "2001:db8::1", 1, 6, "x", "2024-04-19T06:00:00Z"), Some(7));
    let expired = list().expired(parse_time("2025-01-01", 0).unwrap());
    assert_eq!(
        expired.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "allow.txt:7: `2001:db8::/32 protocol=6 until=2024-04-19T06:00:00Z` has expired, and counts only for what was \
          last seen before; expected a later `until=`, or the entry removed"
        ]
    );
}

#[test]
fn reasons_name_the_place_and_the_comment() {
    let list = list();
    assert_eq!(list.entries()[0].reason(), "allowed by allow.txt:3: nightly backup");
    assert_eq!(list.entries()[1].reason(), "allowed by allow.txt:4: `198.51.100.7 detection=beacon until=2026-12-31`");
    assert_eq!(list.entries()[3].comment.as_deref(), Some("scanner"));
    assert_eq!(list.detections(), ["beacon", "port_scan"]);
}

#[test]
fn wrong_lines_are_refused_with_their_place() {
    for (text, message) in [
        (
            "\nport=443",
            "a:2: got `port=443`, expected first an address, a network or `any`, such as \
                        `203.0.113.0/24 port=443 # backup`",
        ),
        (
            "any port=70000",
            "a:1: got `port=70000`, expected `port=` with numbers from 0 to 65535 or ranges, such as port=443 or \
                               port=80,8000-8100",
        ),
        (
            "any prot=6",
            "a:1: got `prot=6`, expected one of `port=`, `protocol=`, `host=`, `owner=`, `asn=`, \
                        `detection=`, `until=`, each at most once",
        ),
        (
            "any port=1 port=2",
            "a:1: got `port=2`, expected one of `port=`, `protocol=`, `host=`, `owner=`, \
                               `asn=`, `detection=`, `until=`, each at most once",
        ),
        (
            "any until=soon",
            "a:1: got `until=soon`, expected `until=` with a date or an RFC 3339 time, such as \
                            until=2026-12-31",
        ),
        (
            "any host=here",
            "a:1: got `host=here`, expected `host=` with an address or a network, such as \
                           host=10.1.0.0/16",
        ),
    ] {
        let error = AllowList::default().add(Path::new("a"), text).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}
