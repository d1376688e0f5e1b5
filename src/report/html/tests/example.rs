//! Incidents by hand: an intrusion over four hosts, and one that a person closed.

use crate::detect::Severity;
use crate::incident::model::{
    Change, ClosedReason, Edge, Graph, HostPart, Incident, IncidentHost, IncidentRemote, Link, LinkKind, Node,
    NodeClass, RemotePart, Stage, Status, Tactic, TimelineEntry, TimelineKind,
};
use flow::Address;
use flow::time::{DAY_S, HOUR_S};

/// First second of the window: 2024-04-19.
pub(super) const FROM_S: i64 = 1_713_484_800;

pub(super) const WEB: &str = "10.0.57.128";
pub(super) const APP: &str = "10.0.28.247";
const JUMP: &str = "10.0.3.9";
const STORE: &str = "2600:1f18:1234:5600:abcd:ef01:2345:6789";
pub(super) const CONTROLLER: &str = "103.6.160.233";
pub(super) const DROP: &str = "185.251.219.185";

pub(super) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// A second of the window, by hours and minutes.
pub(super) fn at(hour: i64, minute: i64) -> i64 {
    FROM_S + hour * HOUR_S + minute * 60
}

fn host(text: &str, part: HostPart, since_s: i64) -> IncidentHost {
    IncidentHost {
        host: address(text),
        account_id: Some("111122223333".to_owned()),
        region: Some("eu-central-1".to_owned()),
        vpc_id: Some("vpc-0123456789abcdef0".to_owned()),
        interface_id: Some(format!("eni-{:017x}", since_s)),
        instance_id: (part != HostPart::Pivot).then(|| format!("i-{:017x}", since_s)),
        part,
        since_s,
    }
}

fn entry(
    (time_s, end_s): (i64, i64),
    kind: TimelineKind,
    (actor, target, port): (&str, Option<&str>, Option<u16>),
    tactic: Option<Tactic>,
    text: &str,
) -> TimelineEntry {
    let bytes = matches!(kind, TimelineKind::Upload | TimelineKind::InsidePull).then_some(5_300_000_000);
    let query = format!(
        "flowsift query flows_between SOURCE --param host={actor} --from {} --to {}",
        flow::time::rfc3339(time_s),
        flow::time::rfc3339(end_s + 1)
    );
    let (actor, target) = (address(actor), target.map(address));
    TimelineEntry {
        time_s,
        end_s,
        kind,
        actor: actor.into(),
        target: target.map(Into::into),
        port,
        tactic,
        bytes,
        subject: None,
        text: text.to_owned(),
        query,
    }
}

fn timeline() -> Vec<TimelineEntry> {
    use Tactic::{Collection, CommandAndControl, Discovery, Exfiltration, LateralMovement};
    use TimelineKind as Kind;
    let c2 = Some(CommandAndControl);
    vec![
        entry(
            (at(0, 31), at(0, 31)),
            Kind::FirstContact,
            (WEB, Some(CONTROLLER), Some(443)),
            c2,
            "10.0.57.128 met 103.6.160.233 for the first time in 14 days.",
        ),
        entry(
            (at(0, 31), at(0, 31)),
            Kind::CadenceBegins,
            (WEB, Some(CONTROLLER), Some(443)),
            c2,
            "10.0.57.128 calls 103.6.160.233 every 1 m 14 s ± 17 %.",
        ),
        entry(
            (at(3, 32), at(4, 57)),
            Kind::Sweep,
            (WEB, None, Some(22)),
            Some(Discovery),
            "10.0.57.128 tried tcp port 22 of 61 addresses within 1 h 25 m; 60 never answered.",
        ),
        entry(
            (at(4, 20), at(4, 50)),
            Kind::Guessing,
            (WEB, Some(APP), Some(22)),
            Some(Tactic::CredentialAccess),
            "10.0.57.128 opened 412 short sessions to 10.0.28.247 port 22.",
        ),
        entry(
            (at(5, 2), at(5, 40)),
            Kind::SessionAfterGuessing,
            (WEB, Some(APP), Some(22)),
            Some(LateralMovement),
            "10.0.57.128 held a session of 38 m to 10.0.28.247 port 22, right after guessing.",
        ),
        entry(
            (at(5, 30), at(5, 30)),
            Kind::CadenceBegins,
            (APP, Some(CONTROLLER), Some(443)),
            c2,
            "10.0.28.247 calls 103.6.160.233 every 1 m 15 s ± 17 %.",
        ),
        entry(
            (at(6, 10), at(6, 12)),
            Kind::InsideSession,
            (APP, Some(JUMP), Some(3389)),
            Some(LateralMovement),
            "10.0.28.247 opened port 3389 of 10.0.3.9 for the first time.",
        ),
        entry(
            (at(6, 40), at(7, 5)),
            Kind::InsideSession,
            (JUMP, Some(STORE), Some(5432)),
            Some(LateralMovement),
            "10.0.3.9 opened port 5432 of the database host for the first time.",
        ),
        entry(
            (at(7, 0), at(8, 0)),
            Kind::InsidePull,
            (APP, Some(STORE), Some(5432)),
            Some(Collection),
            "10.0.28.247 pulled 5.3 GB, 400 times as much as on other days.",
        ),
        entry(
            (at(8, 0), at(9, 0)),
            Kind::Upload,
            (APP, Some(DROP), Some(443)),
            Some(Exfiltration),
            "10.0.28.247 sent 5.3 GB in one hour; most of it to 185.251.219.185.",
        ),
        entry(
            (at(8, 30), at(9, 30)),
            Kind::Finding,
            (APP, Some(DROP), Some(443)),
            Some(Exfiltration),
            "10.0.28.247 sent 5.3 GB to 1 rare remote and got 2.1 MB back.",
        ),
        entry(
            (at(9, 0), at(21, 0)),
            Kind::LogGap,
            (JUMP, None, None),
            Some(Tactic::DefenseEvasion),
            "The flow log of eni-1 ends at 09:00.",
        ),
        entry(
            (at(18, 4), at(18, 4)),
            Kind::CadenceEnds,
            (WEB, Some(CONTROLLER), Some(443)),
            c2,
            "10.0.57.128 stops calling 103.6.160.233.",
        ),
    ]
}

