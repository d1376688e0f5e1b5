//! A day of a person: signing on, tickets and pages, git, and AWS.

use super::{Transfer, transfer};
use crate::random::{Purpose, Stream};
use crate::story::acts::{
    Acts, Agent, Call, Caller, CloudCall, GitAct, OktaAct, OktaApp, OktaEvent, Product, Session, User, WebPath,
};
use crate::story::estate::{Asked, Estate, REPOSITORIES, Visit};
use crate::story::networks;
use crate::story::people::Person;
use crate::story::timeline::{DAY_S, weekday};

/// Share of weekend days on which somebody works all the same, and of working days off.
const WEEKEND_SHARE: f64 = 0.08;
const ABSENCE_SHARE: f64 = 0.07;
/// Share of days on which somebody travels.
const TRAVEL_SHARE: f64 = 0.02;
/// Share of days that begin with a mistyped password.
const MISTYPED_SHARE: f64 = 0.06;

/// Calls of people who work in AWS.
const PEOPLES_CALLS: [Call; 8] = [
    Call::DescribeInstances,
    Call::DescribeAutoScalingGroups,
    Call::ListBuckets,
    Call::DescribeLoadBalancers,
    Call::GetMetricData,
    Call::DescribeLogGroups,
    Call::ListRoles,
    Call::DescribeStacks,
];

/// A person at work.
struct Desk<'a> {
    estate: &'a Estate,
    person: &'a Person,
    source: u32,
    agent: Agent,
    device: u64,
    session: u64,
    draw: Stream,
}

/// Adds what a person does on a day.
pub fn add(estate: &Estate, person: &Person, day_s: i64, acts: &mut Acts) {
    if day_s < person.joined_s {
        return;
    }
    let day = day_s.div_euclid(DAY_S) as u64;
    let mut draw = Stream::new(estate.seed, Purpose::StoryPerson, person.number.into(), day);
    let is_weekend = weekday(day_s) >= 5;
    if draw.chance(if is_weekend { 1.0 - WEEKEND_SHARE } else { ABSENCE_SHARE }) {
        return;
    }
    let in_office = person.is_office_worker && !is_weekend && draw.chance(0.7);
    let usual = if in_office { networks::OFFICE } else { person.home };
    let source = if draw.chance(TRAVEL_SHARE) { networks::travel(draw.bits()) } else { usual };
    let (agent, device) = person.laptop(day_s);
    let session = draw.bits() | 1;
    let mut begin_ms = (day_s + person.start_hour * 3_600) * 1_000 + draw.below(5_400_000) as i64;
    if day_s == person.joined_s {
        // The account is made in the morning; see `machines`.
        begin_ms = begin_ms.max((day_s + 12 * 3_600) * 1_000);
    }
    let mut desk = Desk { estate, person, source, agent, device, session, draw };
    let at_work_ms = desk.sign_on(acts, begin_ms, day_s == person.joined_s);
    desk.read(acts, at_work_ms);
    if person.is_developer {
        desk.code(acts, at_work_ms);
    }
    if person.is_operator {
        desk.operate(acts, at_work_ms);
    }
    let end_ms = at_work_ms + 25_000_000 + desk.draw.below(5_000_000) as i64;
    // Who works past midnight stays signed on.
    if desk.draw.chance(0.4) && end_ms < (day_s + DAY_S) * 1_000 {
        desk.okta(acts, end_ms, OktaAct::SessionEnd, OktaApp::Dashboard, true);
    }
}

