//! The monitored world: sites (an account in a region), subnets, interfaces, hosts with roles, and the destinations
//! each host prefers.

pub mod endpoints;
pub mod hubs;
mod role;

pub use role::{HOST_ROLES, Role};

use crate::options::GenerateOptions;
use crate::random::{Purpose, Stream, mix2, share_of, zipf_rank};
use crate::world::endpoints::{Endpoint, ExternalClass};
use crate::world::hubs::HubShares;
use flow::Address;

/// One network interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Owner.
    pub role: Role,
    /// Index in [`World::sites`].
    pub site: u16,
    /// Index in [`World::subnets`].
    pub subnet: u32,
    /// IPv4 address as a number.
    pub v4: u32,
    /// Seconds by which its aggregation windows are shifted against the clock.
    pub phase_s: u16,
    /// NAT gateway that its Internet traffic takes, if any.
    pub nat: Option<u32>,
    /// How busy the host is; 1 is typical.
    pub weight: f32,
}

/// One subnet.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// Zone within the region: 1, 2 or 3.
    pub zone: u8,
}

/// One account in one region.
#[derive(Clone, Debug)]
pub struct Site {
    /// Account number.
    pub account: String,
    /// Region.
    pub region: String,
    /// First host and one past the last.
    pub hosts: (u32, u32),
    /// Hosts by role, in the order of [`HOST_ROLES`].
    pub by_role: [Vec<u32>; 6],
    /// Sum of weights by role.
    pub weight_by_role: [f64; 6],
    /// NAT gateway, load balancer, collector and backup server.
    pub nat: u32,
    pub balancer: u32,
    pub collector: u32,
    pub backup: u32,
    /// First interface without traffic and one past the last.
    pub idle: (u32, u32),
    /// Interfaces of the hubs that exist, in the order of [`Hub`](hubs::Hub).
    pub hubs: [Option<u32>; 5],
}

/// Everything that stays the same from hour to hour.
#[derive(Debug)]
pub struct World {
    /// Seed of the corpus.
    pub seed: u64,
    /// Hosts first, then gateways and other shared interfaces.
    pub interfaces: Vec<Interface>,
    /// All subnets.
    pub subnets: Vec<Subnet>,
    /// All sites.
    pub sites: Vec<Site>,
    /// Number of hosts.
    pub hosts: u32,
    /// Number of shared external services.
    pub services: u32,
    /// Share of external destinations reached over IPv6.
    pub ipv6_share: f64,
    /// NATs are instances.
    pub nat_instances: bool,
    /// Shares of hosts that have to do with the hubs.
    pub hubs: HubShares,
}

/// Hosts for each /22 subnet.
const SUBNET_HOSTS: u32 = 1_000;

impl World {
    /// Builds the world of a corpus.
    pub fn new(options: &GenerateOptions) -> Self {
        let seed = options.seed;
        let count = options.places() as u32;
        let mut world = Self {
            seed,
            interfaces: Vec::with_capacity(options.hosts as usize + count as usize * 8),
            subnets: Vec::new(),
            sites: Vec::new(),
            hosts: options.hosts,
            services: (options.hosts * 4).clamp(2_000, 4_000_000),
            ipv6_share: options.ipv6_share,
            nat_instances: options.nat_instances,
            hubs: options.hub_shares(),
        };
        let mut next_block = 0u32;
        let sites = options.accounts.iter().flat_map(|a| options.regions.iter().map(move |r| (a, r)));
        for (number, (account, region)) in sites.enumerate() {
            let bound = |i: u64| (u64::from(options.hosts) * i / u64::from(count)) as u32;
            let hosts = (bound(number as u64), bound(number as u64 + 1));
            world.sites.push(Site {
                account: account.clone(),
                region: region.clone(),
                hosts,
                by_role: Default::default(),
                weight_by_role: [0.0; 6],
                nat: 0,
                balancer: 0,
                collector: 0,
                backup: 0,
                idle: (0, 0),
                hubs: [None; 5],
            });
            world.add_hosts(number as u16, options, &mut next_block);
        }
        for number in 0..count as u16 {
            world.add_gateways(number, options, &mut next_block);
        }
        // Last, so that all others are the same without hubs.
        if !world.hubs.is_none() {
            (0..count as u16).for_each(|number| world.add_hubs(number, options, &mut next_block));
        }
        world
    }

