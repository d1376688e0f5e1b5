//! The stages of a run: how long each took, the peak memory until its end, and its span in a trace.

use crate::cli::options::memory::peak_memory_bytes;
use crate::report::StageTime;
use std::time::Instant;
use tracing::span::EnteredSpan;
use tracing::{Span, info_span};

/// Defines the stages with their names, which a span needs as literals.
macro_rules! stages {
    ($($stage:ident = $name:literal),+ $(,)?) => {
        /// A stage of a run.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(super) enum Stage { $($stage),+ }

        impl Stage {
            /// Returns the name in summaries and traces.
            pub(super) fn name(self) -> &'static str {
                match self { $(Stage::$stage => $name),+ }
            }

            fn span(self) -> Span {
                match self { $(Stage::$stage => info_span!($name)),+ }
            }
        }
    };
}

stages! {
    List = "list",
    ScanAndRollup = "scan and rollup",
    Baselines = "baselines",
    Detections = "detections",
    Incidents = "incidents",
    Report = "report",
}

/// A clock that runs from stage to stage.
pub(super) struct StageClock {
    begun: Instant,
    stage: Stage,
    stage_begun: Instant,
    /// The span of the current stage.
    span: Option<EnteredSpan>,
    done: Vec<StageTime>,
}

/// The times of a run that has ended.
#[derive(Clone, Debug, Default)]
pub(super) struct RunTimes {
    /// The stages in their order.
    pub(super) stages: Vec<StageTime>,
    /// Seconds from start to end.
    pub(super) total_seconds: f64,
}

impl StageClock {
    /// Starts with the first stage.
    pub(super) fn start(stage: Stage) -> Self {
        let now = Instant::now();
        Self { begun: now, stage, stage_begun: now, span: Some(stage.span().entered()), done: Vec::new() }
    }

    /// Ends the current stage and enters the next.
    pub(super) fn enter(&mut self, next: Stage) {
        self.end_stage();
        self.stage = next;
        self.stage_begun = Instant::now();
        self.span = Some(next.span().entered());
    }

    /// Ends the last stage.
    pub(super) fn end(mut self) -> RunTimes {
        self.end_stage();
        RunTimes { stages: self.done, total_seconds: self.begun.elapsed().as_secs_f64() }
    }

    fn end_stage(&mut self) {
        let seconds = self.stage_begun.elapsed().as_secs_f64();
        let peak_memory_bytes = peak_memory_bytes();
        self.done.push(StageTime { stage: self.stage.name().to_owned(), seconds, peak_memory_bytes });
        // The old span ends before the new one begins.
        self.span = None;
    }
}
