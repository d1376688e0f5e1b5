//! Options that are times or durations.

use crate::cli::exit::Failure;
use flow::time::{HOUR_S, parse_duration_s, parse_time};
use std::time::Duration;

/// Reads the time of the option `--NAME`; relative times count back from now.
pub(in crate::cli) fn time_option(name: &str, text: Option<&str>) -> Result<Option<i64>, Failure> {
    let now_s = chrono::Utc::now().timestamp();
    let time = text.map(|text| parse_time(text, now_s)).transpose();
    time.map_err(|error| Failure::usage_at(format_args!("--{name}"), error))
}

/// The bounds of a window as they were given.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct GivenBounds<'a> {
    pub(in crate::cli) from: Option<&'a str>,
    pub(in crate::cli) to: Option<&'a str>,
    /// How far the end stays behind now, instead of `to`.
    pub(in crate::cli) lag: Option<&'a str>,
}

/// The first second of a window and the first after it, as far as they were given.
pub(in crate::cli) type Bounds = (Option<i64>, Option<i64>);

impl GivenBounds<'_> {
    /// Reads the bounds. With a lag the window ends at the last whole hour before `now_s` less the lag, and a relative
    /// start counts back from there: runs within one hour have one window.
    pub(in crate::cli) fn read(&self, now_s: i64) -> Result<Bounds, Failure> {
        let time = |name: &str, text: Option<&str>, now_s: i64| {
            let time = text.map(|text| parse_time(text, now_s)).transpose();
            time.map_err(|error| Failure::usage_at(format_args!("--{name}"), error))
        };
        let lag_s = self.lag.map(|lag| if lag.trim() == "0" { Ok(0) } else { parse_duration_s(lag) }).transpose();
        let lag_s = lag_s.map_err(|error| Failure::usage_at("--lag", error))?;
        let end_s = lag_s.map(|lag_s| now_s.saturating_sub(lag_s).div_euclid(HOUR_S) * HOUR_S);
        let from_s = time("from", self.from, end_s.unwrap_or(now_s))?;
        let to_s = if end_s.is_some() { end_s } else { time("to", self.to, now_s)? };
        if from_s.zip(to_s).is_some_and(|(from_s, to_s)| from_s >= to_s) {
            let end = if end_s.is_some() { "the end that --lag sets" } else { "--to" };
            return Err(Failure::usage(format!("--from must be before {end}")));
        }
        Ok((from_s, to_s))
    }
}

/// Returns whether a time counts back from now, such as `24h`.
pub(in crate::cli) fn is_relative(text: &str) -> bool {
    let now_s = chrono::Utc::now().timestamp();
    matches!((parse_time(text, now_s), parse_time(text, now_s - 1)), (Ok(now), Ok(before)) if now != before)
}

/// Reads a duration such as `30s` or `5m`.
pub(in crate::cli) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let seconds = parse_duration_s(text).map_err(|error| error.to_string())?;
    Ok(Duration::from_secs(seconds.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_ends_the_window_at_a_whole_hour() {
        let read = |from, to, lag, now_s| GivenBounds { from, to, lag }.read(now_s);
        let now_s = 100 * HOUR_S + 1_500;
        let of_lag = |lag| read(Some("24h"), None, Some(lag), now_s).unwrap();
        assert_eq!(of_lag("25m"), (Some(76 * HOUR_S), Some(100 * HOUR_S)));
        assert_eq!(of_lag("0"), of_lag("25m"));
        assert_eq!(of_lag("26m"), (Some(75 * HOUR_S), Some(99 * HOUR_S)));
        assert_eq!(read(None, None, Some("1h"), now_s).unwrap(), (None, Some(99 * HOUR_S)));
        assert_eq!(read(Some("1h"), None, None, now_s).unwrap(), (Some(now_s - HOUR_S), None));
        let said = |read: Result<Bounds, Failure>| match read {
            Err(Failure::Usage(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(said(read(Some("30m"), Some("1h"), None, now_s)).contains("before --to"));
        assert!(said(read(Some("1970-01-06"), None, Some("30m"), now_s)).contains("that --lag sets"));
        assert!(said(read(None, None, Some("soon"), now_s)).starts_with("--lag: "));
    }
}
