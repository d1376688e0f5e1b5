//! The columns of `pairs` that incidents read.

use super::Candidate;
use crate::incident::facts::{HostKey, PairFact};
use arrow::array::{
    Array, AsArray, BooleanArray, FixedSizeBinaryArray, ListArray, PrimitiveArray, RecordBatch, StringArray,
    StringViewArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, Int64Type, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use flow::Address;
use flow::codes::{Role, TCP};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// The columns that are read of every row.
pub(super) const LIGHT: &[&str] = &[
    "account_id",
    "region",
    "host",
    "remote",
    "port",
    "protocol",
    "role",
    "external",
    "local_scope",
    "connections",
    "records",
    "rejected",
    "bytes_out",
    "bytes_in",
    "baseline_hours",
    "first_contact",
];

/// The columns that are read of rows that are kept.
pub(super) const FULL: &[&str] = &[
    "account_id",
    "region",
    "host",
    "remote",
    "port",
    "protocol",
    "role",
    "external",
    "connections",
    "records",
    "rejected",
    "bytes_out",
    "bytes_in",
    "packets_in",
    "first_seen",
    "last_seen",
    "longest_s",
    "active_hours",
    "window_s",
    "baseline_hours",
    "baseline_bytes_out",
    "baseline_first_seen",
    "first_contact",
    "prevalence_hosts",
    "starts",
];

/// Returns a column of numbers; `None` where the table has none of that name and type.
fn numbers<'a, T: ArrowPrimitiveType>(batch: &'a RecordBatch, name: &str) -> Option<&'a PrimitiveArray<T>> {
    batch.column_by_name(name)?.as_primitive_opt::<T>()
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_string_opt::<i32>()
}

fn flags<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a BooleanArray> {
    batch.column_by_name(name)?.as_boolean_opt()
}

fn addresses<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a FixedSizeBinaryArray> {
    batch.column_by_name(name)?.as_fixed_size_binary_opt()
}

fn value<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    column.is_valid(row).then(|| column.value(row))
}

/// The columns that name a pair.
struct NameColumns<'a> {
    accounts: &'a StringArray,
    regions: &'a StringArray,
    hosts: &'a FixedSizeBinaryArray,
    remotes: &'a FixedSizeBinaryArray,
    ports: &'a PrimitiveArray<UInt16Type>,
    protocols: &'a PrimitiveArray<UInt8Type>,
    roles: &'a StringViewArray,
    external: &'a BooleanArray,
}

impl<'a> NameColumns<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        Some(Self {
            accounts: texts(batch, "account_id")?,
            regions: texts(batch, "region")?,
            hosts: addresses(batch, "host")?,
            remotes: addresses(batch, "remote")?,
            ports: numbers(batch, "port")?,
            protocols: numbers(batch, "protocol")?,
            roles: batch.column_by_name("role")?.as_string_view_opt()?,
            external: flags(batch, "external")?,
        })
    }

    /// Returns whether two rows are of one host.
    fn is_same_host(&self, one: usize, other: usize) -> bool {
        self.hosts.value(one) == self.hosts.value(other)
            && self.accounts.value(one) == self.accounts.value(other)
            && self.regions.value(one) == self.regions.value(other)
    }

    /// Returns the end of the rows from `begin` on that are of one host. The rows of a host follow one another.
    fn end_of_host(&self, begin: usize) -> usize {
        (begin + 1..self.hosts.len()).find(|row| !self.is_same_host(begin, *row)).unwrap_or(self.hosts.len())
    }

    fn is_client(&self, row: usize) -> bool {
        self.roles.value(row) == Role::Client.as_str()
    }

    fn host(&self, row: usize) -> Option<HostKey> {
        Some(HostKey {
            account_id: self.accounts.value(row).to_owned(),
            region: self.regions.value(row).to_owned(),
            address: Address::from_bytes(self.hosts.value(row).try_into().ok()?),
        })
    }

    fn remote(&self, row: usize) -> Option<Address> {
        Some(Address::from_bytes(self.remotes.value(row).try_into().ok()?))
    }
}

/// What tells how much a row says.
pub(super) struct RankColumns<'a> {
    names: NameColumns<'a>,
    local: &'a BooleanArray,
    connections: &'a PrimitiveArray<UInt64Type>,
    records: &'a PrimitiveArray<UInt64Type>,
    rejected: &'a PrimitiveArray<UInt64Type>,
    bytes_out: &'a PrimitiveArray<UInt64Type>,
    bytes_in: &'a PrimitiveArray<UInt64Type>,
    baseline_hours: &'a PrimitiveArray<UInt64Type>,
    first_contact: &'a BooleanArray,
}

