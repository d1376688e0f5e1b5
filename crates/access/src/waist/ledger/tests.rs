use flow::time::DAY_S;

use super::*;

fn act(second: i64, principal: &str, key: &str) -> Act<'static> {
    let mut act = Act::new(Log::CloudTrail, second * 1_000_000);
    act.principal = principal.to_owned().into();
    act.credential = Credential::key(key.to_owned().into());
    act.outcome = Outcome::Success;
    act
}

const KEY: &str = "AKIA0000000000001234";

#[test]
fn a_key_that_wakes_has_a_gap_from_list_and_log() {
    let mut ledger = Credentials::default();
    ledger.add(&act(155 * DAY_S, "p", KEY));
    ledger.add(&act(1, "p", "ASIA0000000000001234"));
    let key = Credential::key(KEY.into());
    ledger.report(&key, Some(-5), Some(0));
    let entry = ledger.get(&key).unwrap();
    assert_eq!((entry.last_before(155 * DAY_S), entry.created_s, entry.owner()), (Some((0, true)), Some(-5), "p"));
    assert_eq!(ledger.iter().count(), 1, "session keys are not in the ledger");

    // A list made after the use tells the use, which is not before it; what the list before told stays.
    ledger.report(&key, None, Some(156 * DAY_S));
    assert_eq!(ledger.get(&key).unwrap().last_before(155 * DAY_S), Some((0, true)));
    let mut late = Credentials::default();
    late.report(&key, None, Some(156 * DAY_S));
    assert_eq!(late.get(&key).unwrap().last_before(155 * DAY_S), None);
}

#[test]
fn an_attempt_to_log_in_is_no_use() {
    let mut principals = Principals::default();
    let mut attempt = act(10, "Someone@example.com", "");
    (attempt.action_class, attempt.outcome) = (ActionClass::Login, Outcome::Failure);
    principals.add(&attempt);
    assert!(principals.get(Log::CloudTrail, "someone@example.com").is_none());
    attempt.outcome = Outcome::Success;
    principals.add(&attempt);
    assert_eq!(principals.get(Log::CloudTrail, "someone@EXAMPLE.com").unwrap().uses.first_s(), Some(10));
}

#[test]
fn ledgers_merge_in_any_order_and_any_number_of_times() {
    let part = |acts: &[(i64, &str)]| {
        let (mut credentials, mut principals) = (Credentials::default(), Principals::default());
        for (second, principal) in acts {
            credentials.add(&act(*second, principal, KEY));
            principals.add(&act(*second, principal, KEY));
        }
        (credentials, principals)
    };
    let (a, b) = (part(&[(5, "b"), (9 * DAY_S, "a")]), part(&[(5, "a"), (3 * DAY_S, "c")]));
    let (mut left, mut right) = (a.clone(), b.clone());
    left.0.merge(&b.0);
    left.1.merge(&b.1);
    right.0.merge(&a.0);
    right.0.merge(&a.0);
    right.1.merge(&a.1);
    right.1.merge(&b.1);
    assert_eq!(left, right);
    let entry = left.0.get(&Credential::key(KEY.into())).unwrap();
    assert_eq!((entry.owner(), entry.uses.gaps_s()), ("a", vec![3 * DAY_S - 5, 6 * DAY_S]));
}

#[test]
fn rows_tell_a_ledger_the_same_as_their_acts() {
    let (mut credentials, mut principals) = (Credentials::default(), Principals::default());
    let mut hours = crate::AccessHours::default();
    for number in 0..400i64 {
        let second = number * number * 997 % (90 * DAY_S);
        let mut act = act(second, if number % 3 == 0 { "P" } else { "q" }, if number % 7 == 0 { "" } else { KEY });
        (act.event_id, act.log) =
            (format!("e{number}").into(), if number % 2 == 0 { Log::Okta } else { Log::CloudTrail });
        if number % 5 == 0 {
            (act.action_class, act.outcome) = (ActionClass::Login, Outcome::Failure);
        }
        credentials.add(&act);
        principals.add(&act);
        hours.add(&act);
    }
    let (mut of_rows, mut who) = (Credentials::default(), Principals::default());
    for row in hours.rows() {
        of_rows.add_hour(&row);
        who.add_hour(&row);
    }
    assert_eq!((of_rows, who), (credentials, principals));
}