    /// Assigns the hosts of a site to roles and zones, and each role and zone to /22 subnets below 10.0.0.0/8.
    fn add_hosts(&mut self, number: u16, options: &GenerateOptions, next_block: &mut u32) {
        let (first, last) = self.sites[usize::from(number)].hosts;
        // Subnet and next free address of each (role, zone).
        let mut open = [[None::<(u32, u32, u32)>; 3]; 6];
        for host in first..last {
            let mut draw = Stream::new(self.seed, Purpose::Host, host.into(), 0);
            let at_least_one = [0, 1, 2, 3, 4, 5, 1, 3];
            let role_index = match at_least_one.get((host - first) as usize) {
                Some(role) => *role,
                None => {
                    let mut share = draw.share();
                    HOST_ROLES
                        .iter()
                        .position(|(_, part)| {
                            share -= part;
                            share < 0.0
                        })
                        .unwrap_or(1)
                }
            };
            let (role, _) = HOST_ROLES[role_index];
            let zone = draw.below(3) as usize;
            let slot = &mut open[role_index][zone];
            let (subnet, block, used) = match *slot {
                Some(slot) if slot.2 < SUBNET_HOSTS => slot,
                _ => {
                    self.subnets.push(Subnet { zone: zone as u8 + 1 });
                    *next_block += 1;
                    (self.subnets.len() as u32 - 1, *next_block - 1, 0)
                }
            };
            *slot = Some((subnet, block, used + 1));
            let private = !matches!(role, Role::Web | Role::Bastion);
            let behind_nat = draw.share() < options.nat_share && private;
            let weight = (draw.log_normal(1.0, 0.7)).min(20.0) as f32;
            let site = &mut self.sites[usize::from(number)];
            site.by_role[role_index].push(host);
            site.weight_by_role[role_index] += f64::from(weight);
            self.interfaces.push(Interface {
                role,
                site: number,
                subnet,
                v4: address_in(block, used),
                phase_s: draw.below(options.window_s.into()) as u16,
                // A placeholder: the gateways follow all hosts, and their index is filled in then.
                nat: behind_nat.then_some(u32::from(number)),
                weight,
            });
        }
    }

    fn add_gateways(&mut self, number: u16, options: &GenerateOptions, next_block: &mut u32) {
        let (first, last) = self.sites[usize::from(number)].hosts;
        let idle = ((last - first) / 50).max(2);
        let roles = [Role::Nat, Role::Balancer, Role::Collector, Role::Backup];
        let base = self.interfaces.len() as u32;
        let mut subnet = 0;
        for n in 0..4 + idle {
            if n % SUBNET_HOSTS == 0 {
                self.subnets.push(Subnet { zone: 1 });
                subnet = self.subnets.len() as u32 - 1;
                *next_block += 1;
            }
            let phase = mix2(self.seed ^ 0x77, u64::from(base + n)) % u64::from(options.window_s);
            self.interfaces.push(Interface {
                role: *roles.get(n as usize).unwrap_or(&Role::Idle),
                site: number,
                subnet,
                v4: address_in(*next_block - 1, n % SUBNET_HOSTS),
                phase_s: phase as u16,
                nat: None,
                weight: 0.0,
            });
        }
        let site = &mut self.sites[usize::from(number)];
        (site.nat, site.balancer, site.collector, site.backup) = (base, base + 1, base + 2, base + 3);
        site.idle = (base + 4, base + 4 + idle);
        for interface in &mut self.interfaces[first as usize..last as usize] {
            interface.nat = interface.nat.map(|_| base);
        }
    }

    /// Returns an interface.
    pub fn interface(&self, index: u32) -> &Interface {
        &self.interfaces[index as usize]
    }

    /// Returns the site that an interface is in.
    pub fn site_of(&self, index: u32) -> &Site {
        &self.sites[usize::from(self.interface(index).site)]
    }

    /// Returns the address that a party stands for.
    pub fn address(&self, party: Endpoint) -> Address {
        match party.interface_index() {
            None => party.external_address(self.seed),
            Some(index) => {
                let interface = self.interface(index);
                if party.is_v6() {
                    let subnet = u128::from(interface.subnet) << 64;
                    Address::from_bits(0x2600_1f16_u128 << 96 | subnet | u128::from(interface.v4) | 1 << 40)
                } else {
                    Address::from_v4_bits(interface.v4)
                }
            }
        }
    }

    /// Returns the shared external service of a popularity rank.
    pub fn service(&self, rank: u32) -> Endpoint {
        let v6 = rank >= 24 && share_of(mix2(self.seed ^ 0x66, u64::from(rank))) < self.ipv6_share;
        Endpoint::external(ExternalClass::Service, rank, v6)
    }

