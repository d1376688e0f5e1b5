//! The file of a unit: a line with a checksum, a line of JSON, and the rows of its fold as Parquet.

use super::unit::NamedObject;
use crate::accesses::columns::Columns;
use crate::accesses::fold::{Fold, LogHour, Made};
use crate::accesses::logs::{BadPlace, LogRead, SkippedAccesses};
use access::{
    AccessHour, ActionClass, Credential, CredentialKind, Distinct, Log, LogKind, Outcome, PackedRow, PrincipalKind,
    Sums, Tie, TieRule,
};
use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, TimestampSecondType};
use bytes::Bytes;
use flow::time::hour_of;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};

/// The first words of a file; the checksum of all that follows the line comes after them.
const MARK: &str = "flowsift accesses 1 ";
/// Hexadecimal digits of the checksum.
const SUM_DIGITS: usize = 8;

/// What a file holds besides rows. Texts name words, so that a file outlives the order in which code lists them.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Beside {
    objects: Vec<NamedObject>,
    logs: Vec<OfLog>,
    others: Vec<(String, u64)>,
    skipped: Vec<(String, String)>,
    told: Vec<OfPlace>,
    /// Rule, log, both names, first and last second, acts.
    ties: Vec<(String, String, String, String, i64, i64, u64)>,
    /// Credentials that acts made: id, kind, second.
    made: Vec<(String, String, i64)>,
}

/// Log, account and region, and of each hour its first second, acts and objects.
type OfPlace = (String, String, String, Vec<(i64, u64, u64)>);

#[derive(Debug, Serialize, Deserialize)]
struct OfLog {
    log: String,
    objects: u64,
    bad_records: u64,
    first_bad: Vec<(String, String)>,
    insights: u64,
    zone_unknown: u64,
}

/// Returns the file of a unit's fold, which was never sealed.
///
/// # Errors
/// [`ParquetError`] if the rows cannot be written as Parquet, which tests rule out.
pub(super) fn written(objects: Vec<NamedObject>, fold: &Fold) -> Result<Bytes, ParquetError> {
    let beside = serde_json::to_vec(&beside(objects, fold)).map_err(|error| ParquetError::External(error.into()))?;
    let rows = table(&fold.hours.packed())?;
    let mut file = format!("{MARK}{:0SUM_DIGITS$}\n", 0).into_bytes();
    let body = file.len();
    file.extend(beside);
    file.push(b'\n');
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build();
    let mut writer = ArrowWriter::try_new(&mut file, rows.schema(), Some(properties))?;
    writer.write(&rows)?;
    writer.close()?;
    let sum = sum_of(&file[body..]);
    file[MARK.len()..MARK.len() + SUM_DIGITS].copy_from_slice(sum.as_bytes());
    Ok(file.into())
}

fn sum_of(body: &[u8]) -> String {
    let mut sum = libdeflater::Crc::new();
    sum.update(body);
    format!("{:0SUM_DIGITS$x}", sum.sum())
}

/// Returns what a file holds besides rows, and its rows as Parquet; `None` if it is damaged.
fn parts(file: &Bytes) -> Option<(Beside, Bytes)> {
    let rest = file.strip_prefix(MARK.as_bytes())?;
    let (sum, rest) = (rest.get(..SUM_DIGITS)?, rest.get(SUM_DIGITS..)?.strip_prefix(b"\n")?);
    if sum_of(rest).as_bytes() != sum {
        return None;
    }
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    Some((serde_json::from_slice(&rest[..end]).ok()?, file.slice_ref(&rest[end + 1..])))
}

/// Returns the objects of the unit of a file; `None` if it is damaged.
pub(super) fn objects_of(file: &Bytes) -> Option<Vec<NamedObject>> {
    Some(parts(file)?.0.objects)
}

