//! One unit of work, and the objects that are added to it on any number of threads.
//!
//! An object collects its records in lists: for each part of hosts an open list, which is being filled, and full ones.
//! When the object is committed, its lists move to the unit. Where memory is short, lists are written to disk as runs.

use super::flow_file::{FlowFile, FlowRun};
use super::interfaces::Interfaces;
use super::object_interfaces::{DescribedInterfaces, ObjectInterfaces};
use super::pack::Block;
use super::packed::{LIST_BYTES, LIST_RECORDS, PackedFlow, record_lists};
use super::parts::PARTS;
use super::record_buffer::{Lists, RecordBuffer};
use super::service_numbers::ServiceNumbers;
use crate::counts::UnitCounts;
use crate::options::RollupOptions;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use memory::{Memory, Purpose, Reservation, SpillError, lock};
use scan::Interners;
use std::sync::{Arc, Mutex};

/// One unit of work: the objects that were added so far. An object is added as a whole, or not at all.
#[derive(Debug)]
pub struct UnitRollup {
    pub(crate) options: RollupOptions,
    pub(crate) interners: Interners,
    /// Shared by all objects, so that their records need not be renumbered when they are committed.
    pub(crate) services: Mutex<ServiceNumbers>,
    pub(crate) committed: Mutex<CommittedObjects>,
    /// ENIs that committed objects describe.
    pub(super) described: Mutex<Arc<DescribedInterfaces>>,
    /// Takes the records that do not fit into memory.
    pub(crate) flows: FlowFile,
}

/// Everything of the objects that were committed.
#[derive(Debug)]
pub(crate) struct CommittedObjects {
    /// Records by the part of their host.
    pub(crate) parts: Vec<RecordBuffer>,
    /// Records whose host can be found only when the unit is complete.
    pub(crate) unresolved: RecordBuffer,
    pub(crate) interfaces: Interfaces,
    pub(crate) counts: UnitCounts,
    /// Memory reserved for the lists.
    pub(crate) held: Reservation,
}

impl CommittedObjects {
    /// Writes all lists to disk.
    fn spill(&mut self, flows: &FlowFile) -> Result<(), SpillError> {
        self.parts.iter_mut().chain([&mut self.unresolved]).try_for_each(|buffer| buffer.spill(flows))?;
        self.held.shrink_to(0);
        Ok(())
    }
}

/// Index of the unresolved records in the lists of an object, after those of all parts.
pub(super) const UNRESOLVED: usize = PARTS;

/// Most empty lists that an object keeps ready. They are not part of its reserved memory.
const MAX_SPARE_LISTS: usize = 32;

/// Memory that is reserved for the records of an object from the start, whether or not it is free. To write fewer
/// records to disk costs more, when they are read back, than it saves.
const MIN_OBJECT_BYTES: usize = 4 << 20;

impl UnitRollup {
    /// Creates an empty unit whose records take whatever memory they need.
    pub fn new(options: RollupOptions) -> Self {
        Self::within(Memory::default(), options)
    }

    /// Creates an empty unit whose records are spilled when `memory` is short.
    pub fn within(memory: Memory, options: RollupOptions) -> Self {
        let committed = CommittedObjects {
            parts: vec![RecordBuffer::default(); PARTS],
            unresolved: RecordBuffer::default(),
            interfaces: Interfaces::default(),
            counts: UnitCounts::default(),
            held: memory.reserve(Purpose::Records),
        };
        Self {
            options,
            interners: Interners::default(),
            services: Mutex::default(),
            committed: Mutex::new(committed),
            described: Mutex::default(),
            flows: FlowFile::new(memory),
        }
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
            open: vec![Vec::new(); UNRESOLVED + 1],
            full: vec![Vec::new(); UNRESOLVED + 1],
            list_count: 0,
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
        lock(&self.committed).spill(&self.flows)
    }
}

/// One object that is being read. Nothing of it is part of the unit before [`ObjectRollup::commit`].
#[derive(Debug)]
pub struct ObjectRollup<'a> {
    pub(super) unit: &'a UnitRollup,
    /// Its index among the unit's objects.
    pub(super) index: u32,
    /// Which of the unit's flow logs it belongs to, where there are several.
    pub(super) flow_log: Option<u32>,
    /// The unit's list of described ENIs, as it was when this object last looked.
    pub(super) described: Arc<DescribedInterfaces>,
    /// The ENI-metadata fields that the object has, one per bit.
    pub(super) fields: u8,
    /// The list that is being filled, by part; at [`UNRESOLVED`], that of the unresolved records.
    pub(super) open: Vec<Vec<PackedFlow>>,
    /// The full lists, indexed in the same way.
    full: Vec<Lists>,
    /// Number of lists in `open` and `full` together.
    list_count: usize,
    /// Empty lists, ready for use.
    spare: Lists,
    /// Records of the object that are on disk, each run with its index in `open`.
    runs: Vec<(usize, FlowRun)>,
    /// Memory reserved for the lists.
    held: Reservation,
    /// Why records could not be spilled; no more records are added then.
    pub(super) failed: Option<SpillError>,
    pub(super) interfaces: ObjectInterfaces,
    pub(super) counts: UnitCounts,
    /// Buffers that are reused for every block of records.
    pub(super) block: Block,
    /// Service numbers by the number of the service's text: a copy of what was asked of the unit, whose lock is thus
    /// taken once per service.
    pub(super) services: HashMap<u32, u16, FixedState>,
}

impl ObjectRollup<'_> {
    /// Assigns the object to one of several flow logs of the unit, by its number from 0 on. Packets that several of them
    /// logged at one ENI count once; among equals the lowest number counts. Called before any record is added.
    pub fn of_flow_log(mut self, number: u32) -> Self {
        self.flow_log = Some(number);
        self
    }

    /// Reserves memory for the lists. If there is none, spills the records of the unit, and if that does not suffice,
    /// those of this object.
    pub(super) fn make_room(&mut self) -> Result<(), SpillError> {
        let more = self.bytes().saturating_sub(self.held.bytes());
        if more == 0 || self.held.try_grow(more) {
            return Ok(());
        }
        self.spare = Lists::new();
        self.unit.flows.memory().free_unused_buffers();
        // Committed objects have more records, which make longer runs.
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
        self.list_count = 0;
        Ok(())
    }

    /// Returns the bytes that the lists take.
    fn bytes(&self) -> usize {
        self.list_count * LIST_BYTES
    }

    /// Moves the open list of a part to the full ones and opens an empty one.
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
        self.list_count += 1;
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
        let mut committed = lock(&self.unit.committed);
        let CommittedObjects { parts, unresolved, interfaces, counts, held } = &mut *committed;
        interfaces.merge(self.interfaces, self.flow_log.is_some());
        for (part, run) in self.runs {
            // The index after the last part is `UNRESOLVED`.
            parts.get_mut(part).unwrap_or(unresolved).runs.push(run);
        }
        let mut new_lists = 0;
        let buffers = parts.iter_mut().chain([unresolved]);
        for (buffer, (open, mut full)) in buffers.zip(self.open.into_iter().zip(self.full)) {
            let before = buffer.lists.len();
            if !open.is_empty() {
                full.push(open);
            }
            buffer.add(full, &mut self.spare);
            new_lists += buffer.lists.len() - before;
        }
        // Lists that were merged with others need no memory of their own.
        self.held.shrink_to(new_lists * LIST_BYTES);
        counts.add(&self.counts);
        held.join(self.held);
        drop(committed);
        record_lists(memory).give(self.spare, memory.max_unused_bytes());
        Ok(())
    }
}
