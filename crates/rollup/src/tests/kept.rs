//! The kept form gives back what was packed, and notices every byte that changed.

use super::record::{V5, exchanges, parquet, records, shapes, unit};
use super::rows::rows;
use super::spill::memory;
use super::twin::objects;
use crate::UnitTables;
use crate::kept::{KeptError, pack, unpack};
use crate::pair_hours::PairHours;
use crate::pair_hours::part::HourPart;
use crate::pair_hours::row::{HourRow, PackedSegment, Vantage};
use crate::pair_hours::stored_part::StoredPart;
use flow::codes::Role;
use memory::Memory;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const NOTE: &str = "[[\"a.parquet\",\"damaged\"]]";

fn unpacked(file: &[u8]) -> Result<UnitTables, KeptError> {
    unpack(file, &Memory::default()).map(|unpacked| unpacked.tables)
}

/// A row of any numbers. Parts are sorted by their rows' order, which the form does not need.
fn any_row() -> impl Strategy<Value = (HourRow, Vec<PackedSegment>)> {
    let small = || prop_oneof![3 => 0u32..9, 1 => any::<u32>()];
    let long = || prop_oneof![3 => 0u64..2_000, 1 => any::<u64>()];
    let segment = (small(), any::<u16>(), any::<u16>(), small())
        .prop_map(|(start_s, port, bucket, length)| PackedSegment::from_numbers(start_s, port, bucket, length));
    (prop::array::uniform12(small()), prop::array::uniform4(long()), any::<[u16; 3]>(), any::<(u8, bool, u8)>())
        .prop_flat_map(move |(words, longs, halves, bits)| {
            let segments = prop::collection::vec(segment.clone(), 0..4);
            (Just((words, longs, halves, bits)), segments)
        })
        .prop_map(|((words, longs, halves, (protocol, server, vantage)), segments)| {
            let row = HourRow {
                bytes_out: longs[0],
                bytes_in: longs[1],
                packets_out: longs[2],
                packets_in: longs[3],
                host: words[0],
                remote: words[1],
                hour_s: words[2],
                first_s: words[3],
                last_s: words[4],
                longest_s: words[5],
                connections: words[6],
                records: words[7],
                rejected: words[8],
                segments_dropped: words[9],
                segments_at: 0,
                interface: words[10],
                owner: words[11],
                segments: segments.len() as u16,
                service: halves[0],
                port: halves[1],
                window_s: halves[2],
                protocol,
                role: if server { Role::Server } else { Role::Client },
                vantage: Vantage::from_code(vantage % 3),
            };
            (row, segments)
        })
}

fn part_of(rows: Vec<(HourRow, Vec<PackedSegment>)>) -> HourPart {
    let mut part = HourPart::default();
    for (row, segments) in rows {
        part.rows.push(HourRow { segments_at: part.segments.len() as u32, ..row });
        part.segments.extend(segments);
    }
    part
}

/// Returns a unit with these parts, from the first on.
fn unit_of(parts: Vec<HourPart>) -> UnitTables {
    let mut tables = unit(&[]);
    for (stored, part) in tables.pair_hours.parts.iter_mut().zip(parts) {
        *stored = StoredPart::Kept(Arc::new(part));
    }
    tables
}

