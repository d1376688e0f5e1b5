//! One unit of work and the objects that are added to it, on any number of threads.

use super::flow_file::{FlowFile, FlowRun};
use super::interfaces::Interfaces;
use super::object_interfaces::{DescribedInterfaces, ObjectInterfaces};
use super::pack::Block;
use super::packed::{LIST_BYTES, LIST_RECORDS, PARTS, PackedFlow, record_lists};
use super::record_buffer::{Lists, RecordBuffer};
use super::service_numbers::ServiceNumbers;
use crate::counts::UnitCounts;
use crate::options::RollupOptions;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use memory::{Memory, Purpose, Reservation, SpillError, lock};
use scan::Interners;
use std::sync::{Arc, Mutex};

/// The records of one unit so far. An object is added as a whole, or not at all.
#[derive(Debug)]
pub struct UnitRollup {
    pub(crate) options: RollupOptions,
    pub(crate) interners: Interners,
    /// Shared by all objects, so that their records need no second look when they become part of the unit.
    pub(crate) services: Mutex<ServiceNumbers>,
    pub(crate) content: Mutex<Content>,
    /// ENIs that need no further description.
    pub(super) described: Mutex<Arc<DescribedInterfaces>>,
    /// Takes the records that do not fit into memory.
    pub(crate) flows: FlowFile,
}

#[derive(Debug)]
pub(crate) struct Content {
    /// By the part of their host.
    pub(crate) parts: Vec<RecordBuffer>,
    /// Records whose host can be found only when the unit is complete.
    pub(crate) unresolved: RecordBuffer,
    pub(crate) interfaces: Interfaces,
    pub(crate) counts: UnitCounts,
    /// Memory of the lists.
    pub(crate) held: Reservation,
}

impl Content {
    /// Writes all lists to disk.
    fn spill(&mut self, flows: &FlowFile) -> Result<(), SpillError> {
        self.parts.iter_mut().chain([&mut self.unresolved]).try_for_each(|buffer| buffer.spill(flows))?;
        self.held.shrink_to(0);
        Ok(())
    }
}

/// Most empty lists that an object keeps ready, on top of its memory.
const MAX_SPARE_LISTS: usize = 32;

/// Memory that the records of an object may always take: much shorter runs on disk cost more to read back than they
/// save.
const MIN_OBJECT_BYTES: usize = 4 << 20;

impl UnitRollup {
    /// Creates an empty unit whose records take whatever memory they need.
    pub fn new(options: RollupOptions) -> Self {
        Self::within(Memory::default(), options)
    }

    /// Creates an empty unit whose records are spilled when `memory` is short.
    pub fn within(memory: Memory, options: RollupOptions) -> Self {
        let content = Content {
            parts: vec![RecordBuffer::default(); PARTS],
            unresolved: RecordBuffer::default(),
            interfaces: Interfaces::default(),
            counts: UnitCounts::default(),
            held: memory.reserve(Purpose::Records),
        };
        let (interners, services, content) = (Interners::default(), Mutex::default(), Mutex::new(content));
        Self { options, interners, services, content, described: Mutex::default(), flows: FlowFile::new(memory) }
    }

    /// Returns the unit's interners, for the scan of its objects.
    pub fn interners(&self) -> &Interners {
        &self.interners
    }

    /// Begins an object. `index` is its index among the unit's objects; its records count once [`ObjectRollup::commit`]
    /// is called.
    ///
    /// Where objects differ about an ENI, the object with the lowest index counts. Objects may be read in any order.
    pub fn object(&self, index: usize) -> ObjectRollup<'_> {
        let memory = self.flows.memory();
        let mut held = memory.reserve(Purpose::Records);
        held.grow(MIN_OBJECT_BYTES.min(memory.share(Purpose::Records) / 32));
        ObjectRollup {
            unit: self,
            index: index as u32,
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
            interfaces: ObjectInterfaces::default(),
            counts: UnitCounts::default(),
            block: Block::default(),
            services: HashMap::default(),
        }
    }

    /// Writes the records of all committed objects to disk.
    fn spill(&self) -> Result<(), SpillError> {
        lock(&self.content).spill(&self.flows)
    }
}

