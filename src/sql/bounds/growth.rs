//! How much a function returns for its arguments, at most.
//!
//! Written against DataFusion 55.2; `every_function_is_bounded` fails when a function of a later version returns more than
//! is said here.

use super::row_bytes::{PerRow, row_bytes, row_items};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;

/// Bytes of every result besides what its arguments account for: offsets, views, numbers, texts of a fixed length.
const FIXED_BYTES: u64 = 64;
/// The most bytes that a value other than a text or a list is written as.
const WRITTEN_BYTES: u64 = 48;
/// The most bytes of a letter.
const LETTER_BYTES: u64 = 4;
/// The most bytes of a short text or a few numbers.
const SHORT_BYTES: u64 = 512;
const NANOS_PER_DAY: i64 = 86_400_000_000_000;

/// How the size of a function's results follows from its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// So many times all arguments together.
    Times(u64),
    /// Twice all arguments together, and a short text or a few numbers.
    Short,
    /// The first argument, as often as the second says.
    Repeated,
    /// A text of as many letters as the second argument says.
    Padded,
    /// Each part of the first argument may become the third.
    Replaced,
    /// Each letter of the first argument may become the third, and each reference in it a copy of the first.
    Rewritten,
    /// Each group of the pattern may be the whole text.
    Matched,
    /// The items of a list as texts, with the other arguments between and in place of them.
    Joined,
    /// The numbers or times from one argument to the next.
    Series,
    /// A list of as many items as the second argument says, each the third or the first.
    Filled,
    /// Each item of the first argument may become the last.
    ItemsReplaced,
    /// Each letter of the last argument may become a text of its own.
    Formatted,
    /// Nothing is known.
    Unknown,
}

/// Functions that return more than all their arguments together, and texts or lists.
const GROWING: &[(&str, Growth)] = &[
    ("repeat", Growth::Repeated),
    ("array_repeat", Growth::Repeated),
    ("lpad", Growth::Padded),
    ("rpad", Growth::Padded),
    ("replace", Growth::Replaced),
    ("regexp_replace", Growth::Rewritten),
    ("regexp_match", Growth::Matched),
    ("array_to_string", Growth::Joined),
    ("range", Growth::Series),
    ("generate_series", Growth::Series),
    ("array_resize", Growth::Filled),
    ("array_replace", Growth::ItemsReplaced),
    ("array_replace_all", Growth::ItemsReplaced),
    ("array_replace_n", Growth::ItemsReplaced),
    ("to_char", Growth::Formatted),
    ("date_format", Growth::Formatted),
    // Each letter may become one of four bytes, and three letters where the case changes.
    ("translate", Growth::Times(4)),
    ("upper", Growth::Times(3)),
    ("lower", Growth::Times(3)),
    ("initcap", Growth::Times(3)),
    ("encode", Growth::Times(2)),
    // Each item has an offset or a view.
    ("string_to_array", Growth::Times(18)),
    ("arrow_cast", Growth::Times(WRITTEN_BYTES)),
    ("arrow_try_cast", Growth::Times(WRITTEN_BYTES)),
    ("cast_to_type", Growth::Times(WRITTEN_BYTES)),
    ("try_cast_to_type", Growth::Times(WRITTEN_BYTES)),
];

/// Functions that return at most their arguments, twice for what they make meanwhile.
const FLAT: &[&str] = &[
    "array_add",
    "array_any_value",
    "array_append",
    "array_compact",
    "array_concat",
    "array_dims",
    "array_distinct",
    "array_element",
    "array_except",
    "array_intersect",
    "array_max",
    "array_min",
    "array_normalize",
    "array_pop_back",
    "array_pop_front",
    "array_positions",
    "array_prepend",
    "array_remove",
    "array_remove_all",
    "array_remove_n",
    "array_reverse",
    "array_scale",
    "array_slice",
    "array_sort",
    "array_subtract",
    "array_union",
    "arrays_zip",
    "arrow_field",
    "arrow_metadata",
    "arrow_typeof",
    "btrim",
    "chr",
    "||",
    "coalesce",
    "concat",
    "concat_ws",
    "decode",
    "digest",
    "empty",
    "flatten",
    "from_unixtime",
    "get_field",
    "greatest",
    "input_file_name",
    "least",
    "left",
    "ltrim",
    "make_array",
    "map",
    "map_entries",
    "map_extract",
    "map_keys",
    "map_values",
    "md5",
    "named_struct",
    "nullif",
    "nvl",
    "nvl2",
    "overlay",
    "pattern",
    "reverse",
    "right",
    "rtrim",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "split_part",
    "struct",
    "substr",
    "substr_index",
    "to_hex",
    "union_extract",
    "union_tag",
    "uuid",
    "version",
    "with_metadata",
];

