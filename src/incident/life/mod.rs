//! The life of incidents over runs: the same id while they grow, merge and move through windows; closed by silence or by
//! a person, opened again when they return.
//!
//! [`carry`] is the whole rule, from the incidents of one run and the state before it to the state after it. It depends on
//! nothing but its arguments. [`KeptIncidents`] keeps the state: a run starts from the newest snapshot whose window ended
//! before its own does, so that runs again, and a backfill in order, give the same bytes.
//!
//! **Cost.** Grows with the incidents that are open or ended in the last 30 days, not with the findings.

mod closing;
mod deeds;
#[cfg(test)]
pub(crate) mod examples;
mod learn;
mod mask;
mod sameness;
mod snapshot;
mod story;

mod grow;
mod head;

mod carry;
mod kept;

#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod tests;

pub use carry::{Carried, CarryRun, carry};
pub use kept::{Before, KeptIncidents, LifeError, Settled};
pub use learn::Shown;
pub use mask::mask;
pub use snapshot::Snapshot;

use crate::incident::model::Incident;
use rollup::window::Window;

/// Returns the snapshot after a run, and what the run tells: [`carry`], and the rates with what the run taught.
///
/// A window that reaches before the end of one that was learnt from teaches
/// nothing: its hosts would count twice.
#[must_use]
pub fn advance(
    fresh: Vec<Incident>,
    before: &Snapshot,
    run: &CarryRun<'_>,
    window: &Window,
    shown: &Shown,
) -> (Snapshot, Carried) {
    let carried = carry(fresh, before, run);
    let (mut rates, mut learnt_until_s) = (before.rates.clone(), before.learnt_until_s);
    if learnt_until_s.is_none_or(|until_s| until_s <= window.from_s) {
        learn::learn(&mut rates, shown, &carried.kept);
        learnt_until_s = Some(window.to_s);
    }
    let snapshot = Snapshot { incidents: carried.kept.clone(), past: carried.past.clone(), rates, learnt_until_s };
    (snapshot, carried)
}
