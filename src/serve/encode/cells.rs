//! How the cells of one column are written: chosen once per column, not per cell.

use super::oid::{item_of, type_of};
use super::text::Interval;
use super::{binary, text};
use arrow::array::timezone::Tz;
use arrow::array::types::*;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, GenericListArray, IntervalDayTimeArray, IntervalMonthDayNanoArray,
    OffsetSizeTrait, PrimitiveArray,
};
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use arrow::error::ArrowError;
use bytes::{BufMut, BytesMut};
use chrono::{DateTime, Offset, TimeZone};
use pgwire::api::Type;
use pgwire::api::results::FieldFormat;
use pgwire::types::ToSqlText;
use pgwire::types::format::FormatOptions;

/// Writes the cell of a row, which is not NULL, without its length.
pub(super) type Writer = Box<dyn Fn(usize, &mut BytesMut) + Send + Sync>;

/// A column whose cells can be written.
pub(super) struct ColumnEncoder {
    array: ArrayRef,
    write: Writer,
}

impl ColumnEncoder {
    /// Chooses how the cells of a column are written.
    ///
    /// # Errors
    /// When columns of this type are not sent unchanged.
    pub(super) fn new(array: &ArrayRef, format: FieldFormat) -> Result<Self, ArrowError> {
        Ok(Self { write: writer(array, format)?, array: array.clone() })
    }

    /// Writes a cell with its length; -1 marks NULL.
    pub(super) fn write(&self, row: usize, out: &mut BytesMut) {
        if self.array.is_null(row) {
            out.put_i32(-1);
            return;
        }
        let start = out.len();
        out.put_i32(0);
        (self.write)(row, out);
        let length = (out.len() - start - 4) as i32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

fn primitive<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    write: impl Fn(T::Native, &mut BytesMut) + Send + Sync + 'static,
) -> Writer {
    let array: PrimitiveArray<T> = array.as_primitive().clone();
    Box::new(move |row, out| write(array.value(row), out))
}

fn integer<T: ArrowPrimitiveType, W: From<T::Native> + std::fmt::Display>(
    array: &ArrayRef,
    is_text: bool,
    put: impl Fn(&mut BytesMut, W) + Send + Sync + 'static,
) -> Writer {
    if is_text {
        primitive::<T>(array, |value, out| text::number(W::from(value), out))
    } else {
        primitive::<T>(array, move |value, out| put(out, W::from(value)))
    }
}

fn float<T: ArrowPrimitiveType<Native: ToSqlText>>(
    array: &ArrayRef,
    kind: Type,
    is_text: bool,
    put: fn(&mut BytesMut, T::Native),
) -> Writer {
    if !is_text {
        return primitive::<T>(array, move |value, out| put(out, value));
    }
    let options = FormatOptions::default();
    primitive::<T>(array, move |value, out| {
        // Formatting a number cannot fail.
        let _ = value.to_sql_text(&kind, out, &options);
    })
}

/// Writes counts of a unit that `micros` converts to microseconds.
fn micros<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    micros: impl Fn(T::Native) -> i64 + Send + Sync + 'static,
    write: impl Fn(i64, &mut BytesMut) + Send + Sync + 'static,
) -> Writer {
    primitive::<T>(array, move |value, out| write(micros(value), out))
}

fn timestamps(array: &ArrayRef, unit: TimeUnit, write: impl Fn(i64, &mut BytesMut) + Send + Sync + 'static) -> Writer {
    match unit {
        TimeUnit::Second => micros::<TimestampSecondType>(array, |value| value.saturating_mul(1_000_000), write),
        TimeUnit::Millisecond => micros::<TimestampMillisecondType>(array, |value| value.saturating_mul(1_000), write),
        TimeUnit::Microsecond => micros::<TimestampMicrosecondType>(array, |value| value, write),
        TimeUnit::Nanosecond => micros::<TimestampNanosecondType>(array, |value| value.div_euclid(1_000), write),
    }
}

fn durations(array: &ArrayRef, unit: TimeUnit, write: fn(Interval, &mut BytesMut)) -> Writer {
    let write = move |micros: i64, out: &mut BytesMut| write(Interval { micros, ..Interval::default() }, out);
    match unit {
        TimeUnit::Second => micros::<DurationSecondType>(array, |value| value.saturating_mul(1_000_000), write),
        TimeUnit::Millisecond => micros::<DurationMillisecondType>(array, |value| value.saturating_mul(1_000), write),
        TimeUnit::Microsecond => micros::<DurationMicrosecondType>(array, |value| value, write),
        TimeUnit::Nanosecond => micros::<DurationNanosecondType>(array, |value| value / 1_000, write),
    }
}

