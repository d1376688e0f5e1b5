//! What principals did, over many runs.

use crate::incident::model::{Deed, DeedKind, Graph, Party, Thing};
use crate::incident::{MAX_DEEDS, MAX_THINGS};
use std::collections::BTreeMap;

/// Adds to a graph the things and deeds of an older one: what was reached once stays reached.
pub(super) fn add_older(graph: &mut Graph, older: &Graph) {
    let mut things: BTreeMap<Party, Thing> = BTreeMap::new();
    for thing in graph.things.iter().chain(&older.things) {
        let known = things.entry(thing.party.clone()).or_insert_with(|| thing.clone());
        known.class = known.class.min(thing.class);
        known.reached_at_s = known.reached_at_s.min(thing.reached_at_s);
        // Windows may overlap, so their counts cannot be added.
        known.objects = known.objects.max(thing.objects);
    }
    let mut deeds: BTreeMap<(Party, Party, DeedKind), Deed> = BTreeMap::new();
    for deed in graph.deeds.iter().chain(&older.deeds) {
        let key = (deed.from.clone(), deed.to.clone(), deed.kind);
        let known = deeds.entry(key).or_insert_with(|| deed.clone());
        known.class = known.class.min(deed.class);
        known.first_seen_s = known.first_seen_s.min(deed.first_seen_s);
        known.last_seen_s = known.last_seen_s.max(deed.last_seen_s);
        known.events = known.events.max(deed.events);
        known.objects = known.objects.max(deed.objects);
        known.bytes = known.bytes.max(deed.bytes);
    }
    graph.things = things.into_values().collect();
    graph.deeds = deeds.into_values().collect();
    graph.sort_deeds();
    graph.things.truncate(MAX_THINGS);
    graph.deeds.truncate(MAX_DEEDS);
}
