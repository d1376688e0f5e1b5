//! The stages of a run: how long each took, the most memory until its end, and where it stands in a trace.

use super::detect::peak_memory_bytes;
use crate::report::StageTime;
use std::time::Instant;
use tracing::Span;
use tracing::span::EnteredSpan;

/// Times of the stages of a run.
pub(super) struct Stages {
    pub(super) begun: Instant,
    stage: Instant,
    /// The stage under way, for a trace.
    span: Option<EnteredSpan>,
    pub(super) stages: Vec<StageTime>,
}

impl Stages {
    /// Starts with the first stage; `span` shows it in a trace.
    pub(super) fn start(span: Span) -> Self {
        Self { begun: Instant::now(), stage: Instant::now(), span: Some(span.entered()), stages: Vec::new() }
    }

    /// Ends a stage, and goes on to the next under `span`.
    pub(super) fn end_of(&mut self, stage: &str, span: Span) {
        let seconds = self.stage.elapsed().as_secs_f64();
        self.stages.push(StageTime { stage: stage.to_owned(), seconds, peak_memory_bytes: peak_memory_bytes() });
        self.stage = Instant::now();
        // The old one must be left before the new one is entered.
        self.span = None;
        self.span = Some(span.entered());
    }
}
