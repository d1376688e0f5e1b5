//! FNV-1a (Fowler, Noll & Vo; draft-eastlake-fnv), 64 and 128 bits: names for versions, settings and findings.
//!
//! The hash is the same on every machine and in every version, so kept hours and finding ids may be named by it.
//! Different inputs have different hashes with high probability, but there is no protection against forgery. Where
//! several values are hashed, write their lengths or an end mark as well, so that `("ab", "c")` and `("a", "bc")`
//! differ.

/// FNV-1a with 64 bits.
///
/// ```
/// use flowsift_flow::fnv::Fnv64;
///
/// let mut hash = Fnv64::default();
/// hash.write(b"foobar");
/// assert_eq!(hash.finish(), 0x8594_4171_f739_67e8);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Fnv64(u64);

impl Default for Fnv64 {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv64 {
    const PRIME: u64 = 0x0100_0000_01b3;

    /// Adds bytes to the hash.
    pub fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(Self::PRIME);
        }
    }

    /// Returns the hash of all bytes so far.
    pub const fn finish(&self) -> u64 {
        self.0
    }
}

/// FNV-1a with 128 bits.
///
/// ```
/// use flowsift_flow::fnv::Fnv128;
///
/// let mut hash = Fnv128::default();
/// hash.write(b"foobar");
/// assert_eq!(hash.finish(), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Fnv128(u128);

impl Default for Fnv128 {
    fn default() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Fnv128 {
    const PRIME: u128 = (1 << 88) | 0x13b;

    /// Adds bytes to the hash.
    pub fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(Self::PRIME);
        }
    }

    /// Returns the hash of all bytes so far.
    pub const fn finish(&self) -> u128 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test vectors of the draft.
    #[test]
    fn hashes_are_those_of_the_draft() {
        let hashes = |text: &[u8]| {
            let (mut short, mut long) = (Fnv64::default(), Fnv128::default());
            short.write(text);
            long.write(text);
            (short.finish(), long.finish())
        };
        assert_eq!(hashes(b""), (0xcbf2_9ce4_8422_2325, 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d));
        assert_eq!(hashes(b"a"), (0xaf63_dc4c_8601_ec8c, 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964));
        assert_eq!(hashes(b"foobar"), (0x8594_4171_f739_67e8, 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18));
    }
}
