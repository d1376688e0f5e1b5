//! The maths on slices: numbers in, numbers out.
//!
//! No files, no async, no logging, no randomness at run time and no hash-map order: the same slice gives the same bits
//! on any machine and any number of threads. Every function is total, so this room has no error type: where a statistic
//! does not apply the answer is `None`.
//!
//! | module | statistic |
//! | --- | --- |
//! | [`beacon`] | the judgement of one pair: all of the below, combined |
//! | [`train`] | the tests on one train of starts, and the bounds that spare most of them |
//! | [`intervals`] | resolution, check-ins out of bursts, gaps trimmed (D0) |
//! | [`regularity`] | renewal regularity: gamma shape against a mildly regular null (D1) |
//! | [`phase`] | missed beats: intervals that are multiples of one period (D2) |
//! | [`comb`] | beats with losses: period, deviation and missed share by maximum likelihood |
//! | [`correlogram`] | beats under noise: starts that follow others at one lag and its multiples (D4) |
//! | [`counts`] | under-dispersion of counts in windows (D3) |
//! | [`lost`] | time that the log knows nothing of, which cuts distances |
//! | [`clock`] | anchoring to the minute, hour or day (D5) |
//! | [`calibration`] | p-values by the simulated composite null, and their combination |
//! | [`rhythm`] | period, jitter and missed beats of a train |
//! | [`daily`] | hours of the day in which a train is active (D12) |
//! | [`score`] | the rank of a beacon: a logistic model of four numbers |
//! | [`rotation`] | trains over several remotes of one host (D7) |
//! | [`pooled`] | trains of several hosts to one remote (D8) |
//! | [`rita`] | the score of RITA v5, for comparison |
//! | [`sizes`] | log-linear histograms of bytes |
//! | [`robust`] | median, quantiles, MAD, robust z |
//! | [`season`] | what is usual at an hour of the week, shrunken to wider levels |
//! | [`drift`] | CUSUM of a daily level |
//! | [`discovery`] | Benjamini–Hochberg |
//! | [`special`] | gamma and normal functions |
//! | [`simulation`] | seeded trains, benign and not, for the null tables and for tests |

pub mod beacon;
pub mod calibration;
pub mod clock;
pub mod comb;
pub mod correlogram;
pub mod counts;
pub mod daily;
pub mod discovery;
pub mod drift;
pub mod intervals;
mod lags;
pub mod lost;
mod null_table;
pub mod phase;
pub mod pooled;
pub mod regularity;
pub mod rhythm;
pub mod rita;
pub mod robust;
pub mod rotation;
pub mod score;
mod score_weights;
pub mod season;
pub mod simulation;
pub mod sizes;
pub mod special;
pub mod train;
