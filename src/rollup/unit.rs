//! Collects the flow records of one unit of work, object by object, on any number of threads.

use super::flow_file::{FlowFile, Run};
use super::interface::{InterfaceTexts, Interfaces, Services, is_gateway};
use super::memory::{Memory, Purpose, Reservation, SpillError};
use super::packed::{
    FLAGS_KNOWN, NO_SERVICE, OUTBOUND, PARTS, PackedFlow, REJECTED, TRANSLATED, UNDECIDED, ends, is_some, part_of_code,
};
use super::spare::LIST_BYTES;
use super::{RollupOptions, UnitCounts};
use crate::flow::codes::TCP;
use crate::flow::schema::Field;
use crate::flow::time::HOUR_S;
use crate::scan::{Books, Decision, FIRST_BOOKED, FlowBatch, MISSING_BYTES, MISSING_PROTOCOL, MISSING_S, NONE};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The records of one unit so far. Objects are added whole, or not at all.
#[derive(Debug)]
pub struct UnitRollup {
    pub(super) options: RollupOptions,
    pub(super) books: Books,
    /// Shared by all objects, so that their records need no second look when they become part of the unit.
    pub(super) services: Mutex<Services>,
    pub(super) content: Mutex<Content>,
    /// Where records go that find no room.
    pub(super) flows: FlowFile,
}

/// Lists of records, of any lengths.
pub(super) type Lists = Vec<Vec<PackedFlow>>;

/// Records in memory and on disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Pile {
    pub(super) lists: Lists,
    pub(super) runs: Vec<Run>,
}

impl Pile {
    /// Adds the lists of an object, of which the last may have room left; so has the last of the pile.
    fn add(&mut self, mut lists: Lists, memory: &Memory) {
        let Some(mut rest) = lists.pop() else { return };
        let open = self.lists.pop();
        self.lists.append(&mut lists);
        let Some(mut open) = open else { return self.lists.push(rest) };
        let room = (open.capacity() - open.len()).min(rest.len());
        open.extend(rest.drain(rest.len() - room..));
        if rest.is_empty() {
            memory.spare_lists().give(rest, memory.most_spare());
            self.lists.push(open);
        } else {
            self.lists.extend([open, rest]);
        }
    }

