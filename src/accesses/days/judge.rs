//! How surprising each day is, by all earlier days.

use std::collections::{BTreeMap, HashMap, HashSet};

use kernels::habit::{CountHabit, count_tail};
use kernels::novelty::{conformal_p, new_value_rate, prevalence, shrunken_rate, surprisal};

use super::gather::{Dimension, IdentityDay};
use super::reading::{self, JudgedReading, PeersRead, ReadBefore};
use super::{UNUSUAL, UNUSUAL_FOR_PROGRAMS, UNUSUAL_FROM_SUSPECT, UNUSUAL_P, WARM_UP_DAYS};
use crate::accesses::names::Names;
use flow::time::DAY_S;

/// How many days the peers' rate of new values weighs.
const PEER_DAYS: f64 = 5.0;

/// The places that an unusual day makes suspect.
const SUSPECT: [Dimension; 2] = [Dimension::Network, Dimension::Subnet];

/// A value that is new to an identity.
#[derive(Debug, Clone, PartialEq)]
pub struct NewValue {
    /// In what.
    pub dimension: Dimension,
    /// The value.
    pub value: u32,
    /// How many others used it on earlier days.
    pub others: u64,
    /// What it adds, in nats.
    pub nats: f64,
}

impl NewValue {
    /// Returns whether it says anything: what nearly everybody does says nothing.
    pub fn is_told(&self) -> bool {
        self.nats >= 1.0
    }
}

/// Since when ledgers know an identity, in seconds since 1970-01-01 UTC.
pub type Past<'a> = &'a dyn Fn(&str) -> Option<i64>;

/// A day with its judgement.
#[derive(Debug, Clone)]
pub struct Judged<'a> {
    /// What was done.
    pub day: IdentityDay<'a>,
    /// Whether the identity was never seen on an earlier day, nor told by a ledger.
    pub is_newcomer: bool,
    /// Earlier days of the identity.
    pub history_days: u64,
    /// Days of logs before this one.
    pub log_days: i64,
    /// Identities seen on earlier days.
    pub identities: u64,
    /// What counts as new, the most surprising first; one value for each dimension, and one for the place.
    pub new_values: Vec<NewValue>,
    /// The fewest identities, itself among them, that used one of the day's networks before.
    pub network_users: u64,
    /// The sum over new values, in nats.
    pub surprisal: f64,
    /// The same in units of a value that nobody else uses, so that it means the same in estates of any size.
    pub rarities: f64,
    /// The share of usual identity-days as surprising as this, itself among them; never below 1/(days + 1).
    pub p_value: f64,
    /// The chance of so many different denied acts, from own earlier days and the peers'.
    pub p_denied: f64,
    /// Whether the day must not become a habit.
    pub is_unusual: bool,
    /// Earlier days on which it granted or made credentials.
    pub powerful_days: u64,
    /// Earlier days on which something was denied it.
    pub denied_days: u64,
    /// What was read.
    pub readings: Vec<JudgedReading>,
}

/// What is known of an identity from earlier days.
#[derive(Debug, Default)]
struct Known {
    days: u64,
    values: [HashSet<u32>; Dimension::ALL.len()],
    new_days: [u64; Dimension::ALL.len()],
    denied_days: u64,
    denied_sum: u64,
    powerful_days: u64,
    read: BTreeMap<reading::Collection, ReadBefore>,
}

/// What is known of all from earlier days.
#[derive(Debug, Default)]
struct Everybody {
    identities: HashMap<u32, Known>,
    /// How many used a value.
    users: [HashMap<u32, u64>; Dimension::ALL.len()],
    /// Days on which something new came up, and all days, of people and of programs.
    new_days: [[(u64, u64); Dimension::ALL.len()]; 2],
    newcomers: u64,
    days: u64,
    denied: [(u64, u64); 2],
    read: PeersRead,
    /// Networks and subnets that unusual days used.
    suspect: HashSet<u32>,
    /// The surprisals of the days that became habits after the first ones, ascending.
    scores: Vec<f64>,
}

