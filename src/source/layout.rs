//! What an object's key says: AWS's delivery layouts and file names. Pure text, no I/O.
//!
//! | option | folders below the bucket or folder |
//! | --- | --- |
//! | default | `AWSLogs/ACCOUNT/vpcflowlogs/REGION/YYYY/MM/DD/` |
//! | hourly | `…/DD/HH/` |
//! | Hive | `AWSLogs/aws-account-id=A/aws-service=vpcflowlogs/aws-region=R/year=YYYY/month=MM/day=DD/` |
//! | Hive and hourly | `…/day=DD/hour=HH/` |
//!
//! An organisation id (`o-…`) may stand before the account, and anything before `AWSLogs/`. A copy that lost its
//! `AWSLogs/` folder is still recognised by `vpcflowlogs` or by the Hive names.

use std::sync::Arc;

use chrono::NaiveDate;

use flow::time::{DAY_S, HOUR_S};

/// How AWS laid out the folders above an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Layout {
    /// `account/vpcflowlogs/region/2024/04/19/`.
    Plain,
    /// `aws-account-id=…/aws-service=vpcflowlogs/aws-region=…/year=2024/month=04/day=19/`.
    Hive,
    /// No layout of AWS is recognised in the folders.
    #[default]
    Bare,
}

/// The day or the hour that a folder stands for: `[from_s, to_s)` in seconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Partition {
    /// First second of the day or hour.
    pub from_s: i64,
    /// First second after the day or hour.
    pub to_s: i64,
}

impl Partition {
    /// Returns the day (UTC) that holds `second`.
    pub const fn day_of(second: i64) -> Self {
        let from_s = second.div_euclid(DAY_S) * DAY_S;
        Self { from_s, to_s: from_s + DAY_S }
    }

    /// Tells whether the partition is one hour long, not one day.
    pub const fn is_hour(&self) -> bool {
        self.to_s - self.from_s == HOUR_S
    }
}

/// What the key of one object says about its content; everything is `None` when the key is silent.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct KeyFacts {
    /// The AWS account, 12 digits.
    pub account_id: Option<Arc<str>>,
    /// The AWS region, such as `eu-west-1`.
    pub region: Option<Arc<str>>,
    /// The flow log, such as `fl-0123456789abcdef0`, from the file name.
    pub flow_log_id: Option<Arc<str>>,
    /// The day or hour of the folder; the day of the file name's time when the folders name none.
    pub partition: Option<Partition>,
    /// The time in the file name, in seconds since 1970-01-01 UTC: within minutes of the records' window, begin or
    /// end (AWS's descriptions differ).
    pub file_time_s: Option<i64>,
    /// The layout of the folders.
    pub layout: Layout,
}

/// What a folder is in AWS's layouts, as far as its name tells; it steers the descent of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Nothing of AWS's layouts yet.
    Unknown,
    /// `AWSLogs`, an organisation, an account, the flow-log service or a region: worth looking into.
    Above,
    /// Another service's logs (CloudTrail, load balancers, …): never worth looking into.
    Foreign,
    /// A year, month or day; the span is `[from_s, to_s)`.
    Dated { from_s: i64, to_s: i64 },
    /// An hour: nothing but objects below.
    Hour { from_s: i64, to_s: i64 },
}

/// Reads everything that a key or path tells, `/` between folders.
pub fn parse_key(key: &str) -> KeyFacts {
    let (folders, name) = key.rsplit_once('/').unwrap_or(("", key));
    let walked = walk(folders);
    let file = parse_file_name(name);
    let partition = match walked.date {
        Date::Day(from_s) => Some(Partition { from_s, to_s: from_s + DAY_S }),
        Date::Hour(from_s) => Some(Partition { from_s, to_s: from_s + HOUR_S }),
        _ => file.as_ref().map(|file| Partition::day_of(file.time_s)),
    };
    let layout = match walked.date {
        Date::Day(_) | Date::Hour(_) if walked.hive => Layout::Hive,
        Date::Day(_) | Date::Hour(_) => Layout::Plain,
        _ => Layout::Bare,
    };
    KeyFacts {
        account_id: walked.account.or(file.as_ref().map(|file| file.account_id)).map(Arc::from),
        region: walked.region.or(file.as_ref().map(|file| file.region)).map(Arc::from),
        flow_log_id: file.as_ref().map(|file| Arc::from(file.flow_log_id)),
        partition,
        file_time_s: file.as_ref().map(|file| file.time_s),
        layout,
    }
}

