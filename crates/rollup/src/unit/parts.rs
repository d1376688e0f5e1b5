//! The parts that hosts are divided into.

use flow::Address;
use scan::own_code;

/// Number of parts. There are so many that the records of one part fit the caches when they are folded.
///
/// All tables of all units divide hosts alike: everything about one host is in the same part of each.
pub(crate) const PARTS: usize = 128;

const PART_BITS: u32 = PARTS.trailing_zeros();

/// Returns the part of a host, by its address: 0 to [`PARTS`] less one.
pub(crate) fn part_of(host: Address) -> usize {
    match own_code(host) {
        Some(code) => part_of_code(code),
        None => {
            let folded = host.bits() as u64 ^ (host.bits() >> 64) as u64;
            // 2^64 over the golden ratio: Fibonacci hashing, which takes the highest bits of the product.
            (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PART_BITS)) as usize
        }
    }
}

/// Returns the part of a host whose code is below [`scan::FIRST_INTERNED`]: an IPv4 address, which is its own code.
#[inline]
pub(crate) fn part_of_code(code: u32) -> usize {
    // As above, with 2^32 over the golden ratio.
    (code.wrapping_mul(0x9e37_79b1) >> (u32::BITS - PART_BITS)) as usize
}
