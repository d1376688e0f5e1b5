//! Each detection over the logs beside flow logs finds what it is for, and not what looks like it.

use access::{ActionClass, Credential, CredentialKind, Log, Outcome, PrincipalKind};
use flowsift::detect::{Finding, Severity};

use crate::access_life::{DAYS, ELSEWHERE, Life, OFFICE, act, call, login, repository, request};

const DAY_S: i64 = 86_400;

#[test]
fn a_life_without_intruders_has_nothing_above_low() {
    let mut life = Life::new();
    // A traveller, and somebody who mistypes.
    life.add(login(12, 40_000, "p03", "192.0.2.77"));
    let mut mistyped = login(13, 40_000, "p04", OFFICE);
    mistyped.outcome = Outcome::Failure;
    life.add(mistyped);
    let found = life.found();
    let loud: Vec<String> = found
        .iter()
        .filter(|one| one.severity > Severity::Low)
        .map(|one| format!("{} {} {}", one.severity, one.detection, one.explanation))
        .collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

#[test]
fn no_acts_plan_no_detection_of_acts() {
    assert!(Life::default().found().is_empty());
}

#[test]
fn findings_do_not_depend_on_the_order_of_acts() {
    let acts = || {
        (0..9).map(|k| {
            let mut one = call(
                14,
                36_000 + 7 * k,
                "old",
                ELSEWHERE,
                ("iam", ["ListUsers", "ListRoles", "GetUser"][k as usize % 3]),
            );
            (one.outcome, one.event_id) = (Outcome::Denied, format!("denied-{k}").into());
            one
        })
    };
    let (mut one, mut other) = (Life::new(), Life::new());
    acts().for_each(|act| one.add(act));
    acts().rev().for_each(|act| other.add(act));
    assert_eq!(one.found(), other.found());
}

/// A key that nobody used for long.
fn stale(life: &mut Life, user: &str, source: &'static str, denied: usize) {
    let first = call(14, 36_000, user, source, ("sts", "GetCallerIdentity"));
    life.logs.credentials.report(&first.credential, Some(0), Some(1_698_796_800 - 140 * DAY_S));
    life.add(first);
    let asked = [
        ("iam", "ListUsers"),
        ("iam", "ListRoles"),
        ("kms", "ListKeys"),
        ("rds", "DescribeDBInstances"),
        ("ssm", "DescribeParameters"),
        ("secretsmanager", "ListSecrets"),
        ("route53", "ListHostedZones"),
        ("cloudtrail", "DescribeTrails"),
        ("organizations", "ListAccounts"),
        ("s3", "GetBucketPolicy"),
    ];
    for (at, of) in asked.into_iter().take(denied).enumerate() {
        let mut one = call(14, 36_010 + at as i64, user, source, of);
        one.outcome = Outcome::Denied;
        life.add(one);
    }
}

#[test]
fn a_stale_key_is_high_from_a_strange_network_and_low_from_the_office() {
    let mut life = Life::new();
    stale(&mut life, "old", ELSEWHERE, 0);
    stale(&mut life, "yearly", OFFICE, 0);
    stale(&mut life, "asking", OFFICE, 4);
    assert_eq!(life.told("stale_credential"), ["high old", "low yearly", "medium asking"]);
}

#[test]
fn probing_counts_different_acts_and_not_retries() {
    let mut life = Life::new();
    stale(&mut life, "old", ELSEWHERE, 10);
    for second in 0..40 {
        let mut retry = call(14, 30_000 + second, "ci", OFFICE, ("s3", "PutObject"));
        retry.outcome = Outcome::Denied;
        life.add(retry);
    }
    assert_eq!(life.told("probing"), ["high old"]);
    assert!(life.told("unusual_access").contains(&"high old".to_owned()));
}

#[test]
fn a_principal_that_wakes_up_is_told_once() {
    let mut life = Life::new();
    let mut back = login(15, 30_000, "left", ELSEWHERE);
    back.agent = "python-requests/2.31".into();
    life.logs.principals.report(Log::Okta, &back.principal, Some(0), Some(1_698_796_800 - 90 * DAY_S));
    life.add(back);
    let returned = login(15, 30_000, "parent", OFFICE);
    life.logs.principals.report(Log::Okta, &returned.principal, Some(0), Some(1_698_796_800 - 90 * DAY_S));
    life.add(returned);
    assert_eq!(life.told("woken_principal"), ["high left@example.com", "low parent@example.com"]);
}

#[test]
fn many_repositories_new_to_a_reader_are_a_mass_and_a_backup_is_not() {
    let mut life = Life::new();
    for name in 0..60 {
        life.add(repository(15, 50_000 + 40 * name, "jmiller2", "10.0.40.11", format!("core/core-{name:03}")));
    }
    assert_eq!(life.told("mass_download"), ["high jmiller2"]);
    let found = life.found();
    let mass = found.iter().find(|one| one.detection == "mass_download").unwrap();
    assert_eq!(mass.host, "10.0.40.11".parse().ok());
    assert_eq!(mass.evidence["new_repositories"], 60);
}

#[test]
fn a_few_repositories_a_day_add_up() {
    let mut life = Life::new();
    for name in 0..45i64 {
        life.add(repository(5 + name / 3, 50_000 + 40 * name, "slow", OFFICE, format!("core/core-{name:03}")));
    }
    assert_eq!(life.told("mass_download"), [] as [&str; 0]);
    for name in 45..90i64 {
        life.add(repository(5 + (name - 45) / 3, 51_000 + 40 * name, "slow", OFFICE, format!("core/core-{name:03}")));
    }
    assert_eq!(life.told("mass_download"), ["medium slow"]);
}

#[test]
fn secrets_count_from_a_few() {
    let mut life = Life::new();
    for name in 0..12 {
        let mut read = call(14, 30_000 + name, "thief", ELSEWHERE, ("secretsmanager", "GetSecretValue"));
        (read.object_kind, read.object) = ("secret".into(), format!("s{name}").into());
        life.add(read);
    }
    for day in 8..12 {
        let mut read = call(day, 30_000, "ci", OFFICE, ("secretsmanager", "GetSecretValue"));
        (read.object_kind, read.object) = ("secret".into(), "deploy".into());
        life.add(read);
    }
    assert_eq!(life.told("mass_reading"), ["high thief"]);
}

fn make_user(day: i64, who: &str, source: &'static str) -> access::Act<'static> {
    let mut made = act(Log::AtlassianAudit, day, 40_000);
    made.principal = who.to_owned().into();
    (made.service, made.action) = ("jira".into(), "jira.auditing.user.created".into());
    (made.action_class, made.source) = (ActionClass::CreateCredential, source.into());
    (made.object_kind, made.object) = ("USER".into(), "jmiller2".into());
    made
}

#[test]
fn accounts_are_made_by_administrators_and_not_by_programs() {
    let mut life = Life::new();
    for day in [0, 7, 14] {
        life.add(make_user(day, "it-admin", OFFICE));
    }
    life.add(make_user(15, "svc-smartsheet", ELSEWHERE));
    life.add(make_user(15, "p02", OFFICE));
    assert_eq!(life.told("account_by_service"), ["high svc-smartsheet", "low p02@example.com"]);
}

#[test]
fn okta_refuses_a_stranger_and_an_employee() {
    let mut life = Life::new();
    for (who, source) in [("svc-sync", ELSEWHERE), ("p05", OFFICE)] {
        let mut refused = login(14, 40_000, who, source);
        (refused.action, refused.outcome) = ("policy.evaluate_sign_on".into(), Outcome::Denied);
        life.add(refused);
    }
    assert_eq!(life.told("okta_denied"), ["low p05@example.com", "medium svc-sync@example.com"]);
}

#[test]
fn guesses_from_one_source_are_told_by_source() {
    let mut life = Life::new();
    for k in 0..6 {
        let mut guess = login(14, 40_000 + 60 * k, ["svc-a", "svc-b", "svc-c"][k as usize % 3], ELSEWHERE);
        guess.outcome = Outcome::Failure;
        guess.agent = "python-requests/2.31".into();
        life.add(guess);
        let mut mistyped = login(14, 30_000 + k, &format!("p{k:02}"), OFFICE);
        mistyped.outcome = Outcome::Failure;
        life.add(mistyped);
    }
    assert_eq!(life.told("guessing"), [format!("medium {ELSEWHERE}")]);
    assert_eq!(life.told("shared_source"), [format!("high {ELSEWHERE}")]);
    life.add(login(14, 50_000, "svc-a", ELSEWHERE));
    for k in 0..2 {
        let mut guess = login(14, 40_900 + 60 * k, "svc-a", ELSEWHERE);
        guess.outcome = Outcome::Failure;
        life.add(guess);
    }
    assert_eq!(life.told("guessing"), [format!("high {ELSEWHERE}")]);
}

#[test]
fn a_help_desk_that_resets_factors_daily_is_no_news() {
    let mut life = Life::new();
    let reset = |day, who: &str, source| {
        let mut one = login(day, 41_000, who, source);
        (one.action, one.action_class) = ("user.mfa.factor.reset_all".into(), ActionClass::CreateCredential);
        (one.object_kind, one.object) = ("User".into(), "p01@example.com".into());
        one
    };
    (1..16).for_each(|day| life.add(reset(day, "p07", OFFICE)));
    life.add(reset(15, "p08", OFFICE));
    let mut provider = login(16, 41_000, "p09", OFFICE);
    (provider.action, provider.action_class) = ("system.idp.lifecycle.create".into(), ActionClass::Admin);
    life.add(provider);
    let told = life.told("identity_weakened");
    assert_eq!(told, ["high p09@example.com", "informational p07@example.com", "medium p08@example.com"]);
    // Somebody from where nobody was logs in after a reset that is the desk's daily work.
    life.add(login(15, 43_000, "p01", ELSEWHERE));
    let found = life.found();
    let is_desk =
        |one: &&Finding| one.detection == "identity_weakened" && one.principal.as_deref() == Some("p07@example.com");
    let desk = found.iter().find(is_desk).unwrap();
    assert_eq!(desk.severity, Severity::High, "{desk:?}");
    assert_eq!(desk.evidence["next_login_source"], ELSEWHERE, "{:?}", desk.evidence);
    assert!((1..=5).contains(&desk.event_ids.len()), "{:?}", desk.event_ids);
}

#[test]
fn a_key_made_for_another_is_told_and_automation_is_a_habit() {
    let mut life = Life::new();
    (1..16).for_each(|day| life.add(call(day, 3_600, "ci", OFFICE, ("iam", "CreateAccessKey"))));
    life.add(call(15, 40_000, "thief", ELSEWHERE, ("iam", "CreateAccessKey")));
    assert_eq!(life.told("cloud_credential_made"), ["high thief", "informational ci"]);
}

#[test]
fn a_stopped_trail_is_high_and_a_refused_attempt_medium() {
    let mut life = Life::new();
    life.add(call(15, 40_000, "ci", OFFICE, ("cloudtrail", "StopLogging")));
    let mut refused = call(15, 40_000, "other", OFFICE, ("cloudtrail", "DeleteTrail"));
    refused.outcome = Outcome::Denied;
    life.add(refused);
    assert_eq!(life.told("trail_silenced"), ["high ci", "medium other"]);
}

#[test]
fn root_without_a_second_factor_is_high_and_a_user_at_the_office_low() {
    let mut life = Life::new();
    for (who, kind, source) in [
        ("root", PrincipalKind::Root, OFFICE),
        ("jo", PrincipalKind::User, OFFICE),
        ("al", PrincipalKind::User, ELSEWHERE),
    ] {
        let mut console = call(15, 40_000, who, source, ("signin", "ConsoleLogin"));
        (console.principal_kind, console.mfa, console.credential) = (kind, Some(false), Credential::none());
        life.add(console);
    }
    let mut safe = call(15, 40_000, "safe", ELSEWHERE, ("signin", "ConsoleLogin"));
    (safe.mfa, safe.credential) = (Some(true), Credential::none());
    life.add(safe);
    assert_eq!(life.told("console_without_mfa"), ["high al", "high root", "low jo"]);
}

#[test]
fn a_session_in_two_places_alternates_and_a_journey_does_not() {
    let mut life = Life::new();
    for k in 0..8 {
        let mut used = login(15, 36_000 + 7 * 60 * k, "p03", if k % 2 == 0 { OFFICE } else { ELSEWHERE });
        used.action = format!("app.action.{k}").into();
        if k % 2 == 1 {
            used.agent = "python-requests/2.31".into();
        }
        life.add(used);
        let mut moved = login(15, 36_000 + 7 * 60 * k, "p04", if k < 4 { OFFICE } else { ELSEWHERE });
        moved.action = format!("app.action.{k}").into();
        life.add(moved);
    }
    assert_eq!(life.told("credential_two_places"), ["high p03@example.com"]);
}

#[test]
fn the_role_of_an_instance_stays_where_the_instance_is() {
    let mut life = Life::new();
    let of_instance = |day, source| {
        let mut one = call(day, 30_000, "x", source, ("ssm", "UpdateInstanceInformation"));
        one.principal = "arn:aws:sts::112233445566:assumed-role/web/i-0abc1234def567890".into();
        one.principal_kind = PrincipalKind::Instance;
        one.credential = Credential::new(format!("ASIA00000000000000{day:02}").into(), CredentialKind::SessionKey);
        one
    };
    (0..20).for_each(|day| life.add(of_instance(day, "198.51.100.77")));
    assert_eq!(life.told("instance_credentials_outside"), [] as [&str; 0]);
    life.add(of_instance(16, ELSEWHERE));
    assert_eq!(life.told("instance_credentials_outside"), ["high i-0abc1234def567890"]);
}

#[test]
fn a_client_from_nowhere_is_told_by_what_it_reaches() {
    let mut life = Life::new();
    for k in 0..300 {
        life.add(request(15, 40_000 + 20 * k, ELSEWHERE, "GET", &format!("/browse/NET-{k}")));
    }
    // A traveller logs in where he is.
    life.add(login(15, 50_000, "p03", "192.0.2.77"));
    (0..5).for_each(|k| life.add(request(15, 50_100 + k, "192.0.2.77", "GET", "/browse/OPS-1")));
    let mut scanner = request(15, 50_000, "192.0.2.200", "GET", "/.env");
    scanner.outcome = Outcome::Denied;
    life.add(scanner);
    let client = |severity: &str| format!("{severity} {ELSEWHERE}");
    assert_eq!(life.told("unusual_client"), ["informational 192.0.2.200".to_owned(), client("medium")]);
    life.add(request(16, 40_000, ELSEWHERE, "POST", "/rest/scriptrunner/latest/user/exec/"));
    assert_eq!(life.told("unusual_client"), [client("high"), "informational 192.0.2.200".to_owned()]);
    let found = life.found();
    let told =
        found.iter().find(|one| one.detection == "unusual_client" && one.remote == ELSEWHERE.parse().ok()).unwrap();
    assert_eq!((told.host, told.app.as_deref()), ("10.0.40.11".parse().ok(), Some("jira.example.com")));
}

#[test]
fn what_was_unusual_makes_nothing_habitual() {
    let mut life = Life::new();
    let strange = |day, who: &str| {
        let mut one = login(day, 40_000, who, ELSEWHERE);
        (one.outcome, one.agent, one.country) = (Outcome::Failure, "python-requests/2.31".into(), "Elsewhere".into());
        one
    };
    // The same stranger every day, and others who come after it.
    (10..20).for_each(|day| life.add(strange(day, "svc-a")));
    life.add(strange(19, "svc-b"));
    assert_eq!(life.told("unusual_access"), ["high svc-a@example.com", "high svc-b@example.com"]);
    let found = life.found();
    let is_a = |one: &&flowsift::detect::Finding| one.principal.as_deref() == Some("svc-a@example.com");
    let told = found.iter().filter(is_a).find(|one| one.detection == "unusual_access").unwrap();
    assert_eq!(told.evidence["days"].as_array().unwrap().len(), 10);
}

#[test]
fn a_log_that_falls_silent_is_told_and_weekends_are_not() {
    let silent = |days: i64, rests: bool| {
        let mut life = Life::default();
        for day in 0..DAYS {
            (0..24).for_each(|hour| life.add(call(day, 3_600 * hour, "ci", OFFICE, ("s3", "GetObject"))));
            // 2023-11-01 was a Wednesday.
            if day < days && !(rests && matches!(day % 7, 3 | 4)) {
                (9..17).for_each(|hour| life.add(login(day, 3_600 * hour, "p01", OFFICE)));
            }
        }
        let found = life.found();
        found.into_iter().filter(|one| one.detection == "access_log_gap").collect::<Vec<_>>()
    };
    assert_eq!(silent(DAYS, true), []);
    // Twice as long as a weekend.
    assert_eq!(silent(16, true), []);
    let told = silent(17, false);
    let [gap] = &told[..] else { panic!("{told:?}") };
    assert_eq!((gap.severity, gap.object.as_deref()), (Severity::Medium, Some("okta")));
    assert_eq!((gap.logs.as_slice(), gap.host, &gap.principal), (&["okta".to_owned()][..], None, &None));
    assert!(gap.explanation.starts_with("The log okta stopped: nothing for 4 d"), "{}", gap.explanation);
    // A log of every hour is known after days, and told after hours.
    let mut life = Life::default();
    for day in 0..4 {
        (0..24).for_each(|hour| life.add(login(day, 3_600 * hour, "p01", OFFICE)));
        (0..if day == 3 { 12 } else { 24 })
            .for_each(|hour| life.add(call(day, 3_600 * hour, "ci", OFFICE, ("s3", "GetObject"))));
    }
    let told: Vec<Finding> = life.found().into_iter().filter(|one| one.detection == "access_log_gap").collect();
    assert_eq!((told.len(), told[0].object.as_deref()), (1, Some("cloudtrail")), "{told:?}");
}
