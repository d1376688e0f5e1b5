//! What acts tell of who is who: which key made which key, who used it, from where, and who made whom.

use std::collections::BTreeMap;
use std::fmt;

use flow::Address;
use flow::fnv::Fnv64;

use super::AccessHour;
use super::identity::{identity, instance_of};
use crate::act::{Act, ActionClass, Log, Outcome, last_four};

/// Most ties of each rule that are kept. Of more, those stay whose names have the least hashes: the same in any order.
pub const MAX_TIES: usize = 1 << 17;

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $name:literal, $certainty:literal,)*) => {
        /// Why two names belong together. The docs have the table of all rules.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum TieRule {
            $($(#[$doc])* $rule,)*
        }

        impl TieRule {
            /// All rules.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// Returns the rule that [`TieRule::name`] names so.
            pub fn of_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$rule),)*
                    _ => None,
                }
            }

            /// Returns the name of the rule.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$rule => $name,)* }
            }

            /// Returns how certain the rule is, 0–1: 1 where the log itself says so.
            pub const fn certainty(self) -> f64 {
                match self { $(Self::$rule => $certainty,)* }
            }
        }
    };
}

rules! {
    /// A credential made another: key → session key.
    Minted = "minted", 1.0,
    /// A login without a key made a credential: principal → credential.
    Issued = "issued", 1.0,
    /// A principal made another: principal → principal.
    Created = "created", 1.0,
    /// A principal changed the keys, factors or rights of another: principal → principal.
    Changed = "changed", 0.9,
    /// A principal used a credential: credential → principal.
    UsedBy = "used_by", 1.0,
    /// A principal acted from an address: principal → address.
    UsedFrom = "used_from", 1.0,
    /// A role was used under the name of an instance: principal → instance.
    RanOn = "ran_on", 1.0,
    /// A balancer passed a client on: address of the client → address of the target.
    Served = "served", 0.8,
}

impl TieRule {
    /// Returns whether its first name, and whether its second is a credential, which is not for output.
    const fn secrets(self) -> (bool, bool) {
        match self {
            Self::Minted => (true, true),
            Self::Issued => (false, true),
            Self::UsedBy => (true, false),
            _ => (false, false),
        }
    }
}

/// Two names that belong together, and since when. Principals are as [`identity`] names them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tie<'a> {
    /// Why.
    pub rule: TieRule,
    /// The log that tells it.
    pub log: Log,
    /// The first second, since 1970-01-01 UTC.
    pub first_s: i64,
    /// The last second.
    pub last_s: i64,
    /// Acts that tell it. Acts that two trails tell count twice, unless hours told them.
    pub acts: u64,
    from: &'a str,
    to: &'a str,
}

impl<'a> Tie<'a> {
    /// Returns a tie that was kept: its names in full, its first and last second, and the acts that told it.
    pub const fn kept(rule: TieRule, log: Log, names: (&'a str, &'a str), span_s: (i64, i64), acts: u64) -> Self {
        Self { rule, log, first_s: span_s.0, last_s: span_s.1, acts, from: names.0, to: names.1 }
    }

    /// Returns the name that comes first in the rule: in full, to join by. Of a credential it is not for output.
    pub const fn from(&self) -> &'a str {
        self.from
    }

    /// Returns the other name, in full.
    pub const fn to(&self) -> &'a str {
        self.to
    }

    /// Returns both names for output: credentials by their last four characters.
    pub fn shown(&self) -> (String, String) {
        let (from, to) = self.rule.secrets();
        let text = |name: &str, is_secret| if is_secret { format!("…{}", last_four(name)) } else { name.to_owned() };
        (text(self.from, from), text(self.to, to))
    }
}

impl fmt::Debug for Tie<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = self.shown();
        let (rule, log) = (self.rule.name(), self.log.name());
        write!(f, "{log}: {from} {rule} {to}, {} acts in {}–{}", self.acts, self.first_s, self.last_s)
    }
}

/// A tie's names. The hash comes first, so that the last is the first to be dropped.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    hash: u64,
    log: Log,
    from: Box<str>,
    to: Box<str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    first_s: i64,
    last_s: i64,
    acts: u64,
}

/// The ties of one rule.
#[derive(Clone, Default, PartialEq, Eq)]
struct OfRule {
    kept: BTreeMap<Key, Seen>,
    is_full: bool,
}

/// Folds acts and hours into ties, in any order and any split, to the same ties.
///
/// Acts tell what hours do not hold: credentials and principals that were made. Hours tell the rest, each act once; as an
/// hour names far more principals and addresses than matter, pass only those rows that are asked about.
///
/// ```
/// use flowsift_access::{Act, Credential, Log, Outcome, Ties};
///
/// let mut act = Act::new(Log::CloudTrail, 1_700_662_702_000_000);
/// act.credential = Credential::key("AKIAIOSFODNN7EXAMPLE".into());
/// act.child_credential = Credential::key("ASIAIOSFODNN7SESSION".into());
/// act.outcome = Outcome::Success;
/// let mut ties = Ties::default();
/// ties.add(&act);
/// let tie = ties.iter()[0];
/// assert_eq!((tie.rule.name(), tie.to()), ("minted", "ASIAIOSFODNN7SESSION"));
/// assert_eq!(tie.shown(), ("…MPLE".to_owned(), "…SION".to_owned()));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ties {
    rules: BTreeMap<TieRule, OfRule>,
}

