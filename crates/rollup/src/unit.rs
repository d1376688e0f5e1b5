//! Collects the flow records of one unit of work, object by object, on any number of threads.

use super::flow_file::{FlowFile, Run};
use super::interface::{InterfaceTexts, Interfaces, Services, Told, is_gateway};
use super::pack::Block;
use super::packed::{LIST_BYTES, LIST_RECORDS, PARTS, PackedFlow, is_some, record_lists};
use super::sighted::{Described, Sighted};
use super::{RollupOptions, UnitCounts};
use flow::schema::Field;
use flow::time::HOUR_S;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use memory::{Memory, Purpose, Reservation, SpillError};
use scan::{Decision, FlowBatch, Interners};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The records of one unit so far. Objects are added whole, or not at all.
#[derive(Debug)]
pub struct UnitRollup {
    pub(super) options: RollupOptions,
    pub(super) books: Interners,
    /// Shared by all objects, so that their records need no second look when they become part of the unit.
    pub(super) services: Mutex<Services>,
    pub(super) content: Mutex<Content>,
    /// ENIs that need no further description.
    described: Mutex<Arc<Described>>,
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
    /// Adds the lists of an object, of which the last may have room left; so has the last of the pile. A list that is not
    /// needed any more goes to `spare`.
    fn add(&mut self, mut lists: Lists, spare: &mut Lists) {
        let Some(mut rest) = lists.pop() else { return };
        let open = self.lists.pop();
        self.lists.append(&mut lists);
        let Some(mut open) = open else { return self.lists.push(rest) };
        let room = (open.capacity() - open.len()).min(rest.len());
        open.extend(rest.drain(rest.len() - room..));
        if rest.is_empty() {
            spare.push(rest);
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

/// Empty lists that an object has at hand at most, beside its memory.
const SPARE_LISTS: usize = 32;

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
        let (books, services, content) = (Interners::default(), Mutex::default(), Mutex::new(content));
        Self { options, books, services, content, described: Mutex::default(), flows: FlowFile::new(memory) }
    }

    /// The unit's books, for the scan of its objects.
    pub fn books(&self) -> &Interners {
        &self.books
    }

    /// Begins the object at a place among the unit's objects: its records count once [`ObjectRollup::commit`] is called.
    /// Where objects tell different things of an ENI, the first of them counts; they may be read in any order.
    pub fn object(&self, place: usize) -> ObjectRollup<'_> {
        let memory = self.flows.memory();
        let mut held = memory.reserve(Purpose::Records);
        held.grow(OBJECT_LEAST.min(memory.share(Purpose::Records) / 32));
        ObjectRollup {
            unit: self,
            place: place as u32,
            flow_log: None,
            described: lock(&self.described).clone(),
            fields: 0,
            open: vec![Vec::new(); PARTS + 1],
            full: vec![Vec::new(); PARTS + 1],
            lists: 0,
            spare: Lists::new(),
            runs: Vec::new(),
            held,
            failed: None,
            interfaces: Sighted::default(),
            counts: UnitCounts::default(),
            block: Block::default(),
            services: HashMap::default(),
        }
    }

    /// Writes the records of all objects so far to disk.
    pub(super) fn spill(&self) -> Result<(), SpillError> {
        lock(&self.content).spill(&self.flows)
    }
}

/// The records of one object, not yet part of its unit.
#[derive(Debug)]
pub struct ObjectRollup<'a> {
    pub(super) unit: &'a UnitRollup,
    /// Its place among the unit's objects.
    place: u32,
    /// Which of the unit's flow logs it is of, where there are several.
    flow_log: Option<u32>,
    /// ENIs that objects before it describe.
    described: Arc<Described>,
    /// The describing fields that it has, one a bit.
    pub(super) fields: u8,
    /// The list of each part that is being filled; the last is that of unsettled records.
    pub(super) open: Vec<Vec<PackedFlow>>,
    /// Lists of each part that are full.
    full: Vec<Lists>,
    /// Number of all these lists.
    lists: usize,
    /// Empty lists at hand.
    spare: Lists,
    /// Records of the object that are on disk, by part.
    runs: Vec<(usize, Run)>,
    /// What the lists take.
    held: Reservation,
    /// Why records could not be spilled.
    failed: Option<SpillError>,
    pub(super) interfaces: Sighted,
    pub(super) counts: UnitCounts,
    /// What the records at hand become.
    pub(super) block: Block,
    /// Numbers of services by text number, so that the unit is asked once for each.
    services: HashMap<u32, u16, FixedState>,
}

