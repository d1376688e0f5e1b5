//! Judges findings against labels: recall of attacks, precision of findings, rank of the first true finding.
//!
//! **Attacks.** A line of `labels.csv` whose label starts with `c2`, `beacon` or `exfil` names an attack. Lines of
//! exfiltration with the same label and the same `src` are one attack (one host that takes data to many addresses);
//! every other line is an attack of its own.
//!
//! **Matching.** A finding with a remote matches a line when host and remote are its `src` and `dst` in either order,
//! and ports and protocols are equal wherever both have one. A finding without a remote matches an exfiltration
//! line when its host is the line's `src`, and any attack line when its host is one side and its evidence lists
//! the other side.
//!
//! **Precision.** A finding is true when it matches an attack, or when its host and remote are those of an attack's
//! line, whatever its port, protocol and detection. So it is when a line starts with `stage-`, as the sweeps and sessions
//! of a campaign do, which no finding has to be about. Only findings of at least the minimum severity count.

pub mod campaigns;
pub mod findings;
pub mod incidents;
pub mod story;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::error::CorpusError;
use crate::evaluate::findings::{FindingSeverity, JudgedFinding, read_findings};
use crate::labels::{Label, read_labels};
use flow::Address;

/// How well one label's attacks were found.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct AttackRecall {
    /// The label, such as `c2-sliver`.
    pub label: String,
    /// Attacks in the labels.
    pub planted: usize,
    /// Attacks that at least one finding matches.
    pub found: usize,
    /// `found` / `planted`.
    pub recall: f64,
    /// Attacks found by each detection.
    pub found_by: BTreeMap<String, usize>,
}

/// The precision of one detection's findings.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct DetectionPrecision {
    /// Name of the detection.
    pub detection: String,
    /// Findings of at least the minimum severity.
    pub findings: usize,
    /// Findings that are about an attack.
    pub true_findings: usize,
    /// Findings that are about something labelled `benign-periodic`.
    pub benign_periodic: usize,
    /// `true_findings` / `findings`.
    pub precision: f64,
    /// Attacks that this detection found, whatever their label.
    pub attacks_found: usize,
}

/// Findings evaluated against labels.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct Evaluation {
    /// Minimum severity of the findings that count.
    pub min_severity: FindingSeverity,
    /// Findings that count, and findings below the minimum severity.
    pub findings: usize,
    /// Findings below the minimum severity, which do not count.
    pub findings_below: usize,
    /// Findings that are about an attack.
    pub true_findings: usize,
    /// `true_findings` / `findings`; `None` without findings.
    pub precision: Option<f64>,
    /// Attacks in the labels.
    pub attacks: usize,
    /// Attacks found.
    pub found: usize,
    /// `found` / `attacks`; `None` without attacks.
    pub recall: Option<f64>,
    /// Rank of the first true finding by severity and score, from 1.
    pub first_true_rank: Option<usize>,
    /// By label, in the order of labels.
    pub by_label: Vec<AttackRecall>,
    /// By detection, in the order of names.
    pub by_detection: Vec<DetectionPrecision>,
    /// Attacks that no finding matches, as `label src → dst:port`.
    pub missed: Vec<String>,
}

/// Reads findings (`.jsonl` or `.parquet`) and labels, and judges the findings of at least `min_severity`.
///
/// # Errors
/// [`CorpusError`] with the file and the position that cannot be read.
pub fn evaluate(findings: &Path, labels: &Path, min_severity: FindingSeverity) -> Result<Evaluation, CorpusError> {
    Ok(judge(&read_findings(findings)?, &read_labels(labels)?, min_severity))
}

