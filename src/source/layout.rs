//! Parses the keys of objects: AWS's delivery layouts and file names. Nothing here does I/O.
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

/// AWS's layout of the folders above an object.
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

/// The day or the hour of a folder: `[from_s, to_s)` in seconds since 1970-01-01 UTC.
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

    /// Returns whether the partition is one hour long, not one day.
    pub const fn is_hour(&self) -> bool {
        self.to_s - self.from_s == HOUR_S
    }
}

/// What the key of an object says about its content; a fact that it does not state is `None`.
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
    /// The time in the file name, in seconds since 1970-01-01 UTC. It is within minutes of the begin or the end of the
    /// records (AWS's descriptions differ).
    pub file_time_s: Option<i64>,
    /// The layout of the folders.
    pub layout: Layout,
}

/// What a folder is in AWS's layouts, by its name. This decides how a listing descends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FolderKind {
    /// No part of a layout of AWS was seen yet.
    Unknown,
    /// `AWSLogs`, an organisation, an account, the flow-log service or a region: flow logs may be below.
    Above,
    /// Logs of another service (CloudTrail, load balancers, …): no flow logs are below.
    Foreign,
    /// A year, month or day; the span is `[from_s, to_s)`.
    Dated { from_s: i64, to_s: i64 },
    /// An hour: only objects are below.
    Hour { from_s: i64, to_s: i64 },
}

/// Parses a key, or a path with `/` between folders.
pub fn parse_key(key: &str) -> KeyFacts {
    let (folders, name) = key.rsplit_once('/').unwrap_or(("", key));
    let facts = walk(folders);
    let file = parse_file_name(name);
    let partition = match facts.date {
        Date::Day(from_s) => Some(Partition { from_s, to_s: from_s + DAY_S }),
        Date::Hour(from_s) => Some(Partition { from_s, to_s: from_s + HOUR_S }),
        _ => file.as_ref().map(|file| Partition::day_of(file.time_s)),
    };
    let layout = match facts.date {
        Date::Day(_) | Date::Hour(_) if facts.hive => Layout::Hive,
        Date::Day(_) | Date::Hour(_) => Layout::Plain,
        _ => Layout::Bare,
    };
    KeyFacts {
        account_id: facts.account.or(file.as_ref().map(|file| file.account_id)).map(Arc::from),
        region: facts.region.or(file.as_ref().map(|file| file.region)).map(Arc::from),
        flow_log_id: file.as_ref().map(|file| Arc::from(file.flow_log_id)),
        partition,
        file_time_s: file.as_ref().map(|file| file.time_s),
        layout,
    }
}

/// Returns what the folder `prefix` is; a last `/` does not matter.
pub(crate) fn folder_kind(prefix: &str) -> FolderKind {
    let facts = walk(prefix.trim_end_matches('/'));
    if facts.foreign {
        return FolderKind::Foreign;
    }
    match facts.date {
        Date::Hour(from_s) => FolderKind::Hour { from_s, to_s: from_s + HOUR_S },
        Date::Day(from_s) => FolderKind::Dated { from_s, to_s: from_s + DAY_S },
        Date::Month(year, month) => {
            let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            span(midnight(year, month, 1), midnight(next_year, next_month, 1))
        }
        Date::Year(year) => span(midnight(year, 1, 1), midnight(year + 1, 1, 1)),
        Date::None if facts.inside => FolderKind::Above,
        Date::None => FolderKind::Unknown,
    }
}

/// Returns whether an object is a log of another service, stored next to the flow logs.
pub(crate) fn is_foreign(key: &str) -> bool {
    key.rsplit_once('/').is_some_and(|(folders, _)| walk(folders).foreign)
}

