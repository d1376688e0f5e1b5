//! One object to its acts.

use std::borrow::Cow;

use chrono_tz::Tz;

use crate::act::Act;
use crate::error::{AccessError, BadRecord};
use crate::inflate::Inflater;
use crate::recognise::{LogKind, recognise};
use crate::{atlassian, balancer, cloudtrail, ocsf, okta};

/// Bad records of an object that are kept with their places; all are counted.
const KEPT_BAD_RECORDS: usize = 5;

/// How objects are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    /// What all objects are, whatever they look like.
    pub kind: Option<LogKind>,
    /// The time zone of logs that write local time without one; without it their times are taken as UTC.
    pub zone: Option<Tz>,
    /// Whether CloudTrail goes through serde_json instead of the scanner: several times slower, to compare with.
    pub is_slow: bool,
}

/// What was in an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Acts that were told.
    pub acts: u64,
    /// Records that could not be read, and were skipped.
    pub bad_records: u64,
    /// The first few of them, with their places.
    pub first_bad: Vec<BadRecord>,
    /// CloudTrail Insights, which are no acts.
    pub insights: u64,
    /// Records that are no acts by themselves, such as the line that a request began.
    pub passed_over: u64,
    /// Acts whose local time was taken as UTC, for want of [`ReadOptions::zone`].
    pub zone_unknown: u64,
}

impl Counts {
    /// Counts the act of a record and passes it on.
    pub(crate) fn act<'a>(&mut self, mut act: Act<'a>, record: &'a str, sink: &mut dyn FnMut(&Act<'_>)) {
        self.acts += 1;
        act.record = Cow::Borrowed(record);
        sink(&act);
    }

    pub(crate) fn bad(&mut self, record: BadRecord) {
        self.bad_records += 1;
        if self.first_bad.len() < KEPT_BAD_RECORDS {
            self.first_bad.push(record);
        }
    }
}

/// What an object is, and what was in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRead {
    /// What it was read as. Kinds without acts are not read; see [`LogKind::has_acts`].
    pub kind: LogKind,
    /// What was in it.
    pub counts: Counts,
}

/// Returns a text with what is no UTF-8 in it replaced. It is checked once, so that its parts need not be.
pub(crate) fn readable(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// Reads an object and calls `sink` with each of its acts, in the order of the object.
///
/// A record that cannot be read is counted and skipped.
///
/// # Errors
/// [`AccessError`] if the object as a whole is damaged. What `sink` got of it until then must not count:
/// [`crate::AccessHours::object`] sees to that.
pub fn read_object(
    inflater: &mut Inflater,
    key: &str,
    object: &[u8],
    options: &ReadOptions,
    sink: &mut dyn FnMut(&Act<'_>),
) -> Result<ObjectRead, AccessError> {
    let bytes = inflater.text(key, object)?;
    let kind = options.kind.unwrap_or_else(|| recognise(key, bytes));
    if !kind.has_acts() {
        return Ok(ObjectRead { kind, counts: Counts::default() });
    }
    let text = &*readable(bytes);
    let mut counts = Counts::default();
    let read = match kind {
        LogKind::CloudTrail if options.is_slow => cloudtrail::read_slowly(text, &mut counts, sink),
        LogKind::CloudTrail => cloudtrail::read(text, &mut counts, sink),
        LogKind::Ocsf => ocsf::read(text, &mut counts, sink),
        LogKind::Okta => okta::read(text, &mut counts, sink),
        LogKind::AtlassianAudit => atlassian::read_audit(text, &mut counts, sink),
        LogKind::BitbucketAccess => {
            atlassian::read_bitbucket_access(text, options.zone, &mut counts, sink);
            Ok(())
        }
        LogKind::Alb => {
            balancer::read_alb(text, &mut counts, sink);
            Ok(())
        }
        LogKind::NlbTls => {
            balancer::read_nlb(text, &mut counts, sink);
            Ok(())
        }
        LogKind::Clb => {
            balancer::read_clb(text, &mut counts, sink);
            Ok(())
        }
        _ => Ok(()),
    };
    read.map_err(|broken| broken.of(key, text.as_bytes()))?;
    Ok(ObjectRead { kind, counts })
}
