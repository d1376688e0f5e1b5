//! What can be skipped unread: objects by their names, row groups by their footers.

use super::columns::FlowColumn;
use super::filter::Filter;
use crate::source::{Object, TimeRange};
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, StringViewArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::DataType;
use chrono::{DateTime, Datelike, Timelike};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column as SqlColumn, ScalarValue};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use flow::schema::{Field, FieldKind, to_seconds};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use scan::{Binding, Meaning};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// How much later than its first packet a record's window may end, in seconds: the longest aggregation interval.
const WINDOW_S: i64 = 600;

/// The filters of a scan in the form that is evaluated on ranges instead of rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Pruner(Option<Arc<PruningPredicate>>);

impl Pruner {
    /// Creates a pruner of a filter.
    pub(super) fn new(filter: Option<&Filter>) -> Self {
        let build = |filter: &Filter| {
            let (filter, schema) = filter.whole();
            PruningPredicateBuilder::new().with_file_schema(schema.clone()).build(filter.clone())
        };
        Self(filter.and_then(build))
    }

    /// Returns which containers may hold rows that the filter keeps; all, where that is unknown.
    fn keeps(&self, statistics: &dyn PruningStatistics) -> Vec<bool> {
        let kept = self.0.as_ref().and_then(|predicate| predicate.prune(statistics).ok());
        kept.unwrap_or_else(|| vec![true; statistics.num_containers()])
    }

    /// Returns which objects may hold rows that the filter keeps, by their names.
    pub(super) fn objects(&self, objects: &[Object]) -> Vec<bool> {
        self.keeps(&NameStatistics { objects })
    }

    /// Returns which row groups may hold rows that the filter keeps, by their statistics.
    pub(super) fn row_groups(&self, binding: &Binding, groups: &[RowGroupMetaData]) -> Vec<bool> {
        self.keeps(&FooterStatistics { binding, groups })
    }
}

/// Statistics from objects' names.
struct NameStatistics<'a> {
    objects: &'a [Object],
}

impl NameStatistics<'_> {
    /// Returns the value of a partition column, the same for all records of an object.
    fn value(&self, column: FlowColumn, object: &Object) -> Option<i64> {
        partition_value(column, object)
    }

    fn bound(&self, name: &str, last: bool) -> Option<ArrayRef> {
        let column = FlowColumn::of(name)?;
        let numbers = || self.objects.iter().map(|object| self.value(column, object));
        let text = |pick: fn(&Object) -> Option<&str>| -> ArrayRef {
            Arc::new(self.objects.iter().map(pick).collect::<StringViewArray>())
        };
        Some(match column {
            FlowColumn::Record(Field::Start | Field::End) => {
                let longer = if last && column == FlowColumn::Record(Field::End) { WINDOW_S } else { 0 };
                let pick =
                    |starts: &TimeRange| if last { starts.to_s.map(|to_s| to_s - 1 + longer) } else { starts.from_s };
                let times = self.objects.iter().map(|object| pick(&object.starts));
                Arc::new(times.collect::<TimestampSecondArray>().with_timezone("UTC"))
            }
            FlowColumn::Account => text(|object| object.facts.account_id.as_deref()),
            FlowColumn::Record(Field::Region) => text(|object| object.facts.region.as_deref()),
            FlowColumn::Object => text(|object| Some(&object.url)),
            FlowColumn::Date => Arc::new(numbers().map(|day| day.map(|day| day as i32)).collect::<Date32Array>()),
            FlowColumn::Year | FlowColumn::Month | FlowColumn::Day | FlowColumn::Hour => {
                Arc::new(numbers().map(|number| number.map(|number| number as i32)).collect::<Int32Array>())
            }
            _ => return None,
        })
    }
}

/// Returns the number in a partition column of an object's records; `None` where it has none.
pub(super) fn partition_value(column: FlowColumn, object: &Object) -> Option<i64> {
    let partition = object.facts.partition?;
    let time = DateTime::from_timestamp(partition.from_s, 0)?;
    match column {
        FlowColumn::Date => Some(partition.from_s.div_euclid(flow::time::DAY_S)),
        FlowColumn::Year => Some(i64::from(time.year())),
        FlowColumn::Month => Some(i64::from(time.month())),
        FlowColumn::Day => Some(i64::from(time.day())),
        FlowColumn::Hour => partition.is_hour().then(|| i64::from(time.hour())),
        _ => None,
    }
}

