//! Measures what it costs to keep a unit and to load it again, beside scanning its logs.
//!
//! `cargo run --release -p flowsift-rollup --example kept_rate -- FOLDER [ROUNDS]`: each folder that holds Parquet files is
//! a unit. Prints the best of the rounds; all threads of rayon's pool are used (`RAYON_NUM_THREADS`).

use flowsift_rollup as rollup;
use memory::Memory;
use rayon::prelude::*;
use rollup::kept::{pack, unpack};
use rollup::{RollupOptions, UnitRollup, UnitTables};
use scan::{ObjectBytes, ROLLUP_FIELDS, object};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Failed = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failed> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("name a folder of flow logs")?;
    let rounds: u32 = args.next().map_or(Ok(3), |rounds| rounds.parse())?;
    let mut units = BTreeMap::new();
    find(Path::new(&folder), &mut units)?;
    let units: Vec<Vec<PathBuf>> = units.into_values().collect();
    let mut best = [Duration::MAX; 3];
    let (mut rows, mut bytes, mut raw_bytes) = (0, 0, 0u64);
    for _ in 0..rounds {
        let (scanned, took) = timed(|| units.par_iter().map(|files| rolled_up(files)).collect::<Result<Vec<_>, _>>())?;
        best[0] = best[0].min(took);
        let (packed, took) = timed(|| scanned.par_iter().map(|unit| pack(unit, "")).collect::<Result<Vec<_>, _>>())?;
        best[1] = best[1].min(took);
        let load = || packed.par_iter().map(|file| unpack(file, &Memory::default())).collect::<Result<Vec<_>, _>>();
        let (loaded, took) = timed(load)?;
        best[2] = best[2].min(took);
        rows = loaded.iter().map(|unit| unit.tables.pair_hours.len()).sum();
        bytes = packed.iter().map(Vec::len).sum();
        raw_bytes = units.iter().flatten().map(|file| file.metadata().map_or(0, |of| of.len())).sum();
    }
    let mut out = std::io::stdout().lock();
    let units = units.len();
    writeln!(out, "{units} units of {raw_bytes} bytes, {rows} rows kept in {bytes} bytes")?;
    for (what, took) in ["scan and roll up", "pack", "unpack"].into_iter().zip(best) {
        let (seconds, share) = (took.as_secs_f64(), took.as_secs_f64() / best[0].as_secs_f64());
        writeln!(out, "{what:<16} {seconds:.3} s, {:.0} ns a row, {share:.3} of a scan", seconds * 1e9 / rows as f64)?;
    }
    Ok(())
}

fn timed<T, E: Into<Failed>>(run: impl FnOnce() -> Result<T, E>) -> Result<(T, Duration), Failed> {
    let begun = Instant::now();
    let done = run().map_err(Into::into)?;
    Ok((done, begun.elapsed()))
}

/// Finds Parquet files by their folder.
fn find(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<PathBuf>>) -> Result<(), Failed> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.entry(folder.to_owned()).or_default().push(path);
        }
    }
    Ok(())
}

fn rolled_up(files: &[PathBuf]) -> Result<UnitTables, Failed> {
    let unit = UnitRollup::new(RollupOptions::default());
    for (index, file) in files.iter().enumerate() {
        let name = file.to_string_lossy();
        let bytes = Arc::new(ObjectBytes::Whole(std::fs::read(file)?.into()));
        let metadata = object::footer(&name, &bytes)?;
        let mut records = unit.object(index);
        object::scan(&name, &bytes, &metadata, ROLLUP_FIELDS, unit.interners(), |batch| records.add(batch))?;
        records.commit()?;
    }
    Ok(unit.finish(None, None, &|address| address.to_string().starts_with("10."))?)
}
