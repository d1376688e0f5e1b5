//! The few phrases of evidence in a row of the table.

use serde_json::{Map, Value};

use flow::printable;
use flow::units::{bytes_text, count_text, duration_text, number_text, share_text};

/// The evidence shown in a row, the most important first; everything else is in the files only.
const TELLING: [&str; 18] = [
    "allowed_by",
    "verdict",
    "indicator_source",
    "period_s",
    "jitter_ratio",
    "bytes_out",
    "times_baseline",
    "duration_s",
    "longest_s",
    "ports",
    "destinations",
    "connections",
    "missed_ratio",
    "first_contact",
    "prevalence_hosts",
    "baseline_p99_bytes",
    "rejected",
    "bytes_in",
];

/// Returns short phrases for the evidence, the most important first; empty when there is none to show.
pub(super) fn phrases(evidence: &Map<String, Value>) -> Vec<String> {
    let known = TELLING.iter().filter_map(|name| phrase(name, evidence.get(*name)?));
    let mut phrases: Vec<String> = known.collect();
    if phrases.is_empty() {
        // A detection of the user's own: its first values, under their own names.
        let own = evidence.iter().filter(|(_, value)| !value.is_null()).take(3);
        phrases.extend(own.map(|(name, value)| format!("{} {}", printable(name), plain(name, value))));
    }
    phrases
}

fn phrase(name: &str, value: &Value) -> Option<String> {
    match name {
        "allowed_by" => return Some("allowed".to_owned()),
        "verdict" => return Some("judged".to_owned()),
        "indicator_source" => return Some(format!("on {}", printable(value.as_str()?))),
        "first_contact" => return value.as_bool()?.then(|| "first contact".to_owned()),
        _ => {}
    }
    let number = value.as_f64()?;
    let count = |one: &str, many: &str| {
        let noun = if number == 1.0 { one } else { many };
        Some(format!("{} {noun}", count_text(number as u64)))
    };
    match name {
        "period_s" => Some(format!("every {}", duration_text(number))),
        "jitter_ratio" => Some(format!("jitter {}", share_text(number))),
        "missed_ratio" if number > 0.0 => Some(format!("missed {}", share_text(number))),
        "bytes_out" => Some(format!("{} out", bytes_text(number as u64))),
        "bytes_in" => Some(format!("{} in", bytes_text(number as u64))),
        "baseline_p99_bytes" => Some(format!("usually {}", bytes_text(number as u64))),
        "times_baseline" => Some(format!("{} × usual", number_text(number))),
        "duration_s" | "longest_s" => Some(format!("open {}", duration_text(number))),
        "ports" => count("port", "ports"),
        "destinations" => count("remote", "remotes"),
        "connections" => count("connection", "connections"),
        "rejected" if number > 0.0 => Some(format!("{} rejected", count_text(number as u64))),
        "prevalence_hosts" => count("host", "hosts"),
        _ => None,
    }
}

/// Writes a value by the unit in its name.
fn plain(name: &str, value: &Value) -> String {
    match value {
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            if name.ends_with("_s") {
                duration_text(number)
            } else if name.contains("bytes") {
                bytes_text(number as u64)
            } else if name.ends_with("_ratio") || name.ends_with("_share") {
                share_text(number)
            } else {
                number_text(number)
            }
        }
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(evidence: Value) -> String {
        phrases(evidence.as_object().unwrap()).join(", ")
    }

    #[test]
    fn the_most_telling_comes_first_whatever_the_order() {
        let evidence = json!({ "prevalence_hosts": 1, "connections": 1_288, "first_contact": true, "jitter_ratio": 0.041,
            "missed_ratio": 0, "period_s": 300.0, "indicator_source": "feodo.csv" });
        assert_eq!(shown(evidence), "on feodo.csv, every 5 m, jitter 4.1 %, 1,288 connections, first contact, 1 host");
    }

    #[test]
    fn own_detections_show_their_own_names() {
        let evidence = json!({ "odd_bytes": 12_300, "gap_s": 90, "note": "a\u{1b}b", "more": 1, "never": null });
        assert_eq!(shown(evidence), "odd_bytes 12.3 KB, gap_s 1 m 30 s, note a\\x1bb");
        assert_eq!(shown(json!({ "period_s": null, "bytes_out": "x" })), "bytes_out x");
        assert_eq!(shown(json!({})), "");
    }
}
