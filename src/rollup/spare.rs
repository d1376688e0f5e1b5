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
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| Vec::with_capacity(LIST_RECORDS))
    }

    /// Keeps a list for the next that needs one, unless `most` bytes are kept already.
    pub(super) fn give(&self, mut list: Vec<PackedFlow>, most: usize) {
        if list.capacity() != LIST_RECORDS {
            return;
        }
        list.clear();
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < most / LIST_BYTES {
            spare.push(list);
        }
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
        spare.give(list, LIST_BYTES);
        spare.give(Vec::with_capacity(LIST_RECORDS), LIST_BYTES);
        spare.give(Vec::with_capacity(3), usize::MAX);
        let again = spare.take();
        assert_eq!((again.len(), again.as_ptr()), (0, at));
        assert_eq!(spare.0.lock().unwrap().len(), 0, "one more was allowed than said");
        spare.give(again, LIST_BYTES);
        spare.clear();
        assert_eq!(spare.0.lock().unwrap().len(), 0);
    }
}
