//! What is known of a credential or a principal for good: when it was made, and when it was used.
//!
//! "Not used for 155 days" cannot be told from 14 days of logs, so ledgers outlive them.

use std::collections::BTreeMap;

use super::{AccessHour, Uses, identity};
use crate::act::{Act, ActionClass, Credential, CredentialKind, Log, Outcome};

/// What is known of one credential or principal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerEntry {
    /// When logs saw it used.
    pub uses: Uses,
    /// The last uses that lists told, each its own. A list made after an abuse tells the abuse.
    pub reported: Uses,
    /// When it was made, in seconds since 1970-01-01 UTC.
    pub created_s: Option<i64>,
    /// The principal of its first known use, with the second of it.
    pub first: Option<(i64, String)>,
}

impl LedgerEntry {
    /// Returns the latest use that a list told, in seconds since 1970-01-01 UTC.
    pub fn reported_s(&self) -> Option<i64> {
        self.reported.last_s()
    }

    /// Returns what was known before a second; `None` if that was nothing.
    pub fn before(&self, second: i64) -> Option<Self> {
        let known = Self {
            uses: self.uses.before(second),
            reported: self.reported.before(second),
            created_s: self.created_s.filter(|at| *at < second),
            first: self.first.clone().filter(|(at, _)| *at < second),
        };
        (known != Self::default()).then_some(known)
    }

    /// Returns whose it is: the principal that used it first.
    pub fn owner(&self) -> &str {
        self.first.as_ref().map_or("", |(_, owner)| owner)
    }

    /// Returns the last use before a second, and whether it is from a list rather than from a log. A list's time is
    /// taken only if it is before, too.
    pub fn last_before(&self, second: i64) -> Option<(i64, bool)> {
        let seen = self.uses.last_before(second).map(|at| (at, false));
        let reported = self.reported.last_before(second).map(|at| (at, true));
        [seen, reported].into_iter().flatten().max_by_key(|(at, is_reported)| (*at, !is_reported))
    }

    fn used(&mut self, second: i64, owner: &str) {
        self.uses.add(second);
        self.own(Some((second, owner)));
    }

    fn own(&mut self, other: Option<(i64, &str)>) {
        let Some((second, owner)) = other.filter(|(_, owner)| !owner.is_empty()) else { return };
        if self.first.as_ref().is_none_or(|(at, kept)| (second, owner) < (*at, kept.as_str())) {
            self.first = Some((second, owner.to_owned()));
        }
    }

    fn merge(&mut self, other: &Self) {
        self.uses.merge(&other.uses);
        self.reported.merge(&other.reported);
        self.created_s = earliest(self.created_s, other.created_s);
        self.own(other.first.as_ref().map(|(at, owner)| (*at, owner.as_str())));
    }
}

fn earliest(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    [a, b].into_iter().flatten().min()
}

/// Whether an act is a use of what it was done with: an attempt to log in is not.
fn is_use(class: ActionClass, outcome: Outcome) -> bool {
    class != ActionClass::Login || outcome == Outcome::Success
}

/// The ledger of credentials that outlive their sessions: keys, tokens, passwords.
///
/// Session keys are not in it: their number has no bound, and each is new.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    entries: BTreeMap<Credential<'static>, LedgerEntry>,
}

impl Credentials {
    /// Notes the credential of an act, and the one that the act made.
    pub fn add(&mut self, act: &Act<'_>) {
        if is_use(act.action_class, act.outcome) && act.credential.kind().lasts() {
            self.entry(&act.credential).used(act.second(), &act.principal);
        }
        if act.outcome == Outcome::Success && act.child_credential.kind().lasts() {
            let made = self.entry(&act.child_credential);
            made.created_s = earliest(made.created_s, Some(act.second()));
        }
    }

    /// Notes the credential of the acts of a row: the same as [`Credentials::add`] of each, since no silence within an
    /// hour makes a gap. What they made, a row does not tell.
    pub fn add_hour(&mut self, row: &AccessHour<'_>) {
        if is_use(row.action_class, row.outcome) && row.credential.kind().lasts() {
            let entry = self.entry(&row.credential);
            entry.used(row.sums.first_s, row.principal);
            entry.used(row.sums.last_s, row.principal);
        }
    }

