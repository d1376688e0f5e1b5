//! A train that moves from address to address is one finding.
//!
//! Tasks and instances of autoscaling groups get a new address each time they start. An implant in their image calls the
//! same remote from one after the other, and each address shows a train of its own.

use super::finding::Finding;
use flow::Address;
use flow::codes::Role;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Fewest addresses, one after the other, that are one train.
const MIN_ADDRESSES: usize = 3;

/// Periods of one train differ by at most this factor.
const MAX_PERIOD_RATIO: f64 = 1.25;

/// Most successors that a finding names; the number of all of them is told.
const MAX_NAMED: usize = 50;

/// The remote of a train and the port that it calls, for hosts of one account and region.
type ServiceKey = (Option<String>, Option<String>, Address, u16, Option<u8>);

fn service_key(finding: &Finding) -> Option<ServiceKey> {
    let remote = finding.remote.filter(|_| finding.role == Some(Role::Client))?;
    Some((finding.account_id.clone(), finding.region.clone(), remote, finding.port?, finding.protocol))
}

fn number(finding: &Finding, name: &str) -> Option<f64> {
    finding.evidence.get(name).and_then(Value::as_f64)
}

/// Returns whether too many hosts call the remote at once for so many beacons to be successors. A remote that thousands of
/// hosts share is passed over at once.
fn shared(beacon: &Finding, beacons: usize) -> bool {
    number(beacon, "prevalence_hosts").is_some_and(|hosts| hosts * MIN_ADDRESSES as f64 > beacons as f64)
}

/// Joins beacons of one remote whose hosts called it one after the other, at the same period, to the most severe of
/// them, which names the others. A pooled beacon of the same remote says no more and is left out.
///
/// Findings may come in any order; the result depends only on what they are.
pub(super) fn join_successors(findings: &mut Vec<Finding>) {
    let mut by_service: BTreeMap<ServiceKey, Vec<usize>> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        if finding.detection == "beacon"
            && !finding.is_held_back()
            && let Some(key) = service_key(finding)
        {
            by_service.entry(key).or_default().push(index);
        }
    }
    let mut gone: BTreeSet<usize> = BTreeSet::new();
    let mut joined: Vec<ServiceKey> = Vec::new();
    for (key, mut beacons) in by_service {
        if beacons.iter().any(|at| shared(&findings[*at], beacons.len())) {
            continue;
        }
        beacons.sort_by_key(|at| (findings[*at].first_seen_s, findings[*at].last_seen_s, findings[*at].host));
        while let Some(train) = next_train(findings, &mut beacons) {
            if train.len() < MIN_ADDRESSES {
                continue;
            }
            // The most severe, and of those the first.
            let Some(lead) = train.iter().copied().min_by(|a, b| findings[*b].severity.cmp(&findings[*a].severity))
            else {
                continue;
            };
            tell(findings, lead, &train);
            gone.extend(train.into_iter().filter(|at| *at != lead));
            joined.push(key.clone());
        }
    }
    let mut index = 0;
    findings.retain(|finding| {
        let pooled =
            finding.detection == "pooled_beacon" && service_key(finding).is_some_and(|key| joined.contains(&key));
        let keep = !gone.contains(&index) && !pooled;
        index += 1;
        keep
    });
}

/// Takes from beacons, sorted by time, the first and all that follow one after the other at its period.
fn next_train(findings: &[Finding], beacons: &mut Vec<usize>) -> Option<Vec<usize>> {
    let first = *beacons.first()?;
    let period_s = number(&findings[first], "period_s").unwrap_or(0.0);
    let mut train: Vec<usize> = Vec::new();
    beacons.retain(|at| {
        let finding = &findings[*at];
        let other_s = number(finding, "period_s").unwrap_or(0.0);
        let alike = other_s <= MAX_PERIOD_RATIO * period_s && period_s <= MAX_PERIOD_RATIO * other_s;
        // Two may call at once for a beat, while one takes over from the other.
        let follows = train.last().is_none_or(|last| {
            finding.first_seen_s as f64 + period_s >= findings[*last].last_seen_s as f64
                && finding.host != findings[*last].host
        });
        let taken = *at == first || alike && follows;
        if taken {
            train.push(*at);
        }
        !taken
    });
    Some(train)
}

