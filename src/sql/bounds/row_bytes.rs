//! The size of each row of a column.

use arrow::array::{Array, ArrayRef, AsArray, GenericByteArray, GenericListArray, OffsetSizeTrait, RecordBatch};
use arrow::datatypes::{ArrowNativeType, ByteArrayType, DataType};

/// Bytes of a row that has no length of its own, such as an entry of a dictionary or a union.
const OTHER_BYTES: u64 = 64;

/// One number per row, or one for all.
#[derive(Clone, Debug)]
pub(super) enum PerRow<T> {
    /// All rows have this one.
    All(T),
    /// Each row has its own.
    Each(Vec<T>),
}

impl<T: Copy + Ord + Default> PerRow<T> {
    /// Returns that of a row.
    pub(super) fn at(&self, row: usize) -> T {
        match self {
            PerRow::All(value) => *value,
            PerRow::Each(values) => values.get(row).copied().unwrap_or_default(),
        }
    }

    /// Returns the largest.
    pub(super) fn largest(&self) -> T {
        match self {
            PerRow::All(value) => *value,
            PerRow::Each(values) => values.iter().copied().max().unwrap_or_default(),
        }
    }
}

/// Returns the bytes of each row's value.
pub(super) fn row_bytes(array: &dyn Array) -> PerRow<u64> {
    match array.data_type() {
        DataType::Null => PerRow::All(0),
        DataType::Boolean => PerRow::All(1),
        DataType::Utf8 => of_texts(array.as_string::<i32>()),
        DataType::LargeUtf8 => of_texts(array.as_string::<i64>()),
        DataType::Binary => of_texts(array.as_binary::<i32>()),
        DataType::LargeBinary => of_texts(array.as_binary::<i64>()),
        DataType::Utf8View => {
            PerRow::Each(array.as_string_view().lengths().map(|bytes| 16 + u64::from(bytes)).collect())
        }
        DataType::BinaryView => {
            PerRow::Each(array.as_binary_view().lengths().map(|bytes| 16 + u64::from(bytes)).collect())
        }
        DataType::List(_) => of_lists(array.as_list::<i32>()),
        DataType::LargeList(_) => of_lists(array.as_list::<i64>()),
        DataType::FixedSizeList(_, length) => {
            let items = row_bytes(array.as_fixed_size_list().values());
            let length = usize::try_from(*length).unwrap_or(0);
            match items {
                PerRow::All(bytes) => PerRow::All(bytes.saturating_mul(length as u64)),
                PerRow::Each(bytes) => {
                    let row = |row: usize| bytes.iter().skip(row * length).take(length).sum();
                    PerRow::Each((0..array.len()).map(row).collect())
                }
            }
        }
        DataType::Struct(_) => sum_of(array.as_struct().columns().iter().map(|part| row_bytes(part)), array.len()),
        DataType::Map(_, _) => {
            let map = array.as_map();
            let entries = row_bytes(map.entries());
            ranges(map.offsets().iter().map(|offset| *offset as usize), &entries)
        }
        DataType::Dictionary(_, _) if array.as_any_dictionary().values().is_empty() => PerRow::All(0),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let values = row_bytes(dictionary.values());
            let keys = dictionary.normalized_keys();
            PerRow::Each(keys.into_iter().map(|key| values.at(key)).collect())
        }
        kind => PerRow::All(kind.primitive_width().map_or(OTHER_BYTES, |bytes| bytes as u64)),
    }
}

/// Returns the bytes of all rows together.
pub(super) fn total_bytes(array: &ArrayRef) -> u64 {
    match row_bytes(array) {
        PerRow::All(bytes) => bytes.saturating_mul(array.len() as u64),
        PerRow::Each(bytes) => bytes.iter().fold(0, |sum, bytes| sum.saturating_add(*bytes)),
    }
}

