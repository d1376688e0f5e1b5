//! Hints for forms that other engines have and this one does not: the form that works here.

use crate::sql::tokens::Tokens;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use flow::Network;
use std::net::IpAddr;

/// Names of columns elsewhere (Athena's examples, version 2 in other words, OCSF) and here.
const COLUMNS: &[(&str, &str)] = &[
    ("sourceaddress", "srcaddr"),
    ("source_address", "srcaddr"),
    ("src_addr", "srcaddr"),
    ("src_ip", "srcaddr"),
    ("source_ip", "srcaddr"),
    ("sourceip", "srcaddr"),
    ("srcip", "srcaddr"),
    ("sip", "srcaddr"),
    ("saddr", "srcaddr"),
    ("src", "srcaddr"),
    ("source", "srcaddr"),
    ("srcaddress", "srcaddr"),
    ("client_ip", "srcaddr"),
    ("destinationaddress", "dstaddr"),
    ("destination_address", "dstaddr"),
    ("dst_addr", "dstaddr"),
    ("dst_ip", "dstaddr"),
    ("dest_ip", "dstaddr"),
    ("destination_ip", "dstaddr"),
    ("destinationip", "dstaddr"),
    ("dstip", "dstaddr"),
    ("dip", "dstaddr"),
    ("daddr", "dstaddr"),
    ("dst", "dstaddr"),
    ("dest", "dstaddr"),
    ("destination", "dstaddr"),
    ("dstaddress", "dstaddr"),
    ("destip", "dstaddr"),
    ("server_ip", "dstaddr"),
    ("sourceport", "srcport"),
    ("source_port", "srcport"),
    ("src_port", "srcport"),
    ("destinationport", "dstport"),
    ("destination_port", "dstport"),
    ("dst_port", "dstport"),
    ("dest_port", "dstport"),
    ("sport", "srcport"),
    ("dport", "dstport"),
    ("destport", "dstport"),
    ("proto", "protocol"),
    ("ip_protocol", "protocol"),
    ("octets", "bytes"),
    ("pkts", "packets"),
    ("time", "start"),
    ("timestamp", "start"),
    ("ts", "start"),
    ("event_time", "start"),
    ("eventtime", "start"),
    ("verdict", "action"),
    ("decision", "action"),
    ("numbytes", "bytes"),
    ("num_bytes", "bytes"),
    ("numpackets", "packets"),
    ("num_packets", "packets"),
    ("starttime", "start"),
    ("start_time", "start"),
    ("endtime", "\"end\""),
    ("end_time", "\"end\""),
    ("logstatus", "log_status"),
    ("accountid", "account_id"),
    ("account", "account_id"),
    ("interfaceid", "interface_id"),
    ("eni", "interface_id"),
    ("instanceid", "instance_id"),
    ("vpcid", "vpc_id"),
    ("subnetid", "subnet_id"),
    ("flowdirection", "flow_direction"),
    ("tcpflags", "tcp_flags"),
];

/// Names of an exchange's two ends elsewhere, for tables that have `host` and `remote`.
const ENDS: &[(&str, &str)] = &[("srcaddr", "host"), ("dstaddr", "remote"), ("dstport", "port")];

/// Functions elsewhere, and what does the same here.
const FUNCTIONS: &[(&str, &str)] = &[
    ("unix_timestamp", "`to_unixtime(start)` gives Unix seconds"),
    ("to_unix_timestamp", "`to_unixtime(start)` gives Unix seconds"),
    ("fromunixtime", "`to_timestamp(1700632800)` reads Unix seconds"),
    ("todatetime", "`to_timestamp(1700632800)` reads Unix seconds"),
    ("from_iso8601_timestamp", "`TIMESTAMP '2023-11-22T06:00:00Z'` is a time"),
    ("parse_datetime", "`TIMESTAMP '2023-11-22T06:00:00Z'` is a time"),
    ("time_bucket", "`window(start, '5 minutes')` does that"),
    ("tostartofhour", "`date_trunc('hour', start)` does that"),
    ("tostartoffiveminutes", "`window(start, '5 minutes')` does that"),
    ("tostartofinterval", "`window(start, '5 minutes')` does that"),
    ("date_add", "`start + INTERVAL '1 hour'` does that"),
    ("dateadd", "`start + INTERVAL '1 hour'` does that"),
    ("date_diff", "`to_unixtime(\"end\") - to_unixtime(start)` gives seconds"),
    ("datediff", "`to_unixtime(\"end\") - to_unixtime(start)` gives seconds"),
    ("in_network", IN_NETWORK),
    ("in_cidr", IN_NETWORK),
    ("in_subnet", IN_NETWORK),
    ("ip_in_network", IN_NETWORK),
    ("ip_in_cidr", IN_NETWORK),
    ("ip_in_subnet", IN_NETWORK),
    ("cidrmatch", IN_NETWORK),
    ("cidr_match", IN_NETWORK),
    ("isipaddressinrange", IN_NETWORK),
    ("ipv4_is_in_range", IN_NETWORK),
    ("is_private", "`is_internal(srcaddr)` does that"),
    ("is_private_ip", "`is_internal(srcaddr)` does that"),
    ("ipv4_is_private", "`is_internal(srcaddr)` does that"),
    ("formatreadablesize", "`human_bytes(bytes)` does that"),
    ("pg_size_pretty", "`human_bytes(bytes)` does that"),
];

