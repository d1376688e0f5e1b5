//! Records of one part of a unit, in memory and on disk.

use super::flow_file::{FlowFile, FlowRun};
use super::packed::PackedFlow;
use memory::SpillError;

/// Lists of records, of any lengths.
pub(crate) type Lists = Vec<Vec<PackedFlow>>;

/// Records in memory and on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordBuffer {
    pub(crate) lists: Lists,
    pub(crate) runs: Vec<FlowRun>,
}

impl RecordBuffer {
    /// Adds the lists of an object. The last list of the object and that of the buffer may have room left; if one fits
    /// into the other, the empty list goes to `spare`.
    pub(super) fn add(&mut self, mut lists: Lists, spare: &mut Lists) {
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
    pub(crate) fn spill(&mut self, flows: &FlowFile) -> Result<(), SpillError> {
        if self.lists.iter().any(|list| !list.is_empty()) {
            self.runs.push(flows.write(&self.lists)?);
        }
        self.lists = Vec::new();
        Ok(())
    }
}
