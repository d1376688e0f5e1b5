//! Parses the keys of objects: AWS's delivery layouts and file names. Nothing here does I/O.
//!
//! | option | folders below the bucket or folder |
//! | --- | --- |
//! | default | `AWSLogs/ACCOUNT/vpcflowlogs/REGION/YYYY/MM/DD/` |
//! | hourly | `…/DD/HH/` |
//! | Hive | `AWSLogs/aws-account-id=A/aws-service=vpcflowlogs/aws-region=R/year=YYYY/month=MM/day=DD/` |
//! | Hive and hourly | `…/day=DD/hour=HH/` |
//!
//! Other writers keep flow logs in dated folders of their own, such as `year=2024/month=04/day=19/hour=06/`, `dt=2024-04-19/`
//! or `eventDay=20240419/`. Their dates may be local time, or those of the job that wrote them ([`Layout::Dated`]).
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
    /// Dated folders of another writer: whether their times are those of the records must be learned from the records.
    Dated,
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
    /// Logs of another service (Config, WAF, …): neither flow logs nor logs of accesses are below.
    Foreign,
    /// Logs of accesses (CloudTrail, load balancers): the span of the folder is `[from_s, to_s)`, without a bound above
    /// the years; below a day are only objects.
    Access { from_s: i64, to_s: i64, is_day: bool },
    /// A dated folder of another writer: a year, or anything below one.
    Claimed { is_year: bool },
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
        Date::Day(_) | Date::Hour(_) if !facts.service && !facts.access => Layout::Dated,
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
    if facts.access {
        let (from_s, to_s) = span_of(facts.date).unwrap_or((i64::MIN, i64::MAX));
        return FolderKind::Access { from_s, to_s, is_day: matches!(facts.date, Date::Day(_) | Date::Hour(_)) };
    }
    if facts.date != Date::None && !facts.service {
        return FolderKind::Claimed { is_year: matches!(facts.date, Date::Year(_)) };
    }
    match (facts.date, span_of(facts.date)) {
        (Date::Hour(_), Some((from_s, to_s))) => FolderKind::Hour { from_s, to_s },
        (_, Some((from_s, to_s))) => FolderKind::Dated { from_s, to_s },
        // A date outside the calendar is no date: the folder is listed.
        (date, None) if date != Date::None || facts.inside => FolderKind::Above,
        _ => FolderKind::Unknown,
    }
}

/// Returns the span of a date, `[from_s, to_s)`; `None` without a date, or for one outside the calendar.
fn span_of(date: Date) -> Option<(i64, i64)> {
    match date {
        Date::None => None,
        Date::Hour(from_s) => Some((from_s, from_s + HOUR_S)),
        Date::Day(from_s) => Some((from_s, from_s + DAY_S)),
        Date::Month(year, month) => {
            let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            Some((midnight(year, month, 1)?, midnight(next_year, next_month, 1)?))
        }
        Date::Year(year) => Some((midnight(year, 1, 1)?, midnight(year + 1, 1, 1)?)),
    }
}

/// Returns the folders of a key before the first that names a date: the tree that one writer fills.
pub(crate) fn undated_folders(key: &str) -> &str {
    let mut end = 0;
    for folder in key.split_inclusive('/') {
        let dated = folder.split_once('=').is_some_and(|(name, _)| is_date_name(&name.to_ascii_lowercase()));
        if dated || !folder.ends_with('/') {
            break;
        }
        end += folder.len();
    }
    &key[..end]
}

/// Returns whether a Hive folder of this name, in lower case, holds a date.
fn is_date_name(name: &str) -> bool {
    matches!(name, "year" | "eventday" | "event_day" | "dt" | "date" | "event_date" | "tp_date")
}

/// What the folders of a key say that is stored there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stored {
    /// Flow logs, in the folder of their service.
    Flows,
    /// Logs of accesses, in the folder of CloudTrail or of load balancers.
    Accesses,
    /// Logs of another service.
    Foreign,
    /// Anything.
    Anything,
}

