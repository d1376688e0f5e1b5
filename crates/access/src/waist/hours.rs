//! The fold from acts to `access_hours`.

use std::hash::{BuildHasher, Hasher};

use flow::fnv::Fnv64;
use flow::time::hour_of;
use foldhash::quality::FixedState;
use hashbrown::HashMap;

use super::fold::Rows;
use super::row::{AccessHour, RowHead, RowKey, Sums};
use crate::act::{Act, ActionClass, Log};

/// Folds acts into hours, in any order and any split, to the same rows.
///
/// What several trails tell counts once: of acts with the same event id in the same account, one is kept. If they
/// differ, as the same event does in CloudTrail and in OCSF, it is the least by all that a row holds, whichever came
/// first. Each such act costs about 100 bytes until [`AccessHours::seal`]; acts without an id cost nothing once counted.
///
/// ```
/// use flowsift_access::{AccessHours, Act, Log};
///
/// let mut act = Act::new(Log::CloudTrail, 1_700_662_702_000_000);
/// act.event_id = "e1".into();
/// let mut hours = AccessHours::default();
/// hours.add(&act);
/// hours.add(&act);
/// assert_eq!(hours.rows()[0].sums.events, 1);
/// assert_eq!(hours.duplicates(), 1);
/// ```
#[derive(Debug, Clone, Default)]
pub struct AccessHours {
    pub(super) rows: Rows,
    /// Of acts without an id, and of sealed ones, by row.
    pub(super) sums: Vec<Sums>,
    /// Acts with an id.
    pub(super) open: HashMap<u128, Share, foldhash::fast::FixedState>,
    /// Acts of an object that may yet turn out damaged.
    staged: Vec<(Option<u128>, Share)>,
    /// Ids by which they would be named.
    staged_ids: HashMap<u32, Box<str>, foldhash::fast::FixedState>,
    /// Of each row, the id of one act: the least.
    ids: Vec<Box<str>>,
    with_id: u64,
    sealed: u64,
}

/// About how many bytes a row costs: its texts, its sums and its place.
const ROW_BYTES: usize = 500;

/// What one act adds to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share {
    pub(super) row: u32,
    pub(super) second: i64,
    pub(super) bytes_out: u64,
    pub(super) bytes_in: u64,
    pub(super) object: Option<u64>,
}

impl AccessHours {
    /// Adds an act.
    pub fn add(&mut self, act: &Act<'_>) {
        let (id, share) = self.share(act);
        if let Some(name) = named(self.ids.get(share.row as usize), act) {
            self.name(share.row, name.into());
        }
        self.count(id, share);
    }

