//! Times of other zones, and times as text in Postgres's patterns.

use super::FunctionDoc;
use super::function::{Function, on_arrays, wrong_type_got, wrong_value};
use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use chrono::{DateTime, NaiveDateTime, Offset, TimeZone};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ScalarUDF;
use std::sync::Arc;

/// Documentation for `--functions` and the reference.
pub(super) const DOCS: &[FunctionDoc] = &[
    FunctionDoc {
        name: "timezone",
        group: "time",
        call: "timezone(zone, time)",
        returns: "`time AT TIME ZONE zone`, as in Postgres: a time with a zone, such as `start`, becomes what the \
                clocks of that zone showed then; a time without one is read as shown by those clocks, and becomes a \
                time in UTC. Times that a change of the clocks shows twice are the first; NULL where it skips them.",
        example: "timezone('Asia/Tokyo', TIMESTAMP '2023-11-22T06:00:00')",
        result: "2023-11-21T21:00:00Z",
    },
    FunctionDoc {
        name: "to_char",
        group: "time",
        call: "to_char(time, pattern)",
        returns: "The time as text. Patterns are Postgres's (`YYYY-MM-DD HH24:MI:SS`; text between `\"` is copied), or, \
                where they hold a `%`, those of `date_format` (`%Y-%m-%d %H:%M:%S`).",
        example: "to_char(TIMESTAMP '2023-11-22T04:08:31', 'YYYY-MM-DD HH24:MI')",
        result: "2023-11-22 04:08",
    },
];

/// Creates the functions.
pub(super) fn functions() -> Vec<ScalarUDF> {
    let zone = Function::typed(
        "timezone",
        &[2],
        |types| {
            if !types[0].is_string() {
                return Err(wrong_type_got("timezone", "zone", "a text such as 'Europe/Berlin'", &types[0]));
            }
            match &types[1] {
                DataType::Timestamp(unit, Some(_)) => Ok(DataType::Timestamp(*unit, None)),
                DataType::Timestamp(unit, None) => Ok(DataType::Timestamp(*unit, Some("UTC".into()))),
                DataType::Date32 => Ok(DataType::Timestamp(TimeUnit::Second, Some("UTC".into()))),
                kind if kind.is_string() => Err(DataFusionError::Plan(
                    "AT TIME ZONE needs a time, got a text: write TIMESTAMP '2023-11-22 06:00:00' AT TIME ZONE \
                     'Asia/Tokyo' for a time of that zone"
                        .to_owned(),
                )),
                kind => Err(wrong_type_got("timezone", "time", "a timestamp", kind)),
            }
        },
        on_arrays(moved),
    );
    let text = Function::typed(
        "to_char",
        &[2],
        |types| match (&types[0], types[1].is_string() || types[1].is_null()) {
            (DataType::Timestamp(..) | DataType::Date32 | DataType::Date64, true) => Ok(DataType::Utf8),
            (DataType::Null, true) => Ok(DataType::Utf8),
            (kind, true) if kind.is_numeric() => Err(DataFusionError::Plan(
                "to_char: numbers have no patterns here; use round(x, 2), human_bytes(x) or CAST(x AS TEXT)".to_owned(),
            )),
            (kind, true) => Err(wrong_type_got("to_char", "time", "a timestamp or a date", kind)),
            (_, false) => Err(wrong_type_got("to_char", "pattern", "a text", &types[1])),
        },
        on_arrays(written),
    );
    // In the place of the engine's function of both names, which copies the letters of Postgres's patterns.
    vec![zone, text.with_aliases(["date_format"])]
}

/// Units of a timestamp in a second.
fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

fn zone_of(name: &str) -> Result<Tz> {
    // The one name that Postgres's users write small.
    let known = if name.eq_ignore_ascii_case("utc") { "UTC" } else { name };
    known.parse().map_err(|_| {
        let expected = "expected for example 'Europe/Berlin', 'UTC' or '+09:00'";
        wrong_value("timezone", format!("`{name}` is not a time zone; {expected}"))
    })
}

fn naive(second: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(second, 0).map(|time| time.naive_utc())
}