/// Tells what the folder `prefix` is; a last `/` does not matter.
pub(crate) fn place_of(prefix: &str) -> Place {
    let walked = walk(prefix.trim_end_matches('/'));
    if walked.foreign {
        return Place::Foreign;
    }
    match walked.date {
        Date::Hour(from_s) => Place::Hour { from_s, to_s: from_s + HOUR_S },
        Date::Day(from_s) => Place::Dated { from_s, to_s: from_s + DAY_S },
        Date::Month(year, month) => {
            let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            span(midnight(year, month, 1), midnight(next_year, next_month, 1))
        }
        Date::Year(year) => span(midnight(year, 1, 1), midnight(year + 1, 1, 1)),
        Date::None if walked.inside => Place::Above,
        Date::None => Place::Unknown,
    }
}

/// Tells whether an object is another service's log that lies beside the flow logs.
pub(crate) fn is_foreign(key: &str) -> bool {
    key.rsplit_once('/').is_some_and(|(folders, _)| walk(folders).foreign)
}

/// Makes the place of a year or month; a span outside the calendar is merely looked into.
fn span(from_s: Option<i64>, to_s: Option<i64>) -> Place {
    match (from_s, to_s) {
        (Some(from_s), Some(to_s)) => Place::Dated { from_s, to_s },
        _ => Place::Above,
    }
}

#[derive(Clone, Copy, PartialEq, Default, Debug)]
enum Date {
    #[default]
    None,
    Year(i32),
    Month(i32, u32),
    Day(i64),
    Hour(i64),
}

/// What the folders say so far, walked from the left.
#[derive(Default, Debug)]
struct Walked<'a> {
    /// Inside `AWSLogs/`, an account or a Hive folder.
    inside: bool,
    account: Option<&'a str>,
    region: Option<&'a str>,
    /// Inside the flow logs' own folder.
    service: bool,
    hive: bool,
    foreign: bool,
    date: Date,
}

fn walk(folders: &str) -> Walked<'_> {
    let mut at = Walked::default();
    let mut below_aws_logs = false;
    for folder in folders.split('/').filter(|folder| !folder.is_empty() && *folder != ".") {
        // A nested `AWSLogs/` (accelerators keep account/vpc-name/AWSLogs/…) begins anew.
        if folder == "AWSLogs" {
            at = Walked { inside: true, ..Walked::default() };
            below_aws_logs = true;
        } else if let Some((name, value)) = folder.split_once('=') {
            step_hive(&mut at, name, value);
        } else if folder == "vpcflowlogs" {
            at.service = true;
            at.inside = true;
        } else if at.service && !at.hive {
            step_plain(&mut at, folder);
        } else if is_account_id(folder) {
            at.account = Some(folder);
            at.inside = true;
            at.foreign = false;
        } else if below_aws_logs && at.account.is_some() && !at.service && !at.foreign {
            // AWSLogs/ACCOUNT/<something other than vpcflowlogs>: CloudTrail, elasticloadbalancing, Config, …
            at.foreign = true;
        }
    }
    at
}

fn step_plain<'a>(at: &mut Walked<'a>, folder: &'a str) {
    if at.region.is_none() {
        at.region = Some(folder);
        return;
    }
    at.date = match (at.date, number(folder)) {
        (Date::None, Some(year)) if folder.len() == 4 => Date::Year(year.cast_signed()),
        (Date::Year(year), Some(month)) if folder.len() == 2 && (1..=12).contains(&month) => Date::Month(year, month),
        (Date::Month(year, month), Some(day)) if folder.len() == 2 => day_or(at.date, year, month, day),
        (Date::Day(from_s), Some(hour)) if folder.len() == 2 && hour < 24 => {
            Date::Hour(from_s + i64::from(hour) * HOUR_S)
        }
        (date, _) => date,
    };
}

