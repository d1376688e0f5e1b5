//! Endpoints of connections: numbers for addresses, and the addresses they stand for.

use crate::random::{mix, mix2, share_of};
use flow::Address;

/// A number that stands for one address: an interface's (IPv4 or IPv6), or an external one of some class.
///
/// Below 2²⁷ it is an interface; the next 2²⁷ are the interfaces' IPv6 addresses; bits 28–30 hold the class of an
/// external address, and bit 31 marks it as IPv6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Endpoint(pub u32);

/// No endpoint, as in NODATA records.
pub const NO_ENDPOINT: Endpoint = Endpoint(u32::MAX);

const V6_INTERFACE: u32 = 1 << 27;
const V6_EXTERNAL: u32 = 1 << 31;

/// Set in the number of an endpoint with an address of 198.18.0.0/15; resolvers are too few to have such numbers.
const BENCHMARK: u32 = 1 << 27;

/// 198.18.0.0, which no other class of external addresses reaches.
const FIRST_BENCHMARK: u32 = 198 << 24 | 18 << 16;

/// Classes of external addresses; no address is in two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum ExternalClass {
    /// Services that many hosts use; the number is the rank of popularity.
    Service = 1,
    /// Destinations of one host alone.
    Own = 2,
    /// Clients of web servers.
    Client = 3,
    /// Scanners.
    Scanner = 4,
    /// Controllers of implants, and destinations of exfiltration.
    Attack = 5,
    /// Software-as-a-service that one host polls.
    Saas = 6,
    /// Public resolvers; the number is the index in [`PUBLIC_RESOLVERS`], modulo their number.
    Resolver = 7,
}

/// Addresses of public resolvers, as their operators publish them: Google, Cloudflare, Quad9, OpenDNS, Level 3, Verisign,
/// AdGuard, CleanBrowsing, Yandex, DNS.Watch, Alibaba.
pub const PUBLIC_RESOLVERS: [[u8; 4]; 18] = [
    [8, 8, 8, 8],
    [8, 8, 4, 4],
    [1, 1, 1, 1],
    [1, 0, 0, 1],
    [9, 9, 9, 9],
    [149, 112, 112, 112],
    [208, 67, 222, 222],
    [208, 67, 220, 220],
    [4, 2, 2, 1],
    [4, 2, 2, 2],
    [64, 6, 64, 6],
    [94, 140, 14, 14],
    [94, 140, 15, 15],
    [185, 228, 168, 9],
    [77, 88, 8, 8],
    [84, 200, 69, 80],
    [223, 5, 5, 5],
    [223, 6, 6, 6],
];

/// Names of Amazon's services in `pkt_src_aws_service` and `pkt_dst_aws_service`; the first means none.
pub const AWS_SERVICES: [&str; 7] = ["-", "S3", "EC2", "AMAZON", "CLOUDFRONT", "DYNAMODB", "API_GATEWAY"];

/// Index of S3 in [`AWS_SERVICES`].
pub const AWS_S3: u8 = 1;
/// Index of EC2 in [`AWS_SERVICES`].
pub const AWS_EC2: u8 = 2;

impl Endpoint {
    /// Returns the endpoint of an interface's IPv4 address.
    pub const fn interface(index: u32) -> Self {
        Self(index)
    }

    /// Returns the endpoint of an interface's IPv6 address.
    pub const fn interface_v6(index: u32) -> Self {
        Self(V6_INTERFACE | index)
    }

    /// Returns the endpoint of the external address `number` (below 2²⁸) of a class.
    pub const fn external(class: ExternalClass, number: u32, v6: bool) -> Self {
        Self((class as u32) << 28 | (number & 0x0fff_ffff) | if v6 { V6_EXTERNAL } else { 0 })
    }

    /// Returns the endpoint of an address of 198.18.0.0/15, the range for benchmarks; of others, one within it.
    pub const fn benchmark(v4: u32) -> Self {
        Self((ExternalClass::Resolver as u32) << 28 | BENCHMARK | (v4.wrapping_sub(FIRST_BENCHMARK) & 0x1_ffff))
    }

    /// Returns whether the address is outside every monitored network.
    pub const fn is_external(self) -> bool {
        self.0 >= 1 << 28
    }

    /// Returns whether the address is IPv6.
    pub const fn is_v6(self) -> bool {
        if self.is_external() { self.0 & V6_EXTERNAL != 0 } else { self.0 & V6_INTERFACE != 0 }
    }

    /// Returns the index of the interface, or `None` for an external address.
    pub const fn interface_index(self) -> Option<u32> {
        if self.is_external() { None } else { Some(self.0 & (V6_INTERFACE - 1)) }
    }

