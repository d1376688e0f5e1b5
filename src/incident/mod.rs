//! Ties findings into incidents: what entered, whom it reached, what left.

pub mod facts;
pub mod model;

pub use facts::{Facts, HostKey, PairFact};
pub use model::Incident;
