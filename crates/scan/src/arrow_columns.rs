//! Arrow arrays of any type converted to numbers and to codes of texts.

use crate::error::ScanError;
use crate::interner::NONE;
use crate::value::number::MISSING;
use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch, StringArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMillisecondType,
    UInt16Type, UInt32Type, UInt64Type,
};
use flow::schema::is_missing;
use std::sync::Arc;

/// Finds a leaf column of a batch by its path through nested groups, with the outer groups' nulls applied. Of a list, the
/// first value of each row counts.
pub(crate) fn leaf_column(batch: &RecordBatch, path: &[String]) -> Option<ArrayRef> {
    let (first, rest) = path.split_first()?;
    let mut array = batch.column_by_name(first)?.clone();
    for name in rest {
        let group = array.as_struct_opt()?;
        let child = group.column_by_name(name)?.clone();
        array = match group.nulls() {
            None => child,
            Some(outer) => {
                let nulls = NullBuffer::union(Some(outer), child.nulls());
                arrow::array::make_array(child.to_data().into_builder().nulls(nulls).build().ok()?)
            }
        };
    }
    if array.as_list_opt::<i32>().is_some() { first_values(&array) } else { Some(array) }
}

/// Returns the first value of each list, null where there is none.
fn first_values(array: &ArrayRef) -> Option<ArrayRef> {
    let lists = array.as_list_opt::<i32>()?;
    let first = |row: usize| (lists.is_valid(row) && lists.value_length(row) > 0).then(|| lists.value_offsets()[row]);
    let places: Int32Array = (0..lists.len()).map(first).collect();
    arrow::compute::take(lists.values(), &places, None).ok()
}

/// A column of texts as codes: `map[keys[row]]` is the code of a row's text.
#[derive(Debug, Clone)]
pub(crate) struct DictionaryCodes {
    keys: Option<DictionaryArray<Int32Type>>,
    map: Arc<Vec<u32>>,
}

impl DictionaryCodes {
    /// Returns the code of a row's text, or [`NONE`].
    #[inline]
    pub(crate) fn get(&self, row: usize) -> u32 {
        match &self.keys {
            None => NONE,
            Some(keys) if keys.is_null(row) => NONE,
            Some(keys) => {
                let key = keys.keys().values()[row];
                self.map.get(key as usize).copied().unwrap_or(NONE)
            }
        }
    }
}

/// Translates the dictionaries of one column, each once: consecutive batches of a row group share theirs.
#[derive(Debug, Default)]
pub(crate) struct DictionaryTranslator {
    values: Option<ArrayRef>,
    map: Arc<Vec<u32>>,
}

impl DictionaryTranslator {
    /// Converts a column of texts, or of numbers in place of texts, to codes; `intern` returns those of a dictionary.
    pub(crate) fn codes(
        &mut self,
        object: &str,
        field: &'static str,
        array: &ArrayRef,
        intern: impl FnOnce(&StringArray) -> Vec<u32>,
    ) -> Result<DictionaryCodes, ScanError> {
        let wanted = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let array = if array.data_type() == &wanted {
            array.clone()
        } else {
            let unfit = || ScanError::Column {
                object: object.to_owned(),
                field,
                got: array.data_type().to_string(),
                expected: "text",
            };
            let text = cast(array, &DataType::Utf8).map_err(|_| unfit())?;
            cast(&text, &wanted).map_err(|_| unfit())?
        };
        let keys = array.as_dictionary::<Int32Type>().clone();
        // The held array keeps its buffers alive, so an equal pointer is the same dictionary and never a reused one.
        let same = self.values.as_ref().is_some_and(|held| {
            let (held, new) = (held.as_string::<i32>(), keys.values().as_string::<i32>());
            held.len() == new.len()
                && held.values().as_ptr() == new.values().as_ptr()
                && held.offsets().ptr_eq(new.offsets())
        });
        if !same {
            self.map = Arc::new(intern(keys.values().as_string::<i32>()));
            self.values = Some(keys.values().clone());
        }
        Ok(DictionaryCodes { keys: Some(keys), map: self.map.clone() })
    }
}