fn intervals(array: &ArrayRef, unit: IntervalUnit, write: fn(Interval, &mut BytesMut)) -> Writer {
    match unit {
        IntervalUnit::YearMonth => primitive::<IntervalYearMonthType>(array, move |months, out| {
            write(Interval { months, ..Interval::default() }, out)
        }),
        IntervalUnit::DayTime => {
            let array: IntervalDayTimeArray = array.as_primitive().clone();
            Box::new(move |row, out| {
                let (days, millis) = IntervalDayTimeType::to_parts(array.value(row));
                write(Interval { months: 0, days, micros: i64::from(millis) * 1_000 }, out);
            })
        }
        IntervalUnit::MonthDayNano => {
            let array: IntervalMonthDayNanoArray = array.as_primitive().clone();
            Box::new(move |row, out| {
                let (months, days, nanos) = IntervalMonthDayNanoType::to_parts(array.value(row));
                write(Interval { months, days, micros: nanos / 1_000 }, out);
            })
        }
    }
}

/// Writes a time with the offset of its zone.
fn zoned(zone: &str) -> Result<impl Fn(i64, &mut BytesMut) + Send + Sync + use<>, ArrowError> {
    let zone: Tz = zone.parse()?;
    Ok(move |micros: i64, out: &mut BytesMut| {
        let seconds = DateTime::from_timestamp_micros(micros)
            .map_or(0, |time| zone.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc());
        text::timestamp(micros.saturating_add(i64::from(seconds) * 1_000_000), out);
        text::offset(seconds, out);
    })
}

/// Writes the bytes that `of` returns for a row.
fn bytes_of<A: Clone + Send + Sync + 'static>(
    array: &A,
    of: fn(&A, usize) -> &[u8],
    write: fn(&[u8], &mut BytesMut),
) -> Writer {
    let array = array.clone();
    Box::new(move |row, out| write(of(&array, row), out))
}

fn as_it_is(value: &[u8], out: &mut BytesMut) {
    out.put_slice(value);
}

