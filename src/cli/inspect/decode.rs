//! Decodes every object of a source and sums its records: shows whether a source can be read, and how fast.

use crate::cli::exit::Failure;
use crate::cli::options::Global;
use crate::hours::fetch::{Fetched, fetch};
use crate::source::{Object, ObjectReader};
use flow::error_text;
use scan::object::scan;
use scan::{Decision, FlowBatch, Interners, MISSING_BYTES, ROLLUP_FIELDS, ScanError};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;

/// What the objects of a source hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Decoded {
    /// Flow records of any kind.
    pub(super) rows: u64,
    /// Records of accepted traffic.
    pub(super) accepted: u64,
    /// Bytes of accepted traffic.
    pub(super) bytes: u64,
    /// Packets of accepted traffic.
    pub(super) packets: u64,
    /// Wall-clock seconds, reading included.
    pub(super) seconds: f64,
    /// Objects that hold other logs.
    pub(super) other_logs: u64,
    /// Why objects could not be read, sorted.
    pub(super) unreadable: Vec<String>,
}

impl Decoded {
    fn add_batch(&mut self, batch: &FlowBatch) {
        for row in 0..batch.rows {
            if batch.action[row] == Decision::Accept {
                self.accepted += 1;
                self.bytes += if batch.bytes[row] == MISSING_BYTES { 0 } else { batch.bytes[row] };
                self.packets += u64::from(batch.packets[row]);
            }
        }
    }

    fn add(&mut self, other: Decoded) {
        self.rows += other.rows;
        self.accepted += other.accepted;
        self.bytes += other.bytes;
        self.packets += other.packets;
        self.other_logs += other.other_logs;
        self.unreadable.extend(other.unreadable);
    }
}

/// Decodes all `objects` on all threads, as `detect` does.
pub(super) fn decode(
    global: &Global,
    runtime: &Handle,
    reader: ObjectReader,
    objects: Vec<Object>,
) -> Result<Decoded, Failure> {
    let started = Instant::now();
    let objects = Arc::new(objects);
    let options = global.memory()?.fetch;
    let arrivals = fetch(runtime, reader, objects.clone(), ROLLUP_FIELDS, options);
    let worker = || {
        let (mut all, mut arrived) = (Decoded::default(), 0);
        while let Ok(fetched) = arrivals.recv() {
            arrived += 1;
            let object = &objects[fetched.index];
            match decode_object(object, fetched) {
                Ok(decoded) => all.add(decoded),
                Err(ScanError::OtherLog { .. }) => all.other_logs += 1,
                Err(error) => all.unreadable.push(error_text(&error)),
            }
        }
        (all, arrived)
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..global.threads()).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().map(|worker| worker.join()).collect()
    });
    let ended = || Failure::failed("a thread that decodes ended early; this is a bug of flowsift");
    let (mut all, mut arrived) = (Decoded::default(), 0);
    for result in results {
        let (decoded, objects) = result.map_err(|_| ended())?;
        all.add(decoded);
        arrived += objects;
    }
    if arrived < objects.len() {
        return Err(ended());
    }
    all.unreadable.sort_unstable();
    all.seconds = started.elapsed().as_secs_f64();
    Ok(all)
}

fn decode_object(object: &Object, fetched: Fetched) -> Result<Decoded, ScanError> {
    let name = object.url.as_ref();
    let opened = fetched.open(object)?;
    let mut decoded = Decoded::default();
    let rows = scan(name, &opened.bytes, &opened.metadata, ROLLUP_FIELDS, &Interners::default(), |batch| {
        decoded.add_batch(batch);
    })?;
    decoded.rows = rows;
    Ok(decoded)
}
