//! Options that are times or durations.

use crate::cli::exit::Failure;
use flow::time::{parse_duration_s, parse_time};
use std::time::Duration;

/// Reads the time of the option `--NAME`; relative times count back from now.
pub(in crate::cli) fn time_option(name: &str, text: Option<&str>) -> Result<Option<i64>, Failure> {
    let now_s = chrono::Utc::now().timestamp();
    let time = text.map(|text| parse_time(text, now_s)).transpose();
    time.map_err(|error| Failure::usage_at(format_args!("--{name}"), error))
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
