//! The `hosts` and `host_hours` tables: what each host sends out, hour by hour, against its own baseline.

use super::columns::{address_column, batch, seconds};
use super::host_record::{HostHour, HostRecord};
use crate::coverage::HostFacts;
use crate::error::RollupError;
use crate::merge::Merger;
use crate::window::Window;
use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use hdrhistogram::Histogram;
use kernels::robust;
use rayon::prelude::*;
use std::sync::Arc;

/// Returns a histogram of a host's bytes out per hour, with two significant digits up to 2^50 bytes.
fn histogram<'a>(hours: impl Iterator<Item = &'a HostHour>) -> Option<Histogram<u32>> {
    let mut histogram = Histogram::new_with_bounds(1, 1 << 50, 2).ok()?;
    for hour in hours {
        histogram.saturating_record(hour.bytes_out.max(1));
    }
    (!histogram.is_empty()).then_some(histogram)
}

pub(crate) fn hosts_batch(
    hosts: &[&HostRecord],
    merger: &Merger<'_>,
    facts_of: &(dyn Fn(&str) -> Option<HostFacts> + Sync),
) -> Result<RecordBatch, RollupError> {
    let hosts: Vec<&HostRecord> = hosts.iter().copied().filter(|host| host.pairs > 0).collect();
    let interface = |host: &HostRecord| host.sample.and_then(|at| merger.names(at).0);
    let facts: Vec<HostFacts> = hosts.iter().map(|h| interface(h).and_then(facts_of).unwrap_or_default()).collect();
    let text_column = |texts: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
    let u64s = |pick: &dyn Fn(&HostRecord) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(hosts.iter().map(|host| pick(host))))
    };
    let owner = |host: &HostRecord| &merger.owners()[host.owner as usize];
    batch(
        "hosts",
        vec![
            ("account_id", text_column(hosts.iter().map(|h| Some(owner(h).0.as_str())).collect())),
            ("region", text_column(hosts.iter().map(|h| Some(owner(h).1.as_str())).collect())),
            ("host", address_column(hosts.iter().map(|h| merger.address(h.host)))?),
            ("interface_id", text_column(hosts.iter().map(|h| interface(h)).collect())),
            ("instance_id", text_column(facts.iter().map(|f| f.instance_id.as_deref()).collect())),
            ("vpc_id", text_column(facts.iter().map(|f| f.vpc_id.as_deref()).collect())),
            ("subnet_id", text_column(facts.iter().map(|f| f.subnet_id.as_deref()).collect())),
            ("destinations", u64s(&|h| h.destinations)),
            ("new_destinations", u64s(&|h| h.new_destinations)),
            ("ports", Arc::new(UInt32Array::from_iter_values(hosts.iter().map(|h| h.ports.len() as u32)))),
            ("pairs", u64s(&|h| h.pairs)),
            ("connections", u64s(&|h| h.connections)),
            ("bytes_out", u64s(&|h| h.bytes_out)),
            ("bytes_in", u64s(&|h| h.bytes_in)),
            ("rejected", u64s(&|h| h.rejected)),
            ("first_seen", seconds(hosts.iter().map(|h| Some(h.first_s)).collect())),
            ("last_seen", seconds(hosts.iter().map(|h| Some(h.last_s)).collect())),
        ],
    )
}

pub(crate) fn host_hours_batch(
    hosts: &[&HostRecord],
    merger: &Merger<'_>,
    window: &Window,
) -> Result<RecordBatch, RollupError> {
    /// One hour of a host, and the index of the host's baseline.
    struct Row<'a> {
        host: &'a HostRecord,
        hour_s: i64,
        hour: &'a HostHour,
        baseline: usize,
    }
    let baseline = |host: &&HostRecord| {
        // Median and MAD of ln(1 + bytes): unlike mean and deviation, they hardly move after a past exfiltration.
        let mut logs: Vec<f64> = host.baseline_hours(window).map(|hour| (hour.bytes_out as f64).ln_1p()).collect();
        let (median, mad) = median_and_mad(&mut logs);
        let histogram = histogram(host.baseline_hours(window));
        let p99 = histogram.as_ref().map_or(0, |histogram| histogram.value_at_quantile(0.99));
        let max = histogram.as_ref().map_or(0, |histogram| histogram.max());
        (logs.len() as u32, median, mad, p99, max)
    };
    let baselines: Vec<(u32, f64, f64, u64, u64)> = hosts.par_iter().map(baseline).collect();
    let mut rows: Vec<Row<'_>> = Vec::with_capacity(hosts.iter().map(|host| host.hours.len()).sum());
    for (baseline, host) in hosts.iter().enumerate() {
        rows.extend(host.hours.iter().map(|(hour_s, hour)| Row { host, hour_s: *hour_s, hour, baseline }));
    }
    let owner = |row: &Row<'_>| &merger.owners()[row.host.owner as usize];
    let u64s =
        |pick: &dyn Fn(&Row<'_>) -> u64| -> ArrayRef { Arc::new(UInt64Array::from_iter_values(rows.iter().map(pick))) };
    let f64s = |pick: &dyn Fn(&Row<'_>) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(rows.iter().map(pick)))
    };
    batch(
        "host_hours",
        vec![
            ("account_id", fitted(rows.iter().map(|r| owner(r).0.as_str()))),
            ("region", fitted(rows.iter().map(|r| owner(r).1.as_str()))),
            ("host", address_column(rows.iter().map(|r| merger.address(r.host.host)))?),
            ("hour", seconds(rows.iter().map(|r| Some(r.hour_s)).collect())),
            ("in_window", {
                let within = |row: &Row<'_>| Some(row.hour_s >= window.from_s);
                Arc::new(rows.iter().map(within).collect::<BooleanArray>())
            }),
            ("bytes_out", u64s(&|r| r.hour.bytes_out)),
            ("bytes_in", u64s(&|r| r.hour.bytes_in)),
            ("connections", u64s(&|r| r.hour.connections)),
            ("remotes", u64s(&|r| u64::from(r.hour.remotes))),
            ("rejected", u64s(&|r| u64::from(r.hour.rejected))),
            ("top_remote", address_column(rows.iter().map(|r| merger.address(r.hour.top_remote)))?),
            ("top_remote_bytes_out", u64s(&|r| r.hour.top_bytes_out)),
            ("top_remote_bytes_in", u64s(&|r| r.hour.top_bytes_in)),
            ("baseline_hours", u64s(&|r| u64::from(baselines[r.baseline].0))),
            ("baseline_median_ln", f64s(&|r| baselines[r.baseline].1)),
            ("baseline_mad_ln", f64s(&|r| baselines[r.baseline].2)),
            ("baseline_p99_bytes", u64s(&|r| baselines[r.baseline].3)),
            ("baseline_max_bytes", u64s(&|r| baselines[r.baseline].4)),
        ],
    )
}

/// Builds a column of texts without spare capacity.
fn fitted<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    let mut column = StringArray::from_iter_values(texts);
    column.shrink_to_fit();
    Arc::new(column)
}

/// Returns median and median absolute deviation; zeros for an empty slice.
fn median_and_mad(values: &mut [f64]) -> (f64, f64) {
    let median = robust::median(values).unwrap_or(0.0);
    (median, robust::mad(values, median).unwrap_or(0.0))
}
