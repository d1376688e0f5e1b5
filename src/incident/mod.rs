//! Ties findings into incidents: what entered, whom it reached, what left.
//!
//! Hosts with findings of severity medium and above are suspect, and so are principals ([`Accesses`], `actor`). A link joins two of them when it is earned (`link`), the
//! strongest first and with stops (`cluster`). The evidence of a group gives a score (`score`), a title, stages and parts
//! (`assemble`). The timeline tells what happened ([`timeline`]), the graph whom the hosts reached ([`reach`]).
//!
//! **Cost.** Two walks over `pairs` (`read`), seldom more, none without suspect hosts; all else grows with the suspect hosts and their pairs.
//!
//! **Where to begin.** [`incidents`] is the whole path; `join` its second half, on facts that tests make by hand.

mod actor;

pub mod facts;
pub mod kind;
pub mod life;
pub mod model;
pub mod notes;
pub mod reach;
pub mod read;
pub mod tables;
pub mod timeline;
pub mod weight;

mod error;
mod signal;

mod cluster;
mod link;

mod assemble;
mod fall;
mod parties;
mod score;
mod title;

mod join;
mod step;

#[cfg(test)]
mod made;
#[cfg(test)]
mod tests;

pub use actor::Accesses;
use actor::{MAX_DEEDS, MAX_THINGS};
pub use cluster::MAX_HOSTS;
pub use error::IncidentError;
pub use facts::{Facts, HostKey, PairFact, Place};
pub use join::compare;
pub use kind::Kind;
pub use model::Incident;
pub use notes::IncidentNotes;
pub use weight::Rates;

use crate::detect::{Finding, Severity};
use crate::intel::InternalNetworks;
use actor::Told;
use flow::Address;
use read::{Wanted, add_pairs, read_pairs, read_places};
use rollup::derive::Derived;
use rollup::window::Window;
use std::collections::HashSet;

/// Most suspect hosts whose pairs are read, the worst first.
pub const MAX_SUSPECTS: usize = 5_000;

/// The inputs of incidents besides findings and tables.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The window and its history.
    pub window: Window,
    /// The user's own networks.
    pub internal: &'a InternalNetworks,
    /// How often benign hosts show each kind of evidence.
    pub rates: &'a Rates,
    /// What the logs beside flow logs tell; `None` without such logs.
    pub accesses: Option<Accesses<'a>>,
}

/// Returns what findings show of each host, as [`Rates::add_window`] counts it: those of severity low and above that are
/// not allowed. `is_inside` tells remotes that lie inside.
pub fn shown_signs(
    findings: &[Finding],
    is_inside: impl Fn(Address) -> bool,
) -> impl Iterator<Item = (HostKey, Kind, Severity)> {
    let counted = findings.iter().filter(|finding| signal::counts(finding));
    counted.flat_map(move |finding| {
        let remotes = signal::remotes_of(finding);
        let kind = Kind::of(finding, !remotes.is_empty() && remotes.iter().all(|remote| is_inside(*remote)));
        signal::hosts_of(finding).into_iter().map(move |host| (host, kind, finding.severity))
    })
}

/// Makes incidents of findings, and names in each finding the incident that it belongs to.
///
/// Incidents come sorted by severity, score and id; each is as if no run had been before. They do not depend on the order
/// of the findings, the number of threads or what is spilled.
///
/// # Errors
/// [`IncidentError::Pairs`] when `pairs` cannot be read from disk.
pub fn incidents(
    findings: &mut [Finding],
    derived: &Derived,
    context: &Context<'_>,
) -> Result<(Vec<Incident>, IncidentNotes), IncidentError> {
    let mut facts = Facts::new(context.window, derived.hosts.num_rows() as u64);
    facts.relays = derived.relays.iter().copied().collect();
    let named = findings.iter().flat_map(signal::remotes_of);
    let sources = findings.iter().filter_map(actor::source_of);
    let addresses: HashSet<Address> =
        named.chain(findings.iter().filter_map(|finding| finding.host)).chain(sources).collect();
    facts.places = read_places(&derived.hosts, &addresses);
    // A remote is inside where the user says so, or where it is logged itself; read pairs say the same.
    let logged: HashSet<Address> = facts.places.keys().copied().collect();
    let is_inside = |_: &HostKey, remote: Address| context.internal.contains(remote) || logged.contains(&remote);
    let (hosts, hosts_left_out) = join::worst_hosts(findings, &is_inside, &facts, MAX_SUSPECTS);
    let mut pairs_left_out = 0;
    if !hosts.is_empty() {
        let timed = findings.iter().flat_map(signal::remotes_of).filter(|remote| !logged.contains(remote)).collect();
        let wanted = Wanted { hosts: hosts.into_iter().collect(), timed, degrees: true, inside_only: false };
        let read = read_pairs(derived, &wanted)?;
        pairs_left_out = read.left_out;
        add_pairs(&mut facts, read, &derived.hosts);
    }
    let identities = context.accesses.filter(|_| findings.iter().any(actor::names_actor));
    let identities = identities.map(|accesses| accesses.identities()).unwrap_or_default();
    let mut actors = actor::actors(findings, &identities, &is_inside, &facts);
    let told = Told::read(&mut actors, identities, context.accesses);
    let (mut incidents, mut notes) = join::join(findings, &is_inside, &facts, context.rates, (&actors, &told));
    timeline::timelines(&mut incidents, findings, &facts);
    reach::graphs(&mut incidents, &facts, |hosts, asked| {
        let inside_only = asked == reach::Asked::Inside;
        let read = read_pairs(derived, &Wanted { hosts: hosts.clone(), inside_only, ..Wanted::default() })?;
        pairs_left_out += read.left_out;
        Ok(read.pairs)
    })?;
    actor::add_deeds(&mut incidents, findings, &actors, &told, context.accesses);
    (notes.hosts_left_out, notes.pairs_left_out) = (hosts_left_out, pairs_left_out);
    // Many small pieces, given back beside what follows.
    rayon::spawn(move || drop(facts));
    Ok((incidents, notes))
}
