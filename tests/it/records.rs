//! One set of flow records, free of any physical form.

/// A value of a record: text, number or missing.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Number(i64),
    Missing,
}

use Value::{Missing, Number};

pub fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// Names of the logical columns, AWS's own.
pub const COLUMNS: &[&str] = &[
    "version",
    "account_id",
    "interface_id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log_status",
    "vpc_id",
    "subnet_id",
    "instance_id",
    "tcp_flags",
    "type",
    "pkt_srcaddr",
    "pkt_dstaddr",
    "region",
    "az_id",
    "pkt_src_aws_service",
    "pkt_dst_aws_service",
    "flow_direction",
    "traffic_path",
];

/// Columns of version 2.
pub const V2: usize = 14;

pub type Record = Vec<Value>;

/// The records of one ENI's window without traffic or with traffic lost.
pub fn silent(host: u32, start_s: i64, status: &str) -> Record {
    let interface = format!("eni-{host:017x}");
    COLUMNS
        .iter()
        .map(|column| match *column {
            "version" => Number(5),
            "account_id" => text("000123456789"),
            "interface_id" => text(&interface),
            "start" => Number(start_s),
            "end" => Number(start_s + 59),
            "log_status" => text(status),
            "vpc_id" => text("vpc-0a"),
            "subnet_id" => text("subnet-0b"),
            "region" => text("eu-west-1"),
            "az_id" => text("euw1-az1"),
            _ => Missing,
        })
        .collect()
}

/// One flow as two records, one each way.
pub struct Flow {
    pub host: u32,
    pub remote: String,
    pub client_port: i64,
    pub port: i64,
    pub protocol: i64,
    pub start_s: i64,
    pub length_s: i64,
    pub bytes: [i64; 2],
    pub flags: [i64; 2],
    pub rejected: bool,
    pub service: &'static str,
}

pub fn records_of(flow: &Flow) -> [Record; 2] {
    let host = if flow.remote.contains(':') { format!("fd00::{}", flow.host) } else { format!("10.0.0.{}", flow.host) };
    let interface = format!("eni-{:017x}", flow.host);
    let instance = format!("i-{:017x}", flow.host);
    [0, 1].map(|way| {
        let out = way == 0;
        let pick = |a: Value, b: Value| if out { a } else { b };
        let [src, dst] = if out { [&host, &flow.remote] } else { [&flow.remote, &host] };
        COLUMNS
            .iter()
            .map(|column| match *column {
                "srcaddr" | "pkt_srcaddr" => text(src),
                "dstaddr" | "pkt_dstaddr" => text(dst),
                "srcport" => pick(Number(flow.client_port), Number(flow.port)),
                "dstport" => pick(Number(flow.port), Number(flow.client_port)),
                "protocol" => Number(flow.protocol),
                "packets" => Number(flow.bytes[way] / 500 + 1),
                "bytes" => Number(flow.bytes[way]),
                "start" => Number(flow.start_s),
                "end" => Number(flow.start_s + flow.length_s),
                "action" => text(if flow.rejected { "REJECT" } else { "ACCEPT" }),
                "log_status" => text("OK"),
                "instance_id" => text(&instance),
                "interface_id" => text(&interface),
                "tcp_flags" if flow.protocol == 6 => Number(flow.flags[way]),
                "tcp_flags" => Number(0),
                "type" => text(if src.contains(':') { "IPv6" } else { "IPv4" }),
                "pkt_src_aws_service" if !out && !flow.service.is_empty() => text(flow.service),
                "pkt_dst_aws_service" if out && !flow.service.is_empty() => text(flow.service),
                "flow_direction" => text(if out { "egress" } else { "ingress" }),
                "traffic_path" if out => Number(8),
                "version" => Number(5),
                "account_id" => text("000123456789"),
                "vpc_id" => text("vpc-0a"),
                "subnet_id" => text("subnet-0b"),
                "region" => text("eu-west-1"),
                "az_id" => text("euw1-az1"),
                _ => Missing,
            })
            .collect()
    })
}

/// 2024-04-19T00:00:00Z.
pub const DAY_S: i64 = 1_713_484_800;

/// About 2,000 records over three hours: beacons, bulk, UDP, IPv6, rejects, long connections, silent windows.
pub fn records() -> Vec<Record> {
    let mut seed = 7u64;
    let mut random = move |below: u64| -> i64 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 33) % below) as i64
    };
    let mut all = Vec::new();
    for at in 0..900u32 {
        let host = 1 + random(9) as u32;
        let remote = match at % 10 {
            0 => format!("2600:1f18::{:x}", 1 + random(40)),
            1 => format!("10.0.0.{}", 100 + random(20)),
            _ => format!("203.0.113.{}", 1 + random(60)),
        };
        let protocol = if at % 7 == 0 { 17 } else { 6 };
        let flow = Flow {
            host,
            remote,
            client_port: 32_768 + random(28_000),
            port: if protocol == 17 { 123 } else { [443, 443, 80, 8_443][random(4) as usize] },
            protocol,
            start_s: DAY_S + random(3 * 3_600 - 120),
            length_s: random(60),
            bytes: [40 + random(100_000), 40 + random(2_000_000)],
            flags: [2 + random(2), 18 + random(2)],
            rejected: at % 13 == 0,
            service: ["", "", "S3", "EC2"][random(4) as usize],
        };
        all.extend(records_of(&flow));
    }
    // A connection of three hours, minute by minute; its SYN is in the first window only.
    for minute in 0..175 {
        let flow = Flow {
            host: 3,
            remote: "198.51.100.9".to_owned(),
            client_port: 50_123,
            port: 22,
            protocol: 6,
            start_s: DAY_S + 60 * minute,
            length_s: 55,
            bytes: [3_000, 5_000_000_000],
            flags: if minute == 0 { [2, 18] } else { [0, 0] },
            rejected: false,
            service: "",
        };
        all.extend(records_of(&flow));
    }
    for minute in (0..170).step_by(10) {
        all.push(silent(5, DAY_S + 60 * minute, "NODATA"));
        all.push(silent(6, DAY_S + 60 * minute, "SKIPDATA"));
    }
    all
}
