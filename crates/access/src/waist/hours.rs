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
    rows: Rows,
    /// Of acts without an id, and of sealed ones, by row.
    sums: Vec<Sums>,
    /// Acts with an id.
    open: HashMap<u128, Share, foldhash::fast::FixedState>,
    /// Acts of an object that may yet turn out damaged.
    staged: Vec<(Option<u128>, Share)>,
    with_id: u64,
    sealed: u64,
}

/// About how many bytes a row costs: its texts, its sums and its place.
const ROW_BYTES: usize = 500;

/// What one act adds to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Share {
    row: u32,
    second: i64,
    bytes_out: u64,
    bytes_in: u64,
    object: Option<u64>,
}

impl AccessHours {
    /// Adds an act.
    pub fn add(&mut self, act: &Act<'_>) {
        let (id, share) = self.share(act);
        self.count(id, share);
    }

    /// Adds what `read` tells its sink, if `read` succeeds; nothing of it if not. So a damaged object counts with none
    /// of its acts.
    ///
    /// # Errors
    /// That of `read`.
    pub fn object<T, E>(&mut self, read: impl FnOnce(&mut dyn FnMut(&Act<'_>)) -> Result<T, E>) -> Result<T, E> {
        self.staged.clear();
        let read = read(&mut |act| {
            let staged = self.share(act);
            self.staged.push(staged);
        });
        let mut staged = std::mem::take(&mut self.staged);
        if read.is_ok() {
            staged.drain(..).for_each(|(id, share)| self.count(id, share));
        }
        staged.clear();
        self.staged = staged;
        read
    }

    /// Adds all of another fold.
    pub fn merge(&mut self, other: &Self) {
        let numbers: Vec<u32> =
            (0..other.rows.count()).map(|row| self.rows.number(&other.rows.key(row as u32))).collect();
        self.sums.resize_with(self.rows.count(), Sums::default);
        for (row, sums) in other.sums.iter().enumerate() {
            self.sums[numbers[row] as usize].merge(sums);
        }
        self.with_id += other.with_id - other.open.len() as u64;
        self.sealed += other.sealed;
        for (id, share) in &other.open {
            self.count(Some(*id), Share { row: numbers[share.row as usize], ..*share });
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
        let keyed = sums.into_iter().enumerate().map(|(row, sums)| (self.rows.key(row as u32), sums));
        // A row without events is left of a damaged object or of the worse of two duplicates.
        let mut rows: Vec<_> = keyed.filter(|(_, sums)| sums.events > 0).collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows.into_iter().map(|(key, sums)| key.row(sums)).collect()
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

    fn count(&mut self, id: Option<u128>, share: Share) {
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
