//! The objects of a day, under the keys and in the containers that the services use.

use std::fmt;
use std::path::Path;

use libdeflater::{CompressionLvl, Compressor};
use rayon::prelude::*;

use super::acts::{Acts, AuditRecord, CloudCall, GitRequest, OktaEvent, Product, WebRequest};
use super::estate::{ACCOUNT, Estate, REGION, dotted};
use super::ids::{Alphanumeric, Hex};
use super::moment::date;
use super::records::{atlassian, balancer, bitbucket, cloudtrail, okta};
use super::timeline::DAY_S;
use crate::error::CorpusError;
use crate::objects::flow_file::CorpusFile;
use crate::random::mix2;

/// A log has one object a day up to so many records, one an hour up to twenty-four times as many, and then one for five
/// minutes.
const MAX_RECORDS_A_DAY: usize = 2_000;

/// Levels of compression: small where the day is one object, fast else.
const SMALL: i32 = 9;
const FAST: i32 = 3;

/// Records of one log, as one object holds them.
enum Batch<'a> {
    Calls(&'a [CloudCall]),
    Okta(&'a [OktaEvent]),
    Audits(&'a [AuditRecord]),
    Gits(&'a [GitRequest]),
    Requests(&'a [WebRequest]),
}

/// An object that is not written yet.
struct Object<'a> {
    key: String,
    level: i32,
    batch: Batch<'a>,
}

impl Batch<'_> {
    fn count(&self) -> usize {
        match self {
            Self::Calls(records) => records.len(),
            Self::Okta(records) => records.len(),
            Self::Audits(records) => records.len(),
            Self::Gits(records) => records.len(),
            Self::Requests(records) => records.len(),
        }
    }

    fn text(&self, estate: &Estate, out: &mut String) -> fmt::Result {
        match self {
            Self::Calls(calls) => {
                out.push_str("{\"Records\":[");
                for (place, call) in calls.iter().enumerate() {
                    out.push_str(if place > 0 { "," } else { "" });
                    cloudtrail::write(out, estate, call)?;
                }
                out.push_str("]}");
                Ok(())
            }
            Self::Okta(events) => lines(out, events, |out, event| okta::write(out, estate, event)),
            Self::Audits(records) => lines(out, records, |out, record| atlassian::write(out, estate, record)),
            Self::Gits(requests) => lines(out, requests, |out, request| bitbucket::write(out, estate, request)),
            Self::Requests(requests) => lines(out, requests, |out, request| balancer::write(out, estate, request)),
        }
    }
}

fn lines<T>(out: &mut String, records: &[T], write: impl Fn(&mut String, &T) -> fmt::Result) -> fmt::Result {
    for record in records {
        write(out, record)?;
        out.push('\n');
    }
    Ok(())
}

/// The time that an object covers: its place among those of the day, and its last minute.
struct Period {
    place: usize,
    of: usize,
    stamp: String,
}

/// Divides the sorted records of a log by time.
fn divided<T>(records: &[T], day_s: i64, second: impl Fn(&T) -> i64) -> Vec<(Period, &[T])> {
    let of = match records.len() {
        0..=MAX_RECORDS_A_DAY => 1,
        count if count <= 24 * MAX_RECORDS_A_DAY => 24,
        _ => 288,
    };
    let length_s = DAY_S / of as i64;
    let mut rest = records;
    let mut parts = Vec::new();
    for place in 0..of {
        let end_s = day_s + (place as i64 + 1) * length_s;
        let (part, behind) = rest.split_at(rest.partition_point(|record| second(record) < end_s));
        rest = behind;
        if !part.is_empty() {
            let minute = (end_s - 60).rem_euclid(DAY_S) / 60;
            let stamp = format!("{}T{:02}{:02}Z", day_text(day_s, ""), minute / 60, minute % 60);
            parts.push((Period { place, of, stamp }, part));
        }
    }
    parts
}

fn day_text(day_s: i64, between: &str) -> String {
    let (year, month, day) = date(day_s.div_euclid(DAY_S));
    format!("{year:04}{between}{month:02}{between}{day:02}")
}

/// Writes the objects of all logs of a day beside the flow logs; returns them in the order of logs and times.
///
/// # Errors
/// [`CorpusError::Io`] names the object that could not be written.
pub fn write_day(
    estate: &Estate,
    out: &Path,
    day_s: i64,
    acts: &Acts,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<CorpusFile>, CorpusError> {
    let objects = objects_of(estate, day_s, acts);
    let write = |(text, packer): &mut (String, Option<(i32, Compressor)>), object: &Object<'_>| {
        text.clear();
        let path = object.key.split('/').fold(out.to_owned(), |path, name| path.join(name));
        let failed = |error: fmt::Error| CorpusError::io(&path, "write")(std::io::Error::other(error));
        object.batch.text(estate, text).map_err(failed)?;
        let packer = match packer {
            Some((level, packer)) if *level == object.level => packer,
            slot => &mut slot.insert((object.level, packer_of(object.level))).1,
        };
        let bytes = write_gzip(&path, text.as_bytes(), packer)?;
        let rows = object.batch.count() as u64;
        progress(rows);
        Ok(CorpusFile { path: object.key.clone(), rows, bytes })
    };
    objects.par_iter().map_init(|| (String::new(), None), write).collect()
}

fn packer_of(level: i32) -> Compressor {
    Compressor::new(CompressionLvl::new(level).unwrap_or_default())
}

fn write_gzip(path: &Path, text: &[u8], packer: &mut Compressor) -> Result<u64, CorpusError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(CorpusError::io(folder, "create"))?;
    }
    let mut packed = vec![0; packer.gzip_compress_bound(text.len())];
    let length = packer
        .gzip_compress(text, &mut packed)
        .map_err(|error| CorpusError::io(path, "write")(std::io::Error::other(error.to_string())))?;
    std::fs::write(path, &packed[..length]).map_err(CorpusError::io(path, "write"))?;
    Ok(length as u64)
}

