//! Longest-prefix match: blocks of addresses and their values, the narrowest block first.
//!
//! Blocks in CIDR notation nest or are disjoint; they never overlap in part. So one sweep over the blocks, sorted by first
//! address, cuts the whole address space into segments that each have one innermost block, and each block points to the
//! next wider one. A look-up is one binary search, then a walk outwards as far as the caller wants.

use flow::{Address, Network};

/// An aligned block of addresses: their number is a power of two, and the first is a multiple of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AddressBlock {
    first: u128,
    last: u128,
}

impl AddressBlock {
    /// Returns whether the block holds `address`.
    pub const fn contains(self, address: Address) -> bool {
        self.first <= address.bits() && address.bits() <= self.last
    }

    /// Returns how many leading bits of the 128 all addresses of the block share: 0–128; IPv4 /8 is 104.
    pub const fn prefix_bits(self) -> u8 {
        (self.first ^ self.last).leading_zeros() as u8
    }

    /// Cuts the addresses from `first` to `last`, both included, into the fewest aligned blocks; none when
    /// `first` is above `last`.
    pub fn cover(first: Address, last: Address) -> Vec<AddressBlock> {
        let (mut from, to) = (first.bits(), last.bits());
        let mut blocks = Vec::new();
        while from <= to {
            // The widest block is bounded by the alignment of its start and by what is left.
            let mut mask = if from == 0 { u128::MAX } else { (1 << from.trailing_zeros()) - 1 };
            while mask > to - from {
                mask >>= 1;
            }
            let end = from | mask;
            blocks.push(AddressBlock { first: from, last: end });
            match end.checked_add(1) {
                Some(next) => from = next,
                None => break,
            }
        }
        blocks
    }
}

/// Writes the block in CIDR notation; IPv4 blocks in IPv4's.
impl std::fmt::Display for AddressBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, last) = (Address::from_bits(self.first), Address::from_bits(self.last));
        let v4_bits = if first.is_v4() && last.is_v4() { 96 } else { 0 };
        write!(f, "{first}/{}", self.prefix_bits() - v4_bits)
    }
}

impl From<Network> for AddressBlock {
    fn from(network: Network) -> Self {
        Self { first: network.first().bits(), last: network.last().bits() }
    }
}

/// Marks a segment that no block covers, and the parent of an outermost block.
const NONE: u32 = u32::MAX;
/// From this many segments on, the table over the upper half of IPv4 (256 KiB) is worth its memory.
const INDEX_FROM_SEGMENTS: usize = 1_024;

/// One distinct block, its values and the next wider block around it.
#[derive(Debug, Clone)]
struct Node {
    block: AddressBlock,
    parent: u32,
    values_from: u32,
    values_to: u32,
}

/// Values by block of addresses, built once and looked up in O(log n); the most specific block wins.
///
/// Takes about 40 bytes for each end of a block, and the values.
#[derive(Debug, Clone)]
pub struct RangeMap<T> {
    /// First address of each segment, ascending; segment i ends where i + 1 begins.
    starts: Vec<u128>,
    /// Innermost block of each segment.
    innermost: Vec<u32>,
    nodes: Vec<Node>,
    values: Vec<T>,
    /// For each upper half of an IPv4 address: how many segments start at or before its first address.
    v4_index: Vec<u32>,
}

impl<T> Default for RangeMap<T> {
    fn default() -> Self {
        Self::build(Vec::<(AddressBlock, T)>::new())
    }
}

impl<T> RangeMap<T> {
    /// Builds the map from blocks and their values in O(n log n); values of one block keep the order given.
    ///
    /// Holds at most 2³¹ blocks; more are left out.
    pub fn build<B: Into<AddressBlock>>(entries: impl IntoIterator<Item = (B, T)>) -> Self {
        let mut entries: Vec<(AddressBlock, T)> =
            entries.into_iter().take(1 << 31).map(|(block, value)| (block.into(), value)).collect();
        // Wider blocks first among those that start together, so that a parent is open before its children.
        entries.sort_by(|(a, _), (b, _)| a.first.cmp(&b.first).then(b.last.cmp(&a.last)));

        let mut map = Self {
            starts: vec![0],
            innermost: vec![NONE],
            nodes: Vec::new(),
            values: Vec::with_capacity(entries.len()),
            v4_index: Vec::new(),
        };
        let mut open: Vec<u32> = Vec::new();
        for (block, value) in entries {
            let value_at = map.values.len() as u32;
            map.values.push(value);
            if let Some(node) = map.nodes.last_mut().filter(|node| node.block == block) {
                node.values_to = value_at + 1;
                continue;
            }
            map.close_before(&mut open, block.first);
            let parent = open.last().copied().unwrap_or(NONE);
            let node = map.nodes.len() as u32;
            map.nodes.push(Node { block, parent, values_from: value_at, values_to: value_at + 1 });
            map.start_segment(block.first, node);
            open.push(node);
        }
        while let Some(node) = open.pop() {
            map.close(node);
        }
        map.index_v4();
        map
    }

