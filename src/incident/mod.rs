//! Ties findings into incidents: what entered, whom it reached, what left.

pub mod facts;
#[cfg(test)]
mod made;
pub mod model;
pub mod reach;
mod step;
pub mod tables;
pub mod timeline;

pub use facts::{Facts, HostKey, PairFact};
pub use model::Incident;