    /// Returns the external address of the endpoint; meaningless for interfaces.
    pub fn external_address(self, seed: u64) -> Address {
        if self.is_v6() {
            let low = mix2(seed ^ 0x6666, u64::from(self.0));
            let prefixes: [u128; 6] = [0x2600_1f18, 0x2a00_1450, 0x2606_4700, 0x2a03_2880, 0x2001_41d0, 0x2400_cb00];
            let prefix = prefixes[(mix(low) % 6) as usize];
            // The endpoint itself is part of the address, so no two endpoints share one.
            let bits = prefix << 96 | u128::from(low & 0xffff) << 64 | u128::from(low >> 32) << 32 | u128::from(self.0);
            Address::from_bits(bits)
        } else if self.is_benchmark() {
            Address::from_v4_bits(FIRST_BENCHMARK + (self.0 & 0x1_ffff))
        } else if self.is_resolver() {
            let resolver = PUBLIC_RESOLVERS[(self.0 & 0x0fff_ffff) as usize % PUBLIC_RESOLVERS.len()];
            Address::from_v4_bits(u32::from_be_bytes(resolver))
        } else {
            Address::from_v4_bits(public_v4(permuted(self.0, seed)))
        }
    }

    const fn is_benchmark(self) -> bool {
        self.is_resolver() && self.0 & BENCHMARK != 0
    }

    const fn is_resolver(self) -> bool {
        self.0 >> 28 == ExternalClass::Resolver as u32
    }

    /// Returns the index in [`AWS_SERVICES`] of the service that the address belongs to.
    pub fn aws_service(self, seed: u64) -> u8 {
        if !self.is_external() || (self.0 >> 28) & 7 != ExternalClass::Service as u32 {
            return 0;
        }
        service_of_rank(self.0 & 0x0fff_ffff, seed)
    }
}

/// Ranks of the most popular services that have a fixed owner: S3, EC2 (Systems Manager and similar), time servers.
pub const RANK_S3: u32 = 0;
/// Rank of the first endpoint of Amazon EC2's own services.
pub const RANK_EC2: u32 = 4;
/// Rank of the first time server.
pub const RANK_NTP: u32 = 8;
/// Rank of the first mirror for updates.
pub const RANK_MIRROR: u32 = 16;
/// Rank of the first third-party collector of metrics.
pub const RANK_METRICS: u32 = 20;

fn service_of_rank(rank: u32, seed: u64) -> u8 {
    match rank {
        0..4 => AWS_S3,
        4..8 => AWS_EC2,
        8..24 => 0,
        _ => {
            let draw = mix2(seed ^ 0xa5, u64::from(rank));
            if share_of(draw) < 0.25 { 1 + (draw & 0xff) as u8 % 6 } else { 0 }
        }
    }
}

/// Public IPv4 space by first octet: every octet with a private, shared, documentation or reserved part is left out.
const PUBLIC_OCTETS: u32 = 215;

fn public_v4(number: u32) -> u32 {
    let mut octet = 1 + (number >> 24);
    for reserved in [10, 100, 127, 169, 172, 192, 198, 203] {
        octet += u32::from(octet >= reserved);
    }
    octet << 24 | (number & 0x00ff_ffff)
}

/// Permutes the numbers below `PUBLIC_OCTETS` · 2²⁴: four Feistel rounds on 32 bits, repeated until the result is in
/// range.
fn permuted(number: u32, seed: u64) -> u32 {
    let mut value = number;
    loop {
        let (mut left, mut right) = (value >> 16, value & 0xffff);
        for round in 0..4u64 {
            let mixed = mix2(seed ^ (0xf0 + round), u64::from(right)) as u32 & 0xffff;
            (left, right) = (right, left ^ mixed);
        }
        value = left << 16 | right;
        if value < PUBLIC_OCTETS << 24 {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    #[test]
    fn external_addresses_are_public_and_never_shared() {
        let mut seen = HashSet::new();
        for class in [
            ExternalClass::Service,
            ExternalClass::Own,
            ExternalClass::Client,
            ExternalClass::Scanner,
            ExternalClass::Attack,
        ] {
            for number in 0..20_000 {
                for v6 in [false, true] {
                    let party = Endpoint::external(class, number, v6);
                    assert!(party.is_external() && party.is_v6() == v6);
                    let address = party.external_address(3);
                    assert!(seen.insert(address), "{address} twice");
                    if let IpAddr::V4(v4) = IpAddr::from(address) {
                        let first = v4.octets()[0];
                        assert!((1..224).contains(&first), "{v4}");
                        assert!(!v4.is_private() && !v4.is_loopback() && !v4.is_link_local(), "{v4}");
                        assert!(!v4.is_documentation() && first != 100 && v4 != Ipv4Addr::UNSPECIFIED, "{v4}");
                    }
                }
            }
        }
    }

    #[test]
    fn addresses_for_benchmarks_stay_what_they_are() {
        for address in ["198.18.0.10", "198.19.255.255", "198.19.200.23"] {
            let v4 = address.parse::<Ipv4Addr>().unwrap();
            let party = Endpoint::benchmark(v4.to_bits());
            assert!(party.is_external() && !party.is_v6());
            assert_eq!(party.external_address(3).to_string(), address);
            assert_ne!(party, NO_ENDPOINT);
        }
    }

    #[test]
    fn every_octet_of_the_public_space_is_legal_and_distinct() {
        let octets: HashSet<u32> = (0..PUBLIC_OCTETS).map(|octet| public_v4(octet << 24) >> 24).collect();
        assert_eq!(octets.len(), PUBLIC_OCTETS as usize);
        for reserved in [0, 10, 100, 127, 169, 172, 192, 198, 203, 224] {
            assert!(!octets.contains(&reserved), "{reserved}");
        }
    }
}
