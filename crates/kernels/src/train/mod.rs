//! The statistics of one train of connection starts: how regular it is, and how its rhythm is described.
//!
//! Five tests ask whether a train is more regular than benign traffic: [`regularity`] (on distances as they are and out of
//! bursts), [`phase`], [`counts`] and [`correlogram`]. Each returns evidence, −log10 of a probability under a reference
//! null; [`crate::calibration`] turns it into p-values. [`rhythm`], [`comb`], [`clock`] with [`wander`], and [`daily`]
//! describe what was found. All start from [`intervals`] and [`bursts`].
//!
//! Everything is linear in the number of starts but `correlogram` (twelve lags per start, of at most 4,096 starts) and
//! `phase` (at most 256 trial periods for at most 512 distances), which are most of the time spent on a pair.

mod counted_evidence;

pub mod bursts;
pub mod clock;
pub mod comb;
pub mod counts;
pub mod daily;
pub mod intervals;
mod lags;
pub mod phase;
pub mod regularity;
pub mod wander;

pub mod correlogram;
pub mod rhythm;

pub use counted_evidence::CountedEvidence;
