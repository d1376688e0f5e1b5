//! The benign life of a day: people at work, and programs at all hours.

mod machines;
mod person_day;

use rayon::prelude::*;

pub use machines::quarterly_report;

use super::acts::{Acts, Agent, AuditAct, AuditRecord, GitAct, GitRequest, Product, User, WebPath};
use super::estate::{Asked, Estate, Visit};
use crate::random::Stream;
use crate::traffic::connection::Connection;
use crate::world::endpoints::Endpoint;
use flow::codes::TCP;

/// People whose days are made together; a constant, so that the order of acts does not depend on threads.
const CHUNK_PEOPLE: usize = 64;

/// Returns what happens on a day that begins at `day_s`, apart from the story itself.
pub fn of_day(estate: &Estate, day_s: i64) -> Acts {
    let mut acts = machines::of_day(estate, day_s);
    let people: Vec<Acts> = estate
        .people
        .par_chunks(CHUNK_PEOPLE)
        .map(|people| {
            let mut acts = Acts::default();
            people.iter().for_each(|person| person_day::add(estate, person, day_s, &mut acts));
            acts
        })
        .collect();
    people.into_iter().for_each(|of| acts.append(of));
    acts
}

/// A transfer of a repository by git.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    user: User,
    source: u32,
    /// The interface that it comes from, if from inside.
    from: Option<u32>,
    act: GitAct,
    repository: u16,
    bytes_out: u64,
    is_ssh: bool,
    agent: Agent,
    /// When it ended, in milliseconds since 1970 UTC.
    time_ms: i64,
}

/// Adds a transfer to Bitbucket's logs, and its connections to the flow logs: directly from inside, and else over the
/// balancer.
fn transfer(estate: &Estate, acts: &mut Acts, of: &Transfer, draw: &mut Stream) {
    let length_ms = (of.bytes_out / 40_000) as i64 + 200;
    let mut node = None;
    if let Some(from) = of.from {
        let begin = estate.corpus_second((of.time_ms - length_ms).div_euclid(1_000));
        let port = if of.is_ssh { 7_999 } else { Product::Bitbucket.port() };
        let (client, server) = (Endpoint::interface(from), estate.server(Product::Bitbucket).interface);
        acts.connections.push(Connection {
            end: estate.corpus_second(of.time_ms.div_euclid(1_000)),
            bytes_out: 2_400,
            bytes_in: of.bytes_out + 3_000,
            ..Connection::between(client, Endpoint::interface(server), port, TCP, begin, draw.bits())
        });
    } else {
        let visit = Visit {
            client: of.source,
            product: Product::Bitbucket,
            agent: of.agent,
            begin_us: (of.time_ms - length_ms) * 1_000,
        };
        let asked = Asked {
            after_s: length_ms as f64 / 1_000.0,
            path: WebPath::Git(of.repository),
            is_post: true,
            status: 200,
            sent: of.bytes_out.min(u32::MAX.into()) as u32,
        };
        estate.visit(acts, &visit, &[asked], draw);
        node = acts.requests.last().map(|request| request.node);
    }
    acts.gits.push(GitRequest {
        time_ms: of.time_ms,
        user: of.user,
        source: of.source,
        node,
        is_ssh: of.is_ssh,
        agent: of.agent,
        act: of.act,
        repository: of.repository,
        bytes_out: of.bytes_out,
        draw: draw.bits(),
    });
    acts.audits.push(AuditRecord {
        time_us: of.time_ms * 1_000 - 20_000,
        product: Product::Bitbucket,
        author: of.user,
        source: of.source,
        act: AuditAct::RepositoryAccessed(of.repository),
    });
}
