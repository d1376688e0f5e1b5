//! The fold from acts to `access_hours`.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroU64;

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
/// first. Each such act costs about 64 bytes until [`AccessHours::seal`]; acts without an id cost nothing once counted.
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
    /// Acts with an id, in the order in which they came. Up to `settled`, each id is there once.
    open: Vec<Open>,
    settled: usize,
    /// Acts of an object that may yet turn out damaged.
    staged: Vec<(Option<Id>, Share)>,
    /// Ids by which they would be named.
    staged_ids: HashMap<u32, Box<str>, foldhash::fast::FixedState>,
    /// Of each row, the id of one act: the least.
    ids: Vec<Box<str>>,
    with_id: u64,
    sealed: u64,
}

/// 128 bits of hash of an event's id.
pub(super) type Id = [u64; 2];

/// An act with an id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) id: Id,
    pub(super) share: Share,
}

/// What one act adds to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share {
    pub(super) row: u32,
    /// Seconds since the row's hour began.
    pub(super) second: u32,
    pub(super) bytes_out: u64,
    pub(super) bytes_in: u64,
    pub(super) object: Option<NonZeroU64>,
}

/// About how many bytes the objects of a row take.
const OBJECTS_BYTES: usize = 64;
/// About how many bytes the id of a row takes.
const ROW_ID_BYTES: usize = 64;

