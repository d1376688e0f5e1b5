//! The company of the story: its people, its servers and the balancer before them.

use std::fmt;
use std::net::Ipv4Addr;

use super::acts::{Acts, Agent, Product, User, WebPath, WebRequest};
use super::ids::Base32;
use super::networks::{self, IntruderAddresses};
use super::options::{StoryOptions, Variation};
use super::people::{Person, people_of};
use super::timeline::Timeline;
use crate::objects::columns::resource_id;
use crate::options::{FolderPeriod, GenerateOptions};
use crate::random::{Stream, mix2};
use crate::traffic::connection::Connection;
use crate::world::endpoints::Endpoint;
use crate::world::{Interface, Role, Subnet, World};
use flow::codes::TCP;

/// The account and the region of everything.
pub const ACCOUNT: &str = "112233445566";
pub const REGION: &str = "us-east-1";
/// The company's domain.
pub const DOMAIN: &str = "example.com";
/// Repositories of Bitbucket, and the projects that they are in.
pub const REPOSITORIES: u16 = 240;
const PROJECTS: [&str; 6] = ["CORE", "EDGE", "INFRA", "APPS", "DOCS", "DATA"];
/// The user that the intruder makes.
pub const NEW_USER: &str = "jmiller2";

/// Rows of everyday traffic that a host makes in a day of an unhurried company.
const ROWS_A_HOST_DAY: f64 = 80.0;

/// A server with a public address of its own.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// Its interface.
    pub interface: u32,
    /// Its private and its public address.
    pub private: u32,
    pub public: u32,
}

/// A node of the balancer.
#[derive(Clone, Copy, Debug)]
pub struct BalancerNode {
    pub interface: u32,
    pub private: u32,
}

/// The company, and what does not change from day to day.
#[derive(Debug)]
pub struct Estate {
    pub seed: u64,
    pub variation: Variation,
    pub times: Timeline,
    pub people: Vec<Person>,
    /// Jira, Confluence and Bitbucket, in the order of [`Product`].
    pub products: [Server; 3],
    pub builder: Server,
    pub backup: Server,
    /// The server that the intruder tries in vain.
    pub console: Server,
    pub nodes: [BalancerNode; 2],
    pub intruder: IntruderAddresses,
    /// Pipelines that run at a time.
    pub pipelines: u32,
    /// How much more programs and pages ask than in an unhurried company.
    pub busyness: f64,
    pub world: World,
    /// The options of the flow logs.
    pub flows: GenerateOptions,
}

impl Estate {
    /// Builds the company of a story.
    pub fn new(options: &StoryOptions, busyness: f64) -> Self {
        let times = Timeline::of(options.variation);
        let hosts = 16 + options.people / 8;
        let host_days = f64::from(hosts) * f64::from(times.days());
        let flows = GenerateOptions {
            out: options.out.clone(),
            // What people and programs ask of the products comes on top of this.
            rows: (host_days * ROWS_A_HOST_DAY * (1.0 + (busyness - 1.0) / 8.0)) as u64,
            hosts,
            hours: times.days() * 24,
            start_s: times.begin_s,
            seed: options.seed,
            attacks: Some(Vec::new()),
            attack_hosts: 0,
            benign_callers: 0.1,
            accounts: vec![ACCOUNT.to_owned()],
            regions: vec![REGION.to_owned()],
            partition: FolderPeriod::Daily,
            // What is committed is small; what is large is written fast.
            codec_level: (busyness <= 1.0).then_some(9),
            files_per_hour: 1,
            ..GenerateOptions::default()
        };
        let mut world = World::new(&flows);
        let site = &world.sites[0];
        // Roles of the first eight hosts are given, so that each of these exists.
        let [_, apps, _, workers, bastions, builders] = &site.by_role;
        let chosen = [apps[0], apps[1], workers[0], builders[0], site.backup, bastions[0]];
        let servers = [0, 1, 2, 3, 4, 5].map(|number| {
            let interface = chosen[number as usize];
            let of = &mut world.interfaces[interface as usize];
            // What has a public address does not call out through the gateway.
            of.nat = None;
            Server { interface, private: of.v4, public: networks::server(number) }
        });
        let nodes = [0, 1].map(|number| add_node(&mut world, number));
        let [jira, confluence, bitbucket, builder, backup, console] = servers;
        Self {
            seed: options.seed,
            variation: options.variation,
            times,
            people: people_of(options.seed, options.people, times.begin_s, times.end_s),
            products: [jira, confluence, bitbucket],
            builder,
            backup,
            console,
            nodes,
            intruder: IntruderAddresses::of(options.variation == Variation::OfficeProvider),
            pipelines: (options.people / 24).max(1),
            busyness,
            world,
            flows,
        }
    }

    /// Returns the server of a product.
    pub const fn server(&self, product: Product) -> &Server {
        &self.products[product as usize]
    }

    /// Returns the id of the instance of an interface.
    pub fn instance_id(&self, interface: u32) -> String {
        resource_id("i-", self.seed, interface.into())
    }