fn moved(args: &[ArrayRef]) -> Result<ArrayRef> {
    let time = match args[1].data_type() {
        DataType::Date32 => cast(&args[1], &DataType::Timestamp(TimeUnit::Second, None))?,
        _ => args[1].clone(),
    };
    let DataType::Timestamp(unit, shown) = time.data_type().clone() else {
        return Err(wrong_value("timezone", "the time is not a timestamp"));
    };
    let zones = cast(&args[0], &DataType::Utf8)?;
    let counts = cast(&time, &DataType::Int64)?;
    let mut last: Option<(&str, Tz)> = None;
    let mut out = Vec::with_capacity(counts.len());
    for (count, name) in counts.as_primitive::<Int64Type>().iter().zip(zones.as_string::<i32>()) {
        let (Some(count), Some(name)) = (count, name) else {
            out.push(None);
            continue;
        };
        let zone = match last {
            Some((before, zone)) if before == name => zone,
            _ => zone_of(name)?,
        };
        last = Some((name, zone));
        let second = naive(count.div_euclid(per_second(unit)));
        let offset = match shown {
            Some(_) => second.map(|second| i64::from(zone.offset_from_utc_datetime(&second).fix().local_minus_utc())),
            None => second
                .and_then(|second| zone.offset_from_local_datetime(&second).earliest())
                .map(|offset| -i64::from(offset.fix().local_minus_utc())),
        };
        out.push(offset.and_then(|offset| count.checked_add(offset.checked_mul(per_second(unit))?)));
    }
    let zone = shown.is_none().then(|| "UTC".into());
    Ok(cast(&Int64Array::from(out), &DataType::Timestamp(unit, zone))?)
}

/// Patterns of Postgres and what `chrono` writes for them; where one begins another, the longer one comes first.
const PATTERNS: &[(&str, &str)] = &[
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("HH", "%I"),
    ("MI", "%M"),
    ("SS", "%S"),
    ("MS", "%3f"),
    ("US", "%6f"),
    ("YYYY", "%Y"),
    ("IYYY", "%G"),
    ("YY", "%y"),
    ("MM", "%m"),
    ("DDD", "%j"),
    ("DD", "%d"),
    ("ID", "%u"),
    ("IW", "%V"),
    ("TZH:TZM", "%:z"),
    ("OF", "%:z"),
    ("Month", "%B"),
    ("Mon", "%b"),
    ("Day", "%A"),
    ("Dy", "%a"),
    ("AM", "%p"),
    ("PM", "%p"),
    ("am", "%P"),
    ("pm", "%P"),
];
/// Letters of patterns that differ by their case.
const CASED: &[&str] = &["Month", "Mon", "Day", "Dy", "AM", "PM", "am", "pm"];

/// Patterns that are not supported but begin like one that is.
const REFUSED: &[&str] = &["SSSS", "IDDD"];

/// Translates a pattern of Postgres; one with a `%` stays as it is.
///
/// # Errors
/// When it holds letters that are not a pattern: copying them would look like a time.
fn chrono_pattern(pattern: &str) -> Result<String> {
    if pattern.contains('%') {
        return Ok(pattern.to_owned());
    }
    let mut out = String::new();
    let mut rest = pattern;
    'pattern: while let Some(letter) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (text, behind) = quoted.split_once('"').unwrap_or((quoted, ""));
            out.push_str(text);
            rest = behind;
            continue;
        }
        // Months and days without their padding to nine letters.
        rest = rest.strip_prefix("FM").unwrap_or(rest);
        let is_refused = |known: &&str| rest.get(..known.len()).is_some_and(|head| head.eq_ignore_ascii_case(known));
        let known = if REFUSED.iter().any(is_refused) { &[] } else { PATTERNS };
        for (known, format) in known {
            let Some(head) = rest.get(..known.len()) else { continue };
            if head == *known || (!CASED.contains(known) && head.eq_ignore_ascii_case(known)) {
                out.push_str(format);
                rest = &rest[known.len()..];
                // The `T` of ISO 8601 needs no quotes between a day and an hour.
                if let Some(hour) = rest.strip_prefix('T')
                    && hour.get(..2).is_some_and(|hour| hour.eq_ignore_ascii_case("HH"))
                {
                    out.push('T');
                    rest = hour;
                }
                continue 'pattern;
            }
        }
        if letter.is_alphanumeric() {
            let problem = format!(
                "`{pattern}` is not a pattern it knows, at `{rest}`; use YYYY, MM, DD, HH24, MI, SS, MS, US, Mon, Dy, \
                 OF and text between \", or date_format(time, '%Y-%m-%d %H:%M')"
            );
            return Err(wrong_value("to_char", problem));
        }
        out.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    Ok(out)
}

