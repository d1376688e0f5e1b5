//! The logs of accesses of a source, by its listing alone.

use crate::source::AccessObject;
use flow::time::{DAY_S, rfc3339};
use flow::units::{bytes_text, count_text};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

/// What one log of one account holds.
#[derive(Debug, Default, Serialize)]
pub(super) struct AccessLogSummary {
    log: String,
    account_id: Option<String>,
    regions: BTreeSet<String>,
    objects: u64,
    bytes: u64,
    days: u64,
    from: Option<String>,
    to: Option<String>,
    /// Days without objects between the first and the last, as `FROM..TO`, both included.
    gaps: Vec<String>,
    /// Objects whose folders name no day.
    undated: u64,
    #[serde(skip)]
    day_starts: BTreeSet<i64>,
}

/// Gaps named in the table; the JSON names all.
const NAMED_GAPS: usize = 2;

fn day_text(day_s: i64) -> String {
    rfc3339(day_s).chars().take(10).collect()
}

/// Returns the logs of accesses, sorted by log and account.
pub(super) fn summaries(objects: &[AccessObject]) -> Vec<AccessLogSummary> {
    let mut logs: BTreeMap<(&str, Option<String>), AccessLogSummary> = BTreeMap::new();
    for one in objects {
        let account = one.object.facts.account_id.as_deref().map(str::to_owned);
        let summary = logs.entry((one.kind.name(), account.clone())).or_default();
        summary.log = one.kind.name().to_owned();
        summary.account_id = account;
        summary.regions.extend(one.object.facts.region.as_deref().map(str::to_owned));
        summary.objects += 1;
        summary.bytes += one.object.size;
        match one.day_s() {
            Some(day_s) => _ = summary.day_starts.insert(day_s),
            None => summary.undated += 1,
        }
    }
    for summary in logs.values_mut() {
        let days = &summary.day_starts;
        summary.days = days.len() as u64;
        summary.from = days.first().map(|day_s| day_text(*day_s));
        summary.to = days.last().map(|day_s| day_text(*day_s));
        let gaps = days.iter().zip(days.iter().skip(1)).filter(|(day, next)| **day + DAY_S < **next);
        summary.gaps =
            gaps.map(|(day, next)| format!("{}..{}", day_text(day + DAY_S), day_text(next - DAY_S))).collect();
    }
    logs.into_values().collect()
}

/// Writes the logs as a table; nothing without any.
pub(super) fn write_table(out: &mut impl Write, logs: &[AccessLogSummary]) -> std::io::Result<()> {
    if logs.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:<18} {:<14} {:<14} {:>8} {:>9} {:>5}  {:<11} {:<11} DAYS WITHOUT OBJECTS",
        "LOG", "ACCOUNT", "REGION", "OBJECTS", "BYTES", "DAYS", "FROM", "TO"
    )?;
    for log in logs {
        let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let regions = match log.regions.len() {
            0 => "-".to_owned(),
            1 => log.regions.iter().cloned().collect(),
            many => format!("{many} regions"),
        };
        let mut gaps = log.gaps.iter().take(NAMED_GAPS).cloned().collect::<Vec<_>>().join(", ");
        match log.gaps.len().checked_sub(NAMED_GAPS) {
            Some(more) if more > 0 => gaps.push_str(&format!(" and {more} more")),
            _ if gaps.is_empty() => gaps.push('-'),
            _ => {}
        }
        writeln!(
            out,
            "{:<18} {:<14} {:<14} {:>8} {:>9} {:>5}  {:<11} {:<11} {gaps}",
            log.log,
            dash(&log.account_id),
            regions,
            count_text(log.objects),
            bytes_text(log.bytes),
            count_text(log.days),
            dash(&log.from),
            dash(&log.to),
        )?;
    }
    Ok(())
}