    /// Notes what a list tells: when a credential was made and last used, in seconds since 1970-01-01 UTC.
    pub fn report(&mut self, credential: &Credential<'_>, created_s: Option<i64>, last_used_s: Option<i64>) {
        if credential.kind() == CredentialKind::None {
            return;
        }
        let entry = self.entry(credential);
        entry.created_s = earliest(entry.created_s, created_s);
        last_used_s.into_iter().for_each(|at| entry.reported.add(at));
    }

    /// Adds all of another ledger. Any order and any number of times gives the same ledger.
    pub fn merge(&mut self, other: &Self) {
        other.entries.iter().for_each(|(credential, entry)| self.entry(credential).merge(entry));
    }

    /// Adds what is known of a credential.
    pub fn add_entry(&mut self, credential: &Credential<'_>, entry: &LedgerEntry) {
        self.entry(credential).merge(entry);
    }

    /// Returns what was known before a second, in seconds since 1970-01-01 UTC.
    pub fn before(&self, second: i64) -> Self {
        let known = self.entries.iter().filter_map(|(key, entry)| Some((key.clone(), entry.before(second)?)));
        Self { entries: known.collect() }
    }

    /// Returns what is known of a credential.
    pub fn get<'a>(&'a self, credential: &Credential<'a>) -> Option<&'a LedgerEntry> {
        self.entries.get(credential)
    }

    /// Returns all credentials in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Credential<'static>, &LedgerEntry)> {
        self.entries.iter()
    }

    fn entry(&mut self, credential: &Credential<'_>) -> &mut LedgerEntry {
        let key = Credential::new(credential.full().to_owned().into(), credential.kind());
        self.entries.entry(key).or_default()
    }
}

/// The ledger of principals, by log and [`identity`]: sessions of a role whose names are made up are the role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Principals {
    entries: BTreeMap<(Log, String), LedgerEntry>,
}

impl Principals {
    /// Notes the principal of an act.
    pub fn add(&mut self, act: &Act<'_>) {
        if is_use(act.action_class, act.outcome) && !act.principal.is_empty() {
            self.entry(act.log, &act.principal).used(act.second(), &act.principal);
        }
    }

    /// Notes the principal of the acts of a row: the same as [`Principals::add`] of each.
    pub fn add_hour(&mut self, row: &AccessHour<'_>) {
        if is_use(row.action_class, row.outcome) && !row.principal.is_empty() {
            let entry = self.entry(row.log, row.principal);
            entry.used(row.sums.first_s, row.principal);
            entry.used(row.sums.last_s, row.principal);
        }
    }

    /// Notes what a list tells of a principal; see [`Credentials::report`].
    pub fn report(&mut self, log: Log, principal: &str, created_s: Option<i64>, last_used_s: Option<i64>) {
        if !principal.is_empty() {
            let entry = self.entry(log, principal);
            entry.created_s = earliest(entry.created_s, created_s);
            last_used_s.into_iter().for_each(|at| entry.reported.add(at));
        }
    }

    /// Adds all of another ledger. Any order and any number of times gives the same ledger.
    pub fn merge(&mut self, other: &Self) {
        for (key, entry) in &other.entries {
            self.entries.entry(key.clone()).or_default().merge(entry);
        }
    }

    /// Adds what is known of a principal.
    pub fn add_entry(&mut self, log: Log, principal: &str, entry: &LedgerEntry) {
        self.entry(log, principal).merge(entry);
    }

    /// Returns what was known before a second, in seconds since 1970-01-01 UTC.
    pub fn before(&self, second: i64) -> Self {
        let known = self.entries.iter().filter_map(|(key, entry)| Some((key.clone(), entry.before(second)?)));
        Self { entries: known.collect() }
    }

    /// Returns what is known of a principal; upper and lower case are the same.
    pub fn get(&self, log: Log, principal: &str) -> Option<&LedgerEntry> {
        self.entries.get(&(log, identity(principal).into_owned()))
    }

    /// Returns all principals in order, with their log.
    pub fn iter(&self) -> impl Iterator<Item = (Log, &str, &LedgerEntry)> {
        self.entries.iter().map(|((log, name), entry)| (*log, name.as_str(), entry))
    }

    fn entry(&mut self, log: Log, principal: &str) -> &mut LedgerEntry {
        self.entries.entry((log, identity(principal).into_owned())).or_default()
    }
}

#[cfg(test)]
mod tests;
