//! The pairs that a run flags: later runs do not take them for habits.

use super::error::DetectError;
use super::finding::Finding;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{UInt8Type, UInt16Type};
use flow::Address;
use flow::Severity;
use rollup::derive::Derived;
use rollup::habits::NamedPair;
use std::collections::{BTreeSet, HashSet};

/// Findings of at least this severity flag their pairs.
const MIN_SEVERITY: Severity = Severity::Medium;

/// The columns of `pairs` that are read, in this order.
const COLUMNS: [&str; 7] = ["account_id", "region", "host", "remote", "port", "protocol", "first_contact"];

/// Returns the pairs of findings of medium severity and above, except those that were habits by then. Sorted.
///
/// # Errors
/// [`DetectError::Pairs`] when `pairs` cannot be read from disk.
pub fn flagged_pairs(findings: &[Finding], derived: &Derived) -> Result<Vec<NamedPair>, DetectError> {
    let told: BTreeSet<NamedPair> =
        findings.iter().filter(|one| one.severity >= MIN_SEVERITY).flat_map(pairs_of).collect();
    if told.is_empty() {
        return Ok(Vec::new());
    }
    let hosts: HashSet<[u8; 16]> = told.iter().map(|pair| pair.host.to_bytes()).collect();
    let schema = derived.pairs.schema();
    let columns: Vec<usize> = COLUMNS.iter().filter_map(|name| schema.index_of(name).ok()).collect();
    let mut flagged = BTreeSet::new();
    for shard in derived.pairs.shards() {
        for batch in shard.read(Some(&columns)).map_err(DetectError::Pairs)? {
            flagged.extend(new_pairs(&batch.map_err(DetectError::Pairs)?, &hosts).filter(|pair| told.contains(pair)));
        }
    }
    Ok(flagged.into_iter().collect())
}

/// Returns the rows of `pairs` of some hosts that are no habits.
fn new_pairs<'a>(rows: &'a RecordBatch, hosts: &'a HashSet<[u8; 16]>) -> impl Iterator<Item = NamedPair> + 'a {
    let texts = |name: &str| rows[name].as_string::<i32>();
    let addresses = |name: &str| rows[name].as_fixed_size_binary();
    let (accounts, regions, hosts_of, remotes) =
        (texts("account_id"), texts("region"), addresses("host"), addresses("remote"));
    let (ports, protocols) = (rows["port"].as_primitive::<UInt16Type>(), rows["protocol"].as_primitive::<UInt8Type>());
    let first = rows["first_contact"].as_boolean();
    (0..rows.num_rows()).filter_map(move |row| {
        let is_habit = first.is_valid(row) && !first.value(row);
        let host = <[u8; 16]>::try_from(hosts_of.value(row)).ok().filter(|host| !is_habit && hosts.contains(host))?;
        Some(NamedPair {
            account_id: accounts.value(row).to_owned(),
            region: regions.value(row).to_owned(),
            host: Address::from_bytes(host),
            remote: Address::from_bytes(remotes.value(row).try_into().ok()?),
            port: ports.value(row),
            protocol: protocols.value(row),
        })
    })
}

/// Returns the pairs that a finding is about: its host with the remote, or one of them with each of the members.
pub(super) fn pairs_of(finding: &Finding) -> Vec<NamedPair> {
    let (Some(of), Some(port), Some(protocol)) = (finding.host, finding.port, finding.protocol) else {
        return Vec::new();
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let pair = |host: Address, remote: Address| {
        let (account_id, region) = (text(&finding.account_id), text(&finding.region));
        NamedPair { account_id, region, host, remote, port, protocol }
    };
    match finding.remote {
        Some(remote) if finding.members.is_empty() => vec![pair(of, remote)],
        Some(remote) => finding.members.iter().map(|host| pair(*host, remote)).collect(),
        None => finding.members.iter().map(|remote| pair(of, *remote)).collect(),
    }
}