    /// Returns the name of a user, as Jira and Bitbucket know it.
    pub fn name(&self, user: User) -> &str {
        match user {
            User::Person(number) => &self.people[number as usize].name,
            User::Service(service) => service.name(),
            User::Admin => "it.admin",
            User::Security => "secops.admin",
            User::Intruder => NEW_USER,
            User::Token => "access-token-user/877/3",
            User::System => "system",
        }
    }

    /// Returns the long-term key of a number.
    pub fn key(&self, number: u64) -> AccessKeyId {
        AccessKeyId { prefix: "AKIA", number: mix2(self.seed ^ 0x6b65, number) }
    }

    /// Returns the address that the balancer sees of a client.
    pub const fn seen_as(&self, client: u32) -> u32 {
        if matches!(self.variation, Variation::Gateway) { networks::GATEWAY } else { client }
    }

    /// Returns the second of the corpus at which something happens.
    pub const fn corpus_second(&self, time_s: i64) -> i32 {
        (time_s - self.times.begin_s) as i32
    }

    /// Adds the requests of a client over one connection to the balancer, and the connections that carry them: from the
    /// client to a node, and from the node to the server. `requests` holds the seconds after `begin_us` at which each was
    /// answered, its path, whether it is a POST, its status and the bytes sent.
    pub fn visit(&self, acts: &mut Acts, visit: &Visit, requests: &[Asked], draw: &mut Stream) {
        let node = draw.below(2) as u8;
        let client = self.seen_as(visit.client);
        let client_port = draw.between(20_000, 64_000) as u16;
        let server = self.server(visit.product);
        let (mut sent, mut last_us, mut was_forwarded) = (0u64, visit.begin_us, false);
        for asked in requests {
            let time_us = visit.begin_us + (asked.after_s * 1e6) as i64;
            acts.requests.push(WebRequest {
                time_us,
                node,
                client,
                client_port,
                product: visit.product,
                path: asked.path,
                is_post: asked.is_post,
                status: asked.status,
                agent: visit.agent,
                sent: asked.sent,
                draw: draw.bits(),
            });
            sent += u64::from(asked.sent);
            last_us = last_us.max(time_us);
            was_forwarded |= asked.status != 403;
        }
        let begin = self.corpus_second(visit.begin_us.div_euclid(1_000_000));
        let end = self.corpus_second(last_us.div_euclid(1_000_000)) + draw.between(0, 5) as i32;
        let received = 700 * requests.len() as u64 + 1_800;
        let node_end = Endpoint::interface(self.nodes[usize::from(node)].interface);
        let from_client = Connection {
            client_port,
            end,
            bytes_out: received,
            bytes_in: sent + 4_200,
            ..Connection::between(Endpoint::benchmark(client), node_end, 443, TCP, begin, draw.bits())
        };
        acts.connections.push(from_client);
        if was_forwarded {
            let server_end = Endpoint::interface(server.interface);
            acts.connections.push(Connection {
                end,
                bytes_out: received,
                bytes_in: sent,
                ..Connection::between(node_end, server_end, visit.product.port(), TCP, begin, draw.bits())
            });
        }
    }
}

/// Who visits a product, with what, and when the connection begins (microseconds since 1970 UTC).
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    pub client: u32,
    pub product: Product,
    pub agent: Agent,
    pub begin_us: i64,
}

/// A request of a visit.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Seconds from the beginning of the connection to the response.
    pub after_s: f64,
    pub path: WebPath,
    pub is_post: bool,
    pub status: u16,
    pub sent: u32,
}

/// Adds a node of the balancer, in a subnet and a zone of its own.
fn add_node(world: &mut World, number: u32) -> BalancerNode {
    world.subnets.push(Subnet { zone: number as u8 + 1 });
    let private = 10 << 24 | (250 + number) << 8 | 10;
    let interface = world.interfaces.len() as u32;
    world.interfaces.push(Interface {
        role: Role::Balancer,
        site: 0,
        subnet: world.subnets.len() as u32 - 1,
        v4: private,
        phase_s: 7 + 20 * number as u16,
        nat: None,
        weight: 0.0,
    });
    BalancerNode { interface, private }
}

/// An access key's id: four letters for its kind, sixteen of base 32.
#[derive(Clone, Copy, Debug)]
pub struct AccessKeyId {
    prefix: &'static str,
    number: u64,
}

impl AccessKeyId {
    /// Returns the key of a session.
    pub const fn of_session(number: u64) -> Self {
        Self { prefix: "ASIA", number }
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, Base32::<16>(self.number))
    }
}

/// Returns the project and the name of a repository.
pub fn repository(number: u16) -> (&'static str, impl fmt::Display) {
    let project = PROJECTS[usize::from(number) % PROJECTS.len()];
    (project, RepositoryName(project, usize::from(number) / PROJECTS.len() + 1))
}

struct RepositoryName(&'static str, usize);

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| write!(f, "{}", char::from(byte.to_ascii_lowercase())))?;
        write!(f, "-{:03}", self.1)
    }
}

/// Returns an address as text.
pub fn dotted(address: u32) -> Ipv4Addr {
    Ipv4Addr::from(address)
}
