//! Decodes the values of parameters into values of the engine.

use super::binary::{EPOCH_DAYS, EPOCH_MICROS, numeric_text};
use super::oid::item_of;
use crate::serve::protocol::pg_error::{self, PgError};
use crate::sql::array_elements;
use arrow::array::types::IntervalMonthDayNanoType;
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;
use pgwire::api::Type;
use pgwire::api::results::FieldFormat;
use pgwire::error::PgWireError;

/// Decodes the value of a parameter that was sent as `wire`, and converts it to the type that the plan expects.
///
/// # Errors
/// When the value is damaged or does not fit the type.
pub(in crate::serve) fn decoded(
    raw: Option<&[u8]>,
    wire: &Type,
    format: FieldFormat,
    expected: &DataType,
) -> Result<ScalarValue, PgError> {
    let Some(raw) = raw else {
        return ScalarValue::try_from(expected).map_err(|_| unfit(wire, expected));
    };
    let value = match format {
        FieldFormat::Text => {
            let text = std::str::from_utf8(raw).map_err(|error| damaged(error.to_string()))?;
            of_text(text, wire)
        }
        FieldFormat::Binary => of_binary(raw, wire),
    };
    let invalid = || damaged(format!("invalid input for type {}", wire.name()));
    fitted(value.ok_or_else(invalid)?, wire, expected)
}

fn damaged(problem: String) -> PgError {
    PgWireError::FailedToParseParameter(problem.into()).into()
}

fn unfit(wire: &Type, expected: &DataType) -> PgError {
    pg_error::error("22023", format!("a parameter of type {} does not fit {expected}", wire.name()))
}

/// Converts a value to the expected type if nothing is lost.
fn fitted(value: ScalarValue, wire: &Type, expected: &DataType) -> Result<ScalarValue, PgError> {
    let failed = || unfit(wire, expected);
    let cast = |value: &ScalarValue| value.cast_to(expected).map_err(|_| failed());
    let is_number = |kind: &DataType| kind.is_numeric();
    match (&value, expected) {
        (ScalarValue::Int64(Some(seconds)), DataType::Timestamp(_, _)) => {
            // Numbers are seconds, as in the logs.
            cast(&ScalarValue::TimestampSecond(Some(*seconds), None))
        }
        (ScalarValue::Int64(_), kind) if !is_number(kind) => Err(failed()),
        (ScalarValue::Float64(_), kind) if !is_number(kind) => Err(failed()),
        (ScalarValue::Float64(Some(number)), kind) if kind.is_integer() && number.fract() != 0.0 => Err(failed()),
        _ => cast(&value),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "on" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn of_text(text: &str, wire: &Type) -> Option<ScalarValue> {
    let cast = |kind: &DataType| ScalarValue::from(text.trim()).cast_to(kind).ok();
    if let Some(item) = item_of(wire) {
        let items = array_elements(text)?.into_iter().map(|element| match element {
            Some(element) => of_text(&element, &item),
            None => ScalarValue::try_from(&natural(&item)).ok(),
        });
        return Some(list(&items.collect::<Option<Vec<_>>>()?, &item));
    }
    match *wire {
        Type::BOOL => boolean(text).map(ScalarValue::from),
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => text.trim().parse::<i64>().ok().map(ScalarValue::from),
        Type::FLOAT4 | Type::FLOAT8 => text.trim().parse::<f64>().ok().map(ScalarValue::from),
        Type::NUMERIC => decimal(text.trim()),
        Type::BYTEA => hex(text.strip_prefix("\\x")?).map(|bytes| ScalarValue::Binary(Some(bytes))),
        Type::INTERVAL => interval(text).or_else(|| cast(&natural(wire))),
        Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::DATE | Type::TIME => cast(&natural(wire)),
        _ => Some(ScalarValue::from(text)),
    }
}

fn of_binary(raw: &[u8], wire: &Type) -> Option<ScalarValue> {
    if let Some(item) = item_of(wire) {
        return array(raw, &item);
    }
    let i64_of = || Some(i64::from_be_bytes(raw.try_into().ok()?));
    let i32_of = || Some(i32::from_be_bytes(raw.try_into().ok()?));
    Some(match *wire {
        Type::BOOL => ScalarValue::from(*raw.first()? != 0),
        Type::INT2 => ScalarValue::from(i64::from(i16::from_be_bytes(raw.try_into().ok()?))),
        Type::INT4 | Type::OID => ScalarValue::from(i64::from(i32_of()?)),
        Type::INT8 => ScalarValue::from(i64_of()?),
        Type::FLOAT4 => ScalarValue::from(f64::from(f32::from_be_bytes(raw.try_into().ok()?))),
        Type::FLOAT8 => ScalarValue::from(f64::from_be_bytes(raw.try_into().ok()?)),
        Type::NUMERIC => decimal(&numeric_text(raw)?)?,
        Type::BYTEA => ScalarValue::Binary(Some(raw.to_vec())),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            let micros = i64_of()?.checked_add(EPOCH_MICROS)?;
            ScalarValue::TimestampMicrosecond(Some(micros), zone_of(wire).map(Into::into))
        }
        Type::DATE => ScalarValue::Date32(Some(i32_of()?.checked_add(EPOCH_DAYS as i32)?)),
        Type::TIME => ScalarValue::Time64Microsecond(Some(i64_of()?)),
        Type::INTERVAL => {
            let (micros, rest) = raw.split_at_checked(8)?;
            let (days, months) = rest.split_at_checked(4)?;
            let micros = i64::from_be_bytes(micros.try_into().ok()?);
            let [days, months] =
                [i32::from_be_bytes(days.try_into().ok()?), i32::from_be_bytes(months.try_into().ok()?)];
            let value = IntervalMonthDayNanoType::make_value(months, days, micros.checked_mul(1_000)?);
            ScalarValue::IntervalMonthDayNano(Some(value))
        }
        Type::UUID => ScalarValue::from(uuid(raw)?),
        // A version byte precedes the text.
        Type::JSONB => ScalarValue::from(std::str::from_utf8(raw.strip_prefix(&[1])?).ok()?),
        _ => ScalarValue::from(std::str::from_utf8(raw).ok()?),
    })
}

fn zone_of(wire: &Type) -> Option<&'static str> {
    (*wire == Type::TIMESTAMPTZ).then_some("+00:00")
}