/// Judges days, which come in the order of day and identity.
pub fn judge<'a>(days: Vec<IdentityDay<'a>>, names: &Names, past: Past<'_>) -> Vec<Judged<'a>> {
    let Some(first_day) = days.first().map(|day| day.day) else { return Vec::new() };
    let mut everybody = Everybody::default();
    let mut judged: Vec<Judged<'a>> = Vec::with_capacity(days.len());
    let mut begin = 0;
    while begin < days.len() {
        let at = days[begin].day;
        let end = begin + days[begin..].partition_point(|day| day.day == at);
        let today = &days[begin..end];
        let from = judged.len();
        judged.extend(today.iter().map(|day| everybody.judge(day, today, at - first_day, names, past)));
        judged[from..].iter().for_each(|one| everybody.learn(one));
        everybody.scores.sort_by(f64::total_cmp);
        begin = end;
    }
    for one in &mut judged {
        one.p_value = everybody.p_value(one.surprisal, !one.is_unusual && one.log_days >= WARM_UP_DAYS);
    }
    judged
}

impl Everybody {
    /// Returns the share of usual days as surprising, the judged one among them. `is_among` says whether it is already.
    fn p_value(&self, surprisal: f64, is_among: bool) -> f64 {
        let p = conformal_p(surprisal, &self.scores);
        let n = self.scores.len() as f64;
        if is_among { (p * (n + 1.0) - 1.0) / n } else { p }
    }

    /// Returns whether a day must not become a habit. One new thing alone may, such as a task that somebody takes over. A
    /// place that only unusual days used makes all that comes from there suspect.
    fn is_unusual(&self, day: &IdentityDay<'_>, surprisal: f64, is_newcomer: bool, new_values: &[NewValue]) -> bool {
        let is_suspect = SUSPECT.iter().any(|dimension| {
            let users = &self.users[*dimension as usize];
            day.of(*dimension).iter().any(|place| self.suspect.contains(place) && !users.contains_key(place))
        });
        let is_elsewhere = new_values.iter().any(|new| new.dimension.is_place() && new.is_told());
        let (least, things) = if is_suspect {
            (UNUSUAL_FROM_SUSPECT, 1)
        } else if day.is_program && is_elsewhere {
            (UNUSUAL_FOR_PROGRAMS, 2)
        } else {
            (UNUSUAL, 2)
        };
        let new_things = usize::from(is_newcomer) + new_values.iter().filter(|new| new.is_told()).count();
        surprisal >= least * self.rarity() && new_things >= things && self.is_rare(surprisal)
    }

    /// Returns the surprisal of a value that nobody else uses, in nats.
    fn rarity(&self) -> f64 {
        surprisal(prevalence(0, self.identities.len() as u64))
    }

    /// Returns whether hardly any usual day was as surprising: in a large estate, somebody always travels far.
    fn is_rare(&self, surprisal: f64) -> bool {
        let floor = 1.0 / (self.scores.len() as f64 + 1.0);
        self.p_value(surprisal, false) <= UNUSUAL_P.max(floor)
    }

