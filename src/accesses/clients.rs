//! Clients of load balancers: who else comes from there, and how much they take.

use std::collections::{BTreeMap, BTreeSet};

use access::{AccessHour, ActionClass, Log, Outcome};
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use flow::Address;
use flow::time::DAY_S;
use kernels::robust::{mad, median, robust_z};

use super::columns::Columns;
use super::days::{Judged, WARM_UP_DAYS};
use super::places::{Place, Places};
use super::tables::AccessWindow;

/// Earlier days from which somebody is no newcomer.
const KNOWN_DAYS: u64 = 3;

/// What keeps a constant history of logarithms from making every change infinite.
const LOG_FLOOR: f64 = 0.25;

/// What one client did at one application.
#[derive(Debug, Clone, Default)]
struct Client<'a> {
    app: &'a str,
    source: &'a str,
    account: &'a str,
    region: &'a str,
    place: Place,
    logs: BTreeSet<&'static str>,
    targets: BTreeMap<&'a str, u64>,
    agents: BTreeSet<&'a str>,
    /// Events and bytes out of each day.
    days: BTreeMap<i64, (u64, u64)>,
    /// Events in the window: all, succeeded, failed, denied, administering with success.
    events: [u64; 5],
    bytes_out: u64,
    first_ever_s: i64,
    /// First and last second within the window.
    span_s: (i64, i64),
    /// Days of this balancer's logs before the client's first.
    log_days: i64,
    /// Accepted clients of the application in the same network by then.
    network_clients: u64,
    /// The same of its subnet.
    subnet_clients: u64,
    /// Identities that other logs know at this address.
    users: u64,
    z_events: f64,
    z_bytes: f64,
}

impl Client<'_> {
    /// Returns the address behind the balancer that got most of the requests.
    fn target(&self) -> Option<Address> {
        let most = self.targets.iter().rev().max_by_key(|(_, events)| **events)?.0;
        let (address, _) = most.rsplit_once(':')?;
        Address::parse(address.trim_matches(['[', ']']).as_bytes())
    }

    fn most(&self, of: impl Fn(&(u64, u64)) -> u64) -> u64 {
        self.days.values().map(of).max().unwrap_or_default()
    }
}

