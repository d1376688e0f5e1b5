//! What incidents keep out of baselines: an implant must not become normal by lasting.

use crate::incident::model::{ClosedReason, Incident};
use flow::time::DAY_S;
use rollup::habits::{FinePair, Habits, MaskedRemote};

/// Keeps the remotes of incidents from becoming habits of any host, as long as the incidents are kept; and forgets the
/// flags of contacts that people, or allow-lists, found to be fine.
///
/// Incidents that fell silent or were dealt with still mask: what returns must not look known.
pub fn mask(habits: &mut Habits, incidents: &[Incident]) {
    let (fine, masking): (Vec<&Incident>, Vec<&Incident>) = incidents.iter().partition(|one| is_fine(one));
    habits.lift(fine.into_iter().flat_map(pairs_of));
    habits.mask(masking.into_iter().flat_map(|one| {
        one.remotes.iter().map(|remote| MaskedRemote {
            remote: remote.address,
            port: remote.port,
            // A contact that was a habit when the incident was opened stays one, as with flags.
            from_s: one.opened_at_s - DAY_S,
        })
    }));
}

fn is_fine(incident: &Incident) -> bool {
    use ClosedReason::{Allowed, Benign, FalsePositive};
    matches!(incident.closed_reason, Some(Allowed | Benign | FalsePositive))
}

fn pairs_of(incident: &Incident) -> impl Iterator<Item = FinePair> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    incident.hosts.iter().flat_map(move |host| {
        incident.remotes.iter().map(move |remote| FinePair {
            account_id: text(&host.account_id),
            region: text(&host.region),
            host: host.host,
            remote: remote.address,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::examples::seen;
    use super::*;
    use crate::incident::model::Status;
    use flow::time::DAY_S;
    use rollup::habits::{FlaggedPair, NamedPair};

    /// Returns from when on the contact with the controller is no habit.
    fn masked_from_s(reason: Option<ClosedReason>, flagged: bool) -> Option<i64> {
        let mut one = seen("1", &["10.0.0.1"], &["s"], 7_000, 9_000);
        one.status = if reason.is_some() { Status::Closed } else { Status::Open };
        one.closed_reason = reason;
        one.opened_at_s = DAY_S + 7_000;
        let owner = ("111122223333".to_owned(), "eu-west-1".to_owned());
        let (host, remote) = (one.hosts[0].host, one.remotes[0].address);
        let (account_id, region) = owner.clone();
        let pair = NamedPair { account_id, region, host, remote, port: 443, protocol: 6 };
        let mut habits = Habits::new(0, flagged.then_some(FlaggedPair { pair, from_s: 8_000 }));
        mask(&mut habits, &[one]);
        habits.flagged_from_s(&owner, host, remote, (443, 6))
    }

    #[test]
    fn open_and_silent_incidents_mask_and_fine_ones_lift_the_flags() {
        use ClosedReason::{Allowed, Benign, FalsePositive, Quiet, Resolved};
        for reason in [None, Some(Quiet), Some(Resolved)] {
            assert_eq!([false, true].map(|flagged| masked_from_s(reason, flagged)), [Some(7_000); 2], "{reason:?}");
        }
        for reason in [Allowed, Benign, FalsePositive] {
            assert_eq!([false, true].map(|flagged| masked_from_s(Some(reason), flagged)), [None; 2], "{reason:?}");
        }
    }
}
