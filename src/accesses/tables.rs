//! The tables that detections read, computed where SQL would be clumsy.

use std::collections::BTreeMap;

use access::{CredentialKind, Identities};
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use flow::Address;
use flow::time::DAY_S;

use super::AccessLogs;
use super::batches;
use super::columns::Columns;
use super::days::{self, Dimension, Judged, JudgedReading};
use super::names::Names;
use super::places::{Places, Surroundings};
use super::{clients, two_places, uses};

/// Most values that a list in a row has.
const MAX_LISTED: usize = 5;

/// The seconds that are examined; what lies before them is history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessWindow {
    /// First second.
    pub from_s: i64,
    /// First second after it.
    pub to_s: i64,
}

impl AccessWindow {
    /// Returns whether what began and ended at these seconds reaches into the window.
    pub const fn holds(&self, first_s: i64, last_s: i64) -> bool {
        last_s >= self.from_s && first_s < self.to_s
    }
}

/// The tables, by name.
pub type AccessTables = Vec<(&'static str, RecordBatch)>;

/// Returns the tables of the logs; none if the logs tell no act.
///
/// # Errors
/// [`ArrowError`] if columns do not fit together, which tests rule out.
pub fn access_tables(
    logs: &AccessLogs,
    surroundings: &Surroundings<'_>,
    window: &AccessWindow,
) -> Result<AccessTables, ArrowError> {
    let mut rows = logs.hours.rows();
    rows.retain(|row| row.hour_s < window.to_s);
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let begin_s = rows.iter().map(|row| row.sums.first_s).min().unwrap_or(window.from_s);
    let ledger = logs.principals.iter().map(|(_, principal, _)| principal);
    let identities = Identities::of(rows.iter().map(|row| row.principal).chain(ledger));
    let places = Places::of(&rows, surroundings);
    let mut names = Names::default();
    let gathered = days::gather(&rows, &identities, &places, &mut names);
    let since = known_since(logs, &identities);
    let judged = days::judge(gathered, &names, &|identity| since.get(identity).copied());
    let readings: Vec<(&Judged<'_>, &JudgedReading)> =
        judged.iter().flat_map(|one| one.readings.iter().map(move |reading| (one, reading))).collect();
    Ok(vec![
        ("access_hours", batches::access_hours(&rows, &identities, &places)?),
        ("credentials", batches::credentials(logs)?),
        ("principals", batches::principals(logs)?),
        ("identity_days", identity_days(&judged, &names, &places, window)?),
        ("reading_days", reading_days(&readings, &names, window)?),
        ("wakings", uses::table(logs, &identities, window, begin_s)?),
        ("shared_credentials", two_places::table(&rows, &identities, &places, window)?),
        ("clients", clients::table(&rows, &judged, &places, window)?),
    ])
}

/// Returns since when ledgers know each identity: since it was made, or first used.
fn known_since(logs: &AccessLogs, identities: &Identities) -> BTreeMap<String, i64> {
    let mut since: BTreeMap<String, i64> = BTreeMap::new();
    let principals = logs.principals.iter().map(|(_, principal, entry)| (principal, entry));
    let owners = logs.credentials.iter().map(|(_, entry)| (entry.owner(), entry));
    for (principal, entry) in principals.chain(owners).filter(|(principal, _)| !principal.is_empty()) {
        let first = [entry.created_s, entry.reported.first_s(), entry.uses.first_s()].into_iter().flatten().min();
        if let Some(first_s) = first {
            let known = since.entry(identities.of_principal(principal).into_owned()).or_insert(first_s);
            *known = (*known).min(first_s);
        }
    }
    since
}

/// Returns the account in an ARN; identities of other logs belong to no account.
fn account_of(identity: &str) -> &str {
    let account = identity.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(3)).unwrap_or_default();
    if account.len() == 12 { account } else { "" }
}

fn identity_days(
    judged: &[Judged<'_>],
    names: &Names,
    places: &Places,
    window: &AccessWindow,
) -> Result<RecordBatch, ArrowError> {
    let values = |one: &Judged<'_>, dimension: Dimension| -> Vec<String> {
        names.sorted(one.day.of(dimension).iter().copied(), MAX_LISTED).into_iter().map(str::to_owned).collect()
    };
    let is_new = |one: &Judged<'_>, dimensions: &[Dimension]| {
        Some(one.new_values.iter().any(|new| dimensions.contains(&new.dimension)))
    };
    let told = |one: &Judged<'_>| -> Vec<String> {
        let tell = |new: &days::NewValue| {
            let others = match new.others {
                0 => "nobody else".to_owned(),
                1 => "one other".to_owned(),
                others => format!("{others} others"),
            };
            format!("{} {} ({others})", new.dimension.word(), names.text(new.value))
        };
        one.new_values.iter().filter(|new| new.is_told()).take(MAX_LISTED).map(tell).collect()
    };
    let lasting = |one: &Judged<'_>| one.day.credentials.keys().find(|(kind, _)| kind.lasts()).cloned();
    let denied = |one: &Judged<'_>| -> Vec<String> {
        one.day.denied.iter().take(MAX_LISTED).map(|(service, action)| format!("{service}:{action}")).collect()
    };
    let services = |one: &Judged<'_>| {
        let mut services: Vec<&str> = one.day.denied.iter().map(|(service, _)| *service).collect();
        services.dedup();
        services.len() as u64
    };
    Columns::of(judged)
        .time("day", |one| Some(one.day.day * DAY_S))
        .text("identity", |one| names.text(one.day.identity))
        .text("account_id", |one| account_of(names.text(one.day.identity)))
        .texts("principals", |one| one.day.principals.iter().take(MAX_LISTED).copied().collect())
        .flag("is_program", |one| Some(one.day.is_program))
        .flag("is_instance", |one| Some(one.day.is_instance))
        .texts("logs", |one| one.day.logs.iter().map(|log| log.name()).collect())
        .text("source", |one| one.day.main_source())
        .texts("sources", |one| one.day.sources.keys().take(MAX_LISTED).copied().collect())
        .text("network", |one| places.network(one.day.main_source()))
        .texts("networks", |one| values(one, Dimension::Network))
        .texts("agents", |one| values(one, Dimension::Agent))
        .texts("apps", |one| one.day.apps.iter().take(MAX_LISTED).copied().collect())
        .address("host", |one| inside_host(one, places))?
        .made_text("credential", |one| lasting(one).map(|(_, shown)| shown).filter(|shown| !shown.is_empty()))
        .flag("has_long_term_key", |one| {
            Some(lasting(one).is_some_and(|(kind, _)| kind == CredentialKind::LongTermKey))
        })
        .time("first_seen", |one| Some(one.day.span_s.0))
        .time("last_seen", |one| Some(one.day.span_s.1))
        .flag("in_window", |one| Some(window.holds(one.day.span_s.0, one.day.span_s.1)))
        .count("events", |one| one.day.events[0])
        .count("succeeded", |one| one.day.events[1])
        .count("failed", |one| one.day.events[2])
        .count("denied", |one| one.day.events[3])
        .count("denied_actions", |one| one.day.denied.len() as u64)
        .count("denied_services", services)
        .texts("denied_first", denied)
        .count("read_services", |one| one.day.listed.len() as u64)
        .count("grants", |one| one.day.powerful[0])
        .count("made", |one| one.day.powerful[1])
        .count("administered", |one| one.day.powerful[2])
        .flag("is_newcomer", |one| Some(one.is_newcomer))
        .count("history_days", |one| one.history_days)
        .whole("log_days", |one| Some(one.log_days))
        .count("identities", |one| one.identities)
        .count("network_users", |one| one.network_users)
        .flag("new_place", |one| Some(one.new_values.iter().any(|new| new.dimension.is_place() && new.is_told())))
        .flag("new_network", |one| Some(is_new_network(one)))
        .flag("new_agent", |one| is_new(one, &[Dimension::Agent]))
        .count("novelties", |one| one.new_values.iter().filter(|new| new.is_told()).count() as u64)
        .texts("new_values", told)
        .float("surprisal", |one| Some(one.surprisal))
        .float("rarities", |one| Some(one.rarities))
        .float("p_value", |one| Some(one.p_value))
        .float("p_denied", |one| Some(one.p_denied))
        .flag("is_unusual", |one| Some(one.is_unusual))
        .count("powerful_days", |one| one.powerful_days)
        .count("denied_days", |one| one.denied_days)
        .finish()
}

