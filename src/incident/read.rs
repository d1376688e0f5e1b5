//! Reads the pairs of implicated hosts, and how many hosts use a service, from the tables of a run.
//!
//! **Cost.** One walk over `pairs`, shard by shard: the names of hosts of every row, a few columns of the rows of wanted hosts, and all columns of the rows that are kept.
//! What is kept grows with the implicated hosts, up to [`MAX_PAIRS`] rows, and never with the records.

use super::error::IncidentError;
use super::facts::{Facts, HostKey, MIN_DEGREE, PairFact, Place};
use arrow::array::{Array, AsArray, RecordBatch};
use flow::Address;
use rayon::prelude::*;
use rollup::RollupError;
use rollup::derive::{Derived, Stored};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

mod rows;

use rows::{DegreeColumns, FULL, LIGHT, PairColumns, RankColumns};

/// Most rows of `pairs` that are kept of a host: new ones that answered first, then by bytes.
pub const MAX_PAIRS_A_HOST: usize = 2_000;

/// Most rows of `pairs` that are kept of all hosts; each host has an equal share.
pub const MAX_PAIRS: usize = 1_000_000;

/// What is read of hosts.
#[derive(Debug, Clone, Default)]
pub struct PairsRead {
    /// The pairs by host, each sorted by role, remote, port and protocol.
    pub pairs: BTreeMap<HostKey, Vec<PairFact>>,
    /// Rows that were left out, as a host has more than are kept.
    pub left_out: u64,
    /// Inside services that each host opens by habit.
    pub out_degree: HashMap<HostKey, u64>,
    /// Inside hosts that use an inside service, where at least [`MIN_DEGREE`] do; empty unless asked for.
    pub in_degree: HashMap<(HostKey, u16), u64>,
}

/// Whose pairs are read.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The hosts.
    pub hosts: BTreeSet<HostKey>,
    /// Remotes outside whose connection starts are kept; those of inside remotes always are.
    pub timed: HashSet<Address>,
    /// Whether the users of inside services are counted.
    pub degrees: bool,
    /// Whether pairs with remotes outside are passed over once it is settled which rows are kept.
    pub inside_only: bool,
}

/// Reads the pairs of some hosts in one walk. Multicast, link-local and loopback remotes are left out.
///
/// The result does not depend on the number of threads or on what is spilled.
///
/// # Errors
/// [`IncidentError::Pairs`] when `pairs` cannot be read from disk.
pub fn read_pairs(derived: &Derived, wanted: &Wanted) -> Result<PairsRead, IncidentError> {
    let mut by_address: HashMap<[u8; 16], Vec<&HostKey>> = HashMap::new();
    for host in &wanted.hosts {
        by_address.entry(host.address.to_bytes()).or_default().push(host);
    }
    let most = MAX_PAIRS_A_HOST.min(MAX_PAIRS / wanted.hosts.len().max(1)).max(1);
    let walk = Walk { by_address, wanted, most };
    let shards = derived.pairs.shards();
    let seen = shards.par_iter().map(|shard| walk.look(shard));
    let seen = seen.collect::<Result<Vec<Seen<'_>>, RollupError>>().map_err(IncidentError::Pairs)?;
    let mut read = PairsRead::default();
    let mut candidates: BTreeMap<&HostKey, Vec<(Candidate, usize)>> = BTreeMap::new();
    let mut degrees: HashMap<(HostKey, u16, u8), u64> = HashMap::new();
    for (shard, seen) in seen.into_iter().enumerate() {
        read.left_out += seen.left_out;
        for (host, opened) in seen.out_degree {
            *read.out_degree.entry(host.clone()).or_default() += opened;
        }
        for (service, count) in seen.degrees {
            *degrees.entry(service).or_default() += count;
        }
        for (host, rows) in seen.candidates {
            candidates.entry(host).or_default().extend(rows.into_iter().map(|row| (row, shard)));
        }
    }
    for ((host, port, _), count) in degrees.into_iter().filter(|(_, count)| *count >= MIN_DEGREE) {
        let most = read.in_degree.entry((host, port)).or_default();
        *most = count.max(*most);
    }
    let mut kept: Vec<Vec<usize>> = vec![Vec::new(); shards.len()];
    for mut rows in candidates.into_values() {
        read.left_out += keep_first(&mut rows, most);
        for ((.., row), shard) in rows {
            kept[shard].push(row);
        }
    }
    let rows = shards.par_iter().zip(kept).map(|(shard, kept)| walk.keep(shard, kept));
    let rows = rows.collect::<Result<Vec<Vec<Vec<PairFact>>>, RollupError>>().map_err(IncidentError::Pairs)?;
    for of_host in rows.into_iter().flatten() {
        let Some(host) = of_host.first().map(|pair| pair.host.clone()) else { continue };
        match read.pairs.entry(host) {
            Entry::Vacant(vacant) => {
                vacant.insert(of_host);
            }
            Entry::Occupied(mut occupied) => occupied.get_mut().extend(of_host),
        }
    }
    read.pairs.par_iter_mut().for_each(|(_, pairs)| {
        pairs.sort_by_key(|pair| (pair.role, pair.remote, pair.port, pair.protocol));
    });
    Ok(read)
}

