//! A small monitored network as flow records, to which a test adds what it wants to be found, or not.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::forms::{Variant, aws, write};
use crate::program::{flowsift, scratch};
use crate::records::{COLUMNS, DAY_S, Flow, Record, records_of, silent, text};

pub const HOUR_S: i64 = 3_600;
pub const DAY: i64 = 24 * HOUR_S;

/// Hosts of the network: 10.0.0.1 to 10.0.0.20.
pub const HOSTS: u32 = 20;

/// Region of the network, unless a test says otherwise.
const HOME: &str = "eu-west-1";

/// Records in the making.
pub struct Network {
    records: Vec<Record>,
    days: i64,
    next_port: i64,
    state: u64,
    /// Region of the records that are added; each has ENIs of its own and the same addresses.
    pub region: &'static str,
    /// Physical form of the records.
    pub form: Variant,
}

impl Network {
    /// Everyday traffic of all hosts over so many days: a shared service, a service of the host's own and a database.
    pub fn new(days: i64) -> Self {
        let mut network = Self { records: Vec::new(), days, next_port: 0, state: 11, region: HOME, form: aws() };
        for hour in 0..days * 24 {
            for host in 1..=HOSTS {
                let own = format!("198.51.100.{host}");
                for (remote, port, bytes) in [
                    ("203.0.113.10", 443, [2_000, 9_000]),
                    (&own, 443, [900, 4_000]),
                    ("10.0.0.20", 5_432, [700, 3_000]),
                ] {
                    if port == 5_432 && (hour + i64::from(host)) % 6 > 0 {
                        continue;
                    }
                    let at = hour * HOUR_S + network.below(3_500);
                    let more = network.below(500);
                    network.call(host, remote, port, at, [bytes[0] + more, bytes[1] + 3 * more]);
                }
            }
        }
        network
    }

