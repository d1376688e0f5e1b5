use super::*;
use proptest::prelude::*;

fn feed(text: &str) -> (Vec<FeedEntry>, Vec<Warning>) {
    parse_feed(text, Path::new("feed.txt")).unwrap()
}

fn shown(entries: &[FeedEntry]) -> Vec<String> {
    let port = |entry: &FeedEntry| entry.port.map_or(String::new(), |port| format!(" {port}"));
    entries.iter().map(|entry| format!("{}{} {}", entry.network, port(entry), entry.confidence)).collect()
}

#[test]
fn reads_plain_lists_with_comments_and_ports() {
    let text = "\
# FireHOL netset
; Spamhaus DROP
1.4.0.0/17 ; SBL256893

203.0.113.7
2001:db8:5::/48 # docs
198.51.100.9:8443
[2001:db8::9]:443
192.0.2.8\tbad host\r
";
    let (entries, warnings) = feed(text);
    assert_eq!(
        shown(&entries),
        [
            "1.4.0.0/17 50",
            "203.0.113.7/32 50",
            "2001:db8:5::/48 50",
            "198.51.100.9/32 8443 50",
            "2001:db8::9/128 443 50",
            "192.0.2.8/32 50"
        ]
    );
    assert_eq!(entries[0].malware.as_deref(), Some("SBL256893"));
    assert_eq!(warnings, []);
}

#[test]
fn reads_feodo_csv_quoted_or_not_and_with_a_lost_header() {
    let quoted = "\
# Feodo Tracker
\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"
\"2022-06-04 21:24:53\",\"203.0.113.7\",\"443\",\"online\",\"2024-04-19\",\"QakBot\"
\"2022-06-04 21:24:53\",\"198.51.100.8\",\"8080\",\"offline\",\"2023-01-01\",\"Emotet\"
# END 2 entries
";
    let (entries, warnings) = feed(quoted);
    assert_eq!(shown(&entries), ["203.0.113.7/32 443 90", "198.51.100.8/32 8080 75"]);
    assert_eq!(entries[1].malware.as_deref(), Some("Emotet"));
    assert_eq!(warnings, []);
    assert_eq!(feed(&quoted.replace('"', "")).0, entries);
    assert_eq!(feed(&quoted.replace("\"first_seen_utc\"", "# \"first_seen_utc\"")).0, entries);
}

#[test]
fn reads_feodo_json() {
    let text = r#"[{"ip_address":"203.0.113.7","port":443,"status":"online","hostname":null,"as_number":1,
        "first_seen":"2022-06-04 21:24:53","last_online":"2024-04-19","malware":"QakBot"},{"ip_address":"x"}]"#;
    let (entries, warnings) = feed(text);
    assert_eq!(shown(&entries), ["203.0.113.7/32 443 90"]);
    assert_eq!((warnings[0].kind, warnings[0].count, warnings[0].first_line), (WarningKind::Unreadable, 1, 2));
}

#[test]
fn reads_drop_json_lines() {
    let text = "{\"cidr\":\"1.10.16.0/20\",\"sblid\":\"SBL256894\",\"rir\":\"apnic\"}\n\
                {\"type\":\"metadata\",\"timestamp\":1,\"records\":1}\n";
    let (entries, warnings) = feed(text);
    assert_eq!((shown(&entries), warnings), (vec!["1.10.16.0/20 50".to_owned()], vec![]));
}

#[test]
fn reads_simple_csv_with_times() {
    let text = "\
indicator,port,confidence,valid_from,valid_until,source
203.0.113.7,443,80,2024-04-01,2024-04-30,\"our own, list\"
203.0.113.0/24,,,2024-04-01T06:00:00Z,,
203.0.113.9,,101,,,
203.0.113.9,70000,,,,
";
    let (entries, warnings) = feed(text);
    assert_eq!(shown(&entries), ["203.0.113.7/32 443 80", "203.0.113.0/24 50"]);
    assert_eq!(entries[0].source.as_deref(), Some("our own, list"));
    assert_eq!(entries[0].valid_until_s.map(time::rfc3339).unwrap(), "2024-04-30T23:59:59Z");
    assert_eq!(entries[1].valid_from_s.map(time::rfc3339).unwrap(), "2024-04-01T06:00:00Z");
    assert_eq!((warnings[0].count, warnings[0].first_line), (2, 4));
}

#[test]
fn refuses_broad_networks_and_ignores_private_ones() {
    let (entries, warnings) = feed("0.0.0.0/0\n128.0.0.0/7\n10.0.0.0/8\n127.0.0.1\n8.0.0.0/8\n2000::/3\n::/0\n::/64\n");
    assert_eq!(shown(&entries), ["8.0.0.0/8 50"]);
    assert_eq!(
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "feed.txt:1: ignored `0.0.0.0/0`: it is too broad for an indicator (as are 4 more in this file); \
             expected IPv4 networks of /8 or longer and IPv6 networks of /16 or longer",
            "feed.txt:3: ignored `10.0.0.0/8`: it is a private or local address (as is 1 more in this file); \
             expected public addresses",
        ]
    );
}

#[test]
fn an_empty_list_is_a_warning_and_a_wrong_file_an_error() {
    let (entries, warnings) = feed("# Feodo Tracker\n# nothing today\n");
    assert_eq!((entries.len(), warnings[0].kind), (0, WarningKind::Empty));

    let html = parse_feed("<html>\n<body>403 Forbidden</body>\n", Path::new("feed.txt")).unwrap_err();
    assert_eq!(
        html.to_string(),
        "feed.txt: none of 2 entries could be read; line 1: got `<html>`, expected an address or network, such as \
         203.0.113.7, 203.0.113.7:443 or 203.0.113.0/24"
    );
    let cut = parse_feed("[{\"ip_address\":\"203.0.113.7\",\n", Path::new("feed.json")).unwrap_err();
    assert!(cut.to_string().contains("feed.json: none of 1 entries"), "{cut}");
}

#[test]
fn a_damaged_line_spoils_itself_only() {
    let (entries, warnings) =
        feed("indicator,port\n203.0.113.1,443\n\"203.0.113.2,443\n203.0.113.3,443\n\u{1b}[31m,9\n");
    assert_eq!(shown(&entries), ["203.0.113.1/32 443 50", "203.0.113.3/32 443 50"]);
    assert_eq!(warnings[0].count, 2);
}

proptest! {
    #[test]
    fn never_fails_on_any_text(text in "[ -~\\n\\t\"\\[\\]{}:;#,.0-9]{0,200}") {
        let _ = parse_feed(&text, Path::new("feed.txt"));
    }

    #[test]
    fn every_written_address_is_read_back(bits in prop::collection::vec(any::<u32>(), 1..40)) {
        let addresses: Vec<_> = bits.iter().map(|bits| flow::Address::from_v4_bits(*bits)).collect();
        let text: String = addresses.iter().map(|address| format!("{address}\n")).collect();
        let (entries, warnings) = feed(&text);
        let left_out: u64 = warnings.iter().filter(|w| w.kind == WarningKind::Private).map(|w| w.count).sum();
        prop_assert_eq!(entries.len() as u64 + left_out, addresses.len() as u64);
    }
}
