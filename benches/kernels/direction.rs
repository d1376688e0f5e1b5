//! The records of one pair: which side is the client, and where connections begin and end.

use criterion::{BatchSize, Criterion, Throughput};
use flow::Address;
use flow::codes::{ACK, Role, SYN, TCP};
use rollup::segment::stitch;
use rollup::{RollupOptions, Segment, UnitRollup};
use scan::{Decision, FlowBatch, NONE, PresentColumns, own_code};

/// A whole hour, seconds since 1970.
const HOUR_S: u32 = 1_705_276_800;
const HOURS: u32 = 6;
const CONNECTIONS_AN_HOUR: u32 = 800;

/// Starts of the connections, each on its own port, none across an hour.
fn starts() -> Vec<u32> {
    (0..HOURS * CONNECTIONS_AN_HOUR)
        .map(|n| HOUR_S + n / CONNECTIONS_AN_HOUR * 3_600 + n % CONNECTIONS_AN_HOUR * 7 % 3_400)
        .collect()
}

/// Four records per connection: SYN, SYN with ACK, then both directions once more. Without `flags` and direction, only
/// ports and times decide.
fn batch(flags: bool) -> FlowBatch {
    let code = |text: &str| text.parse::<Address>().ok().and_then(own_code).expect("an address");
    let (host, remote) = (code("10.0.0.1"), code("93.184.216.34"));
    let mut batch = FlowBatch::default();
    batch.present = PresentColumns { tcp_flags: flags, log_status: true, eni_metadata: 0, packet_addresses: flags };
    for (n, start) in starts().into_iter().enumerate() {
        let port = 10_000 + n as u16;
        for (record, tcp_flags) in [SYN, SYN | ACK, 0, 0].into_iter().enumerate() {
            let outbound = record % 2 == 0;
            let begin = start + 60 * (record as u32 / 2) + record as u32 % 2;
            let ((source, source_port), (destination, destination_port)) =
                if outbound { ((host, port), (remote, 443)) } else { ((remote, 443), (host, port)) };
            batch.rows += 1;
            batch.start_s.push(begin);
            batch.end_s.push(begin + 58);
            batch.srcport.push(source_port);
            batch.dstport.push(destination_port);
            batch.protocol.push(u16::from(TCP));
            batch.packets.push(10);
            batch.bytes.push(1_000);
            batch.tcp_flags.push(if flags { tcp_flags } else { 0 });
            batch.srcaddr.push(source);
            batch.dstaddr.push(destination);
            batch.action.push(Decision::Accept as u8);
            batch.log_status.push(Decision::Ok as u8);
            let direction = if outbound { Decision::Egress } else { Decision::Ingress };
            batch.flow_direction.push(if flags { direction as u8 } else { 0 });
            for missing in
                [&mut batch.pkt_srcaddr, &mut batch.pkt_dstaddr, &mut batch.src_service, &mut batch.dst_service]
            {
                missing.push(NONE);
            }
            batch.interface.push(0);
        }
    }
    batch
}

fn unit(batch: &FlowBatch) -> UnitRollup {
    let unit = UnitRollup::new(RollupOptions::default());
    unit.interners().texts.intern_all(std::iter::once(Some("eni-1")));
    let mut object = unit.object(0);
    object.add(batch);
    object.commit().expect("memory without limit");
    unit
}

fn is_internal(address: Address) -> bool {
    address.v4_bits().is_some_and(|bits| bits >> 24 == 10)
}

pub fn bench(criterion: &mut Criterion) {
    let mut expected = starts();
    expected.sort_unstable();
    let mut segments: Vec<Segment> = Vec::new();
    let mut group = criterion.benchmark_group("direction");
    for (name, flags) in [("flags", true), ("ports", false)] {
        let batch = batch(flags);
        let tables = unit(&batch).finish(None, None, &is_internal).expect("tables");
        let hours = tables.pair_hours.hours().expect("nothing was spilled");
        for hour in hours.iter() {
            assert_eq!(
                (hour.role(), hour.port(), hour.records()),
                (Role::Client, 443, u64::from(CONNECTIONS_AN_HOUR) * 4)
            );
        }
        segments = hours.iter().flat_map(|hour| hour.segments().collect::<Vec<_>>()).collect();
        let mut found: Vec<u32> = segments.iter().map(|segment| segment.start_s as u32).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{name}: one segment a connection");
        group.throughput(Throughput::Elements(batch.rows as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || unit(&batch),
                |unit| unit.finish(None, None, &is_internal).expect("tables"),
                BatchSize::LargeInput,
            );
        });
    }
    let stitched = stitch(&segments, TCP, 60);
    let mut found: Vec<u32> = stitched.iter().map(|connection| connection.start_s as u32).collect();
    found.sort_unstable();
    assert_eq!(found, expected, "one connection a segment");
    group.throughput(Throughput::Elements(segments.len() as u64));
    group.bench_function("stitch", |bencher| {
        bencher.iter(|| stitch(&segments, TCP, 60));
    });
    group.finish();
}
