//! A cell of the suite as flow logs on disk.

use super::habit::Contact;
use super::periodic::{Peer, PeriodicService, RequestSizes};
use super::scenarios::{Cell, Recorded};
use crate::error::CorpusError;
use crate::objects::columns;
use crate::objects::flow_file::write_flow_file;
use crate::objects::object_names::object_key;
use crate::options::{FolderPeriod, GenerateOptions, PageCodec};
use crate::traffic::connection::Connection;
use crate::traffic::records::{HourRecords, Record};
use crate::world::World;
use crate::world::endpoints::{Endpoint, ExternalClass};
use flow::Address;
use flow::codes::{TCP, UDP};
use flow::time::HOUR_S;
use kernels::simulation::Draws;
use std::path::Path;

/// Maximum number of remotes of a host of a cell.
const REMOTES: u32 = 64;

/// A cell on disk: its hosts by kind, and its time range.
#[derive(Clone, Debug)]
pub struct CellLogs {
    /// Addresses of the hosts with an implant.
    pub implants: Vec<Address>,
    /// Addresses of the benign hosts.
    pub benign: Vec<Address>,
    /// Host, other side and index of the service, for periodic benign services.
    pub periodic: Vec<(Address, Address, usize)>,
    /// First second of the logs.
    pub from_s: i64,
    /// First second after the logs.
    pub to_s: i64,
    /// Records written.
    pub records: u64,
}

/// Writes the cell's hosts as flow logs below `folder`, one file per day, and returns which hosts are which.
///
/// # Errors
/// The file that could not be written, and the reason.
pub fn write_cell(cell: &Cell, folder: &Path) -> Result<CellLogs, CorpusError> {
    let hosts = cell.hosts();
    let (options, world) = world_of(hosts.len(), cell.scenario.hours, cell.recorded, cell.seed, folder);
    let mut logs = CellLogs::empty(&options);
    let mut connections = Vec::new();
    let mut draws = Draws::seeded(cell.seed ^ 0x51ab);
    for (at, host) in hosts.iter().enumerate() {
        let address = world.address(Endpoint::interface(at as u32));
        if host.implant { &mut logs.implants } else { &mut logs.benign }.push(address);
        let bytes = (draws.between(300.0, 1200.0) as u64, draws.between(150.0, 900.0) as u64);
        let group = at as u32 / cell.scenario.habit.hosts().max(1);
        for contact in &host.contacts {
            let remote = Endpoint::external(ExternalClass::Attack, group * REMOTES + contact.remote % REMOTES, false);
            connections.push(outbound(&world, at as u32, remote, 443, TCP, contact, draws.bits(), bytes));
        }
    }
    logs.records = write_days(&world, &options, cell.recorded, connections)?;
    Ok(logs)
}

/// Writes `hosts` hosts with some of the services for `hours` hours as flow logs below `folder`.
///
/// # Errors
/// The file that could not be written, and the reason.
pub fn write_periodic(
    services: &[PeriodicService],
    hosts: usize,
    hours: u32,
    recorded: Recorded,
    seed: u64,
    folder: &Path,
) -> Result<CellLogs, CorpusError> {
    let (options, world) = world_of(hosts, hours, recorded, seed, folder);
    let mut logs = CellLogs::empty(&options);
    let mut connections = Vec::new();
    let mut draws = Draws::seeded(seed ^ 0x9e71);
    for host in 0..hosts {
        logs.benign.push(world.address(Endpoint::interface(host as u32)));
        for (kind, service) in services.iter().enumerate() {
            if !service.is_on(host) {
                continue;
            }
            let number = match service.peer {
                Peer::Shared => kind as u32,
                Peer::Own | Peer::Client => (host as u32 + 1) * REMOTES + kind as u32,
            };
            let other = Endpoint::external(ExternalClass::Saas, number, false);
            logs.periodic.push((logs.benign[host], world.address(other), kind));
            let small = (small_request(service.protocol, &mut draws), draws.between(150.0, 900.0) as u64);
            let varied = (service.sizes != RequestSizes::One).then(|| service.sizes.law(&mut draws));
            for (contact, end_s) in service.connections(&mut draws, f64::from(hours) * 3600.0, host) {
                let bytes = match (service.upload_bytes, &varied) {
                    (0, None) if service.answer_bytes > 0 => {
                        (small.0, (service.answer_bytes as f64 * draws.between(0.9, 1.1)) as u64)
                    }
                    (0, None) => small,
                    (0, Some(law)) => (law(&mut draws).max(120.0) as u64, small.1.max(400)),
                    (upload, _) => ((upload as f64 * draws.between(0.9, 1.1)) as u64, upload / 300),
                };
                let bits = draws.bits();
                let (port, protocol) = (service.port, service.protocol);
                let mut connection = if service.peer == Peer::Client {
                    let server = Endpoint::interface(host as u32);
                    let begin = contact.start_s as i32;
                    let inbound = Connection::between(other, server, port, protocol, begin, bits);
                    Connection { bytes_out: bytes.0, bytes_in: bytes.1, ..inbound }
                } else {
                    outbound(&world, host as u32, other, port, protocol, &contact, bits, bytes)
                };
                connection.end = end_s as i32;
                if service.upload_bytes == 0 && end_s > contact.start_s + 60 {
                    connection.beat_s = 60;
                }
                connections.push(connection);
            }
        }
    }
    logs.records = write_days(&world, &options, recorded, connections)?;
    Ok(logs)
}