fn node(text: &str, class: NodeClass, rank: f64, hops: u8) -> Node {
    let clients = (class == NodeClass::Shared).then_some(812);
    Node { address: address(text), class, rank, hops, reached_at_s: at(5, 45), clients }
}

fn edge((from, to): (&str, &str), port: u16, bytes_in: u64, is_new: Option<bool>, answered: bool) -> Edge {
    let (from, to, first_seen_s) = (address(from), address(to), at(5, 45));
    Edge { from, to, port, protocol: 6, first_seen_s, connections: 12, bytes_out: 40_000, bytes_in, is_new, answered }
}

fn graph() -> Graph {
    let mut nodes = vec![
        node(WEB, NodeClass::Involved, 0.0, 0),
        node(APP, NodeClass::Involved, 0.0, 0),
        node(JUMP, NodeClass::Involved, 0.0, 0),
        node(STORE, NodeClass::Involved, 0.0, 0),
        node("198.51.100.23", NodeClass::Upstream, 0.0, 0),
        node("10.0.53.45", NodeClass::Reached, 7.2, 1),
        node("10.0.84.7", NodeClass::Reached, 3.1, 1),
        node("10.0.9.77", NodeClass::Attempted, 1.0, 1),
        node("10.0.0.2", NodeClass::Shared, 0.0, 1),
        node("10.0.0.3", NodeClass::Shared, 0.0, 1),
        node("10.0.53.99", NodeClass::Reached, 2.4, 2),
    ];
    let mut edges = vec![
        edge(("198.51.100.23", WEB), 443, 90_000, Some(true), true),
        edge((WEB, CONTROLLER), 443, 900_000, Some(true), true),
        edge((APP, CONTROLLER), 443, 700_000, Some(true), true),
        edge((APP, DROP), 443, 2_100_000, Some(true), true),
        edge((WEB, APP), 22, 3_000_000, Some(true), true),
        edge((APP, JUMP), 3389, 8_000_000, Some(true), true),
        edge((JUMP, STORE), 5432, 1_000_000, Some(true), true),
        edge((APP, STORE), 5432, 5_300_000_000, Some(false), true),
        edge((APP, "10.0.53.45"), 5432, 5_250_000_000, Some(true), true),
        edge((APP, "10.0.84.7"), 873, 210_000_000, Some(false), true),
        edge((WEB, "10.0.9.77"), 22, 0, Some(true), false),
        edge((WEB, "10.0.0.2"), 53, 8_000, Some(false), true),
        edge((APP, "10.0.0.3"), 389, 8_000, Some(false), true),
        edge(("10.0.53.45", "10.0.53.99"), 0, 8_000, None, true),
    ];
    for last in 1..=16 {
        let text = format!("10.0.60.{last}");
        nodes.push(node(&text, NodeClass::Reached, 0.5, 1));
        edges.push(edge((APP, &text), 9200, 1_000 * last, Some(false), true));
    }
    let left_out = [("edges".to_owned(), 41), ("nodes".to_owned(), 3)].into();
    Graph { nodes, edges, left_out, ..Graph::default() }
}

