//! Credentials that are used from two networks at once.

use std::collections::{BTreeMap, BTreeSet};

use access::{AccessHour, Credential, Identities, Outcome, PrincipalKind};
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use flow::time::HOUR_S;
use kernels::interleaving::interleaving;

use super::columns::Columns;
use super::days::is_of_somebody;
use super::places::Places;
use super::tables::AccessWindow;

/// A credential that two networks use.
#[derive(Debug, Clone, PartialEq)]
struct Shared<'a> {
    identity: String,
    credential: Credential<'a>,
    is_instance: bool,
    networks: [&'a str; 2],
    sources: BTreeSet<&'a str>,
    /// The programs of each network have none in common.
    agents_differ: bool,
    span_s: (i64, i64),
    uses: u64,
    switches: u64,
    /// Of them, within an hour.
    quick_switches: u64,
    p_no_more: f64,
}

/// A credential with the place and time of each use that is known: the first and last of a row.
#[derive(Debug, Default)]
struct Uses<'a> {
    principals: BTreeSet<&'a str>,
    is_instance: bool,
    /// Second, network, source.
    points: BTreeSet<(i64, &'a str, &'a str)>,
    agents: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

/// Returns `shared_credentials`: one row for each credential that two networks used in the window.
///
/// # Errors
/// [`ArrowError`] if the columns do not fit together.
pub fn table(
    rows: &[AccessHour<'_>],
    identities: &Identities,
    places: &Places,
    window: &AccessWindow,
) -> Result<RecordBatch, ArrowError> {
    let mut by_credential: BTreeMap<&Credential<'_>, Uses<'_>> = BTreeMap::new();
    let is_use = |row: &&AccessHour<'_>| {
        is_of_somebody(row) && row.outcome == Outcome::Success && !row.credential.is_none()
            // A service that acts for somebody has no address of theirs.
            && places.place(row.source).address.is_some()
            && window.holds(row.sums.first_s, row.sums.last_s)
    };
    for row in rows.iter().filter(is_use) {
        let uses = by_credential.entry(&row.credential).or_default();
        let network = places.network(row.source);
        uses.principals.insert(row.principal);
        uses.is_instance |= row.principal_kind == PrincipalKind::Instance;
        uses.points.extend([(row.sums.first_s, network, row.source), (row.sums.last_s, network, row.source)]);
        uses.agents.entry(network).or_default().insert(row.agent_family);
    }
    let shared: Vec<Shared<'_>> =
        by_credential.into_iter().filter_map(|(credential, uses)| judge(credential, &uses, identities)).collect();
    Columns::of(&shared)
        .text("identity", |one| &one.identity)
        .text("credential", |one| one.credential.last_four())
        .text("credential_kind", |one| one.credential.kind().name())
        .flag("is_instance", |one| Some(one.is_instance))
        .texts("networks", |one| one.networks.to_vec())
        .texts("sources", |one| one.sources.iter().take(5).copied().collect())
        .flag("agents_differ", |one| Some(one.agents_differ))
        .time("first_seen", |one| Some(one.span_s.0))
        .time("last_seen", |one| Some(one.span_s.1))
        .count("uses", |one| one.uses)
        .count("switches", |one| one.switches)
        .count("quick_switches", |one| one.quick_switches)
        .float("p_no_more", |one| Some(one.p_no_more))
        .finish()
}

/// Judges the two networks with most uses.
fn judge<'a>(credential: &Credential<'a>, uses: &Uses<'a>, identities: &Identities) -> Option<Shared<'a>> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    uses.points.iter().for_each(|(_, network, _)| *counts.entry(network).or_default() += 1);
    let mut most: Vec<(&str, u64)> = counts.into_iter().collect();
    most.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let [(one, _), (other, _), ..] = most[..] else { return None };
    let points: Vec<&(i64, &str, &str)> =
        uses.points.iter().filter(|(_, network, _)| *network == one || *network == other).collect();
    let places: Vec<bool> = points.iter().map(|(_, network, _)| *network == other).collect();
    let judged = interleaving(&places)?;
    let is_quick = |pair: &&[&(i64, &str, &str)]| pair[0].1 != pair[1].1 && pair[1].0 - pair[0].0 <= HOUR_S;
    let none = BTreeSet::new();
    let agents = |network: &str| uses.agents.get(network).unwrap_or(&none);
    let principal = uses.principals.first().copied().unwrap_or_default();
    Some(Shared {
        identity: identities.of_principal(principal).into_owned(),
        credential: credential.clone(),
        is_instance: uses.is_instance,
        networks: [one.min(other), one.max(other)],
        sources: points.iter().map(|(.., source)| *source).collect(),
        agents_differ: agents(one).is_disjoint(agents(other)),
        span_s: (points.first()?.0, points.last()?.0),
        uses: judged.a + judged.b,
        switches: judged.switches,
        quick_switches: points.windows(2).filter(is_quick).count() as u64,
        p_no_more: judged.p_no_more,
    })
}
