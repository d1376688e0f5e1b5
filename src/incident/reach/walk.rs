//! The walk from the hosts of one incident, hop by hop.

use super::{KnownPairs, MAX_ASKED, MAX_NEW_NODES};
use crate::incident::model::Incident;
use crate::incident::step::{Step, host_key, is_inside_call, is_new};
use crate::incident::{HostKey, PairFact};
use flow::Address;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Nodes of a hop that were tried and did not answer; a sweep has hundreds.
const MAX_ATTEMPTED: usize = 40;

/// A host that habitually opens connections to more inside hosts than this, and than [`WIDE_SHARE`] of all, is followed
/// only along new management paths: scanners, monitoring and deployment reach everyone.
const WIDE_HOSTS: u64 = 100;

/// Bytes of a habitual pair from which its habit is looked up.
const PULLED_BYTES: u64 = 1_000_000;

/// One in so many hosts.
const WIDE_SHARE: u64 = 20;

/// What the walk of one incident found.
pub(super) struct Walk {
    /// The incident's hosts, and when each was compromised or entered.
    pub(super) involved: BTreeMap<HostKey, i64>,
    /// Other hosts, by address.
    pub(super) found: BTreeMap<Address, Found>,
    /// Services that many use, by address.
    pub(super) shared: BTreeMap<Address, Shared>,
    /// The steps between all of them.
    pub(super) steps: Vec<Step>,
    /// What did not fit into the limits.
    pub(super) left_out: BTreeMap<String, u64>,
    /// The hosts whose steps come next.
    frontier: BTreeMap<HostKey, i64>,
    /// Hosts of the last hop whose own pairs tell what they sent before, or who are followed.
    wanted: BTreeSet<HostKey>,
}

/// A host that was reached or tried.
#[derive(Default)]
pub(super) struct Found {
    /// Its steps from a compromised host.
    pub(super) hops: u8,
    /// Whether it answered.
    pub(super) answered: bool,
    /// When it was reached or tried first.
    pub(super) at_s: i64,
    /// The steps to it in the hop that found it.
    pub(super) steps: Vec<Step>,
}

/// A service that many use.
pub(super) struct Shared {
    /// When it was used first.
    pub(super) at_s: i64,
    /// Hosts that use it.
    pub(super) clients: u64,
}

/// Returns the keys of an incident's hosts.
pub(super) fn host_keys(incident: &Incident) -> impl Iterator<Item = HostKey> + Clone + '_ {
    incident.hosts.iter().map(|host| host_key(host.account_id.as_deref(), host.region.as_deref(), host.host))
}

impl Walk {
    /// Begins at the incident's hosts, each at its own first sign, or when another of them entered it before.
    pub(super) fn begin(incident: &Incident, known: &KnownPairs<'_>) -> Self {
        let mut involved: BTreeMap<HostKey, i64> = BTreeMap::new();
        for (key, host) in host_keys(incident).zip(&incident.hosts) {
            let since_s = involved.entry(key).or_insert(host.since_s);
            *since_s = host.since_s.min(*since_s);
        }
        settle_arrivals(&mut involved, known);
        let frontier = involved.clone();
        Self {
            involved,
            found: BTreeMap::new(),
            shared: BTreeMap::new(),
            steps: Vec::new(),
            left_out: BTreeMap::new(),
            frontier,
            wanted: BTreeSet::new(),
        }
    }

    /// Takes the steps of one hop.
    pub(super) fn go(&mut self, hop: u8, known: &KnownPairs<'_>) {
        let facts = known.facts;
        let mut new: BTreeMap<Address, Found> = BTreeMap::new();
        let mut shared = BTreeSet::new();
        for (host, arrival_s) in std::mem::take(&mut self.frontier) {
            let pairs = known.of_host(&host);
            let is_wide = hop > 1 && opens_to_many(pairs, known, arrival_s);
            for step in pairs.iter().filter_map(|pair| Step::after(facts, pair, arrival_s)) {
                let is_involved = self.involved.contains_key(&step.to);
                if step.is_shared() && !is_involved {
                    // Over two hops, nearly every service is used by someone.
                    if hop == 1 {
                        self.use_shared(step);
                    } else {
                        shared.insert((step.to.address, step.port));
                    }
                } else if is_wide && !(step.is_new == Some(true) && step.is_management) {
                    continue;
                } else if is_involved || self.found.contains_key(&step.to.address) {
                    self.steps.push(step);
                } else {
                    new.entry(step.to.address).or_default().add(step, hop);
                }
            }
        }
        shared.retain(|(address, _)| !self.shared.contains_key(address));
        self.leave_out("shared_services", shared.len());
        self.keep(new, hop, known);
    }

    /// Adds the hosts whose pairs the next hop needs, or stops where there would be too many.
    pub(super) fn ask_for(&mut self, asked: &mut BTreeSet<HostKey>) {
        let wanted = std::mem::take(&mut self.wanted);
        if asked.len() + wanted.iter().filter(|host| !asked.contains(*host)).count() <= MAX_ASKED {
            asked.extend(wanted);
        } else {
            self.leave_out("second_hop", self.frontier.len());
            self.frontier.clear();
        }
    }