/// The intrusion.
pub(super) fn intrusion() -> Incident {
    let stage = |tactic, first_seen_s, last_seen_s, techniques: &[&str]| Stage {
        tactic,
        first_seen_s,
        last_seen_s,
        techniques: techniques.iter().map(|text| (*text).to_owned()).collect(),
        subjects: vec!["s1".to_owned()],
    };
    let link = |kind, from: &str, to: &str, strength, at_s, in_tree, explanation: &str| Link {
        kind,
        from: address(from).into(),
        to: address(to).into(),
        strength,
        at_s,
        in_tree,
        explanation: explanation.to_owned(),
    };
    Incident {
        schema_version: 1,
        id: "6f1d8c0a5b3e4c7d9a2b1f0e8d7c6b5a".to_owned(),
        revision: 3,
        status: Status::Open,
        closed_reason: None,
        merged_into: None,
        change: Change::Extended,
        title: "10.0.57.128 calls 103.6.160.233, entered 10.0.28.247 and 2 more, 5.3 GB left".to_owned(),
        severity: Severity::Critical,
        score: 13.4,
        expected_per_day: 4.0e-10,
        hosts: vec![
            host(WEB, HostPart::First, at(0, 31)),
            host(APP, HostPart::Compromised, at(5, 2)),
            host(JUMP, HostPart::Pivot, at(6, 10)),
            host(STORE, HostPart::Target, at(6, 40)),
        ],
        remotes: vec![
            IncidentRemote {
                address: address(CONTROLLER),
                port: Some(443),
                part: RemotePart::Controller,
                owner: Some("Example Hosting Ltd.".to_owned()),
                prevalence_hosts: Some(2),
            },
            IncidentRemote {
                address: address(DROP),
                port: Some(0),
                part: RemotePart::Drop,
                owner: None,
                prevalence_hosts: None,
            },
        ],
        principals: vec!["arn:aws:iam::111122223333:role/app".to_owned()],
        first_seen_s: at(0, 31),
        last_seen_s: at(23, 50),
        opened_at_s: FROM_S + DAY_S,
        updated_at_s: FROM_S + DAY_S,
        stages: vec![
            stage(Tactic::CommandAndControl, at(0, 31), at(23, 50), &["T1071", "T1573"]),
            stage(Tactic::Discovery, at(3, 32), at(4, 57), &["T1046"]),
            stage(Tactic::LateralMovement, at(5, 2), at(7, 5), &[]),
            stage(Tactic::Exfiltration, at(8, 0), at(9, 30), &["T1041", "T1048"]),
        ],
        subjects: vec!["s1".to_owned(), "s2".to_owned(), "s3".to_owned()],
        findings: 3,
        links: vec![
            link(
                LinkKind::Lateral,
                WEB,
                APP,
                3.5,
                at(5, 2),
                true,
                "10.0.57.128 guessed on port 22 of 10.0.28.247, then held a session; the two had not met in 14 days.",
            ),
            link(
                LinkKind::Bridge,
                APP,
                STORE,
                1.9,
                at(6, 40),
                true,
                "10.0.28.247 entered 10.0.3.9 over port 3389, which 30 m later opened port 5432 for the first time.",
            ),
            link(
                LinkKind::SameRemote,
                WEB,
                APP,
                2.7,
                at(5, 30),
                false,
                "Both call 103.6.160.233, which no other host calls.",
            ),
        ],
        timeline: timeline(),
        graph: graph(),
        related: vec!["0a1b2c3d4e5f60718293a4b5c6d7e8f9".to_owned()],
        coverage: Some(0.71),
    }
}

/// A small one that a person closed.
fn closed() -> Incident {
    Incident {
        id: "11111111222222223333333344444444".to_owned(),
        status: Status::Closed,
        closed_reason: Some(ClosedReason::FalsePositive),
        change: Change::Closed,
        title: "10.0.9.9 calls 192.0.2.9".to_owned(),
        severity: Severity::Low,
        score: 2.6,
        hosts: vec![host("10.0.9.9", HostPart::First, at(2, 0))],
        remotes: Vec::new(),
        subjects: vec!["s9".to_owned()],
        links: Vec::new(),
        timeline: Vec::new(),
        stages: Vec::new(),
        graph: Graph::default(),
        related: Vec::new(),
        principals: Vec::new(),
        coverage: None,
        ..intrusion()
    }
}

/// The incidents of the page.
pub(super) fn incidents() -> Vec<Incident> {
    vec![intrusion(), closed()]
}
