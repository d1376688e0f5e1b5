//! Seeded trains of connection starts, of benign traffic and of implants.
//!
//! The null tables are simulated from the benign trains, and tests judge the statistics on both. Reproducible to the bit:
//! see [`crate::random`].

use crate::random::{Xoshiro256, unit_interval};

/// A seeded source of random numbers.
///
/// ```
/// use flowsift_kernels::simulation::Draws;
///
/// let (mut one, mut same) = (Draws::seeded(7), Draws::seeded(7));
/// assert_eq!(one.bits(), same.bits());
/// assert!((300.0..450.0).contains(&one.between(300.0, 450.0)));
/// ```
#[derive(Debug, Clone)]
pub struct Draws(Xoshiro256);

impl Draws {
    /// Returns the source of a seed; equal seeds always give equal draws.
    pub fn seeded(seed: u64) -> Self {
        Self(Xoshiro256::seeded(seed))
    }

    /// Draws 64 uniform bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    /// Draws from [0, 1).
    pub fn uniform(&mut self) -> f64 {
        unit_interval(self.bits())
    }

    /// Draws from `low..high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Draws an exponential of mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }

    /// Draws a standard normal (Box & Muller, one of the pair).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Draws a gamma variate of the given shape and scale 1 (Marsaglia & Tsang 2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * (1.0 - self.uniform()).powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}

/// A family of benign, random traffic.
///
/// ```
/// use flowsift_kernels::simulation::{Benign, Draws};
///
/// let starts = Benign::Poisson.train(&mut Draws::seeded(1), 100, 60.0, 1);
/// assert_eq!(starts.len(), 100);
/// assert!(starts.is_sorted());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Benign {
    /// Independent starts.
    Poisson,
    /// Poisson whose rate follows the day, nine to one.
    Diurnal,
    /// Log-normal intervals, σ = 1: people and queues.
    LogNormal,
    /// Sessions at random, each a burst of a few quick connections.
    Sessions,
    /// Gamma intervals of shape 2: mild automation.
    Gamma2,
    /// Pareto intervals, tail index 1.2.
    Pareto,
    /// Working hours only: tasks of several page loads with pauses between.
    Human,
}

impl Benign {
    /// Every family, in a fixed order.
    pub const ALL: [Self; 7] =
        [Self::Poisson, Self::Diurnal, Self::LogNormal, Self::Sessions, Self::Gamma2, Self::Pareto, Self::Human];

    /// Draws a sorted train of `count` starts, rounded down to `unit_s` seconds, whose mean interval within its active time
    /// is about `mean_s` seconds.
    pub fn train(self, draws: &mut Draws, count: usize, mean_s: f64, unit_s: i64) -> Vec<i64> {
        let mut t = draws.between(0.0, 86_400.0);
        let mut starts = Vec::with_capacity(count);
        while starts.len() < count {
            match self {
                Self::Poisson => t += mean_s * draws.exponential(),
                Self::LogNormal => t += mean_s * (draws.normal() - 0.5).exp(),
                Self::Gamma2 => t += mean_s * 0.5 * draws.gamma(2.0),
                Self::Pareto => t += mean_s / 6.0 * (1.0 - draws.uniform()).powf(-1.0 / 1.2),
                Self::Diurnal => {
                    // Thinning (Lewis & Shedler 1979) of a Poisson stream at the peak rate.
                    t += mean_s * 0.556 * draws.exponential();
                    let day = (std::f64::consts::TAU * t / 86_400.0).sin();
                    if draws.uniform() > 0.556 + 0.444 * day {
                        continue;
                    }
                }
                Self::Sessions => {
                    // About four connections a session.
                    t += if draws.uniform() < 0.25 {
                        mean_s * 3.7 * draws.exponential()
                    } else {
                        mean_s * 0.1 * (draws.normal() - 0.5).exp()
                    };
                }
                Self::Human => {
                    let pause = draws.uniform();
                    t += if pause < 0.6 {
                        mean_s * 0.05 * draws.exponential()
                    } else if pause < 0.9 {
                        mean_s * 0.6 * (draws.normal() - 0.5).exp()
                    } else {
                        mean_s * 8.0 * draws.exponential()
                    };
                    let hour = t.rem_euclid(86_400.0) / 3600.0;
                    if hour > 17.0 {
                        t += (33.0 - hour) * 3600.0 + draws.between(0.0, 3600.0);
                    }
                }
            }
            starts.push((t as i64).div_euclid(unit_s) * unit_s);
        }
        starts
    }
}

