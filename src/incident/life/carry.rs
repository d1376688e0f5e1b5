//! Carries incidents from the state before a run to the state after it.

use super::closing::{self, Closing};
use super::grow::{Material, grow, hosts_together};
use super::sameness::Marks;
use super::snapshot::Snapshot;
use crate::detect::Severity;
use crate::incident::model::{Change, ClosedReason, Incident, Party, Status, TimelineEntry, TimelineKind};
use crate::incident::{MAX_HOSTS, compare};
use crate::intel::Verdicts;
use flow::fnv::Fnv128;
use flow::time::{DAY_S, rfc3339};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How long an incident that fell silent may be opened again under its id.
const REOPEN_S: i64 = 30 * DAY_S;

/// How long ids that are no longer kept are not given again.
const PAST_S: i64 = 400 * DAY_S;

/// What of a run decides the life of incidents, besides its fresh ones.
#[derive(Debug)]
pub struct CarryRun<'a> {
    /// First second after the window.
    pub to_s: i64,
    /// Incidents without new evidence for so long are closed.
    pub close_after_s: i64,
    /// What people decided.
    pub verdicts: &'a Verdicts,
    /// The subjects of the findings of low severity and above that nothing holds back, each with its last second.
    pub seen: BTreeMap<String, i64>,
    /// The subjects of the findings that an allow-list holds back.
    pub allowed: BTreeSet<String>,
}

/// The state after a run.
#[derive(Debug, Default, PartialEq)]
pub struct Carried {
    /// What the run tells: open incidents, worst first, then those that it closed or merged.
    pub incidents: Vec<Incident>,
    /// What the next run starts from: the above, and what was closed before and may return.
    pub kept: Vec<Incident>,
    /// The id that each fresh incident has by now, by the id that it came with.
    pub ids: BTreeMap<String, String>,
    /// Ids that must not be given again, each with the end of the window of the run that changed it last.
    pub past: BTreeMap<String, i64>,
}

impl Carried {
    /// Returns the ids of open incidents by the subjects that they know; of several that know one, the first.
    #[must_use]
    pub fn ids_by_subject(&self) -> HashMap<&str, &str> {
        let mut ids = HashMap::new();
        for one in self.incidents.iter().filter(|one| one.status == Status::Open) {
            for subject in &one.subjects {
                ids.entry(subject.as_str()).or_insert(one.id.as_str());
            }
        }
        ids
    }

    /// Returns how many incidents the run tells with each change.
    #[must_use]
    pub fn changes(&self) -> BTreeMap<Change, u64> {
        let mut changes = BTreeMap::new();
        for incident in &self.incidents {
            *changes.entry(incident.change).or_default() += 1;
        }
        changes
    }
}

/// An incident on its way through the run.
struct Life {
    incident: Incident,
    marks: Marks,
    /// What was material before the run.
    before: Material,
    severity_before: Severity,
    /// Whether the run showed something of it.
    shown: bool,
    /// Whether another one became part of it.
    merged: bool,
    /// The last second of its evidence before the run.
    last_before_s: i64,
}

impl Life {
    fn new(incident: Incident) -> Self {
        Self {
            marks: Marks::of(&incident),
            before: Material::of(&incident),
            severity_before: incident.severity,
            last_before_s: incident.last_seen_s,
            shown: false,
            merged: false,
            incident,
        }
    }

    fn is_open(&self) -> bool {
        self.incident.status == Status::Open
    }

    fn take(&mut self, newer: &Incident) {
        self.incident.findings = if self.shown { self.incident.findings } else { 0 } + newer.findings;
        self.shown = true;
        grow(&mut self.incident, newer);
        self.marks.add(newer);
    }

    /// Returns whether the run tells it: those that are open, that it shows, and that it closed or merged itself.
    fn is_told(&self, to_s: i64) -> bool {
        let ended = matches!(self.incident.change, Change::Closed | Change::Merged);
        self.is_open() || self.shown || (self.incident.updated_at_s == to_s && ended)
    }