    /// Returns all blocks with their values, by first address, wider blocks first.
    pub fn iter(&self) -> impl Iterator<Item = (AddressBlock, &T)> {
        self.nodes.iter().flat_map(|node| {
            let values = self.values.get(node.values_from as usize..node.values_to as usize).unwrap_or_default();
            values.iter().map(|value| (node.block, value))
        })
    }

    /// Ends every open block that ends before `first`.
    fn close_before(&mut self, open: &mut Vec<u32>, first: u128) {
        while let Some(&node) = open.last() {
            if self.nodes[node as usize].block.last >= first {
                break;
            }
            self.close(node);
            open.pop();
        }
    }

    /// Continues with the parent of `node` after the end of its block.
    fn close(&mut self, node: u32) {
        let Node { block, parent, .. } = self.nodes[node as usize];
        if let Some(next) = block.last.checked_add(1) {
            self.start_segment(next, parent);
        }
    }

    fn start_segment(&mut self, start: u128, node: u32) {
        if self.starts.last() == Some(&start) {
            // Nothing lies between the two starts: the later one decides.
            if let Some(last) = self.innermost.last_mut() {
                *last = node;
            }
        } else {
            self.starts.push(start);
            self.innermost.push(node);
        }
    }

    fn index_v4(&mut self) {
        if self.starts.len() < INDEX_FROM_SEGMENTS {
            return;
        }
        let mut segments = 0;
        self.v4_index = (0..=1u32 << 16)
            .map(|half| {
                let first = Address::from_v4_bits(0).bits() + (u128::from(half) << 16);
                while segments < self.starts.len() && self.starts[segments] <= first {
                    segments += 1;
                }
                segments as u32
            })
            .collect();
    }

    fn innermost_at(&self, address: Address) -> u32 {
        let bits = address.bits();
        let (from, to) = match address.v4_bits() {
            Some(v4) if !self.v4_index.is_empty() => {
                let half = (v4 >> 16) as usize;
                (self.v4_index[half] as usize, self.v4_index[half + 1] as usize)
            }
            _ => (0, self.starts.len()),
        };
        let upto = from + self.starts[from..to].partition_point(|start| *start <= bits);
        // The first segment starts at 0, so at least one start is at or below any address.
        self.innermost[upto - 1]
    }

    /// Returns the blocks that hold `address` with their values, the narrowest block first.
    pub fn matches(&self, address: Address) -> Matches<'_, T> {
        Matches { map: self, node: self.innermost_at(address) }
    }

    /// Returns the first value of the narrowest block that holds `address`.
    pub fn find(&self, address: Address) -> Option<&T> {
        self.matches(address).next().and_then(|(_, values)| values.first())
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns whether the map holds no value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// Iterates over the blocks that hold an address, from the narrowest to the widest.
#[derive(Debug, Clone)]
pub struct Matches<'a, T> {
    map: &'a RangeMap<T>,
    node: u32,
}

