//! A small estate made of acts: people at work for three weeks, to which tests add what they look for.

use std::collections::HashMap;
use std::sync::Arc;

use ::memory::Memory;
use access::{Act, ActionClass, Credential, CredentialKind, Log, Outcome, PrincipalKind};
use flowsift::accesses::AccessLogs;
use flowsift::detect::{self, Detection, Finding, Need};
use flowsift::intel::{AllowList, InternalNetworks, Verdicts};
use flowsift::sql::SharedMemory;
use rollup::derive::{Known, Wanted, derive};
use rollup::window::Window;

/// 2023-11-01, a Wednesday.
const BEGIN_S: i64 = 1_698_796_800;
const DAY_S: i64 = 86_400;

/// Days of the estate's life, all in the window.
pub const DAYS: i64 = 21;

/// Where people work.
pub const OFFICE: &str = "198.51.100.10";

/// Where nobody ever was.
pub const ELSEWHERE: &str = "203.0.113.66";

/// The logs of an estate.
#[derive(Default)]
pub struct Life {
    pub logs: AccessLogs,
    events: u64,
}

/// Returns an act of a log on a day and second of it.
pub fn act(log: Log, day: i64, second: i64) -> Act<'static> {
    let mut act = Act::new(log, (BEGIN_S + day * DAY_S + second) * 1_000_000);
    act.outcome = Outcome::Success;
    act.principal_kind = PrincipalKind::User;
    act
}

/// Returns a login at Okta.
pub fn login(day: i64, second: i64, who: &str, source: &str) -> Act<'static> {
    let mut act = act(Log::Okta, day, second);
    act.principal = format!("{who}@example.com").into();
    (act.service, act.action, act.action_class) = ("okta".into(), "user.session.start".into(), ActionClass::Login);
    act.credential = Credential::new(format!("session-{who}-{day}").into(), CredentialKind::WebSession);
    (act.source, act.agent) = (source.to_owned().into(), "Mozilla/5.0 Chrome/119.0".into());
    act
}

/// Returns a call of AWS with an IAM user's key.
pub fn call(day: i64, second: i64, user: &str, source: &str, of: (&'static str, &'static str)) -> Act<'static> {
    let mut act = act(Log::CloudTrail, day, second);
    act.principal = format!("arn:aws:iam::112233445566:user/{user}").into();
    act.credential = Credential::key(format!("AKIA0000000000{user:0<6}").into());
    (act.service, act.action) = (of.0.into(), of.1.into());
    act.action_class = ActionClass::of_aws(of.0, of.1, None);
    (act.account, act.source, act.agent) = ("112233445566".into(), source.to_owned().into(), "aws-cli/2.13".into());
    act
}

/// Returns the reading of a repository.
pub fn repository(day: i64, second: i64, who: &str, source: &str, name: String) -> Act<'static> {
    let mut act = act(Log::BitbucketAccess, day, second);
    act.principal = who.to_owned().into();
    (act.service, act.action, act.action_class) = ("bitbucket".into(), "clone".into(), ActionClass::Download);
    (act.object_kind, act.object, act.bytes_out) = ("repository".into(), name.into(), Some(5_000_000));
    (act.source, act.agent) = (source.to_owned().into(), "git/2.42".into());
    act
}