    /// Notes a material change.
    fn change(&mut self, change: Change, to_s: i64) {
        self.incident.change = change;
        self.incident.revision += 1;
        self.incident.updated_at_s = to_s;
    }

    fn close(&mut self, closing: Closing, to_s: i64) {
        self.incident.status = Status::Closed;
        self.incident.closed_reason = Some(closing.reason);
        self.change(Change::Closed, to_s);
        if let Some(said) = closing.said {
            self.tell(TimelineKind::Verdict, said, to_s);
        }
    }

    /// Adds an entry of the run itself to the timeline.
    fn tell(&mut self, kind: TimelineKind, text: String, to_s: i64) {
        let host = self.incident.hosts.first().map(|host| host.host.into());
        let principal = || self.incident.principals.first().map(|name| Party::principal(name));
        let Some(actor) = host.or_else(principal) else { return };
        let entry = TimelineEntry {
            time_s: to_s,
            end_s: to_s,
            kind,
            actor,
            target: None,
            port: None,
            tactic: None,
            bytes: None,
            subject: None,
            text,
            query: String::new(),
        };
        self.incident.timeline = super::story::joined(&self.incident.timeline, &[entry]);
    }
}

/// Returns the state after a run whose findings make the `fresh` incidents; depends on nothing but its arguments, and not
/// on the order of `fresh`.
///
/// A fresh incident continues the oldest open one with which it shares a host with signs of its own or a subject. Others
/// that it shares something with become part of that one, unless they would have too many hosts together. One that fell
/// silent is opened again within 30 days. What a person closed stays closed: what is new there is a new incident.
#[must_use]
pub fn carry(mut fresh: Vec<Incident>, before: &Snapshot, run: &CarryRun<'_>) -> Carried {
    let to_s = run.to_s;
    fresh.sort_by(|a, b| (a.first_seen_s, &a.id).cmp(&(b.first_seen_s, &b.id)));
    let mut lives: Vec<Life> = before.incidents.iter().cloned().map(Life::new).collect();
    lives.sort_by(|a, b| age(&a.incident).cmp(&age(&b.incident)));
    lives.iter_mut().for_each(|life| life.incident.change = Change::Unchanged);
    for life in lives.iter_mut().filter(|life| life.is_open()) {
        if let Some(closing) = closing::by_verdict(&life.incident, run.verdicts, to_s) {
            life.close(closing, to_s);
        }
    }
    let fresh_marks: Vec<Marks> = fresh.iter().map(Marks::of).collect();
    // Fresh ones name each other by the ids that they came with.
    let related: Vec<(String, Vec<String>)> =
        fresh.iter_mut().map(|one| (one.id.clone(), std::mem::take(&mut one.related))).collect();
    merge_olds(&mut lives, &fresh_marks, to_s);

    let mut past = before.past.clone();
    let mut ids = BTreeMap::new();
    let mut opened: Vec<Life> = Vec::new();
    for (mut incident, marks) in fresh.into_iter().zip(&fresh_marks) {
        let given = incident.id.clone();
        let id = match place(&incident, marks, &lives, to_s) {
            Place::Old(at) => {
                let life = &mut lives[at];
                if !life.is_open() {
                    life.incident.status = Status::Open;
                    life.incident.closed_reason = None;
                    life.change(Change::Reopened, to_s);
                }
                life.take(&incident);
                life.incident.id.clone()
            }
            Place::Known(at) => {
                lives[at].shown = true;
                lives[at].incident.findings = incident.findings;
                lives[at].incident.id.clone()
            }
            Place::New(related) => {
                let taken = |id: &String| {
                    past.contains_key(id) || lives.iter().chain(&opened).any(|life| life.incident.id == *id)
                };
                incident.id = free_id(&incident.id, taken);
                incident.related.extend(related);
                (incident.status, incident.change, incident.revision) = (Status::Open, Change::Opened, 1);
                (incident.opened_at_s, incident.updated_at_s) = (to_s, to_s);
                let id = incident.id.clone();
                opened.push(Life { shown: true, ..Life::new(incident) });
                id
            }
        };
        ids.insert(given, id);
    }
    for life in &mut lives {
        settle(life, run);
    }
    for life in &mut opened {
        let at_once = closing::by_verdict_on_id(&life.incident, run.verdicts, to_s);
        if let Some(closing) = at_once {
            life.close(closing, to_s);
        }
    }
    for (given, related) in related {
        let named = related.iter().filter_map(|other| ids.get(other).cloned());
        if let Some(life) = lives.iter_mut().chain(&mut opened).find(|life| Some(&life.incident.id) == ids.get(&given))
        {
            life.incident.related.extend(named);
        }
    }
    let (mut incidents, mut kept) = (Vec::new(), Vec::new());
    for mut life in lives.into_iter().chain(opened) {
        let is_told = life.is_told(to_s);
        life.incident = finished(life.incident);
        past.insert(life.incident.id.clone(), life.incident.updated_at_s);
        if is_told {
            incidents.push(life.incident.clone());
        }
        // A verdict counts for what it covers as long as it is valid, so its incident is kept as long.
        let is_judged = run.verdicts.of_incident(&life.incident.id, to_s - 1).is_some();
        if life.is_open() || is_judged || to_s - life.incident.updated_at_s <= REOPEN_S {
            kept.push(life.incident);
        }
    }
    past.retain(|_, changed_s| to_s - *changed_s <= PAST_S);
    incidents.sort_by(|a, b| a.status.cmp(&b.status).then_with(|| compare(a, b)));
    kept.sort_by(|a, b| age(a).cmp(&age(b)));
    Carried { incidents, kept, ids, past }
}