/// What asks whether an address lies in a network.
const IN_NETWORK: &str = "`cidr_contains('10.0.0.0/8', srcaddr)` does that";

/// Returns the column that a name of another engine's table means, among those there are.
pub(super) fn column(name: &str, known: &[&str]) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let here = COLUMNS.iter().find(|(other, _)| *other == name).map_or(name.as_str(), |(_, here)| here);
    let of_ends = || ENDS.iter().find(|(other, _)| *other == here).map(|(_, here)| *here);
    let found = [Some(here), of_ends()].into_iter().flatten().find(|here| known.contains(&here.trim_matches('"')))?;
    Some(format!("here it is `{found}`"))
}

/// Returns what does here what a function of another engine does.
pub(super) fn function(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    FUNCTIONS.iter().find(|(other, _)| *other == name).map(|(_, hint)| (*hint).to_owned())
}

/// Returns the message and the hint for times used together with numbers; `None` where `root` says something else.
pub(super) fn time_and_number(sql: &str, root: &DataFusionError) -> Option<(String, String)> {
    let said = root.strip_backtrace();
    let number = |text: &str| ["Int64", "UInt64", "Float64"].iter().any(|kind| text.contains(kind));
    if !said.contains("Timestamp") || !number(&said) {
        return None;
    }
    if said.contains("Cannot infer common argument type") || said.contains("Failed to coerce types") {
        let hint = format!("write `{}`, or TIMESTAMP '2023-11-22T06:00:00Z'", time_of(sql));
        return Some(("a time cannot be compared with a number".to_owned(), hint));
    }
    if said.contains("Cannot coerce arithmetic expression") {
        let hint = "write an interval: `start + INTERVAL '3600 seconds'`, or seconds: `to_unixtime(start) + 3600`";
        return Some(("a time and a number cannot be added or subtracted".to_owned(), hint.to_owned()));
    }
    let converts = ["from_unixtime", "to_timestamp_seconds", "to_timestamp_millis"];
    if let Some(name) = converts.iter().find(|name| said.contains(&format!("'{name}("))) {
        let hint = "`start` and `\"end\"` are times already; `to_timestamp(1700632800)` reads a number".to_owned();
        return Some((format!("`{name}` takes a number, not a time"), hint));
    }
    None
}

/// Returns how times are written, where a text could not be read as one.
pub(super) fn text_of_time(message: &str) -> Option<String> {
    let of_time = message.contains("Error parsing timestamp from");
    of_time.then(|| "times are written '2023-11-22 06:00:00' or '2023-11-22T06:00:00Z'".to_owned())
}

/// Returns how the first number of a statement that looks like Unix time is written as a time.
fn time_of(sql: &str) -> String {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize().unwrap_or_default();
    let numbers = tokens.iter().filter_map(|token| match token {
        Token::Number(digits, _) if digits.bytes().all(|digit| digit.is_ascii_digit()) => Some(digits.as_str()),
        _ => None,
    });
    for digits in numbers {
        match digits.len() {
            9 | 10 => return format!("to_timestamp({digits})"),
            12 | 13 => return format!("to_timestamp_millis({digits})"),
            15 | 16 => return format!("to_timestamp_micros({digits})"),
            _ => {}
        }
    }
    "to_timestamp(1700632800)".to_owned()
}

/// Returns an address or a network that stands in a statement without quotes, and how it is written.
pub(super) fn bare_address(sql: &str) -> Option<(String, String)> {
    let mut bare = sql.to_owned();
    for (token, bytes) in Tokens::of(sql).tokens {
        let quoted = match &token {
            Token::Word(word) => word.quote_style.is_some(),
            Token::Number(..) | Token::Period | Token::Colon | Token::DoubleColon | Token::Div => false,
            Token::Placeholder(_) => false,
            _ => true,
        };
        if quoted {
            bare.replace_range(bytes.clone(), &" ".repeat(bytes.len()));
        }
    }
    let mut parts = bare.split_whitespace().filter(|part| part.contains('.') || part.contains("::"));
    parts.find_map(|part| {
        if part.parse::<IpAddr>().is_ok() {
            return Some((part.to_owned(), format!("an address stands in quotes: '{part}'")));
        }
        let is_network = part.contains('/') && part.parse::<Network>().is_ok();
        is_network.then(|| (part.to_owned(), format!("a network stands in quotes: cidr_contains('{part}', srcaddr)")))
    })
}

