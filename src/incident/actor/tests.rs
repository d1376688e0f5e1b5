//! The story of a stolen credential, from findings and logs made by hand.

use super::*;
use crate::detect::{Finding, Severity};
use crate::incident::made::{FROM_S, facts, found, with_evidence};
use crate::incident::model::{DeedKind, Incident, LinkKind, NodeClass, TimelineKind};
use crate::incident::weight::Rates;
use crate::incident::{join, timeline};
use access::{Act, ActionClass, Credential, Log, Outcome, PrincipalKind};
use flow::time::{DAY_S, HOUR_S};
use serde_json::json;

const KEY: &str = "AKIA0000000000002345";
const MAKER: &str = "svc-smartsheet";
const CI: &str = "arn:aws:iam::112233445566:user/ci";

/// Findings and logs of one run. Times are seconds of the window.
#[derive(Default)]
struct World {
    findings: Vec<Finding>,
    hours: AccessHours,
    principals: Principals,
    ties: Ties,
}

/// A finding about a principal, or about an address.
fn about(detection: &str, principal: Option<&str>, source: Option<&str>, span_s: (i64, i64)) -> Finding {
    let mut finding = found(detection, "10.0.0.1", None, span_s);
    (finding.host, finding.role, finding.protocol) = (None, None, None);
    finding.subject = format!("{detection} {principal:?} {source:?}");
    (finding.principal, finding.source) = (principal.map(str::to_owned), source.map(str::to_owned));
    finding.explanation = format!("{} did it.", principal.unwrap_or_default());
    finding
}

/// A successful act of a principal.
fn act(log: Log, second: i64, principal: &str, source: &str) -> Act<'static> {
    let mut act = Act::new(log, (FROM_S + second) * 1_000_000);
    (act.principal, act.source) = (principal.to_owned().into(), source.to_owned().into());
    (act.principal_kind, act.outcome) = (PrincipalKind::User, Outcome::Success);
    (act.service, act.action, act.action_class) = ("jira".into(), "view".into(), ActionClass::Read);
    act
}

impl World {
    fn add(&mut self, act: &Act<'_>) -> &mut Self {
        self.hours.add(act);
        self.principals.add(act);
        self.ties.add(act);
        self
    }

    /// People of an office, who come from one address every day.
    fn office(&mut self, source: &str, people: usize) -> &mut Self {
        for person in 0..people {
            self.add(&act(Log::Okta, -5 * DAY_S, &format!("person{person}@example.com"), source));
        }
        self
    }

    fn incidents(&self) -> Vec<Incident> {
        let mut findings = self.findings.clone();
        let facts = facts(Vec::new());
        let accesses = Accesses { hours: &self.hours, principals: &self.principals, ties: &self.ties };
        let is_inside = |_: &HostKey, address: Address| address.to_string().starts_with("10.");
        let identities = accesses.identities();
        let mut actors = actors(&findings, &identities, &is_inside, &facts);
        let told = Told::read(&mut actors, identities, Some(accesses));
        let rates = Rates::default();
        let (mut incidents, _) = join::join(&mut findings, &is_inside, &facts, &rates, (&actors, &told));
        timeline::timelines(&mut incidents, &findings, &facts);
        add_deeds(&mut incidents, &findings, &actors, &told, Some(accesses));
        let of_incidents = findings.iter().filter(|finding| finding.incident_id.is_some());
        assert_eq!(of_incidents.count() as u64, incidents.iter().map(|one| one.findings).sum::<u64>());
        incidents
    }

    fn kinds(&self) -> Vec<LinkKind> {
        self.incidents().iter().flat_map(|one| &one.links).map(|link| link.kind).collect()
    }
}