/// The order of age: the oldest first.
fn age(incident: &Incident) -> (i64, i64, &str) {
    (incident.opened_at_s, incident.first_seen_s, &incident.id)
}

/// Merges open incidents that fresh ones tie together: the younger become part of the oldest, as long as they have not too
/// many hosts together; then they stay apart and name each other.
fn merge_olds(lives: &mut [Life], fresh: &[Marks], to_s: i64) {
    let mut group: Vec<usize> = (0..lives.len()).collect();
    for marks in fresh {
        let tied: Vec<usize> =
            (0..lives.len()).filter(|at| lives[*at].is_open() && lives[*at].marks.meet(marks)).collect();
        let oldest = tied.iter().map(|at| group[*at]).min();
        let joined: BTreeSet<usize> = tied.iter().map(|at| group[*at]).collect();
        if let Some(oldest) = oldest {
            group.iter_mut().filter(|of| joined.contains(of)).for_each(|of| *of = oldest);
        }
    }
    for (at, oldest) in group.into_iter().enumerate() {
        if oldest == at {
            continue;
        }
        let (elder, younger) = lives.split_at_mut(at);
        let (elder, younger) = (&mut elder[oldest], &mut younger[0]);
        if !fit(&elder.incident, &younger.incident) {
            elder.incident.related.push(younger.incident.id.clone());
            younger.incident.related.push(elder.incident.id.clone());
            continue;
        }
        grow(&mut elder.incident, &younger.incident);
        elder.merged = true;
        elder.marks.add(&younger.incident);
        let opened = rfc3339(younger.incident.opened_at_s);
        let text = format!("Incident {}, open since {opened}, became part of this one.", younger.incident.id);
        elder.tell(TimelineKind::Merge, text, to_s);
        younger.incident.status = Status::Merged;
        younger.incident.merged_into = Some(elder.incident.id.clone());
        younger.incident.findings = 0;
        younger.change(Change::Merged, to_s);
    }
}

/// Returns whether an incident can take another: it must not get more hosts with signs than an incident may have.
fn fit(old: &Incident, other: &Incident) -> bool {
    let together = hosts_together(old, other);
    together <= MAX_HOSTS || together == hosts_together(old, old)
}

/// Where a fresh incident belongs.
enum Place {
    /// It continues this one.
    Old(usize),
    /// It shows nothing that this closed one did not know.
    Known(usize),
    /// It is new, and may belong to these.
    New(Vec<String>),
}