fn step_hive<'a>(at: &mut Walked<'a>, name: &str, value: &'a str) {
    match name {
        "aws-account-id" => (at.account, at.inside) = (Some(value), true),
        "aws-service" => {
            at.inside = true;
            at.service = value == "vpcflowlogs";
            at.foreign = !at.service;
        }
        "aws-region" => at.region = Some(value),
        "year" | "month" | "day" | "hour" => {}
        _ => return,
    }
    at.hive = true;
    at.date = match (name, at.date, number(value)) {
        ("year", Date::None, Some(year)) if (1970..=9999).contains(&year) => Date::Year(year.cast_signed()),
        ("month", Date::Year(year), Some(month)) if (1..=12).contains(&month) => Date::Month(year, month),
        ("day", Date::Month(year, month), Some(day)) => day_or(at.date, year, month, day),
        ("hour", Date::Day(from_s), Some(hour)) if hour < 24 => Date::Hour(from_s + i64::from(hour) * HOUR_S),
        (_, date, _) => date,
    };
}

fn day_or(otherwise: Date, year: i32, month: u32, day: u32) -> Date {
    midnight(year, month, day).map_or(otherwise, Date::Day)
}

fn midnight(year: i32, month: u32, day: u32) -> Option<i64> {
    NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(0, 0, 0).map(|time| time.and_utc().timestamp())
}

/// Reads one to four digits and nothing else.
fn number(text: &str) -> Option<u32> {
    if (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The parts of `ACCOUNT_vpcflowlogs_REGION_fl-ID_YYYYMMDDTHHmmZ_HASH.log.parquet`.
struct FileName<'a> {
    account_id: &'a str,
    region: &'a str,
    flow_log_id: &'a str,
    time_s: i64,
}

fn parse_file_name(name: &str) -> Option<FileName<'_>> {
    let mut parts = name.split('_');
    let account_id = parts.next().filter(|part| is_account_id(part))?;
    parts.next().filter(|part| *part == "vpcflowlogs")?;
    let region = parts.next().filter(|part| !part.is_empty())?;
    let flow_log_id = parts.next().filter(|part| part.starts_with("fl-"))?;
    let time_s = parse_file_time(parts.next()?.split('.').next()?)?;
    Some(FileName { account_id, region, flow_log_id, time_s })
}

