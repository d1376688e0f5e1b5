//! The user's own networks.

use flow::{Address, Network};

/// The networks that are internal unless the user names others: RFC 1918, RFC 6598 and unique local IPv6 (RFC 4193).
pub const DEFAULT_INTERNAL: [&str; 5] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];

/// The set of internal networks; a look-up is one binary search over merged ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalNetworks {
    /// First and last address of each range, ascending, neither overlapping nor touching.
    ranges: Vec<(u128, u128)>,
}

impl InternalNetworks {
    /// Returns the set of some networks; overlapping and touching ones are merged.
    ///
    /// The set of an empty list holds nothing; use [`InternalNetworks::default`] for the private networks.
    pub fn new(networks: &[Network]) -> Self {
        let mut sorted: Vec<(u128, u128)> =
            networks.iter().map(|network| (network.first().bits(), network.last().bits())).collect();
        sorted.sort_unstable();
        let mut ranges: Vec<(u128, u128)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match ranges.last_mut() {
                Some(range) if first <= range.1.saturating_add(1) => range.1 = range.1.max(last),
                _ => ranges.push((first, last)),
            }
        }
        Self { ranges }
    }

    /// Returns whether `address` is internal.
    pub fn contains(&self, address: Address) -> bool {
        let bits = address.bits();
        let upto = self.ranges.partition_point(|(first, _)| *first <= bits);
        upto > 0 && bits <= self.ranges[upto - 1].1
    }

    /// Returns whether every address of `network` is internal.
    pub fn contains_all(&self, network: Network) -> bool {
        let upto = self.ranges.partition_point(|(first, _)| *first <= network.first().bits());
        upto > 0 && network.last().bits() <= self.ranges[upto - 1].1
    }
}

impl Default for InternalNetworks {
    /// Returns the set of [`DEFAULT_INTERNAL`].
    fn default() -> Self {
        let networks: Vec<Network> = DEFAULT_INTERNAL.iter().filter_map(|text| text.parse().ok()).collect();
        Self::new(&networks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_default_holds_the_private_networks() {
        let internal = InternalNetworks::default();
        assert_eq!(internal.ranges.len(), DEFAULT_INTERNAL.len());
        for text in ["10.0.0.0", "10.255.255.255", "172.31.255.255", "192.168.0.1", "100.64.0.1", "fd00::1"] {
            assert!(internal.contains(text.parse().unwrap()), "{text}");
        }
        for text in
            ["9.255.255.255", "11.0.0.0", "172.32.0.0", "192.169.0.0", "100.128.0.0", "fe80::1", "::", "8.8.8.8"]
        {
            assert!(!internal.contains(text.parse().unwrap()), "{text}");
        }
        assert!(internal.contains_all("10.20.0.0/16".parse().unwrap()));
        assert!(!internal.contains_all("172.0.0.0/8".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn agrees_with_asking_every_network(
            parts in prop::collection::vec((0u32..256, 20u8..=32), 0..20),
            probes in prop::collection::vec(0u32..70_000, 30),
        ) {
            let networks: Vec<Network> = parts
                .iter()
                .map(|(low, length)| format!("{}/{length}", Address::from_v4_bits(low << 8)).parse().unwrap())
                .collect();
            let internal = InternalNetworks::new(&networks);
            for probe in probes {
                let address = Address::from_v4_bits(probe);
                prop_assert_eq!(internal.contains(address), networks.iter().any(|network| network.contains(address)));
            }
        }
    }
}
