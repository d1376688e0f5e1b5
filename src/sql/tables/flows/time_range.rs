//! The time range that filters leave, so that days nobody asked for are not even listed.

use crate::source::TimeRange;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use flow::time::DAY_S;

/// The longest aggregation window, in seconds: a record that ends later may begin that much earlier.
const WINDOW_S: i64 = 600;

/// Returns the range that `start` can have in the records of a query, derived from comparisons of `start`, `end` and
/// `date`.
pub(super) fn time_range(filters: &[Expr]) -> TimeRange {
    range_of(filters, &|column, from_s, to_s| match column {
        "start" | "date" => TimeRange { from_s, to_s },
        "end" => TimeRange { from_s: from_s.map(|from_s| from_s - WINDOW_S), to_s },
        _ => TimeRange::default(),
    })
}

/// Returns the range that the filters of a query leave; `meaning` turns the first second and the first second no longer
/// wanted of a column into a range.
pub(in crate::sql::tables) fn range_of(filters: &[Expr], meaning: &Meaning<'_>) -> TimeRange {
    filters.iter().fold(TimeRange::default(), |range, filter| both(range, of(filter, meaning)))
}

/// The range of records in which a column lies in a range.
type Meaning<'a> = dyn Fn(&str, Option<i64>, Option<i64>) -> TimeRange + 'a;

pub(in crate::sql::tables) fn both(a: TimeRange, b: TimeRange) -> TimeRange {
    let from_s = [a.from_s, b.from_s].into_iter().flatten().max();
    let to_s = [a.to_s, b.to_s].into_iter().flatten().min();
    TimeRange { from_s, to_s }
}

fn either(a: TimeRange, b: TimeRange) -> TimeRange {
    TimeRange { from_s: a.from_s.zip(b.from_s).map(|(a, b)| a.min(b)), to_s: a.to_s.zip(b.to_s).map(|(a, b)| a.max(b)) }
}

fn of(filter: &Expr, meaning: &Meaning<'_>) -> TimeRange {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return TimeRange::default() };
    match op {
        Operator::And => return both(of(left, meaning), of(right, meaning)),
        Operator::Or => return either(of(left, meaning), of(right, meaning)),
        _ => {}
    }
    let (column, op, value) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(value, _)) => (column, *op, value),
        (Expr::Literal(value, _), Expr::Column(column)) => match op.swap() {
            Some(op) => (column, op, value),
            None => return TimeRange::default(),
        },
        _ => return TimeRange::default(),
    };
    let Some((first_s, last_s)) = seconds(value) else { return TimeRange::default() };
    let (from, to) = match op {
        Operator::Eq => (Some(first_s), Some(last_s)),
        Operator::Gt | Operator::GtEq => (Some(first_s), None),
        Operator::Lt | Operator::LtEq => (None, Some(last_s)),
        _ => (None, None),
    };
    meaning(&column.name, from, to.map(|to_s| to_s + 1))
}

/// First and last second of a time or a date.
fn seconds(value: &ScalarValue) -> Option<(i64, i64)> {
    Some(match value {
        ScalarValue::TimestampSecond(Some(time), _) => (*time, *time),
        ScalarValue::TimestampMillisecond(Some(time), _) => (time.div_euclid(1_000), time.div_euclid(1_000)),
        ScalarValue::TimestampMicrosecond(Some(time), _) => (time.div_euclid(1_000_000), time.div_euclid(1_000_000)),
        ScalarValue::TimestampNanosecond(Some(time), _) => {
            (time.div_euclid(1_000_000_000), time.div_euclid(1_000_000_000))
        }
        ScalarValue::Date32(Some(day)) => (i64::from(*day) * DAY_S, i64::from(*day) * DAY_S + DAY_S - 1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::prelude::{col, lit};

    fn second(time: i64) -> Expr {
        lit(ScalarValue::TimestampSecond(Some(time), Some("UTC".into())))
    }

    #[test]
    fn comparisons_narrow_and_alternatives_widen() {
        let range = |from_s, to_s| TimeRange { from_s, to_s };
        let start = || col("start");
        let day = |n| lit(ScalarValue::Date32(Some(n)));
        for (filter, expected) in [
            (start().gt_eq(second(100)).and(start().lt(second(200))), range(Some(100), Some(201))),
            (second(100).gt(start()), range(None, Some(101))),
            (start().eq(second(5)).or(start().eq(second(9))), range(Some(5), Some(10))),
            (start().eq(second(5)).or(col("bytes").gt(lit(3))), range(None, None)),
            (col("end").gt(second(1_000)), range(Some(400), None)),
            (col("date").eq(day(1)), range(Some(DAY_S), Some(2 * DAY_S))),
            (start().not_eq(second(4)), range(None, None)),
        ] {
            assert_eq!(time_range(std::slice::from_ref(&filter)), expected, "{filter}");
        }
        let two = [start().gt(second(7)), col("end").lt(second(9))];
        assert_eq!(time_range(&two), range(Some(7), Some(10)));
    }
}