/// The records of one object, not yet part of its unit.
#[derive(Debug)]
pub struct ObjectRollup<'a> {
    pub(super) unit: &'a UnitRollup,
    /// Its index among the unit's objects.
    pub(super) index: u32,
    /// Which of the unit's flow logs it belongs to, where there are several.
    flow_log: Option<u32>,
    /// ENIs that earlier objects describe.
    pub(super) described: Arc<DescribedInterfaces>,
    /// The describing fields that it has, one per bit.
    pub(super) fields: u8,
    /// The list of each part that is being filled; the last one is for unresolved records.
    pub(super) open: Vec<Vec<PackedFlow>>,
    /// The full lists of each part.
    full: Vec<Lists>,
    /// Number of all these lists.
    lists: usize,
    /// Empty lists, ready for use.
    spare: Lists,
    /// Records of the object that are on disk, by part.
    runs: Vec<(usize, FlowRun)>,
    /// Memory of the lists.
    held: Reservation,
    /// Why records could not be spilled.
    pub(super) failed: Option<SpillError>,
    pub(super) interfaces: ObjectInterfaces,
    pub(super) counts: UnitCounts,
    /// The block at hand.
    pub(super) block: Block,
    /// Numbers of services by the number of their text, so that the unit's lock is taken once for each.
    pub(super) services: HashMap<u32, u16, FixedState>,
}

impl ObjectRollup<'_> {
    /// Assigns the object to one of several flow logs, by a number of the caller's choice.
    pub fn of_flow_log(mut self, number: u32) -> Self {
        self.flow_log = Some(number);
        self
    }

    /// Reserves memory for the lists, or spills records.
    pub(super) fn make_room(&mut self) -> Result<(), SpillError> {
        let more = self.bytes().saturating_sub(self.held.bytes());
        if more == 0 || self.held.try_grow(more) {
            return Ok(());
        }
        self.spare = Lists::new();
        self.unit.flows.memory().free_unused_buffers();
        // The records of finished objects make the longer runs.
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

    /// Returns the bytes that the lists take.
    fn bytes(&self) -> usize {
        self.lists * LIST_BYTES
    }

    /// Sets a full list of a part aside and starts an empty one.
    #[cold]
    pub(super) fn start_new_list(&mut self, part: usize) {
        if self.spare.is_empty() {
            self.spare = record_lists(self.unit.flows.memory()).take_some(MAX_SPARE_LISTS);
        }
        let empty = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(LIST_RECORDS));
        let full = std::mem::replace(&mut self.open[part], empty);
        if !full.is_empty() {
            self.full[part].push(full);
        }
        self.lists += 1;
    }

    /// Makes the object's records part of its unit.
    ///
    /// # Errors
    /// [`SpillError`] when records could not be spilled; the unit cannot be finished then.
    pub fn commit(mut self) -> Result<(), SpillError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        DescribedInterfaces::add(&mut lock(&self.unit.described), self.index, self.fields, &self.interfaces);
        let memory = self.unit.flows.memory();
        let mut content = lock(&self.unit.content);
        let Content { parts, unresolved, interfaces, counts, held } = &mut *content;
        interfaces.merge(self.interfaces, self.flow_log);
        for (part, run) in self.runs {
            parts.get_mut(part).unwrap_or(unresolved).runs.push(run);
        }
        let mut lists = 0;
        let buffers = parts.iter_mut().chain([unresolved]);
        for (buffer, (open, mut full)) in buffers.zip(self.open.into_iter().zip(self.full)) {
            let before = buffer.lists.len();
            if !open.is_empty() {
                full.push(open);
            }
            buffer.add(full, &mut self.spare);
            lists += buffer.lists.len() - before;
        }
        self.held.shrink_to(lists * LIST_BYTES);
        counts.add(&self.counts);
        held.join(self.held);
        drop(content);
        record_lists(memory).give(self.spare, memory.max_unused_bytes());
        Ok(())
    }
}