impl<'a> RankColumns<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Option<Self> {
        Some(Self {
            names: NameColumns::of(batch)?,
            local: flags(batch, "local_scope")?,
            connections: numbers(batch, "connections")?,
            records: numbers(batch, "records")?,
            rejected: numbers(batch, "rejected")?,
            bytes_out: numbers(batch, "bytes_out")?,
            bytes_in: numbers(batch, "bytes_in")?,
            baseline_hours: numbers(batch, "baseline_hours")?,
            first_contact: flags(batch, "first_contact")?,
        })
    }

    pub(super) fn host(&self, row: usize) -> &[u8] {
        self.names.hosts.value(row)
    }

    /// Returns the end of the rows from `begin` on that are of one host.
    pub(super) fn end_of_host(&self, begin: usize) -> usize {
        self.names.end_of_host(begin)
    }

    pub(super) fn owner(&self, row: usize) -> (&str, &str) {
        (self.names.accounts.value(row), self.names.regions.value(row))
    }

    pub(super) fn is_local(&self, row: usize) -> bool {
        self.local.value(row)
    }

    /// Returns whether a host opens an inside service by habit.
    pub(super) fn is_habit_inside(&self, row: usize) -> bool {
        let known = value(self.baseline_hours, row).is_some_and(|hours| hours > 0);
        known && self.names.is_client(row) && !self.names.external.value(row)
    }

    /// Returns the row with what it says: whether it is new and answered, then its bytes.
    pub(super) fn candidate(&self, row: usize, at: usize) -> Candidate {
        let (out, back) = (self.bytes_out.value(row), self.bytes_in.value(row));
        let (protocol, is_client) = (self.names.protocols.value(row), self.names.is_client(row));
        let from_server = if is_client { back } else { out };
        let answered = out > 0
            && back > 0
            && self.rejected.value(row) < self.records.value(row)
            && (protocol != TCP || from_server > 60 * self.connections.value(row));
        let is_habit = self.first_contact.is_valid(row) && !self.first_contact.value(row);
        let new = !is_habit && value(self.baseline_hours, row).is_none_or(|hours| hours == 0);
        let rank = 2 * u8::from(answered) + u8::from(new);
        let remote = self.names.remote(row).unwrap_or_else(|| Address::from_bits(0));
        let name = (remote, self.names.ports.value(row), protocol, is_client);
        (Reverse((rank, out.saturating_add(back))), name, at)
    }
}

/// What tells who uses an inside service.
pub(super) struct DegreeColumns<'a> {
    names: NameColumns<'a>,
    records: &'a PrimitiveArray<UInt64Type>,
    rejected: &'a PrimitiveArray<UInt64Type>,
}

impl<'a> DegreeColumns<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Option<Self> {
        let (records, rejected) = (numbers(batch, "records")?, numbers(batch, "rejected")?);
        Some(Self { names: NameColumns::of(batch)?, records, rejected })
    }

    /// Returns the host of a row; `None` without rows.
    pub(super) fn host(&self, row: usize) -> Option<Address> {
        let bytes = (row < self.names.hosts.len()).then(|| self.names.hosts.value(row))?;
        Some(Address::from_bytes(bytes.try_into().ok()?))
    }

    /// Counts the inside clients of each service by host, port and protocol: a row each.
    pub(super) fn count(&self, degrees: &mut HashMap<(HostKey, u16, u8), u64>) {
        let names = &self.names;
        let counts = |row: &usize| {
            !names.is_client(*row)
                && !names.external.value(*row)
                && self.rejected.value(*row) < self.records.value(*row)
        };
        let mut services: HashMap<(u16, u8), u64> = HashMap::new();
        let mut begin = 0;
        while begin < names.hosts.len() {
            let end = names.end_of_host(begin);
            for row in (begin..end).filter(counts) {
                *services.entry((names.ports.value(row), names.protocols.value(row))).or_default() += 1;
            }
            if let Some(host) = names.host(begin).filter(|_| !services.is_empty()) {
                for ((port, protocol), count) in services.drain() {
                    *degrees.entry((host.clone(), port, protocol)).or_default() += count;
                }
            }
            services.clear();
            begin = end;
        }
    }
}

