//! Rows of hours to days of identities.

use std::collections::{BTreeMap, BTreeSet};

use access::{AccessHour, ActionClass, CredentialKind, Identities, Log, Outcome, PrincipalKind};
use flow::time::DAY_S;

use super::reading::{Collection, Reading};
use crate::accesses::names::Names;
use crate::accesses::places::Places;
use crate::accesses::program::is_program;

/// In what an identity may do something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// The network of the source.
    Network,
    /// The /24 or /48 of the source.
    Subnet,
    /// The country of the source.
    Country,
    /// The family of the client program.
    Agent,
    /// The service.
    Service,
    /// The application.
    App,
    /// The class of action.
    Class,
    /// How acts ended, if not well.
    Outcome,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Network, Self::Subnet, Self::Country, Self::Agent, Self::Service, Self::App, Self::Class, Self::Outcome];

    /// Returns whether it is about where acts came from.
    pub const fn is_place(self) -> bool {
        matches!(self, Self::Network | Self::Subnet | Self::Country)
    }

    /// Returns the word for it in evidence.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Subnet => "subnet",
            Self::Country => "country",
            Self::Agent => "program",
            Self::Service => "service",
            Self::App => "app",
            Self::Class => "action",
            Self::Outcome => "outcome",
        }
    }
}

/// What one identity did on one day, over all logs that name it.
#[derive(Debug, Clone)]
pub struct IdentityDay<'a> {
    /// Who.
    pub identity: u32,
    /// Days since 1970-01-01 UTC.
    pub day: i64,
    /// The numbers of the values of each dimension.
    pub values: [BTreeSet<u32>; Dimension::ALL.len()],
    /// The names under which logs know it.
    pub principals: BTreeSet<&'a str>,
    /// Whether it is rather a program than a person.
    pub is_program: bool,
    /// Whether it is the role of an instance.
    pub is_instance: bool,
    /// The logs.
    pub logs: BTreeSet<Log>,
    /// Events by source.
    pub sources: BTreeMap<&'a str, u64>,
    /// Events by credential, as shown, and its kind.
    pub credentials: BTreeMap<(CredentialKind, String), u64>,
    /// Applications, of logs that name one.
    pub apps: BTreeSet<&'a str>,
    /// First and last second.
    pub span_s: (i64, i64),
    /// All events; those that succeeded, failed and were denied.
    pub events: [u64; 4],
    /// What was denied: service and action.
    pub denied: BTreeSet<(&'a str, &'a str)>,
    /// The services that listed or returned something.
    pub listed: BTreeSet<&'a str>,
    /// Acts that grant, make credentials and administer, which succeeded.
    pub powerful: [u64; 3],
    /// What was read of each collection.
    pub readings: BTreeMap<Collection, Reading>,
}

impl IdentityDay<'_> {
    fn new(identity: u32, day: i64) -> Self {
        Self {
            identity,
            day,
            values: Default::default(),
            principals: BTreeSet::new(),
            is_program: false,
            is_instance: false,
            logs: BTreeSet::new(),
            sources: BTreeMap::new(),
            credentials: BTreeMap::new(),
            apps: BTreeSet::new(),
            span_s: (i64::MAX, i64::MIN),
            events: [0; 4],
            denied: BTreeSet::new(),
            listed: BTreeSet::new(),
            powerful: [0; 3],
            readings: BTreeMap::new(),
        }
    }

    /// Returns the numbers of the values of a dimension.
    pub const fn of(&self, dimension: Dimension) -> &BTreeSet<u32> {
        &self.values[dimension as usize]
    }

    /// Returns the source of most events; of several, the first by name.
    pub fn main_source(&self) -> &str {
        self.sources.iter().rev().max_by_key(|(_, events)| **events).map_or("", |(source, _)| source)
    }
}

/// Returns whether somebody acts in a row: balancers know no users, and services act for themselves.
pub fn is_of_somebody(row: &AccessHour<'_>) -> bool {
    let is_nobody =
        matches!(row.principal_kind, PrincipalKind::AwsService | PrincipalKind::System | PrincipalKind::Anonymous);
    !row.principal.is_empty() && !is_nobody
}

/// Folds rows to days, in the order of day and identity.
pub fn gather<'a>(
    rows: &[AccessHour<'a>],
    identities: &Identities,
    places: &Places,
    names: &mut Names,
) -> Vec<IdentityDay<'a>> {
    let mut days: BTreeMap<(i64, u32), IdentityDay<'a>> = BTreeMap::new();
    for row in rows.iter().filter(|row| is_of_somebody(row)) {
        let name = identities.of_principal(row.principal);
        let (identity, at) = (names.number(&name), row.hour_s.div_euclid(DAY_S));
        let day = days.entry((at, identity)).or_insert_with(|| IdentityDay::new(identity, at));
        day.is_program |= is_program(row.principal_kind, row.credential.kind(), &name);
        day.is_instance |= row.principal_kind == PrincipalKind::Instance;
        add(day, row, places, names);
    }
    let only_failed = names.number("only failed logins");
    for day in days.values_mut().filter(|day| day.events[1] == 0 && day.events[2] > 0) {
        day.values[Dimension::Outcome as usize].insert(only_failed);
    }
    days.into_values().collect()
}

fn add<'a>(day: &mut IdentityDay<'a>, row: &AccessHour<'a>, places: &Places, names: &mut Names) {
    let sums = &row.sums;
    let outcome = match row.outcome {
        Outcome::Denied => "denied",
        // Mistyped passwords are no news; `gather` adds the days that had nothing else.
        Outcome::Failure if row.action_class != ActionClass::Login => "failure",
        _ => "",
    };
    // The address of an application is no application that somebody chose.
    let app = if row.log == Log::Okta { row.app } else { "" };
    let values = [
        places.network(row.source),
        places.subnet(row.source),
        places.country(row.source),
        row.agent_family,
        row.service,
        app,
        row.action_class.name(),
        outcome,
    ];
    for (set, value) in day.values.iter_mut().zip(values) {
        if !value.is_empty() {
            set.insert(names.number(value));
        }
    }
    day.principals.insert(row.principal);
    day.logs.insert(row.log);
    *day.sources.entry(row.source).or_default() += sums.events;
    if !row.credential.is_none() {
        let key = (row.credential.kind(), row.credential.last_four().to_owned());
        *day.credentials.entry(key).or_default() += sums.events;
    }
    if !row.app.is_empty() {
        day.apps.insert(row.app);
    }
    day.span_s = (day.span_s.0.min(sums.first_s), day.span_s.1.max(sums.last_s));
    day.events[0] += sums.events;
    match row.outcome {
        Outcome::Success => day.events[1] += sums.events,
        Outcome::Failure => day.events[2] += sums.events,
        Outcome::Denied => {
            day.events[3] += sums.events;
            day.denied.insert((row.service, row.action));
        }
        _ => {}
    }
    if matches!(row.action_class, ActionClass::List | ActionClass::Read) {
        day.listed.insert(row.service);
    }
    if row.outcome == Outcome::Success {
        match row.action_class {
            ActionClass::Grant => day.powerful[0] += sums.events,
            // A role session is made all day long.
            ActionClass::CreateCredential if row.service != "sts" => day.powerful[1] += sums.events,
            ActionClass::Admin => day.powerful[2] += sums.events,
            _ => {}
        }
    }
    if let Some(collection) = Collection::of(row) {
        day.readings.entry(collection).or_default().add(row);
    }
}
