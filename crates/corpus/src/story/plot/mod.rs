//! The story itself: what the intruder does, and the labels that say so.

mod jira_server;

use super::acts::{
    Acts, Agent, AuditAct, AuditRecord, Call, Caller, CloudCall, OktaAct, OktaApp, OktaEvent, Product, SEARCHES,
    Service, User, WebPath,
};
use super::estate::{Asked, Estate, Visit};
use super::labels::{BENIGN_TRAP, StoryLabel};
use super::life::quarterly_report;
use super::networks;
use super::options::Variation;
use super::records::cloudtrail::{self, USERS};
use super::records::iam::{QUARTER_DAYS, STALE_DAYS};
use super::records::{atlassian, balancer, okta};
use super::timeline::DAY_S;
use crate::random::{Purpose, Stream};
use flow::Address;

/// Tickets and pages that are read.
const TICKETS: u32 = 36;
const PAGES: u32 = 202;
/// Seconds after the first visit at which each sitting begins: on three days, and never at night.
const SITTINGS_S: [i64; 9] = [60, 2_400, 5_400, 9_000, 72_000, 76_500, 86_000, 150_000, 156_000];

/// The calls with the old key, in their order, and whether each is denied.
const KEY_CALLS: [(Call, bool); 20] = [
    (Call::GetCallerIdentity, false),
    (Call::ListBuckets, false),
    (Call::DescribeInstances, false),
    (Call::DescribeRegions, false),
    (Call::ListUsers, true),
    (Call::ListRoles, true),
    (Call::GetAccountAuthorizationDetails, true),
    (Call::ListAttachedUserPolicies, true),
    (Call::ListSecrets, true),
    (Call::DescribeParameters, true),
    (Call::ListFunctions, false),
    (Call::DescribeDbInstances, true),
    (Call::ListKeys, true),
    (Call::DescribeTrails, true),
    (Call::ListAccounts, true),
    (Call::ListHostedZones, true),
    (Call::GetBucketPolicy, true),
    (Call::ListObjects, false),
    (Call::DescribeSecurityGroups, false),
    (Call::DescribeVpcs, false),
];

/// What the intruder does, and the labels of it, by time.
#[derive(Debug, Default)]
pub struct Plot {
    pub acts: Acts,
    pub labels: Vec<StoryLabel>,
}

/// Returns the story of an estate.
pub fn plot(estate: &Estate) -> Plot {
    let draw = Stream::new(estate.seed, Purpose::StoryPlot, 0, 0);
    let mut teller = Teller { estate, draw, told: Plot::default() };
    teller.probe();
    teller.try_key();
    teller.read();
    teller.make_account();
    teller.come_back();
    teller.run_script();
    teller.call_home();
    teller.take_repositories();
    teller.upload();
    teller.be_blocked();
    teller.tell_trap();
    let mut told = teller.told;
    let times = &estate.times;
    told.labels.retain(|label| (times.begin_s..times.end_s).contains(&label.time_s));
    told.labels.retain(|label| times.is_kept(label.time_s.div_euclid(DAY_S) * DAY_S));
    told.labels.sort_by_key(|label| label.time_s);
    told
}

struct Teller<'a> {
    estate: &'a Estate,
    draw: Stream,
    told: Plot,
}

/// A stage's name and its techniques.
#[derive(Clone, Copy)]
struct Stage(&'static str, &'static str);

