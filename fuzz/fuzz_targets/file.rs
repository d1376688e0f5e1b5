//! Feeds bytes as a whole object to footer, scan and rollup: what can be read reads the same through both decoders.
#![no_main]

use flow::Address;
use flowsift_fuzz::memory::Limited;
use flowsift_fuzz::panics::{forgive_others, single_thread};
use flowsift_fuzz::rows::rows;
use libfuzzer_sys::fuzz_target;
use rollup::{PairHours, RollupOptions, UnitRollup, UnitTables};
use scan::DecodePath;
use scan::object::{footer, scan_with};
use scan::{ENI_METADATA_FIELDS, FIRST_INTERNED, FlowBatch, NONE, ObjectBytes, ROLLUP_FIELDS, ScanError};
use std::sync::Arc;

#[global_allocator]
static MEMORY: Limited = Limited;

/// Maximum rows of an object; the format lets a few bytes stand for many.
const MAX_ROWS: i64 = 10_000;

fuzz_target!(
    init: {
        forgive_others();
        single_thread();
    },
    |data: &[u8]| {
        let bytes = Arc::new(ObjectBytes::Whole(data.to_vec().into()));
        let Ok(metadata) = footer("object", &bytes) else { return };
        if metadata.row_groups().iter().any(|group| group.num_rows() > MAX_ROWS) || metadata.num_row_groups() > 64 {
            return;
        }
        // The describing columns of every `step`-th row are read, beyond what the rollup reads.
        let step = usize::from(data[data.len() / 2]) + 1;
        let read = |way: DecodePath| -> Result<(Records, UnitTables), ScanError> {
            let unit = UnitRollup::new(RollupOptions::default());
            let mut object = unit.object(0);
            let mut records = Records::default();
            scan_with(way, "object", &bytes, &metadata, ROLLUP_FIELDS, unit.interners(), |batch| {
                // Both orders of reading are tried: before the rollup and after it.
                if step % 2 == 0 {
                    records.add(batch, step);
                    object.add(batch);
                } else {
                    object.add(batch);
                    records.add(batch, step);
                }
            })?;
            object.commit().unwrap_or_else(|error| panic!("{error}"));
            records.addresses = unit.interners().addresses.entries();
            records.texts = unit.interners().texts.entries();
            let tables = unit.finish(Some("123456789012"), None, &is_internal);
            Ok((records, tables.unwrap_or_else(|error| panic!("{error}"))))
        };
        let direct = read(DecodePath::Native);
        if let Ok((_, tables)) = &direct {
            check(tables);
        }
        if let (Ok((direct, ours)), Ok((arrow, theirs))) = (direct, read(DecodePath::Arrow)) {
            direct.compare(&arrow);
            assert!(rows(&ours.pair_hours) == rows(&theirs.pair_hours), "pair_hours differ");
            assert!(ours.coverage == theirs.coverage, "coverage differs");
            assert!(ours.counts == theirs.counts, "{:?} directly, {:?} through Arrow", ours.counts, theirs.counts);
        }
    }
);

fn is_internal(address: Address) -> bool {
    address.is_local_scope() || address.v4_bits().is_some_and(|bits| bits >> 24 == 10)
}

/// Checks that the tables survive being written and read, and hold as many records as were kept.
fn check(tables: &UnitTables) {
    let batch = tables.pair_hours.to_batch().unwrap_or_else(|error| panic!("{error}"));
    let read = PairHours::from_batch(&batch).unwrap_or_else(|error| panic!("{error}"));
    let ours = rows(&tables.pair_hours);
    assert!(ours == rows(&read), "pair_hours do not read as written");
    let counts = &tables.counts;
    let kept = counts.rows - counts.nodata - counts.skipdata - counts.unusable - counts.outside - counts.transit;
    let records: u64 = ours.iter().map(|row| row.counts[1]).sum();
    assert!(records == kept, "{records} records in pair_hours, {kept} were kept: {counts:?}");
}

/// All records of an object, in the unit's codes.
#[derive(Default)]
struct Records {
    numbers: Vec<[u64; 11]>,
    address_codes: Vec<[u32; 4]>,
    text_numbers: Vec<[u32; 3]>,
    described: Vec<u32>,
    addresses: Vec<Address>,
    texts: Vec<String>,
}

impl Records {
    fn add(&mut self, batch: &FlowBatch, step: usize) {
        for row in 0..batch.rows {
            self.numbers.push([
                batch.start_s[row].into(),
                batch.end_s[row].into(),
                batch.srcport[row].into(),
                batch.dstport[row].into(),
                batch.protocol[row].into(),
                batch.packets[row].into(),
                batch.bytes[row],
                batch.tcp_flags[row].into(),
                batch.action[row].into(),
                batch.log_status[row].into(),
                batch.flow_direction[row].into(),
            ]);
            let codes = [batch.srcaddr[row], batch.dstaddr[row], batch.pkt_srcaddr[row], batch.pkt_dstaddr[row]];
            self.address_codes.push(codes);
            self.text_numbers.push([batch.interface[row], batch.src_service[row], batch.dst_service[row]]);
            if row.is_multiple_of(step) {
                self.described.extend(ENI_METADATA_FIELDS.iter().map(|field| batch.text(*field, row)));
            }
        }
    }

    fn address(&self, code: u32) -> Option<Address> {
        match code.checked_sub(FIRST_INTERNED) {
            _ if code == NONE => None,
            None => Some(Address::from_v4_bits(code)),
            Some(index) => Some(self.addresses[index as usize]),
        }
    }

    fn text(&self, number: u32) -> Option<&str> {
        (number != NONE).then(|| self.texts[number as usize].as_str())
    }

    fn compare(&self, other: &Records) {
        assert!(self.numbers.len() == other.numbers.len(), "{} and {} rows", self.numbers.len(), other.numbers.len());
        for (row, (ours, theirs)) in self.numbers.iter().zip(&other.numbers).enumerate() {
            assert!(ours == theirs, "row {row}: {ours:?} directly, {theirs:?} through Arrow");
        }
        let codes = self.address_codes.iter().flatten().zip(other.address_codes.iter().flatten());
        for (index, (ours, theirs)) in codes.enumerate() {
            let (ours, theirs) = (self.address(*ours), other.address(*theirs));
            assert!(ours == theirs, "row {}: {ours:?} directly, {theirs:?} through Arrow", index / 4);
        }
        let texts = self.text_numbers.iter().flatten().zip(other.text_numbers.iter().flatten());
        for (index, (ours, theirs)) in texts.enumerate() {
            let (ours, theirs) = (self.text(*ours), other.text(*theirs));
            assert!(ours == theirs, "row {}: {ours:?} directly, {theirs:?} through Arrow", index / 3);
        }
        for (index, (ours, theirs)) in self.described.iter().zip(&other.described).enumerate() {
            let (ours, theirs) = (self.text(*ours), other.text(*theirs));
            assert!(ours == theirs, "described text {index}: {ours:?} directly, {theirs:?} through Arrow");
        }
    }
}
