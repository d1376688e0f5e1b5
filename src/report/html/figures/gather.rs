//! Reads what figures show from the tables of a run.

use super::band::{self, SentHour};
use super::wanted::{HostKey, PairKey, Wanted};
use super::{BeatFigure, Figures, MAX_STARTS, UploadFigure};
use crate::detect::Finding;
use crate::incident::Incident;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampSecondType, UInt8Type, UInt16Type, UInt64Type};
use flow::Address;
use flow::codes::Role;
use rollup::RollupError;
use rollup::derive::Derived;
use rollup::window::Window;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The columns of `pairs` that are read.
const COLUMNS: [&str; 8] = ["account_id", "region", "host", "remote", "port", "protocol", "role", "starts"];

/// Gathers what figures show: of the findings of incidents and then of the others, as many as [`super::MAX_BEATS`] and
/// [`super::MAX_UPLOADS`] allow.
///
/// # Errors
/// When `pairs` cannot be read from disk.
pub fn gather(
    derived: &Derived,
    window: &Window,
    incidents: &[Incident],
    findings: &[Finding],
) -> Result<Figures, RollupError> {
    let wanted = Wanted::of(incidents, findings);
    let keys: HashSet<&PairKey> = wanted.beats.iter().flat_map(|beat| &beat.pairs).collect();
    let starts = starts_of(&keys, derived)?;
    let beats = wanted.beats.iter().filter_map(|beat| {
        let mut starts_s: Vec<i64> = beat.pairs.iter().filter_map(|key| starts.get(key)).flatten().copied().collect();
        starts_s.sort_unstable();
        let left_out = starts_s.len().saturating_sub(MAX_STARTS) as u64;
        starts_s.truncate(MAX_STARTS);
        let figure = BeatFigure { subject: beat.subject.clone(), title: beat.title.clone(), starts_s, left_out };
        (figure.starts_s.len() > 1).then_some(figure)
    });
    let beats = beats.collect();
    let mut sent = sent_by(&wanted.uploads, &derived.host_hours);
    let uploads = wanted.uploads.iter().filter_map(|key| {
        let sent = sent.remove(key)?;
        let habit = band::habit(&sent, window);
        let (hours, left_out) = band::hours(&sent, window, habit);
        let HostKey { account_id, region, host } = key.clone();
        Some(UploadFigure { account_id, region, host, habit, hours, left_out })
    });
    let uploads = uploads.collect();
    let Wanted { beats_left_out, uploads_left_out, .. } = wanted;
    Ok(Figures { beats, uploads, beats_left_out, uploads_left_out })
}

/// Reads the starts of some pairs.
fn starts_of(keys: &HashSet<&PairKey>, derived: &Derived) -> Result<HashMap<PairKey, Vec<i64>>, RollupError> {
    let mut found = HashMap::new();
    if keys.is_empty() {
        return Ok(found);
    }
    let hosts: HashSet<[u8; 16]> = keys.iter().map(|key| key.host.host.to_bytes()).collect();
    let schema = derived.pairs.schema();
    let columns: Vec<usize> = COLUMNS.iter().filter_map(|name| schema.index_of(name).ok()).collect();
    for shard in derived.pairs.shards() {
        for batch in shard.read(Some(&columns))? {
            add_starts(&batch?, &hosts, keys, &mut found);
        }
    }
    Ok(found)
}

/// Adds the starts of the wanted pairs among some rows of `pairs`.
fn add_starts(
    rows: &RecordBatch,
    hosts: &HashSet<[u8; 16]>,
    keys: &HashSet<&PairKey>,
    found: &mut HashMap<PairKey, Vec<i64>>,
) {
    let texts = |name: &str| rows[name].as_string::<i32>();
    let addresses = |name: &str| rows[name].as_fixed_size_binary();
    let (accounts, regions) = (texts("account_id"), texts("region"));
    let (hosts_of, remotes) = (addresses("host"), addresses("remote"));
    let (ports, protocols) = (rows["port"].as_primitive::<UInt16Type>(), rows["protocol"].as_primitive::<UInt8Type>());
    let (roles, starts) = (rows["role"].as_string_view(), rows["starts"].as_list::<i32>());
    for row in 0..rows.num_rows() {
        let Some(host) = address(hosts_of.value(row)).filter(|host| hosts.contains(&host.to_bytes())) else { continue };
        let (Some(remote), Some(role)) = (address(remotes.value(row)), Role::parse(roles.value(row))) else { continue };
        let host = HostKey { account_id: accounts.value(row).to_owned(), region: regions.value(row).to_owned(), host };
        let key = PairKey { host, remote, port: ports.value(row), protocol: protocols.value(row), role };
        if keys.contains(&key) {
            let list = starts.value(row);
            found.entry(key).or_default().extend(list.as_primitive::<Int64Type>().values());
        }
    }
}

/// Reads the hours of some hosts, by their first second.
fn sent_by(hosts: &[HostKey], host_hours: &RecordBatch) -> HashMap<HostKey, BTreeMap<i64, SentHour>> {
    let mut sent: HashMap<HostKey, BTreeMap<i64, SentHour>> = HashMap::new();
    if hosts.is_empty() || host_hours.num_rows() == 0 {
        return sent;
    }
    let wanted: HashSet<[u8; 16]> = hosts.iter().map(|key| key.host.to_bytes()).collect();
    let keys: HashSet<&HostKey> = hosts.iter().collect();
    let texts = |name: &str| host_hours[name].as_string::<i32>();
    let addresses = |name: &str| host_hours[name].as_fixed_size_binary();
    let (accounts, regions) = (texts("account_id"), texts("region"));
    let (hosts_of, remotes) = (addresses("host"), addresses("top_remote"));
    let hours = host_hours["hour"].as_primitive::<TimestampSecondType>();
    let bytes = host_hours["bytes_out"].as_primitive::<UInt64Type>();
    for row in 0..host_hours.num_rows() {
        let Some(host) = address(hosts_of.value(row)).filter(|host| wanted.contains(&host.to_bytes())) else {
            continue;
        };
        let key = HostKey { account_id: accounts.value(row).to_owned(), region: regions.value(row).to_owned(), host };
        if let Some(top_remote) = address(remotes.value(row)).filter(|_| keys.contains(&key)) {
            let hour = SentHour { bytes_out: bytes.value(row), top_remote };
            sent.entry(key).or_default().insert(hours.value(row), hour);
        }
    }
    sent
}

fn address(bytes: &[u8]) -> Option<Address> {
    Some(Address::from_bytes(bytes.try_into().ok()?))
}