impl Teller<'_> {
    fn label(&mut self, log: &str, id: String, time_s: i64, stage: Stage, note: &str) -> &mut StoryLabel {
        self.told.labels.push(StoryLabel {
            log: log.to_owned(),
            id,
            time_s,
            stage: stage.0.to_owned(),
            techniques: stage.1.to_owned(),
            note: note.to_owned(),
            ..StoryLabel::default()
        });
        let last = self.told.labels.len() - 1;
        &mut self.told.labels[last]
    }

    /// Service accounts are tried at Okta, through a proxy.
    fn probe(&mut self) {
        use Service::{Moveworks, Smartsheet, Workday};
        let mut time_ms = self.estate.times.probe_s * 1_000 + self.draw.below(900) as i64;
        let stage = Stage("probe", "T1078.004");
        for service in [Smartsheet, Moveworks, Smartsheet, Workday, Moveworks, Smartsheet] {
            self.okta(time_ms, service, OktaAct::SessionStart, stage);
            time_ms += self.draw.between(20_000, 200_000) as i64;
        }
        self.okta(time_ms, Smartsheet, OktaAct::SignOnPolicy, stage);
        self.okta(time_ms + 90_000, Moveworks, OktaAct::UnauthorizedApp, Stage("probe", "T1538"));
    }

    fn okta(&mut self, time_ms: i64, service: Service, act: OktaAct, stage: Stage) {
        let event = OktaEvent {
            time_ms,
            actor: User::Service(service),
            act,
            app: OktaApp::Dashboard,
            target: None,
            source: self.estate.intruder.okta,
            agent: Agent::IntruderScript,
            succeeded: false,
            session: 0,
            device: 0x1d,
            is_proxy: true,
            draw: self.draw.bits(),
        };
        self.told.acts.okta.push(event);
        let principal = okta::login(self.estate, event.actor);
        let label = self.label("okta", okta::event_id(&event).to_string(), time_ms / 1_000, stage, "");
        (label.principal, label.source) = (principal, Some(Address::from_v4_bits(event.source)));
    }

    /// A key that nobody used for months.
    fn try_key(&mut self) {
        let mut time_s = self.estate.times.key_s;
        for (call, is_denied) in KEY_CALLS {
            let call = CloudCall {
                time_s,
                caller: Caller::StaleKey,
                call,
                source: self.estate.intruder.aws,
                agent: Agent::IntruderCli,
                is_denied,
                draw: self.draw.bits(),
            };
            self.told.acts.calls.push(call);
            let stage = Stage("aws_stale_key", "T1078.004 T1580");
            self.cloud_label(&call, stage, &format!("last used {STALE_DAYS} days before"));
            time_s += self.draw.between(3, 25) as i64;
        }
    }

    fn cloud_label(&mut self, call: &CloudCall, stage: Stage, note: &str) {
        let key = if matches!(call.caller, Caller::Report) { USERS[1].1 } else { USERS[2].1 };
        let (principal, key) = (cloudtrail::arn(self.estate, call.caller), self.estate.key(key).to_string());
        let label = self.label("cloudtrail", cloudtrail::event_id(call).to_string(), call.time_s, stage, note);
        label.principal = principal;
        label.credential = key[key.len() - 4..].to_owned();
        label.source = Some(Address::from_v4_bits(call.source));
    }

    /// A job that runs once a quarter, and looks like the old key.
    fn tell_trap(&mut self) {
        for call in quarterly_report(self.estate) {
            self.cloud_label(
                &call,
                Stage(BENIGN_TRAP, ""),
                &format!("quarterly job, last used {QUARTER_DAYS} days before"),
            );
        }
    }

    fn audit(
        &mut self,
        time_us: i64,
        product: Product,
        author: User,
        source: u32,
        act: AuditAct,
        told: Option<(Stage, &str)>,
    ) {
        let record = AuditRecord { time_us, product, author, source, act };
        self.told.acts.audits.push(record);
        let Some((stage, note)) = told else { return };
        if self.estate.variation == Variation::AuditAtBase && !atlassian::is_base(&record) {
            return;
        }
        let principal = self.estate.name(author).to_owned();
        let log = format!("{}_audit", product.name());
        let label = self.label(&log, atlassian::event_id(&record), time_us.div_euclid(1_000_000), stage, note);
        (label.principal, label.source) = (principal, Some(Address::from_v4_bits(source)));
    }

    fn visit(&mut self, time_s: i64, product: Product, asked: &[Asked], stage: Stage) {
        let begin_us = time_s * 1_000_000 + self.draw.below(900_000) as i64;
        let (client, agent) = (self.estate.intruder.web, Agent::IntruderBrowser);
        let before = self.told.acts.requests.len();
        self.estate.visit(&mut self.told.acts, &Visit { client, product, agent, begin_us }, asked, &mut self.draw);
        let host = Address::from_v4_bits(self.estate.server(product).private);
        for place in before..self.told.acts.requests.len() {
            let request = self.told.acts.requests[place];
            let (id, time_s) = (balancer::Trace(&request).to_string(), request.time_us.div_euclid(1_000_000));
            let label = self.label("alb", id, time_s, stage, "");
            (label.source, label.host) = (Some(Address::from_v4_bits(request.client)), Some(host));
        }
    }

    /// A dormant service account looks for the way in.
    fn read(&mut self) {
        let start_s = self.estate.times.reading_s;
        let searches = (0..SEARCHES.len() as u8).map(|word| (Product::Confluence, WebPath::Search(word)));
        let mut rest: Vec<(Product, WebPath)> = Vec::new();
        rest.extend((0..TICKETS).map(|_| (Product::Jira, WebPath::Item(self.draw.bits() as u32))));
        rest.extend((0..PAGES).map(|_| (Product::Confluence, WebPath::Item(self.draw.bits() as u32))));
        for place in (1..rest.len()).rev() {
            rest.swap(place, self.draw.below(place as u64 + 1) as usize);
        }
        let all: Vec<(Product, WebPath)> = searches.chain(rest).collect();
        for (sitting, wanted) in SITTINGS_S.iter().zip(all.chunks(all.len().div_ceil(SITTINGS_S.len()))) {
            let mut time_s = start_s + sitting;
            if *sitting % 70_000 < 4_000 {
                let told = Some((Stage("atlassian", "T1078.004"), "first login in 64 days"));
                let (author, source) = (User::Service(Service::Smartsheet), self.estate.intruder.web);
                // The login itself comes with the first page.
                let login_us = if *sitting == SITTINGS_S[0] { start_s } else { time_s } * 1_000_000 + 214_000;
                self.audit(login_us, Product::Jira, author, source, AuditAct::LoggedIn, told);
            }
            for product in [Product::Confluence, Product::Jira] {
                let of: Vec<WebPath> = wanted.iter().filter(|want| want.0 == product).map(|want| want.1).collect();
                for paths in of.chunks(6) {
                    let mut after_s = 0.3;
                    let mut asked = Vec::with_capacity(paths.len());
                    for path in paths {
                        let sent = self.draw.between(9_000, 200_000) as u32;
                        asked.push(Asked { after_s, path: *path, is_post: false, status: 200, sent });
                        after_s += self.draw.uniform(2.0, 9.0);
                    }
                    let technique = if product == Product::Jira { "T1213" } else { "T1213.001" };
                    self.visit(time_s, product, &asked, Stage("atlassian", technique));
                    time_s += after_s as i64 + self.draw.between(15, 120) as i64;
                }
            }
        }
    }

    /// The service account makes a user and puts it into four groups.
    fn make_account(&mut self) {
        let mut time_us = self.estate.times.account_s * 1_000_000 + self.draw.below(900_000) as i64;
        let (author, source) = (User::Service(Service::Smartsheet), self.estate.intruder.web);
        let created = [(AuditAct::UserCreated(User::Intruder), "T1136")];
        let added = (0..4).map(|group| (AuditAct::AddedToGroup(User::Intruder, group), "T1098"));
        for (act, technique) in created.into_iter().chain(added) {
            self.audit(time_us, Product::Jira, author, source, act, Some((Stage("account", technique), "")));
            time_us += self.draw.between(14_000_000, 40_000_000) as i64;
        }
    }

    /// Two short visits, to see whether all still works.
    fn come_back(&mut self) {
        for begin_s in self.estate.times.returns_s {
            for number in 0..3 {
                let asked = self.asked(WebPath::Dashboard, false, 200);
                self.visit(begin_s + 40 * number, Product::Jira, &[asked], Stage("return", "T1078.004"));
            }
        }
    }

    fn asked(&mut self, path: WebPath, is_post: bool, status: u16) -> Asked {
        let sent = if status == 403 { 520 } else { self.draw.between(9_000, 60_000) as u32 };
        Asked { after_s: 0.3, path, is_post, status, sent }
    }

    /// An add-on for scripts starts the implant on the Jira server.
    fn run_script(&mut self) {
        for (path, after_s) in [(WebPath::ScriptConsole, 0), (WebPath::ScriptRun, 30)] {
            let asked = self.asked(path, true, 200);
            self.visit(self.estate.times.script_s + after_s, Product::Jira, &[asked], Stage("persist", "T1059 T1505"));
        }
    }

    /// Both users are switched off; what the intruder tries then is refused.
    fn be_blocked(&mut self) {
        let times = self.estate.times;
        for (time_s, user) in times.blocked_s.into_iter().zip([User::Service(Service::Smartsheet), User::Intruder]) {
            let act = AuditAct::Deactivated(user);
            self.audit(time_s * 1_000_000 + 305_000, Product::Jira, User::Security, networks::OFFICE, act, None);
        }
        for number in 0..5 {
            let asked = self.asked(WebPath::Login, false, 403);
            self.visit(times.last_try_s - 200 * number, Product::Jira, &[asked], Stage("after_block", "T1078.004"));
        }
    }
}
