//! Hints for forms that other engines have and this one does not: the form that works here.

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// Names of columns elsewhere (Athena's examples, version 2 in other words, OCSF) and here.
const COLUMNS: &[(&str, &str)] = &[
    ("sourceaddress", "srcaddr"),
    ("source_address", "srcaddr"),
    ("src_addr", "srcaddr"),
    ("src_ip", "srcaddr"),
    ("source_ip", "srcaddr"),
    ("sourceip", "srcaddr"),
    ("srcip", "srcaddr"),
    ("destinationaddress", "dstaddr"),
    ("destination_address", "dstaddr"),
    ("dst_addr", "dstaddr"),
    ("dst_ip", "dstaddr"),
    ("dest_ip", "dstaddr"),
    ("destination_ip", "dstaddr"),
    ("destinationip", "dstaddr"),
    ("dstip", "dstaddr"),
    ("sourceport", "srcport"),
    ("source_port", "srcport"),
    ("src_port", "srcport"),
    ("destinationport", "dstport"),
    ("destination_port", "dstport"),
    ("dst_port", "dstport"),
    ("dest_port", "dstport"),
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
    ("formatreadablesize", "`human_bytes(bytes)` does that"),
    ("pg_size_pretty", "`human_bytes(bytes)` does that"),
];

/// Returns the column that a name of another engine's table means, among those there are.
pub(super) fn column(name: &str, known: &[&str]) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let (_, here) = COLUMNS.iter().find(|(other, _)| *other == name)?;
    known.contains(&here.trim_matches('"')).then(|| format!("here it is `{here}`"))
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

/// Returns the hint for a keyword that stands where a name must: the column `end`.
pub(super) fn keyword(word: &str) -> Option<String> {
    word.eq_ignore_ascii_case("end").then(|| "`end` is a keyword of SQL: the column is `\"end\"`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_are_known() {
        assert_eq!(column("SourceAddress", &["srcaddr"]).as_deref(), Some("here it is `srcaddr`"));
        assert_eq!(column("endtime", &["start", "end"]).as_deref(), Some("here it is `\"end\"`"));
        assert_eq!(column("sourceaddress", &["host"]), None);
        assert_eq!(function("time_bucket").as_deref(), Some("`window(start, '5 minutes')` does that"));
        assert_eq!(time_of("SELECT 5 WHERE start >= 1700632800123"), "to_timestamp_millis(1700632800123)");
    }
}