    fn judge<'a>(
        &self,
        day: &IdentityDay<'a>,
        today: &[IdentityDay<'_>],
        log_days: i64,
        names: &Names,
        past: Past<'_>,
    ) -> Judged<'a> {
        let none = Known::default();
        let known = self.identities.get(&day.identity);
        let logs_begin_s = (day.day - log_days) * DAY_S;
        let is_told = known.is_none() && past(names.text(day.identity)).is_some_and(|since| since < logs_begin_s);
        let is_newcomer = known.is_none() && !is_told;
        let own = known.unwrap_or(&none);
        let new_values = self.new_values(day, own, known.is_some(), today);
        let newcomer = if is_newcomer { surprisal(new_value_rate(self.newcomers, self.days)) } else { 0.0 };
        let surprisal = newcomer + new_values.iter().map(|new| new.nats).sum::<f64>();
        let kind = usize::from(day.is_program);
        let (denied, denied_days) = self.denied[kind];
        let habit = CountHabit {
            sum: own.denied_sum,
            days: own.days,
            peer_mean: (denied as f64 + 0.5) / (denied_days as f64 + 1.0),
            peer_days: PEER_DAYS,
        };
        let readings: Vec<JudgedReading> = (day.readings.iter())
            .map(|(of, read)| reading::judge(*of, read, own.read.get(of), &self.read, day.is_program))
            .collect();
        let users = |network: &u32| self.users[Dimension::Network as usize].get(network).copied().unwrap_or_default();
        Judged {
            day: day.clone(),
            is_newcomer,
            history_days: own.days,
            log_days,
            identities: self.identities.len() as u64,
            network_users: day.of(Dimension::Network).iter().map(users).min().unwrap_or_default(),
            is_unusual: log_days >= WARM_UP_DAYS && self.is_unusual(day, surprisal, is_newcomer, &new_values),
            new_values,
            surprisal,
            rarities: surprisal / self.rarity().max(f64::MIN_POSITIVE),
            p_value: 1.0,
            p_denied: count_tail(day.denied.len() as u64, 1, &habit),
            powerful_days: own.powerful_days,
            denied_days: own.denied_days,
            readings,
        }
    }

    /// Returns the most surprising new value of each dimension; of network, subnet and country only one, since each
    /// follows from the other.
    fn new_values(
        &self,
        day: &IdentityDay<'_>,
        own: &Known,
        has_history: bool,
        today: &[IdentityDay<'_>],
    ) -> Vec<NewValue> {
        let most = |dimension: Dimension| {
            let at = dimension as usize;
            let (new_days, days) = self.new_days[usize::from(day.is_program)][at];
            let rate = shrunken_rate(own.new_days[at], own.days, new_value_rate(new_days, days), PEER_DAYS);
            let rate = if has_history { rate } else { 1.0 };
            let new = day.of(dimension).iter().filter(|value| !own.values[at].contains(*value));
            let told = new.map(|value| {
                let others = self.users[at].get(value).copied().unwrap_or_default();
                // On the day an application is rolled out, many begin with it.
                let begin = match dimension {
                    Dimension::App => {
                        today.iter().filter(|other| other.of(dimension).contains(value)).count() as u64 - 1
                    }
                    _ => 0,
                };
                let share = prevalence(others + begin, self.identities.len() as u64 + begin);
                NewValue { dimension, value: *value, others, nats: surprisal(rate * share) }
            });
            told.reduce(|most, other| if other.nats > most.nats { other } else { most })
        };
        let place = [Dimension::Network, Dimension::Subnet, Dimension::Country].into_iter().filter_map(most);
        // A subnet is told only where the network is known: otherwise it is new by itself.
        let place = place.reduce(|most, other| if other.nats > most.nats + 1e-9 { other } else { most });
        let rest = [Dimension::Agent, Dimension::Service, Dimension::App, Dimension::Class, Dimension::Outcome];
        let mut found: Vec<NewValue> = place.into_iter().chain(rest.into_iter().filter_map(most)).collect();
        found.sort_by(|a, b| b.nats.total_cmp(&a.nats).then(a.dimension.cmp(&b.dimension)));
        found
    }

    fn learn(&mut self, judged: &Judged<'_>) {
        let (day, kind) = (&judged.day, usize::from(judged.day.is_program));
        if judged.is_unusual {
            SUSPECT.iter().for_each(|dimension| self.suspect.extend(day.of(*dimension)));
            return;
        }
        // In the first days everything is new, which says nothing about later ones.
        if judged.log_days >= WARM_UP_DAYS {
            self.scores.push(judged.surprisal);
        }
        self.days += 1;
        self.newcomers += u64::from(judged.is_newcomer);
        let known = self.identities.entry(day.identity).or_default();
        for (at, values) in day.values.iter().enumerate() {
            let mut is_new = false;
            for value in values {
                if known.values[at].insert(*value) {
                    is_new = true;
                    *self.users[at].entry(*value).or_default() += 1;
                }
            }
            // The first day of an identity shows what it has, not what it takes up.
            if known.days > 0 {
                let (new_days, days) = &mut self.new_days[kind][at];
                (*new_days, *days) = (*new_days + u64::from(is_new), *days + 1);
                known.new_days[at] += u64::from(is_new);
            }
        }
        let denied = day.denied.len() as u64;
        known.days += 1;
        known.denied_days += u64::from(denied > 0);
        known.denied_sum += denied;
        known.powerful_days += u64::from(day.powerful[0] + day.powerful[1] > 0);
        self.denied[kind].0 += denied;
        self.denied[kind].1 += 1;
        for one in judged.readings.iter().filter(|one| judged.log_days < WARM_UP_DAYS || !one.is_mass()) {
            let before = known.read.entry(one.collection).or_default();
            reading::learn(&day.readings[&one.collection], one, before, &mut self.read, day.is_program);
        }
    }
}
