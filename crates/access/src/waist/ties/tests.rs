use proptest::prelude::*;

use super::*;
use crate::{AccessHours, Credential};

const KEY: &str = "AKIA0000000000001234";

fn act(log: Log, second: i64, principal: &str) -> Act<'static> {
    let mut act = Act::new(log, second * 1_000_000);
    act.principal = principal.to_owned().into();
    act.outcome = Outcome::Success;
    act
}

fn of_user(log: Log, action: &str, class: ActionClass, user: &str) -> Act<'static> {
    let mut act = act(log, 10, "svc-x");
    (act.action, act.action_class) = (action.to_owned().into(), class);
    (act.object_kind, act.object) = ("USER".into(), user.to_owned().into());
    act
}

fn told(ties: &Ties) -> Vec<(&'static str, &str, &str)> {
    ties.iter().iter().map(|tie| (tie.rule.name(), tie.from(), tie.to())).collect()
}

#[test]
fn keys_are_chained_whoever_made_them() {
    let mut ties = Ties::default();
    let mut assumed = act(Log::CloudTrail, 10, "arn:aws:iam::1:user/ci");
    assumed.credential = Credential::key(KEY.into());
    assumed.child_credential = Credential::key("ASIA0000000000005678".into());
    let mut login = act(Log::CloudTrail, 20, "Jo@Example.com");
    login.child_credential = Credential::key("ASIA0000000000009999".into());
    let mut refused = assumed.clone();
    refused.outcome = Outcome::Denied;
    refused.child_credential = Credential::key("ASIA0000000000000000".into());
    [&assumed, &login, &refused].into_iter().for_each(|act| ties.add(act));
    assert_eq!(
        told(&ties),
        [("minted", KEY, "ASIA0000000000005678"), ("issued", "jo@example.com", "ASIA0000000000009999")]
    );
    let text = format!("{ties:?}");
    assert!(text.contains("…1234 minted …5678") && !text.contains(KEY), "{text}");
}

#[test]
fn whoever_makes_or_changes_a_user_is_tied_to_it() {
    let mut ties = Ties::default();
    let make = ActionClass::CreateCredential;
    for act in [
        of_user(Log::AtlassianAudit, "jira.auditing.user.created", make, "JMiller2"),
        of_user(Log::Okta, "user.lifecycle.create", make, "new@example.com"),
        of_user(Log::Okta, "user.mfa.factor.reset_all", make, "jo@example.com"),
        of_user(Log::Okta, "user.mfa.factor.activate", make, "svc-x"),
        of_user(Log::AtlassianAudit, "jira.auditing.user.viewed", ActionClass::Read, "seen"),
    ] {
        ties.add(&act);
    }
    let mut key = of_user(Log::CloudTrail, "CreateAccessKey", make, "bob");
    (key.service, key.account) = ("iam".into(), "112233445566".into());
    ties.add(&key);
    assert_eq!(
        told(&ties),
        [
            ("created", "svc-x", "jmiller2"),
            ("created", "svc-x", "new@example.com"),
            ("changed", "svc-x", "arn:aws:iam::112233445566:user/bob"),
            ("changed", "svc-x", "jo@example.com"),
        ]
    );
}

#[test]
fn hours_tell_who_used_what_from_where() {
    let mut hours = AccessHours::default();
    let mut call = act(Log::CloudTrail, 7_201, "arn:aws:sts::1:assumed-role/web/i-0abc1234def567890");
    call.credential = Credential::key("ASIA0000000000005678".into());
    call.source = "10.0.40.11".into();
    hours.add(&call);
    let mut request = Act::new(Log::Alb, 7_300 * 1_000_000);
    (request.source, request.target) = ("198.51.100.7".into(), "[2001:db8::7]:8080".into());
    hours.add(&request);
    let mut by_service = act(Log::CloudTrail, 7_400, "jo");
    by_service.source = "autoscaling.amazonaws.com".into();
    hours.add(&by_service);
    let mut ties = Ties::default();
    hours.rows().iter().for_each(|row| ties.add_hour(row));
    let role = "arn:aws:sts::1:assumed-role/web/i-0abc1234def567890";
    assert_eq!(
        told(&ties),
        [
            ("used_by", "ASIA0000000000005678", role),
            ("used_from", role, "10.0.40.11"),
            ("ran_on", role, "i-0abc1234def567890"),
            ("served", "198.51.100.7", "2001:db8::7"),
        ]
    );
    assert_eq!((ties.iter()[0].first_s, ties.iter()[0].acts), (7_201, 1));
}

#[test]
fn of_too_many_ties_the_same_are_kept_in_any_order() {
    let fold = |numbers: &mut dyn Iterator<Item = usize>| {
        let mut ties = Ties::default();
        let seen = Seen { first_s: 1, last_s: 1, acts: 1 };
        numbers.for_each(|number| ties.note(TieRule::Created, Log::Okta, ("a", &number.to_string()), seen));
        ties
    };
    let some = MAX_TIES + 500;
    let mut up = fold(&mut (0..some));
    let down = fold(&mut (0..some).rev());
    assert!(up == down && up.is_full(TieRule::Created) && !up.is_full(TieRule::Minted));
    assert_eq!(up.iter().len(), MAX_TIES);
    up.merge(&fold(&mut (some..some + 10)));
    assert!(up == fold(&mut (0..some + 10).rev()));
}

proptest! {
    #[test]
    fn neither_order_nor_split_matters(
        made in prop::collection::vec((0u8..6, 0u8..6, 0i64..50), 0..40),
        cut in 0usize..40,
    ) {
        let acts: Vec<_> = made.iter().map(|(from, to, second)| {
            let mut act = act(Log::CloudTrail, *second, "p");
            act.credential = Credential::key(format!("AKIA0000000{from}").into());
            act.child_credential = Credential::key(format!("ASIA0000000{to}").into());
            act
        }).collect();
        let fold = |acts: &mut dyn Iterator<Item = &Act<'static>>| {
            let mut ties = Ties::default();
            acts.for_each(|act| ties.add(act));
            ties
        };
        let cut = cut.min(acts.len());
        let mut merged = fold(&mut acts[cut..].iter());
        merged.merge(&fold(&mut acts[..cut].iter()));
        prop_assert!(merged == fold(&mut acts.iter().rev()));
    }
}