impl PruningStatistics for NameStatistics<'_> {
    fn min_values(&self, column: &SqlColumn) -> Option<ArrayRef> {
        self.bound(&column.name, false)
    }

    fn max_values(&self, column: &SqlColumn) -> Option<ArrayRef> {
        self.bound(&column.name, true)
    }

    fn num_containers(&self) -> usize {
        self.objects.len()
    }

    fn null_counts(&self, _: &SqlColumn) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _: &SqlColumn, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// Statistics of row groups from a footer.
struct FooterStatistics<'a> {
    binding: &'a Binding,
    groups: &'a [RowGroupMetaData],
}

impl FooterStatistics<'_> {
    fn bound(&self, name: &str, last: bool) -> Option<ArrayRef> {
        let Some(FlowColumn::Record(field)) = FlowColumn::of(name) else { return None };
        let (_, leaves) = self.binding.fields.iter().find(|(bound, _)| *bound == field)?;
        let [leaf] = leaves.as_slice() else { return None };
        let statistics = || self.groups.iter().map(|group| group.column(leaf.number).statistics());
        match (field.kind(), self.binding.arrow_type_of(leaf)?) {
            // A missing region is filled in from the object's name, so the bounds of the present ones do not cover it.
            (FieldKind::Text, DataType::Utf8) if field != Field::Region => {
                let text = |statistics: Option<&Statistics>| -> Option<String> {
                    let statistics = statistics?;
                    // A truncated bound of a text is not a value, but still a bound.
                    let bytes = if last { statistics.max_bytes_opt() } else { statistics.min_bytes_opt() }?;
                    let text = std::str::from_utf8(bytes).ok()?;
                    // The same holds for a missing account; and an account that lost its leading zeros is not what it
                    // looks like. `unknown` is filled in as well, and may hide behind either bound.
                    let digits = |bound: Option<&[u8]>| {
                        bound.is_some_and(|text| text.len() == 12 && text.iter().all(u8::is_ascii_digit))
                    };
                    let is_account = || {
                        statistics.null_count_opt() == Some(0)
                            && digits(statistics.min_bytes_opt())
                            && digits(statistics.max_bytes_opt())
                    };
                    // Decisions are shown in AWS's spelling, so their bounds are known only where both are one value.
                    let is_one = || statistics.min_bytes_opt() == statistics.max_bytes_opt();
                    let meaning = Meaning::of(field);
                    let counts = match meaning {
                        Meaning::Text => true,
                        Meaning::Account => is_account(),
                        Meaning::Decision => is_one(),
                    };
                    (counts && text.trim() == text).then(|| meaning.value_of(text).map(Cow::into_owned)).flatten()
                };
                Some(Arc::new(statistics().map(text).collect::<StringViewArray>()))
            }
            (FieldKind::Text, _) => None,
            (_, DataType::Int32 | DataType::Int64) => {
                let number = |statistics: Option<&Statistics>| match statistics? {
                    Statistics::Int32(values) => {
                        (if last { values.max_opt() } else { values.min_opt() }).map(|n| i64::from(*n))
                    }
                    Statistics::Int64(values) => (if last { values.max_opt() } else { values.min_opt() }).copied(),
                    _ => None,
                };
                let numbers = statistics().map(number);
                Some(match field {
                    Field::Start | Field::End => Arc::new(
                        numbers.map(|n| n.map(to_seconds)).collect::<TimestampSecondArray>().with_timezone("UTC"),
                    ),
                    _ if field.kind() == FieldKind::Int32 => {
                        // A number that does not fit is NULL in the table, so such a bound means nothing.
                        Arc::new(numbers.map(|n| n.and_then(|n| i32::try_from(n).ok())).collect::<Int32Array>())
                    }
                    _ => Arc::new(numbers.collect::<Int64Array>()),
                })
            }
            _ => None,
        }
    }
}

impl PruningStatistics for FooterStatistics<'_> {
    fn min_values(&self, column: &SqlColumn) -> Option<ArrayRef> {
        self.bound(&column.name, false)
    }

    fn max_values(&self, column: &SqlColumn) -> Option<ArrayRef> {
        self.bound(&column.name, true)
    }

    fn num_containers(&self) -> usize {
        self.groups.len()
    }

    fn null_counts(&self, _: &SqlColumn) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.groups.iter().map(|group| u64::try_from(group.num_rows()).ok()).collect::<UInt64Array>()))
    }

    fn contained(&self, _: &SqlColumn, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
