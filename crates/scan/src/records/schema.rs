//! The Arrow schema of flow records, and the columns of their numeric fields.
//!
//! A new field is added to [`flow::schema`] and follows its [`FieldKind`] here. Only a new time has to be named in this
//! file as well.

use crate::column::bits::bits_of;
use crate::value::number::MISSING;
use arrow::array::{ArrayRef, Int32Array, Int64Array, TimestampSecondArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use flow::schema::{Field, FieldKind, to_seconds};
use std::sync::Arc;

/// Returns whether a field is a time, stored as a number.
fn is_time(field: Field) -> bool {
    matches!(field, Field::Start | Field::End)
}

/// Returns the Arrow type of a field's column.
pub fn type_of(field: Field) -> DataType {
    match field.kind() {
        _ if is_time(field) => DataType::Timestamp(TimeUnit::Second, Some("UTC".into())),
        FieldKind::Text => DataType::Utf8View,
        FieldKind::Int32 => DataType::Int32,
        FieldKind::Int64 => DataType::Int64,
    }
}

/// Returns a schema with one column for each of `fields`, in the order of `fields`. Every column may have NULLs.
pub fn schema_of(fields: &[Field]) -> SchemaRef {
    let column = |field: &Field| ArrowField::new(field.name(), type_of(*field), true);
    Arc::new(Schema::new(fields.iter().map(column).collect::<Vec<_>>()))
}

/// Builds the column of a numeric field, of the type that [`type_of`] returns. Times in any unit, from seconds to
/// nanoseconds, become seconds. Numbers that are [`MISSING`] or do not fit into the type are NULL.
pub(crate) fn number_column(field: Field, mut numbers: Vec<i64>) -> ArrayRef {
    let is_present = |number: i64| number != MISSING;
    if is_time(field) {
        numbers.iter_mut().for_each(|time| *time = to_seconds(*time));
        let nulls = nulls_unless(&numbers, is_present);
        return Arc::new(TimestampSecondArray::new(numbers.into(), nulls).with_timezone("UTC"));
    }
    if field.kind() == FieldKind::Int32 {
        // `MISSING` does not fit into 32 bits, so it needs no test of its own.
        let nulls = nulls_unless(&numbers, |number| number == i64::from(number as i32));
        let numbers: Vec<i32> = numbers.into_iter().map(|number| number as i32).collect();
        return Arc::new(Int32Array::new(numbers.into(), nulls));
    }
    let nulls = nulls_unless(&numbers, is_present);
    Arc::new(Int64Array::new(numbers.into(), nulls))
}

/// Returns the NULLs of a column: the numbers that are not valid. `None` where all are.
fn nulls_unless(numbers: &[i64], is_valid: impl Fn(i64) -> bool) -> Option<NullBuffer> {
    // Unlike `all`, this has no branch, so the compiler can vectorise it.
    let all_valid = numbers.iter().fold(true, |all, number| all & is_valid(*number));
    (!all_valid).then(|| NullBuffer::new(bits_of(numbers, is_valid)))
}
