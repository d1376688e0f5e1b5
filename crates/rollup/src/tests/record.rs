//! Plain flow records, how AWS writes them to Parquet, and how they go through a unit.

use crate::{RollupOptions, UnitRollup, UnitTables};
use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use flow::{Address, Network};
use memory::Memory;
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use scan::object::{footer, scan};
use scan::{ObjectBytes, ROLLUP_FIELDS};
use std::sync::Arc;

/// A whole hour, so that offsets show the hour.
pub const EPOCH: i64 = 1_713_484_800;

/// One flow record as text and numbers; `None` is how AWS writes "not applicable".
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub account: Option<String>,
    pub interface: Option<String>,
    pub instance: Option<String>,
    pub kind: Option<String>,
    pub src: Option<String>,
    pub dst: Option<String>,
    pub pkt_src: Option<String>,
    pub pkt_dst: Option<String>,
    pub ports: (i64, i64),
    pub protocol: Option<i64>,
    pub packets: i64,
    pub bytes: i64,
    pub start: i64,
    pub end: i64,
    pub action: Option<String>,
    pub status: String,
    pub flags: Option<i64>,
    pub direction: Option<String>,
    pub src_service: Option<String>,
    pub dst_service: Option<String>,
}

pub fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

impl Record {
    /// A record of an instance's ENI `eni-<n>`, sent at `second` after [`EPOCH`].
    pub fn new(interface: &str, src: (&str, i64), dst: (&str, i64), second: i64) -> Self {
        Self {
            account: some("123456789012"),
            interface: some(interface),
            instance: some("i-0123"),
            kind: None,
            src: some(src.0),
            dst: some(dst.0),
            pkt_src: some(src.0),
            pkt_dst: some(dst.0),
            ports: (src.1, dst.1),
            protocol: Some(6),
            packets: 10,
            bytes: 1_000,
            start: EPOCH + second,
            end: EPOCH + second + 30,
            action: some("ACCEPT"),
            status: "OK".to_owned(),
            flags: Some(0),
            direction: some("egress"),
            src_service: None,
            dst_service: None,
        }
    }

    pub fn ingress(self) -> Self {
        Self { direction: some("ingress"), ..self }
    }

    pub fn flags(self, flags: i64) -> Self {
        Self { flags: Some(flags), ..self }
    }

    /// Sets the packet-level addresses.
    pub fn packet(self, src: &str, dst: &str) -> Self {
        Self { pkt_src: some(src), pkt_dst: some(dst), ..self }
    }

    /// Makes the ENI requester-managed, as those of NAT and transit gateways are.
    pub fn managed(self) -> Self {
        Self { instance: None, ..self }
    }

    /// Makes it a window without records, as AWS writes them.
    pub fn empty(self, status: &str) -> Self {
        Self {
            status: status.to_owned(),
            instance: None,
            src: None,
            dst: None,
            pkt_src: None,
            pkt_dst: None,
            action: None,
            direction: None,
            ..self
        }
    }

    pub fn is_empty(&self) -> bool {
        self.status != "OK"
    }
}

/// The opposite direction of a record's exchange, in the same second.
fn reply(record: &Record) -> Record {
    let ingress = record.direction.as_deref() == Some("ingress");
    Record {
        src: record.dst.clone(),
        dst: record.src.clone(),
        pkt_src: record.pkt_dst.clone(),
        pkt_dst: record.pkt_src.clone(),
        ports: (record.ports.1, record.ports.0),
        direction: record.direction.as_ref().map(|_| if ingress { "egress" } else { "ingress" }.to_owned()),
        src_service: record.dst_service.clone(),
        dst_service: record.src_service.clone(),
        ..record.clone()
    }
}