    /// Counts what a limit leaves out.
    pub(super) fn leave_out(&mut self, name: &str, count: usize) {
        if count > 0 {
            *self.left_out.entry(name.to_owned()).or_default() += count as u64;
        }
    }

    fn use_shared(&mut self, step: Step) {
        let (at_s, clients) = (step.start_s, step.clients);
        let shared = self.shared.entry(step.to.address).or_insert(Shared { at_s, clients });
        shared.at_s = shared.at_s.min(at_s);
        shared.clients = shared.clients.max(clients);
        self.steps.push(step);
    }

    /// Keeps the nodes of a hop that rank highest, and goes on from those to which a path was opened.
    fn keep(&mut self, new: BTreeMap<Address, Found>, hop: u8, known: &KnownPairs<'_>) {
        let mut ranked: Vec<(i64, i64, Address, Found)> = new
            .into_iter()
            .map(|(address, found)| ((found.rank(known) * 1e3).round() as i64, found.at_s, address, found))
            .collect();
        ranked.sort_by_key(|(rank, at_s, address, _)| (Reverse(*rank), *at_s, *address));
        let (mut kept, mut attempted) = (0, 0);
        for (_, _, address, found) in ranked {
            if !found.answered && attempted == MAX_ATTEMPTED {
                self.leave_out("attempted", 1);
                continue;
            }
            if kept == MAX_NEW_NODES {
                self.leave_out("nodes", 1);
                continue;
            }
            kept += 1;
            attempted += usize::from(!found.answered);
            // What a host sent before tells whether a pull is beyond habit.
            let pulled = found.steps.iter().filter(|step| step.is_new == Some(false) && step.bytes_in >= PULLED_BYTES);
            self.wanted.extend(pulled.filter(|step| !step.is_hub).map(|step| step.to.clone()));
            for step in found.steps.iter().filter(|step| step.opens_path() && !step.is_hub) {
                self.wanted.insert(step.to.clone());
                let arrival_s = self.frontier.entry(step.to.clone()).or_insert(step.start_s);
                *arrival_s = step.start_s.min(*arrival_s);
            }
            self.steps.extend(found.steps.iter().cloned());
            debug_assert!(found.hops == hop);
            self.found.insert(address, found);
        }
        // Who also offers a service that many use is drawn once, as what was reached.
        self.shared.retain(|address, _| !self.found.contains_key(address));
    }
}

impl Found {
    fn add(&mut self, step: Step, hop: u8) {
        let is_first = self.steps.is_empty();
        if is_first || (step.answered, -step.start_s) > (self.answered, -self.at_s) {
            self.at_s = step.start_s;
        }
        self.answered |= step.answered;
        self.hops = hop;
        self.steps.push(step);
    }

    /// Returns the highest rank of its steps, halved for each hop after the first.
    pub(super) fn rank(&self, known: &KnownPairs<'_>) -> f64 {
        let (hosts, window) = (known.facts.hosts, known.facts.window);
        let ranks = self.steps.iter().map(|step| step.rank(hosts, || known.of_host(&step.to), window));
        ranks.fold(f64::NEG_INFINITY, f64::max) * 0.5_f64.powi(i32::from(self.hops.max(1)) - 1)
    }
}

/// Moves the arrivals of hosts that another of them entered before their own first sign.
fn settle_arrivals(involved: &mut BTreeMap<HostKey, i64>, known: &KnownPairs<'_>) {
    // Each round settles at least one more host, so there are no more rounds than hosts.
    for _ in 0..involved.len() {
        let entered: Vec<(HostKey, i64)> = involved
            .iter()
            .flat_map(|(host, arrival_s)| {
                let arrival_s = *arrival_s;
                let pairs = known.of_host(host).iter();
                let steps = pairs.filter_map(move |pair| Step::after(known.facts, pair, arrival_s));
                let opened = steps.filter(|step| step.opens_path() && !step.is_shared());
                // Not before the arrival at who entered it, whatever the slack lets pass.
                opened.map(move |step| (step.to, step.start_s.max(arrival_s)))
            })
            .collect();
        let mut moved = false;
        for (host, start_s) in entered {
            if let Some(arrival_s) = involved.get_mut(&host).filter(|arrival_s| start_s < **arrival_s) {
                *arrival_s = start_s;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
}

/// Returns whether a host opens connections to so many inside hosts, by habit, that its steps say nothing.
fn opens_to_many(pairs: &[PairFact], known: &KnownPairs<'_>, arrival_s: i64) -> bool {
    let many = WIDE_HOSTS.max(known.facts.hosts / WIDE_SHARE);
    if pairs.len() as u64 <= many {
        return false;
    }
    let habits = pairs.iter().filter(|pair| is_inside_call(pair));
    let habits = habits.filter(|pair| is_new(pair, arrival_s, known.facts.window) == Some(false));
    let peers: BTreeSet<Address> = habits.map(|pair| pair.remote).collect();
    peers.len() as u64 > many
}
