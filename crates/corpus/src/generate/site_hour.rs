//! One hour of one site: fixed traffic, everyday traffic until the hour has its rows, and its files.

use arrow::datatypes::SchemaRef;
use rayon::prelude::*;

use super::{PeriodicRoom, kept_caller};
use crate::attacks::planted::PlantedAttack;
use crate::campaigns::Campaign;
use crate::error::CorpusError;
use crate::objects::flow_file::{CorpusFile, write_flow_file};
use crate::objects::object_names::object_key;
use crate::options::GenerateOptions;
use crate::traffic::background::{HostHour, placeholders, rhythm, site_rhythm};
use crate::traffic::connection::Connection;
use crate::traffic::hubs::HubHour;
use crate::traffic::periodic_services::{HostService, services_of};
use crate::traffic::records::{HourRecords, Record};
use crate::world::World;

/// Hosts whose records are made together; a constant, so that the order of rows does not depend on threads.
const CHUNK_HOSTS: u32 = 64;

/// Shares of an hour's free rows that the rounds aim for; each round corrects the errors of earlier ones.
const ROUNDS: [f64; 5] = [0.6, 0.55, 0.6, 0.7, 1.0];

/// State of one site that is carried from hour to hour.
pub struct SiteState {
    planted: Vec<PlantedAttack>,
    campaigns: Vec<Campaign>,
    /// Open connections by chunk of hosts; the last list belongs to what is planted.
    carried: Vec<Vec<Connection>>,
    rows: u64,
    pub attack_rows: u64,
    /// Rows and connections of everyday traffic so far, to predict the rows of a connection.
    everyday: (f64, f64),
    /// Sum of the daily rhythm over all hours, and over the hours done.
    rhythm: (f64, f64),
}

/// Returns the state of every site before the first hour, each with the attacks and campaigns on its hosts.
pub fn before_first_hour(
    world: &World,
    options: &GenerateOptions,
    planted: Vec<PlantedAttack>,
    campaigns: Vec<Campaign>,
) -> Vec<SiteState> {
    let mut states: Vec<SiteState> = (world.sites.iter())
        .map(|site| {
            let rhythm = |hour| site_rhythm(world, site, options.start_s + i64::from(hour) * 3_600);
            let chunks = (site.hosts.1 - site.hosts.0).div_ceil(CHUNK_HOSTS) as usize;
            SiteState {
                planted: Vec::new(),
                campaigns: Vec::new(),
                carried: vec![Vec::new(); chunks + 1],
                rows: 0,
                attack_rows: 0,
                everyday: (5_000.0, 1_000.0),
                rhythm: ((0..options.hours).map(rhythm).sum(), 0.0),
            }
        })
        .collect();
    for attack in planted {
        states[usize::from(world.interface(attack.host).site)].planted.push(attack);
    }
    for campaign in campaigns {
        states[campaign.site].campaigns.push(campaign);
    }
    states
}

/// One hour of one site.
pub struct SiteHour<'a> {
    pub world: &'a World,
    pub options: &'a GenerateOptions,
    pub number: usize,
    pub hour: u32,
    /// Benign periodic traffic that the corpus has room for.
    pub(super) room: PeriodicRoom,
}

