//! Rows by number, for the fold.
//!
//! A row is an hour, an actor and a deed, and each of these is kept once: so a row costs few bytes, and what is looked up
//! for an act is near in memory.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

use super::row::{RowHead, RowKey};
use super::texts::Texts;
use crate::CredentialKind;
use crate::act::{ActionClass, Log, Outcome, PrincipalKind};

/// Who acted, with what and from where. Texts are by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Actor {
    log: Log,
    principal_kind: PrincipalKind,
    credential_kind: CredentialKind,
    principal: u32,
    credential: u32,
    source: u32,
    network: u32,
    country: u32,
    agent_family: u32,
}

/// What was done, where and to what, and how it ended. Texts are by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Deed {
    action_class: ActionClass,
    outcome: Outcome,
    mfa: Option<bool>,
    account: u32,
    region: u32,
    service: u32,
    app: u32,
    target: u32,
    action: u32,
    object: u32,
}

/// Things by number, each once.
#[derive(Debug, Clone)]
struct Numbered<T> {
    kept: Vec<T>,
    numbers: HashTable<u32>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), numbers: HashTable::new() }
    }
}

impl<T: Copy + Eq + Hash> Numbered<T> {
    fn number(&mut self, sought: T) -> u32 {
        let hash = |one: &T| FixedState::default().hash_one(one);
        let (kept, own) = (&mut self.kept, hash(&sought));
        if let Some(number) = self.numbers.find(own, |number| kept[*number as usize] == sought) {
            return *number;
        }
        let number = kept.len() as u32;
        kept.push(sought);
        self.numbers.insert_unique(own, number, |number| hash(&kept[*number as usize]));
        number
    }

    fn held_bytes(&self) -> usize {
        self.kept.capacity() * size_of::<T>() + self.numbers.capacity() * ENTRY_BYTES
    }

    /// Returns the rank of each thing by what `key` returns of it: equal keys have the same.
    fn ranks<K: Ord>(&self, key: impl Fn(&T) -> K) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..self.kept.len() as u32).collect();
        let key = |number: u32| key(&self.kept[number as usize]);
        numbers.sort_unstable_by_key(|number| key(*number));
        let mut ranks = vec![0; numbers.len()];
        let mut rank = 0;
        for (at, number) in numbers.iter().enumerate() {
            rank += u32::from(at > 0 && key(numbers[at - 1]) < key(*number));
            ranks[*number as usize] = rank;
        }
        ranks
    }
}

/// What an entry of a table of numbers takes: the number, its control byte, and the room that is kept free.
const ENTRY_BYTES: usize = (size_of::<u32>() + 1) * 8 / 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    hour_s: i64,
    actor: u32,
    deed: u32,
}

impl Row {
    fn hash(&self) -> u64 {
        let mut hasher = FixedState::default().build_hasher();
        hasher.write_u64(u64::from(self.actor) << 32 | u64::from(self.deed));
        hasher.finish()
    }
}

/// Rows, each once, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    texts: Texts,
    actors: Numbered<Actor>,
    deeds: Numbered<Deed>,
    kept: Vec<Row>,
    /// The rows of each hour. Logs come about in order of time, so that one small table serves most acts.
    of_hour: Vec<HashTable<u32>>,
    hours: HashMap<i64, usize, FixedState>,
    /// The hour, the actor and the deed that were looked up last: much of them comes again.
    last: Option<(i64, usize, Actor, Deed)>,
}

impl Rows {
    pub const fn count(&self) -> usize {
        self.kept.len()
    }

    /// Returns the first second of a row's hour.
    #[inline]
    pub fn hour_s(&self, row: u32) -> i64 {
        self.kept[row as usize].hour_s
    }