/// Returns whether the place that is new is a network or a country, not only a subnet of a known network.
fn is_new_network(one: &Judged<'_>) -> bool {
    one.new_values.iter().any(|new| matches!(new.dimension, Dimension::Network | Dimension::Country) && new.is_told())
}

/// Returns the address inside from which most acts came, if they came from inside: a host of the flow logs, maybe.
fn inside_host(one: &Judged<'_>, places: &Places) -> Option<Address> {
    let place = places.place(one.day.main_source());
    place.address.filter(|_| place.is_internal)
}

fn reading_days(
    readings: &[(&Judged<'_>, &JudgedReading)],
    names: &Names,
    window: &AccessWindow,
) -> Result<RecordBatch, ArrowError> {
    Columns::of(readings)
        .time("day", |(one, _)| Some(one.day.day * DAY_S))
        .text("identity", |(one, _)| names.text(one.day.identity))
        .flag("in_window", |(one, _)| Some(window.holds(one.day.span_s.0, one.day.span_s.1)))
        .text("collection", |(_, reading)| reading.collection.name())
        .count("objects", |(_, reading)| reading.objects)
        .count("new_objects", |(_, reading)| reading.new_objects)
        .count("most_new", |(_, reading)| reading.most_new)
        .count("reading_days", |(_, reading)| reading.days)
        .count("reads", |(_, reading)| reading.counts[0])
        .count("downloads", |(_, reading)| reading.counts[1])
        .count("bytes_out", |(_, reading)| reading.counts[2])
        .float("p_new", |(_, reading)| Some(reading.p_new))
        .count("most_bytes", |(_, reading)| reading.most_bytes)
        .finish()
}
