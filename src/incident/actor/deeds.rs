//! What the principals of an incident reached, what refused them, and what was open to them.

use super::{Accesses, ActorKey, Actors, Told};
use crate::detect::Finding;
use crate::incident::model::{Deed, DeedKind, Incident, NodeClass, Party, PartyKind, Thing};
use access::{AccessHour, ActionClass, Distinct, Outcome, TieRule};
use flow::Address;
use std::collections::BTreeMap;

/// An incident tells at most so many things.
pub(in crate::incident) const MAX_THINGS: usize = 100;

/// It tells at most so many deeds.
pub(in crate::incident) const MAX_DEEDS: usize = 200;

/// Deeds of one kind of one party upon another.
#[derive(Debug, Clone)]
struct Sum {
    class: NodeClass,
    first_s: i64,
    last_s: i64,
    events: u64,
    bytes: u64,
    objects: Distinct,
    certainty: f64,
}

impl Sum {
    fn of(class: NodeClass, first_s: i64, last_s: i64) -> Self {
        Self { class, first_s, last_s, events: 0, bytes: 0, objects: Distinct::default(), certainty: 1.0 }
    }
}

/// The deeds of one incident.
type Sums = BTreeMap<(Party, Party, DeedKind), Sum>;

/// Adds to the graphs of incidents what their actors did. What a principal did since its first sign, from an address that
/// its findings know, is reached or was attempted; what it only did before is reachable.
pub(in crate::incident) fn add_deeds(
    incidents: &mut [Incident],
    findings: &[Finding],
    actors: &Actors,
    told: &Told,
    accesses: Option<Accesses<'_>>,
) {
    if actors.is_empty() {
        return;
    }
    let places: BTreeMap<&str, usize> = incidents.iter().enumerate().map(|(at, one)| (one.id.as_str(), at)).collect();
    let of_actor: BTreeMap<&ActorKey, usize> = actors
        .iter()
        .filter_map(|(key, actor)| {
            let ids = actor.signals.iter().filter_map(|sign| findings[sign.finding].incident_id.as_deref());
            Some((key, *ids.into_iter().find_map(|id| places.get(id))?))
        })
        .collect();
    let mut sums: Vec<Sums> = vec![Sums::new(); incidents.len()];
    let rows = accesses.map(|accesses| accesses.hours.rows()).unwrap_or_default();
    let mut known: BTreeMap<(&str, &str), Option<&ActorKey>> = BTreeMap::new();
    for row in &rows {
        let key = *known.entry((row.principal, row.source)).or_insert_with(|| {
            let key = match row.principal {
                "" => ActorKey::Source(row.source.parse().ok()?),
                principal => ActorKey::Identity(told.identities.of_principal(principal).into_owned()),
            };
            of_actor.get_key_value(&key).map(|(key, _)| *key)
        });
        if let Some((key, at)) = key.and_then(|key| Some((key, *of_actor.get(key)?))) {
            add_row(&mut sums[at], row, key, actors);
        }
    }
    if let Some(accesses) = accesses {
        add_minted(&mut sums, accesses, told, &of_actor);
    }
    for (key, at) in of_actor {
        // Also where no hour is kept, an incident names who acted.
        let from = key.party();
        for (source, span) in actors[key].sources.iter().filter(|_| matches!(key, ActorKey::Identity(_))) {
            let to = Party::Address(*source);
            let sum = sums[at].entry((from.clone(), to, DeedKind::UsedFrom));
            let sum = sum.or_insert_with(|| Sum::of(NodeClass::Reached, span.0, span.1));
            (sum.first_s, sum.last_s) = (sum.first_s.min(span.0), sum.last_s.max(span.1));
        }
        let since_s = actors[key].since_s;
        incidents[at].graph.things.push(Thing {
            party: from,
            class: NodeClass::Involved,
            reached_at_s: since_s,
            objects: None,
        });
    }
    for (incident, sums) in incidents.iter_mut().zip(sums) {
        finish(incident, sums);
    }
}

/// Adds a row of an actor.
fn add_row(sums: &mut Sums, row: &AccessHour<'_>, key: &ActorKey, actors: &Actors) {
    let actor = &actors[key];
    let source: Option<Address> = row.source.parse().ok();
    let is_from_there = actor.sources.is_empty() || source.is_some_and(|source| actor.sources.contains_key(&source));
    let is_told = is_from_there && row.sums.last_s >= actor.since_s;
    let is_success = matches!(row.outcome, Outcome::Success | Outcome::Unknown);
    let class = match (is_told, is_success) {
        (true, true) => NodeClass::Reached,
        (true, false) => NodeClass::Attempted,
        (false, true) => NodeClass::Reachable,
        // What was refused before says nothing.
        (false, false) => return,
    };
    let name = if row.app.is_empty() { row.service } else { row.app };
    if name.is_empty() {
        return;
    }
    let from = key.party();
    let kind = if is_success { kind_of(row.action_class) } else { DeedKind::Denied };
    let mut add = |from: &Party, to: Party, kind: DeedKind| {
        let first_s = if is_told { row.sums.first_s.max(actor.since_s) } else { row.sums.first_s };
        let sum = sums.entry((from.clone(), to, kind));
        let sum = sum.or_insert_with(|| Sum::of(class, first_s, row.sums.last_s));
        if class > sum.class {
            return;
        }
        if class < sum.class {
            *sum = Sum::of(class, first_s, row.sums.last_s);
        }
        (sum.first_s, sum.last_s) = (sum.first_s.min(first_s), sum.last_s.max(row.sums.last_s));
        sum.events += row.sums.events;
        sum.bytes = sum.bytes.saturating_add(row.sums.bytes_out);
        sum.objects.merge(&row.sums.objects);
    };
    add(&from, Party::Named(PartyKind::App, name.to_owned()), kind);
    if is_told && !row.credential.is_none() && !row.credential.last_four().is_empty() {
        let credential = credential_of(row.credential.last_four(), key);
        add(&credential, from, DeedKind::ActedAs);
    }
}