/// Judges findings that are already in memory; their order breaks ties of severity and score.
pub fn judge(findings: &[JudgedFinding], labels: &[Label], min_severity: FindingSeverity) -> Evaluation {
    let known = LabelIndex::new(labels);
    let mut counted: Vec<&JudgedFinding> = findings.iter().filter(|f| f.severity >= min_severity).collect();
    counted.sort_by(|a, b| b.severity.cmp(&a.severity).then(b.score.total_cmp(&a.score)));
    let mut found_by: Vec<BTreeMap<&str, usize>> = vec![BTreeMap::new(); known.attacks.len()];
    let mut detections = BTreeMap::<&str, DetectionPrecision>::new();
    let mut first_true_rank = None;
    for (rank, finding) in counted.iter().enumerate() {
        let verdict = known.verdict(finding);
        let detection = detections.entry(&finding.detection).or_insert_with(|| DetectionPrecision {
            detection: finding.detection.clone(),
            findings: 0,
            true_findings: 0,
            benign_periodic: 0,
            precision: 0.0,
            attacks_found: 0,
        });
        detection.findings += 1;
        detection.true_findings += usize::from(verdict.is_true);
        detection.benign_periodic += usize::from(verdict.is_benign_periodic);
        if verdict.is_true && first_true_rank.is_none() {
            first_true_rank = Some(rank + 1);
        }
        for attack in verdict.attacks {
            let hits = found_by[attack].entry(&finding.detection).or_insert(0);
            *hits += 1;
            detection.attacks_found += usize::from(*hits == 1);
        }
    }
    let mut by_label = BTreeMap::<&str, AttackRecall>::new();
    let mut missed = Vec::new();
    for (attack, found_by) in known.attacks.iter().zip(&found_by) {
        let line = by_label.entry(&attack.label).or_insert_with(|| AttackRecall {
            label: attack.label.clone(),
            planted: 0,
            found: 0,
            recall: 0.0,
            found_by: BTreeMap::new(),
        });
        line.planted += 1;
        line.found += usize::from(!found_by.is_empty());
        for detection in found_by.keys() {
            *line.found_by.entry((*detection).to_owned()).or_insert(0) += 1;
        }
        if found_by.is_empty() {
            let port = attack.port.map_or_else(String::new, |port| format!(" port {port}"));
            missed.push(format!("{} {} → {}{port}", attack.label, attack.src, attack.dst));
        }
    }
    let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
    let mut by_label: Vec<AttackRecall> = by_label.into_values().collect();
    by_label.iter_mut().for_each(|line| line.recall = share(line.found, line.planted).unwrap_or(0.0));
    let mut by_detection: Vec<DetectionPrecision> = detections.into_values().collect();
    by_detection.iter_mut().for_each(|d| d.precision = share(d.true_findings, d.findings).unwrap_or(0.0));
    let true_findings = by_detection.iter().map(|detection| detection.true_findings).sum();
    let found = by_label.iter().map(|line| line.found).sum();
    Evaluation {
        min_severity,
        findings: counted.len(),
        findings_below: findings.len() - counted.len(),
        true_findings,
        precision: share(true_findings, counted.len()),
        attacks: known.attacks.len(),
        found,
        recall: share(found, known.attacks.len()),
        first_true_rank,
        by_label,
        by_detection,
        missed,
    }
}

/// A line and the attack it belongs to.
type LabelLine<'a> = (&'a Label, Option<usize>);

/// Labels by the pair they are about.
struct LabelIndex<'a> {
    /// One line for each attack, the first of its lines.
    attacks: Vec<&'a Label>,
    /// Lines by their two addresses, smaller first, with the attack they belong to.
    pairs: HashMap<(Address, Address), Vec<LabelLine<'a>>>,
    /// Exfiltrations by the host that the data leaves.
    exfiltrations: HashMap<Address, Vec<usize>>,
    /// Hosts that act in the other stages of campaigns.
    acting: HashSet<Address>,
}

struct Verdict {
    is_true: bool,
    is_benign_periodic: bool,
    attacks: Vec<usize>,
}

fn pair(a: Address, b: Address) -> (Address, Address) {
    (a.min(b), a.max(b))
}