/// Returns `clients`: one row for each client and application of a balancer's log with acts in the window.
///
/// # Errors
/// [`ArrowError`] if the columns do not fit together.
pub fn table(
    rows: &[AccessHour<'_>],
    judged: &[Judged<'_>],
    places: &Places,
    window: &AccessWindow,
) -> Result<RecordBatch, ArrowError> {
    let mut clients: BTreeMap<(&str, &str), Client<'_>> = BTreeMap::new();
    let is_client =
        |row: &&AccessHour<'_>| matches!(row.log, Log::Alb | Log::NlbTls | Log::Clb) && !row.source.is_empty();
    for row in rows.iter().filter(is_client) {
        add(clients.entry((row.app, row.source)).or_default(), row, places, window);
    }
    let mut clients: Vec<Client<'_>> = clients.into_values().collect();
    clients.sort_by(|a, b| (a.first_ever_s, a.app, a.source).cmp(&(b.first_ever_s, b.app, b.source)));
    let knows_users = !judged.is_empty();
    accept(&mut clients, judged);
    scale(&mut clients);
    clients.retain(|client| client.events[0] > 0);
    clients.sort_by(|a, b| (a.app, a.source).cmp(&(b.app, b.source)));
    let count = |value: u64| Some(i64::try_from(value).unwrap_or(i64::MAX));
    Columns::of(&clients)
        .text("app", |one| one.app)
        .text("source", |one| one.source)
        .text("account_id", |one| one.account)
        .text("region", |one| one.region)
        .texts("logs", |one| one.logs.iter().copied().collect())
        .text("network", |one| &one.place.network)
        .flag("is_internal", |one| Some(one.place.is_internal))
        .texts("agents", |one| one.agents.iter().take(5).copied().collect())
        .count("days", |one| one.days.len() as u64)
        .count("events", |one| one.events[0])
        .count("succeeded", |one| one.events[1])
        .count("failed", |one| one.events[2])
        .count("denied", |one| one.events[3])
        .count("administered", |one| one.events[4])
        .count("bytes_out", |one| one.bytes_out)
        .count("events_day", |one| one.most(|day| day.0))
        .count("bytes_day", |one| one.most(|day| day.1))
        .float("z_events", |one| Some(one.z_events))
        .float("z_bytes", |one| Some(one.z_bytes))
        .count("network_clients", |one| one.network_clients)
        .count("subnet_clients", |one| one.subnet_clients)
        .whole("users", |one| if knows_users { count(one.users) } else { None })
        .whole("log_days", |one| Some(one.log_days))
        .time("first_ever", |one| Some(one.first_ever_s))
        .time("first_seen", |one| Some(one.span_s.0))
        .time("last_seen", |one| Some(one.span_s.1))
        .address("remote", |one| one.place.address)?
        .address("host", Client::target)?
        .finish()
}

fn add<'a>(client: &mut Client<'a>, row: &AccessHour<'a>, places: &Places, window: &AccessWindow) {
    let sums = &row.sums;
    if client.days.is_empty() {
        client.place = places.place(row.source);
        (client.app, client.source, client.first_ever_s) = (row.app, row.source, i64::MAX);
        client.span_s = (i64::MAX, i64::MIN);
    }
    client.first_ever_s = client.first_ever_s.min(sums.first_s);
    let day = client.days.entry(row.hour_s.div_euclid(DAY_S)).or_default();
    *day = (day.0 + sums.events, day.1 + sums.bytes_out);
    if !window.holds(sums.first_s, sums.last_s) {
        return;
    }
    if client.account.is_empty() {
        (client.account, client.region) = (row.account, row.region);
    }
    client.span_s = (client.span_s.0.min(sums.first_s), client.span_s.1.max(sums.last_s));
    client.agents.insert(row.agent_family);
    client.logs.insert(row.log.name());
    if !row.target.is_empty() {
        *client.targets.entry(row.target).or_default() += sums.events;
    }
    client.events[0] += sums.events;
    client.bytes_out += sums.bytes_out;
    match row.outcome {
        Outcome::Success => client.events[1] += sums.events,
        Outcome::Failure => client.events[2] += sums.events,
        Outcome::Denied => client.events[3] += sums.events,
        _ => {}
    }
    if row.action_class == ActionClass::Admin && row.outcome == Outcome::Success {
        client.events[4] += sums.events;
    }
}

/// Counts for each client, in the order in which they came, the accepted ones before it in its network. Accepted are
/// clients of the first days, clients of a network that was accepted before, and addresses at which somebody is known who
/// is no newcomer.
fn accept(clients: &mut [Client<'_>], judged: &[Judged<'_>]) {
    let mut users: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    let is_known = |one: &&Judged<'_>| !one.is_unusual && one.day.events[1] > 0;
    for one in
        judged.iter().filter(is_known).filter(|one| one.history_days >= KNOWN_DAYS || one.log_days < WARM_UP_DAYS)
    {
        for source in one.day.sources.keys() {
            users.entry(*source).or_default().insert(one.day.identity);
        }
    }
    let mut begins: BTreeMap<&str, i64> = BTreeMap::new();
    let mut accepted: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for client in clients {
        let begin_s = *begins.entry(client.app).or_insert(client.first_ever_s);
        client.log_days = (client.first_ever_s.div_euclid(DAY_S)) - begin_s.div_euclid(DAY_S);
        client.users = users.get(client.source).map_or(0, |users| users.len() as u64);
        let [network, subnet] = [&client.place.network, &client.place.subnet].map(|place| (client.app, place.clone()));
        client.network_clients = accepted.get(&network).copied().unwrap_or_default();
        client.subnet_clients = accepted.get(&subnet).copied().unwrap_or_default();
        if client.log_days < WARM_UP_DAYS || client.network_clients > 0 || client.users > 0 {
            // A network that has no other name is its subnet.
            if network != subnet {
                *accepted.entry(subnet).or_default() += 1;
            }
            *accepted.entry(network).or_default() += 1;
        }
    }
}

/// Compares the fullest day of each client with all days of clients of the same application.
fn scale(clients: &mut [Client<'_>]) {
    let ln = |value: u64| (value as f64).ln_1p();
    let mut of_app: BTreeMap<&str, [Vec<f64>; 2]> = BTreeMap::new();
    for client in clients.iter() {
        let [events, bytes] = of_app.entry(client.app).or_default();
        events.extend(client.days.values().map(|day| ln(day.0)));
        bytes.extend(client.days.values().map(|day| ln(day.1)));
    }
    let centres: BTreeMap<&str, [(f64, f64); 2]> = of_app
        .into_iter()
        .map(|(app, levels)| {
            let centre = levels.map(|mut levels| {
                let centre = median(&mut levels).unwrap_or_default();
                (centre, mad(&levels, centre).unwrap_or_default())
            });
            (app, centre)
        })
        .collect();
    for client in clients {
        let Some([events, bytes]) = centres.get(client.app) else { continue };
        client.z_events = robust_z(ln(client.most(|day| day.0)), events.0, events.1, LOG_FLOOR);
        client.z_bytes = robust_z(ln(client.most(|day| day.1)), bytes.0, bytes.1, LOG_FLOOR);
    }
}
