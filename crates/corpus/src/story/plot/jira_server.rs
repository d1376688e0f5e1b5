//! What happens from the Jira server: the implant, the repositories, the upload.

use super::{Stage, Teller};
use crate::story::acts::{Agent, AuditAct, GitAct, GitRequest, Product, User};
use crate::story::estate::{REPOSITORIES, repository};
use crate::story::options::Variation;
use crate::story::records::bitbucket;
use crate::story::timeline::DAY_S;
use crate::traffic::connection::Connection;
use crate::world::endpoints::Endpoint;
use flow::Address;
use flow::codes::TCP;

/// Repositories that are looked at; of every thirty, nineteen are taken.
const SEEN: u64 = 120;
/// Repositories that a patient intruder takes a day, and for how many days.
const SLOW_A_DAY: i64 = 3;
const SLOW_DAYS: i64 = 14;
/// Least sleep of the implant and the most that is added, in milliseconds.
const SLEEP_MS: u64 = 60_000;
const JITTER_MS: u64 = 30_000;

impl Teller<'_> {
    fn jira(&self) -> u32 {
        self.estate.server(Product::Jira).interface
    }

    fn flow_label(&mut self, remote: u32, port: u16, time_s: i64, stage: Stage, note: &str) {
        let host = Address::from_v4_bits(self.estate.server(Product::Jira).private);
        let remote = Address::from_v4_bits(remote);
        let label = self.label("flows", format!("{host}>{remote}:{port}"), time_s, stage, note);
        (label.host, label.remote) = (Some(host), Some(remote));
    }

    /// The implant calls its controller until it is removed; it tries another server in between.
    pub(super) fn call_home(&mut self) {
        let times = self.estate.times;
        let controller = Endpoint::benchmark(self.estate.intruder.controller);
        let (mut time_ms, mut count) = (times.beacon_s * 1_000, 0);
        while time_ms < times.removed_s * 1_000 {
            let begin = self.estate.corpus_second(time_ms / 1_000);
            let mut call =
                Connection::outbound(&self.estate.world, self.jira(), controller, 443, TCP, begin, self.draw.bits());
            call.bytes_out = self.draw.between(600, 900);
            call.bytes_in = self.draw.between(400, 700);
            self.told.acts.connections.push(call);
            count += 1;
            time_ms += (SLEEP_MS + self.draw.below(JITTER_MS)) as i64;
        }
        let stage = Stage("c2", "T1071.001");
        self.flow_label(self.estate.intruder.controller, 443, times.beacon_s, stage, &format!("{count} connections"));

        let console = self.estate.console;
        for number in 0..12 {
            let begin = self.estate.corpus_second(times.lateral_s + 180 * number);
            let (from, to) = (Endpoint::interface(self.jira()), Endpoint::interface(console.interface));
            let tried = Connection { rejected: 1, ..Connection::between(from, to, 22, TCP, begin, self.draw.bits()) };
            self.told.acts.connections.push(tried);
        }
        self.flow_label(console.private, 22, times.lateral_s, Stage("lateral", "T1021.004"), "12 refused");
    }

    /// The new user takes repositories, from the Jira server.
    pub(super) fn take_repositories(&mut self) {
        let (times, variation) = (self.estate.times, self.estate.variation);
        let mut numbers: Vec<u16> = (0..REPOSITORIES).collect();
        for place in 0..SEEN as usize {
            let other = place + self.draw.below((numbers.len() - place) as u64) as usize;
            numbers.swap(place, other);
        }
        let user = if variation == Variation::TokenArchives { User::Token } else { User::Intruder };
        let source = self.estate.server(Product::Jira).private;
        if variation == Variation::TokenArchives {
            let act = AuditAct::TokenCreated(numbers[0]);
            let told = Some((Stage("token", "T1098.001"), "an access token of the new user"));
            self.audit((times.repositories_s - 240) * 1_000_000, Product::Bitbucket, User::Intruder, source, act, told);
        }
        // Done with four fifths of the time until the alert.
        let span_ms = (times.blocked_s[0] - times.repositories_s) * 800;
        for (place, number) in numbers.into_iter().take(SEEN as usize).enumerate() {
            let place = place as i64;
            let (offset_ms, is_taken) = if variation == Variation::Slow {
                if place >= SLOW_A_DAY * SLOW_DAYS {
                    break;
                }
                (place / SLOW_A_DAY * DAY_S * 1_000 + self.draw.below(18_000_000) as i64, true)
            } else {
                (span_ms * place / SEEN as i64 + self.draw.below(60_000) as i64, place % 30 < 19)
            };
            let time_ms = times.repositories_s * 1_000 + offset_ms;
            let stage = Stage("repositories", "T1213.003");
            let (project, name) = repository(number);
            let note = format!("{}/{name}", project.to_ascii_lowercase());
            let act = AuditAct::RepositoryAccessed(number);
            self.audit(time_ms * 1_000, Product::Bitbucket, user, source, act, Some((stage, &note)));
            if is_taken {
                let after_ms = self.draw.between(700, 5_000) as i64;
                self.archive(time_ms + after_ms, user, number, stage, &note);
            }
        }
    }

    fn archive(&mut self, time_ms: i64, user: User, number: u16, stage: Stage, note: &str) {
        let (jira, bitbucket) = (*self.estate.server(Product::Jira), *self.estate.server(Product::Bitbucket));
        let request = GitRequest {
            time_ms,
            user,
            source: jira.private,
            node: None,
            is_ssh: false,
            agent: Agent::IntruderCurl,
            act: GitAct::Archive,
            repository: number,
            bytes_out: self.draw.between(5_000_000, 50_000_000),
            draw: self.draw.bits(),
        };
        self.told.acts.gits.push(request);
        let begin = self.estate.corpus_second(time_ms / 1_000 - request.bytes_out as i64 / 40_000_000 - 1);
        let (from, to) = (Endpoint::interface(jira.interface), Endpoint::interface(bitbucket.interface));
        self.told.acts.connections.push(Connection {
            end: self.estate.corpus_second(time_ms / 1_000),
            bytes_out: 1_400,
            bytes_in: request.bytes_out,
            ..Connection::between(from, to, Product::Bitbucket.port(), TCP, begin, self.draw.bits())
        });
        let principal = self.estate.name(user).to_owned();
        let label = self.label("bitbucket_access", bitbucket::event_id(&request), time_ms / 1_000, stage, note);
        label.principal = principal;
        label.source = Some(Address::from_v4_bits(jira.private));
        (label.host, label.remote) = (label.source, Some(Address::from_v4_bits(bitbucket.private)));
    }

    /// Two gigabytes leave.
    pub(super) fn upload(&mut self) {
        let begin_s = self.estate.times.upload_s;
        let drop = Endpoint::benchmark(self.estate.intruder.drop);
        for number in 0..40 {
            let begin = self.estate.corpus_second(begin_s + 60 * number + self.draw.below(8) as i64);
            let mut sent =
                Connection::outbound(&self.estate.world, self.jira(), drop, 443, TCP, begin, self.draw.bits());
            sent.end = begin + self.draw.between(25, 48) as i32;
            sent.bytes_out = self.draw.between(40_000_000, 60_000_000);
            sent.bytes_in = self.draw.between(100_000, 300_000);
            self.told.acts.connections.push(sent);
        }
        let note = "assumed: the real case could not confirm it";
        self.flow_label(self.estate.intruder.drop, 443, begin_s, Stage("exfiltration", "T1041"), note);
    }
}
