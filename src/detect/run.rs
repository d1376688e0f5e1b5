//! Runs every detection over the tables of a run.

use super::DetectError;
use super::catalogue::Detection;
use super::finding::{Finding, Severity, sort_findings};
use super::rows::findings;
use crate::intel::{AllowList, Indicators, Networks};
use crate::kernels::discovery::benjamini_hochberg;
use crate::rollup::coverage::coverage_shares;
use crate::rollup::derive::{Derived, HostFacts, Window};
use crate::sql::{Literal, bind, functions, open_session, run};
use arrow::array::{AsArray, RecordBatch};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What detections are run with.
#[derive(Debug)]
pub struct Context<'a> {
    /// The window and its history.
    pub window: Window,
    /// Highest share of false findings among those of statistical detections, 0–1.
    pub fdr: f64,
    /// Feeds.
    pub indicators: Arc<Indicators>,
    /// Owners of networks.
    pub networks: Arc<Networks>,
    /// What is known to be fine.
    pub allow: &'a AllowList,
    /// Tables of `coverage`.
    pub coverage: &'a [RecordBatch],
    /// Facts of ENIs by name.
    pub host_facts: &'a HashMap<String, HostFacts>,
    /// Partitions of the plans, at least 1.
    pub threads: usize,
}

/// What the detections found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Sorted as they are reported.
    pub findings: Vec<Finding>,
    /// Candidates that statistical detections judged.
    pub candidates: u64,
    /// How many of the reported statistical findings the false-discovery rate allows to be false.
    pub expected_false: f64,
}

/// Runs the detections; the findings come sorted and do not depend on the number of threads.
///
/// # Errors
/// [`DetectError`] when a detection's SQL fails or its result has not the form of findings.
pub async fn detect(
    detections: &[Detection],
    derived: &Derived,
    context: &Context<'_>,
) -> Result<Outcome, DetectError> {
    let tables = vec![
        ("pairs", derived.pairs.clone()),
        ("hosts", vec![derived.hosts.clone()]),
        ("host_hours", vec![derived.host_hours.clone()]),
        ("destinations", vec![derived.destinations.clone()]),
        ("coverage", context.coverage.to_vec()),
    ];
    let functions = functions::all(context.indicators.clone(), context.networks.clone());
    let session = open_session(tables, functions, context.threads)?;
    let egress_hosts = count_egress_hosts(&derived.hosts);
    let coverage = coverage_shares(context.coverage, context.window.from_s, context.window.to_s);
    let mut outcome = Outcome::default();
    for detection in detections {
        let mut parameters: BTreeMap<String, Literal> =
            detection.parameters.iter().map(|p| (p.name.clone(), p.default.clone())).collect();
        parameters.insert("window_from_s".to_owned(), Literal::Integer(context.window.from_s));
        parameters.insert("window_to_s".to_owned(), Literal::Integer(context.window.to_s));
        parameters.insert("hosts".to_owned(), Literal::Integer(egress_hosts));
        parameters.insert("has_history".to_owned(), Literal::Boolean(context.window.has_history()));
        let sql = bind(&detection.name, &detection.sql, &parameters)?;
        let started = std::time::Instant::now();
        let mut found = Vec::new();
        for batch in run(&session, &detection.name, &sql).await? {
            found.extend(findings(detection, &batch, &context.window)?);
        }
        tracing::debug!(detection = detection.name, rows = found.len(), seconds = started.elapsed().as_secs_f64());
        if detection.discovery {
            found = discover(found, context.fdr, &mut outcome);
        }
        outcome.findings.append(&mut found);
    }
    for finding in &mut outcome.findings {
        complete(finding, context, &coverage);
    }
    sort_findings(&mut outcome.findings);
    Ok(outcome)
}

/// Keeps the candidates whose q-value lies within the false-discovery rate (Benjamini and Hochberg 1995).
fn discover(mut found: Vec<Finding>, fdr: f64, outcome: &mut Outcome) -> Vec<Finding> {
    // The order of rows depends on the plan; ids do not.
    found.sort_by(|a, b| a.id.cmp(&b.id));
    let p_values: Vec<f64> = found.iter().map(|finding| finding.p_value.unwrap_or(1.0)).collect();
    let q_values = benjamini_hochberg(&p_values);
    outcome.candidates += found.len() as u64;
    let kept: Vec<Finding> =
        found.into_iter().zip(q_values).filter(|(_, q)| *q <= fdr).map(|(finding, _)| finding).collect();
    // Of m candidates, at most m·p with a p-value as small as the largest kept one are expected by chance.
    let largest = kept.iter().filter_map(|finding| finding.p_value).fold(0.0, f64::max);
    outcome.expected_false += largest * p_values.len() as f64;
    kept
}

fn complete(finding: &mut Finding, context: &Context<'_>, coverage: &BTreeMap<String, f64>) {
    if let Some(name) = finding.interface_id.clone() {
        if let Some(facts) = context.host_facts.get(&name) {
            finding.instance_id = facts.instance_id.clone();
            finding.vpc_id = facts.vpc_id.clone();
        }
        finding.coverage = coverage.get(&name).copied().unwrap_or(0.0);
    }
    let allowed = context.allow.allowed(
        finding.host,
        finding.remote,
        finding.port,
        finding.protocol,
        &finding.detection,
        finding.last_seen_s,
    );
    if let Some(entry) = allowed {
        let reason = entry.reason();
        finding.severity = Severity::Informational;
        finding.explanation.push_str(&format!(" Lowered: allowed by {reason}."));
        finding.evidence.insert("allowed_by".to_owned(), reason.into());
    }
}

/// Hosts that sent anything to external remotes as clients: what prevalence is a share of.
fn count_egress_hosts(hosts: &RecordBatch) -> i64 {
    let Some(destinations) = hosts.column_by_name("destinations") else { return 0 };
    let destinations = destinations.as_primitive::<arrow::datatypes::UInt64Type>();
    destinations.iter().flatten().filter(|count| *count > 0).count() as i64
}
