//! The networks that callers come from. All addresses lie in 198.18.0.0/15, which is for benchmarks and nobody's own.

use std::fmt::Write as _;

use crate::random::mix2;

/// A network with one owner in one place.
#[derive(Debug)]
pub struct Network {
    /// First address, and bits of the prefix.
    pub first: u32,
    pub bits: u8,
    /// Who runs it, as `networks.csv` says.
    pub owner: &'static str,
    /// Number of its autonomous system.
    pub asn: u32,
    /// Where its callers are.
    pub city: &'static str,
    pub state: &'static str,
    pub country: &'static str,
    pub postal_code: &'static str,
    pub lat: f32,
    pub lon: f32,
}

/// Returns the address 198.18.0.0 + `high`.`low`, where `high` may reach into 198.19.
const fn at(high: u32, low: u32) -> u32 {
    (198 << 24 | 18 << 16) + (high << 8) + low
}

macro_rules! network {
    ($high:expr, $bits:expr, $owner:expr, $asn:expr, $city:expr, $state:expr, $country:expr, $postal:expr, $lat:expr, $lon:expr) => {
        Network {
            first: at($high, 0),
            bits: $bits,
            owner: $owner,
            asn: $asn,
            city: $city,
            state: $state,
            country: $country,
            postal_code: $postal,
            lat: $lat,
            lon: $lon,
        }
    };
}

const US: &str = "United States";

/// Every network, by its first address. None overlaps another.
pub const NETWORKS: [Network; 12] = [
    network!(0, 22, "Harbour Fibre", 64_496, "Austin", "Texas", US, "78701", 30.27, -97.74),
    network!(5, 24, "Example AWS addresses", 64_497, "Ashburn", "Virginia", US, "20147", 39.04, -77.48),
    network!(6, 24, "Gateway Edge", 64_498, "Dallas", "Texas", US, "75201", 32.78, -96.80),
    network!(16, 20, "Northline Broadband", 64_499, "Austin", "Texas", US, "78704", 30.24, -97.77),
    network!(32, 20, "Valley Cable", 64_500, "Denver", "Colorado", US, "80202", 39.75, -104.99),
    network!(48, 20, "Metro Fibre", 64_501, "Lisbon", "Lisbon", "Portugal", "1100-148", 38.71, -9.14),
    network!(64, 20, "Skyway Mobile", 64_502, "Houston", "Texas", US, "77002", 29.76, -95.37),
    network!(80, 20, "Inns and Trains WiFi", 64_503, "Chicago", "Illinois", US, "60601", 41.88, -87.63),
    network!(120, 21, "Software suppliers", 64_504, "Seattle", "Washington", US, "98101", 47.61, -122.33),
    network!(256, 20, "Continental Telecom", 64_505, "London", "England", "United Kingdom", "EC1A", 51.51, -0.13),
    network!(272, 20, "Alpine Net", 64_506, "Zurich", "Zurich", "Switzerland", "8001", 47.37, 8.54),
    network!(456, 21, "Quay Hosting", 64_511, "Amsterdam", "North Holland", "Netherlands", "1012", 52.37, 4.90),
];

/// Networks of people's homes, of travellers, and their indices in [`NETWORKS`].
const HOMES: [usize; 3] = [3, 4, 5];
const TRAVELS: [usize; 4] = [6, 7, 9, 10];

/// The address that everybody in the office shares.
pub const OFFICE: u32 = at(0, 10);
/// The address behind which hosts without one of their own call out.
pub const NAT: u32 = at(5, 7);
/// The access gateway's address, where one stands before the balancer.
pub const GATEWAY: u32 = at(6, 5);
/// The supplier whose programs poll Jira.
pub const SUPPLIER: u32 = at(121, 40);

/// Returns the own public address of a server, by its number.
pub const fn server(number: u32) -> u32 {
    at(5, 20 + number)
}

/// Returns the home address of a person; two in three live near the office.
pub fn home(seed: u64, person: u32) -> u32 {
    let draw = mix2(seed ^ 0x686f, person.into());
    let network = &NETWORKS[HOMES[(draw % 3) as usize]];
    // No two people share a home: the number is part of the address.
    network.first + 16 + person % 4_000
}

/// Returns where somebody on the way calls from.
pub fn travel(draw: u64) -> u32 {
    let network = &NETWORKS[TRAVELS[(draw % 4) as usize]];
    network.first + 2 + ((draw >> 8) % 4_090) as u32
}

/// Addresses of the intruder: one for each kind of log, the controller and the drop.
#[derive(Clone, Copy, Debug)]
pub struct IntruderAddresses {
    pub okta: u32,
    pub aws: u32,
    pub web: u32,
    pub controller: u32,
    pub drop: u32,
}

impl IntruderAddresses {
    /// Returns the addresses: at a hosting company, or in the office's own provider.
    pub const fn of(is_office_provider: bool) -> Self {
        let first = if is_office_provider { at(2, 0) } else { at(456, 0) };
        let servers = at(457, 0);
        Self { okta: first + 21, aws: first + 22, web: first + 23, controller: servers + 7, drop: servers + 9 }
    }
}

/// Returns the network of an address; the first where there is none.
pub fn network_of(address: u32) -> &'static Network {
    let holds = |network: &&Network| (address ^ network.first) >> (32 - u32::from(network.bits)) == 0;
    NETWORKS.iter().find(holds).unwrap_or(&NETWORKS[0])
}

/// Returns the text of `networks.csv`.
pub fn networks_csv() -> String {
    let mut text = "cidr,owner\n".to_owned();
    for network in &NETWORKS {
        let first = std::net::Ipv4Addr::from(network.first);
        let _ = writeln!(text, "{first}/{},{}", network.bits, network.owner);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_apart_and_hold_their_callers() {
        for (index, network) in NETWORKS.iter().enumerate() {
            let size = 1u32 << (32 - u32::from(network.bits));
            assert_eq!(network.first % size, 0, "{}", network.owner);
            assert!((at(0, 0)..at(512, 0)).contains(&network.first));
            if let Some(next) = NETWORKS.get(index + 1) {
                assert!(network.first + size <= next.first, "{}", network.owner);
            }
        }
        let owner = |address| network_of(address).owner;
        assert_eq!((owner(OFFICE), owner(server(3))), ("Harbour Fibre", "Example AWS addresses"));
        assert!((0..50).all(|draw| TRAVELS.iter().any(|at| NETWORKS[*at].owner == owner(travel(draw << 7 | draw)))));
        assert_eq!(owner(IntruderAddresses::of(false).web), "Quay Hosting");
        assert_eq!(owner(IntruderAddresses::of(true).web), owner(OFFICE));
        let homes: std::collections::HashSet<u32> = (0..4_000).map(|person| home(7, person)).collect();
        assert_eq!(homes.len(), 4_000);
    }
}