/// Returns the kind of a year's or a month's folder. A date outside the calendar is no date: the folder is listed.
fn span(from_s: Option<i64>, to_s: Option<i64>) -> FolderKind {
    match (from_s, to_s) {
        (Some(from_s), Some(to_s)) => FolderKind::Dated { from_s, to_s },
        _ => FolderKind::Above,
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

/// The facts in the folders so far, from left to right.
#[derive(Default, Debug)]
struct FolderFacts<'a> {
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

fn walk(folders: &str) -> FolderFacts<'_> {
    let mut facts = FolderFacts::default();
    let mut below_aws_logs = false;
    for folder in folders.split('/').filter(|folder| !folder.is_empty() && *folder != ".") {
        // A nested `AWSLogs/` (accelerators keep account/vpc-name/AWSLogs/…) begins anew.
        if folder == "AWSLogs" {
            facts = FolderFacts { inside: true, ..FolderFacts::default() };
            below_aws_logs = true;
        } else if let Some((name, value)) = folder.split_once('=') {
            step_hive(&mut facts, name, value);
        } else if folder == "vpcflowlogs" {
            facts.service = true;
            facts.inside = true;
        } else if facts.service && !facts.hive {
            step_plain(&mut facts, folder);
        } else if is_account_id(folder) {
            facts.account = Some(folder);
            facts.inside = true;
            facts.foreign = false;
        } else if below_aws_logs && facts.account.is_some() && !facts.service && !facts.foreign {
            // AWSLogs/ACCOUNT/<something other than vpcflowlogs>: CloudTrail, elasticloadbalancing, Config, …
            facts.foreign = true;
        }
    }
    facts
}

fn step_plain<'a>(facts: &mut FolderFacts<'a>, folder: &'a str) {
    if facts.region.is_none() {
        facts.region = Some(folder);
        return;
    }
    facts.date = match (facts.date, number(folder)) {
        (Date::None, Some(year)) if folder.len() == 4 => Date::Year(year.cast_signed()),
        (Date::Year(year), Some(month)) if folder.len() == 2 && (1..=12).contains(&month) => Date::Month(year, month),
        (Date::Month(year, month), Some(day)) if folder.len() == 2 => day_or(facts.date, year, month, day),
        (Date::Day(from_s), Some(hour)) if folder.len() == 2 && hour < 24 => {
            Date::Hour(from_s + i64::from(hour) * HOUR_S)
        }
        (date, _) => date,
    };
}

fn step_hive<'a>(facts: &mut FolderFacts<'a>, name: &str, value: &'a str) {
    match name {
        "aws-account-id" => (facts.account, facts.inside) = (Some(value), true),
        "aws-service" => {
            facts.inside = true;
            facts.service = value == "vpcflowlogs";
            facts.foreign = !facts.service;
        }
        "aws-region" => facts.region = Some(value),
        "year" | "month" | "day" | "hour" => {}
        _ => return,
    }
    facts.hive = true;
    facts.date = match (name, facts.date, number(value)) {
        ("year", Date::None, Some(year)) if (1970..=9999).contains(&year) => Date::Year(year.cast_signed()),
        ("month", Date::Year(year), Some(month)) if (1..=12).contains(&month) => Date::Month(year, month),
        ("day", Date::Month(year, month), Some(day)) => day_or(facts.date, year, month, day),
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
    fn folders_have_their_kinds() {
        let service = "AWSLogs/123456789012/vpcflowlogs";
        assert_eq!(folder_kind(""), FolderKind::Unknown);
        assert_eq!(folder_kind("logs/"), FolderKind::Unknown);
        assert_eq!(folder_kind("AWSLogs/"), FolderKind::Above);
        assert_eq!(folder_kind("AWSLogs/o-abc/123456789012/"), FolderKind::Above);
        assert_eq!(folder_kind(&format!("{service}/eu-west-1/")), FolderKind::Above);
        assert_eq!(folder_kind("AWSLogs/123456789012/CloudTrail/"), FolderKind::Foreign);
        assert_eq!(folder_kind("AWSLogs/123456789012/elasticloadbalancing/eu-west-1/2024/"), FolderKind::Foreign);
        assert_eq!(folder_kind("AWSLogs/aws-account-id=123456789012/aws-service=elb/"), FolderKind::Foreign);
        // Before AWSLogs/ an account's folder may hold anything.
        assert_eq!(folder_kind("123456789012/vpc-name/"), FolderKind::Above);
        assert_eq!(
            folder_kind(&format!("{service}/r/2024/04/19/")),
            FolderKind::Dated { from_s: DAY, to_s: DAY + DAY_S }
        );
        let april = FolderKind::Dated { from_s: DAY - 18 * DAY_S, to_s: DAY + 12 * DAY_S };
        assert_eq!(folder_kind(&format!("{service}/r/2024/04/")), april);
        assert_eq!(
            folder_kind("year=2024/month=4/day=19/hour=1/"),
            FolderKind::Hour { from_s: DAY + 3600, to_s: DAY + 7200 }
        );
        assert!(is_foreign("AWSLogs/123456789012/CloudTrail/eu-west-1/2024/04/19/a.parquet"));
        assert!(!is_foreign("AWSLogs/123456789012/vpcflowlogs/eu-west-1/2024/04/19/a.parquet"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(key in ".{0,80}") {
            parse_key(&key);
            folder_kind(&key);
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