/// Everything that is kept of a row.
pub(super) struct PairColumns<'a> {
    names: NameColumns<'a>,
    connections: &'a PrimitiveArray<UInt64Type>,
    records: &'a PrimitiveArray<UInt64Type>,
    rejected: &'a PrimitiveArray<UInt64Type>,
    bytes_out: &'a PrimitiveArray<UInt64Type>,
    bytes_in: &'a PrimitiveArray<UInt64Type>,
    packets_in: &'a PrimitiveArray<UInt64Type>,
    first_seen: &'a PrimitiveArray<TimestampSecondType>,
    last_seen: &'a PrimitiveArray<TimestampSecondType>,
    longest_s: &'a PrimitiveArray<UInt64Type>,
    active_hours: &'a PrimitiveArray<UInt32Type>,
    window_s: &'a PrimitiveArray<UInt32Type>,
    baseline_hours: &'a PrimitiveArray<UInt64Type>,
    baseline_bytes_out: &'a PrimitiveArray<UInt64Type>,
    baseline_first_seen: &'a PrimitiveArray<TimestampSecondType>,
    first_contact: &'a BooleanArray,
    prevalence_hosts: &'a PrimitiveArray<UInt64Type>,
    starts: &'a ListArray,
}

impl<'a> PairColumns<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Option<Self> {
        Some(Self {
            names: NameColumns::of(batch)?,
            connections: numbers(batch, "connections")?,
            records: numbers(batch, "records")?,
            rejected: numbers(batch, "rejected")?,
            bytes_out: numbers(batch, "bytes_out")?,
            bytes_in: numbers(batch, "bytes_in")?,
            packets_in: numbers(batch, "packets_in")?,
            first_seen: numbers(batch, "first_seen")?,
            last_seen: numbers(batch, "last_seen")?,
            longest_s: numbers(batch, "longest_s")?,
            active_hours: numbers(batch, "active_hours")?,
            window_s: numbers(batch, "window_s")?,
            baseline_hours: numbers(batch, "baseline_hours")?,
            baseline_bytes_out: numbers(batch, "baseline_bytes_out")?,
            baseline_first_seen: numbers(batch, "baseline_first_seen")?,
            first_contact: flags(batch, "first_contact")?,
            prevalence_hosts: numbers(batch, "prevalence_hosts")?,
            starts: batch.column_by_name("starts")?.as_list_opt::<i32>()?,
        })
    }

    /// Returns whether the remote of a row lies outside.
    pub(super) fn is_outside(&self, row: usize) -> bool {
        self.names.external.value(row)
    }

    /// Returns a row; the starts of remotes outside only where they are `timed`.
    pub(super) fn pair(&self, row: usize, timed: &HashSet<Address>) -> Option<PairFact> {
        let remote = self.names.remote(row)?;
        let external = self.names.external.value(row);
        let starts_s = if !external || timed.contains(&remote) {
            let (from, to) = (self.starts.value_offsets()[row] as usize, self.starts.value_offsets()[row + 1] as usize);
            self.starts.values().as_primitive_opt::<Int64Type>()?.values().get(from..to)?.to_vec()
        } else {
            Vec::new()
        };
        Some(PairFact {
            host: self.names.host(row)?,
            remote,
            port: self.names.ports.value(row),
            protocol: self.names.protocols.value(row),
            role: if self.names.is_client(row) { Role::Client } else { Role::Server },
            external,
            connections: value(self.connections, row)?,
            records: value(self.records, row)?,
            rejected: value(self.rejected, row)?,
            bytes_out: value(self.bytes_out, row)?,
            bytes_in: value(self.bytes_in, row)?,
            packets_in: value(self.packets_in, row)?,
            first_seen_s: value(self.first_seen, row)?,
            last_seen_s: value(self.last_seen, row)?,
            longest_s: value(self.longest_s, row)?,
            active_hours: value(self.active_hours, row)?,
            first_contact: self.first_contact.is_valid(row).then(|| self.first_contact.value(row)),
            baseline_bytes_out: value(self.baseline_bytes_out, row),
            baseline_hours: value(self.baseline_hours, row),
            baseline_first_seen_s: value(self.baseline_first_seen, row),
            prevalence_hosts: value(self.prevalence_hosts, row)?,
            window_s: value(self.window_s, row)?,
            starts_s,
        })
    }
}