/// Reads a column of numbers of any type into `out`; missing ones become [`MISSING`].
///
/// Accepts integers of any width, floating point (pandas stores integer columns with nulls that way), texts,
/// dictionaries of texts, and timestamps (as seconds).
pub(crate) fn read_numbers(
    object: &str,
    field: &'static str,
    array: &ArrayRef,
    out: &mut Vec<i64>,
) -> Result<(), ScanError> {
    out.clear();
    macro_rules! whole {
        ($type:ty) => {{
            let array = array.as_primitive::<$type>();
            match array.nulls() {
                None => out.extend(array.values().iter().map(|value| *value as i64)),
                Some(_) => out.extend(array.iter().map(|value| value.map_or(MISSING, |value| value as i64))),
            }
        }};
    }
    match array.data_type() {
        DataType::Int16 => whole!(Int16Type),
        DataType::Int32 => whole!(Int32Type),
        DataType::Int64 => whole!(Int64Type),
        DataType::UInt16 => whole!(UInt16Type),
        DataType::UInt32 => whole!(UInt32Type),
        DataType::UInt64 => whole!(UInt64Type),
        DataType::Float32 => {
            let array = array.as_primitive::<Float32Type>();
            out.extend(array.iter().map(|value| value.filter(|v| v.is_finite()).map_or(MISSING, |v| v as i64)));
        }
        DataType::Float64 => {
            let array = array.as_primitive::<Float64Type>();
            out.extend(array.iter().map(|value| value.filter(|v| v.is_finite()).map_or(MISSING, |v| v as i64)));
        }
        DataType::Timestamp(_, _) => {
            let millis = cast(array, &DataType::Timestamp(TimeUnit::Millisecond, None))
                .map_err(|_| unfit(object, field, array))?;
            let millis = millis.as_primitive::<TimestampMillisecondType>();
            out.extend(millis.iter().map(|value| value.map_or(MISSING, |value| value.div_euclid(1_000))));
        }
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            out.extend(texts.iter().map(|text| text.map_or(MISSING, number_of)));
        }
        DataType::Dictionary(key, value) if **key == DataType::Int32 && **value == DataType::Utf8 => {
            let keys = array.as_dictionary::<Int32Type>();
            let map: Vec<i64> = keys.values().as_string::<i32>().iter().map(|t| t.map_or(MISSING, number_of)).collect();
            out.extend(keys.keys().iter().map(|key| key.and_then(|k| map.get(k as usize).copied()).unwrap_or(MISSING)));
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts = cast(array, &DataType::Utf8).map_err(|_| unfit(object, field, array))?;
            out.extend(texts.as_string::<i32>().iter().map(|text| text.map_or(MISSING, number_of)));
        }
        // A cast would make numbers of these, too, but days, times of day and truth values are not what the field means.
        DataType::Boolean
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Duration(_)
        | DataType::Interval(_) => return Err(unfit(object, field, array)),
        _ => {
            let numbers = cast(array, &DataType::Int64).map_err(|_| unfit(object, field, array))?;
            out.extend(numbers.as_primitive::<Int64Type>().iter().map(|value| value.unwrap_or(MISSING)));
        }
    }
    Ok(())
}

fn unfit(object: &str, field: &'static str, array: &ArrayRef) -> ScanError {
    ScanError::Column { object: object.to_owned(), field, got: array.data_type().to_string(), expected: "a number" }
}

/// Parses a number; `-`, `None` and other placeholders are missing, `443.0` is 443.
fn number_of(text: &str) -> i64 {
    let text = text.trim();
    match text.parse::<i64>() {
        Ok(number) => number,
        Err(_) if is_missing(text) => MISSING,
        Err(_) => text.parse::<f64>().ok().filter(|value| value.is_finite()).map_or(MISSING, |value| value as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int32Array, StringArray, TimestampMicrosecondArray};

    #[test]
    fn numbers_of_every_type_agree() {
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![Some(443), None])),
            Arc::new(Float64Array::from(vec![Some(443.0), None])),
            Arc::new(StringArray::from(vec![Some("443"), Some("-")])),
            Arc::new(StringArray::from(vec![Some("443.0"), Some("None")])),
            Arc::new(vec![Some("443"), None].into_iter().collect::<DictionaryArray<Int32Type>>()),
            Arc::new(TimestampMicrosecondArray::from(vec![Some(443_000_000), None]).with_timezone("UTC")),
        ];
        for array in arrays {
            let mut out = Vec::new();
            read_numbers("x", "srcport", &array, &mut out).unwrap();
            assert_eq!(out, [443, MISSING], "{}", array.data_type());
        }
    }
}