/// Returns what the folders of a key, or of a folder with its last `/`, say that is stored there.
pub(crate) fn stored_at(key: &str) -> Stored {
    let Some((folders, _)) = key.rsplit_once('/') else { return Stored::Anything };
    match walk(folders) {
        FolderFacts { foreign: true, .. } => Stored::Foreign,
        FolderFacts { access: true, .. } => Stored::Accesses,
        FolderFacts { service: true, .. } => Stored::Flows,
        _ => Stored::Anything,
    }
}

/// Returns the day that the folders of a key name in the way of any writer, such as `okta/2023/11/22/`; `None` if they
/// name none. It may be local time, or that of the delivery.
pub(crate) fn claimed_day(key: &str) -> Option<Partition> {
    let folders: Vec<&str> = key.rsplit_once('/')?.0.split('/').collect();
    folders.windows(3).rev().find_map(|three| {
        let part = |at: usize, length: usize| number(three[at]).filter(|_| three[at].len() == length);
        let from_s = midnight(part(0, 4)?.cast_signed(), part(1, 2)?, part(2, 2)?)?;
        Some(Partition { from_s, to_s: from_s + DAY_S })
    })
}

/// Returns the folders of a key before the first that names a date in the way of any writer.
pub(crate) fn folders_before_dates(key: &str) -> &str {
    let mut end = 0;
    for folder in undated_folders(key).split_inclusive('/') {
        let name = folder.trim_end_matches('/');
        if number(name).is_some_and(|year| name.len() == 4 && (1970..2100).contains(&year)) {
            break;
        }
        end += folder.len();
    }
    &key[..end]
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
    /// Inside the folder of another service.
    foreign: bool,
    /// Inside the folder of a service whose logs tell of accesses.
    access: bool,
    date: Date,
}

/// The services beside the flow logs whose folders hold logs of accesses.
const ACCESS_SERVICES: [&str; 2] = ["CloudTrail", "elasticloadbalancing"];

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
        } else if (facts.service || facts.access) && !facts.hive {
            step_plain(&mut facts, folder);
        } else if is_account_id(folder) {
            facts.account = Some(folder);
            facts.inside = true;
            facts.foreign = false;
        } else if below_aws_logs && facts.account.is_some() && !facts.service && !facts.foreign {
            // AWSLogs/ACCOUNT/<something other than vpcflowlogs>: CloudTrail, elasticloadbalancing, Config, …
            facts.access = ACCESS_SERVICES.contains(&folder);
            facts.foreign = !facts.access;
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
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "aws-account-id" => (facts.account, facts.inside) = (Some(value), true),
        "aws-service" => {
            facts.inside = true;
            facts.service = value == "vpcflowlogs";
            facts.foreign = !facts.service;
        }
        "aws-region" => facts.region = Some(value),
        // The names of Security Lake, tailpipe and Glue jobs.
        "accountid" | "account_id" | "account" | "aws_account_id" | "tp_index" => {
            if is_account_id(value) {
                facts.account = Some(value);
            }
            return;
        }
        "region" | "aws_region" => {
            facts.region = Some(value);
            return;
        }
        "month" | "day" | "hour" => {}
        other if is_date_name(other) => {}
        _ => return,
    }
    facts.hive = true;
    facts.date = match (name.as_str(), facts.date, number(value)) {
        ("year", Date::None, Some(year)) if (1970..=9999).contains(&year) => Date::Year(year.cast_signed()),
        ("month", Date::Year(year), Some(month)) if (1..=12).contains(&month) => Date::Month(year, month),
        ("day", Date::Month(year, month), Some(day)) => day_or(facts.date, year, month, day),
        ("hour", Date::Day(from_s), Some(hour)) if hour < 24 => Date::Hour(from_s + i64::from(hour) * HOUR_S),
        (other, Date::None, _) if is_date_name(other) => whole_date(value).map_or(Date::None, Date::Day),
        (_, date, _) => date,
    };
}

/// Reads `YYYY-MM-DD` or `YYYYMMDD` as the first second of that day.
fn whole_date(text: &str) -> Option<i64> {
    let digits: String = match text.len() {
        10 if text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-' => text.replace('-', ""),
        8 => text.to_owned(),
        _ => return None,
    };
    if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    midnight(number(&digits[..4])?.cast_signed(), number(&digits[4..6])?, number(&digits[6..])?)
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
mod tests;
