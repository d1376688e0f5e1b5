//! Judges the findings of a run over a story: which stages were found, by what, and what was told without cause.
//!
//! **Matching.** A finding and a label match when the finding names the label's event, or when both are about the same
//! caller at the same time: the same principal, the same end of a credential, the same source, or, for flows, the same two
//! addresses. Principals are compared without case, path and domain, as one person has several names. Times match within
//! five minutes of the finding's evidence; flows go on after their label. A label that names no caller at all matches a
//! finding of one of its techniques at its time.
//!
//! **Precision.** A finding of at least the minimum severity that matches a step is true; every other is false, those that
//! match a benign trap among them.

mod matching;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use self::matching::matches;
use crate::evaluate::findings::{FindingSeverity, JudgedFinding};
use crate::story::labels::StoryLabel;

/// How well one stage was found.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct StageRecall {
    /// The stage.
    pub stage: String,
    /// Its labels, and those that a finding matches.
    pub labels: usize,
    /// Labels that at least one finding matches.
    pub labels_found: usize,
    /// Whether any finding matches.
    pub is_found: bool,
    /// The findings that match, one for each detection: the first by rank.
    pub found_by: Vec<StageFinding>,
}

/// The first finding of a detection about a stage.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct StageFinding {
    /// Name of the detection.
    pub detection: String,
    /// The severity.
    pub severity: FindingSeverity,
    /// Rank among all findings by severity and score, from 1.
    pub rank: usize,
}

/// A finding that no step explains.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct FalseFinding {
    /// Name of the detection.
    pub detection: String,
    /// The severity.
    pub severity: FindingSeverity,
    /// Rank among all findings by severity and score, from 1.
    pub rank: usize,
    /// What it is about.
    pub about: String,
    /// The note of the benign trap that it matches, if any.
    pub trap: Option<String>,
}

/// The findings of a run over a story, judged.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct StoryEvaluation {
    /// Minimum severity of the findings that count for precision.
    pub min_severity: FindingSeverity,
    /// Findings that count, and those of them that match a step.
    pub findings: usize,
    /// Findings that match a step.
    pub true_findings: usize,
    /// `true_findings` / `findings`; `None` without findings.
    pub precision: Option<f64>,
    /// Stages of the story, and those that were found by findings that count.
    pub stages: usize,
    /// Stages found.
    pub found: usize,
    /// `found` / `stages`; `None` without stages.
    pub recall: Option<f64>,
    /// Incidents that hold findings about steps, and incidents that hold any finding.
    pub story_incidents: usize,
    /// Incidents that hold any finding.
    pub incidents: usize,
    /// By stage, in the order of time. Findings below the minimum severity are shown, and do not make a stage found.
    pub by_stage: Vec<StageRecall>,
    /// Findings that count and match no step, by rank.
    pub false_findings: Vec<FalseFinding>,
}

/// Judges findings against the labels of a story; the order of findings breaks ties of severity and score.
pub fn judge_story(
    findings: &[JudgedFinding],
    labels: &[StoryLabel],
    min_severity: FindingSeverity,
) -> StoryEvaluation {
    let mut ranked: Vec<&JudgedFinding> = findings.iter().collect();
    ranked.sort_by(|a, b| b.severity.cmp(&a.severity).then(b.score.total_cmp(&a.score)));
    let mut stages = Stages::of(labels);
    let mut false_findings = Vec::new();
    let (mut story_incidents, mut incidents) = (BTreeSet::new(), BTreeSet::new());
    let (mut counted, mut true_findings) = (0, 0);
    for (place, finding) in ranked.into_iter().enumerate() {
        let counts = finding.severity >= min_severity;
        let of: Vec<usize> = (0..labels.len()).filter(|index| matches(finding, &labels[*index])).collect();
        let is_true = of.iter().any(|index| labels[*index].is_step());
        incidents.extend(finding.incident_id.as_deref());
        if is_true {
            story_incidents.extend(finding.incident_id.as_deref());
        }
        stages.take(finding, place + 1, counts, &of);
        if !counts {
            continue;
        }
        counted += 1;
        if is_true {
            true_findings += 1;
        } else {
            false_findings.push(FalseFinding {
                detection: finding.detection.clone(),
                severity: finding.severity,
                rank: place + 1,
                about: about(finding),
                trap: of.first().map(|index| labels[*index].note.clone()),
            });
        }
    }
    let by_stage = stages.judged();
    let found = by_stage.iter().filter(|stage| stage.is_found).count();
    let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
    StoryEvaluation {
        min_severity,
        findings: counted,
        true_findings,
        precision: share(true_findings, counted),
        stages: by_stage.len(),
        found,
        recall: share(found, by_stage.len()),
        story_incidents: story_incidents.len(),
        incidents: incidents.len(),
        by_stage,
        false_findings,
    }
}

/// What is known of each stage while findings are gone through by rank.
struct Stages<'a> {
    labels: &'a [StoryLabel],
    /// Stages by their first time.
    order: Vec<&'a str>,
    is_found: BTreeSet<&'a str>,
    found_labels: BTreeSet<usize>,
    found_by: BTreeMap<&'a str, Vec<StageFinding>>,
}

impl<'a> Stages<'a> {
    fn of(labels: &'a [StoryLabel]) -> Self {
        let mut first = BTreeMap::<&str, i64>::new();
        for label in labels.iter().filter(|label| label.is_step()) {
            let time_s = first.entry(&label.stage).or_insert(label.time_s);
            *time_s = label.time_s.min(*time_s);
        }
        let mut order: Vec<&str> = first.keys().copied().collect();
        order.sort_by_key(|stage| first[stage]);
        Self { labels, order, is_found: BTreeSet::new(), found_labels: BTreeSet::new(), found_by: BTreeMap::new() }
    }

    fn take(&mut self, finding: &JudgedFinding, rank: usize, counts: bool, of: &[usize]) {
        for index in of.iter().copied().filter(|index| self.labels[*index].is_step()) {
            let stage = self.labels[index].stage.as_str();
            if counts {
                self.is_found.insert(stage);
                self.found_labels.insert(index);
            }
            let found_by = self.found_by.entry(stage).or_default();
            if found_by.iter().all(|other| other.detection != finding.detection) {
                let (detection, severity) = (finding.detection.clone(), finding.severity);
                found_by.push(StageFinding { detection, severity, rank });
            }
        }
    }

    fn judged(mut self) -> Vec<StageRecall> {
        let order = std::mem::take(&mut self.order);
        let of = |stage: &'a str| {
            let indices = || (0..self.labels.len()).filter(|index| self.labels[*index].stage == stage);
            StageRecall {
                stage: stage.to_owned(),
                labels: indices().count(),
                labels_found: indices().filter(|index| self.found_labels.contains(index)).count(),
                is_found: self.is_found.contains(stage),
                found_by: self.found_by.get(stage).cloned().unwrap_or_default(),
            }
        };
        order.into_iter().map(of).collect()
    }
}

/// Returns what a finding is about, in a few words.
fn about(finding: &JudgedFinding) -> String {
    let address = |address: Option<flow::Address>| address.map(|address| address.to_string());
    let told = &finding.told;
    let parts = [address(finding.host), told.principal.clone(), told.source.clone(), address(finding.remote)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" → ")
}