/// Reads where addresses are logged. Each list is sorted by account and region.
#[must_use]
pub fn read_places(hosts: &RecordBatch, wanted: &HashSet<Address>) -> HashMap<Address, Vec<Place>> {
    let text = |name: &str| hosts.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let addresses = hosts.column_by_name("host").and_then(|column| column.as_fixed_size_binary_opt());
    let (Some(accounts), Some(regions), Some(interfaces), Some(instances), Some(vpcs), Some(addresses)) =
        (text("account_id"), text("region"), text("interface_id"), text("instance_id"), text("vpc_id"), addresses)
    else {
        return HashMap::new();
    };
    let mut places: HashMap<Address, Vec<Place>> = HashMap::new();
    for row in 0..hosts.num_rows() {
        let Ok(bytes) = addresses.value(row).try_into() else { continue };
        let address = Address::from_bytes(bytes);
        if wanted.contains(&address) {
            let named = |column: &arrow::array::StringArray| column.is_valid(row).then(|| column.value(row).to_owned());
            places.entry(address).or_default().push(Place {
                host: HostKey {
                    account_id: named(accounts).unwrap_or_default(),
                    region: named(regions).unwrap_or_default(),
                    address,
                },
                interface_id: named(interfaces),
                instance_id: named(instances),
                vpc_id: named(vpcs),
            });
        }
    }
    for places in places.values_mut() {
        places.sort_by(|a, b| a.host.cmp(&b.host));
    }
    places
}

/// Adds what was read of hosts to facts, and where the addresses of their inside remotes are logged.
pub fn add_pairs(facts: &mut Facts, read: PairsRead, hosts: &RecordBatch) {
    let known = |address: &Address| facts.places.contains_key(address);
    let inside = read.pairs.values().flatten().filter(|pair| !pair.external).map(|pair| pair.remote);
    let wanted: HashSet<Address> =
        inside.chain(read.pairs.keys().map(|host| host.address)).filter(|address| !known(address)).collect();
    facts.places.extend(read_places(hosts, &wanted));
    facts.pairs.extend(read.pairs);
    facts.in_degree.extend(read.in_degree);
    facts.out_degree.extend(read.out_degree);
}

/// The walk over the shards.
struct Walk<'a> {
    by_address: HashMap<[u8; 16], Vec<&'a HostKey>>,
    wanted: &'a Wanted,
    /// Most rows kept of a host.
    most: usize,
}

/// Keeps the least so many of some rows, if there are more. Returns how many it leaves out.
fn keep_first<T: Ord>(rows: &mut Vec<T>, most: usize) -> u64 {
    let left_out = rows.len().saturating_sub(most);
    if left_out > 0 {
        rows.sort_unstable();
        rows.truncate(most);
    }
    left_out as u64
}

/// A row that may be kept: how much it tells, and where it stands in its shard. Less is better.
type Candidate = (std::cmp::Reverse<(u8, u64)>, (Address, u16, u8, bool), usize);

