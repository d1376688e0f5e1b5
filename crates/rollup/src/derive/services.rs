//! The `services` table: what each host serves to external remotes, and whether it did so before the window.

use super::columns::{address_column, batch, seconds};
use super::records::PairRecord;
use crate::error::RollupError;
use crate::merge::{Merger, NamesAt};
use crate::window::Window;
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray, UInt8Array, UInt16Array, UInt64Array};
use flow::codes::{Role, TCP};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Fewest bytes per connection of a TCP service that does more than shake hands: SYN-ACK, ACK and FIN are 164 at most.
const SPOKEN_BYTES: u64 = 200;

/// What one port of a host served to external remotes.
#[derive(Clone, Debug)]
struct Service {
    /// Names of the ENI.
    sample: NamesAt,
    remotes: u64,
    connections: u64,
    bytes_out: u64,
    bytes_in: u64,
    /// Bytes exchanged with the remote that has most, and that remote.
    top: (u64, u32),
    first_s: u32,
    last_s: u32,
    baseline_remotes: u64,
    baseline_first_s: i64,
}

/// Services of one host by protocol and port. A port that never answered is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostServices(BTreeMap<(u8, u16), Service>);

/// Returns whether a service sent more than a handshake.
fn spoke(protocol: u8, bytes_out: u64, connections: u64) -> bool {
    if protocol == TCP { bytes_out >= SPOKEN_BYTES * connections.max(1) } else { bytes_out > 0 }
}

impl HostServices {
    /// Adds a pair of the host. Each remote comes once for each port.
    pub(crate) fn add(&mut self, pair: &PairRecord) {
        if pair.key.role != Role::Server || !pair.external {
            return;
        }
        let protocol = pair.key.protocol;
        let now = pair.records > 0 && pair.bytes_in > 0 && spoke(protocol, pair.bytes_out, pair.connections);
        let before = pair.baseline.as_deref().filter(|past| spoke(protocol, past.bytes_out, past.connections));
        if !now && before.is_none() {
            return;
        }
        let service = self.0.entry((protocol, pair.key.port)).or_insert(Service {
            sample: pair.sample,
            remotes: 0,
            connections: 0,
            bytes_out: 0,
            bytes_in: 0,
            top: (0, 0),
            first_s: u32::MAX,
            last_s: 0,
            baseline_remotes: 0,
            baseline_first_s: i64::MAX,
        });
        if let Some(past) = before {
            service.baseline_remotes += 1;
            service.baseline_first_s = service.baseline_first_s.min(past.first_s);
        }
        if now {
            if service.remotes == 0 {
                service.sample = pair.sample;
            }
            service.remotes += 1;
            service.connections += pair.connections;
            service.bytes_out = service.bytes_out.saturating_add(pair.bytes_out);
            service.bytes_in = service.bytes_in.saturating_add(pair.bytes_in);
            service.first_s = service.first_s.min(pair.first_s);
            service.last_s = service.last_s.max(pair.last_s);
            let volume = pair.bytes_out.saturating_add(pair.bytes_in);
            if volume > service.top.0 {
                service.top = (volume, pair.key.remote);
            }
        }
    }

    /// Estimates the bytes of memory that the services take.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.len() * (size_of::<((u8, u16), Service)>() + 8)
    }
}

/// Builds the table of the services that answered in the window, in the order of hosts, protocols and ports.
pub(crate) fn services_batch<'a>(
    hosts: impl Iterator<Item = (u32, u32, &'a HostServices)>,
    merger: &Merger<'_>,
    window: &Window,
) -> Result<RecordBatch, RollupError> {
    struct Row<'a> {
        host: u32,
        owner: &'a (String, String),
        protocol: u8,
        port: u16,
        service: &'a Service,
    }
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (host, owner, services) in hosts {
        let alive = services.0.iter().filter(|(_, service)| service.remotes > 0);
        let owner = &merger.owners()[owner as usize];
        rows.extend(alive.map(|((protocol, port), service)| Row {
            host,
            owner,
            protocol: *protocol,
            port: *port,
            service,
        }));
    }
    let u64s = |pick: &dyn Fn(&Service) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| pick(row.service))))
    };
    let first_contact = |row: &Row<'_>| window.first_contact(row.service.baseline_remotes > 0);
    batch(
        "services",
        vec![
            ("account_id", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.owner.0.as_str())))),
            ("region", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.owner.1.as_str())))),
            ("host", address_column(rows.iter().map(|row| merger.address(row.host)))?),
            ("port", Arc::new(UInt16Array::from_iter_values(rows.iter().map(|row| row.port)))),
            ("protocol", Arc::new(UInt8Array::from_iter_values(rows.iter().map(|row| row.protocol)))),
            (
                "interface_id",
                Arc::new(rows.iter().map(|row| merger.names(row.service.sample).0).collect::<StringArray>()),
            ),
            ("remotes", u64s(&|service| service.remotes)),
            ("connections", u64s(&|service| service.connections)),
            ("bytes_out", u64s(&|service| service.bytes_out)),
            ("bytes_in", u64s(&|service| service.bytes_in)),
            ("top_remote", address_column(rows.iter().map(|row| merger.address(row.service.top.1)))?),
            ("first_seen", seconds(rows.iter().map(|row| Some(i64::from(row.service.first_s))).collect())),
            ("last_seen", seconds(rows.iter().map(|row| Some(i64::from(row.service.last_s))).collect())),
            ("baseline_remotes", u64s(&|service| service.baseline_remotes)),
            ("baseline_first_seen", {
                let first = |row: &Row<'_>| Some(row.service.baseline_first_s).filter(|first| *first < i64::MAX);
                seconds(rows.iter().map(first).collect())
            }),
            ("first_contact", Arc::new(rows.iter().map(first_contact).collect::<BooleanArray>())),
        ],
    )
}