fn objects_of<'a>(estate: &Estate, day_s: i64, acts: &'a Acts) -> Vec<Object<'a>> {
    let folder = day_text(day_s, "/");
    let number = |kind: u64, period: &Period| mix2(mix2(estate.seed ^ kind, day_s as u64), period.place as u64);
    let level = |period: &Period| if period.of == 1 { SMALL } else { FAST };
    let mut objects = Vec::new();
    for (period, calls) in divided(&acts.calls, day_s, |call| call.time_s) {
        let key = format!(
            "AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{folder}/{ACCOUNT}_CloudTrail_{REGION}_{}_{}.json.gz",
            period.stamp,
            Alphanumeric::<16>(number(1, &period)),
        );
        objects.push(Object { key, level: level(&period), batch: Batch::Calls(calls) });
    }
    for (place, node) in estate.nodes.iter().enumerate() {
        let of_node = part(&acts.requests, |request| usize::from(request.node), place);
        for (period, requests) in divided(of_node, day_s, |request| request.time_us.div_euclid(1_000_000)) {
            let key = format!(
                "AWSLogs/{ACCOUNT}/elasticloadbalancing/{REGION}/{folder}/{ACCOUNT}_elasticloadbalancing_{REGION}_{}_{}_{}_{}.log.gz",
                balancer::BALANCER.replace('/', "."),
                period.stamp,
                dotted(node.private),
                Hex::<8>(number(2 + place as u64, &period)),
            );
            objects.push(Object { key, level: level(&period), batch: Batch::Requests(requests) });
        }
    }
    for (period, events) in divided(&acts.okta, day_s, |event| event.time_ms.div_euclid(1_000)) {
        let key = format!("okta/{folder}/okta-system-log-{}-{:03}.jsonl.gz", day_text(day_s, "-"), period.place);
        objects.push(Object { key, level: level(&period), batch: Batch::Okta(events) });
    }
    for product in Product::ALL {
        let name = product.name();
        let of_product = part(&acts.audits, |record| record.product as usize, product as usize);
        for (period, records) in divided(of_product, day_s, |record| record.time_us.div_euclid(1_000_000)) {
            let file = format!("{}.{:05}.audit.log.gz", day_text(day_s, ""), period.place);
            let key = format!("atlassian/{name}/audit/{folder}/{file}");
            objects.push(Object { key, level: level(&period), batch: Batch::Audits(records) });
        }
    }
    for (period, requests) in divided(&acts.gits, day_s, |request| request.time_ms.div_euclid(1_000)) {
        let file = format!("atlassian-bitbucket-access-{}.{}.log.gz", day_text(day_s, "-"), period.place);
        let key = format!("atlassian/bitbucket/access/{folder}/{file}");
        objects.push(Object { key, level: level(&period), batch: Batch::Gits(requests) });
    }
    objects
}

/// Returns the records of one group; `records` are sorted by group first.
fn part<T>(records: &[T], group: impl Fn(&T) -> usize, wanted: usize) -> &[T] {
    let from = records.partition_point(|record| group(record) < wanted);
    let until = records.partition_point(|record| group(record) <= wanted);
    &records[from..until]
}