impl SiteHour<'_> {
    fn begin_s(&self) -> i32 {
        (self.hour * 3_600) as i32
    }

    fn epoch_s(&self) -> i64 {
        self.options.start_s + i64::from(self.begin_s())
    }

    fn minutes(&self) -> HourRecords {
        HourRecords::new(self.begin_s(), self.hour + 1 == self.options.hours, self.options.window_s)
    }

    fn chunk_hosts(&self, chunk: usize) -> std::ops::Range<u32> {
        let (first, last) = self.world.sites[self.number].hosts;
        let begin = first + chunk as u32 * CHUNK_HOSTS;
        begin..(begin + CHUNK_HOSTS).min(last)
    }

    /// Generates all records of the hour: first the fixed ones (open connections, attacks, services), then everyday
    /// traffic in rounds until the hour has its rows.
    pub fn make(&self, state: &mut SiteState) -> Vec<HourRecords> {
        let world = self.world;
        let site = &world.sites[self.number];
        let until_s = (self.hour + 1) * 3_600;
        let mut attacks = std::mem::take(state.carried.last_mut().unwrap_or(&mut Vec::new()));
        for attack in &mut state.planted {
            attack.advance(world, until_s, &mut attacks);
        }
        for campaign in &mut state.campaigns {
            campaign.advance(world, until_s, &mut attacks);
        }
        let mut planted = self.minutes();
        attacks.retain(|connection| connection.write(world, &mut planted));
        state.attack_rows += planted.count;
        let share = f64::from(site.hosts.1 - site.hosts.0) / f64::from(world.hosts);
        let rows_in_all = self.options.rows as f64 * share;
        let level = site_rhythm(world, site, self.epoch_s());
        let this_hour = rows_in_all * level / state.rhythm.0.max(1e-9);
        placeholders(
            world,
            self.number,
            &mut planted,
            this_hour * self.options.skipdata_share,
            this_hour * self.options.nodata_share,
        );
        let chunk_count = state.carried.len() - 1;
        let mut made: Vec<HourRecords> =
            state.carried[..chunk_count].par_iter_mut().enumerate().map(|(n, open)| self.given(n, open)).collect();
        if let Some(last) = state.carried.last_mut() {
            *last = attacks;
        }
        made.push(planted);
        state.rhythm.1 += level;
        let wanted = rows_in_all * (state.rhythm.1 / state.rhythm.0.max(1e-9)) - state.rows as f64;
        let mut rows: u64 = made.iter().map(|minutes| minutes.count).sum();
        for (round, part) in ROUNDS.iter().enumerate() {
            let missing = (wanted - rows as f64) * part;
            let count = (missing * state.everyday.1 / state.everyday.0).max(0.0);
            if count < 1.0 {
                continue;
            }
            let per_level = count / level.max(1e-9);
            let fresh: Vec<(HourRecords, u64)> = state.carried[..chunk_count]
                .par_iter_mut()
                .enumerate()
                .map(|(n, open)| self.everyday(n, round as u64, per_level, open))
                .collect();
            let fresh_rows: u64 = fresh.iter().map(|(minutes, _)| minutes.count).sum();
            let connections: u64 = fresh.iter().map(|(_, connections)| connections).sum();
            rows += fresh_rows;
            state.everyday.0 += fresh_rows as f64;
            state.everyday.1 += connections as f64;
            made.extend(fresh.into_iter().map(|(minutes, _)| minutes));
        }
        state.rows += rows;
        made
    }

    /// Generates the records of open connections, periodic services, hubs and backups of a chunk of hosts.
    fn given(&self, chunk: usize, open: &mut Vec<Connection>) -> HourRecords {
        let world = self.world;
        let mut minutes = self.minutes();
        open.retain(|connection| connection.write(world, &mut minutes));
        let from = self.hour * 3_600;
        for host in self.chunk_hosts(chunk) {
            let services: Vec<HostService> = services_of(world, host, self.room.services);
            let periodic =
                services.iter().flat_map(|s| s.connections(world, from, from + 3_600, self.options.span_s()));
            open.extend(periodic.filter(|connection| connection.write(world, &mut minutes)));
            if let Some(caller) = kept_caller(world, self.options, host, self.room) {
                let calls = caller.connections(world, from, from + 3_600);
                open.extend(calls.filter(|connection| connection.write(world, &mut minutes)));
            }
            let hub_hour =
                HubHour { world, host, from: self.begin_s(), epoch_s: self.epoch_s(), pace: self.room.hub_pace };
            hub_hour.connections(&mut |connection| {
                if connection.write(world, &mut minutes) {
                    open.push(connection);
                }
            });
            self.host_hour(host, 0).nightly(|connection| {
                if connection.write(world, &mut minutes) {
                    open.push(connection);
                }
            });
        }
        minutes
    }

    /// Generates one round of everyday traffic of a chunk of hosts; returns its records and the number of connections.
    fn everyday(&self, chunk: usize, round: u64, per_level: f64, open: &mut Vec<Connection>) -> (HourRecords, u64) {
        let world = self.world;
        let mut minutes = self.minutes();
        let mut connections = 0;
        for host in self.chunk_hosts(chunk) {
            let interface = world.interface(host);
            let busy = f64::from(interface.weight) * rhythm(interface.role, self.epoch_s());
            self.host_hour(host, round).everyday(per_level * busy, |connection| {
                connections += 1;
                if connection.write(world, &mut minutes) {
                    open.push(connection);
                }
            });
        }
        (minutes, connections)
    }

    fn host_hour(&self, host: u32, round: u64) -> HostHour<'_> {
        HostHour { world: self.world, host, from: self.begin_s(), epoch_s: self.epoch_s(), round }
    }

    /// Writes the files of the hour, one thread per file, and returns them in order.
    pub fn write(
        &self,
        schema: &SchemaRef,
        made: Vec<HourRecords>,
        rows_before: u64,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<CorpusFile>, CorpusError> {
        let files = self.options.files_per_hour;
        let slices = files.min(60);
        let parts = files.div_ceil(slices);
        let site = &self.world.sites[self.number];
        let done = std::sync::atomic::AtomicU64::new(rows_before);
        let write_one = |file: u32| {
            let (slice, part) = (file / parts, file % parts);
            let in_slice = |minute: u32| minute * slices / 60 == slice;
            let lists = (0..60).filter(|minute| in_slice(*minute)).flat_map(|minute| {
                made.iter().enumerate().map(move |(n, minutes)| (n, &minutes.records[minute as usize]))
            });
            // Parts of the same slice hold different hosts.
            let lists = lists.filter(|(n, _)| *n as u32 % parts == part);
            let records: Vec<Record> = lists.flat_map(|(_, records)| records.iter().copied()).collect();
            if records.is_empty() {
                return Ok(None);
            }
            let minute = (0..60).find(|minute| in_slice(*minute)).unwrap_or(0);
            let delivered_s = self.epoch_s() + i64::from(minute) * 60;
            let key = object_key(self.options, site, self.number, delivered_s, part);
            let path = key.split('/').fold(self.options.out.clone(), |path, name| path.join(name));
            let bytes = write_flow_file(self.world, self.options, schema, &path, &records)?;
            let rows = records.len() as u64;
            progress(done.fetch_add(rows, std::sync::atomic::Ordering::Relaxed) + rows);
            Ok(Some(CorpusFile { path: key, rows, bytes }))
        };
        let written: Result<Vec<Option<CorpusFile>>, CorpusError> =
            (0..slices * parts).into_par_iter().map(write_one).collect();
        Ok(written?.into_iter().flatten().collect())
    }
}