impl fmt::Debug for Ties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Ties {
    /// Notes what an act made: a credential, or another principal. Acts that were refused make nothing.
    pub fn add(&mut self, act: &Act<'_>) {
        let made = &act.child_credential;
        let is_of_user = matches!(act.action_class, ActionClass::CreateCredential | ActionClass::Grant)
            && act.object_kind.eq_ignore_ascii_case("user");
        if act.outcome != Outcome::Success || (made.is_none() && !is_of_user) {
            return;
        }
        let seen = Seen { first_s: act.second(), last_s: act.second(), acts: 1 };
        if !made.is_none() && !act.credential.is_none() {
            self.note(TieRule::Minted, act.log, (act.credential.full(), made.full()), seen);
        } else if !made.is_none() {
            self.note(TieRule::Issued, act.log, (&identity(&act.principal), made.full()), seen);
        }
        if is_of_user {
            let rule = if makes_user(&act.action) { TieRule::Created } else { TieRule::Changed };
            let other = name_of_user(act);
            self.note(rule, act.log, (&identity(&act.principal), &identity(&other)), seen);
        }
    }

    /// Notes what an hour tells: who used which credential from where, and whom a balancer passed on.
    pub fn add_hour(&mut self, row: &AccessHour<'_>) {
        let seen = Seen { first_s: row.sums.first_s, last_s: row.sums.last_s, acts: row.sums.events };
        let principal = identity(row.principal);
        self.note(TieRule::UsedBy, row.log, (row.credential.full(), &principal), seen);
        if let Some(instance) = instance_of(row.principal) {
            self.note(TieRule::RanOn, row.log, (&principal, instance), seen);
        }
        if Address::parse(row.source.as_bytes()).is_some() {
            self.note(TieRule::UsedFrom, row.log, (&principal, row.source), seen);
            if let (Log::Alb | Log::NlbTls | Log::Clb, Some(target)) = (row.log, address_of_target(row.target)) {
                self.note(TieRule::Served, row.log, (row.source, target), seen);
            }
        }
    }

    /// Adds a tie of another fold.
    pub fn add_tie(&mut self, tie: &Tie<'_>) {
        let seen = Seen { first_s: tie.first_s, last_s: tie.last_s, acts: tie.acts };
        self.note(tie.rule, tie.log, (tie.from, tie.to), seen);
    }

    /// Adds all of another fold. Their order does not matter.
    pub fn merge(&mut self, other: &Self) {
        for (rule, ties) in &other.rules {
            let own = self.rules.entry(*rule).or_default();
            own.is_full |= ties.is_full;
            ties.kept.iter().for_each(|(key, seen)| own.add(key.clone(), *seen));
        }
    }

    /// Returns all ties, sorted by rule, names and log.
    pub fn iter(&self) -> Vec<Tie<'_>> {
        let mut all = Vec::new();
        for (rule, ties) in &self.rules {
            all.extend(ties.kept.iter().map(|(key, seen)| Tie {
                rule: *rule,
                log: key.log,
                first_s: seen.first_s,
                last_s: seen.last_s,
                acts: seen.acts,
                from: &key.from,
                to: &key.to,
            }));
        }
        all.sort_unstable_by_key(|tie| (tie.rule, tie.from, tie.to, tie.log));
        all
    }

    /// Returns whether more than [`MAX_TIES`] of a rule were told, so that some are missing.
    pub fn is_full(&self, rule: TieRule) -> bool {
        self.rules.get(&rule).is_some_and(|ties| ties.is_full)
    }

    /// Returns whether there is no tie.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    fn note(&mut self, rule: TieRule, log: Log, (from, to): (&str, &str), seen: Seen) {
        if from.is_empty() || to.is_empty() || from == to {
            return;
        }
        let key = Key { hash: hash_of(log, from, to), log, from: from.into(), to: to.into() };
        self.rules.entry(rule).or_default().add(key, seen);
    }
}

impl OfRule {
    /// Adds a tie. One that is dropped has more than [`MAX_TIES`] before it, so none of its acts is ever missed.
    fn add(&mut self, key: Key, seen: Seen) {
        let told = self.kept.entry(key).or_insert(Seen { first_s: i64::MAX, last_s: i64::MIN, acts: 0 });
        told.first_s = told.first_s.min(seen.first_s);
        told.last_s = told.last_s.max(seen.last_s);
        told.acts = told.acts.saturating_add(seen.acts);
        if self.kept.len() > MAX_TIES {
            self.kept.pop_last();
            self.is_full = true;
        }
    }
}

fn hash_of(log: Log, from: &str, to: &str) -> u64 {
    let mut hash = Fnv64::default();
    hash.write(&[log as u8]);
    hash.write(from.as_bytes());
    hash.write(&[0]);
    hash.write(to.as_bytes());
    hash.finish()
}

/// Returns whether an action makes a user, in the words of any log: `CreateUser`, `user.lifecycle.create`,
/// `jira.auditing.user.created`.
fn makes_user(action: &str) -> bool {
    let word: String = action.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    word == "createuser" || word.ends_with("usercreated") || word.starts_with("userlifecyclecreate")
}

/// Returns the name under which the other user acts: IAM knows users by name and logs them by ARN.
fn name_of_user(act: &Act<'_>) -> String {
    let is_arn = act.object.starts_with("arn:") || act.account.is_empty();
    if act.log != Log::CloudTrail || act.service != "iam" || is_arn {
        return act.object.to_string();
    }
    // Users of a path act under it; only the ARN of the caller tells the partition.
    let partition = act.principal.split(':').nth(1).filter(|part| part.starts_with("aws")).unwrap_or("aws");
    format!("arn:{partition}:iam::{}:user/{}", act.account, act.object)
}

/// Returns the address of a balancer's `address:port`.
fn address_of_target(target: &str) -> Option<&str> {
    let address = target.rsplit_once(':').map_or(target, |(address, _)| address);
    let address = address.trim_matches(['[', ']']);
    Address::parse(address.as_bytes()).map(|_| address)
}

#[cfg(test)]
mod tests;