/// Okta refuses three accounts from one address; a stale key comes from the next address, a service account from a third.
/// It makes a user, who downloads from inside a server, and the server beacons and uploads.
fn story() -> World {
    let mut world = World::default();
    world.office("198.51.100.1", 30);
    let probed = ["svc-smartsheet@example.com", "svc-a@example.com", "svc-b@example.com"];
    for (at, account) in probed.into_iter().enumerate() {
        let second = 100 * at as i64;
        world.findings.push(about("okta_denied", Some(account), Some("203.0.113.21"), (second, second + 50)));
        let mut tried = act(Log::Okta, second, account, "203.0.113.21");
        (tried.outcome, tried.action_class, tried.app) = (Outcome::Denied, ActionClass::Login, "dashboard".into());
        world.add(&tried);
    }
    let mut stale = about("stale_credential", Some(CI), Some("203.0.113.22"), (HOUR_S, HOUR_S + 600));
    stale.credential = Some("2345".to_owned());
    world.findings.push(with_evidence(stale, &[("gap_days", json!(155))]));
    let mut call = act(Log::CloudTrail, HOUR_S, CI, "203.0.113.22");
    (call.credential, call.service) = (Credential::key(KEY.into()), "s3".into());
    world.add(&call);
    // Only the name of the account is known in Jira.
    world.findings.push(about("woken_principal", Some(MAKER), Some("203.0.113.23"), (2 * HOUR_S, 3 * HOUR_S)));
    let mut made = act(Log::AtlassianAudit, 3 * HOUR_S, MAKER, "203.0.113.23");
    (made.action, made.action_class) = ("jira.auditing.user.created".into(), ActionClass::CreateCredential);
    (made.object_kind, made.object) = ("USER".into(), "JMiller2".into());
    world.add(&made);
    let mut taken = about("mass_download", Some("jmiller2"), Some("10.0.40.11"), (5 * HOUR_S, 6 * HOUR_S));
    taken.object = Some("core/core-1".to_owned());
    (taken.host, taken.account_id, taken.region) = ("10.0.40.11".parse().ok(), None, None);
    world.findings.push(with_evidence(taken, &[("repositories", json!(76))]));
    for repository in 0..76 {
        let mut archive = act(Log::BitbucketAccess, 5 * HOUR_S, "jmiller2", "10.0.40.11");
        (archive.service, archive.action_class) = ("bitbucket".into(), ActionClass::Download);
        (archive.object_kind, archive.object) = ("repository".into(), format!("core/core-{repository}").into());
        archive.bytes_out = Some(1_000);
        world.add(&archive);
    }
    world.findings.push(found("beacon", "10.0.40.11", Some(("203.0.114.7", 443)), (4 * HOUR_S, 20 * HOUR_S)));
    world.findings.push(found("bulk_egress", "10.0.40.11", Some(("203.0.114.9", 443)), (9 * HOUR_S, 10 * HOUR_S)));
    world
}

#[test]
fn a_stolen_credential_is_one_incident_from_the_probe_to_the_upload() {
    let incidents = story().incidents();
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    let one = &incidents[0];
    assert_eq!(one.findings, 8);
    assert_eq!((one.severity, one.first_seen_s), (Severity::Critical, FROM_S));
    let names = [CI, "jmiller2", "svc-a@example.com", "svc-b@example.com", "svc-smartsheet@example.com"];
    assert_eq!(one.principals, names);
    assert_eq!(one.hosts.iter().map(|host| host.host.to_string()).collect::<Vec<_>>(), ["10.0.40.11"]);
    let mut kinds: Vec<LinkKind> = one.links.iter().filter(|link| link.in_tree).map(|link| link.kind).collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [LinkKind::Created, LinkKind::FromHost, LinkKind::SameSource, LinkKind::SameSource, LinkKind::SameNetwork,]
    );
    assert_eq!(
        one.title,
        "Okta refused svc-smartsheet@example.com and 2 more from 203.0.113.21; credential …2345 of ci, unused for 155 days, was \
         used from 203.0.113.22; svc-smartsheet@example.com came back from 203.0.113.23; jmiller2 downloaded 76 \
         repositories from 10.0.40.11; 10.0.40.11 calls 203.0.114.7, uploads more than usual"
    );
}

#[test]
fn the_timeline_and_the_graph_tell_what_principals_did() {
    let one = story().incidents().remove(0);
    let kinds: Vec<TimelineKind> = one.timeline.iter().map(|entry| entry.kind).collect();
    for kind in [TimelineKind::AccessDenied, TimelineKind::CredentialUsed, TimelineKind::Download] {
        assert!(kinds.contains(&kind), "{kind:?} is not among {kinds:?}");
    }
    let taken = one.timeline.iter().find(|entry| entry.kind == TimelineKind::Download).unwrap();
    assert_eq!(
        (taken.actor.to_string(), taken.target.as_ref().unwrap().to_string()),
        ("principal:jmiller2".to_owned(), "object:core/core-1".to_owned())
    );
    assert!(taken.query.contains("FROM accesses WHERE principal = "), "{}", taken.query);
    let deed = |kind| one.graph.deeds.iter().filter(move |deed| deed.kind == kind);
    let taken = deed(DeedKind::Downloaded).next().unwrap();
    assert_eq!((taken.to.to_string().as_str(), taken.objects, taken.bytes), ("app:bitbucket", 76, 76_000));
    assert_eq!(deed(DeedKind::Denied).count(), 3);
    assert!(deed(DeedKind::Created).any(|deed| deed.to.to_string() == "principal:jmiller2"));
    assert!(deed(DeedKind::ActedAs).any(|deed| deed.from.to_string() == "credential:…2345 of ci"));
    let text = serde_json::to_string(&one).unwrap();
    assert!(!text.contains(KEY), "{text}");
    assert_eq!(serde_json::from_str::<Incident>(&text).unwrap(), one);
}