    /// Writes the lists to disk.
    pub(super) fn spill(&mut self, flows: &FlowFile) -> Result<(), SpillError> {
        if self.lists.iter().any(|list| !list.is_empty()) {
            self.runs.push(flows.write(&self.lists)?);
        }
        self.lists = Vec::new();
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct Content {
    /// By the part of their host.
    pub(super) parts: Vec<Pile>,
    /// Records whose host only the whole unit tells.
    pub(super) unsettled: Pile,
    pub(super) interfaces: Interfaces,
    pub(super) counts: UnitCounts,
    /// What the lists take.
    pub(super) held: Reservation,
}

impl Content {
    /// Writes all lists to disk.
    fn spill(&mut self, flows: &FlowFile) -> Result<(), SpillError> {
        self.parts.iter_mut().chain([&mut self.unsettled]).try_for_each(|pile| pile.spill(flows))?;
        self.held.shrink_to(0);
        Ok(())
    }
}

/// Memory that an object's records may take in any case: runs on disk that are much shorter cost more to read back than
/// they save.
const OBJECT_LEAST: usize = 4 << 20;

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl UnitRollup {
    /// Makes an empty unit, whose records take whatever memory they need.
    pub fn new(options: RollupOptions) -> Self {
        Self::within(Memory::default(), options)
    }

    /// Makes an empty unit whose records are spilled when `memory` is short.
    pub fn within(memory: Memory, options: RollupOptions) -> Self {
        let content = Content {
            parts: vec![Pile::default(); PARTS],
            unsettled: Pile::default(),
            interfaces: Interfaces::default(),
            counts: UnitCounts::default(),
            held: memory.reserve(Purpose::Records),
        };
        let (books, services, content) = (Books::default(), Mutex::default(), Mutex::new(content));
        Self { options, books, services, content, flows: FlowFile::new(memory) }
    }

    /// The unit's books, for the scan of its objects.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Begins an object: its records count once [`ObjectRollup::commit`] is called.
    pub fn object(&self) -> ObjectRollup<'_> {
        let memory = self.flows.memory();
        let mut held = memory.reserve(Purpose::Records);
        held.grow(OBJECT_LEAST.min(memory.share(Purpose::Records) / 32));
        ObjectRollup {
            unit: self,
            open: vec![Vec::new(); PARTS],
            full: vec![Vec::new(); PARTS],
            lists: 0,
            unsettled: Vec::new(),
            runs: Vec::new(),
            held,
            failed: None,
            interfaces: Interfaces::default(),
            counts: UnitCounts::default(),
            services: HashMap::default(),
        }
    }

    /// Writes the records of all objects so far to disk.
    pub(super) fn spill(&self) -> Result<(), SpillError> {
        lock(&self.content).spill(&self.flows)
    }
}

fn list_bytes(list: &Vec<PackedFlow>) -> usize {
    list.capacity() * size_of::<PackedFlow>()
}

/// The records of one object, not yet part of its unit.
#[derive(Debug)]
pub struct ObjectRollup<'a> {
    unit: &'a UnitRollup,
    /// The list of each part that is being filled.
    open: Vec<Vec<PackedFlow>>,
    /// Lists of each part that are full.
    full: Vec<Lists>,
    /// Number of all these lists.
    lists: usize,
    unsettled: Vec<PackedFlow>,
    /// Records of the object that are on disk, by part; the last pile has the unsettled ones.
    runs: Vec<(usize, Run)>,
    /// What the lists take.
    held: Reservation,
    /// Why records could not be spilled.
    failed: Option<SpillError>,
    interfaces: Interfaces,
    counts: UnitCounts,
    /// Numbers of services by text number, so that the unit is asked once for each.
    services: HashMap<u32, u16, FixedState>,
}

