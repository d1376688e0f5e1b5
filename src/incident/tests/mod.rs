//! Incidents of handmade findings and facts.

mod entries;
mod links;
mod scores;
mod stories;

use super::actor::Told;
use super::facts::{Facts, HostKey, PairFact, Place};
use super::made::found;
use super::model::Incident;
use super::notes::IncidentNotes;
use super::weight::Rates;
use crate::detect::{Finding, Severity, Subject};
use flow::Address;
use flow::codes::{Role, TCP};
use flow::time::{DAY_S, HOUR_S};
use rollup::window::Window;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// First second of the window, which is a day long.
const FROM_S: i64 = 20 * DAY_S;

/// Findings and facts of one run. Times are minutes of the window.
struct World {
    findings: Vec<Finding>,
    facts: Facts,
    account: &'static str,
    region: &'static str,
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn at(minute: i64) -> i64 {
    FROM_S + 60 * minute
}

impl World {
    fn new(history_hours: i64) -> Self {
        let window = Window { from_s: FROM_S, to_s: FROM_S + DAY_S, baseline_from_s: FROM_S - history_hours * HOUR_S };
        Self { findings: Vec::new(), facts: Facts::new(window, 1_000), account: "1", region: "eu-west-1" }
    }

    /// The world goes on in another account.
    fn account(&mut self, account: &'static str) -> &mut Self {
        self.account = account;
        self
    }

    fn key(&self, host: &str) -> HostKey {
        HostKey { account_id: self.account.to_owned(), region: self.region.to_owned(), address: address(host) }
    }

    /// Notes that a host is logged.
    fn log(&mut self, host: &str) -> HostKey {
        let key = self.key(host);
        let places = self.facts.places.entry(key.address).or_default();
        if !places.iter().any(|place| place.host == key) {
            places.push(Place { host: key.clone(), interface_id: None, instance_id: None, vpc_id: None });
            places.sort_by(|a, b| a.host.cmp(&b.host));
        }
        key
    }

    fn find(
        &mut self,
        detection: &str,
        severity: Severity,
        host: &str,
        remote: &str,
        minutes: (i64, i64),
    ) -> &mut Finding {
        self.log(host);
        let (host, remote) = (address(host), remote.parse().ok());
        let subject = Subject {
            detection,
            account_id: Some(self.account),
            region: Some(self.region),
            host: Some(host),
            remote,
            role: Some(Role::Client),
            ..Subject::default()
        };
        self.findings.push(Finding {
            id: subject.id(FROM_S, FROM_S + DAY_S),
            subject: subject.hash(),
            severity,
            account_id: Some(self.account.to_owned()),
            region: Some(self.region.to_owned()),
            host: Some(host),
            remote,
            port: Some(443),
            first_seen_s: at(minutes.0),
            last_seen_s: at(minutes.1),
            window_start_s: FROM_S,
            window_end_s: FROM_S + DAY_S,
            techniques: vec!["T1071".to_owned()],
            explanation: String::new(),
            coverage: Some(0.9),
            ..found(detection, "10.0.0.1", None, (0, 0))
        });
        self.findings.last_mut().unwrap()
    }

    /// A beacon of severity high, from a minute on.
    fn beacon(&mut self, host: &str, remote: &str, minute: i64) -> &mut Finding {
        self.find("beacon", Severity::High, host, remote, (minute, 1_430))
    }

    /// An answered session between two inside hosts, as both logs have it: new in the window.
    fn session(&mut self, from: &str, to: &str, port: u16, minute: i64) -> Session<'_> {
        let (a, b) = (self.log(from), self.log(to));
        let client = PairFact {
            host: a.clone(),
            remote: b.address,
            port,
            protocol: TCP,
            role: Role::Client,
            external: false,
            connections: 1,
            records: 4,
            rejected: 0,
            bytes_out: 4_000,
            bytes_in: 9_000,
            packets_in: 20,
            first_seen_s: at(minute),
            last_seen_s: at(minute) + 300,
            longest_s: 300,
            active_hours: 1,
            first_contact: self.facts.window.first_contact(false),
            baseline_bytes_out: Some(0),
            baseline_hours: Some(0),
            baseline_first_seen_s: None,
            prevalence_hosts: 1,
            window_s: 60,
            starts_s: Vec::new(),
        };
        let server = PairFact {
            host: b.clone(),
            remote: a.address,
            role: Role::Server,
            bytes_out: client.bytes_in,
            bytes_in: client.bytes_out,
            ..client.clone()
        };
        self.facts.pairs.entry(a).or_default().push(client);
        self.facts.pairs.entry(b).or_default().push(server);
        Session { world: self, from: address(from), to: address(to), port }
    }

    /// A host that calls an outside remote, as its pairs have it.
    fn call(&mut self, host: &str, remote: &str, prevalence_hosts: u64, minute: i64) {
        self.session(host, "10.255.0.1", 443, minute);
        let key = self.key(host);
        let pair = self.facts.pairs.get_mut(&key).unwrap().last_mut().unwrap();
        (pair.remote, pair.external, pair.prevalence_hosts) = (address(remote), true, prevalence_hosts);
    }

    fn join(&self) -> (Vec<Incident>, IncidentNotes, Vec<Finding>) {
        let mut findings = self.findings.clone();
        let internal = crate::intel::InternalNetworks::default();
        let is_inside = |_: &HostKey, remote: Address| internal.contains(remote);
        let (incidents, notes) = super::join::join(
            &mut findings,
            &is_inside,
            &self.facts,
            &Rates::default(),
            (&BTreeMap::new(), &Told::default()),
        );
        (incidents, notes, findings)
    }

    /// The hosts of each incident, in the order of the incidents' first hosts.
    fn groups(&self) -> Vec<Vec<String>> {
        let mut groups: Vec<Vec<String>> = self.join().0.iter().map(hosts_of).collect();
        groups.sort();
        groups
    }

    fn are_one(&self) -> bool {
        self.groups().len() == 1
    }
}

/// Both sides of a session.
struct Session<'a> {
    world: &'a mut World,
    from: Address,
    to: Address,
    port: u16,
}

impl Session<'_> {
    fn each(self, change: impl Fn(&mut PairFact)) -> Self {
        for pair in self.world.facts.pairs.values_mut().flatten() {
            let ends = [pair.host.address, pair.remote];
            if pair.port == self.port && (ends == [self.from, self.to] || ends == [self.to, self.from]) {
                change(pair);
            }
        }
        self
    }

    /// The history has it since so many hours before the window, so that it is a habit.
    fn habitual(self, hours: i64) -> Self {
        self.each(|pair| {
            pair.first_contact = Some(false);
            pair.baseline_hours = Some(10);
            pair.baseline_first_seen_s = Some(FROM_S - hours * HOUR_S);
        })
    }
}

fn hosts_of(incident: &Incident) -> Vec<String> {
    incident.hosts.iter().map(|host| host.host.to_string()).collect()
}

fn evidence(finding: &mut Finding, name: &str, value: impl Into<Value>) {
    finding.evidence.insert(name.to_owned(), value.into());
}