    /// A number from 0 to below `limit`, the same in every run.
    pub fn below(&mut self, limit: i64) -> i64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as i64 % limit
    }

    /// Adds a flow; where no bytes came back there is no record of them either.
    pub fn add(&mut self, flow: &Flow) {
        let way = |bytes: i64| bytes > 0;
        let [mut out, mut back] = records_of(flow);
        if self.region != HOME {
            let place = |name: &str| COLUMNS.iter().position(|column| *column == name).unwrap();
            for record in [&mut out, &mut back] {
                record[place("region")] = text(self.region);
                record[place("interface_id")] = text(&format!("eni-{}-{}", self.region, flow.host));
            }
        }
        self.records.extend(way(flow.bytes[0]).then_some(out));
        self.records.extend(way(flow.bytes[1]).then_some(back));
    }

    /// Gives the ENI of a host another name in all records so far.
    pub fn rename_interface(&mut self, host: u32, name: &str) {
        let place = COLUMNS.iter().position(|column| *column == "interface_id").unwrap();
        let old = text(&format!("eni-{host:017x}"));
        self.records.iter_mut().filter(|record| record[place] == old).for_each(|record| record[place] = text(name));
    }

    /// A flow of a second that a host opens, `at` seconds after the network's first.
    pub fn flow(&mut self, host: u32, remote: &str, port: i64, at: i64, bytes: [i64; 2]) -> Flow {
        self.next_port = (self.next_port + 1) % 28_000;
        Flow {
            host,
            remote: remote.to_owned(),
            client_port: 32_768 + self.next_port,
            port,
            protocol: 6,
            start_s: DAY_S + at,
            length_s: 1,
            bytes,
            flags: [3, 19],
            rejected: false,
            service: "",
        }
    }

    /// A host calls a remote over TCP.
    pub fn call(&mut self, host: u32, remote: &str, port: i64, at: i64, bytes: [i64; 2]) {
        let flow = self.flow(host, remote, port, at, bytes);
        self.add(&flow);
    }

    /// A host asks a remote over UDP.
    pub fn ask(&mut self, host: u32, remote: &str, port: i64, at: i64, bytes: [i64; 2]) {
        let flow = Flow { protocol: 17, ..self.flow(host, remote, port, at, bytes) };
        self.add(&flow);
    }

    /// A remote calls a service of a host; `bytes` are the host's and the remote's.
    pub fn serve(&mut self, host: u32, remote: &str, port: i64, at: i64, bytes: [i64; 2]) {
        let flow = self.flow(host, remote, port, at, bytes);
        let flow = Flow { client_port: port, port: flow.client_port, flags: [19, 3], ..flow };
        self.add(&flow);
    }

    /// A host's call is rejected by its own network's rules.
    pub fn refuse(&mut self, host: u32, remote: &str, port: i64, at: i64) {
        let flow = Flow { rejected: true, flags: [2, 0], ..self.flow(host, remote, port, at, [60, 0]) };
        self.add(&flow);
    }

    /// AWS loses the records of a host's window.
    pub fn lose(&mut self, host: u32, at: i64) {
        self.records.push(silent(host, DAY_S + at, "SKIPDATA"));
    }

    /// Replaces every record by others.
    pub fn rewrite(&mut self, change: impl FnMut(Record) -> Vec<Record>) {
        self.records = std::mem::take(&mut self.records).into_iter().flat_map(change).collect();
    }

    /// First second of the last day.
    pub fn last_day(&self) -> i64 {
        (self.days - 1) * DAY
    }

    /// Writes the records as one file in a folder of its own.
    pub fn write(&self) -> TempDir {
        self.write_fields(self.form.columns)
    }

    /// Writes the first so many fields of the records.
    fn write_fields(&self, columns: usize) -> TempDir {
        let folder = scratch();
        let form = Variant { columns, ..self.form };
        fs::write(folder.path().join("flows.parquet"), write(&self.records, &form)).unwrap();
        folder
    }

    /// All findings of the last day, judged against the days before.
    pub fn findings(&self, more: &[&str]) -> Found {
        self.findings_with(more, 0)
    }

    /// What [`Network::findings`] returns, of a run that ends with this code.
    pub fn findings_with(&self, more: &[&str], code: i32) -> Found {
        let from = chrono::DateTime::from_timestamp(DAY_S + self.last_day(), 0).unwrap();
        let from = from.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let options = [&["--from", &from, "--baseline", "60d"], more].concat();
        self.run(COLUMNS.len(), &options, code)
    }

    /// All findings with these options.
    pub fn findings_of(&self, options: &[&str]) -> Found {
        self.findings_of_fields(COLUMNS.len(), options)
    }

    /// All findings where only the first so many fields are logged.
    pub fn findings_of_fields(&self, columns: usize, options: &[&str]) -> Found {
        self.run(columns, options, 0)
    }

    fn run(&self, columns: usize, options: &[&str], code: i32) -> Found {
        let folder = self.write_fields(columns);
        let source = folder.path().to_str().unwrap();
        let args = [&["detect", source, "-q", "--min-severity", "informational"], options].concat();
        Found(flowsift(args).expect(code).findings())
    }
}

/// The address of a host.
pub fn host(number: u32) -> String {
    format!("10.0.0.{number}")
}

/// Findings of a run.
pub struct Found(pub Vec<Value>);

impl Found {
    /// Those of one detection.
    pub fn by(&self, detection: &str) -> Vec<&Value> {
        self.0.iter().filter(|finding| finding["detection"] == detection).collect()
    }

    /// Severity, host, remote and port of the findings of one detection, sorted.
    #[track_caller]
    pub fn expect(&self, detection: &str, expected: &[&str]) {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let line = |f: &&Value| {
            let fields = ["severity", "host", "remote", "port"].map(|name| text(&f[name]));
            fields.join(" ").replace(" null", " -")
        };
        let mut found: Vec<String> = self.by(detection).iter().map(line).collect();
        found.sort();
        assert_eq!(found, expected, "{detection}: {:#?}", self.by(detection));
    }

    /// Severity and detection of all findings of at least low severity about a host.
    pub fn about(&self, host: &str) -> Vec<String> {
        let some = self.0.iter().filter(|f| f["host"] == host && f["severity"] != "informational");
        some.map(|f| format!("{} {}", f["severity"].as_str().unwrap(), f["detection"].as_str().unwrap())).collect()
    }
}
