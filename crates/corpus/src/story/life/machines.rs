//! A day of programs: pipelines, agents, the supplier's poll, the backup, the quarterly report, and the accounts of
//! newcomers.

use super::{Transfer, transfer};
use crate::random::{Purpose, Stream, mix2};
use crate::story::acts::{
    Acts, Agent, AuditAct, AuditRecord, Call, Caller, CloudCall, GitAct, OktaAct, OktaApp, OktaEvent, Product, Service,
    Session, User, WebPath,
};
use crate::story::estate::{Asked, Estate, REPOSITORIES, Visit};
use crate::story::networks;
use crate::story::timeline::{DAY_S, weekday};

/// The busyness from which all hosts call AWS, rather than the products' servers alone.
const BUSY: f64 = 2.0;

/// Seconds between runs of a pipeline, and between signs of life of an instance's agent.
const ROUND_S: i64 = 7_200;

/// Returns what programs do on a day.
pub fn of_day(estate: &Estate, day_s: i64) -> Acts {
    let mut acts = Acts::default();
    let draw = &mut Stream::new(estate.seed, Purpose::StoryMachine, 0, day_s.div_euclid(DAY_S) as u64);
    for round_s in (day_s..day_s + DAY_S).step_by(ROUND_S as usize) {
        (0..estate.pipelines).for_each(|_| pipeline(estate, round_s, &mut acts, draw));
        agents(estate, day_s, round_s, &mut acts, draw);
        poll(estate, round_s, &mut acts, draw);
    }
    if weekday(day_s) == 6 {
        back_up(estate, day_s, &mut acts, draw);
    }
    welcome(estate, day_s, &mut acts, draw);
    import(estate, day_s, &mut acts);
    if (day_s..day_s + DAY_S).contains(&estate.times.quarterly_s) {
        acts.calls.extend(quarterly_report(estate));
    }
    acts
}

/// Returns the calls of the quarterly report: a key that is used four times a year, from where it always is.
pub fn quarterly_report(estate: &Estate) -> Vec<CloudCall> {
    let draw = &mut Stream::new(estate.seed, Purpose::StoryMachine, 1, 0);
    let calls = [Call::GetCallerIdentity, Call::ListObjects, Call::GetObject, Call::GetObject, Call::PutObject];
    let mut time_s = estate.times.quarterly_s;
    let call = |call| {
        time_s += draw.between(1, 9) as i64;
        let (caller, agent) = (Caller::Report, Agent::ReportBoto);
        CloudCall { time_s, caller, call, source: networks::OFFICE, agent, is_denied: false, draw: draw.bits() }
    };
    calls.into_iter().map(call).collect()
}

/// A run of a pipeline: it takes on a role, looks at a stack, and clones what it builds.
fn pipeline(estate: &Estate, round_s: i64, acts: &mut Acts, draw: &mut Stream) {
    let begin_s = round_s + draw.below(5_400) as i64;
    let server = &estate.builder;
    let mut time_s = begin_s;
    let mut call = |caller, call, draw: &mut Stream| {
        let (source, agent) = (server.public, Agent::DeployCli);
        let number = draw.bits();
        acts.calls.push(CloudCall { time_s, caller, call, source, agent, is_denied: false, draw: number });
        time_s += draw.between(1, 20) as i64;
        number
    };
    call(Caller::Pipeline, Call::GetCallerIdentity, draw);
    let number = call(Caller::Pipeline, Call::AssumeRole, draw);
    let role = Caller::Deployer(Session { number, since_s: begin_s });
    call(role, Call::DescribeStacks, draw);
    call(role, if draw.chance(0.3) { Call::PutObject } else { Call::GetObject }, draw);
    if draw.chance(0.2) {
        call(role, Call::UpdateStack, draw);
    }
    for _ in 0..3 {
        let of = Transfer {
            user: User::Service(Service::Bamboo),
            source: server.private,
            from: Some(server.interface),
            act: GitAct::ShallowClone,
            repository: draw.below(REPOSITORIES.into()) as u16,
            bytes_out: draw.between(100_000, 6_000_000),
            is_ssh: false,
            agent: Agent::Git,
            time_ms: (begin_s + draw.below(600) as i64) * 1_000 + draw.below(1_000) as i64,
        };
        transfer(estate, acts, &of, draw);
    }
}

