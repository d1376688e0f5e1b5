//! How much a function may make, and the count of what it made.

use arrow::array::{Array, ArrayRef, make_array};
use arrow::buffer::Buffer;
use arrow::error::ArrowError;
use bytes::Bytes;
use datafusion::common::resources_datafusion_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use flow::units::bytes_text;
use std::fmt;
use std::sync::Arc;

/// The share of the pool that one result may take: one in so many.
const SHARE: usize = 8;
/// The most bytes of one result, whatever the pool.
const MAX_BYTES: usize = 256 << 20;
/// The share of a result that a constant may take: one in so many. A plan holds several copies of a constant, uncounted,
/// and names columns by it.
const CONSTANT_SHARE: usize = 16;
/// A constant up to this size is made whatever the pool.
const SMALL_CONSTANT_BYTES: usize = 4 << 20;
/// Bytes made at a time.
const SLICE_BYTES: usize = 8 << 20;
/// Results up to this size are not counted: operators hold few of them at a time.
const FREE_BYTES: usize = 4 << 20;

/// What the functions of a session may make.
pub(super) struct ResultBudget {
    pool: Arc<dyn MemoryPool>,
    most: usize,
}

impl fmt::Debug for ResultBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultBudget").field("most", &self.most).finish_non_exhaustive()
    }
}

impl ResultBudget {
    /// Returns the budget of a session with this memory.
    pub(super) fn of(pool: &Arc<dyn MemoryPool>) -> Self {
        let most = match pool.memory_limit() {
            MemoryLimit::Finite(bytes) => (bytes / SHARE).min(MAX_BYTES),
            _ => MAX_BYTES,
        };
        Self { pool: pool.clone(), most }
    }

    /// Returns the most bytes of one result: all rows of a batch.
    pub(super) fn most_bytes(&self) -> usize {
        self.most
    }

    /// Takes memory for a constant that `function` is about to make.
    ///
    /// # Errors
    /// When it is too large, or the session's memory is used up.
    pub(super) fn take_constant(&self, function: &str, bytes: u64) -> Result<MemoryReservation> {
        let most = (self.most / CONSTANT_SHARE).max(SMALL_CONSTANT_BYTES).min(self.most) as u64;
        if bytes > most {
            let (bytes, most) = (bytes_text(bytes), bytes_text(most));
            return Err(resources_datafusion_err!(
                "{function} would make {bytes} for one row, and a constant may take {most}"
            ));
        }
        self.take(function, 1, bytes)
    }

    /// Returns the bytes to make at a time.
    pub(super) fn slice_bytes(&self) -> usize {
        SLICE_BYTES.min(self.most)
    }

    /// Returns the bytes that need no count.
    pub(super) fn free_bytes(&self) -> usize {
        FREE_BYTES.min(self.most / 2)
    }

    /// Returns the error for a result of `rows` rows that would take `bytes`.
    pub(super) fn too_large(&self, function: &str, rows: usize, bytes: u64) -> DataFusionError {
        let (bytes, most) = (bytes_text(bytes), bytes_text(self.most as u64));
        let rows = if rows == 1 { "one row".to_owned() } else { format!("{rows} rows") };
        resources_datafusion_err!("{function} would make {bytes} for {rows}, and {most} may be made at a time")
    }

    /// Takes memory for `rows` rows that `function` is about to make.
    ///
    /// # Errors
    /// When they are too large, or the session's memory is used up.
    pub(super) fn take(&self, function: &str, rows: usize, bytes: u64) -> Result<MemoryReservation> {
        let Some(fits) = usize::try_from(bytes).ok().filter(|bytes| *bytes <= self.most) else {
            return Err(self.too_large(function, rows, bytes));
        };
        let taken = MemoryConsumer::new(function).register(&self.pool);
        taken.try_grow(fits)?;
        Ok(taken)
    }
}

/// Bytes that stay counted as long as they are held.
struct CountedBytes {
    bytes: Buffer,
    _taken: MemoryReservation,
}

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_slice()
    }
}

/// Returns the array with a reservation that ends when its last copy is dropped.
///
/// # Errors
/// When the array is not valid.
pub(super) fn counted(array: ArrayRef, taken: MemoryReservation) -> Result<ArrayRef, ArrowError> {
    let mut taken = Some(taken);
    let data = held(array.to_data(), &mut taken)?;
    // An array without bytes holds nothing.
    Ok(make_array(data))
}

/// Hands the reservation to the first buffer that holds bytes.
fn held(
    data: arrow::array::ArrayData,
    taken: &mut Option<MemoryReservation>,
) -> Result<arrow::array::ArrayData, ArrowError> {
    let mut buffers = data.buffers().to_vec();
    if let Some(first) = buffers.iter_mut().max_by_key(|buffer| buffer.len()).filter(|buffer| !buffer.is_empty()) {
        if let Some(taken) = taken.take() {
            let bytes = CountedBytes { bytes: first.clone(), _taken: taken };
            *first = Buffer::from(Bytes::from_owner(bytes));
        }
        return data.into_builder().buffers(buffers).build();
    }
    let mut children = Vec::with_capacity(data.child_data().len());
    for child in data.child_data() {
        children.push(if taken.is_some() { held(child.clone(), taken)? } else { child.clone() });
    }
    data.into_builder().child_data(children).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, ListArray, StringArray, StringViewArray, StructArray};
    use arrow::datatypes::Int64Type;
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    #[test]
    fn a_result_is_counted_until_its_last_copy_is_dropped() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(80 << 20));
        let budget = ResultBudget::of(&pool);
        assert_eq!(budget.most_bytes(), 10 << 20);
        let long = "x".repeat(100);
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some(long.as_str()), None, Some("")]));
        let views: ArrayRef = Arc::new(StringViewArray::from(vec![long.as_str(), "y"]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let lists: ArrayRef =
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None]));
        let parts: ArrayRef = Arc::new(StructArray::try_from(vec![("a", views.clone())]).unwrap());
        for array in [texts, views, numbers, lists, parts] {
            let taken = budget.take("repeat", 2, 5 << 20).unwrap();
            let found = counted(array.clone(), taken).unwrap();
            assert_eq!(&found, &array);
            let copy = found.slice(0, 1);
            drop(found);
            assert_eq!(pool.reserved(), 5 << 20, "{:?}", array.data_type());
            drop(copy);
            assert_eq!(pool.reserved(), 0, "{:?}", array.data_type());
        }
        let large = budget.take("repeat", 8_192, 5_000_000_000).unwrap_err().to_string();
        assert!(large.contains("repeat would make 5.0 GB for 8192 rows, and 10.5 MB may be made at a time"), "{large}");
    }
}