/// Returns a request to a balancer.
pub fn request(day: i64, second: i64, source: &str, method: &'static str, path: &str) -> Act<'static> {
    let mut act = act(Log::Alb, day, second);
    (act.service, act.app) = ("app/web/1".into(), "jira.example.com".into());
    act.principal_kind = PrincipalKind::Unknown;
    (act.action, act.action_class) = (method.into(), ActionClass::of_http(method, path));
    (act.object_kind, act.object, act.bytes_out) = ("path".into(), path.to_owned().into(), Some(40_000));
    (act.source, act.agent, act.target) =
        (source.to_owned().into(), "Mozilla/5.0 Chrome/119.0".into(), "10.0.40.11:8080".into());
    act
}

impl Life {
    /// Returns an estate of twelve people, a builder and a backup.
    pub fn new() -> Self {
        let mut life = Self::default();
        for day in 0..DAYS {
            for person in 0..12 {
                // Everybody is away now and then.
                if (day + 5 * person) % 9 == 0 {
                    continue;
                }
                let who = format!("p{person:02}");
                let at = 28_800 + 600 * person + 60 * ((day * 7 + person) % 11);
                // At home, and seldom in a hotel.
                let from = match (day * 5 + person * 3) % 13 {
                    0 | 1 => format!("198.18.{person}.20"),
                    2 if day % 4 == 1 => format!("198.19.{}.9", day + person),
                    _ => OFFICE.to_owned(),
                };
                life.add(login(day, at, &who, &from));
                for path in 0..4 + (day + person) % 4 {
                    life.add(request(
                        day,
                        at + 300 + 90 * path,
                        OFFICE,
                        "GET",
                        &format!("/browse/OPS-{}", day * 40 + path),
                    ));
                }
                if person % 3 == 0 {
                    life.add(repository(
                        day,
                        at + 900,
                        &who,
                        OFFICE,
                        format!("core/core-{:03}", (person + day % 4) % 90),
                    ));
                }
            }
            for hour in 0..12 {
                life.add(call(day, hour * 7_200 + 60, "ci", OFFICE, ("s3", "GetObject")));
                life.add(call(day, hour * 7_200 + 65, "ci", OFFICE, ("sts", "GetCallerIdentity")));
                for name in 0..3 {
                    let name = format!("core/core-{:03}", (day * 31 + hour * 7 + name) % 90);
                    life.add(repository(day, hour * 7_200 + 90, "svc-builds", "10.0.60.5", name));
                }
            }
            if day % 7 == 4 {
                for name in 0..90 {
                    life.add(repository(day, 7_200 + name, "svc-backup", "10.0.60.9", format!("core/core-{name:03}")));
                }
            }
        }
        life
    }

    /// Adds an act; one without an id gets one of its own.
    pub fn add(&mut self, mut act: Act<'static>) {
        self.events += 1;
        if act.event_id.is_empty() {
            act.event_id = format!("e{}", self.events).into();
        }
        self.logs.hours.add(&act);
        self.logs.credentials.add(&act);
        self.logs.principals.add(&act);
    }

    /// Returns what the detections over acts find.
    pub fn found(&self) -> Vec<Finding> {
        self.found_by(|one| one.needs.contains(&Need::Accesses))
    }

    fn found_by(&self, wanted: impl Fn(&Detection) -> bool) -> Vec<Finding> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let window = Window { from_s: BEGIN_S, to_s: BEGIN_S + DAYS * DAY_S, baseline_from_s: BEGIN_S };
        let networks = InternalNetworks::default();
        let internal = |address: flow::Address| networks.contains(address);
        let known = Known { forwarders: &Default::default(), host_facts: &|_| None, habits: &Default::default() };
        let derived = derive(Vec::new(), &window, Wanted::ALL, &internal, known, &Memory::default()).unwrap();
        let context = detect::Context {
            window,
            fdr: 0.01,
            indicators: Arc::default(),
            networks: Arc::default(),
            internal: Arc::default(),
            allow: &AllowList::default(),
            verdicts: &Verdicts::default(),
            accesses: &self.logs,
            coverage: &[],
            host_facts: &HashMap::new(),
            threads: 2,
            memory: SharedMemory::default(),
        };
        let detections: Vec<Detection> = detect::built_in().unwrap().into_iter().filter(wanted).collect();
        runtime.block_on(detect::detect(&detections, &derived, &context)).unwrap().findings
    }

    /// Returns the severities and principals of what a detection finds, sorted.
    pub fn told(&self, detection: &str) -> Vec<String> {
        let tell = |one: &Finding| {
            let who = one.principal.clone().or_else(|| one.remote.map(|remote| remote.to_string())).unwrap_or_default();
            format!("{} {}", one.severity, who.rsplit('/').next().unwrap_or_default())
        };
        let mut told: Vec<String> =
            self.found_by(|one| one.name == detection || one.name == "log_gap").iter().map(tell).collect();
        told.sort();
        told
    }
}
