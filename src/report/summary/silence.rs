//! What a run could not see: an empty window, logs that fell silent, ends of the window without data. None of it may look
//! like a quiet network.

use super::objects::objects_named;
use super::{SinkSummary, Summary, span_text};
use crate::detect::Severity;
use crate::detect::text_forms::rfc3339_text;
use flow::time::{self, DAY_S, HOUR_S};
use flow::units::{count_text, duration_text};
use serde::{Serialize, Serializer};

/// A part of the window without data, at either end, that is worth a warning.
const EMPTY_END_S: i64 = DAY_S;
/// Logs that end so long before now have stopped; AWS delivers within minutes.
const STALE_S: i64 = 6 * HOUR_S;
/// Gaps named in the text; the JSON names all.
const NAMED_GAPS: usize = 3;

/// The time from the first hour with records to the end of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DataSpan {
    /// First second of data.
    #[serde(rename = "from", with = "rfc3339_text")]
    pub from_s: i64,
    /// First second after the data.
    #[serde(rename = "to", with = "rfc3339_text")]
    pub to_s: i64,
}

/// A flow log that fell silent, as its finding says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogGap {
    /// The severity of the finding.
    pub severity: Severity,
    /// Which log, and since when.
    pub explanation: String,
}

/// Writes a time that need not be known.
pub(in crate::report) fn optional_time<S: Serializer>(at_s: &Option<i64>, out: S) -> Result<S::Ok, S::Error> {
    at_s.map(time::rfc3339).serialize(out)
}

impl Summary {
    /// Returns what must not be overlooked, each in one line.
    pub fn warnings(&self) -> Vec<String> {
        let of_state = self.state_trouble().into_iter().chain(self.stale_windows_text());
        let of_sinks = self.sinks.iter().filter_map(SinkSummary::warning);
        let of_window = self.unjudged().into_iter().chain(self.empty_ends()).chain(self.stale());
        of_window.chain(of_state).chain(of_sinks).collect()
    }

    /// Returns whether the run is done but less than it should be: objects that could not be read, nothing to judge, a
    /// flow log that fell silent, kept hours or incidents that could not be used, or a sink that could not be told.
    pub fn is_partial(&self) -> bool {
        let silent = self.log_gaps.iter().any(|gap| gap.severity >= Severity::Medium) || self.stale().is_some();
        let untold = self.sinks.iter().any(|sink| sink.trouble.is_some());
        self.objects.skipped > 0 || silent || untold || self.unjudged().is_some() || self.state_trouble().is_some()
    }

    pub(super) fn window_text(&self) -> String {
        match (self.window_start_s, self.window_end_s) {
            (Some(from_s), Some(to_s)) => span_text(from_s, to_s),
            (Some(from_s), None) => format!("from {}; no data tells its end", time::rfc3339(from_s)),
            (None, Some(to_s)) => format!("to {}; no data tells its start", time::rfc3339(to_s)),
            (None, None) => "unknown: no record was read".to_owned(),
        }
    }

    /// Returns lines for the flow logs that fell silent.
    pub(super) fn gap_texts(&self) -> Vec<String> {
        let named = self.log_gaps.iter().take(NAMED_GAPS).map(|gap| gap.explanation.clone());
        let more = self.log_gaps.len().saturating_sub(NAMED_GAPS);
        named.chain((more > 0).then(|| format!("{} more, see findings", count_text(more as u64)))).collect()
    }

    /// Returns why nothing at all could be judged, which must not look like a quiet network; `None` if anything was judged.
    ///
    /// `NODATA` and `SKIPDATA` rows count as something.
    pub(super) fn unjudged(&self) -> Option<String> {
        let objects = self.objects;
        let silent = self.nodata_rows + self.skipdata_rows;
        let usable = self.rows.saturating_sub(silent + self.unusable_rows);
        let reason = match (objects.listed, objects.read + objects.reused, self.rows) {
            _ if self.pairs > 0 || self.acts() > 0 => return None,
            (0, ..) if objects.skipped > 0 => format!("none of {} could be read", objects_named(objects.skipped)),
            (0, ..) if !self.access_logs.is_empty() => "no act lies in the time range".to_owned(),
            (0, ..) => "no object lies in the time range".to_owned(),
            (listed, 0, _) if objects.other_logs == listed => {
                let log = self.other_log_objects.first().map_or("other logs", |first| first.reason.as_str());
                format!("no VPC flow logs in {}, but {log}", objects_named(listed))
            }
            (listed, 0, _) => format!("none of {} could be read", objects_named(listed)),
            (_, read, 0) => format!("no row of the time range in {}", objects_named(read)),
            _ if usable > 0 => "no traffic lies in the window".to_owned(),
            _ if self.unusable_rows > 0 => {
                format!("{} rows are unusable, and no other has traffic", count_text(self.unusable_rows))
            }
            _ => return None,
        };
        Some(format!("nothing could be judged: {reason}"))
    }

    /// Returns where the data lie, if a good part of the window at either end has none.
    fn empty_ends(&self) -> Option<String> {
        let (data, (from_s, to_s)) = (self.data?, self.window_start_s.zip(self.window_end_s)?);
        let ends = [("first", data.from_s.min(to_s) - from_s), ("last", to_s - data.to_s.max(from_s))];
        let empty: Vec<String> = ends
            .iter()
            .filter(|(_, empty_s)| *empty_s >= EMPTY_END_S)
            .map(|(which, empty_s)| format!("its {which} {}", duration_text(*empty_s as f64)))
            .collect();
        let lie = span_text(data.from_s, data.to_s);
        (!empty.is_empty())
            .then(|| format!("the window has no data for {}; the logs lie from {lie}", empty.join(" and ")))
    }

    /// Returns how long ago the logs end, where the window was meant to reach up to now.
    fn stale(&self) -> Option<String> {
        let (ends_s, now_s) = (self.data?.to_s, self.until_now_s?);
        let ago_s = now_s - ends_s;
        let ago = duration_text(ago_s as f64);
        (ago_s >= STALE_S)
            .then(|| format!("the logs end at {}, {ago} ago: has a flow log stopped?", time::rfc3339(ends_s)))
    }
}