fn place(fresh: &Incident, marks: &Marks, lives: &[Life], to_s: i64) -> Place {
    let meets = |at: &usize| lives[*at].marks.meet(marks);
    let open: Vec<usize> = (0..lives.len()).filter(|at| lives[*at].is_open()).filter(meets).collect();
    let fits = |at: &&usize| fit(&lives[**at].incident, fresh);
    if let Some(at) = open.iter().find(fits) {
        return Place::Old(*at);
    }
    let recent = |at: &usize| {
        let one = &lives[*at].incident;
        one.status == Status::Closed && to_s - one.updated_at_s <= REOPEN_S
    };
    let closed: Vec<usize> = (0..lives.len()).filter(recent).filter(meets).collect();
    let is_news = |at: usize| {
        let one = &lives[at].incident;
        // A person judged what was there by then; silence ends with the first new sign.
        let known_until_s = if closing::is_by_person(one) { one.updated_at_s } else { one.last_seen_s + 1 };
        fresh.last_seen_s >= known_until_s || !lives[at].marks.know(marks)
    };
    let silent = closed.iter().find(|at| !closing::is_by_person(&lives[**at].incident) && is_news(**at));
    let known = closed.iter().find(|at| !is_news(**at));
    match (silent, known) {
        (Some(at), _) if open.is_empty() => return Place::Old(*at),
        (_, Some(at)) if open.is_empty() => return Place::Known(*at),
        _ => {}
    }
    Place::New(open.iter().chain(&closed).map(|at| lives[*at].incident.id.clone()).collect())
}

/// Says what the run changed in an incident of before, and closes it when nothing new came for long.
fn settle(life: &mut Life, run: &CarryRun<'_>) {
    if !life.is_open() {
        return;
    }
    if !life.shown {
        // What goes on more quietly opens nothing any more, and is no silence.
        let going_on = life.incident.subjects.iter().filter_map(|subject| run.seen.get(subject));
        let (count, last_s) = going_on.fold((0, i64::MIN), |(count, last_s), seen_s| (count + 1, last_s.max(*seen_s)));
        life.incident.findings = count;
        life.incident.last_seen_s = life.incident.last_seen_s.max(last_s);
    }
    let is_held = !life.shown && life.incident.findings == 0;
    if is_held && life.incident.subjects.iter().any(|subject| run.allowed.contains(subject)) {
        return life.close(Closing { reason: ClosedReason::Allowed, said: None }, run.to_s);
    }
    let has_news = life.incident.last_seen_s > life.last_before_s || life.incident.change == Change::Reopened;
    if !has_news && run.to_s - life.incident.last_seen_s >= run.close_after_s {
        return life.close(Closing { reason: ClosedReason::Quiet, said: None }, run.to_s);
    }
    if life.incident.change == Change::Reopened {
        return;
    }
    if life.incident.severity > life.severity_before {
        life.change(Change::Escalated, run.to_s);
    } else if life.merged || Material::of(&life.incident) != life.before {
        life.change(Change::Extended, run.to_s);
    }
}

/// Returns an id that is not taken: the one that was given, else a hash of it that is.
fn free_id(given: &str, taken: impl Fn(&String) -> bool) -> String {
    let mut id = given.to_owned();
    while taken(&id) {
        let mut hash = Fnv128::default();
        hash.write(id.as_bytes());
        hash.write(b" again");
        id = format!("{:032x}", hash.finish());
    }
    id
}

/// Returns an incident as it is kept: each related one named once, and numbers that read back as they were written.
fn finished(mut incident: Incident) -> Incident {
    let related: BTreeSet<String> = incident.related.iter().filter(|id| **id != incident.id).cloned().collect();
    incident.related = related.into_iter().collect();
    let rounded = |value: f64| (value * 1e4).round() / 1e4;
    incident.score = rounded(incident.score);
    incident.expected_per_day = rounded(incident.expected_per_day);
    incident.coverage = incident.coverage.map(rounded);
    incident.links.iter_mut().for_each(|link| link.strength = rounded(link.strength));
    incident.graph.nodes.iter_mut().for_each(|node| node.rank = rounded(node.rank));
    incident
}