/// Signs of life of the agents on servers, and secrets that they read; more of both in a busy company.
fn agents(estate: &Estate, day_s: i64, round_s: i64, acts: &mut Acts, draw: &mut Stream) {
    let own = estate.products.iter().map(|server| (server.interface, server.public));
    // In a busy company further hosts call over the gateway.
    let further = if estate.busyness > BUSY { estate.flows.hosts } else { 8 };
    let others = (8..further).map(|host| (host, networks::NAT));
    for (interface, source) in own.chain(others) {
        let session_number = mix2(day_s as u64 ^ estate.seed, interface.into());
        let caller = Caller::Instance(interface, Session { number: session_number, since_s: day_s - 1_800 });
        for _ in 0..draw.dithered(estate.busyness) {
            let is_secret = draw.chance(0.1);
            let (call, agent) = if is_secret {
                (Call::GetSecretValue, Agent::AppSdk)
            } else {
                (Call::UpdateInstanceInformation, Agent::Systems)
            };
            let time_s = round_s + draw.below(ROUND_S as u64) as i64;
            acts.calls.push(CloudCall { time_s, caller, call, source, agent, is_denied: false, draw: draw.bits() });
        }
    }
}

/// The supplier's program asks Jira for what is new.
fn poll(estate: &Estate, round_s: i64, acts: &mut Acts, draw: &mut Stream) {
    let begin_us = (round_s + 300 + draw.below(20) as i64) * 1_000_000 + draw.below(1_000_000) as i64;
    let visit = Visit { client: networks::SUPPLIER, product: Product::Jira, agent: Agent::Supplier, begin_us };
    let count = draw.dithered(estate.busyness).clamp(1, 500);
    let asked: Vec<Asked> = (0..count)
        .map(|number| Asked {
            after_s: 0.2 + 0.1 * number as f64,
            path: WebPath::Api(number as u32),
            is_post: false,
            status: 200,
            sent: draw.between(4_000, 40_000) as u32,
        })
        .collect();
    estate.visit(acts, &visit, &asked, draw);
}

/// The backup clones every repository: many, and none new to it.
fn back_up(estate: &Estate, day_s: i64, acts: &mut Acts, draw: &mut Stream) {
    let server = &estate.backup;
    for number in 0..REPOSITORIES {
        let of = Transfer {
            user: User::Service(Service::Backup),
            source: server.private,
            from: Some(server.interface),
            act: GitAct::Clone,
            repository: number,
            bytes_out: draw.between(100_000, 20_000_000),
            is_ssh: true,
            agent: Agent::OpenSsh,
            time_ms: (day_s + 7_200 + i64::from(number) * 15) * 1_000 + draw.below(4_000) as i64,
        };
        transfer(estate, acts, &of, draw);
    }
}

/// Okta takes over who works here from the directory of people, every night.
fn import(estate: &Estate, day_s: i64, acts: &mut Acts) {
    let draw = &mut Stream::new(estate.seed, Purpose::StoryMachine, 2, day_s.div_euclid(DAY_S) as u64);
    let mut time_ms = (day_s + 4 * 3_600) * 1_000 + draw.below(90_000) as i64;
    for act in [OktaAct::ImportStarted, OktaAct::ImportCompleted] {
        acts.okta.push(OktaEvent {
            time_ms,
            actor: User::System,
            act,
            app: OktaApp::Workday,
            target: None,
            source: 0,
            agent: Agent::AppSdk,
            succeeded: true,
            session: 0,
            device: 0,
            is_proxy: false,
            draw: draw.bits(),
        });
        time_ms += draw.between(8_000, 60_000) as i64;
    }
}

/// An administrator makes the accounts of who begins on this day.
fn welcome(estate: &Estate, day_s: i64, acts: &mut Acts, draw: &mut Stream) {
    let (agent, device) = (Agent::ChromeMac, mix2(estate.seed, 0x6164));
    let mut time_us = (day_s + 8 * 3_600 + draw.below(3_000) as i64) * 1_000_000;
    for person in estate.people.iter().filter(|person| person.joined_s == day_s) {
        let user = User::Person(person.number);
        acts.okta.push(OktaEvent {
            time_ms: time_us / 1_000 - 60_000,
            actor: User::Admin,
            act: OktaAct::UserCreated,
            app: OktaApp::Dashboard,
            target: Some(user),
            source: networks::OFFICE,
            agent,
            succeeded: true,
            session: mix2(estate.seed, day_s as u64) | 1,
            device,
            is_proxy: false,
            draw: draw.bits(),
        });
        for act in [AuditAct::UserCreated(user), AuditAct::AddedToGroup(user, 0), AuditAct::AddedToGroup(user, 1)] {
            let (product, author, source) = (Product::Jira, User::Admin, networks::OFFICE);
            acts.audits.push(AuditRecord { time_us, product, author, source, act });
            time_us += draw.between(12_000_000, 40_000_000) as i64;
        }
    }
}
