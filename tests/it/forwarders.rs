//! What hosts do behind a NAT, an appliance or a gateway is found as if nothing were in between.

use std::fs;

use crate::forms::{Names, Variant, aws};
use crate::network::{DAY, HOUR_S, Network};
use corpus::GenerateOptions;

use crate::program::{Corpus, flowsift, scratch, small};
use crate::records::{COLUMNS, Record, Value, text};

/// The forwarder's address on the outside, and on the inside if that has an ENI of its own.
const OUTSIDE: &str = "10.0.200.9";
const INSIDE: &str = "10.0.201.9";

fn at(column: &str) -> usize {
    COLUMNS.iter().position(|name| *name == column).unwrap()
}

fn with(record: &Record, changes: &[(&str, &str)]) -> Record {
    let mut changed = record.clone();
    for (column, value) in changes {
        changed[at(column)] = if *value == "-" { Value::Missing } else { text(value) };
    }
    changed
}

/// A kind of forwarder: its name, its ENIs inside and outside, its instance, whether it translates addresses.
#[derive(Clone, Copy, Debug)]
struct Forwarder {
    interfaces: [&'static str; 2],
    instance: &'static str,
    translates: bool,
}

const NAT_INSTANCE: Forwarder = Forwarder { interfaces: ["eni-nat"; 2], instance: "i-0nat", translates: true };
const NAT_GATEWAY: Forwarder = Forwarder { instance: "-", ..NAT_INSTANCE };
const REGIONAL_GATEWAY: Forwarder = Forwarder { interfaces: ["-"; 2], ..NAT_GATEWAY };
const APPLIANCE: Forwarder = Forwarder { interfaces: ["eni-in", "eni-out"], ..NAT_INSTANCE };
const ROUTER: Forwarder = Forwarder { translates: false, ..APPLIANCE };

impl Forwarder {
    /// The changes of a record on one side, with its addresses and those of its packets.
    fn side<'a>(
        &self,
        interface: &'a str,
        direction: &'a str,
        own: [&'a str; 2],
        packet: [&'a str; 2],
    ) -> Vec<(&'static str, &'a str)>
    where
        Self: 'a,
    {
        let names =
            ["interface_id", "flow_direction", "srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr", "instance_id"];
        names.into_iter().zip([interface, direction, own[0], own[1], packet[0], packet[1], self.instance]).collect()
    }

    /// What the forwarder logs of a record of a host's own ENI: one record on the inside, one on the outside.
    fn records(&self, own: &Record) -> [Record; 2] {
        let egress = own[at("flow_direction")] == text("egress");
        let [inner, outer] = self.interfaces;
        let near = if inner == outer { OUTSIDE } else { INSIDE };
        let word = |column: &str| if let Value::Text(word) = &own[at(column)] { word.clone() } else { String::new() };
        let (src, dst) = (word("srcaddr"), word("dstaddr"));
        // The host's packets come in on the inside and leave on the outside; the replies go the other way.
        let (inside, outside) = if egress {
            let hidden = if self.translates { OUTSIDE } else { &src };
            let inside = self.side(inner, "ingress", [&src, near], [&src, &dst]);
            (inside, self.side(outer, "egress", [OUTSIDE, &dst], [hidden, &dst]))
        } else {
            let hidden = if self.translates { OUTSIDE } else { &dst };
            let inside = self.side(inner, "egress", [near, &dst], [&src, &dst]);
            (inside, self.side(outer, "ingress", [&src, OUTSIDE], [&src, hidden]))
        };
        let (inside, mut outside) = (with(own, &inside), with(own, &outside));
        if self.translates {
            let port = at(if egress { "srcport" } else { "dstport" });
            if let Value::Number(number) = &mut outside[port] {
                *number = 1_024 + *number % 30_000;
            }
        }
        [inside, outside]
    }
}

/// Ten days of a network in which a host begins to beacon and another uploads.
fn network() -> Network {
    let mut network = Network::new(9);
    let day = network.last_day();
    for beat in 0..DAY / 300 {
        let at = day + beat * 300 + network.below(20);
        network.call(7, "192.0.2.77", 443, at, [400, 900]);
    }
    network.call(5, "192.0.2.99", 443, day + 14 * HOUR_S, [4_800_000_000, 4_000_000]);
    network
}

/// The network with its external traffic behind a forwarder, whose ENIs are logged; those of the hosts only if `owned`.
fn behind(forwarder: Forwarder, owned: bool, form: Variant) -> Network {
    let mut network = network();
    network.rewrite(|record| {
        let external = |column: &str| matches!(&record[at(column)], Value::Text(text) if !text.starts_with("10."));
        if !external("srcaddr") && !external("dstaddr") {
            return vec![record];
        }
        let forwarded = forwarder.records(&record);
        if owned { std::iter::once(record).chain(forwarded).collect() } else { forwarded.to_vec() }
    });
    network.form = form;
    network
}

/// Detection, severity, host, remote and port of all findings.
fn findings(network: &Network) -> Vec<String> {
    let line = |finding: &serde_json::Value| {
        ["detection", "severity", "host", "remote", "port"].map(|name| finding[name].to_string()).join(" ")
    };
    let mut lines: Vec<String> = network.findings(&[]).0.iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn findings_behind_a_forwarder_are_those_without_it() {
    let expected = findings(&network());
    for planted in
        ["\"beacon\" \"medium\" \"10.0.0.7\" \"192.0.2.77\"", "\"bulk_egress\" \"high\" \"10.0.0.5\" \"192.0.2.99\""]
    {
        assert!(expected.iter().any(|line| line.starts_with(planted)), "{planted}: {expected:#?}");
    }
    let ocsf = Variant { names: Names::Ocsf, ..aws() };
    let cases = [
        (NAT_INSTANCE, aws()),
        (NAT_GATEWAY, aws()),
        (REGIONAL_GATEWAY, aws()),
        (APPLIANCE, aws()),
        (ROUTER, aws()),
        (NAT_INSTANCE, ocsf.clone()),
        (NAT_GATEWAY, ocsf.clone()),
        (REGIONAL_GATEWAY, ocsf),
    ];
    for (forwarder, form) in cases {
        for owned in [false, true] {
            let seen = findings(&behind(forwarder, owned, form.clone()));
            assert_eq!(seen, expected, "{forwarder:?}, {:?}, the hosts' ENIs logged: {owned}", form.names);
        }
    }
}

/// The answer of a query over one exchange through a forwarder, as CSV without its header.
fn ask(forwarder: Forwarder, form: Variant, sql: &str) -> String {
    let mut network = behind(forwarder, false, form);
    network.rewrite(|record| {
        let about = |text: &str| record.iter().any(|value| *value == Value::Text(text.to_owned()));
        let wanted = about("192.0.2.99");
        if wanted { vec![record] } else { Vec::new() }
    });
    let folder = network.write();
    let ran = flowsift(["sql", folder.path().to_str().unwrap(), "--format", "csv", "-c", sql]).expect(0);
    ran.text().split_once('\n').unwrap().1.trim_end().to_owned()
}

#[test]
fn flows_and_pairs_tell_one_story() {
    let far_ends = Variant { names: Names::OcsfFarEnds, ..aws() };
    let ocsf = Variant { names: Names::Ocsf, ..aws() };
    for (forwarder, form) in [
        (NAT_INSTANCE, aws()),
        (NAT_GATEWAY, aws()),
        (REGIONAL_GATEWAY, aws()),
        (NAT_GATEWAY, ocsf),
        (NAT_GATEWAY, far_ends),
    ] {
        let case = format!("{forwarder:?}, {:?}", form.names);
        let flows = ask(
            forwarder,
            form.clone(),
            "SELECT host, remote, role, sum(bytes) FILTER (WHERE outbound) FROM flows GROUP BY 1, 2, 3 ORDER BY 1",
        );
        let inside = "10.0.0.5,192.0.2.99,client,4800000000";
        assert_eq!(flows, format!("{inside}\n{OUTSIDE},192.0.2.99,client,4800000000"), "{case}");
        let pairs = "SELECT host, remote, role, bytes_out, external FROM pairs WHERE host <> address('10.0.200.9')";
        assert_eq!(ask(forwarder, form, pairs), format!("{inside},true"), "{case}");
    }
}

#[test]
fn an_indicator_behind_a_forwarder_is_one_contact() {
    let folder = scratch();
    let feed = folder.path().join("feed.txt");
    fs::write(&feed, "192.0.2.99\n").unwrap();
    for owned in [false, true] {
        for forwarder in [NAT_INSTANCE, NAT_GATEWAY, APPLIANCE, ROUTER] {
            let found = behind(forwarder, owned, aws()).findings(&["--indicators", feed.to_str().unwrap()]);
            let contacts = found.by("indicator_contact");
            let hosts: Vec<&str> = contacts.iter().map(|finding| finding["host"].as_str().unwrap()).collect();
            assert_eq!(hosts, ["10.0.0.5"], "{forwarder:?}, {owned}");
        }
    }
}

#[test]
fn the_summary_says_where_a_log_cannot_tell_a_forwarder() {
    let version_2 = Variant { columns: crate::records::V2, ..aws() };
    for (form, says) in [(version_2, true), (aws(), false)] {
        let folder = behind(NAT_INSTANCE, false, form).write();
        let ran = flowsift(["detect", folder.path().to_str().unwrap()]).expect(0);
        let text = "seems to forward for others whom the log does not name";
        let outside = format!("{OUTSIDE} {text}");
        assert_eq!(ran.err.contains(text), says, "{}", ran.err);
        assert_eq!(ran.err.contains(&outside), says, "{}", ran.err);
    }
}

#[test]
fn a_nat_instance_and_a_nat_gateway_give_the_same_findings() {
    let [gateway, instance] = [false, true].map(|nat_instances| {
        let corpus = Corpus::generate(GenerateOptions { nat_share: 0.8, nat_instances, ..small() });
        let ran = flowsift(["detect", corpus.source(), "-q", "--min-severity", "informational"]).expect(0);
        ran.text().to_owned()
    });
    assert!(gateway.lines().count() > 10, "{gateway}");
    assert_eq!(instance, gateway);
}
