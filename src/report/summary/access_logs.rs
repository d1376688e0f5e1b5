//! The logs of accesses of a run in its summary.

use super::objects::objects_named;
use super::{Summary, is_zero, optional_time, push_counts};
use flow::printable;
use flow::time::rfc3339;
use flow::units::{count_text, counted};
use serde::Serialize;

/// What was read of one log of accesses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AccessLogSummary {
    /// The log, as the table `accesses` names it.
    pub log: String,
    /// Objects read.
    pub objects: u64,
    /// Acts in the window and its history, each as often as objects tell it.
    pub acts: u64,
    /// Those of them that were told before, and count once.
    #[serde(skip_serializing_if = "is_zero")]
    pub duplicates: u64,
    /// Acts outside of the window and its history.
    #[serde(skip_serializing_if = "is_zero")]
    pub outside: u64,
    /// Records that could not be read, and were skipped.
    pub bad_records: u64,
    /// The first of them: its object, its place and what was expected there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_bad: Option<String>,
    /// Statistics of CloudTrail Insights, which are no acts.
    #[serde(skip_serializing_if = "is_zero")]
    pub insights: u64,
    /// Acts whose local time was taken as UTC.
    #[serde(skip_serializing_if = "is_zero")]
    pub zone_unknown: u64,
    /// The first day with acts, by its first second; `None` without any.
    #[serde(rename = "first_day", serialize_with = "optional_time")]
    pub first_day_s: Option<i64>,
    /// The last day with acts.
    #[serde(rename = "last_day", serialize_with = "optional_time")]
    pub last_day_s: Option<i64>,
    /// Stretches of days without any act between the two.
    #[serde(skip_serializing_if = "is_zero")]
    pub gaps: u64,
}

impl AccessLogSummary {
    fn text(&self) -> String {
        let mut text = format!("{}: {}", self.log, counted(self.acts, "act", "acts"));
        text.push_str(&format!(" in {}", objects_named(self.objects)));
        if let Some((first_s, last_s)) = self.first_day_s.zip(self.last_day_s) {
            let day = |second: i64| rfc3339(second).chars().take(10).collect::<String>();
            text.push_str(&match first_s == last_s {
                true => format!(", {}", day(first_s)),
                false => format!(", {} to {}", day(first_s), day(last_s)),
            });
        }
        push_counts(
            &mut text,
            &[
                (
                    self.gaps,
                    if self.gaps == 1 { "stretch of days without acts" } else { "stretches of days without acts" },
                ),
                (self.duplicates, "told twice"),
                (self.outside, "outside the window"),
                (self.insights, "of Insights"),
                (self.zone_unknown, "in local time taken as UTC (--timezone)"),
                (self.bad_records, if self.bad_records == 1 { "bad record" } else { "bad records" }),
            ],
        );
        if let Some(first) = &self.first_bad {
            text.push_str(&format!(" (first: {})", printable(first)));
        }
        text
    }
}

impl Summary {
    /// Returns a line for each log of accesses, and one for what lies beside them.
    pub(super) fn access_texts(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.access_logs.iter().map(AccessLogSummary::text).collect();
        let mut beside: Vec<String> = Vec::new();
        if self.credential_lists > 0 {
            beside.push(counted(self.credential_lists, "list of credentials", "lists of credentials"));
        }
        let not_read = self.logs_beside.iter().map(|(kind, count)| format!("{} of {kind}", count_text(*count)));
        let not_read: Vec<String> = not_read.collect();
        if !not_read.is_empty() {
            beside.push(format!("objects not read: {}", not_read.join(", ")));
        }
        if !beside.is_empty() {
            lines.push(beside.join("; "));
        }
        lines
    }

    /// Returns the acts of all logs in the window and its history.
    pub(super) fn acts(&self) -> u64 {
        self.access_logs.iter().map(|log| log.acts).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_one_line() {
        let log = AccessLogSummary {
            log: "cloudtrail".to_owned(),
            objects: 24,
            acts: 3_000,
            duplicates: 7,
            bad_records: 1,
            first_bad: Some("a.json: record at 9: expected an eventTime".to_owned()),
            first_day_s: Some(1_698_796_800),
            last_day_s: Some(1_700_784_000),
            gaps: 1,
            ..AccessLogSummary::default()
        };
        assert_eq!(
            log.text(),
            "cloudtrail: 3,000 acts in 24 objects, 2023-11-01 to 2023-11-24, 1 stretch of days without acts, \
             7 told twice, 1 bad record (first: a.json: record at 9: expected an eventTime)"
        );
        let summary = Summary { credential_lists: 2, ..Summary::default() };
        assert_eq!(summary.access_texts(), ["2 lists of credentials"]);
        assert!(Summary::default().access_texts().is_empty());
    }
}