/// What a shard shows. The rows of a host follow one another, but may go on in the next shard.
#[derive(Default)]
struct Seen<'a> {
    candidates: HashMap<&'a HostKey, Vec<Candidate>>,
    left_out: u64,
    out_degree: HashMap<&'a HostKey, u64>,
    /// By host, port and protocol: at least [`MIN_DEGREE`], or more may follow in another shard.
    degrees: HashMap<(HostKey, u16, u8), u64>,
}

impl<'a> Walk<'a> {
    /// Looks at all rows of a shard.
    fn look(&self, shard: &Stored) -> Result<Seen<'a>, RollupError> {
        let mut seen = Seen::default();
        let mut ends: [Option<Address>; 2] = [None; 2];
        let mut first_row = 0;
        for batch in read_columns(shard, LIGHT)? {
            let batch = batch?;
            if let Some(columns) = RankColumns::of(&batch) {
                let mut begin = 0;
                while begin < batch.num_rows() {
                    let end = columns.end_of_host(begin);
                    if let Some(host) = self.wanted_host(&columns, begin) {
                        let rows = || (begin..end).filter(|row| !columns.is_local(*row));
                        let opened = rows().filter(|row| columns.is_habit_inside(*row)).count() as u64;
                        if opened > 0 {
                            *seen.out_degree.entry(host).or_default() += opened;
                        }
                        let of_host = rows().map(|row| columns.candidate(row, first_row + row));
                        seen.candidates.entry(host).or_default().extend(of_host);
                    }
                    begin = end;
                }
            }
            if let Some(columns) = DegreeColumns::of(&batch).filter(|_| self.wanted.degrees) {
                columns.count(&mut seen.degrees);
                ends = [ends[0].or(columns.host(0)), columns.host(batch.num_rows().saturating_sub(1))];
            }
            first_row += batch.num_rows();
        }
        seen.degrees.retain(|(host, ..), count| *count >= MIN_DEGREE || ends.contains(&Some(host.address)));
        for rows in seen.candidates.values_mut() {
            seen.left_out += keep_first(rows, self.most);
        }
        Ok(seen)
    }

    /// Returns the host of a row, if it is wanted.
    fn wanted_host(&self, columns: &RankColumns<'_>, row: usize) -> Option<&'a HostKey> {
        let owner = columns.owner(row);
        let of_address = self.by_address.get(columns.host(row))?;
        of_address.iter().find(|host| (host.account_id.as_str(), host.region.as_str()) == owner).copied()
    }

    /// Reads the rows of a shard that are kept. Returns those of each host together; a host may come several times.
    fn keep(&self, shard: &Stored, mut kept: Vec<usize>) -> Result<Vec<Vec<PairFact>>, RollupError> {
        let mut hosts: Vec<Vec<PairFact>> = Vec::new();
        if kept.is_empty() {
            return Ok(hosts);
        }
        kept.sort_unstable();
        let mut rest = kept.as_slice();
        let mut first_row = 0;
        for batch in read_columns(shard, FULL)? {
            let batch = batch?;
            let (here, later) = rest.split_at(rest.partition_point(|row| *row < first_row + batch.num_rows()));
            if let Some(columns) = PairColumns::of(&batch) {
                let is_wanted = |row: &usize| !(self.wanted.inside_only && columns.is_outside(*row));
                let rows = here.iter().map(|row| row - first_row).filter(is_wanted);
                for pair in rows.filter_map(|row| columns.pair(row, &self.wanted.timed)) {
                    match hosts.last_mut().filter(|of_host| of_host[0].host == pair.host) {
                        Some(of_host) => of_host.push(pair),
                        None => hosts.push(vec![pair]),
                    }
                }
            }
            rest = later;
            first_row += batch.num_rows();
        }
        Ok(hosts)
    }
}

fn read_columns(
    shard: &Stored,
    names: &[&str],
) -> Result<impl Iterator<Item = Result<RecordBatch, RollupError>> + use<>, RollupError> {
    let schema = shard.schema();
    let columns: Vec<usize> = names.iter().filter_map(|name| schema.index_of(name).ok()).collect();
    shard.read(Some(&columns))
}