/// Records and most of their replies, next to them or later. Some exchanges begin in different seconds, have flags of
/// their own, or have volumes beyond 32 bits and packets beyond 16.
pub fn exchanges(most: usize) -> impl Strategy<Value = Vec<Record>> {
    let change = (0u8..10, prop::sample::select(vec![0i64, 2, 16, 18, 19]), 0i64..90, any::<bool>(), 0u8..12);
    let exchange = (record(), change).prop_map(|(record, (how, flags, length, near, large))| {
        let mut answer = reply(&record);
        answer.bytes = record.bytes * 3 + 7;
        answer.packets = record.packets + 1;
        match how {
            0 => answer.start += 1,
            1 => answer.dst_service = some("S3"),
            2 => answer.action = some("REJECT"),
            3..=6 => answer.flags = answer.flags.map(|_| flags),
            _ => {}
        }
        answer.end = answer.start + length;
        match large {
            0 => answer.bytes = (1 << 32) - 1,
            1 => answer.bytes = 1 << 32,
            2 => answer.packets = (1 << 16) - 1,
            3 => answer.packets = 1 << 16,
            _ => {}
        }
        (record, answer, near)
    });
    prop::collection::vec(exchange, 1..most).prop_map(|exchanges| {
        let (mut first, mut later) = (Vec::new(), Vec::new());
        for (record, answer, near) in exchanges {
            first.push(record);
            if near { &mut first } else { &mut later }.push(answer);
        }
        first.append(&mut later);
        first
    })
}

/// Which columns a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub interface: bool,
    pub instance: bool,
    pub packet: bool,
    pub flags: bool,
    pub direction: bool,
}

pub const V2: Shape = Shape { interface: true, instance: false, packet: false, flags: false, direction: false };
pub const V3: Shape = Shape { instance: true, packet: true, flags: true, ..V2 };
pub const V5: Shape = Shape { direction: true, ..V3 };

pub fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        3 => Just(V5),
        2 => Just(V3),
        1 => Just(V2),
        1 => Just(Shape { flags: false, ..V5 }),
        1 => Just(Shape { interface: false, ..V2 }),
    ]
}

/// Writes records as AWS does: `-` for missing text, NULL for missing numbers.
pub fn parquet(records: &[Record], shape: Shape) -> Vec<u8> {
    let text = |pick: &dyn Fn(&Record) -> &Option<String>| -> ArrayRef {
        Arc::new(records.iter().map(|r| Some(pick(r).as_deref().unwrap_or("-"))).collect::<StringArray>())
    };
    let int = |pick: &dyn Fn(&Record) -> Option<i64>| -> ArrayRef {
        Arc::new(records.iter().map(|r| pick(r).filter(|_| !r.is_empty()).map(|n| n as i32)).collect::<Int32Array>())
    };
    let long = |pick: &dyn Fn(&Record) -> Option<i64>| -> ArrayRef {
        Arc::new(records.iter().map(pick).collect::<Int64Array>())
    };
    let mut columns = vec![
        ("account_id", text(&|r| &r.account)),
        ("srcaddr", text(&|r| &r.src)),
        ("dstaddr", text(&|r| &r.dst)),
        ("srcport", int(&|r| Some(r.ports.0))),
        ("dstport", int(&|r| Some(r.ports.1))),
        ("protocol", int(&|r| r.protocol)),
        ("packets", long(&|r| Some(r.packets).filter(|_| !r.is_empty()))),
        ("bytes", long(&|r| Some(r.bytes).filter(|_| !r.is_empty()))),
        ("start", long(&|r| Some(r.start))),
        ("end", long(&|r| Some(r.end))),
        ("action", text(&|r| &r.action)),
        ("log_status", Arc::new(records.iter().map(|r| Some(r.status.as_str())).collect::<StringArray>()) as ArrayRef),
    ];
    if shape.interface {
        columns.push(("interface_id", text(&|r| &r.interface)));
    }
    if shape.instance {
        columns.push(("instance_id", text(&|r| &r.instance)));
        if records.iter().any(|r| r.kind.is_some()) {
            columns.push(("interface_type", text(&|r| &r.kind)));
        }
    }
    if shape.packet {
        columns.push(("pkt_srcaddr", text(&|r| &r.pkt_src)));
        columns.push(("pkt_dstaddr", text(&|r| &r.pkt_dst)));
    }
    if shape.flags {
        columns.push(("tcp_flags", int(&|r| r.flags)));
    }
    if shape.direction {
        columns.push(("flow_direction", text(&|r| &r.direction)));
        columns.push(("pkt_src_aws_service", text(&|r| &r.src_service)));
        columns.push(("pkt_dst_aws_service", text(&|r| &r.dst_service)));
    }
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// RFC 1918 is internal.
pub fn is_internal(address: Address) -> bool {
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].iter().any(|n| n.parse::<Network>().unwrap().contains(address))
}

/// Rolls up the objects of one unit.
pub fn unit(objects: &[Vec<u8>]) -> UnitTables {
    unit_within(objects, Memory::default())
}

