//! Functions over the history of a host, collected in lists.

use super::FunctionDoc;
use super::function::{Function, on_arrays, wrong_type};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, StructArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use kernels::drift::{Drift, drift};
use kernels::season::{Habit, habit};
use std::sync::Arc;

const GROUP: &str = "judgements of a row";

/// Documentation for `--functions` and the reference.
pub(super) const DOCS: &[FunctionDoc] = &[
    FunctionDoc {
        name: "seasonal_habit",
        group: GROUP,
        call: "seasonal_habit(hours, values, at)",
        returns: "The usual level at the hour `at`, from lists of hours (Unix seconds) and their values, as a struct \
                of `centre`, `spread` and `samples`: the same hour of the week, drawn towards the hour of the day \
                and the whole where samples are few. The formulas are in `kernels::season`.",
        example: "seasonal_habit([0, 3600, 86400], [4.0, 1.0, 6.0], 172800)['centre']",
        result: "4.25",
    },
    FunctionDoc {
        name: "daily_drift",
        group: GROUP,
        call: "daily_drift(values, judged_from, floor)",
        returns: "The rise of a daily level, from a list of daily values in order, the position of the first day to \
                judge, and the minimum spread, as a struct of `statistic`, `usual`, `from` and `to`. The formulas \
                are in `kernels::drift`.",
        example: "daily_drift([0, 0, 0, 0, 0, 3, 3, 3, 3], 8, 0.3)['statistic']",
        result: "10.0",
    },
];

/// Creates the functions over histories.
pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![seasonal_habit(), daily_drift()]
}

fn fields(floats: &[&str], counts: &[&str]) -> Fields {
    let floats = floats.iter().map(|name| Field::new(*name, DataType::Float64, true));
    floats.chain(counts.iter().map(|name| Field::new(*name, DataType::UInt32, true))).collect()
}

/// Returns a list argument with its values cast to `kind`.
fn list<'a>(args: &'a [ArrayRef], at: usize, function: &str, kind: &DataType) -> Result<(&'a ListArray, ArrayRef)> {
    let list = args[at].as_list_opt::<i32>().ok_or_else(|| wrong_type(function, "its lists", "lists of numbers"))?;
    Ok((list, cast(list.values(), kind)?))
}

fn range(list: &ListArray, row: usize) -> std::ops::Range<usize> {
    list.value_offsets()[row] as usize..list.value_offsets()[row + 1] as usize
}

/// Returns a struct of floats and counts, NULL where there is no result.
fn structs<T>(
    fields: Fields,
    rows: &[Option<T>],
    floats: &[fn(&T) -> f64],
    counts: &[fn(&T) -> usize],
) -> Result<ArrayRef> {
    let float = |pick: &fn(&T) -> f64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| row.as_ref().map(pick)).collect::<Float64Array>())
    };
    let count = |pick: &fn(&T) -> usize| -> ArrayRef {
        Arc::new(rows.iter().map(|row| row.as_ref().map(|row| pick(row) as u32)).collect::<UInt32Array>())
    };
    let columns = floats.iter().map(float).chain(counts.iter().map(count)).collect();
    let nulls = NullBuffer::from_iter(rows.iter().map(Option::is_some));
    Ok(Arc::new(StructArray::try_new(fields, columns, Some(nulls))?))
}

/// `seasonal_habit(hours, values, at)`: the Unix times of hours, their values, and the hour in question.
fn seasonal_habit() -> ScalarUDF {
    const NAME: &str = "seasonal_habit";
    let made = fields(&["centre", "spread"], &["samples"]);
    let result = DataType::Struct(made.clone());
    let body = move |args: &[ArrayRef]| {
        let (hours, hour_values) = list(args, 0, NAME, &DataType::Int64)?;
        let (levels, level_values) = list(args, 1, NAME, &DataType::Float64)?;
        let at = cast(&args[2], &DataType::Int64)?;
        let (hour_values, level_values) =
            (hour_values.as_primitive::<Int64Type>(), level_values.as_primitive::<Float64Type>());
        let at = at.as_primitive::<Int64Type>();
        let of_row = |row: usize| -> Option<Habit> {
            if hours.is_null(row) || levels.is_null(row) || at.is_null(row) {
                return None;
            }
            let (hours, levels) = (range(hours, row), range(levels, row));
            habit(&hour_values.values()[hours], &level_values.values()[levels], at.value(row))
        };
        let rows: Vec<Option<Habit>> = (0..at.len()).map(of_row).collect();
        structs(made.clone(), &rows, &[|habit| habit.centre, |habit| habit.spread], &[|habit| habit.samples])
    };
    Function::once(NAME, &[3], result, on_arrays(body))
}

/// `daily_drift(values, judged_from, floor)`: daily values in order, the position of the first day to judge, and the
/// minimum spread.
fn daily_drift() -> ScalarUDF {
    const NAME: &str = "daily_drift";
    let made = fields(&["statistic", "usual"], &["from", "to"]);
    let result = DataType::Struct(made.clone());
    let body = move |args: &[ArrayRef]| {
        let (days, values) = list(args, 0, NAME, &DataType::Float64)?;
        let (judged_from, floor) = (cast(&args[1], &DataType::Int64)?, cast(&args[2], &DataType::Float64)?);
        let values = values.as_primitive::<Float64Type>();
        let (judged_from, floor) = (judged_from.as_primitive::<Int64Type>(), floor.as_primitive::<Float64Type>());
        let of_row = |row: usize| -> Option<Drift> {
            if days.is_null(row) || judged_from.is_null(row) || floor.is_null(row) {
                return None;
            }
            let from = usize::try_from(judged_from.value(row)).unwrap_or(0);
            drift(&values.values()[range(days, row)], from, floor.value(row))
        };
        let rows: Vec<Option<Drift>> = (0..days.len()).map(of_row).collect();
        structs(made.clone(), &rows, &[|drift| drift.statistic, |drift| drift.usual], &[|d| d.from, |d| d.to])
    };
    Function::once(NAME, &[3], result, on_arrays(body))
}

#[cfg(test)]
mod tests {
    use crate::sql::functions::Lists;
    use crate::sql::{open_session, run};
    use arrow::array::AsArray;
    use arrow::datatypes::{Float64Type, UInt32Type};

    #[tokio::test]
    async fn lists_reach_the_kernels() {
        let session = open_session(Vec::new(), &Lists::default(), 1).unwrap();
        let sql =
            "SELECT h['centre'] AS centre, h['samples'] AS samples, d['statistic'] AS statistic, d['from'] AS begun,
                seasonal_habit(CAST(NULL AS BIGINT[]), [1.0], 0) IS NULL AS missing
            FROM (SELECT seasonal_habit([0, 3600, 86400], [4.0, 1.0, 6.0], 172800) AS h,
                daily_drift([0, 0, 0, 0, 0, 3, 3, 3, 3], 8, 0.3) AS d)";
        let found = run(&session, "q", sql).await.unwrap();
        let float = |name: &str| found[0][name].as_primitive::<Float64Type>().value(0);
        let count = |name: &str| found[0][name].as_primitive::<UInt32Type>().value(0);
        // Two of eight samples are at midnight; their median is 5, against 4 over all.
        assert_eq!((float("centre"), count("samples")), (0.25 * 5.0 + 0.75 * 4.0, 2));
        assert_eq!((float("statistic"), count("begun")), (10.0, 5));
        assert!(found[0]["missing"].as_boolean().value(0));
    }
}