/// How an implant calls home.
///
/// ```
/// use flowsift_kernels::simulation::{Draws, Implant};
///
/// let implant = Implant { dropped: 0.1, ..Implant::sleeping(300.0, 330.0) };
/// let starts = implant.train(&mut Draws::seeded(1), 86_400.0, 1);
/// assert!((200..300).contains(&starts.len()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Implant {
    /// Shortest sleep in seconds; sleeps are uniform between the two.
    pub min_sleep_s: f64,
    /// Longest sleep in seconds.
    pub max_sleep_s: f64,
    /// Share of check-ins that never arrive.
    pub dropped: f64,
    /// Connections per check-in, within four seconds.
    pub connections: u32,
    /// Share of check-ins with one more connection, within four seconds.
    pub doubled: f64,
    /// Whether it sleeps outside nine to five.
    pub working_hours: bool,
    /// Independent noise on the same pair, in starts per check-in.
    pub noise: f64,
}

impl Implant {
    /// Returns an implant that sleeps between two bounds and does nothing else.
    pub const fn sleeping(min_sleep_s: f64, max_sleep_s: f64) -> Self {
        Self { min_sleep_s, max_sleep_s, dropped: 0.0, connections: 1, doubled: 0.0, working_hours: false, noise: 0.0 }
    }

    /// Draws the sorted starts within `span_s` seconds from 0, rounded down to `unit_s` seconds.
    pub fn train(&self, draws: &mut Draws, span_s: f64, unit_s: i64) -> Vec<i64> {
        let mut starts = Vec::new();
        let mut check_ins = 0u32;
        let mut t = self.max_sleep_s * draws.uniform();
        while t < span_s {
            let hour = t.rem_euclid(86_400.0) / 3600.0;
            if self.working_hours && hour >= 17.0 {
                t += (33.0 - hour) * 3600.0;
                continue;
            }
            if self.working_hours && hour < 9.0 {
                t += (9.0 - hour) * 3600.0;
                continue;
            }
            check_ins += 1;
            if draws.uniform() >= self.dropped {
                // Nothing is drawn where nothing is doubled, so that other trains stay as they are.
                let more = self.doubled > 0.0 && draws.uniform() < self.doubled;
                for number in 0..self.connections + u32::from(more) {
                    let delay = if number == 0 { 0.0 } else { draws.between(0.0, 4.0) };
                    starts.push(((t + delay) as i64).div_euclid(unit_s) * unit_s);
                }
            }
            t += draws.between(self.min_sleep_s, self.max_sleep_s);
        }
        for _ in 0..(f64::from(check_ins) * self.noise) as usize {
            starts.push((draws.between(0.0, span_s) as i64).div_euclid(unit_s) * unit_s);
        }
        starts.sort_unstable();
        starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trains_are_sorted_and_repeatable() {
        for kind in Benign::ALL {
            let train = kind.train(&mut Draws::seeded(3), 300, 120.0, 1);
            assert_eq!(train.len(), 300);
            assert!(train.is_sorted(), "{kind:?}");
            assert_eq!(train, kind.train(&mut Draws::seeded(3), 300, 120.0, 1));
        }
    }

    #[test]
    fn moments_are_right() {
        let mut draws = Draws::seeded(4);
        let n = 200_000;
        let mean = |values: &mut dyn FnMut() -> f64| (0..n).map(|_| values()).sum::<f64>() / f64::from(n);
        assert!((mean(&mut || draws.uniform()) - 0.5).abs() < 0.005);
        assert!((mean(&mut || draws.exponential()) - 1.0).abs() < 0.02);
        assert!(mean(&mut || draws.normal()).abs() < 0.02);
        assert!((mean(&mut || draws.gamma(0.5)) - 0.5).abs() < 0.02);
        assert!((mean(&mut || draws.gamma(7.0)) - 7.0).abs() < 0.05);
    }

    #[test]
    fn implants_keep_their_schedule() {
        let mut draws = Draws::seeded(5);
        let train =
            Implant { working_hours: true, ..Implant::sleeping(300.0, 360.0) }.train(&mut draws, 3.0 * 86_400.0, 1);
        assert!(train.iter().all(|start| (9 * 3600..=17 * 3600).contains(&(start % 86_400))));
        let three = Implant { connections: 3, dropped: 0.5, ..Implant::sleeping(60.0, 90.0) };
        assert_eq!(three.train(&mut draws, 86_400.0, 60).len() % 3, 0);
    }
}