impl<'a> LabelIndex<'a> {
    fn new(labels: &'a [Label]) -> Self {
        let acting = labels.iter().filter(|label| label.is_stage()).map(|label| label.src).collect();
        let mut known = Self { attacks: Vec::new(), pairs: HashMap::new(), exfiltrations: HashMap::new(), acting };
        let mut of_host = HashMap::<(&str, Address), usize>::new();
        for label in labels {
            let attack = label.is_attack().then(|| {
                let next = known.attacks.len();
                let exfiltration = label.label.starts_with("exfil");
                let number =
                    if exfiltration { *of_host.entry((&label.label, label.src)).or_insert(next) } else { next };
                if number == next {
                    known.attacks.push(label);
                    if exfiltration {
                        known.exfiltrations.entry(label.src).or_default().push(number);
                    }
                }
                number
            });
            known.pairs.entry(pair(label.src, label.dst)).or_default().push((label, attack));
        }
        known
    }

    fn verdict(&self, finding: &JudgedFinding) -> Verdict {
        let mut verdict = Verdict { is_true: false, is_benign_periodic: false, attacks: Vec::new() };
        let Some(host) = finding.host else { return verdict };
        match finding.remote {
            Some(remote) => {
                for (label, attack) in self.pairs.get(&pair(host, remote)).into_iter().flatten() {
                    verdict.is_true |= attack.is_some() || label.is_stage();
                    verdict.is_benign_periodic |= label.label == "benign-periodic";
                    let fits = agree(finding.port, label.port) && agree(finding.protocol, label.protocol);
                    verdict.attacks.extend(attack.filter(|_| fits));
                }
            }
            None => {
                verdict.attacks.extend(self.exfiltrations.get(&host).into_iter().flatten());
                for remote in &finding.listed {
                    let lines = self.pairs.get(&pair(host, *remote)).into_iter().flatten();
                    verdict.attacks.extend(lines.filter_map(|(_, attack)| *attack));
                }
                verdict.is_true = !verdict.attacks.is_empty() || self.acting.contains(&host);
            }
        }
        verdict.attacks.sort_unstable();
        verdict.attacks.dedup();
        verdict
    }
}

/// Returns whether two values are equal wherever both are present.
fn agree<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

impl Evaluation {
    /// Returns the evaluation as aligned lines of text: attacks, detections and totals.
    pub fn table(&self) -> Vec<String> {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let optional = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), percent);
        let mut rows = vec![["attack", "planted", "found", "recall", "found by"].map(str::to_owned).to_vec()];
        for line in &self.by_label {
            let mut by = String::new();
            for (detection, count) in &line.found_by {
                let comma = if by.is_empty() { "" } else { ", " };
                let _ = write!(by, "{comma}{detection} {count}");
            }
            let by = if by.is_empty() { "-".to_owned() } else { by };
            rows.push(vec![
                line.label.clone(),
                line.planted.to_string(),
                line.found.to_string(),
                percent(line.recall),
                by,
            ]);
        }
        let mut lines = aligned(&rows);
        let mut rows = vec![
            ["detection", "findings", "true", "precision", "attacks found", "benign periodic"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for detection in &self.by_detection {
            rows.push(vec![
                detection.detection.clone(),
                detection.findings.to_string(),
                detection.true_findings.to_string(),
                percent(detection.precision),
                detection.attacks_found.to_string(),
                detection.benign_periodic.to_string(),
            ]);
        }
        lines.push(String::new());
        lines.extend(aligned(&rows));
        lines.push(String::new());
        let rank = self.first_true_rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string());
        lines.push(format!("recall {} ({} of {} attacks)", optional(self.recall), self.found, self.attacks));
        lines.push(format!(
            "precision {} ({} of {} findings; {} below the minimum severity)",
            optional(self.precision),
            self.true_findings,
            self.findings,
            self.findings_below
        ));
        lines.push(format!("rank of the first true finding {rank}"));
        lines
    }
}

/// Pads columns to equal width: the first and the last are left-aligned when they hold words, numbers are
/// right-aligned.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let numeric = |column: usize| {
        rows.iter().skip(1).all(|row| row[column].chars().next().is_some_and(|first| first.is_ascii_digit()))
            && column > 0
    };
    let numeric: Vec<bool> = (0..columns).map(numeric).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = widths[column];
            if numeric[column] { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests;