/// Adds which credentials of the actors made which.
fn add_minted(sums: &mut [Sums], accesses: Accesses<'_>, told: &Told, of_actor: &BTreeMap<&ActorKey, usize>) {
    for chain in &told.chains {
        let (from, to) = (ActorKey::Identity(chain.from.clone()), ActorKey::Identity(chain.to.clone()));
        let Some(at) = of_actor.get(&from).filter(|at| of_actor.get(&to) == Some(at)) else { continue };
        let made = credential_of(chain.key.trim_start_matches('…'), &to);
        let sum = Sum { events: 1, ..Sum::of(NodeClass::Reached, chain.at_s, chain.at_s) };
        sums[*at].insert((from.party(), made, DeedKind::Minted), sum);
    }
    for made in &told.made {
        let (from, to) = (ActorKey::Identity(made.from.clone()), ActorKey::Identity(made.to.clone()));
        let Some(at) = of_actor.get(&from) else { continue };
        let rule = if made.is_new { TieRule::Created } else { TieRule::Changed };
        let kind = if made.is_new { DeedKind::Created } else { DeedKind::Changed };
        let sum = Sum::of(NodeClass::Reached, made.span_s.0, made.span_s.1);
        sums[*at].insert((from.party(), to.party(), kind), Sum { events: 1, certainty: rule.certainty(), ..sum });
    }
    let _ = accesses;
}

fn credential_of(last_four: &str, key: &ActorKey) -> Party {
    Party::Named(PartyKind::Credential, format!("…{last_four} of {}", key.name()))
}

const fn kind_of(class: ActionClass) -> DeedKind {
    match class {
        ActionClass::Download => DeedKind::Downloaded,
        ActionClass::CreateCredential | ActionClass::Grant => DeedKind::Created,
        ActionClass::Write | ActionClass::Delete | ActionClass::Admin => DeedKind::Changed,
        ActionClass::Login => DeedKind::LoggedInto,
        ActionClass::Read | ActionClass::List | ActionClass::Other => DeedKind::Read,
    }
}

/// Puts deeds and things in their order, and counts what is left out.
fn finish(incident: &mut Incident, sums: Sums) {
    let graph = &mut incident.graph;
    let mut things: BTreeMap<Party, Thing> =
        std::mem::take(&mut graph.things).into_iter().map(|thing| (thing.party.clone(), thing)).collect();
    let mut objects: BTreeMap<Party, Distinct> = BTreeMap::new();
    let mut deeds = Vec::with_capacity(sums.len());
    for ((from, to, kind), sum) in sums {
        for party in [&from, &to].into_iter().filter(|party| party.address().is_none()) {
            let class = if party == &to { sum.class } else { NodeClass::Reached };
            let thing = things.entry(party.clone()).or_insert_with(|| Thing {
                party: party.clone(),
                class,
                reached_at_s: sum.first_s,
                objects: None,
            });
            if thing.class != NodeClass::Involved && (class, sum.first_s) < (thing.class, thing.reached_at_s) {
                (thing.class, thing.reached_at_s) = (class, sum.first_s);
            }
        }
        if sum.class == NodeClass::Reached && matches!(to, Party::Named(PartyKind::App, _)) {
            objects.entry(to.clone()).or_default().merge(&sum.objects);
        }
        deeds.push(Deed {
            from,
            to,
            kind,
            class: sum.class,
            first_seen_s: sum.first_s,
            last_seen_s: sum.last_s,
            events: sum.events,
            objects: sum.objects.count() as u64,
            bytes: sum.bytes,
            certainty: sum.certainty,
        });
    }
    for (party, distinct) in objects {
        if let Some(thing) = things.get_mut(&party).filter(|_| distinct.count() > 0) {
            thing.objects = Some(distinct.count() as u64);
        }
    }
    // What was open before matters only where it was not reached.
    let reached: Vec<Party> =
        things.values().filter(|thing| thing.class < NodeClass::Reachable).map(|one| one.party.clone()).collect();
    deeds.retain(|deed| deed.class != NodeClass::Reachable || reached.binary_search(&deed.to).is_err());
    graph.things = things.into_values().collect();
    graph.deeds = deeds;
    graph.sort_deeds();
    let left_out = &mut graph.left_out;
    let mut cut = |name: &str, count: usize| {
        if count > 0 {
            *left_out.entry(name.to_owned()).or_default() += count as u64;
        }
    };
    cut("things", graph.things.len().saturating_sub(MAX_THINGS));
    cut("deeds", graph.deeds.len().saturating_sub(MAX_DEEDS));
    graph.things.truncate(MAX_THINGS);
    graph.deeds.truncate(MAX_DEEDS);
}
