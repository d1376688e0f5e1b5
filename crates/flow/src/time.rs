//! Times: whole seconds since 1970-01-01 UTC, RFC 3339 text and relative times.

use chrono::{DateTime, NaiveDate, SecondsFormat};

/// Seconds in an hour.
pub const HOUR_S: i64 = 3_600;
/// Seconds in a day.
pub const DAY_S: i64 = 86_400;

/// A text is not a time, or not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {expected}")]
pub struct InvalidTime {
    /// The text as given.
    pub text: String,
    /// What was expected, with an example.
    pub expected: &'static str,
}

/// Returns the first second of the hour that contains a second.
pub const fn hour_of(second: i64) -> i64 {
    second.div_euclid(HOUR_S) * HOUR_S
}

/// Formats a second as RFC 3339 in UTC, such as `2024-04-19T00:00:00Z`.
pub fn rfc3339(second: i64) -> String {
    DateTime::from_timestamp(second, 0)
        .map_or_else(|| second.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// Parses a duration such as `45s`, `30m`, `24h`, `7d` or `2w` into seconds.
///
/// # Errors
/// [`InvalidTime`] when the text is not a positive whole number followed by one of these units.
pub fn parse_duration_s(text: &str) -> Result<i64, InvalidTime> {
    let invalid = || InvalidTime { text: text.to_owned(), expected: "duration such as 45s, 30m, 24h, 7d or 2w" };
    let trimmed = text.trim();
    let (unit_at, unit) = trimmed.char_indices().next_back().ok_or_else(invalid)?;
    let unit_s = match unit {
        's' => 1,
        'm' => 60,
        'h' => HOUR_S,
        'd' => DAY_S,
        'w' => 7 * DAY_S,
        _ => return Err(invalid()),
    };
    let count: i64 = trimmed[..unit_at].parse().map_err(|_| invalid())?;
    if count <= 0 {
        return Err(invalid());
    }
    count.checked_mul(unit_s).ok_or_else(invalid)
}

/// Parses a time: RFC 3339, a date (`2024-04-19`, its midnight in UTC), or relative to `now_s` (`24h` is a day ago).
///
/// # Errors
/// [`InvalidTime`] when the text has none of these forms.
pub fn parse_time(text: &str, now_s: i64) -> Result<i64, InvalidTime> {
    let trimmed = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(trimmed) {
        return Ok(time.timestamp());
    }
    if let Ok(date) = NaiveDate::parse_from_str(trimmed, "%Y-%m-%d") {
        return Ok(date.and_hms_opt(0, 0, 0).map_or(0, |time| time.and_utc().timestamp()));
    }
    if trimmed == "now" {
        return Ok(now_s);
    }
    match parse_duration_s(trimmed) {
        Ok(ago_s) => Ok(now_s.saturating_sub(ago_s)),
        Err(_) => Err(InvalidTime {
            text: text.to_owned(),
            expected: "time such as 2024-04-19T06:00:00Z, 2024-04-19, 24h or 7d (ago)",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_absolute_and_relative_times() {
        assert_eq!(parse_time("1970-01-02", 0), Ok(DAY_S));
        assert_eq!(parse_time("1970-01-01T01:00:00+01:00", 0), Ok(0));
        assert_eq!(parse_time("24h", 100_000), Ok(13_600));
        assert!(parse_time("yesterday", 0).is_err());
        assert!(parse_duration_s("-3h").is_err());
        assert!(parse_duration_s("9223372036854775807w").is_err());
    }

    #[test]
    fn writes_rfc3339() {
        assert_eq!(rfc3339(1_713_484_800), "2024-04-19T00:00:00Z");
    }
}
