//! The slow rule of what several logs wrote of the same packets, record by record.

use super::twin_rows::Seen;
use crate::Vantage;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// ENI and flow log. No name sorts last.
type Log<'a> = (bool, Option<&'a str>, Option<u32>);

fn log(r: &Seen) -> Log<'_> {
    (r.eni.is_none(), r.eni.as_deref(), r.log)
}

fn hour(r: &Seen) -> i64 {
    r.start.div_euclid(3_600)
}

/// Leaves out what repeats in the records of one 4-tuple.
pub fn once(mut list: Vec<Seen>, vantage: Vantage) -> Vec<Seen> {
    let own = vantage == Vantage::Own;
    let one_log = list.iter().all(|r| log(r) == log(&list[0]));
    if one_log || (own && list.iter().all(|r| r.log.is_none())) {
        return list;
    }
    // Records of one log that begin together last equally long.
    let all = list.clone();
    for r in &mut list {
        let together = all.iter().filter(|other| other.start == r.start && log(other) == log(r));
        r.duration = together.map(|other| other.duration).max().unwrap();
    }
    let way = |r: &Seen| (r.outbound, r.rejected, own.then(|| r.eni.clone()));
    let ways: BTreeSet<_> = list.iter().map(way).collect();
    let of_one = |one| of_way(list.iter().filter(|r| way(r) == one).cloned().collect());
    ways.into_iter().flat_map(of_one).collect()
}

/// Packets, bytes, first and last second, and the longest record.
type Sums = (u64, u64, i64, i64, i64);

fn sums(records: &[&Seen]) -> Sums {
    let sum = |pick: fn(&Seen) -> u64| records.iter().map(|r| pick(r)).sum();
    let first = records.iter().map(|r| r.start).min().unwrap();
    let last = records.iter().map(|r| r.start + r.duration).max().unwrap();
    (sum(|r| r.packets), sum(|r| r.bytes), first, last, records.iter().map(|r| r.duration).max().unwrap())
}

fn of_way(records: Vec<Seen>) -> Vec<Seen> {
    let mut kept: Vec<Seen> = Vec::new();
    let hours: BTreeSet<i64> = records.iter().map(hour).collect();
    for at in hours {
        let logs: BTreeSet<Log> = records.iter().filter(|r| hour(r) == at).map(log).collect();
        let of_log = |of: Log| -> Vec<&Seen> { records.iter().filter(|r| hour(r) == at && log(r) == of).collect() };
        let mut ranked: Vec<(Sums, Log)> = logs.into_iter().map(|of| (sums(&of_log(of)), of)).collect();
        ranked.sort_by_key(|(sums, of)| (sums.4 > 65, Reverse(sums.0), *of));
        for (place, (mine, of)) in ranked.iter().enumerate() {
            let is_twin = |(other, _): &(Sums, Log)| {
                (mine.0, mine.1) == (other.0, other.1)
                    && (mine.2 - other.2).abs() <= 60
                    && (mine.3 - other.3).abs() <= 60
            };
            if ranked[..place].iter().any(is_twin) {
                continue;
            }
            let end = |r: &Seen| (r.start + r.duration).max(r.start + 1);
            let repeats = |r: &&Seen| {
                kept.iter().any(|k| {
                    let overlap = k.start < end(r) && r.start < end(k);
                    let alike = (k.bytes, k.packets) == (r.bytes, r.packets) && (k.start - r.start).abs() <= 2;
                    (overlap || alike) && log(k) != *of
                })
            };
            let fresh: Vec<Seen> = of_log(*of).into_iter().filter(|r| !repeats(r)).cloned().collect();
            kept.extend(fresh);
        }
    }
    kept
}
