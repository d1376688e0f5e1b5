//! Seeded randomness: one stream for each (seed, purpose, part, hour), so that no draw depends on threads or batches.

use kernels::random::{Xoshiro256, unit_interval};

pub use kernels::random::mix;

/// The purpose of a stream; each purpose draws independently of the others.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Purpose {
    Host = 1,
    Background = 3,
    Placeholder = 4,
    Attack = 5,
    Placement = 6,
    Periodic = 8,
    Backup = 9,
    Hub = 10,
    Campaign = 11,
    StoryPerson = 12,
    StoryMachine = 13,
    StoryPlot = 14,
}

/// Mixes two numbers into one.
pub const fn mix2(a: u64, b: u64) -> u64 {
    mix(a ^ mix(b))
}

/// Converts a mixed number to a share in [0, 1).
pub fn share_of(mixed: u64) -> f64 {
    unit_interval(mixed)
}

/// A stream of pseudo-random draws.
#[derive(Clone, Debug)]
pub struct Stream(Xoshiro256);

impl Stream {
    /// Opens the stream of (seed, purpose, part, hour); the same four always give the same draws.
    pub fn new(seed: u64, purpose: Purpose, part: u64, hour: u64) -> Self {
        let key = mix2(mix2(mix2(seed, purpose as u64), part), hour);
        Self(Xoshiro256::seeded(key))
    }

    /// Draws 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    /// Draws from [0, 1).
    pub fn share(&mut self) -> f64 {
        share_of(self.bits())
    }

    /// Draws a whole number from [0, n); 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        // Lemire's multiply-shift; its bias is below n / 2^64.
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// Draws a whole number from [low, high].
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// Draws from [low, high).
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + self.share() * (high - low)
    }

    /// Returns true with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// Draws approximately from the standard normal distribution, close enough for sizes: a sum of twelve 16-bit
    /// uniforms.
    pub fn normal(&mut self) -> f64 {
        let mut sum = 0u32;
        for _ in 0..3 {
            let bits = self.bits();
            sum += (bits & 0xffff) as u32 + (bits >> 16 & 0xffff) as u32;
            sum += (bits >> 32 & 0xffff) as u32 + (bits >> 48) as u32;
        }
        f64::from(sum) / 65_536.0 - 6.0
    }

    /// Draws from the log-normal distribution with the given median and standard deviation of the logarithm.
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// Draws a rank in [0, n) with weight near 1 / (rank + 1): Zipf's law of exponent 1 by inversion.
    pub fn zipf(&mut self, n: u64) -> u64 {
        zipf_rank(self.share(), n)
    }

    /// Draws a whole number near `mean`: its floor, or one more with the probability of the fraction.
    pub fn dithered(&mut self, mean: f64) -> u64 {
        let floor = mean.max(0.0).floor();
        floor as u64 + u64::from(self.chance(mean.max(0.0) - floor))
    }
}

/// Returns the rank in [0, n) at quantile `share` of a Zipf law of exponent 1 (continuous inversion).
pub fn zipf_rank(share: f64, n: u64) -> u64 {
    (((n as f64 + 1.0).ln() * share).exp() as u64).saturating_sub(1).min(n.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |part, hour| {
            let mut stream = Stream::new(7, Purpose::Host, part, hour);
            [stream.bits(), stream.bits()]
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(2, 1));
        assert_ne!(draw(1, 2), draw(1, 3));
    }

    #[test]
    fn normal_has_mean_zero_and_deviation_one() {
        let mut stream = Stream::new(1, Purpose::Host, 0, 0);
        let draws: Vec<f64> = (0..50_000).map(|_| stream.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.02, "{mean}");
        assert!((variance - 1.0).abs() < 0.03, "{variance}");
    }

    #[test]
    fn zipf_ranks_stay_in_range_and_fall_off() {
        let mut stream = Stream::new(1, Purpose::Host, 0, 0);
        let mut counts = [0u32; 100];
        for _ in 0..100_000 {
            counts[stream.zipf(100) as usize] += 1;
        }
        assert!(counts[0] > 5 * counts[9] && counts[9] > counts[90]);
    }
}