fn same(a: &PairHours, b: &PairHours) -> bool {
    a.lookup == b.lookup && a.parts == b.parts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_unit_comes_back(
        records in prop_oneof![records(150), exchanges(80)],
        shape in shapes(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let whole = unit(&objects(&records, shape, &cuts));
        let file = pack(&whole, NOTE).unwrap();
        let back = unpack(&file, &Memory::default()).unwrap();
        prop_assert_eq!(back.note.as_str(), NOTE);
        prop_assert_eq!(&back.tables.counts, &whole.counts);
        prop_assert_eq!(&back.tables.coverage, &whole.coverage);
        prop_assert_eq!(&back.tables.pair_hours.lookup, &whole.pair_hours.lookup);
        prop_assert_eq!(rows(&back.tables.pair_hours), rows(&whole.pair_hours));
        prop_assert_eq!(back.tables.pair_hours.to_batch().unwrap(), whole.pair_hours.to_batch().unwrap());
        prop_assert_eq!(pack(&back.tables, NOTE).unwrap(), file);
    }

    #[test]
    fn any_numbers_come_back(parts in prop::collection::vec(prop::collection::vec(any_row(), 0..40), 0..6)) {
        let whole = unit_of(parts.into_iter().map(part_of).collect());
        let back = unpacked(&pack(&whole, "").unwrap()).unwrap();
        prop_assert!(same(&back.pair_hours, &whole.pair_hours));
    }

    #[test]
    fn what_does_not_fit_into_memory_comes_back_from_disk(records in records(150), bytes in 0usize..30_000) {
        let whole = unit(&[parquet(&records, V5)]);
        let (memory, counter) = memory(bytes);
        let file = pack(&whole, NOTE).unwrap();
        let back = unpack(&file, &memory).unwrap();
        prop_assert_eq!(rows(&back.tables.pair_hours), rows(&whole.pair_hours));
        prop_assert_eq!(pack(&back.tables, NOTE).unwrap(), file);
        drop(back);
        prop_assert_eq!(counter.0.load(Ordering::Relaxed), 0, "all memory was given back");
    }

    #[test]
    fn damage_shows_wherever_it_is(
        records in records(40),
        at in any::<prop::sample::Index>(),
        bits in 1u8..,
        more in prop::collection::vec(any::<u8>(), 1..9),
    ) {
        let file = pack(&unit(&[parquet(&records, V5)]), NOTE).unwrap();
        let at = at.index(file.len());
        let mut changed = file.clone();
        changed[at] ^= bits;
        prop_assert!(unpacked(&changed).is_err(), "byte {}", at);
        prop_assert!(unpacked(&file[..at]).is_err(), "cut at {}", at);
        prop_assert!(unpacked(&[&file[..], &more].concat()).is_err(), "longer");
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(unpacked(&bytes).is_err());
        prop_assert!(unpacked(&[b"flowhrs\x01", &bytes[..]].concat()).is_err());
    }
}

#[test]
fn every_bit_of_a_file_counts() {
    let records: Vec<_> = (0..60)
        .map(|at| super::record::Record::new("eni-1", ("10.0.0.8", 40_000 + at), ("2001:db8::1", 443), at * 70))
        .collect();
    let mut file = pack(&unit(&[parquet(&records, V5)]), NOTE).unwrap();
    assert!(unpacked(&file).is_ok());
    for at in 0..file.len() {
        for bit in 0..8 {
            file[at] ^= 1 << bit;
            assert!(unpacked(&file).is_err(), "bit {bit} of byte {at}");
            file[at] ^= 1 << bit;
        }
        assert!(unpacked(&file[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_part_of_very_many_rows_has_several_blocks() {
    let row = |at: u32, segments: u16| {
        let row = HourRow { host: 7, remote: at, hour_s: 3_600 * at, segments, ..ROW };
        (row, (0..u32::from(segments)).map(|more| PackedSegment::from_numbers(at + more, 1, 2, at)).collect())
    };
    let many = part_of((0..150_000).map(|at| row(at, (at % 3) as u16)).collect());
    let few = || part_of((0..9).map(|at| row(at, 1)).collect());
    let whole = unit_of(vec![few(), HourPart::default(), many, few()]);
    let file = pack(&whole, "").unwrap();
    assert!(same(&unpacked(&file).unwrap().pair_hours, &whole.pair_hours));
}

const ROW: HourRow = HourRow {
    bytes_out: 900,
    bytes_in: 1 << 40,
    packets_out: 3,
    packets_in: 4,
    host: 0,
    remote: 0,
    hour_s: 0,
    first_s: 5,
    last_s: 6,
    longest_s: 7,
    connections: 8,
    records: 9,
    rejected: 0,
    segments_dropped: 0,
    segments_at: 0,
    interface: u32::MAX,
    owner: 0,
    segments: 0,
    service: u16::MAX,
    port: 443,
    window_s: 600,
    protocol: 6,
    role: Role::Client,
    vantage: Vantage::Transit,
};

#[test]
fn a_file_of_another_version_is_refused() {
    let mut file = pack(&unit(&[]), "").unwrap();
    assert!(unpacked(&file).is_ok());
    file[7] += 1;
    assert!(matches!(unpacked(&file), Err(KeptError::Version)));
    assert!(matches!(unpacked(b"PAR1"), Err(KeptError::Version)));
}