impl ObjectRollup<'_> {
    /// Says which of several flow logs the object is of, by a number of the caller's choice.
    pub fn of_flow_log(mut self, number: u32) -> Self {
        self.flow_log = Some(number);
        self
    }

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
        self.spare = Lists::new();
        self.unit.flows.memory().free_unused_buffers();
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
        self.lists = 0;
        Ok(())
    }

    /// Bytes that the lists take.
    fn bytes(&self) -> usize {
        self.lists * LIST_BYTES
    }

    /// Puts a full list of a part aside and goes on with an empty one.
    #[cold]
    pub(super) fn turn(&mut self, part: usize) {
        if self.spare.is_empty() {
            self.spare = record_lists(self.unit.flows.memory()).take_some(SPARE_LISTS);
        }
        let empty = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(LIST_RECORDS));
        let full = std::mem::replace(&mut self.open[part], empty);
        if !full.is_empty() {
            self.full[part].push(full);
        }
        self.lists += 1;
    }

    /// Counts a record that is not `OK`; returns whether it is a window without traffic or without data.
    #[cold]
    pub(super) fn is_empty_window(
        &mut self,
        batch: &FlowBatch,
        row: usize,
        place: usize,
        hour_s: u32,
        duration_s: u16,
    ) -> bool {
        let status = batch.log_status[row];
        let names_none = !is_some(batch.srcaddr[row]) && !is_some(batch.dstaddr[row]);
        let hours = &mut self.interfaces.beyond(place).hours;
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

    /// Describes an ENI by its first record with traffic, unless an object before it does; returns whether its records stay
    /// unsettled.
    #[cold]
    pub(super) fn describe_first(&mut self, batch: &FlowBatch, row: usize, place: usize) -> bool {
        let known = |described: &Described| described.of(batch.interface[row], self.place, self.fields);
        let mut unsettled = known(&self.described);
        if unsettled.is_none() {
            // Another object may have told since.
            self.described = lock(&self.unit.described).clone();
            unsettled = known(&self.described);
        }
        let unsettled = unsettled.unwrap_or_else(|| self.describe(batch, row, place));
        self.interfaces.tallies[place].unsettled = Some(unsettled);
        unsettled
    }

    fn describe(&mut self, batch: &FlowBatch, row: usize, place: usize) -> bool {
        let told = |field| match batch.present.has_metadata(field) {
            true => Told::new(batch.text(field, row), self.place),
            false => Told::default(),
        };
        let entry = self.interfaces.beyond(place);
        entry.texts = InterfaceTexts {
            account: told(Field::AccountId),
            instance: told(Field::InstanceId),
            vpc: told(Field::VpcId),
            subnet: told(Field::SubnetId),
            kind: told(Field::InterfaceType),
            region: told(Field::Region),
        };
        let kind = entry.texts.kind.text;
        let is_gateway =
            || self.unit.books.texts.read(|words| words.get(kind as usize).is_some_and(|kind| is_gateway(kind)));
        let unsettled = entry.has_no_instance() || (is_some(kind) && is_gateway());
        entry.settled |= !unsettled;
        unsettled
    }

    pub(super) fn service(&mut self, text: u32) -> u16 {
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
        Described::add(&mut lock(&self.unit.described), self.place, self.fields, &self.interfaces);
        let memory = self.unit.flows.memory();
        let mut content = lock(&self.unit.content);
        let Content { parts, unsettled, interfaces, counts, held } = &mut *content;
        interfaces.merge(self.interfaces, self.flow_log);
        for (part, run) in self.runs {
            parts.get_mut(part).unwrap_or(unsettled).runs.push(run);
        }
        let mut lists = 0;
        let piles = parts.iter_mut().chain([unsettled]);
        for (pile, (open, mut full)) in piles.zip(self.open.into_iter().zip(self.full)) {
            let before = pile.lists.len();
            if !open.is_empty() {
                full.push(open);
            }
            pile.add(full, &mut self.spare);
            lists += pile.lists.len() - before;
        }
        self.held.shrink_to(lists * LIST_BYTES);
        counts.add(&self.counts);
        held.join(self.held);
        drop(content);
        record_lists(memory).give(self.spare, memory.max_unused_bytes());
        Ok(())
    }
}