/// Draws the bytes of a small request; look-ups of names and of the time, over UDP, are of tens of bytes.
fn small_request(protocol: u8, draws: &mut Draws) -> u64 {
    let (least, most) = if protocol == UDP { (30.0, 60.0) } else { (300.0, 1200.0) };
    draws.between(least, most) as u64
}

impl CellLogs {
    fn empty(options: &GenerateOptions) -> Self {
        let to_s = options.start_s + i64::from(options.hours) * HOUR_S;
        Self { implants: vec![], benign: vec![], periodic: vec![], from_s: options.start_s, to_s, records: 0 }
    }
}

fn world_of(hosts: usize, hours: u32, recorded: Recorded, seed: u64, folder: &Path) -> (GenerateOptions, World) {
    let options = GenerateOptions {
        out: folder.to_owned(),
        hosts: (hosts as u32).max(8),
        hours,
        seed,
        window_s: recorded.window_s,
        partition: FolderPeriod::Daily,
        codec: PageCodec::Snappy,
        nat_share: 0.0,
        ipv6_share: 0.0,
        ..GenerateOptions::default()
    };
    let world = World::new(&options);
    (options, world)
}

#[allow(clippy::too_many_arguments, reason = "what a connection is made of")]
fn outbound(
    world: &World,
    host: u32,
    remote: Endpoint,
    port: u16,
    protocol: u8,
    contact: &Contact,
    bits: u64,
    bytes: (u64, u64),
) -> Connection {
    let begin = contact.start_s as i32;
    let mut connection = Connection::outbound(world, host, remote, port, protocol, begin, bits);
    (connection.bytes_out, connection.bytes_in) = bytes;
    connection
}

/// Writes each day's records to one file; returns their number.
fn write_days(
    world: &World,
    options: &GenerateOptions,
    recorded: Recorded,
    mut connections: Vec<Connection>,
) -> Result<u64, CorpusError> {
    connections.sort_by_key(|connection| connection.begin);
    let schema = columns::schema(options.fields_version);
    let mut written = 0;
    let mut open: Vec<Connection> = Vec::new();
    let mut records: Vec<Record> = Vec::new();
    let mut next = 0;
    for hour in 0..options.hours {
        let last = hour + 1 == options.hours;
        let mut minutes = HourRecords::new((hour * 3_600) as i32, last, options.window_s);
        let begun = next + connections[next..].partition_point(|connection| connection.begin < minutes.until);
        open.extend_from_slice(&connections[next..begun]);
        next = begun;
        open.retain(|connection| connection.write(world, &mut minutes));
        records.extend(minutes.records.into_iter().flatten());
        if last || hour % 24 == 23 {
            if recorded.rounded {
                records.retain_mut(|record| round_to_window(world, record, recorded.window_s));
            }
            let day_s = options.start_s + i64::from(hour - hour % 24) * HOUR_S;
            if !records.is_empty() {
                let path = options.out.join(object_key(options, &world.sites[0], 0, day_s, 0));
                write_flow_file(world, options, &schema, &path, &records)?;
            }
            written += records.len() as u64;
            records.clear();
        }
    }
    Ok(written)
}

/// Extends a record to the whole of its window; `false` for a window that began before the logs, since a record's
/// unsigned times cannot express it.
fn round_to_window(world: &World, record: &mut Record, window_s: u32) -> bool {
    let phase = i64::from(world.interface(record.interface).phase_s);
    let window = i64::from(window_s);
    let begin = (i64::from(record.start) - phase).div_euclid(window) * window + phase;
    let Ok(start) = u32::try_from(begin) else { return false };
    (record.start, record.length_s) = (start, (window - 1) as u16);
    true
}