/// Returns how a value is written that a column of numbers was compared with, given the message about it.
pub(super) fn text_of_number(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("Cannot cast string '")?;
    let (text, _) = rest.split_once('\'')?;
    if let Some(bytes) = size(text) {
        return Some(format!("sizes are numbers of bytes: {bytes}"));
    }
    match text.to_ascii_lowercase().as_str() {
        "icmp" | "tcp" | "udp" => {
            Some(format!("`protocol` is a number: write protocol_name(protocol) = '{}'", text.to_ascii_lowercase()))
        }
        "" | "-" => Some("a missing value is NULL: ask with IS NULL".to_owned()),
        _ => None,
    }
}

/// Returns the bytes of a size as people write it, such as `1 GB` or `512MiB`.
fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|letter: char| letter.is_alphabetic())?);
    let number: f64 = number.trim().parse().ok()?;
    let unit = unit.trim().to_ascii_lowercase();
    let each: u64 = match unit.as_str() {
        "b" | "byte" | "bytes" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    (number >= 0.0).then_some((number * each as f64) as u64)
}

/// Returns the hint for a unit behind a number, as in `bytes > 1 GB`; `word` is where the parser stopped.
pub(super) fn bare_size(sql: &str, word: &str) -> Option<String> {
    let tokens = Tokens::of(sql).tokens.into_iter().map(|(token, _)| token);
    let tokens: Vec<Token> = tokens.filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    let number = tokens.windows(2).find_map(|pair| match pair {
        [Token::Number(number, _), Token::Word(unit)] if unit.value == word => Some(number),
        _ => None,
    })?;
    size(&format!("{number} {word}")).map(|bytes| format!("sizes are numbers of bytes: {bytes}"))
}

/// Returns the hint for a keyword that stands where a name must: the column `end`.
pub(super) fn keyword(word: &str) -> Option<String> {
    word.eq_ignore_ascii_case("end").then(|| "`end` is a keyword of SQL: the column is `\"end\"`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_without_their_quotes_are_told() {
        let bare = |sql| bare_address(sql).map(|(address, _)| address);
        for (sql, address) in [
            ("SELECT 1 FROM flows WHERE srcaddr = 10.0.0.1 AND a", "10.0.0.1"),
            ("SELECT 1 FROM flows WHERE srcaddr IN ('10.0.0.1',10.0.0.2)", "10.0.0.2"),
            ("SELECT cidr_contains(10.0.0.0/8, srcaddr)", "10.0.0.0/8"),
            ("SELECT 1 FROM flows WHERE srcaddr=2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(bare(sql).as_deref(), Some(address), "{sql}");
        }
        for sql in ["SELECT '10.0.0.1', \"1.1.1.1\" -- 10.0.0.1", "SELECT 1.5, a.b::int, 1/2.0"] {
            assert_eq!(bare(sql), None, "{sql}");
        }
        let sizes = ["1 GB", "512MiB", "1.5k", "10 bytes"].map(size);
        assert_eq!(sizes, [Some(1_000_000_000), Some(512 << 20), Some(1_500), Some(10)]);
        assert_eq!(["GB", "1 parsec", "-1 GB", "12"].map(size), [None; 4]);
        assert!(bare_size("SELECT 1 FROM flows WHERE bytes > 2 GB", "GB").unwrap().ends_with(": 2000000000"));
        assert_eq!(bare_size("SELECT 1 FROM flows x GB", "GB"), None);
    }

    #[test]
    fn other_names_are_known() {
        assert_eq!(column("SourceAddress", &["srcaddr"]).as_deref(), Some("here it is `srcaddr`"));
        assert_eq!(column("endtime", &["start", "end"]).as_deref(), Some("here it is `\"end\"`"));
        assert_eq!(column("sourceaddress", &["bytes"]), None);
        assert_eq!(column("srcip", &["host", "remote"]).as_deref(), Some("here it is `host`"));
        assert_eq!(column("dstport", &["host", "port"]).as_deref(), Some("here it is `port`"));
        assert!(function("in_network").is_some_and(|hint| hint.contains("cidr_contains")));
        assert_eq!(function("time_bucket").as_deref(), Some("`window(start, '5 minutes')` does that"));
        assert_eq!(time_of("SELECT 5 WHERE start >= 1700632800123"), "to_timestamp_millis(1700632800123)");
    }
}