/// Rolls up the objects of one unit in as much memory as there is.
pub fn unit_within(objects: &[Vec<u8>], memory: Memory) -> UnitTables {
    unit_read(objects, &(0..objects.len()).collect::<Vec<_>>(), 1, memory)
}

/// Rolls up the objects of one unit in an order of their indices; `together` of them are begun before the first is
/// committed.
pub fn unit_read(objects: &[Vec<u8>], order: &[usize], together: usize, memory: Memory) -> UnitTables {
    unit_of_logs(objects, &[], order, together, memory)
}

/// Rolls up the objects of one unit, each of one of several flow logs.
pub fn unit_of_logs(objects: &[Vec<u8>], logs: &[u32], order: &[usize], together: usize, memory: Memory) -> UnitTables {
    let unit = UnitRollup::within(memory, RollupOptions::default());
    for places in order.chunks(together) {
        let begin = |place: usize| match logs.get(place) {
            Some(log) => unit.object(place).of_flow_log(*log),
            None => unit.object(place),
        };
        let begun: Vec<_> = places.iter().map(|place| (place, begin(*place))).collect();
        for (place, mut records) in begun {
            let bytes = Arc::new(ObjectBytes::Whole(objects[*place].clone().into()));
            let metadata = footer("object", &bytes).unwrap();
            scan("object", &bytes, &metadata, ROLLUP_FIELDS, unit.interners(), |batch| records.add(batch)).unwrap();
            records.commit().unwrap();
        }
    }
    unit.finish(None, Some("eu-central-1"), &is_internal).unwrap()
}

fn maybe(text: String, likely: f64) -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(likely, Just(text))
}

/// Records of few hosts, remotes and ports, so that everything collides.
pub fn record() -> impl Strategy<Value = Record> {
    let ends = (0usize..4, 0usize..5, prop::sample::select(vec![443i64, 50_000, 50_001, 1_050]));
    let ways = (
        prop::sample::select(vec![443i64, 123, 50_000, 13_606]),
        prop::sample::select(vec![6i64, 6, 6, 17, 1]),
        any::<bool>(),
        prop::option::weighted(0.9, prop::sample::select(vec![0i64, 1, 2, 2, 3, 4, 18, 18, 19])),
    );
    let volume = (0i64..60, 0i64..5_000, 0i64..3 * 3_600, prop::sample::select(vec![0i64, 5, 59, 60, 66, 500]));
    let words = (0u8..20, 0u8..20, 0u8..12, maybe("i-1".to_owned(), 0.8), prop::sample::select(vec!["S3", "EC2", "-"]));
    (ends, ways, volume, words).prop_map(|(ends, ways, volume, words)| {
        let (host_at, remote_at, host_port) = ends;
        let (remote_port, protocol, outbound, flags) = ways;
        let (packets, bytes, second, length) = volume;
        let (reject, status, translate, instance, service) = words;
        let host = ["10.0.0.1", "10.0.0.2", "2001:db8::1", "10.0.0.9"][host_at];
        let remote = ["1.1.1.1", "8.8.8.8", "10.0.0.2", "10.0.0.1", "2001:db8::2"][remote_at];
        let (remote_port, host_port) = if protocol == 1 { (0, 0) } else { (remote_port, host_port) };
        let eni = format!("eni-{host_at}");
        let (src, dst) = if outbound {
            ((host, host_port), (remote, remote_port))
        } else {
            ((remote, remote_port), (host, host_port))
        };
        let mut record = Record::new(&eni, src, dst, second).flags(0);
        record.flags = flags.filter(|_| protocol == 6);
        record.protocol = Some(protocol);
        record.instance = instance;
        record.packets = packets;
        record.bytes = bytes;
        record.end = record.start + length;
        if !outbound {
            record = record.ingress();
        }
        if reject == 0 {
            record.action = some("REJECT");
        }
        let service = Some(service.to_owned()).filter(|s| s != "-");
        if outbound {
            record.dst_service = service
        } else {
            record.src_service = service
        }
        match translate {
            0 | 1 if outbound => record.pkt_src = some("10.0.77.7"),
            0 | 1 => record.pkt_dst = some("10.0.77.7"),
            2 => record.pkt_dst = some("9.9.9.9"),
            _ => {}
        }
        match status {
            0 => record.empty("NODATA"),
            1 => record.empty("SKIPDATA"),
            _ => record,
        }
    })
}

pub fn records(most: usize) -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(record(), 1..most)
}