    /// Returns port and protocol of a shared external service.
    pub fn service_port(&self, rank: u32) -> (u16, u8) {
        match mix2(self.seed ^ 0x99, u64::from(rank)) % 100 {
            0..78 => (443, 6),
            78..86 => (80, 6),
            86..89 => (53, 17),
            89..91 => (22, 6),
            91..93 => (8443, 6),
            93..95 => (443, 17),
            95..97 => (5671, 6),
            97..98 => (25, 6),
            98 => (993, 6),
            _ => (853, 6),
        }
    }

    /// Returns the `slot`-th favourite destination of a host, with port and protocol; far slots are the host's own.
    pub fn favourite(&self, host: u32, slot: u32) -> (Endpoint, u16, u8) {
        let draw = mix2(self.seed ^ 0x33, u64::from(host) << 8 | u64::from(slot));
        if slot >= 20 {
            let v6 = share_of(mix2(draw, 1)) < self.ipv6_share;
            return (Endpoint::external(ExternalClass::Own, host << 4 | (slot - 20) & 15, v6), 443, 6);
        }
        let rank = 24 + zipf_rank(share_of(draw), u64::from(self.services - 24)) as u32;
        let (port, protocol) = self.service_port(rank);
        (self.service(rank), port, protocol)
    }

    /// Returns the `slot`-th peer of a host within its site, with the port it serves.
    pub fn peer(&self, host: u32, slot: u32) -> (u32, u16) {
        let draw = mix2(self.seed ^ 0x55, u64::from(host) << 8 | u64::from(slot));
        let site = self.site_of(host);
        let wanted: &[usize] = match self.interface(host).role {
            Role::Web => &[1, 1, 1, 2],
            Role::App => &[2, 2, 1, 3],
            Role::Worker => &[2, 1, 3],
            Role::Build => &[5, 1, 3],
            Role::Bastion => &[0, 1, 2, 3, 5],
            _ => &[2, 3],
        };
        let role = wanted[(draw % wanted.len() as u64) as usize];
        let hosts = &site.by_role[role];
        let peer = hosts[((draw >> 8) % hosts.len() as u64) as usize];
        let serves = mix2(self.seed ^ 0x56, u64::from(peer));
        let port = match HOST_ROLES[role].0 {
            _ if self.interface(host).role == Role::Bastion => 22,
            Role::Web => 443,
            Role::App => [8080, 8443, 50_051][(serves % 3) as usize],
            Role::Database => [5432, 3306, 6379, 9200][(serves % 4) as usize],
            Role::Worker => [9092, 5672, 8080][(serves % 3) as usize],
            _ => 8081,
        };
        (peer, port)
    }
}

/// Returns the `used`-th address of the `block`-th /22 below 10.0.0.0/8; the first four are AWS's own.
fn address_in(block: u32, used: u32) -> u32 {
    10 << 24 | (block & 0x3fff) << 10 | (used + 4)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_interface_has_its_own_addresses_and_every_place_every_role() {
        let options = GenerateOptions {
            hosts: 5_000,
            accounts: vec!["111122223333".into(), "444455556666".into()],
            regions: vec!["us-east-1".into(), "eu-west-1".into()],
            ..Default::default()
        };
        let world = World::new(&options);
        let mut seen = HashSet::new();
        for index in 0..world.interfaces.len() as u32 {
            assert!(seen.insert(world.address(Endpoint::interface(index))));
            assert!(seen.insert(world.address(Endpoint::interface_v6(index))));
            let interface = world.interface(index);
            if let Some(nat) = interface.nat {
                assert_eq!(world.interface(nat).role, Role::Nat);
                assert_eq!(world.interface(nat).site, interface.site);
            }
        }
        for site in &world.sites {
            assert!(site.by_role.iter().all(|hosts| !hosts.is_empty()));
            assert_eq!(world.interface(site.balancer).role, Role::Balancer);
        }
    }

    #[test]
    fn popular_services_are_shared_and_rare_ones_are_not() {
        let world = World::new(&GenerateOptions { hosts: 2_000, ..Default::default() });
        let mut hosts_of = std::collections::HashMap::<Endpoint, HashSet<u32>>::new();
        for host in 0..world.hosts {
            for slot in 0..24 {
                hosts_of.entry(world.favourite(host, slot).0).or_default().insert(host);
            }
        }
        let most = hosts_of.values().map(HashSet::len).max().unwrap();
        assert!(most > 500, "{most}");
        assert!(hosts_of.values().filter(|hosts| hosts.len() == 1).count() > 4_000);
    }
}