fn written(args: &[ArrayRef]) -> Result<ArrayRef> {
    let zone = match args[0].data_type() {
        DataType::Timestamp(_, Some(zone)) => zone_of(zone)?,
        _ => zone_of("+00:00")?,
    };
    let zoned = matches!(args[0].data_type(), DataType::Timestamp(_, Some(_)));
    let zone_type = zoned.then(|| "UTC".into());
    let times = cast(&args[0], &DataType::Timestamp(TimeUnit::Microsecond, zone_type))?;
    let times = cast(&times, &DataType::Int64)?;
    let patterns = cast(&args[1], &DataType::Utf8)?;
    let mut last: Option<(&str, String)> = None;
    let mut out = StringBuilder::new();
    for (time, pattern) in times.as_primitive::<Int64Type>().iter().zip(patterns.as_string::<i32>()) {
        let (Some(time), Some(pattern)) = (time.and_then(DateTime::from_timestamp_micros), pattern) else {
            out.append_null();
            continue;
        };
        let format = match last.take() {
            Some((before, format)) if before == pattern => format,
            _ => chrono_pattern(pattern)?,
        };
        let mut text = String::new();
        let shown = zone.from_utc_datetime(&time.naive_utc()).format(&format).to_string_checked(&mut text);
        shown.ok_or_else(|| wrong_value("to_char", format!("`{pattern}` is not a pattern of times")))?;
        out.append_value(text);
        last = Some((pattern, format));
    }
    Ok(Arc::new(out.finish()))
}

/// Formatting that reports a wrong pattern, where `to_string` panics.
trait Checked {
    fn to_string_checked(&self, out: &mut String) -> Option<()>;
}

impl<T: std::fmt::Display> Checked for T {
    fn to_string_checked(&self, out: &mut String) -> Option<()> {
        use std::fmt::Write;
        write!(out, "{self}").ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{StringArray, TimestampSecondArray};
    use arrow::datatypes::TimestampSecondType;

    #[test]
    fn patterns_are_postgres_and_unknown_letters_are_refused() {
        for (pattern, expected) in [
            ("YYYY-MM-DD HH24:MI:SS", "2023-11-22 04:08:31"),
            ("yyyy-mm-dd\"T\"hh24:mi:ss", "2023-11-22T04:08:31"),
            ("YYYY-MM-DDTHH24:MI:SSOF", "2023-11-22T04:08:31+00:00"),
            ("DD Mon YYYY HH12:MI AM", "22 Nov 2023 04:08 AM"),
            ("YYYYMMDD", "20231122"),
            ("IYYY-IW", "2023-47"),
            ("%H:%M", "04:08"),
            ("", ""),
        ] {
            let times: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1_700_626_111]).with_timezone("UTC"));
            let patterns: ArrayRef = Arc::new(StringArray::from(vec![pattern]));
            let text = written(&[times, patterns]).unwrap();
            assert_eq!(text.as_string::<i32>().value(0), expected, "{pattern}");
        }
        for pattern in ["YYYY-MM-DD noon", "J", "Q", "999", "yyyy-'W'ww", "MON", "SSSS", "IDDD"] {
            assert!(chrono_pattern(pattern).unwrap_err().to_string().contains("date_format"), "{pattern}");
        }
    }

    #[test]
    fn times_move_between_zones_in_both_directions() {
        let at = |zone: Option<&str>, second: i64, name: &str| {
            let time = TimestampSecondArray::from(vec![second]);
            let time: ArrayRef = match zone {
                Some(zone) => Arc::new(time.with_timezone(zone)),
                None => Arc::new(time),
            };
            let found = moved(&[Arc::new(StringArray::from(vec![name])), time]).unwrap();
            let found = found.as_primitive::<TimestampSecondType>();
            found.is_valid(0).then(|| found.value(0))
        };
        assert_eq!(at(Some("UTC"), 0, "Asia/Tokyo"), Some(9 * 3_600));
        assert_eq!(at(Some("UTC"), 7, "utc"), Some(7));
        assert_eq!(at(None, 9 * 3_600, "Asia/Tokyo"), Some(0));
        assert_eq!(at(Some("UTC"), 0, "-03:30"), Some(-12_600));
        // 2023-03-26 02:30 does not exist in Berlin; 2023-10-29 02:30 does twice.
        assert_eq!(at(None, 1_679_797_800, "Europe/Berlin"), None);
        assert_eq!(at(None, 1_698_546_600, "Europe/Berlin"), Some(1_698_546_600 - 7_200));
        assert!(zone_of("Asia/Tokio").is_err());
    }
}
