//! Seeded pseudo-random bits that never change.
//!
//! Null tables, generated corpora and tests are reproducible to the bit only if the generator never changes, so it is
//! written out here: xoshiro256++ (Blackman & Vigna 2019), its state filled by SplitMix64 (Steele, Lea & Flood 2014).
//! Both users draw from it by their own rules: [`crate::simulation::Draws`], and the corpora.

/// Increment of SplitMix64: 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes a 64-bit number so that near inputs give unrelated outputs: one step of SplitMix64 from the state `value`.
pub const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns the upper 53 of 64 uniform bits as a number in [0, 1).
pub fn unit_interval(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// The generator xoshiro256++.
///
/// ```
/// use flowsift_kernels::random::Xoshiro256;
///
/// let mut generator = Xoshiro256::seeded(0);
/// assert_eq!(generator.bits(), 5_987_356_902_031_041_503);
/// assert_eq!(generator.bits(), 7_051_070_477_665_621_255);
/// ```
#[derive(Debug, Clone)]
pub struct Xoshiro256 {
    state: [u64; 4],
}

impl Xoshiro256 {
    /// Returns the generator of a seed; equal seeds always give equal bits.
    pub fn seeded(seed: u64) -> Self {
        let at = |steps: u64| mix(seed.wrapping_add(GOLDEN.wrapping_mul(steps)));
        Self { state: [at(0), at(1), at(2), at(3)] }
    }

    /// Draws 64 uniform bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bits and those after 1,004 steps, as the crate `rand_xoshiro` draws them.
    #[test]
    fn the_bits_are_those_of_the_published_generator() {
        let known = [
            (0, 5_987_356_902_031_041_503, 14_496_587_019_595_409_892),
            (1, 14_971_601_782_005_023_387, 125_693_816_662_220_204),
            (42, 15_021_278_609_987_233_951, 1_590_643_238_873_146_649),
            (u64::MAX, 6_254_647_548_650_071_986, 15_058_383_692_829_459_034),
        ];
        for (seed, first, later) in known {
            let mut generator = Xoshiro256::seeded(seed);
            assert_eq!(generator.bits(), first, "seed {seed}");
            assert_eq!((1..1_005).map(|_| generator.bits()).last(), Some(later), "seed {seed}");
        }
    }

    #[test]
    fn the_unit_interval_is_half_open() {
        assert_eq!((unit_interval(0), unit_interval(1 << 63)), (0.0, 0.5));
        assert!(unit_interval(u64::MAX) < 1.0);
    }
}