fn writer(array: &ArrayRef, format: FieldFormat) -> Result<Writer, ArrowError> {
    let is_text = format == FieldFormat::Text;
    let bytes = if is_text { text::bytes } else { as_it_is };
    let interval = if is_text { text::interval } else { binary::interval };
    let date = move |days: i64, out: &mut BytesMut| {
        if is_text { text::date(days, out) } else { out.put_i32((days - binary::EPOCH_DAYS) as i32) }
    };
    let time =
        move |micros: i64, out: &mut BytesMut| if is_text { text::time(micros, out) } else { out.put_i64(micros) };
    let numeric = if is_text { text::decimal } else { binary::numeric };
    Ok(match array.data_type() {
        DataType::Boolean => {
            let array = array.as_boolean().clone();
            let [no, yes] = if is_text { [b'f', b't'] } else { [0, 1] };
            Box::new(move |row, out| out.put_u8(if array.value(row) { yes } else { no }))
        }
        DataType::Int8 => integer::<Int8Type, i16>(array, is_text, BytesMut::put_i16),
        DataType::Int16 => integer::<Int16Type, i16>(array, is_text, BytesMut::put_i16),
        DataType::Int32 => integer::<Int32Type, i32>(array, is_text, BytesMut::put_i32),
        DataType::Int64 => integer::<Int64Type, i64>(array, is_text, BytesMut::put_i64),
        DataType::UInt8 => integer::<UInt8Type, i16>(array, is_text, BytesMut::put_i16),
        DataType::UInt16 => integer::<UInt16Type, i32>(array, is_text, BytesMut::put_i32),
        DataType::UInt32 => integer::<UInt32Type, i64>(array, is_text, BytesMut::put_i64),
        DataType::UInt64 => primitive::<UInt64Type>(array, move |value, out| numeric(i128::from(value), 0, out)),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            primitive::<Decimal128Type>(array, move |value, out| numeric(value, scale, out))
        }
        DataType::Float32 => float::<Float32Type>(array, Type::FLOAT4, is_text, BytesMut::put_f32),
        DataType::Float64 => float::<Float64Type>(array, Type::FLOAT8, is_text, BytesMut::put_f64),
        DataType::Utf8 => bytes_of(array.as_string::<i32>(), |array, row| array.value(row).as_bytes(), as_it_is),
        DataType::LargeUtf8 => bytes_of(array.as_string::<i64>(), |array, row| array.value(row).as_bytes(), as_it_is),
        DataType::Utf8View => bytes_of(array.as_string_view(), |array, row| array.value(row).as_bytes(), as_it_is),
        DataType::Binary => bytes_of(array.as_binary::<i32>(), |array, row| array.value(row), bytes),
        DataType::LargeBinary => bytes_of(array.as_binary::<i64>(), |array, row| array.value(row), bytes),
        DataType::BinaryView => bytes_of(array.as_binary_view(), |array, row| array.value(row), bytes),
        DataType::FixedSizeBinary(_) => bytes_of(array.as_fixed_size_binary(), |array, row| array.value(row), bytes),
        DataType::Date32 => primitive::<Date32Type>(array, move |days, out| date(i64::from(days), out)),
        DataType::Date64 => primitive::<Date64Type>(array, move |millis, out| date(millis.div_euclid(86_400_000), out)),
        DataType::Time32(TimeUnit::Second) => {
            micros::<Time32SecondType>(array, |value| i64::from(value) * 1_000_000, time)
        }
        DataType::Time32(_) => micros::<Time32MillisecondType>(array, |value| i64::from(value) * 1_000, time),
        DataType::Time64(TimeUnit::Microsecond) => micros::<Time64MicrosecondType>(array, |value| value, time),
        DataType::Time64(_) => micros::<Time64NanosecondType>(array, |value| value / 1_000, time),
        DataType::Timestamp(unit, _) if !is_text => {
            timestamps(array, *unit, |micros, out| out.put_i64(micros.saturating_sub(binary::EPOCH_MICROS)))
        }
        DataType::Timestamp(unit, None) => timestamps(array, *unit, text::timestamp),
        DataType::Timestamp(unit, Some(zone)) => timestamps(array, *unit, zoned(zone)?),
        DataType::Duration(unit) => durations(array, *unit, interval),
        DataType::Interval(unit) => intervals(array, *unit, interval),
        DataType::List(_) => list(array.as_list::<i32>(), format)?,
        DataType::LargeList(_) => list(array.as_list::<i64>(), format)?,
        other => return Err(ArrowError::NotYetImplemented(format!("values of type {other}"))),
    })
}

/// Writes lists as one-dimensional arrays.
fn list<O: OffsetSizeTrait>(array: &GenericListArray<O>, format: FieldFormat) -> Result<Writer, ArrowError> {
    let array = array.clone();
    let kind = array.value_type();
    let items = ColumnEncoder::new(array.values(), format)?;
    if format == FieldFormat::Text {
        let quoted = matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let quoted = quoted || type_of(&kind) == Some(Type::BYTEA);
        return Ok(Box::new(move |row, out| {
            out.put_u8(b'{');
            let (first, last) = range_of(&array, row);
            for index in first..last {
                if index > first {
                    out.put_u8(b',');
                }
                if items.array.is_null(index) {
                    out.put_slice(b"NULL");
                } else if quoted {
                    let mut item = BytesMut::new();
                    (items.write)(index, &mut item);
                    text::element(&item, out);
                } else {
                    (items.write)(index, out);
                }
            }
            out.put_u8(b'}');
        }));
    }
    let kind = type_of(array.data_type()).and_then(|array| item_of(&array));
    let oid = kind.ok_or_else(|| ArrowError::NotYetImplemented(format!("lists of {}", array.value_type())))?.oid();
    Ok(Box::new(move |row, out| {
        let (first, last) = range_of(&array, row);
        let has_nulls = (first..last).any(|index| items.array.is_null(index));
        out.put_i32(i32::from(first < last));
        out.put_i32(i32::from(has_nulls));
        out.put_u32(oid);
        if first < last {
            out.put_i32((last - first) as i32);
            // Indexes begin at 1.
            out.put_i32(1);
        }
        (first..last).for_each(|index| items.write(index, out));
    }))
}

fn range_of<O: OffsetSizeTrait>(array: &GenericListArray<O>, row: usize) -> (usize, usize) {
    let offsets = array.value_offsets();
    (offsets[row].as_usize(), offsets[row + 1].as_usize())
}