impl Desk<'_> {
    fn okta(&mut self, acts: &mut Acts, time_ms: i64, act: OktaAct, app: OktaApp, succeeded: bool) {
        acts.okta.push(OktaEvent {
            time_ms,
            actor: User::Person(self.person.number),
            act,
            app,
            target: None,
            source: self.source,
            agent: self.agent,
            succeeded,
            session: if succeeded { self.session } else { 0 },
            device: self.device,
            is_proxy: false,
            draw: self.draw.bits(),
        });
    }

    /// Signs on at Okta and to some applications; returns when that is done.
    fn sign_on(&mut self, acts: &mut Acts, begin_ms: i64, is_first: bool) -> i64 {
        let mut time_ms = begin_ms;
        if self.draw.chance(MISTYPED_SHARE) {
            self.okta(acts, time_ms - 40_000, OktaAct::SessionStart, OktaApp::Dashboard, false);
        }
        if is_first {
            self.okta(acts, time_ms - 9_000, OktaAct::FactorActivated, OktaApp::Dashboard, true);
        }
        for act in [OktaAct::SignOnPolicy, OktaAct::SecondFactor, OktaAct::SessionStart] {
            self.okta(acts, time_ms, act, OktaApp::Dashboard, true);
            time_ms += self.draw.between(700, 6_000) as i64;
        }
        let mut apps = [OktaApp::Jira, OktaApp::Confluence, OktaApp::Bitbucket, OktaApp::Slack, OktaApp::Workday];
        let count = self.draw.between(2, 3) as usize;
        for place in 0..count {
            let chosen = place + self.draw.below((apps.len() - place) as u64) as usize;
            apps.swap(place, chosen);
            self.okta(acts, time_ms, OktaAct::SingleSignOn, apps[place], true);
            time_ms += self.draw.between(5_000, 400_000) as i64;
        }
        time_ms
    }

    /// Reads tickets and pages, a few at a time.
    fn read(&mut self, acts: &mut Acts, from_ms: i64) {
        // A busy company comes back more often, and asks for more at a time.
        let busyness = self.estate.busyness;
        let more_visits = (busyness / 8.0).clamp(1.0, 8.0);
        let visits = self.draw.between(1, 3) as f64 * more_visits;
        for _ in 0..visits as u64 {
            let begin_ms = from_ms + self.draw.below(21_000_000) as i64;
            let product = if self.draw.chance(0.65) { Product::Jira } else { Product::Confluence };
            let visit = Visit { client: self.source, product, agent: self.agent, begin_us: begin_ms * 1_000 };
            let count = self.draw.dithered(2.6 * busyness / more_visits).max(1);
            let mut after_s = 0.2;
            let mut asked = Vec::with_capacity(count as usize);
            for number in 0..count {
                // The parts of a page follow it at once.
                let is_page = number % 6 == 0 || busyness < 4.0;
                let path = match (is_page, self.draw.bits() as u32) {
                    (true, draw) if draw % 12 == 0 && product == Product::Jira => WebPath::Dashboard,
                    (true, draw) => WebPath::Item(draw),
                    (false, draw) => WebPath::Asset(draw),
                };
                let sent = self.draw.between(8_000, 160_000) as u32;
                asked.push(Asked { after_s, path, is_post: false, status: 200, sent });
                after_s += if is_page { self.draw.uniform(2.0, 16.0) } else { self.draw.uniform(0.0, 0.3) };
            }
            self.estate.visit(acts, &visit, &asked, &mut self.draw);
        }
    }

    /// Fetches and clones, mostly from the usual repositories.
    fn code(&mut self, acts: &mut Acts, from_ms: i64) {
        for _ in 0..self.draw.between(1, 4) {
            let usual = &self.person.repositories;
            let repository = if self.draw.chance(0.93) {
                usual[self.draw.below(usual.len() as u64) as usize]
            } else {
                self.draw.below(REPOSITORIES.into()) as u16
            };
            let is_fetch = self.draw.chance(0.9);
            let bytes_out =
                if is_fetch { self.draw.between(2_000, 90_000) } else { self.draw.between(1_000_000, 30_000_000) };
            let of = Transfer {
                user: User::Person(self.person.number),
                source: self.source,
                from: None,
                act: if is_fetch { GitAct::Fetch } else { GitAct::Clone },
                repository,
                bytes_out,
                is_ssh: false,
                agent: Agent::Git,
                time_ms: from_ms + self.draw.below(21_000_000) as i64,
            };
            transfer(self.estate, acts, &of, &mut self.draw);
        }
    }

    /// Goes to AWS's console over single sign-on.
    fn operate(&mut self, acts: &mut Acts, from_ms: i64) {
        let login_ms = from_ms + self.draw.between(10_000, 3_600_000) as i64;
        self.okta(acts, login_ms, OktaAct::SingleSignOn, OktaApp::Aws, true);
        let since_s = login_ms.div_euclid(1_000) + 6;
        let caller = Caller::Person(self.person.number, Session { number: self.draw.bits(), since_s });
        let mut call = |draw: &mut Stream, time_s, call| {
            acts.calls.push(CloudCall {
                time_s,
                caller,
                call,
                source: self.source,
                agent: self.agent,
                is_denied: false,
                draw: draw.bits(),
            });
        };
        call(&mut self.draw, since_s, Call::ConsoleLogin);
        for _ in 0..self.draw.between(3, 10) {
            let time_s = since_s + self.draw.between(4, 9_000) as i64;
            let chosen = PEOPLES_CALLS[self.draw.below(PEOPLES_CALLS.len() as u64) as usize];
            call(&mut self.draw, time_s, chosen);
        }
    }
}