/// Returns the engine's type for values of a Postgres type.
fn natural(wire: &Type) -> DataType {
    match *wire {
        Type::BOOL => DataType::Boolean,
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => DataType::Int64,
        Type::FLOAT4 | Type::FLOAT8 => DataType::Float64,
        Type::NUMERIC => DataType::Float64,
        Type::BYTEA => DataType::Binary,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            DataType::Timestamp(TimeUnit::Microsecond, zone_of(wire).map(Into::into))
        }
        Type::DATE => DataType::Date32,
        Type::TIME => DataType::Time64(TimeUnit::Microsecond),
        Type::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        _ => DataType::Utf8,
    }
}

/// Returns a decimal number with as many digits after the point as its text has.
fn decimal(text: &str) -> Option<ScalarValue> {
    let digits: String = text.chars().filter(|letter| *letter != '.').collect();
    let behind = text.split_once('.').map_or(0, |(_, behind)| behind.len());
    match (digits.parse::<i128>(), i8::try_from(behind)) {
        (Ok(value), Ok(scale)) if value.unsigned_abs() < 10_u128.pow(38) && scale <= 38 => {
            Some(ScalarValue::Decimal128(Some(value), 38, scale))
        }
        _ => text.parse::<f64>().ok().map(ScalarValue::from),
    }
}

/// Reads an interval as drivers write it: `1 year 2 mons 3 days 04:05:06.7`, `1 day, 2:00:00`, `3600 s`; `None` where it
/// is written otherwise.
fn interval(text: &str) -> Option<ScalarValue> {
    let (mut months, mut days, mut micros) = (0_i32, 0_i32, 0_i64);
    let lower = text.to_ascii_lowercase();
    let mut words = lower.split([' ', ',']).filter(|word| !word.is_empty()).peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        if word.contains(':') {
            micros = micros.checked_add(clock_micros(word)?)?;
            continue;
        }
        let count: f64 = word.parse().ok().filter(|count: &f64| count.is_finite())?;
        let whole = || (count.fract() == 0.0 && count.abs() <= f64::from(i32::MAX)).then_some(count as i32);
        let unit_s = match words.next()?.trim_end_matches('s') {
            "year" | "yr" | "y" => {
                months = months.checked_add(whole()?.checked_mul(12)?)?;
                continue;
            }
            "mon" | "month" => {
                months = months.checked_add(whole()?)?;
                continue;
            }
            "week" | "w" => {
                days = days.checked_add(whole()?.checked_mul(7)?)?;
                continue;
            }
            "day" | "d" => {
                days = days.checked_add(whole()?)?;
                continue;
            }
            "hour" | "h" => 3_600.0,
            "min" | "minute" | "m" => 60.0,
            "" | "sec" | "second" => 1.0,
            "millisecond" | "msec" => 0.001,
            _ => return None,
        };
        micros = micros.checked_add((count * unit_s * 1e6).round() as i64)?;
    }
    let value = IntervalMonthDayNanoType::make_value(months, days, micros.checked_mul(1_000)?);
    Some(ScalarValue::IntervalMonthDayNano(Some(value)))
}