/// Functions of flowsift that describe or judge their argument.
const SHORT: &[&str] = &[
    "address",
    "daily_drift",
    "human_bytes",
    "human_duration",
    "indicator",
    "ip",
    "known_service",
    "network_owner",
    "network_service",
    "prefix",
    "protocol_name",
    "seasonal_habit",
    "service_name",
    "tcp_flags_text",
    "traffic_path_text",
];

impl Growth {
    /// Returns that of a function that returns values of a type.
    pub(super) fn of(function: &str, returns: &DataType) -> Self {
        if let Some((_, growth)) = GROWING.iter().find(|(name, _)| *name == function) {
            return *growth;
        }
        if SHORT.contains(&function) {
            return Growth::Short;
        }
        let fixed = is_fixed(returns);
        if fixed || FLAT.contains(&function) { Growth::Times(2) } else { Growth::Unknown }
    }
}

/// Returns whether all values of a type take as many bytes.
pub(super) fn is_fixed(kind: &DataType) -> bool {
    kind.is_primitive() || matches!(kind, DataType::Boolean | DataType::Null)
}

/// What is known about an argument.
pub(super) struct Argument {
    bytes: PerRow<u64>,
    items: PerRow<u64>,
    /// Its value: a count, or nanoseconds.
    number: PerRow<i64>,
}

impl Argument {
    /// Measures an argument.
    ///
    /// # Errors
    /// When a number cannot be read.
    pub(super) fn of(value: &ColumnarValue) -> Result<Self> {
        let scalar = match value {
            ColumnarValue::Array(array) => {
                let (bytes, items) = (row_bytes(array.as_ref()), row_items(array.as_ref()));
                return Ok(Self { bytes, items, number: numbers(array)? });
            }
            ColumnarValue::Scalar(scalar) => scalar,
        };
        if let Some(bytes) = scalar_bytes(scalar) {
            return Ok(Self { bytes: PerRow::All(bytes), items: PerRow::All(0), number: PerRow::All(0) });
        }
        let array = scalar.to_array()?;
        let (bytes, items) = (row_bytes(array.as_ref()).at(0), row_items(array.as_ref()).at(0));
        let number = numbers(&array)?.at(0);
        Ok(Self { bytes: PerRow::All(bytes), items: PerRow::All(items), number: PerRow::All(number) })
    }
}

/// Returns the length of a text or of bytes.
pub(super) fn scalar_bytes(scalar: &ScalarValue) -> Option<u64> {
    Some(match scalar {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            text.as_ref().map_or(0, String::len) as u64
        }
        ScalarValue::Binary(bytes) | ScalarValue::LargeBinary(bytes) | ScalarValue::BinaryView(bytes) => {
            bytes.as_ref().map_or(0, Vec::len) as u64
        }
        _ => return None,
    })
}

/// Returns the numbers of a column as counts, days or nanoseconds.
fn numbers(array: &ArrayRef) -> Result<PerRow<i64>> {
    let kind = array.data_type();
    let read = |array: &ArrayRef| -> Result<PerRow<i64>> {
        let cast = cast(array, &DataType::Int64)?;
        let values = cast.as_primitive::<Int64Type>();
        Ok(PerRow::Each((0..values.len()).map(|row| if values.is_null(row) { 0 } else { values.value(row) }).collect()))
    };
    match kind {
        kind if kind.is_integer() => read(array),
        DataType::Date32 | DataType::Date64 => read(&cast(array, &DataType::Date32)?).map(|days| match days {
            PerRow::All(days) => PerRow::All(days.saturating_mul(NANOS_PER_DAY)),
            PerRow::Each(days) => PerRow::Each(days.into_iter().map(|day| day.saturating_mul(NANOS_PER_DAY)).collect()),
        }),
        DataType::Timestamp(unit, _) => {
            use arrow::datatypes::TimeUnit;
            let factor = match unit {
                TimeUnit::Second => 1_000_000_000,
                TimeUnit::Millisecond => 1_000_000,
                TimeUnit::Microsecond => 1_000,
                TimeUnit::Nanosecond => 1,
            };
            read(array).map(|times| match times {
                PerRow::All(time) => PerRow::All(time.saturating_mul(factor)),
                PerRow::Each(times) => {
                    PerRow::Each(times.into_iter().map(|time| time.saturating_mul(factor)).collect())
                }
            })
        }
        DataType::Interval(_) => {
            let kind = DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano);
            let cast = cast(array, &kind)?;
            let values = cast.as_primitive::<IntervalMonthDayNanoType>();
            let nanos = |row: usize| {
                let value = values.value(row);
                let days = i64::from(value.months).saturating_mul(28).saturating_add(i64::from(value.days));
                days.saturating_mul(NANOS_PER_DAY).saturating_add(value.nanoseconds)
            };
            Ok(PerRow::Each((0..values.len()).map(|row| if values.is_null(row) { 0 } else { nanos(row) }).collect()))
        }
        _ => Ok(PerRow::All(0)),
    }
}

