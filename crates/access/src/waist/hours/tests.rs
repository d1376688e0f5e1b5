use proptest::prelude::*;

use super::*;
use crate::{Credential, Outcome};

fn act(id: u8, who: u8, second: i64, object: u8) -> Act<'static> {
    let mut act = Act::new(Log::CloudTrail, second * 1_000_000);
    act.event_id = if id == 0 { "".into() } else { format!("e{id}").into() };
    act.principal = format!("p{who}").into();
    act.credential = Credential::key(format!("AKIA0000000{who}").into());
    act.object = format!("o{object}").into();
    act.bytes_out = Some(u64::from(object));
    act.outcome = Outcome::Success;
    act
}

fn fold(acts: &[Act<'_>]) -> AccessHours {
    let mut hours = AccessHours::default();
    acts.iter().for_each(|act| hours.add(act));
    hours
}

#[test]
fn an_hour_sums_its_acts_and_two_trails_count_once() {
    let acts = [act(1, 1, 10, 1), act(2, 1, 3_599, 2), act(1, 1, 10, 1), act(3, 1, 3_600, 2), act(0, 1, 5, 2)];
    let hours = fold(&acts);
    let rows = hours.rows();
    assert_eq!(rows.len(), 2);
    let sums = &rows[0].sums;
    assert_eq!((sums.events, sums.bytes_out, sums.objects.count()), (3, 5, 2));
    assert_eq!((sums.first_s, sums.last_s, rows[1].hour_s), (5, 3_599, 3_600));
    assert_eq!(hours.duplicates(), 1);
}

#[test]
fn acts_without_an_id_are_never_duplicates() {
    let hours = fold(&[act(0, 1, 5, 2), act(0, 1, 5, 2)]);
    assert_eq!((hours.rows()[0].sums.events, hours.duplicates()), (2, 0));
}

#[test]
fn what_is_sealed_stays_and_what_is_open_is_still_told_apart() {
    let acts: Vec<Act<'_>> = (1..100).map(|id| act(id, id % 3, i64::from(id) * 600, id % 7)).collect();
    let mut hours = fold(&acts);
    hours.seal_before(30_000);
    // Those after it came again, and one before it, which counts once more.
    acts[49..].iter().for_each(|act| hours.add(act));
    assert_eq!((hours.rows(), hours.duplicates()), (fold(&acts).rows(), 50));
    hours.add(&acts[0]);
    assert_eq!(hours.rows().iter().map(|row| row.sums.events).sum::<u64>(), 100);
    hours.seal_before(i64::MAX);
    assert_eq!(hours.rows().iter().map(|row| row.sums.events).sum::<u64>(), 100);
}

#[test]
fn a_failed_object_leaves_nothing() {
    let mut hours = fold(&[act(1, 1, 10, 1)]);
    let failed: Result<(), &str> = hours.object(|sink| {
        sink(&act(2, 2, 10, 1));
        sink(&act(0, 1, 10, 1));
        Err("damaged")
    });
    assert!(failed.is_err());
    assert_eq!(hours.rows(), fold(&[act(1, 1, 10, 1)]).rows());
    let read: Result<(), &str> = hours.object(|sink| {
        sink(&act(2, 2, 10, 1));
        Ok(())
    });
    assert!(read.is_ok());
    assert_eq!(hours.rows().len(), 2);
}

#[test]
fn a_sealed_fold_has_the_same_rows() {
    let mut hours = fold(&[act(1, 1, 10, 1), act(1, 1, 10, 1), act(2, 1, 11, 3)]);
    let before = format!("{:?}", hours.rows());
    hours.seal();
    assert_eq!((format!("{:?}", hours.rows()), hours.duplicates()), (before, 1));
    let mut other = fold(&[act(4, 2, 11, 3)]);
    other.merge(&hours);
    assert_eq!((other.rows().len(), other.duplicates()), (2, 1));
}

proptest! {
    /// Same ids with differing content among them: which is kept must not depend on order or split either.
    #[test]
    fn neither_order_nor_split_matters(
        parts in prop::collection::vec((0u8..12, 0u8..3, 0i64..8_000, 0u8..5), 0..60),
        cuts in (0usize..60, 0usize..60),
        turn in any::<prop::sample::Index>(),
    ) {
        let acts: Vec<_> = parts.iter().map(|(id, who, second, object)| act(*id, *who, *second, *object)).collect();
        let whole = fold(&acts);
        let mut turned = acts.clone();
        if !turned.is_empty() {
            let by = turn.index(turned.len());
            turned.rotate_left(by);
            turned.reverse();
        }
        let turned = fold(&turned);
        prop_assert_eq!(turned.rows(), whole.rows());

        let (a, b) = (cuts.0.min(acts.len()).min(cuts.1), cuts.0.max(cuts.1).min(acts.len()));
        let (a, b) = (a.min(b), b);
        let mut merged = fold(&acts[b..]);
        let mut first = fold(&acts[..a]);
        first.merge(&fold(&acts[a..b]));
        merged.merge(&first);
        prop_assert_eq!(merged.rows(), whole.rows());
        prop_assert_eq!(merged.duplicates(), whole.duplicates());
    }
}

#[test]
fn rare_acts_keep_what_they_were_done_to_and_logins_their_second_factor() {
    let mut grant = act(1, 1, 10, 7);
    grant.action_class = crate::ActionClass::Grant;
    let mut login = act(2, 1, 20, 8);
    (login.action_class, login.mfa) = (crate::ActionClass::Login, Some(false));
    let mut read = act(3, 1, 30, 9);
    (read.action_class, read.mfa) = (crate::ActionClass::Read, Some(true));
    let hours = fold(&[grant, login, read]);
    let kept: Vec<_> = hours.rows().iter().map(|row| (row.object, row.mfa, row.sums.objects.count())).collect();
    assert_eq!(kept, [("", Some(false), 1), ("", None, 1), ("o7", None, 1)]);
}