#[test]
fn what_was_open_before_is_drawn_apart() {
    let mut world = story();
    let mut before = act(Log::CloudTrail, -3 * DAY_S, CI, "198.51.100.1");
    (before.credential, before.service) = (Credential::key(KEY.into()), "secretsmanager".into());
    world.add(&before);
    let one = world.incidents().remove(0);
    let class = |name: &str| one.graph.things.iter().find(|thing| thing.party.to_string() == name).unwrap().class;
    assert_eq!(class("app:secretsmanager"), NodeClass::Reachable);
    assert_eq!(class("app:s3"), NodeClass::Reached);
    assert_eq!(class("app:dashboard"), NodeClass::Attempted);
    assert_eq!(class("principal:jmiller2"), NodeClass::Involved);
}

#[test]
fn neither_order_nor_split_matters() {
    let whole = story();
    let mut turned = story();
    turned.findings.reverse();
    assert_eq!(whole.incidents(), turned.incidents());
}

#[test]
fn an_office_ties_nobody() {
    let two = |source: &str, people| {
        let mut world = World::default();
        world.office(source, people);
        for person in ["person0@example.com", "person1@example.com"] {
            world.findings.push(about("unusual_access", Some(person), Some(source), (0, HOUR_S)));
        }
        world
    };
    assert_eq!(two("198.51.100.1", 3).kinds()[0], LinkKind::SameSource);
    assert_eq!(two("198.51.100.1", 12).incidents().len(), 2);
    // Nor does a network of many, or what lies months apart.
    let mut apart = two("198.51.100.1", 12);
    apart.findings[1].source = Some("198.51.100.2".to_owned());
    assert_eq!(apart.incidents().len(), 2);
    let mut late = two("198.51.100.1", 3);
    (late.findings[1].first_seen_s, late.findings[1].last_seen_s) = (FROM_S + 20 * DAY_S, FROM_S + 21 * DAY_S);
    assert_eq!(late.incidents().len(), 2);
}

#[test]
fn a_key_chain_ties_whoever_used_its_keys() {
    let role = "arn:aws:sts::112233445566:assumed-role/deploy/x";
    let mut world = World::default();
    world.findings.push(about("stale_credential", Some(CI), Some("203.0.113.22"), (0, 600)));
    world.findings.push(about("unusual_access", Some(role), Some("192.0.2.9"), (700, 900)));
    let mut assume = act(Log::CloudTrail, 100, CI, "203.0.113.22");
    assume.credential = Credential::key(KEY.into());
    assume.child_credential = Credential::key("ASIA0000000000009999".into());
    let mut call = act(Log::CloudTrail, 700, role, "192.0.2.9");
    call.credential = Credential::key("ASIA0000000000009999".into());
    world.add(&assume).add(&call);
    assert_eq!(world.kinds(), [LinkKind::Minted]);
}

#[test]
fn principals_alone_make_an_incident_and_low_ones_none() {
    let mut world = World::default();
    world.findings.push(about("stale_credential", Some(CI), Some("203.0.113.22"), (0, 600)));
    let one = world.incidents().remove(0);
    assert!(one.hosts.is_empty());
    assert_eq!(one.principals, [CI]);
    assert_eq!(one.remotes.iter().map(|remote| remote.address.to_string()).collect::<Vec<_>>(), ["203.0.113.22"]);
    world.findings[0].severity = Severity::Low;
    assert!(world.incidents().is_empty());
}

#[test]
fn a_client_passed_on_to_a_host_that_fell_after_is_of_its_incident() {
    let mut world = World::default();
    world.findings.push(about("unusual_client", None, Some("203.0.113.23"), (0, 600)));
    world.findings.push(found("beacon", "10.0.40.11", Some(("203.0.114.7", 443)), (HOUR_S, 20 * HOUR_S)));
    let mut request = act(Log::Alb, 300, "", "203.0.113.23");
    request.target = "10.0.40.11:8080".into();
    world.add(&request);
    assert_eq!(world.kinds(), [LinkKind::Served]);
    // A sign long before was not made by it.
    world.findings[1].first_seen_s = FROM_S - 2 * DAY_S;
    world.findings[1].last_seen_s = FROM_S - DAY_S;
    assert_eq!(world.incidents().len(), 2);
}
