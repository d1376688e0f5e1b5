//! The judgement of a story as lines of text.

use super::StoryEvaluation;

/// False findings that are shown one by one.
const MAX_SHOWN: usize = 20;

impl StoryEvaluation {
    /// Returns the judgement as lines: stages in the order of time, then what was told without cause.
    pub fn table(&self) -> Vec<String> {
        let percent =
            |share: Option<f64>| share.map_or_else(|| "none".to_owned(), |share| format!("{:.0} %", share * 100.0));
        let mut lines = vec![format!("{:<16} {:>5}  {:>11}  found by (severity, rank)", "stage", "found", "labels")];
        for stage in &self.by_stage {
            let by: Vec<String> = stage
                .found_by
                .iter()
                .map(|by| format!("{} ({}, {})", by.detection, severity_word(by.severity), by.rank))
                .collect();
            lines.push(format!(
                "{:<16} {:>5}  {:>4} of {:<4}  {}",
                stage.stage,
                if stage.is_found { "yes" } else { "no" },
                stage.labels_found,
                stage.labels,
                by.join(", "),
            ));
        }
        lines.push(String::new());
        lines.push(format!("recall     {:>6}  {} of {} stages", percent(self.recall), self.found, self.stages));
        lines.push(format!(
            "precision  {:>6}  {} of {} findings of severity {} or above",
            percent(self.precision),
            self.true_findings,
            self.findings,
            severity_word(self.min_severity),
        ));
        lines.push(format!(
            "incidents  {:>6}  with findings about the story, of {}",
            self.story_incidents, self.incidents
        ));
        if !self.false_findings.is_empty() {
            lines.push(String::new());
            lines.push("without cause:".to_owned());
        }
        for finding in self.false_findings.iter().take(MAX_SHOWN) {
            let trap = finding.trap.as_ref().map_or_else(String::new, |trap| format!("  (trap: {trap})"));
            let severity = severity_word(finding.severity);
            lines.push(format!("{:>5}  {severity:<8}  {}  {}{trap}", finding.rank, finding.detection, finding.about));
        }
        if self.false_findings.len() > MAX_SHOWN {
            lines.push(format!("       and {} more", self.false_findings.len() - MAX_SHOWN));
        }
        lines
    }
}

fn severity_word(severity: crate::FindingSeverity) -> String {
    format!("{severity:?}").to_lowercase()
}