/// The arguments of one call.
pub(super) struct Call {
    growth: Growth,
    arguments: Vec<Argument>,
}

impl Call {
    /// Measures the arguments of a call.
    ///
    /// # Errors
    /// When a number cannot be read.
    pub(super) fn new(growth: Growth, values: &[ColumnarValue]) -> Result<Self> {
        Ok(Self { growth, arguments: values.iter().map(Argument::of).collect::<Result<_>>()? })
    }

    /// Returns the most bytes that a row's result may take, with a copy of the arguments; of no row, that of all.
    pub(super) fn bytes(&self, row: Option<usize>) -> u64 {
        let all = self.arguments.iter().map(|argument| of(&argument.bytes, row)).fold(0, u64::saturating_add);
        let bytes = |place: usize| self.arguments.get(place).map_or(0, |argument| of(&argument.bytes, row));
        let items = |place: usize| self.arguments.get(place).map_or(0, |argument| of(&argument.items, row));
        let count = |place: usize| {
            let number = self.arguments.get(place).map_or(0, |argument| match row {
                Some(row) => argument.number.at(row),
                None => argument.number.largest(),
            });
            u64::try_from(number).unwrap_or(0)
        };
        let times = u64::saturating_mul;
        let made = match self.growth {
            Growth::Times(factor) => times(all, factor),
            Growth::Unknown => times(all, 2),
            Growth::Short => times(all, 2).saturating_add(SHORT_BYTES),
            Growth::Repeated => times(bytes(0).max(1), count(1)),
            Growth::Padded => times(count(1), LETTER_BYTES),
            // A part of the text is at least a byte; an empty one is none.
            Growth::Replaced => {
                let parts = bytes(0) / part_bytes(self.arguments.get(1), row) + 1;
                times(parts, bytes(2)).saturating_add(bytes(0))
            }
            Growth::Rewritten => {
                let places = bytes(0) + 1;
                let references = bytes(2) / 2;
                times(places, bytes(2)).saturating_add(times(bytes(0), references + 1))
            }
            Growth::Matched => times(bytes(0), (bytes(1) / 2 + 1).min(1_000)),
            Growth::Joined => {
                let item = WRITTEN_BYTES.saturating_add(bytes(1)).saturating_add(bytes(2));
                times(bytes(0) + items(0), item)
            }
            Growth::Series => times(self.series(row), 8),
            Growth::Filled => times(count(1), bytes(2).max(8)).saturating_add(bytes(0)),
            Growth::ItemsReplaced => {
                let last = self.arguments.iter().skip(2).map(|argument| of(&argument.bytes, row)).max();
                times(items(0), last.unwrap_or(0)).saturating_add(bytes(0))
            }
            Growth::Formatted => {
                let longest = self.arguments.iter().skip(1).map(|argument| of(&argument.bytes, row)).max();
                times(longest.unwrap_or(0), WRITTEN_BYTES)
            }
        };
        made.saturating_add(all).saturating_add(FIXED_BYTES)
    }

    /// Returns how many items a series has.
    fn series(&self, row: Option<usize>) -> u64 {
        let Some(row) = row else { return u64::MAX };
        let number = |place: usize| self.arguments.get(place).map(|argument| argument.number.at(row));
        let (from, to, step) = match (number(0), number(1), number(2)) {
            (Some(to), None, _) => (0, to, 1),
            (Some(from), Some(to), step) => (from, to, step.unwrap_or(1)),
            _ => return 0,
        };
        // A wrong direction returns nothing, and a step of 0 is an error.
        let forward = (step > 0) == (to >= from);
        if step == 0 || !forward {
            return 1;
        }
        to.abs_diff(from) / step.unsigned_abs() + 2
    }
}

fn of(column: &PerRow<u64>, row: Option<usize>) -> u64 {
    match row {
        Some(row) => column.at(row),
        None => column.largest(),
    }
}

/// Returns the shortest part that may be replaced.
fn part_bytes(argument: Option<&Argument>, row: Option<usize>) -> u64 {
    match (argument.map(|argument| &argument.bytes), row) {
        (Some(PerRow::All(bytes)), _) => (*bytes).max(1),
        _ => 1,
    }
}