impl<'a, T> Iterator for Matches<'a, T> {
    type Item = (AddressBlock, &'a [T]);

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.map.nodes.get(self.node as usize)?;
        self.node = node.parent;
        Some((node.block, &self.map.values[node.values_from as usize..node.values_to as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn map(networks: &[&str]) -> RangeMap<String> {
        RangeMap::build(networks.iter().map(|text| (text.parse::<Network>().unwrap(), (*text).to_owned())))
    }

    #[test]
    fn the_most_specific_network_wins_and_the_wider_ones_follow() {
        let map = map(&["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "::/0", "255.255.255.255/32"]);
        let found: Vec<&str> = map.matches(address("10.1.2.3")).map(|(_, values)| values[0].as_str()).collect();
        assert_eq!(found, ["10.1.2.3/32", "10.1.0.0/16", "10.0.0.0/8", "::/0"]);
        assert_eq!(map.find(address("10.1.2.4")).unwrap(), "10.1.0.0/16");
        assert_eq!(map.find(address("11.0.0.0")).unwrap(), "::/0");
        assert_eq!(map.find(address("255.255.255.255")).unwrap(), "255.255.255.255/32");
    }

    #[test]
    fn values_of_one_block_stay_together_in_order() {
        let map = RangeMap::build(["b", "a", "c"].map(|v| ("192.0.2.0/24".parse::<Network>().unwrap(), v)));
        let (block, values) = map.matches(address("192.0.2.9")).next().unwrap();
        assert_eq!((block.prefix_bits(), values), (120, &["b", "a", "c"][..]));
        assert_eq!(map.matches(address("192.0.3.0")).count(), 0);
    }

    #[test]
    fn an_empty_map_finds_nothing() {
        assert_eq!(RangeMap::<u8>::default().find(address("::")), None);
    }

    #[test]
    fn covers_end_at_the_ends_of_the_space() {
        let all = AddressBlock::cover(Address::from_bits(0), Address::from_bits(u128::MAX));
        assert_eq!((all.len(), all[0].prefix_bits()), (1, 0));
        assert_eq!(AddressBlock::cover(Address::from_bits(1), Address::from_bits(u128::MAX)).len(), 128);
        assert_eq!(AddressBlock::cover(Address::from_bits(2), Address::from_bits(1)).len(), 0);
    }

    /// Networks crowded around a few addresses, so that they nest, touch and repeat.
    fn networks() -> impl Strategy<Value = Vec<Network>> {
        let v4 = (0u32..4, 0u32..64, 6u8..=32)
            .prop_map(|(high, low, length)| format!("{}/{length}", Address::from_v4_bits(high << 30 | low)));
        let v6 = (0u128..2, 0u128..32, 0u8..=128).prop_map(|(high, low, length)| {
            let bits = high << 127 | 0x2001 << 112 | low;
            format!("{}/{length}", Address::from_bits(bits))
        });
        prop::collection::vec(prop_oneof![v4, v6].prop_map(|text| text.parse().unwrap()), 0..60)
    }

    proptest! {
        #[test]
        fn agrees_with_a_linear_scan(networks in networks(), others in prop::collection::vec(any::<u128>(), 5), index: bool) {
            let mut map = RangeMap::build(networks.iter().enumerate().map(|(at, network)| (*network, at)));
            if index {
                // Small maps have no index; look through one all the same.
                map.v4_index = Vec::new();
                let starts = map.starts.clone();
                let base = Address::from_v4_bits(0).bits();
                map.v4_index = (0..=1u128 << 16)
                    .map(|half| starts.partition_point(|start| *start <= base + (half << 16)) as u32)
                    .collect();
            }
            let edges = networks.iter().flat_map(|network| {
                let (first, last) = (network.first().bits(), network.last().bits());
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
            });
            for bits in edges.chain(others) {
                let address = Address::from_bits(bits);
                let mut slow: Vec<usize> = (0..networks.len()).filter(|at| networks[*at].contains(address)).collect();
                slow.sort_by_key(|at| (networks[*at].last().bits() - networks[*at].first().bits(), *at));
                let fast: Vec<usize> = map.matches(address).flat_map(|(_, values)| values.iter().copied()).collect();
                prop_assert_eq!(fast, slow);
            }
        }

        #[test]
        fn covers_hold_exactly_their_range(from in 0u128..5_000, length in 0u128..5_000) {
            let blocks = AddressBlock::cover(Address::from_bits(from), Address::from_bits(from + length));
            let mut next = from;
            for block in &blocks {
                prop_assert_eq!(block.first, next);
                prop_assert!((block.last - block.first + 1).is_power_of_two());
                prop_assert_eq!(block.first % (block.last - block.first + 1), 0);
                next = block.last + 1;
            }
            prop_assert_eq!(next, from + length + 1);
        }
    }

    #[test]
    fn large_maps_look_through_the_index() {
        let map = RangeMap::build((0u32..3_000).map(|at| {
            (format!("{}/32", Address::from_v4_bits(at.wrapping_mul(1_234_567))).parse::<Network>().unwrap(), at)
        }));
        assert!(!map.v4_index.is_empty());
        for at in 0u32..3_000 {
            assert_eq!(map.find(Address::from_v4_bits(at.wrapping_mul(1_234_567))), Some(&at));
            assert_eq!(map.find(Address::from_v4_bits((at.wrapping_mul(1_234_567)).wrapping_add(1))), None);
        }
    }
}
