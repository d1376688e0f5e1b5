//! Functions of time.

use super::FunctionDoc;
use super::function::{Function, on_arrays, wrong_type_got, wrong_value};
use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use flow::time::{DAY_S, HOUR_S};
use std::sync::Arc;

/// Documentation for `--functions` and the reference.
pub(super) const DOCS: &[FunctionDoc] = &[FunctionDoc {
    name: "window",
    group: "time",
    call: "window(time, length)",
    returns: "The start, in UTC, of the window of that length that contains the time; the type is kept. Lengths are \
            texts: `'30 s'`, `'5 minutes'`, `'1 hour'`, `'1 day'`, `'1 week'` (Monday). For `GROUP BY`.",
    example: "window(TIMESTAMP '2023-11-22T04:08:31Z', '5 minutes')",
    result: "2023-11-22T04:05:00",
}];

/// Creates the functions of time.
pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![Function::typed(
        "window",
        &[2],
        |types| {
            if !types[1].is_string() {
                return Err(wrong_type_got("window", "length", "a text such as '5 minutes'", &types[1]));
            }
            match &types[0] {
                DataType::Timestamp(..) | DataType::Int64 => Ok(types[0].clone()),
                kind if kind.is_integer() => Ok(DataType::Int64),
                kind => Err(wrong_type_got("window", "time", "a timestamp or Unix seconds", kind)),
            }
        },
        on_arrays(windows),
    )]
}

/// Reads a duration such as `5 minutes` or `30s` into seconds.
fn length_s(text: &str) -> Result<i64> {
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (count, unit) = trimmed.split_at(digits);
    let unit_s = match unit.trim().trim_end_matches('s') {
        // `s` alone loses its letter above.
        "" if !unit.trim().is_empty() => 1,
        "sec" | "second" => 1,
        "m" | "min" | "minute" => 60,
        "h" | "hour" => HOUR_S,
        "d" | "day" => DAY_S,
        "w" | "week" => 7 * DAY_S,
        _ => 0,
    };
    // A unit without a number counts once.
    let count = if count.is_empty() { Some(1) } else { count.parse::<i64>().ok() };
    count.and_then(|count| count.checked_mul(unit_s)).filter(|length| *length > 0).ok_or_else(|| {
        wrong_value(
            "window",
            format!("`{text}` is not a length; expected for example '30 s', '5 minutes', '1 hour' or '1 day'"),
        )
    })
}

fn windows(args: &[ArrayRef]) -> Result<ArrayRef> {
    let seconds = match args[0].data_type() {
        DataType::Timestamp(_, zone) => cast(&args[0], &DataType::Timestamp(TimeUnit::Second, zone.clone()))?,
        _ => args[0].clone(),
    };
    let seconds = cast(&seconds, &DataType::Int64)?;
    let lengths = cast(&args[1], &DataType::Utf8)?;
    let mut last: Option<(&str, i64)> = None;
    let mut begins = Vec::with_capacity(seconds.len());
    for (second, text) in seconds.as_primitive::<Int64Type>().iter().zip(lengths.as_string::<i32>()) {
        let (Some(second), Some(text)) = (second, text) else {
            begins.push(None);
            continue;
        };
        let length = match last {
            Some((before, length)) if before == text => length,
            _ => length_s(text)?,
        };
        last = Some((text, length));
        // Weeks begin on Mondays; 1970-01-01 was a Thursday.
        let shift = if length % (7 * DAY_S) == 0 { 3 * DAY_S } else { 0 };
        begins.push(Some((second + shift).div_euclid(length) * length - shift));
    }
    let begins: ArrayRef = Arc::new(Int64Array::from(begins));
    match args[0].data_type() {
        kind @ DataType::Timestamp(_, zone) => {
            Ok(cast(&cast(&begins, &DataType::Timestamp(TimeUnit::Second, zone.clone()))?, kind)?)
        }
        _ => Ok(begins),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("5 minutes", 300),
            ("5m", 300),
            ("30 s", 30),
            ("30s", 30),
            ("1 hour", 3600),
            ("2 weeks", 1_209_600),
            ("day", 86_400),
        ] {
            assert_eq!(length_s(text).unwrap(), seconds, "{text}");
        }
        for text in ["", "5", "minutes of 5", "0 s", "-5 m", "5 years", "99999999999999999999 s"] {
            assert!(length_s(text).is_err(), "{text}");
        }
    }

    #[test]
    fn weeks_begin_on_mondays_and_times_before_1970_have_windows() {
        let times: ArrayRef = Arc::new(Int64Array::from(vec![Some(1_700_611_200), Some(-1), None]));
        let week: ArrayRef = Arc::new(arrow::array::StringArray::from(vec!["1 week"; 3]));
        let begins = windows(&[times, week]).unwrap();
        // 2023-11-22 is a Wednesday; 1969-12-31 too.
        let begins: Vec<Option<i64>> = begins.as_primitive::<Int64Type>().iter().collect();
        assert_eq!(begins, [Some(1_700_438_400), Some(-259_200), None]);
    }
}