impl AccessHours {
    /// Adds an act.
    pub fn add(&mut self, act: &Act<'_>) {
        let (id, share) = self.share(act);
        if let Some(name) = named(self.ids.get(share.row as usize).map(Box::as_ref), act) {
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
            if let Some(name) = named(self.ids.get(row as usize).map(Box::as_ref), act)
                && let Some(name) =
                    named(self.staged_ids.get(&row).map(Box::as_ref), act).filter(|again| *again == name)
            {
                self.staged_ids.insert(row, name.into());
            }
            self.staged.push(staged);
        });
        let mut staged = std::mem::take(&mut self.staged);
        if read.is_ok() {
            staged.iter().for_each(|(id, share)| self.count(*id, *share));
            std::mem::take(&mut self.staged_ids).into_iter().for_each(|(row, name)| self.name(row, name));
        }
        staged.clear();
        self.staged = staged;
        read
    }

    /// Adds all of another fold.
    pub fn merge(&mut self, other: &Self) {
        let numbers = self.merge_rows(other, |_| true);
        self.with_id += other.with_id;
        self.sealed += other.sealed;
        self.open.extend(other.open.iter().filter_map(|one| one.at(&numbers)));
    }

    /// Adds those hours of another fold that `is_wanted` picks by their first second. [`AccessHours::duplicates`] then
    /// knows of none within the other.
    pub fn merge_hours(&mut self, other: &Self, is_wanted: impl Fn(i64) -> bool) {
        let numbers = self.merge_rows(other, is_wanted);
        let before = self.open.len();
        self.open.extend(other.once().filter_map(|one| one.at(&numbers)));
        self.with_id += (self.open.len() - before) as u64;
    }

    /// Adds the rows of another fold with their sums and ids, and returns their numbers here, in their order there;
    /// `None` for those of hours that are not wanted.
    fn merge_rows(&mut self, other: &Self, is_wanted: impl Fn(i64) -> bool) -> Vec<Option<u32>> {
        let numbers = self.rows.merge(&other.rows, is_wanted);
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
        numbers
    }

    /// Forgets the ids of all acts so far and frees what they cost. An act that comes once more after this counts again,
    /// so an hour is sealed when nothing of it can come any more.
    pub fn seal(&mut self) {
        self.seal_before(i64::MAX);
    }

    /// Seals only acts before a second, since 1970-01-01 UTC; see [`AccessHours::seal`].
    pub fn seal_before(&mut self, second: i64) {
        let mut spare = self.spare().into_iter().peekable();
        self.sums.resize_with(self.rows.count(), Sums::default);
        let (rows, sums, sealed) = (&self.rows, &mut self.sums, &mut self.sealed);
        let mut at = 0;
        self.open.retain(|one| {
            let is_spare = spare.next_if_eq(&at).is_some();
            at += 1;
            if is_spare {
                return false;
            }
            let act_s = rows.hour_s(one.share.row) + i64::from(one.share.second);
            if act_s < second {
                add(&mut sums[one.share.row as usize], act_s, &one.share);
                *sealed += 1;
            }
            act_s >= second
        });
        self.settled = self.open.len();
        // A list keeps its room; one that is mostly empty gives it back.
        if self.open.len() < self.open.capacity() / 4 {
            self.open.shrink_to(self.open.len() * 2);
        }
    }

    /// Returns how many acts came more than once.
    pub fn duplicates(&self) -> u64 {
        self.with_id - self.sealed - (self.open.len() - self.spare().len()) as u64
    }

    /// Returns about how many bytes the fold holds.
    pub fn held_bytes(&self) -> usize {
        let sums: usize = self.sums.capacity() * size_of::<Sums>();
        self.open.capacity() * size_of::<Open>()
            + sums
            + self.rows.count() * OBJECTS_BYTES
            + self.rows.held_bytes()
            + self.ids.len() * ROW_ID_BYTES
    }

    /// Returns the rows in the order of hour and log, and then of all else.
    pub fn rows(&self) -> Vec<AccessHour<'_>> {
        let mut sums = Cow::Borrowed(&self.sums);
        if !self.open.is_empty() || self.sums.len() < self.rows.count() {
            let sums = sums.to_mut();
            sums.resize_with(self.rows.count(), Sums::default);
            for Open { share, .. } in self.once() {
                let act_s = self.rows.hour_s(share.row) + i64::from(share.second);
                add(&mut sums[share.row as usize], act_s, share);
            }
        }
        // A row without events is left of a damaged object or of the worse of two duplicates.
        let told = self.rows.sorted(|row| sums[row as usize].events > 0);
        told.into_iter().map(|row| self.rows.key(row).row(self.id_of(row), sums[row as usize].clone())).collect()
    }

    /// Returns the open acts, each once.
    pub(super) fn once(&self) -> impl Iterator<Item = &Open> {
        let mut spare = self.spare().into_iter().peekable();
        self.open.iter().enumerate().filter(move |(at, _)| spare.next_if_eq(at).is_none()).map(|(_, one)| one)
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

    /// Returns the places of open acts that another one with the same id makes spare, in order.
    fn spare(&self) -> Vec<usize> {
        if self.settled == self.open.len() {
            return Vec::new();
        }
        let ids = self.open.iter().enumerate();
        let mut order: Vec<u128> = ids.map(|(at, one)| u128::from(one.id[0]) << 64 | at as u128).collect();
        order.sort_unstable();
        let mut spare = Vec::new();
        for same in order.chunk_by(|a, b| a >> 64 == b >> 64).filter(|same| same.len() > 1) {
            let mut acts: Vec<usize> = same.iter().map(|one| *one as u64 as usize).collect();
            let rank = |at: usize| {
                let Open { id, share } = self.open[at];
                (id[1], self.rows.key(share.row), Share { row: 0, ..share }, at)
            };
            acts.sort_unstable_by(|a, b| rank(*a).cmp(&rank(*b)));
            // The least of each id stays.
            spare.extend(acts.windows(2).filter(|two| self.open[two[0]].id == self.open[two[1]].id).map(|two| two[1]));
        }
        spare.sort_unstable();
        spare
    }

    fn share(&mut self, act: &Act<'_>) -> (Option<Id>, Share) {
        let (act_s, hour_s) = (act.second(), hour_of(act.second()));
        let row = self.rows.number(&RowKey {
            head: RowHead {
                hour_s,
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
        let object =
            (!act.object.is_empty()).then(|| hash_of_object(&act.object_kind, &act.object)).and_then(NonZeroU64::new);
        let id = (!act.event_id.is_empty()).then(|| hash_of_id(act.log, &act.account, &act.event_id));
        let (bytes_out, bytes_in) = (act.bytes_out.unwrap_or_default(), act.bytes_in.unwrap_or_default());
        (id, Share { row, second: (act_s - hour_s) as u32, bytes_out, bytes_in, object })
    }

    pub(super) fn count(&mut self, id: Option<Id>, share: Share) {
        if let Some(id) = id {
            self.with_id += 1;
            self.open.push(Open { id, share });
            return;
        }
        let row = share.row as usize;
        if row >= self.sums.len() {
            self.sums.resize_with(self.rows.count(), Sums::default);
        }
        let act_s = self.rows.hour_s(share.row) + i64::from(share.second);
        add(&mut self.sums[row], act_s, &share);
    }
}

impl Open {
    /// Returns the act in another fold that has its row under another number; `None` where it has not.
    fn at(&self, numbers: &[Option<u32>]) -> Option<Self> {
        let row = numbers[self.share.row as usize]?;
        Some(Self { share: Share { row, ..self.share }, ..*self })
    }
}

/// Returns the id of an act, if it is less than the one that its row has: the event's, or the trace of a request.
fn named<'a>(own: Option<&str>, act: &'a Act<'_>) -> Option<&'a str> {
    let id: &str = if act.event_id.is_empty() { &act.trace } else { &act.event_id };
    (!id.is_empty() && own.is_none_or(|own| own.is_empty() || id < own)).then_some(id)
}

fn add(sums: &mut Sums, act_s: i64, share: &Share) {
    sums.events += 1;
    sums.bytes_out = sums.bytes_out.saturating_add(share.bytes_out);
    sums.bytes_in = sums.bytes_in.saturating_add(share.bytes_in);
    if let Some(object) = share.object {
        sums.objects.add(object.get());
    }
    sums.first_s = sums.first_s.min(act_s);
    sums.last_s = sums.last_s.max(act_s);
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
fn hash_of_id(log: Log, account: &str, id: &str) -> Id {
    let half = |seed: u64| {
        let mut hasher = FixedState::with_seed(seed).build_hasher();
        hasher.write_u8(log as u8);
        hasher.write(account.as_bytes());
        hasher.write_u8(0);
        hasher.write(id.as_bytes());
        hasher.finish()
    };
    [half(1), half(2)]
}

#[cfg(test)]
mod tests;