    pub fn key(&self, row: u32) -> RowKey<'_> {
        let Row { hour_s, actor, deed } = self.kept[row as usize];
        let (actor, deed) = (&self.actors.kept[actor as usize], &self.deeds.kept[deed as usize]);
        RowKey {
            head: RowHead {
                hour_s,
                log: actor.log,
                principal_kind: actor.principal_kind,
                credential_kind: actor.credential_kind,
                action_class: deed.action_class,
                outcome: deed.outcome,
                mfa: deed.mfa,
            },
            texts: [
                deed.account,
                deed.region,
                actor.principal,
                actor.credential,
                actor.source,
                actor.network,
                actor.country,
                actor.agent_family,
                deed.service,
                deed.app,
                deed.target,
                deed.action,
                deed.object,
            ]
            .map(|number| self.texts.get(number)),
        }
    }

    /// Returns the row of a key.
    pub fn number(&mut self, key: &RowKey<'_>) -> u32 {
        let [
            account,
            region,
            principal,
            credential,
            source,
            network,
            country,
            agent_family,
            service,
            app,
            target,
            action,
            object,
        ] = key.texts;
        let RowHead { hour_s, log, principal_kind, credential_kind, action_class, outcome, mfa } = key.head;
        let texts = &mut self.texts;
        let last = self.last.as_ref().map(|(_, _, actor, deed)| (actor, deed));
        let mut number = |text: &str, likely: fn(&Actor, &Deed) -> u32| {
            texts.number(text, last.map_or(0, |(actor, deed)| likely(actor, deed)))
        };
        let actor = Actor {
            log,
            principal_kind,
            credential_kind,
            principal: number(principal, |actor, _| actor.principal),
            credential: number(credential, |actor, _| actor.credential),
            source: number(source, |actor, _| actor.source),
            network: number(network, |actor, _| actor.network),
            country: number(country, |actor, _| actor.country),
            agent_family: number(agent_family, |actor, _| actor.agent_family),
        };
        let deed = Deed {
            action_class,
            outcome,
            mfa,
            account: number(account, |_, deed| deed.account),
            region: number(region, |_, deed| deed.region),
            service: number(service, |_, deed| deed.service),
            app: number(app, |_, deed| deed.app),
            target: number(target, |_, deed| deed.target),
            action: number(action, |_, deed| deed.action),
            object: number(object, |_, deed| deed.object),
        };
        let place = match self.last {
            Some((hour, place, ..)) if hour == hour_s => place,
            _ => self.place_of(hour_s),
        };
        self.last = Some((hour_s, place, actor, deed));
        let row = Row { hour_s, actor: self.actors.number(actor), deed: self.deeds.number(deed) };
        self.of_row(place, row)
    }

    /// Returns the place of an hour's table.
    fn place_of(&mut self, hour_s: i64) -> usize {
        let place = *self.hours.entry(hour_s).or_insert(self.of_hour.len());
        if place == self.of_hour.len() {
            self.of_hour.push(HashTable::new());
        }
        place
    }

    fn of_row(&mut self, place: usize, sought: Row) -> u32 {
        let (kept, hash) = (&mut self.kept, sought.hash());
        let rows = &mut self.of_hour[place];
        if let Some(row) = rows.find(hash, |row| kept[*row as usize] == sought) {
            return *row;
        }
        let row = kept.len() as u32;
        kept.push(sought);
        rows.insert_unique(hash, row, |row| kept[*row as usize].hash());
        row
    }

    /// Adds those rows of another fold whose hours are wanted, and returns their numbers here, in their order there.
    pub fn merge(&mut self, other: &Self, is_wanted: impl Fn(i64) -> bool) -> Vec<Option<u32>> {
        let texts: Vec<u32> =
            (0..other.texts.count() as u32).map(|number| self.texts.number(other.texts.get(number), 0)).collect();
        let text = |number: u32| texts[number as usize];
        let actors = other.actors.kept.iter().map(|actor| Actor {
            principal: text(actor.principal),
            credential: text(actor.credential),
            source: text(actor.source),
            network: text(actor.network),
            country: text(actor.country),
            agent_family: text(actor.agent_family),
            ..*actor
        });
        let actors: Vec<u32> = actors.map(|actor| self.actors.number(actor)).collect();
        let deeds = other.deeds.kept.iter().map(|deed| Deed {
            account: text(deed.account),
            region: text(deed.region),
            service: text(deed.service),
            app: text(deed.app),
            target: text(deed.target),
            action: text(deed.action),
            object: text(deed.object),
            ..*deed
        });
        let deeds: Vec<u32> = deeds.map(|deed| self.deeds.number(deed)).collect();
        let here = |row: &Row| Row { actor: actors[row.actor as usize], deed: deeds[row.deed as usize], ..*row };
        (other.kept.iter())
            .map(|row| {
                is_wanted(row.hour_s).then(|| {
                    let place = self.place_of(row.hour_s);
                    self.of_row(place, here(row))
                })
            })
            .collect()
    }

    /// Returns the rows that are told, in the order of their keys.
    pub fn sorted(&self, is_told: impl Fn(u32) -> bool) -> Vec<u32> {
        let texts = self.texts.ranks();
        let text = |number: u32| texts[number as usize];
        // The parts of a key that follow one another and belong to an actor alone, or to a deed alone.
        let kinds = self.actors.ranks(|one| (one.log, one.principal_kind, one.credential_kind));
        let ends = self.deeds.ranks(|one| (one.action_class, one.outcome, one.mfa));
        let places = self.deeds.ranks(|one| (text(one.account), text(one.region)));
        let who = self.actors.ranks(|one| {
            let names = [one.principal, one.credential, one.source, one.network, one.country, one.agent_family];
            names.map(text)
        });
        let what = self.deeds.ranks(|one| [one.service, one.app, one.target, one.action, one.object].map(text));
        let mut rows: Vec<(i64, [u32; 5], u32)> = (0..self.count() as u32)
            .filter(|row| is_told(*row))
            .map(|row| {
                let Row { hour_s, actor, deed } = self.kept[row as usize];
                let (actor, deed) = (actor as usize, deed as usize);
                (hour_s, [kinds[actor], ends[deed], places[deed], who[actor], what[deed]], row)
            })
            .collect();
        rows.sort_unstable();
        rows.into_iter().map(|(.., row)| row).collect()
    }

    /// Returns about how many bytes the rows take.
    pub fn held_bytes(&self) -> usize {
        let rows = self.kept.capacity() * size_of::<Row>() + self.kept.len() * ENTRY_BYTES * 3 / 2;
        rows + self.texts.held_bytes() + self.actors.held_bytes() + self.deeds.held_bytes()
    }
}
