//! Kept hours: a folder per unit, which holds the tables of one fingerprint for each source that has the unit.

use super::error::HoursError;
use super::flags::{self, Flags};
use super::gathered::{Outlook, SkipKind, Skipped};
use super::seal::{is_whole, seal, unsealed};
use super::trouble::{KeptTrouble, TroubleBook};
use crate::source::{Object, PutMode, Store, Unit};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use bytes::Bytes;
use flow::fnv::Fnv64;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use rollup::habits::NamedPair;
use rollup::window::Window;
use rollup::{PairHours, RollupError, UnitCounts, UnitTables};
use scan::guarded;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Version of the layout and schema of kept hours. A new version leaves older files alone.
const VERSION: &str = "v6";
const COUNTS_KEY: &str = "flowsift.counts";
const SKIPPED_KEY: &str = "flowsift.skipped";

/// What is kept of a unit.
#[derive(Debug)]
pub(super) struct KeptUnit {
    pub(super) tables: UnitTables,
    /// The objects that the tables lack, each with whether it may be readable by now.
    pub(super) skipped: Vec<(Outlook, Skipped)>,
}

/// Hours kept under a local folder or an S3 prefix.
#[derive(Debug, Clone)]
pub struct KeptHours {
    store: Store,
    settings: u64,
    /// What did not work; clones share it.
    trouble: TroubleBook,
}

/// Returns a hash of what the fold depends on besides the records, such as the internal networks (FNV-1a, 64 bits).
pub fn settings_hash<'a>(settings: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hash = Fnv64::default();
    for text in settings {
        hash.write(text.as_bytes());
        hash.write(&[0]);
    }
    hash.finish()
}

impl KeptHours {
    /// The folders in which this version and earlier ones keep hours and flags.
    pub const FOLDERS: &[&str] = &["v1", "v2", "v3", "v4", "v5", VERSION, flags::FOLDER];

    /// Opens kept hours; `settings` is the [`settings_hash`] of everything else that the tables depend on.
    pub fn new(store: Store, settings: u64) -> Self {
        Self { store, settings, trouble: TroubleBook::default() }
    }

    /// Returns the folder or URL that keeps the hours.
    pub fn place(&self) -> &str {
        self.store.url()
    }

    /// Returns what did not work so far; `None` when all did.
    pub fn trouble(&self) -> Option<KeptTrouble> {
        self.trouble.told()
    }

    fn folder(unit: &Unit) -> String {
        format!("{VERSION}/{}", unit.id)
    }

    fn name(&self, unit: &Unit, table: &str) -> String {
        let fingerprint = unit.fingerprint();
        format!("{}/{fingerprint}-{:016x}{}", Self::folder(unit), self.settings, Self::end_of_name(unit, table))
    }

    /// Returns the end of the names of a unit's kept tables, whatever their fingerprint.
    fn end_of_name(unit: &Unit, table: &str) -> String {
        format!("-{:016x}.{table}.parquet", unit.origin())
    }

    /// Loads a unit's tables if the same objects under the same settings were kept; damaged files count as absent, and so
    /// do those that cannot be read, which is noted.
    pub(super) async fn load(&self, unit: &Unit) -> Option<KeptUnit> {
        if !self.trouble.may_read() {
            return None;
        }
        self.store.sweep(&Self::folder(unit)).await;
        self.trouble.read(self.read_unit(unit).await).flatten()
    }

    async fn read_unit(&self, unit: &Unit) -> Result<Option<KeptUnit>, HoursError> {
        // Coverage is written first, so that the presence of the hours means that both are whole.
        let Some(hours) = self.store.get(&self.name(unit, "pair_hours")).await? else { return Ok(None) };
        let Some(coverage) = self.store.get(&self.name(unit, "coverage")).await? else { return Ok(None) };
        let tables = guarded(&unit.id, || {
            Ok(read(hours).zip(read(coverage)).and_then(|(hours, coverage)| {
                let pair_hours = PairHours::from_batch(&hours.table).ok()?;
                let tables = UnitTables { pair_hours, coverage: coverage.table, counts: parse_counts(&hours.counts) };
                Some(KeptUnit { tables, skipped: parse_skipped(unit, &hours.skipped)? })
            }))
        });
        Ok(tables.ok().flatten())
    }

