//! Statistics as aggregates, for any GROUP BY and for growing windows.

mod beacon;
mod hosts;
mod intervals;
mod quantile;
mod spread;
mod statistic;

use super::FunctionDoc;
use datafusion::logical_expr::AggregateUDF;

const GROUP: &str = "aggregates";

/// Documentation for `--functions` and the reference.
pub(super) const DOCS: &[FunctionDoc] = &[
    FunctionDoc {
        name: "beacon",
        group: GROUP,
        call: "beacon(start[, bytes])",
        returns: "The judgement of connection starts (timestamps or Unix seconds) as a struct: `period_s`, \
                `jitter_ratio` (0 = a clock, 0.5 = ±50 %), `missed_ratio` (share of lost beats), `connections`, \
                `p_value` (probability that random traffic looks so regular, calibrated by simulation) and `score` \
                (0 to 1, with `bytes` also by how equal they are). NULL for fewer than six starts. Pass connection \
                starts and not records, since a long connection makes a record a minute: `beacon(start) FILTER \
                (WHERE tcp_flags & 18 = 2)`. The score takes the time from the first to the last start as the \
                window. Only the latest 16,384 are used.",
        example: "SELECT round(beacon(n * 600)['period_s']) FROM (VALUES (0), (1), (2), (3), (4), (5)) AS t(n)",
        result: "600.0",
    },
    FunctionDoc {
        name: "interval_stats",
        group: GROUP,
        call: "interval_stats(time)",
        returns: "The intervals between successive times, which may be in any order, as a struct: `intervals` (count), \
                `mean_s`, `median_s`, `mad_s`, `shortest_s`, `longest_s` and `dispersion` ((q80 − q20) / (2·median), \
                0 = equal). NULL for fewer than two times.",
        example: "SELECT interval_stats(n * n)['median_s'] FROM (VALUES (0), (1), (2), (3)) AS t(n)",
        result: "3.0",
    },
    FunctionDoc {
        name: "mad",
        group: GROUP,
        call: "mad(x)",
        returns: "The median absolute deviation from the median, unscaled; times 1.4826 it is the standard deviation \
                of normally distributed values.",
        example: "SELECT mad(x) FROM (VALUES (1), (1), (2), (2), (4), (6), (9)) AS t(x)",
        result: "1.0",
    },
    FunctionDoc {
        name: "max_robust_z",
        group: GROUP,
        call: "max_robust_z(x)",
        returns: "`robust_z` of the largest value against the median and MAD of all values.",
        example: "SELECT round(max_robust_z(ln(x)), 2) FROM (VALUES (100), (110), (90), (105), (1000000)) AS t(x)",
        result: "53.16",
    },
    FunctionDoc {
        name: "hdr_quantile",
        group: GROUP,
        call: "hdr_quantile(x, q)",
        returns: "The quantile `q`, 0 to 1, of non-negative numbers by an HdrHistogram of three significant digits: at \
                most 0.1 % above the true one, whatever the order of rows and the number of threads.",
        example: "SELECT hdr_quantile(x, 0.5) FROM (VALUES (10), (20), (30)) AS t(x)",
        result: "20",
    },
    FunctionDoc {
        name: "distinct_hosts",
        group: GROUP,
        call: "distinct_hosts(address)",
        returns: "The exact number of different addresses, however they are written; texts that are not addresses do \
                not count.",
        example: "SELECT distinct_hosts(a) FROM (VALUES ('10.0.0.1'), ('::ffff:10.0.0.1'), ('-'), ('10.0.0.2')) AS t(a)",
        result: "2",
    },
];

/// Creates all aggregates.
pub(super) fn functions() -> Vec<AggregateUDF> {
    vec![
        statistic::aggregate(beacon::Beacon),
        statistic::aggregate(intervals::IntervalStats),
        statistic::aggregate(spread::Mad),
        statistic::aggregate(spread::MaxRobustZ),
        statistic::aggregate(quantile::HdrQuantile::default()),
        statistic::aggregate(hosts::DistinctHosts),
    ]
}