    /// Adds what `read` tells its sink, if `read` succeeds; nothing of it if not. So a damaged object counts with none
    /// of its acts.
    ///
    /// # Errors
    /// That of `read`.
    pub fn object<T, E>(&mut self, read: impl FnOnce(&mut dyn FnMut(&Act<'_>)) -> Result<T, E>) -> Result<T, E> {
        self.staged.clear();
        self.staged_ids.clear();
        let read = read(&mut |act| {
            let staged = self.share(act);
            let row = staged.1.row;
            if let Some(name) = named(self.ids.get(row as usize), act)
                && let Some(name) = named(self.staged_ids.get(&row), act).filter(|again| *again == name)
            {
                self.staged_ids.insert(row, name.into());
            }
            self.staged.push(staged);
        });
        let mut staged = std::mem::take(&mut self.staged);
        if read.is_ok() {
            staged.drain(..).for_each(|(id, share)| self.count(id, share));
            std::mem::take(&mut self.staged_ids).into_iter().for_each(|(row, name)| self.name(row, name));
        }
        staged.clear();
        self.staged = staged;
        read
    }

    /// Adds all of another fold.
    pub fn merge(&mut self, other: &Self) {
        self.merge_hours(other, |_| true);
        self.with_id += other.with_id - other.open.len() as u64;
        self.sealed += other.sealed;
    }

    /// Adds those hours of another fold that `is_wanted` picks by their first second. [`AccessHours::duplicates`] then
    /// knows of none within the other.
    pub fn merge_hours(&mut self, other: &Self, is_wanted: impl Fn(i64) -> bool) {
        let number = |row: usize| {
            let key = other.rows.key(row as u32);
            is_wanted(key.head.hour_s).then(|| self.rows.number(&key))
        };
        let numbers: Vec<Option<u32>> = (0..other.rows.count()).map(number).collect();
        self.sums.resize_with(self.rows.count(), Sums::default);
        for (sums, number) in other.sums.iter().zip(&numbers) {
            if let Some(number) = number {
                self.sums[*number as usize].merge(sums);
            }
        }
        for (name, number) in other.ids.iter().zip(&numbers) {
            if let Some(number) = number.filter(|_| !name.is_empty()) {
                self.name(number, name.clone());
            }
        }
        for (id, share) in &other.open {
            if let Some(row) = numbers[share.row as usize] {
                self.count(Some(*id), Share { row, ..*share });
            }
        }
    }

    /// Forgets the ids of all acts so far and frees what they cost. An act that comes once more after this counts again,
    /// so an hour is sealed when nothing of it can come any more.
    pub fn seal(&mut self) {
        self.sums.resize_with(self.rows.count(), Sums::default);
        self.sealed += self.open.len() as u64;
        for share in std::mem::take(&mut self.open).values() {
            add(&mut self.sums[share.row as usize], share);
        }
    }

    /// Seals only acts before a second, since 1970-01-01 UTC; see [`AccessHours::seal`].
    pub fn seal_before(&mut self, second: i64) {
        self.sums.resize_with(self.rows.count(), Sums::default);
        let (sums, sealed) = (&mut self.sums, &mut self.sealed);
        self.open.retain(|_, share| {
            let is_open = share.second >= second;
            if !is_open {
                add(&mut sums[share.row as usize], share);
                *sealed += 1;
            }
            is_open
        });
        // A table keeps its room; one that is mostly empty gives it back.
        if self.open.len() < self.open.capacity() / 4 {
            self.open.shrink_to(self.open.len() * 2);
        }
    }

    /// Returns how many acts came more than once.
    pub fn duplicates(&self) -> u64 {
        self.with_id - self.sealed - self.open.len() as u64
    }

    /// Returns about how many bytes the fold holds.
    pub fn held_bytes(&self) -> usize {
        // An entry of the table of ids, its control byte and the room that a table keeps free.
        const ID_BYTES: usize = (size_of::<(u128, Share)>() + 1) * 8 / 7;
        self.open.capacity() * ID_BYTES + self.rows.count() * ROW_BYTES
    }

    /// Returns the rows in the order of hour and log, and then of all else.
    pub fn rows(&self) -> Vec<AccessHour<'_>> {
        let mut sums = self.sums.clone();
        sums.resize_with(self.rows.count(), Sums::default);
        for share in self.open.values() {
            add(&mut sums[share.row as usize], share);
        }
        let keyed =
            sums.into_iter().enumerate().map(|(row, sums)| (self.rows.key(row as u32), self.id_of(row as u32), sums));
        // A row without events is left of a damaged object or of the worse of two duplicates.
        let mut rows: Vec<_> = keyed.filter(|(.., sums)| sums.events > 0).collect();
        rows.sort_unstable_by_key(|(key, ..)| *key);
        rows.into_iter().map(|(key, event_id, sums)| key.row(event_id, sums)).collect()
    }

    /// Returns the id of one act of a row; empty where acts have none.
    pub(super) fn id_of(&self, row: u32) -> &str {
        self.ids.get(row as usize).map_or("", |id| id)
    }

    /// Names a row by an id, if that is less than the one it has.
    pub(super) fn name(&mut self, row: u32, id: Box<str>) {
        let row = row as usize;
        if row >= self.ids.len() {
            self.ids.resize_with(self.rows.count(), Box::default);
        }
        let own = &mut self.ids[row];
        if own.is_empty() || id < *own {
            *own = id;
        }
    }

    fn share(&mut self, act: &Act<'_>) -> (Option<u128>, Share) {
        let second = act.second();
        let row = self.rows.number(&RowKey {
            head: RowHead {
                hour_s: hour_of(second),
                log: act.log,
                principal_kind: act.principal_kind,
                credential_kind: act.credential.kind(),
                action_class: act.action_class,
                outcome: act.outcome,
                mfa: act.mfa.filter(|_| act.action_class == ActionClass::Login),
            },
            texts: [
                &act.account,
                &act.region,
                &act.principal,
                act.credential.full(),
                &act.source,
                &act.network,
                &act.country,
                act.agent_family(),
                &act.service,
                &act.app,
                &act.target,
                &act.action,
                if act.action_class.is_rare() { &act.object } else { "" },
            ],
        });
        let object = (!act.object.is_empty()).then(|| hash_of_object(&act.object_kind, &act.object));
        let id = (!act.event_id.is_empty()).then(|| hash_of_id(act.log, &act.account, &act.event_id));
        let (bytes_out, bytes_in) = (act.bytes_out.unwrap_or_default(), act.bytes_in.unwrap_or_default());
        (id, Share { row, second, bytes_out, bytes_in, object })
    }

    pub(super) fn count(&mut self, id: Option<u128>, share: Share) {
        let Some(id) = id else {
            let row = share.row as usize;
            if row >= self.sums.len() {
                self.sums.resize_with(self.rows.count(), Sums::default);
            }
            add(&mut self.sums[row], &share);
            return;
        };
        self.with_id += 1;
        let rows = &self.rows;
        self.open
            .entry(id)
            .and_modify(|kept| {
                if *kept != share {
                    let order = |share: &Share| (rows.key(share.row), Share { row: 0, ..*share });
                    if order(&share) < order(kept) {
                        *kept = share;
                    }
                }
            })
            .or_insert(share);
    }
}

/// Returns the id of an act, if it is less than the one that its row has: the event's, or the trace of a request.
fn named<'a>(own: Option<&Box<str>>, act: &'a Act<'_>) -> Option<&'a str> {
    let id: &str = if act.event_id.is_empty() { &act.trace } else { &act.event_id };
    (!id.is_empty() && own.is_none_or(|own| own.is_empty() || *id < **own)).then_some(id)
}

fn add(sums: &mut Sums, share: &Share) {
    sums.events += 1;
    sums.bytes_out = sums.bytes_out.saturating_add(share.bytes_out);
    sums.bytes_in = sums.bytes_in.saturating_add(share.bytes_in);
    sums.objects_add(share.object);
    sums.first_s = sums.first_s.min(share.second);
    sums.last_s = sums.last_s.max(share.second);
}

impl Sums {
    fn objects_add(&mut self, object: Option<u64>) {
        if let Some(object) = object {
            self.objects.add(object);
        }
    }
}

/// Returns the hash of an object: FNV-1a, the same in every version, as kept hours hold it.
fn hash_of_object(kind: &str, name: &str) -> u64 {
    let mut hash = Fnv64::default();
    hash.write(kind.as_bytes());
    hash.write(&[0]);
    hash.write(name.as_bytes());
    hash.finish()
}

/// Returns the hash of an event's id. With 128 bits, two events in 10¹² share one with a chance below 10⁻¹⁴.
fn hash_of_id(log: Log, account: &str, id: &str) -> u128 {
    let half = |seed: u64| {
        let mut hasher = FixedState::with_seed(seed).build_hasher();
        hasher.write_u8(log as u8);
        hasher.write(account.as_bytes());
        hasher.write_u8(0);
        hasher.write(id.as_bytes());
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}

#[cfg(test)]
mod tests;