    /// Keeps a unit's tables and the objects that they lack, in place of those of its other fingerprints. Tables that
    /// another source left under the same unit's id stay. A store that cannot be written is noted and no error.
    ///
    /// # Errors
    /// [`HoursError::Rollup`] when the tables cannot be read from where they were spilled.
    pub(super) async fn save(
        &self,
        unit: &Unit,
        tables: &UnitTables,
        skipped: &[(Outlook, Skipped)],
    ) -> Result<(), HoursError> {
        if !self.trouble.may_write() {
            return Ok(());
        }
        match self.write_unit(unit, tables, skipped).await {
            Err(error @ (HoursError::Rollup(_) | HoursError::Spill(_))) => Err(error),
            done => {
                self.trouble.written(done);
                Ok(())
            }
        }
    }

    async fn write_unit(
        &self,
        unit: &Unit,
        tables: &UnitTables,
        skipped: &[(Outlook, Skipped)],
    ) -> Result<(), HoursError> {
        // The old ones first: they are of no use any more, and a run that is killed in between leaves nothing that no
        // later run would look for.
        self.remove_others(unit).await?;
        let entries = [(COUNTS_KEY, write_counts(&tables.counts)), (SKIPPED_KEY, write_skipped(unit, skipped))];
        let coverage = write(&mut std::iter::once(Ok(tables.coverage.clone())), &entries);
        self.put(self.name(unit, "coverage"), coverage).await?;
        let pair_hours = write(&mut tables.pair_hours.to_batches(BATCH_ROWS), &entries);
        self.put(self.name(unit, "pair_hours"), pair_hours).await
    }

    async fn remove_others(&self, unit: &Unit) -> Result<(), HoursError> {
        let keep = [self.name(unit, "coverage"), self.name(unit, "pair_hours")];
        let ends = [Self::end_of_name(unit, "coverage"), Self::end_of_name(unit, "pair_hours")];
        for object in self.store.list(&format!("{}/", Self::folder(unit))).await? {
            // A daily unit's folder holds the folders of its hours: those are other units.
            let inside = object.name.rsplit_once('/').is_some_and(|(folder, _)| folder == Self::folder(unit));
            let of_unit = inside && ends.iter().any(|end| object.name.ends_with(end.as_str()));
            if of_unit && !keep.contains(&object.name) {
                self.store.delete(&object.name).await?;
            }
        }
        Ok(())
    }

    /// Keeps the pairs that a run of `window` over `sources` flagged while they were new; replaces those of an earlier run
    /// of the same. A store that cannot be written is noted and no error.
    pub async fn save_flags(&self, window: &Window, sources: &[String], pairs: &[NamedPair]) {
        if self.trouble.may_write() {
            let mut sources: Vec<&str> = sources.iter().map(String::as_str).collect();
            sources.sort_unstable();
            self.trouble.written(flags::save(&self.store, window, settings_hash(sources), pairs).await);
        }
    }

    /// Loads the pairs that runs of earlier windows flagged. A store that cannot be read is noted; nothing is known then.
    pub(super) async fn load_flags(&self, window: &Window) -> Flags {
        if !self.trouble.may_read() {
            return Flags::default();
        }
        self.trouble.read(flags::load(&self.store, window).await).unwrap_or_default()
    }

    async fn put(&self, name: String, bytes: Result<Bytes, WriteError>) -> Result<(), HoursError> {
        let bytes = bytes.map_err(|error| match error {
            WriteError::Table(error) => HoursError::Rollup(error),
            WriteError::File(source) => HoursError::Write { name: name.clone(), source },
        })?;
        Ok(self.store.put(&name, bytes, PutMode::Overwrite).await?)
    }
}

/// Rows of `pair_hours` that become columns at a time.
const BATCH_ROWS: usize = 1 << 20;

/// Why a table could not be encoded.
enum WriteError {
    Table(RollupError),
    File(ParquetError),
}

impl From<ParquetError> for WriteError {
    fn from(error: ParquetError) -> Self {
        Self::File(error)
    }
}