/// Rewrites the leading finding as that of the train of all its hosts.
fn tell(findings: &mut [Finding], lead: usize, train: &[usize]) {
    let sum = |name: &str| train.iter().filter_map(|at| findings[*at].evidence.get(name)?.as_u64()).sum::<u64>();
    let hosts: Vec<String> = train.iter().filter_map(|at| Some(findings[*at].host?.to_string())).collect();
    let named: Vec<Value> = hosts.iter().take(MAX_NAMED).map(|host| Value::from(host.as_str())).collect();
    let sums: Vec<(&str, u64)> = ["connections", "bytes_out", "bytes_in"].map(|name| (name, sum(name))).to_vec();
    let first_s = train.iter().map(|at| findings[*at].first_seen_s).min();
    let last_s = train.iter().map(|at| findings[*at].last_seen_s).max();
    let finding = &mut findings[lead];
    finding.first_seen_s = first_s.unwrap_or(finding.first_seen_s);
    finding.last_seen_s = last_s.unwrap_or(finding.last_seen_s);
    for (name, sum) in sums {
        if finding.evidence.contains_key(name) {
            finding.evidence.insert(name.to_owned(), sum.into());
        }
    }
    // A beat of one host says nothing of its successor's.
    finding.evidence.insert("next_beat".to_owned(), Value::Null);
    finding.evidence.insert("addresses".to_owned(), hosts.len().into());
    finding.evidence.insert("successors".to_owned(), Value::Array(named));
    finding.explanation.push_str(&format!(
        " The same train moves over {} addresses, one after the other, from {} to {}.",
        hosts.len(),
        hosts.first().map_or("", String::as_str),
        hosts.last().map_or("", String::as_str),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn beacon(host: &str, from_minute: i64, to_minute: i64, period_s: f64, severity: &str) -> Finding {
        let at = |minute: i64| format!("2024-04-19T{:02}:{:02}:00Z", minute / 60, minute % 60);
        let value = json!({
            "schema_version": 2, "subject": "", "id": host, "detection": "beacon", "title": "", "severity": severity, "score": 0.5,
            "p_value": 0.0, "account_id": "1", "region": null, "host": host, "interface_id": null,
            "instance_id": null, "vpc_id": null, "remote": "192.0.2.9", "port": 443, "protocol": 6, "role": "client",
            "first_seen": at(from_minute), "last_seen": at(to_minute),
            "window_start": "2024-04-19T00:00:00Z", "window_end": "2024-04-20T00:00:00Z", "techniques": [],
            "evidence": { "period_s": period_s, "connections": 20, "bytes_out": 100 }, "explanation": "What.", "coverage": 1.0,
        });
        serde_json::from_value(value).unwrap()
    }

    fn joined(mut findings: Vec<Finding>) -> Vec<Finding> {
        join_successors(&mut findings);
        findings
    }

    #[test]
    fn hosts_one_after_the_other_are_one_train_in_any_order() {
        let train = || (0..20).map(|task| beacon(&format!("10.0.0.{task}"), 20 * task, 20 * task + 20, 60.0, "high"));
        let forth = joined(train().collect());
        assert_eq!(forth.len(), 1);
        assert_eq!((&forth[0].evidence["addresses"], &forth[0].evidence["connections"]), (&20.into(), &400.into()));
        assert_eq!(forth[0].last_seen_s - forth[0].first_seen_s, 400 * 60);
        assert!(forth[0].explanation.ends_with("over 20 addresses, one after the other, from 10.0.0.0 to 10.0.0.19."));
        assert_eq!(joined(train().rev().collect()), forth);
        // A pool of the same hosts adds nothing; one of another remote stays.
        let pool = Finding { detection: "pooled_beacon".to_owned(), ..beacon("10.0.0.0", 0, 400, 60.0, "high") };
        let other = Finding { remote: "192.0.2.10".parse().ok(), ..pool.clone() };
        assert_eq!(joined(train().chain([pool, other]).collect()).len(), 2);
    }

    #[test]
    fn hosts_at_once_and_other_periods_stay_apart() {
        let at_once = (0..20).map(|task| beacon(&format!("10.0.0.{task}"), task, 400, 60.0, "high"));
        assert_eq!(joined(at_once.collect()).len(), 20);
        let periods = (0..4)
            .map(|task| beacon(&format!("10.0.0.{task}"), 20 * task, 20 * task + 20, 60.0 * (1 + task) as f64, "high"));
        assert_eq!(joined(periods.collect()).len(), 4);
        // Two tasks at a time are two trains.
        let twos =
            (0..20).map(|task| beacon(&format!("10.0.0.{task}"), task / 2 * 20, task / 2 * 20 + 20, 60.0, "high"));
        assert_eq!(joined(twos.collect()).len(), 2);
    }
}