impl ObjectRollup<'_> {
    /// Adds a batch of flow records; what goes wrong is told by [`ObjectRollup::commit`].
    pub fn add(&mut self, batch: &FlowBatch) {
        if self.failed.is_some() {
            return;
        }
        self.add_records(batch);
        self.failed = self.make_room().err();
    }

    /// Takes memory for what the lists hold, or makes some free.
    fn make_room(&mut self) -> Result<(), SpillError> {
        let more = self.bytes().saturating_sub(self.held.bytes());
        if more == 0 || self.held.try_grow(more) {
            return Ok(());
        }
        self.unit.flows.memory().release_spare();
        // What other objects left makes the longer runs.
        self.unit.spill()?;
        if self.held.try_grow(more) {
            return Ok(());
        }
        for (part, (open, full)) in self.open.iter_mut().zip(&mut self.full).enumerate() {
            let mut lists = std::mem::take(full);
            lists.push(std::mem::take(open));
            if lists.iter().any(|list| !list.is_empty()) {
                self.runs.push((part, self.unit.flows.write(&lists)?));
            }
        }
        if !self.unsettled.is_empty() {
            self.runs.push((PARTS, self.unit.flows.write(&[std::mem::take(&mut self.unsettled)])?));
        }
        self.lists = 0;
        Ok(())
    }

    /// Bytes that the lists take.
    fn bytes(&self) -> usize {
        self.lists * LIST_BYTES + list_bytes(&self.unsettled)
    }

    /// Puts a full list of a part aside and goes on with an empty one.
    #[cold]
    fn turn(&mut self, part: usize) {
        let full = std::mem::replace(&mut self.open[part], self.unit.flows.memory().spare_lists().take());
        if !full.is_empty() {
            self.full[part].push(full);
        }
        self.lists += 1;
    }

    fn add_records(&mut self, batch: &FlowBatch) {
        self.counts.rows += batch.rows as u64;
        // Records of one ENI often follow each other, so the look-up of the last one is kept.
        let mut last = (NONE - 1, 0usize);
        for row in 0..batch.rows {
            let name = batch.interface[row];
            if name != last.0 {
                last = (name, self.interfaces.place(name));
            }
            let place = last.1;
            let start_s = batch.start_s[row];
            if start_s == MISSING_S {
                self.counts.unusable += 1;
                continue;
            }
            let end_s = if batch.end_s[row] == MISSING_S { start_s } else { batch.end_s[row].max(start_s) };
            let duration_s = u16::try_from(end_s - start_s).unwrap_or(u16::MAX);
            let hour_s = start_s - start_s % HOUR_S as u32;
            self.interfaces.count(place, hour_s);
            let (src, dst) = (batch.srcaddr[row], batch.dstaddr[row]);
            let status = batch.log_status[row];
            let is_ok = status == Decision::Ok;
            if !is_ok && self.is_empty_window(batch, row, place, hour_s, duration_s) {
                continue;
            }
            let (pkt_src, pkt_dst) = (batch.pkt_srcaddr[row], batch.pkt_dstaddr[row]);
            let far_src = if is_some(pkt_src) { pkt_src } else { src };
            let far_dst = if is_some(pkt_dst) { pkt_dst } else { dst };
            let (protocol, bytes) = (batch.protocol[row], batch.bytes[row]);
            if protocol == MISSING_PROTOCOL || bytes == MISSING_BYTES || !is_some(far_src) || !is_some(far_dst) {
                self.counts.unusable += 1;
                continue;
            }
            if !self.unit.options.holds(i64::from(start_s)) {
                self.counts.outside += 1;
                continue;
            }
            let protocol = protocol as u8;
            let tally = &mut self.interfaces.tallies[place];
            tally.longest_record_s = tally.longest_record_s.max(duration_s);
            let src_translated = is_some(pkt_src) & (pkt_src != src);
            let dst_translated = is_some(pkt_dst) & (pkt_dst != dst);
            let translated = src_translated | dst_translated;
            tally.translates |= translated;
            let (described, mut unsettled) = (tally.described, tally.unsettled);
            if !described {
                // Windows without traffic leave most texts out, so the first record with traffic tells them.
                unsettled = self.describe(batch, row, place);
            }
            let rejected = batch.action[row] == Decision::Reject;
            self.counts.rejected += u64::from(rejected);
            let direction = batch.flow_direction[row];
            let ingress = direction == Decision::Ingress;
            // Both directions come in turn without a pattern, so they are chosen by masks: a branch would be guessed wrong
            // every other time.
            let ([host, remote], [host_port, remote_port]) = (
                ends(ingress, [far_src, far_dst]),
                ends(ingress, [batch.srcport[row], batch.dstport[row]].map(u32::from)),
            );
            let mut flow = PackedFlow {
                bytes,
                host,
                remote,
                interface: name,
                start_s,
                packets: batch.packets[row],
                host_port: host_port as u16,
                remote_port: remote_port as u16,
                duration_s,
                protocol,
                tcp_flags: batch.tcp_flags[row],
                bits: (u8::from(!ingress) * OUTBOUND)
                    | (u8::from(translated) * TRANSLATED)
                    | (u8::from(batch.present.tcp_flags & (protocol == TCP)) * FLAGS_KNOWN)
                    | (u8::from(rejected) * REJECTED),
                service: NO_SERVICE,
            };
            let [_, service] = ends(ingress, [batch.src_service[row], batch.dst_service[row]]);
            if !ingress && direction != Decision::Egress {
                // An ENI translates its own side only: a pod's or a secondary address behind the primary one.
                if src_translated == dst_translated {
                    flow.bits |= UNDECIDED;
                } else if dst_translated {
                    flow.swap();
                }
                let votes = &mut self.interfaces.entries[place].1.votes;
                for address in [src, dst].into_iter().filter(|address| is_some(*address)) {
                    *votes.entry(address).or_default() += 1;
                }
                unsettled = true;
            } else if is_some(service) {
                flow.service = self.service(service);
            }
            if unsettled || flow.host >= FIRST_BOOKED {
                self.unsettled.push(flow);
            } else {
                let part = part_of_code(flow.host);
                if self.open[part].len() == self.open[part].capacity() {
                    self.turn(part);
                }
                self.open[part].push(flow);
            }
        }
    }

    /// Counts a record that is not `OK`; returns whether it is a window without traffic or without data.
    #[cold]
    fn is_empty_window(&mut self, batch: &FlowBatch, row: usize, place: usize, hour_s: u32, duration_s: u16) -> bool {
        let status = batch.log_status[row];
        let names_none = !is_some(batch.srcaddr[row]) && !is_some(batch.dstaddr[row]);
        let hours = &mut self.interfaces.entries[place].1.hours;
        if status == Decision::SkipData {
            let coverage = hours.at(i64::from(hour_s));
            coverage.skipdata += 1;
            coverage.skipdata_s = (coverage.skipdata_s + u32::from(duration_s) + 1).min(HOUR_S as u32);
            hours.lose(i64::from(batch.start_s[row]), u32::from(duration_s));
            self.counts.skipdata += 1;
        } else if status == Decision::NoData || (names_none && !batch.present.log_status) {
            hours.at(i64::from(hour_s)).nodata += 1;
            self.counts.nodata += 1;
        } else {
            return false;
        }
        true
    }

    /// Takes the texts of an ENI's first record with traffic; returns whether its records stay unsettled.
    #[cold]
    fn describe(&mut self, batch: &FlowBatch, row: usize, place: usize) -> bool {
        let texts = InterfaceTexts {
            account: batch.text(Field::AccountId, row),
            instance: batch.text(Field::InstanceId, row),
            vpc: batch.text(Field::VpcId, row),
            subnet: batch.text(Field::SubnetId, row),
            kind: batch.text(Field::InterfaceType, row),
            region: batch.text(Field::Region, row),
        };
        let entry = &mut self.interfaces.entries[place].1;
        entry.describe(texts);
        entry.no_instance |= batch.present.instance && !is_some(texts.instance);
        let is_gateway =
            || self.unit.books.texts.read(|words| words.get(texts.kind as usize).is_some_and(|kind| is_gateway(kind)));
        let unsettled = entry.no_instance || (is_some(texts.kind) && is_gateway());
        self.interfaces.entries[place].1.settled |= !unsettled;
        let tally = &mut self.interfaces.tallies[place];
        tally.described = true;
        tally.unsettled = unsettled;
        unsettled
    }

    fn service(&mut self, text: u32) -> u16 {
        let unit = self.unit;
        *self.services.entry(text).or_insert_with(|| lock(&unit.services).number(text))
    }

    /// Makes the object's records part of its unit.
    ///
    /// # Errors
    /// [`SpillError`] when records found no room; the unit cannot be finished then.
    pub fn commit(mut self) -> Result<(), SpillError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.interfaces.close_all();
        let memory = self.unit.flows.memory();
        let mut content = lock(&self.unit.content);
        let Content { parts, unsettled, interfaces, counts, held } = &mut *content;
        self.unit.books.texts.read(|texts| interfaces.merge(self.interfaces, texts));
        for (part, run) in self.runs {
            match parts.get_mut(part) {
                Some(pile) => pile.runs.push(run),
                None => unsettled.runs.push(run),
            }
        }
        let mut lists = 0;
        for (pile, (open, mut full)) in parts.iter_mut().zip(self.open.into_iter().zip(self.full)) {
            let before = pile.lists.len();
            if !open.is_empty() {
                full.push(open);
            }
            pile.add(full, memory);
            lists += pile.lists.len() - before;
        }
        self.held.shrink_to(lists * LIST_BYTES + list_bytes(&self.unsettled));
        if !self.unsettled.is_empty() {
            unsettled.lists.push(self.unsettled);
        }
        counts.add(&self.counts);
        held.join(self.held);
        Ok(())
    }
}