fn write(
    batches: &mut dyn Iterator<Item = Result<RecordBatch, RollupError>>,
    entries: &[(&str, String)],
) -> Result<Bytes, WriteError> {
    let mut metadata = vec![unsealed()];
    metadata.extend(entries.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_key_value_metadata(Some(metadata))
        .build();
    let mut writer = None;
    for batch in batches {
        let batch = batch.map_err(WriteError::Table)?;
        let open = match &mut writer {
            Some(open) => open,
            none => none.insert(ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.clone()))?),
        };
        open.write(&batch)?;
    }
    let mut file = writer.map(ArrowWriter::into_inner).transpose()?.unwrap_or_default();
    seal(&mut file);
    Ok(file.into())
}

/// One kept file.
struct KeptFile {
    table: RecordBatch,
    counts: String,
    skipped: String,
}

fn read(bytes: Bytes) -> Option<KeptFile> {
    if !is_whole(&bytes) {
        return None;
    }
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).ok()?;
    let schema = builder.schema().clone();
    let metadata = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let entry = |key: &str| metadata.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.clone());
    let counts = entry(COUNTS_KEY)?;
    let skipped = entry(SKIPPED_KEY).unwrap_or_else(|| "[]".to_owned());
    let batches = builder.build().ok()?.collect::<Result<Vec<_>, _>>().ok()?;
    // The key-value metadata belongs to the file, not to the table: kept and new tables must look alike.
    let whole = concat_batches(&schema, &batches).ok()?;
    let plain = Arc::new(Schema::new(schema.fields().clone()));
    Some(KeptFile { table: RecordBatch::try_new(plain, whole.columns().to_vec()).ok()?, counts, skipped })
}

/// Writes skipped objects as JSON: file name, reason, kind and outlook. Folders are left out, as in the fingerprint.
fn write_skipped(unit: &Unit, skipped: &[(Outlook, Skipped)]) -> String {
    let mut entries: Vec<serde_json::Value> = Vec::new();
    for (outlook, one) in skipped {
        let Some(object) = unit.objects.iter().find(|object| *object.url == *one.object) else { continue };
        let other_log = one.kind == SkipKind::OtherLog;
        let withheld = *outlook == Outlook::Withheld;
        entries.push(serde_json::json!([object.name(), object.version.as_ref(), one.reason, other_log, withheld]));
    }
    entries.sort_by_key(serde_json::Value::to_string);
    serde_json::Value::Array(entries).to_string()
}

/// Reads what [`write_skipped`] wrote; `None` when the unit has no such object.
fn parse_skipped(unit: &Unit, text: &str) -> Option<Vec<(Outlook, Skipped)>> {
    let entries: Vec<(String, String, String, bool, bool)> = serde_json::from_str(text).ok()?;
    let mut taken = BTreeSet::new();
    let mut skipped = Vec::new();
    for (name, version, reason, other_log, withheld) in entries {
        // A flat listing may hold one name several times, in folders of its own.
        let is_it = |(_, object): &(usize, &Object)| object.name() == name && *object.version == *version;
        let mut found = unit.objects.iter().enumerate().filter(is_it);
        let (index, object) = found.find(|(index, _)| !taken.contains(index))?;
        taken.insert(index);
        let kind = if other_log { SkipKind::OtherLog } else { SkipKind::Unreadable };
        let outlook = if withheld { Outlook::Withheld } else { Outlook::Final };
        skipped.push((outlook, Skipped { object: object.url.to_string(), reason, kind, rows: None }));
    }
    Some(skipped)
}

fn write_counts(counts: &UnitCounts) -> String {
    let numbers = [
        counts.rows,
        counts.nodata,
        counts.skipdata,
        counts.rejected,
        counts.unusable,
        counts.outside,
        counts.transit,
        counts.rejected_probes,
        counts.doubled,
        counts.without_packet_addresses,
    ];
    numbers.map(|number| number.to_string()).join(" ")
}

fn parse_counts(text: &str) -> UnitCounts {
    let mut numbers = text.split(' ').map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let mut counts = UnitCounts::default();
    for field in [
        &mut counts.rows,
        &mut counts.nodata,
        &mut counts.skipdata,
        &mut counts.rejected,
        &mut counts.unusable,
        &mut counts.outside,
        &mut counts.transit,
        &mut counts.rejected_probes,
        &mut counts.doubled,
        &mut counts.without_packet_addresses,
    ] {
        *field = next();
    }
    counts
}