/// Reads `YYYYMMDDTHHmmZ`.
fn parse_file_time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 14 || bytes[8] != b'T' || bytes[13] != b'Z' || !text.is_ascii() {
        return None;
    }
    let (hour, minute) = (number(&text[9..11])?, number(&text[11..13])?);
    let day_s = midnight(number(&text[..4])?.cast_signed(), number(&text[4..6])?, number(&text[6..8])?)?;
    (hour < 24 && minute < 60).then(|| day_s + i64::from(hour) * HOUR_S + i64::from(minute) * 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = "123456789012_vpcflowlogs_eu-west-1_fl-0a1b_20240419T0605Z_9f8e7d6c.log.parquet";
    const DAY: i64 = 1_713_484_800;

    fn facts(folder: &str) -> KeyFacts {
        parse_key(&format!("{folder}/{FILE}"))
    }

    #[test]
    fn reads_the_four_layouts_wherever_they_begin() {
        let plain = "123456789012/vpcflowlogs/eu-west-1/2024/04/19";
        let hive = "aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=eu-west-1/year=2024/month=04/day=19";
        for before in
            ["", "AWSLogs/", "a/b/AWSLogs/", "AWSLogs/o-abc123/", "999999999999/vpc-name/AWSLogs/", "/data/2023/"]
        {
            for (body, layout, hour_folder) in [(plain, Layout::Plain, "06"), (hive, Layout::Hive, "hour=06")] {
                let daily = facts(&format!("{before}{body}"));
                assert_eq!(daily.account_id.as_deref(), Some("123456789012"), "{before}{body}");
                assert_eq!(daily.region.as_deref(), Some("eu-west-1"));
                assert_eq!(daily.flow_log_id.as_deref(), Some("fl-0a1b"));
                assert_eq!(daily.file_time_s, Some(DAY + 6 * 3600 + 300));
                assert_eq!(
                    (daily.layout, daily.partition),
                    (layout, Some(Partition { from_s: DAY, to_s: DAY + DAY_S }))
                );
                let hourly = facts(&format!("{before}{body}/{hour_folder}"));
                let from_s = DAY + 6 * HOUR_S;
                assert_eq!(hourly.partition, Some(Partition { from_s, to_s: from_s + HOUR_S }), "{before}{body}");
                assert!(hourly.partition.unwrap().is_hour());
            }
        }
    }

    #[test]
    fn folders_win_over_the_file_name_and_the_name_serves_alone() {
        let moved = facts("AWSLogs/210987654321/vpcflowlogs/us-east-1/2024/04/18");
        assert_eq!(moved.account_id.as_deref(), Some("210987654321"));
        assert_eq!(moved.partition, Some(Partition::day_of(DAY - 1)));
        let flat = parse_key(FILE);
        assert_eq!((flat.layout, flat.partition), (Layout::Bare, Some(Partition::day_of(DAY))));
        assert_eq!(flat.region.as_deref(), Some("eu-west-1"));
        assert_eq!(parse_key("data/part-0.parquet"), KeyFacts::default());
    }

    #[test]
    fn damaged_dates_and_names_say_nothing() {
        for folder in ["2024/13/01", "2024/02/30", "2024/04/1", "24/04/19", "2024/xx/19", "2024/04"] {
            let key = format!("AWSLogs/123456789012/vpcflowlogs/eu-west-1/{folder}/x.parquet");
            assert_eq!(parse_key(&key).partition, None, "{key}");
        }
        for name in [
            "123456789012_vpcflowlogs_eu-west-1_fl-1_20240419T2460Z_h.log.parquet",
            "123456789012_vpcflowlogs_eu-west-1_fl-1_2024041T00600Z_h.log.parquet",
            "12345_vpcflowlogs_eu-west-1_fl-1_20240419T0605Z_h.log.parquet",
            "123456789012_elb_eu-west-1_fl-1_20240419T0605Z_h.log.parquet",
        ] {
            assert_eq!(parse_key(name), KeyFacts::default(), "{name}");
        }
    }

    #[test]
    fn tells_folders_apart() {
        let service = "AWSLogs/123456789012/vpcflowlogs";
        assert_eq!(place_of(""), Place::Unknown);
        assert_eq!(place_of("logs/"), Place::Unknown);
        assert_eq!(place_of("AWSLogs/"), Place::Above);
        assert_eq!(place_of("AWSLogs/o-abc/123456789012/"), Place::Above);
        assert_eq!(place_of(&format!("{service}/eu-west-1/")), Place::Above);
        assert_eq!(place_of("AWSLogs/123456789012/CloudTrail/"), Place::Foreign);
        assert_eq!(place_of("AWSLogs/123456789012/elasticloadbalancing/eu-west-1/2024/"), Place::Foreign);
        assert_eq!(place_of("AWSLogs/aws-account-id=123456789012/aws-service=elb/"), Place::Foreign);
        // Before AWSLogs/ an account's folder may hold anything.
        assert_eq!(place_of("123456789012/vpc-name/"), Place::Above);
        assert_eq!(place_of(&format!("{service}/r/2024/04/19/")), Place::Dated { from_s: DAY, to_s: DAY + DAY_S });
        let april = Place::Dated { from_s: DAY - 18 * DAY_S, to_s: DAY + 12 * DAY_S };
        assert_eq!(place_of(&format!("{service}/r/2024/04/")), april);
        assert_eq!(place_of("year=2024/month=4/day=19/hour=1/"), Place::Hour { from_s: DAY + 3600, to_s: DAY + 7200 });
        assert!(is_foreign("AWSLogs/123456789012/CloudTrail/eu-west-1/2024/04/19/a.parquet"));
        assert!(!is_foreign("AWSLogs/123456789012/vpcflowlogs/eu-west-1/2024/04/19/a.parquet"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(key in ".{0,80}") {
            parse_key(&key);
            place_of(&key);
        }

        #[test]
        fn written_times_are_read_back(second in 0i64..4_000_000_000) {
            let minute = second / 60 * 60;
            let time = chrono::DateTime::from_timestamp(minute, 0).unwrap();
            prop_assert_eq!(parse_file_time(&time.format("%Y%m%dT%H%MZ").to_string()), Some(minute));
            let folder = time.format("AWSLogs/123456789012/vpcflowlogs/r/%Y/%m/%d/%H/x.parquet").to_string();
            prop_assert_eq!(parse_key(&folder).partition.map(|p| p.from_s), Some(minute / 3600 * 3600));
        }
    }
}
