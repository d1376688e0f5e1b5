//! The Arrow schema of flow records.

use crate::column::bits::bits_of;
use crate::value::number::MISSING;
use arrow::array::{ArrayRef, Int32Array, Int64Array, TimestampSecondArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use flow::schema::{Field, FieldKind, to_seconds};
use std::sync::Arc;

/// Returns the Arrow type of a field's column.
pub fn type_of(field: Field) -> DataType {
    match (field, field.kind()) {
        (Field::Start | Field::End, _) => DataType::Timestamp(TimeUnit::Second, Some("UTC".into())),
        (_, FieldKind::Text) => DataType::Utf8View,
        (_, FieldKind::Int32) => DataType::Int32,
        (_, FieldKind::Int64) => DataType::Int64,
    }
}

/// Returns the schema of some fields, in their order.
pub fn schema_of(fields: &[Field]) -> SchemaRef {
    let column = |field: &Field| ArrowField::new(field.name(), type_of(*field), true);
    Arc::new(Schema::new(fields.iter().map(column).collect::<Vec<_>>()))
}

/// Builds the column of a numeric field; numbers that are missing or do not fit are NULL.
pub(crate) fn number_column(field: Field, mut numbers: Vec<i64>) -> ArrayRef {
    let is_time = matches!(field, Field::Start | Field::End);
    if is_time {
        numbers.iter_mut().for_each(|time| *time = to_seconds(*time));
    }
    if !is_time && field.kind() == FieldKind::Int32 {
        // A missing number does not fit either.
        let fits = |number: i64| number == i64::from(number as i32);
        let all = numbers.iter().fold(true, |all, number| all & fits(*number));
        let nulls = (!all).then(|| NullBuffer::new(bits_of(&numbers, fits)));
        let numbers: Vec<i32> = numbers.into_iter().map(|number| number as i32).collect();
        return Arc::new(Int32Array::new(numbers.into(), nulls));
    }
    let is_present = |number: i64| number != MISSING;
    let all = numbers.iter().fold(true, |all, number| all & is_present(*number));
    let nulls = (!all).then(|| NullBuffer::new(bits_of(&numbers, is_present)));
    match is_time {
        true => Arc::new(TimestampSecondArray::new(numbers.into(), nulls).with_timezone("UTC")),
        false => Arc::new(Int64Array::new(numbers.into(), nulls)),
    }
}
