//! Lists of records that were folded and are filled again: memory that was touched before costs nothing to touch again,
//! and what the kernel hands out afresh is cleared first.

use super::packed::PackedFlow;
use std::sync::{Mutex, PoisonError};

/// Records that a list has room for: 40 kB, small enough that half-filled lists of 128 parts are no weight.
pub(super) const LIST_RECORDS: usize = 1_024;
/// Bytes of a list.
pub(super) const LIST_BYTES: usize = LIST_RECORDS * size_of::<PackedFlow>();

/// Empty lists, each with room for [`LIST_RECORDS`].
#[derive(Debug, Default)]
pub(super) struct SpareLists(Mutex<Vec<Vec<PackedFlow>>>);

impl SpareLists {
    /// An empty list.
    pub(super) fn take(&self) -> Vec<PackedFlow> {
        self.take_some(1).pop().unwrap_or_else(|| Vec::with_capacity(LIST_RECORDS))
    }

    /// At most so many lists that are kept here; for who needs many, since every call waits for the other threads.
    pub(super) fn take_some(&self, most: usize) -> Vec<Vec<PackedFlow>> {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = spare.len().saturating_sub(most);
        spare.split_off(rest)
    }

    /// Keeps lists for those that need some, as far as no more than `most` bytes are kept.
    pub(super) fn give(&self, lists: impl IntoIterator<Item = Vec<PackedFlow>>, most: usize) {
        let mut lists = lists.into_iter().filter(|list| list.capacity() == LIST_RECORDS).peekable();
        if lists.peek().is_none() {
            return;
        }
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = (most / LIST_BYTES).saturating_sub(spare.len());
        spare.extend(lists.by_ref().take(room).map(|mut list| {
            list.clear();
            list
        }));
        drop(spare);
        lists.for_each(drop);
    }

    /// Lets go of all lists.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_back_empty_and_no_more_than_allowed() {
        let spare = SpareLists::default();
        let mut list = spare.take();
        assert_eq!((list.len(), list.capacity()), (0, LIST_RECORDS));
        list.push(PackedFlow { bytes: 7, ..PackedFlow::default() });
        let at = list.as_ptr();
        spare.give([Vec::with_capacity(3), list, Vec::with_capacity(LIST_RECORDS)], LIST_BYTES);
        spare.give([Vec::with_capacity(LIST_RECORDS)], LIST_BYTES);
        spare.give([Vec::with_capacity(3)], usize::MAX);
        let again = spare.take();
        assert_eq!((again.len(), again.as_ptr()), (0, at));
        assert_eq!(spare.0.lock().unwrap().len(), 0, "one more was allowed than said");
        spare.give([again, Vec::with_capacity(LIST_RECORDS)], usize::MAX);
        assert_eq!(spare.take_some(1).len(), 1);
        assert_eq!(spare.take_some(5).len(), 1);
        spare.give([Vec::with_capacity(LIST_RECORDS)], LIST_BYTES);
        spare.clear();
        assert_eq!(spare.0.lock().unwrap().len(), 0);
    }
}
