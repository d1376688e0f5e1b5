//! What a test of a train returns when nothing but its evidence is wanted.

/// Evidence, with the number of observations behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountedEvidence {
    /// Number of intervals, windows or starts used.
    pub count: usize,
    /// −log10 of the tail probability under the reference null; at least 0.
    pub evidence: f64,
}