/// Returns the bytes of a batch's values. What several batches share, such as a dictionary, counts for each.
pub(in crate::sql) fn batch_bytes(batch: &RecordBatch) -> usize {
    let bytes = batch.columns().iter().map(total_bytes).fold(0, u64::saturating_add);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Returns the number of items in each row's list; 0 where it is no list.
pub(super) fn row_items(array: &dyn Array) -> PerRow<u64> {
    fn lengths<O: OffsetSizeTrait>(lists: &GenericListArray<O>) -> PerRow<u64> {
        PerRow::Each(lists.offsets().windows(2).map(|two| (two[1] - two[0]).as_usize() as u64).collect())
    }
    match array.data_type() {
        DataType::List(_) => lengths(array.as_list::<i32>()),
        DataType::LargeList(_) => lengths(array.as_list::<i64>()),
        DataType::FixedSizeList(_, length) => PerRow::All(u64::try_from(*length).unwrap_or(0)),
        _ => PerRow::All(0),
    }
}

fn sum_of(parts: impl Iterator<Item = PerRow<u64>>, rows: usize) -> PerRow<u64> {
    let parts: Vec<PerRow<u64>> = parts.collect();
    if parts.iter().all(|part| matches!(part, PerRow::All(_))) {
        return PerRow::All(parts.iter().map(PerRow::largest).sum());
    }
    PerRow::Each((0..rows).map(|row| parts.iter().map(|part| part.at(row)).sum()).collect())
}

fn of_texts<T: ByteArrayType>(texts: &GenericByteArray<T>) -> PerRow<u64> {
    let offset = size_of::<T::Offset>() as u64;
    let length = |two: &[T::Offset]| two[1].as_usize() - two[0].as_usize();
    PerRow::Each(texts.offsets().windows(2).map(|two| offset + length(two) as u64).collect())
}

fn of_lists<O: OffsetSizeTrait>(lists: &GenericListArray<O>) -> PerRow<u64> {
    ranges(lists.offsets().iter().map(|offset| offset.as_usize()), &row_bytes(lists.values()))
}

/// Returns the bytes between each two offsets of some items.
fn ranges(offsets: impl Iterator<Item = usize> + Clone, items: &PerRow<u64>) -> PerRow<u64> {
    let both = offsets.clone().zip(offsets.skip(1));
    let bytes = |from: usize, to: usize| match items {
        PerRow::All(bytes) => bytes.saturating_mul((to - from) as u64),
        PerRow::Each(bytes) => bytes.get(from..to).unwrap_or_default().iter().sum(),
    };
    PerRow::Each(both.map(|(from, to)| 8 + bytes(from, to)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, Int32Array, Int64Array, ListArray, StringArray, StructArray};
    use arrow::datatypes::{Int32Type, Int64Type};
    use std::sync::Arc;

    #[test]
    fn rows_have_the_bytes_of_their_values() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("abc"), None, Some("é")]));
        assert_eq!(total_bytes(&texts), 3 + 2 + 3 * 4);
        assert_eq!(total_bytes(&texts.slice(1, 2)), 2 + 2 * 4);
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1); 3]), None, Some(vec![])]);
        let lists: ArrayRef = Arc::new(lists);
        assert_eq!(total_bytes(&lists), 3 * 8 + 3 * 8);
        assert_eq!((row_items(&lists).at(0), row_items(&lists).largest()), (3, 3));
        let keys = Int32Array::from(vec![Some(1), Some(1), None]);
        let words = DictionaryArray::<Int32Type>::new(keys, Arc::new(StringArray::from(vec!["a", "bcd"])));
        assert!(total_bytes(&(Arc::new(words) as ArrayRef)) >= 6);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        assert_eq!(total_bytes(&numbers), 16);
        let parts: ArrayRef = Arc::new(StructArray::try_from(vec![("a", numbers.clone()), ("b", numbers)]).unwrap());
        assert_eq!(total_bytes(&parts), 32);
    }
}