/// Returns the fold of a file; `None` if it is damaged.
pub(super) fn parsed(file: &Bytes) -> Option<Fold> {
    let (beside, rows) = parts(file)?;
    let mut fold = Fold::default();
    for batch in ParquetRecordBatchReaderBuilder::try_new(rows).ok()?.with_batch_size(1 << 16).build().ok()? {
        add_rows(&mut fold, &batch.ok()?)?;
    }
    let read = &mut fold.read;
    for one in beside.logs {
        let own = LogRead {
            objects: one.objects,
            bad_records: one.bad_records,
            first_bad: one.first_bad.into_iter().map(|(object, problem)| BadPlace { object, problem }).collect(),
            insights: one.insights,
            zone_unknown: one.zone_unknown,
            ..LogRead::default()
        };
        read.logs.insert(Log::of_name(&one.log)?, own);
    }
    for (kind, count) in beside.others {
        read.others.insert(LogKind::of_name(&kind)?, count);
    }
    read.skipped = beside.skipped.into_iter().map(|(object, reason)| SkippedAccesses { object, reason }).collect();
    for (log, account, region, hours) in beside.told {
        let hours = hours.into_iter().map(|(hour_s, acts, objects)| (hour_s, LogHour { acts, objects }));
        fold.told.insert((Log::of_name(&log)?, account, region), hours.collect());
    }
    for (rule, log, from, to, first_s, last_s, acts) in &beside.ties {
        let tie = Tie::kept(TieRule::of_name(rule)?, Log::of_name(log)?, (from, to), (*first_s, *last_s), *acts);
        fold.made.entry(hour_of(*first_s)).or_default().ties.add_tie(&tie);
    }
    for (id, kind, second) in beside.made {
        let credential = Credential::new(id.into(), CredentialKind::of_name(&kind)?);
        let made = fold.made.entry(hour_of(second)).or_default();
        made.credentials.report(&credential, Some(second), None);
    }
    Some(fold)
}

fn beside(objects: Vec<NamedObject>, fold: &Fold) -> Beside {
    let mut beside = Beside { objects, ..Beside::default() };
    for (log, read) in &fold.read.logs {
        let bad = read.first_bad.iter();
        beside.logs.push(OfLog {
            log: log.name().to_owned(),
            objects: read.objects,
            bad_records: read.bad_records,
            first_bad: bad.map(|bad| (bad.object.clone(), bad.problem.clone())).collect(),
            insights: read.insights,
            zone_unknown: read.zone_unknown,
        });
    }
    beside.others = fold.read.others.iter().map(|(kind, count)| (kind.name().to_owned(), *count)).collect();
    beside.skipped = fold.read.skipped.iter().map(|one| (one.object.clone(), one.reason.clone())).collect();
    for ((log, account, region), hours) in &fold.told {
        let hours = hours.iter().map(|(hour_s, told)| (*hour_s, told.acts, told.objects)).collect();
        beside.told.push((log.name().to_owned(), account.clone(), region.clone(), hours));
    }
    for Made { ties, credentials } in fold.made.values() {
        for tie in ties.iter() {
            let (rule, log) = (tie.rule.name().to_owned(), tie.log.name().to_owned());
            let (from, to) = (tie.from().to_owned(), tie.to().to_owned());
            beside.ties.push((rule, log, from, to, tie.first_s, tie.last_s, tie.acts));
        }
        for (credential, entry) in credentials.iter() {
            let (id, kind) = (credential.full().to_owned(), credential.kind().name().to_owned());
            beside.made.extend(entry.created_s.map(|second| (id, kind, second)));
        }
    }
    beside
}

const TEXTS: [&str; 13] = [
    "account",
    "region",
    "principal",
    "credential",
    "source",
    "network",
    "country",
    "agent_family",
    "service",
    "app",
    "target",
    "action",
    "object",
];