/// Reads `-04:05:06.7` into microseconds.
fn clock_micros(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = text.split(':');
    let (hours, minutes): (i64, i64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let seconds: f64 = parts.next().unwrap_or("0").parse().ok()?;
    let valid = parts.next().is_none() && (0..60).contains(&minutes) && (0.0..60.0).contains(&seconds) && hours >= 0;
    valid.then_some(())?;
    let whole = hours.checked_mul(3_600)?.checked_add(minutes * 60)?.checked_mul(1_000_000)?;
    Some(sign * whole.checked_add((seconds * 1e6).round() as i64)?)
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
        _ => None,
    });
    pairs.collect()
}

fn uuid(raw: &[u8]) -> Option<String> {
    let mut text = flow::hex(raw);
    (text.len() == 32).then_some(())?;
    for index in [20, 16, 12, 8] {
        text.insert(index, '-');
    }
    Some(text)
}

fn list(items: &[ScalarValue], item: &Type) -> ScalarValue {
    let kind = items.first().map_or_else(|| natural(item), ScalarValue::data_type);
    let kind = if *item == Type::NUMERIC { DataType::Float64 } else { kind };
    let items: Vec<ScalarValue> = items.iter().filter_map(|value| value.cast_to(&kind).ok()).collect();
    ScalarValue::List(ScalarValue::new_list_nullable(&items, &kind))
}

