//! Values in Postgres's text format.

use bytes::{BufMut, BytesMut};
use std::fmt::Write;

/// Writes a number as Rust prints it.
pub(super) fn number(value: impl std::fmt::Display, out: &mut BytesMut) {
    // Writing to a growable buffer cannot fail.
    let _ = write!(out, "{value}");
}

/// Writes bytes as `\x` and hexadecimal digits.
pub(super) fn bytes(value: &[u8], out: &mut BytesMut) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(2 + 2 * value.len());
    out.put_slice(b"\\x");
    for byte in value {
        out.put_u8(DIGITS[usize::from(byte >> 4)]);
        out.put_u8(DIGITS[usize::from(byte & 15)]);
    }
}

/// Writes an integer that represents a decimal number with `scale` digits after the point.
pub(super) fn decimal(value: i128, scale: i8, out: &mut BytesMut) {
    let mut digits = value.unsigned_abs().to_string();
    if value < 0 {
        out.put_u8(b'-');
    }
    let Ok(behind) = usize::try_from(scale) else {
        if value != 0 {
            digits.extend(std::iter::repeat_n('0', usize::from(scale.unsigned_abs())));
        }
        out.put_slice(digits.as_bytes());
        return;
    };
    if digits.len() <= behind {
        digits.insert_str(0, &"0".repeat(behind + 1 - digits.len()));
    }
    let (before, behind) = digits.split_at(digits.len() - behind);
    out.put_slice(before.as_bytes());
    if !behind.is_empty() {
        out.put_u8(b'.');
        out.put_slice(behind.as_bytes());
    }
}

/// Writes a number with leading zeros.
fn padded(value: u64, digits: usize, out: &mut BytesMut) {
    let start = out.len();
    out.put_bytes(b'0', digits);
    let mut rest = value;
    for index in (start..start + digits).rev() {
        out[index] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

/// Writes a day, counted from 1970-01-01, as `2023-11-22`.
pub(super) fn date(days: i64, out: &mut BytesMut) {
    // Howard Hinnant's civil_from_days: years begin in March, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    match u64::try_from(year) {
        Ok(year) if year <= 9_999 => padded(year, 4, out),
        // As in ISO 8601, years beyond four digits have a sign.
        _ => drop(write!(out, "{year:+05}")),
    }
    for part in [month, day] {
        out.put_u8(b'-');
        padded(part.unsigned_abs(), 2, out);
    }
}

/// Writes microseconds of a day as `04:05:06.000700`.
pub(super) fn time(micros: i64, out: &mut BytesMut) {
    let micros = micros.unsigned_abs();
    for (divisor, mark) in [(3_600_000_000, None), (60_000_000, Some(b':')), (1_000_000, Some(b':'))] {
        if let Some(mark) = mark {
            out.put_u8(mark);
        }
        let modulus = if divisor == 3_600_000_000 { u64::MAX } else { 60 };
        padded(micros / divisor % modulus, 2, out);
    }
    out.put_u8(b'.');
    padded(micros % 1_000_000, 6, out);
}

/// Microseconds of a day.
pub(super) const DAY_MICROS: i64 = 86_400_000_000;

/// Writes microseconds since 1970 as a date and a time.
pub(super) fn timestamp(micros: i64, out: &mut BytesMut) {
    date(micros.div_euclid(DAY_MICROS), out);
    out.put_u8(b' ');
    time(micros.rem_euclid(DAY_MICROS), out);
}

/// Writes an offset from UTC in seconds as `+00`, `+05:30`.
pub(super) fn offset(seconds: i32, out: &mut BytesMut) {
    out.put_u8(if seconds < 0 { b'-' } else { b'+' });
    let seconds = u64::from(seconds.unsigned_abs());
    padded(seconds / 3_600, 2, out);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    if minutes > 0 || rest > 0 {
        out.put_u8(b':');
        padded(minutes, 2, out);
    }
    if rest > 0 {
        out.put_u8(b':');
        padded(rest, 2, out);
    }
}

/// An interval as Postgres stores it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) months: i32,
    pub(super) days: i32,
    pub(super) micros: i64,
}

