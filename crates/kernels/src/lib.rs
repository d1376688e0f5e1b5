//! The statistics of flowsift: numbers in, numbers out.
//!
//! This crate answers two questions about one slice of numbers: is it a beacon, and is it unusual? There are no files,
//! no async, no logging, no randomness at run time and no hash-map order: the same slice gives the same bits on any
//! machine and any number of threads. Every function is total, so the crate has no error type: where a statistic does
//! not apply, the result is `None`.
//!
//! **Cost.** Everything is linear in its slice, or sorts it, except for the two tests named in [`train`]. Most pairs
//! are random traffic, so [`beacon::judge`] recognises that from bounds, which is several times cheaper than describing
//! a beacon.
//!
//! **Where to begin.** [`beacon`] judges one pair and names the statistics in the order in which they are computed;
//! their formulas and papers are in the headers of the modules below [`train`]. [`calibration`] turns evidence into
//! p-values.
//!
//! | module | statistic |
//! | --- | --- |
//! | [`special`] | gamma and normal functions |
//! | [`robust`] | median, quantiles, MAD, robust z |
//! | [`sizes`] | log-linear histograms of bytes |
//! | [`lost`] | time that the log knows nothing about, which cuts distances |
//! | [`discovery`] | Benjamini–Hochberg |
//! | [`season`] | what is usual at an hour of the week, shrunken to wider levels |
//! | [`drift`] | CUSUM of a daily level |
//! | [`habit`] | a day's count against few earlier days: negative binomial, shrunken to peers |
//! | [`novelty`] | surprisal of what somebody never did, conformal p-values |
//! | [`interleaving`] | uses from two places that alternate: runs against shuffles |
//! | [`random`], [`simulation`] | seeded trains, of benign traffic and implants, for the null tables and for tests |
//! | [`train::intervals`] | resolution, check-ins out of bursts, gaps trimmed (D0) |
//! | [`train::bursts`] | which connections belong to one check-in (D0) |
//! | [`train::regularity`] | renewal regularity: gamma shape against a mildly regular null (D1) |
//! | [`train::phase`] | missed beats: intervals that are multiples of one period (D2) |
//! | [`train::counts`] | under-dispersion of counts in windows (D3) |
//! | [`train::correlogram`] | beats under noise: starts that follow others at one lag and its multiples (D4) |
//! | [`train::clock`] | anchoring to the minute, hour or day (D5) |
//! | [`train::wander`] | whether a phase stays where the clock holds it or wanders as a sleeper's does |
//! | [`train::comb`] | beats with losses: period, deviation and missed share by maximum likelihood |
//! | [`train::rhythm`] | period, jitter and missed beats of a train |
//! | [`train::daily`] | hours of the day in which a train is active (D12) |
//! | [`calibration`] | p-values by the simulated composite null, and their combination |
//! | [`beacon`] | the judgement of one pair: all of `train`, combined |
//! | [`beacon::score`] | the rank of a beacon: a logistic model of four numbers |
//! | [`beacon::rita`] | the score of RITA v5, for comparison |
//! | [`sameness`] | many connections of one size within minutes, without a beat (D13) |
//! | [`rotation`] | trains over several remotes of one host (D7) |
//! | [`pooled`] | trains of several hosts to one remote (D8) |

pub mod discovery;
pub mod lost;
pub mod random;
pub mod robust;
pub mod sizes;
pub mod special;

pub mod drift;
pub mod habit;
pub mod interleaving;
pub mod novelty;
pub mod season;
pub mod simulation;

pub mod train;

pub mod calibration;

pub mod beacon;

pub mod pooled;
pub mod rotation;
pub mod sameness;
