//! One unit of about 200,000 records: packing them as they arrive, and folding them once the unit is complete.

use crate::sample::batches;
use criterion::{BatchSize, Criterion, Throughput};
use flow::Address;
use rollup::{PairHours, RollupOptions, UnitRollup, Vantage};
use scan::{Decision, FlowBatch, Interners, MISSING_BYTES, MISSING_PROTOCOL, MISSING_S, NONE, address_of};
use std::collections::BTreeMap;

/// Records, bytes out and bytes in by host.
type Hosts = BTreeMap<Address, (u64, u64, u64)>;

/// An empty unit that shares the interners of the batches' codes.
fn empty(books: &Interners) -> UnitRollup {
    let unit = UnitRollup::new(RollupOptions::default());
    unit.interners().texts.intern_all(books.texts.entries().iter().map(|text| Some(text.as_str())));
    unit.interners().addresses.intern_all(books.addresses.entries().into_iter().map(Some));
    unit
}

fn add(unit: &UnitRollup, batches: &[FlowBatch]) {
    let mut object = unit.object(0);
    batches.iter().for_each(|batch| object.add(batch));
    object.commit().expect("memory without limit");
}

fn finish(unit: UnitRollup) -> PairHours {
    unit.finish(None, None, &is_internal).expect("tables").pair_hours
}

fn is_internal(address: Address) -> bool {
    address.v4_bits().is_some_and(|bits| bits >> 24 == 10)
}

/// Adds up the records of each host from its own ENIs; those that ENIs carry or forward for others are left out.
fn slow(batches: &[FlowBatch], books: &Interners) -> Hosts {
    let entries = books.addresses.entries();
    let mut hosts = Hosts::new();
    for batch in batches {
        for row in 0..batch.rows {
            let far = |packet: u32, outer: u32| if packet == NONE { outer } else { packet };
            let source = far(batch.pkt_srcaddr[row], batch.srcaddr[row]);
            let destination = far(batch.pkt_dstaddr[row], batch.dstaddr[row]);
            let is_usable = source != NONE
                && destination != NONE
                && batch.bytes[row] != MISSING_BYTES
                && batch.protocol[row] != MISSING_PROTOCOL
                && batch.start_s[row] != MISSING_S;
            if batch.log_status[row] != Decision::Ok || !is_usable {
                continue;
            }
            let egress = batch.flow_direction[row] == Decision::Egress;
            let (own, packet) = if egress { (batch.srcaddr[row], source) } else { (batch.dstaddr[row], destination) };
            if own != packet {
                continue;
            }
            let sums = hosts.entry(address_of(if egress { source } else { destination }, &entries)).or_default();
            sums.0 += 1;
            if batch.action[row] != Decision::Reject {
                *(if egress { &mut sums.1 } else { &mut sums.2 }) += batch.bytes[row];
            }
        }
    }
    hosts
}

fn hosts(pair_hours: &PairHours) -> Hosts {
    let mut hosts = Hosts::new();
    let hours = pair_hours.hours().expect("nothing was spilled");
    for hour in hours.iter().filter(|hour| hour.vantage() == Vantage::Own) {
        let sums = hosts.entry(hour.host()).or_default();
        *sums = (sums.0 + hour.records(), sums.1 + hour.bytes_out(), sums.2 + hour.bytes_in());
    }
    hosts
}

pub fn bench(criterion: &mut Criterion) {
    let (batches, books) = batches();
    let records: usize = batches.iter().map(|batch| batch.rows).sum();
    let filled = || {
        let unit = empty(&books);
        add(&unit, &batches);
        unit
    };
    assert!(hosts(&finish(filled())) == slow(&batches, &books), "records and bytes of every host");

    let mut group = criterion.benchmark_group("rollup");
    group.throughput(Throughput::Elements(records as u64));
    group.sample_size(20);
    group.bench_function("add", |bencher| {
        bencher.iter_batched(
            || empty(&books),
            |unit| {
                add(&unit, &batches);
                unit
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("finish", |bencher| bencher.iter_batched(filled, finish, BatchSize::PerIteration));
    group.finish();
}