/// Writes an interval as `1 year 2 mons 3 days 04:05:06.000700`.
pub(super) fn interval(value: Interval, out: &mut BytesMut) {
    let start = out.len();
    let parts = [(value.months / 12, "year"), (value.months % 12, "mon"), (value.days, "day")];
    for (count, unit) in parts.into_iter().filter(|(count, _)| *count != 0) {
        let gap = if out.len() > start { " " } else { "" };
        let plural = if count == 1 { "" } else { "s" };
        let _ = write!(out, "{gap}{count} {unit}{plural}");
    }
    if value.micros == 0 && out.len() > start {
        return;
    }
    if out.len() > start {
        out.put_u8(b' ');
    }
    if value.micros < 0 {
        out.put_u8(b'-');
    }
    let seconds = value.micros.unsigned_abs() / 1_000_000;
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let rest = value.micros.unsigned_abs() % 1_000_000;
    if rest > 0 {
        let _ = write!(out, ".{rest:06}");
    }
}

/// Writes a text as an element of an array, quoted where needed.
pub(super) fn element(value: &[u8], out: &mut BytesMut) {
    let special =
        |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b',' | b'\\') || byte.is_ascii_whitespace() || *byte == 11;
    if !value.is_empty() && !value.iter().any(special) && !value.eq_ignore_ascii_case(b"null") {
        out.put_slice(value);
        return;
    }
    out.put_u8(b'"');
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        write(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn days_and_times_are_those_of_the_calendar() {
        for days in (-800_000..3_000_000).step_by(97) {
            let expected = chrono::DateTime::from_timestamp(days * 86_400, 0).unwrap().format("%Y-%m-%d").to_string();
            assert_eq!(written(|out| date(days, out)), expected, "{days}");
        }
        assert_eq!(written(|out| timestamp(1_700_611_200_000_070, out)), "2023-11-22 00:00:00.000070");
        assert_eq!(written(|out| timestamp(-1, out)), "1969-12-31 23:59:59.999999");
        for (seconds, expected) in [(0, "+00"), (19_800, "+05:30"), (-3_600, "-01"), (1, "+00:00:01")] {
            assert_eq!(written(|out| offset(seconds, out)), expected);
        }
    }

    #[test]
    fn numbers_have_their_digits() {
        for (value, scale, expected) in [
            (12_345, 2, "123.45"),
            (-5, 3, "-0.005"),
            (0, 2, "0.00"),
            (7, 0, "7"),
            (7, -2, "700"),
            (i128::MIN, 0, "-170141183460469231731687303715884105728"),
        ] {
            assert_eq!(written(|out| decimal(value, scale, out)), expected);
        }
        assert_eq!(written(|out| bytes(&[0, 171, 255], out)), "\\x00abff");
    }

    #[test]
    fn spans_of_time_are_written_as_postgres_does() {
        for (months, days, micros, expected) in [
            (0, 0, 0, "00:00:00"),
            (14, 3, 14_706_000_700, "1 year 2 mons 3 days 04:05:06.000700"),
            (0, -1, 0, "-1 days"),
            (0, 0, -1_500_000, "-00:00:01.500000"),
            (1, 1, 0, "1 mon 1 day"),
            (0, 0, 360_000_000_000, "100:00:00"),
        ] {
            assert_eq!(written(|out| interval(Interval { months, days, micros }, out)), expected);
        }
    }

    #[test]
    fn elements_are_quoted_where_they_must() {
        for (text, expected) in [
            ("a", "a"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("nUll", "\"nUll\""),
            ("a\"\\", "\"a\\\"\\\\\""),
            ("nulls", "nulls"),
        ] {
            assert_eq!(written(|out| element(text.as_bytes(), out)), expected);
        }
    }
}