/// Reads a binary array of at most one dimension.
fn array(raw: &[u8], item: &Type) -> Option<ScalarValue> {
    let int = |rest: &mut &[u8]| -> Option<i32> {
        let (value, behind) = rest.split_at_checked(4)?;
        *rest = behind;
        Some(i32::from_be_bytes(value.try_into().ok()?))
    };
    let mut rest = raw;
    let (dimensions, _has_nulls, _oid) = (int(&mut rest)?, int(&mut rest)?, int(&mut rest)?);
    let count = match dimensions {
        0 => 0,
        1 => (int(&mut rest)?, int(&mut rest)?).0,
        _ => return None,
    };
    let mut items = Vec::new();
    for _ in 0..count {
        match int(&mut rest)? {
            -1 => items.push(ScalarValue::try_from(&natural(item)).ok()?),
            length => {
                let (value, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                rest = behind;
                items.push(of_binary(value, item)?);
            }
        }
    }
    Some(list(&items, item))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str, wire: &Type, expected: &DataType) -> Result<ScalarValue, PgError> {
        decoded(Some(raw.as_bytes()), wire, FieldFormat::Text, expected)
    }

    fn binary(raw: &[u8], wire: &Type, expected: &DataType) -> Result<ScalarValue, PgError> {
        decoded(Some(raw), wire, FieldFormat::Binary, expected)
    }

    #[test]
    fn parameters_become_what_the_plan_expects() {
        let time = DataType::Timestamp(TimeUnit::Second, Some("UTC".into()));
        let at = |seconds| ScalarValue::TimestampSecond(Some(seconds), Some("UTC".into()));
        for written in ["2023-11-22 00:00:00+00", "2023-11-22T00:00:00Z", "2023-11-22 01:00:00+01:00"] {
            assert_eq!(text(written, &Type::TIMESTAMPTZ, &time).unwrap(), at(1_700_611_200), "{written}");
        }
        let micros = (1_700_611_200_000_000 - EPOCH_MICROS).to_be_bytes();
        assert_eq!(binary(&micros, &Type::TIMESTAMPTZ, &time).unwrap(), at(1_700_611_200));
        assert_eq!(text("1700611200", &Type::INT8, &time).unwrap(), at(1_700_611_200));
        for (raw, wire, expected) in [
            ("7", Type::INT8, ScalarValue::UInt8(Some(7))),
            ("7.00", Type::NUMERIC, ScalarValue::Int64(Some(7))),
            ("7.5", Type::NUMERIC, ScalarValue::Float64(Some(7.5))),
            ("7", Type::FLOAT8, ScalarValue::Int32(Some(7))),
            ("on", Type::BOOL, ScalarValue::Boolean(Some(true))),
            ("a", Type::VARCHAR, ScalarValue::Utf8View(Some("a".to_owned()))),
            ("\\x00ff", Type::BYTEA, ScalarValue::Binary(Some(vec![0, 255]))),
            ("2023-11-22", Type::DATE, ScalarValue::Date32(Some(19_683))),
        ] {
            assert_eq!(text(raw, &wire, &expected.data_type()).unwrap(), expected, "{raw}");
        }
        assert_eq!(binary(&7_i16.to_be_bytes(), &Type::INT2, &DataType::Int64).unwrap(), ScalarValue::Int64(Some(7)));
        assert_eq!(decoded(None, &Type::TEXT, FieldFormat::Text, &DataType::Int64).unwrap(), ScalarValue::Int64(None));
    }

    #[test]
    fn intervals_are_read_as_drivers_write_them() {
        for (written, months, days, micros) in [
            ("1:00:00", 0, 0, 3_600_000_000),
            ("1 day, 2:00:00.5", 0, 1, 7_200_500_000),
            ("-1 day, 23:00:00", 0, -1, 82_800_000_000),
            ("0 years 1 mons 2 days 1 hours 30 mins 0.25 secs", 1, 2, 5_400_250_000),
            ("1 year 2 mons 3 days 04:05:06.000700", 14, 3, 14_706_000_700),
            ("3600 s", 0, 0, 3_600_000_000),
            ("90 minutes", 0, 0, 5_400_000_000),
            ("-00:00:01", 0, 0, -1_000_000),
        ] {
            let value = IntervalMonthDayNanoType::make_value(months, days, micros * 1_000);
            let expected = ScalarValue::IntervalMonthDayNano(Some(value));
            let kind = DataType::Interval(IntervalUnit::MonthDayNano);
            assert_eq!(text(written, &Type::INTERVAL, &kind).unwrap(), expected, "{written}");
        }
        for written in ["", "1", "soon", "1:70:00", "1.5 mons", "1 fortnight"] {
            assert_eq!(interval(written), None, "{written}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (raw, wire, expected, code) in [
            ("300", Type::INT4, DataType::UInt8, "22023"),
            ("7.5", Type::FLOAT8, DataType::Int64, "22023"),
            ("7", Type::INT4, DataType::Utf8, "22023"),
            ("x", Type::INT4, DataType::Int64, "22P02"),
            ("maybe", Type::BOOL, DataType::Boolean, "22P02"),
        ] {
            let Err(PgError::Error(details)) = text(raw, &wire, &expected) else { panic!("{raw} as {wire}") };
            assert_eq!(details.code, code, "{raw} as {wire}: {details:?}");
        }
        assert!(binary(&[1], &Type::INT8, &DataType::Int64).is_err());
        assert!(binary(&[0, 0, 0, 1, 0], &Type::INT4_ARRAY, &DataType::Int64).is_err());
    }

    #[test]
    fn arrays_come_in_text_and_in_binary() {
        let list = |items: &[Option<&str>]| {
            let items: Vec<_> = items.iter().map(|item| ScalarValue::Utf8(item.map(str::to_owned))).collect();
            ScalarValue::List(ScalarValue::new_list_nullable(&items, &DataType::Utf8))
        };
        let expected = list(&[Some("a"), Some("b, \"c"), None, Some("null")]);
        let kind = expected.data_type();
        assert_eq!(text(r#"{a,"b, \"c",NULL,"null"}"#, &Type::TEXT_ARRAY, &kind).unwrap(), expected);
        let mut raw: Vec<u8> = [1, 1, 25, 2, 1, 1].into_iter().flat_map(i32::to_be_bytes).collect();
        raw.extend(b"a");
        raw.extend((-1_i32).to_be_bytes());
        assert_eq!(binary(&raw, &Type::TEXT_ARRAY, &kind).unwrap(), list(&[Some("a"), None]));
        assert_eq!(text("{}", &Type::TEXT_ARRAY, &kind).unwrap(), list(&[]));
    }
}