/// Returns the rows as a table. Sums are those of acts without an id.
fn table(rows: &[PackedRow<'_>]) -> Result<RecordBatch, ParquetError> {
    let hashes: Vec<Vec<u8>> = rows
        .iter()
        .map(|packed| packed.row.sums.objects.hashes().iter().flat_map(|hash| hash.to_le_bytes()).collect())
        .collect();
    let numbered: Vec<(&PackedRow<'_>, &[u8])> = rows.iter().zip(hashes.iter().map(Vec::as_slice)).collect();
    let [
        account,
        region,
        principal,
        credential,
        source,
        network,
        country,
        agent_family,
        service,
        app,
        target,
        action,
        object,
    ] = TEXTS;
    let table = Columns::of(&numbered)
        .time("hour", |(packed, _)| Some(packed.row.hour_s))
        .text("log", |(packed, _)| packed.row.log.name())
        .text("principal_kind", |(packed, _)| packed.row.principal_kind.name())
        .text("credential_kind", |(packed, _)| packed.row.credential.kind().name())
        .text("action_class", |(packed, _)| packed.row.action_class.name())
        .text("outcome", |(packed, _)| packed.row.outcome.name())
        .flag("mfa", |(packed, _)| packed.row.mfa)
        .text(account, |(packed, _)| packed.row.account)
        .text(region, |(packed, _)| packed.row.region)
        .text(principal, |(packed, _)| packed.row.principal)
        .text(credential, |(packed, _)| packed.row.credential.full())
        .text(source, |(packed, _)| packed.row.source)
        .text(network, |(packed, _)| packed.row.network)
        .text(country, |(packed, _)| packed.row.country)
        .text(agent_family, |(packed, _)| packed.row.agent_family)
        .text(service, |(packed, _)| packed.row.service)
        .text(app, |(packed, _)| packed.row.app)
        .text(target, |(packed, _)| packed.row.target)
        .text(action, |(packed, _)| packed.row.action)
        .text(object, |(packed, _)| packed.row.object)
        .text("event_id", |(packed, _)| packed.row.event_id)
        .count("events", |(packed, _)| packed.row.sums.events)
        .count("bytes_out", |(packed, _)| packed.row.sums.bytes_out)
        .count("bytes_in", |(packed, _)| packed.row.sums.bytes_in)
        .whole("first_s", |(packed, _)| Some(packed.row.sums.first_s))
        .whole("last_s", |(packed, _)| Some(packed.row.sums.last_s))
        .bytes("objects", |(_, hashes)| *hashes)
        .flag("objects_capped", |(packed, _)| Some(packed.row.sums.objects.is_capped()))
        .bytes("acts", |(packed, _)| &packed.acts)
        .finish();
    table.map_err(|error| ParquetError::External(error.into()))
}

/// Returns the text of a row; empty for NULL.
fn word(column: &StringArray, at: usize) -> &str {
    if column.is_null(at) { "" } else { column.value(at) }
}

/// Adds the rows of a table to a fold; `None` if they are not what was written.
fn add_rows(fold: &mut Fold, table: &RecordBatch) -> Option<()> {
    let texts = |name: &str| table.column_by_name(name)?.as_string_opt::<i32>();
    let numbers = |name: &str| Some(table.column_by_name(name)?.as_primitive_opt::<Int64Type>()?.values());
    let flags = |name: &str| table.column_by_name(name)?.as_boolean_opt();
    let bytes = |name: &str| table.column_by_name(name)?.as_binary_opt::<i32>();
    let hours = table.column_by_name("hour")?.as_primitive_opt::<TimestampSecondType>()?;
    let (log, principal_kind, credential_kind) = (texts("log")?, texts("principal_kind")?, texts("credential_kind")?);
    let (action_class, outcome, mfa) = (texts("action_class")?, texts("outcome")?, flags("mfa")?);
    let (columns, event_id) = (TEXTS.map(texts), texts("event_id")?);
    let (events, bytes_out, bytes_in) = (numbers("events")?, numbers("bytes_out")?, numbers("bytes_in")?);
    let (first_s, last_s, acts) = (numbers("first_s")?, numbers("last_s")?, bytes("acts")?);
    let (objects, capped) = (bytes("objects")?, flags("objects_capped")?);
    for at in 0..table.num_rows() {
        let mut values = [""; TEXTS.len()];
        for (value, column) in values.iter_mut().zip(&columns) {
            *value = word((*column)?, at);
        }
        let [
            account,
            region,
            principal,
            credential,
            source,
            network,
            country,
            agent_family,
            service,
            app,
            target,
            action,
            object,
        ] = values;
        let hashes = objects.value(at).as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let row = AccessHour {
            hour_s: hours.value(at),
            log: Log::of_name(word(log, at))?,
            account,
            region,
            principal,
            principal_kind: PrincipalKind::of_name(word(principal_kind, at))?,
            credential: Credential::new(credential.into(), CredentialKind::of_name(word(credential_kind, at))?),
            source,
            network,
            country,
            agent_family,
            service,
            app,
            target,
            action,
            action_class: ActionClass::of_name(word(action_class, at))?,
            outcome: Outcome::of_name(word(outcome, at))?,
            mfa: (!mfa.is_null(at)).then(|| mfa.value(at)),
            object,
            event_id: word(event_id, at),
            sums: Sums {
                events: events[at].cast_unsigned(),
                bytes_out: bytes_out[at].cast_unsigned(),
                bytes_in: bytes_in[at].cast_unsigned(),
                objects: Distinct::of(hashes, capped.value(at)),
                first_s: first_s[at],
                last_s: last_s[at],
            },
        };
        fold.hours.add_packed(&row, acts.value(at))?;
    }
    Some(())
}
