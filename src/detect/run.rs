//! Runs every detection over the tables of a run.

use super::catalogue::{Detection, Need};
use super::error::DetectError;
use super::events::name_events;
use super::finding::{ALLOWED_BY, Finding, VERDICT, sort_findings};
use super::interfaces::name_interfaces;
use super::joint::raise_joint;
use super::rows::{findings, missing};
use super::succession::join_successors;
use super::told_once::tell_once;
use crate::accesses::{AccessLogs, AccessTables, AccessWindow, Surroundings, access_tables, coverage};
use crate::intel::{
    AWS_OWNER, AllowList, Contact, Indicators, InternalNetworks, Networks, Suspect, VerdictEntry, Verdicts,
};
use crate::sql::{
    Literal, SharedMemory, StagedQuery, add_table, bind, functions, furnish, open_empty_session, run_candidates,
};
use arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;
use flow::Address;
use flow::Severity;
use futures::StreamExt;
use kernels::discovery::benjamini_hochberg;
use rayon::prelude::*;
use rollup::coverage::{HostFacts, LostTimes, coverage_shares};
use rollup::derive::Derived;
use rollup::window::Window;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Handle;
use tracing::Instrument;

/// The inputs of a run besides the derived tables.
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
    /// The user's own networks.
    pub internal: Arc<InternalNetworks>,
    /// Contacts that the user accepts.
    pub allow: &'a AllowList,
    /// What people decided about earlier findings.
    pub verdicts: &'a Verdicts,
    /// Tables of `coverage`.
    pub coverage: &'a [RecordBatch],
    /// The logs beside flow logs; without acts, they cost nothing.
    pub accesses: &'a AccessLogs,
    /// Facts of ENIs by name.
    pub host_facts: &'a HashMap<String, HostFacts>,
    /// Partitions of the plans, at least 1.
    pub threads: usize,
    /// What the plans may take.
    pub memory: SharedMemory,
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
    /// The share of the window, 0–1, that the log of each ENI covers, by its name.
    pub coverage: BTreeMap<String, f64>,
}

impl Outcome {
    /// Returns the findings of a severity and above, sorted.
    pub fn at_least(&self, least: Severity) -> &[Finding] {
        &self.findings[..self.findings.partition_point(|finding| finding.severity >= least)]
    }
}

/// Runs the detections; the findings come sorted and do not depend on the number of threads.
///
/// # Errors
/// [`DetectError`] when a detection's SQL fails or its result does not have the form of findings.
pub async fn detect(
    detections: &[Detection],
    derived: &Derived,
    context: &Context<'_>,
) -> Result<Outcome, DetectError> {
    let coverage = coverage(context.coverage, &context.accesses.told)?;
    let mut tables = vec![
        ("hosts", vec![derived.hosts.clone()]),
        ("host_hours", vec![derived.host_hours.clone()]),
        ("destinations", vec![derived.destinations.clone()]),
        ("services", vec![derived.services.clone()]),
        ("host_days", vec![derived.host_days.clone()]),
        ("coverage", coverage),
    ];
    let (from_s, to_s) = (context.window.from_s, context.window.to_s);
    let accesses = tables_of_accesses(context)?;
    let has_accesses = !accesses.is_empty();
    tables.extend(accesses.into_iter().map(|(name, table)| (name, vec![table])));
    let (lost, (shares, session)) = rayon::join(
        || LostTimes::new(context.coverage, context.window.baseline_from_s, to_s),
        || {
            let shares = coverage_shares(context.coverage, from_s, to_s);
            (shares, open_empty_session(context.threads, &context.memory))
        },
    );
    let lists = functions::Lists {
        indicators: context.indicators.clone(),
        networks: context.networks.clone(),
        internal: context.internal.clone(),
        lost: Arc::new(lost),
    };
    let session = session?;
    furnish(&session, tables, &lists, context.threads)?;
    add_table(&session, "pairs", &derived.pairs, context.threads)?;
    let egress_hosts = i64::try_from(derived.egress_hosts).unwrap_or(i64::MAX);
    let given = RunParameters { window: context.window, fdr: context.fdr, egress_hosts };
    // The last part of a plan runs on one thread, so a few more plans than threads keep all threads busy. Where pairs did
    // not fit into memory, plans that run at the same time would not fit either.
    let most = if derived.pairs.is_in_memory() { context.threads + 2 } else { 1 };
    let has = |need: &Need| match need {
        Need::Indicators => !context.indicators.is_empty(),
        Need::History => context.window.has_history(),
        Need::Days => derived.host_days.num_rows() > 0,
        Need::Accesses => has_accesses,
    };
    let able: Vec<&Detection> = detections.iter().filter(|detection| detection.needs.iter().all(has)).collect();
    // Planning is most of the cost of a detection on a small run, and it never waits for I/O.
    let runtime = Handle::current();
    let plan = |detection: &&Detection| runtime.block_on(prepare(detection, &session, given));
    let plans = match able.as_slice() {
        // Rayon would run a single one here, where the runtime cannot wait for it.
        [one] => vec![prepare(one, &session, given).await?],
        _ => able.par_iter().map(plan).collect::<Result<Vec<StagedQuery>, DetectError>>()?,
    };
    let failed = Arc::new(AtomicBool::new(false));
    let running = able.into_iter().zip(plans).map(|(detection, plan)| {
        let failed = failed.clone();
        let span = tracing::info_span!("detection", name = detection.name.as_str());
        let (detection, session) = (detection.clone(), session.clone());
        // On a task of its own, begun when its turn comes.
        async move {
            if failed.load(Ordering::Relaxed) {
                return Ok(Ok(Outcome::default()));
            }
            tokio::spawn(run_detection(detection, plan, session, given).instrument(span)).await
        }
    });
    let mut running = futures::stream::iter(running).buffered(context.memory.plans_together(most));
    let mut outcome = Outcome { coverage: shares, ..Outcome::default() };
    let mut first_error = None;
    while let Some(found) = running.next().await {
        match found.unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic())) {
            Ok(mut found) => {
                outcome.findings.append(&mut found.findings);
                outcome.candidates += found.candidates;
                outcome.expected_false += found.expected_false;
            }
            // No more detections begin, but those that run are awaited: a plan whose runtime ends under it panics.
            Err(error) => {
                failed.store(true, Ordering::Relaxed);
                first_error.get_or_insert(error);
            }
        }
    }
    if let Some(error) = first_error {
        return Err(error);
    }
    name_interfaces(&mut outcome.findings, &derived.hosts);
    let Outcome { findings, coverage, .. } = &mut outcome;
    findings.par_iter_mut().for_each(|finding| complete(finding, context, coverage));
    join_successors(&mut outcome.findings);
    tell_once(&mut outcome.findings);
    raise_joint(&mut outcome.findings);
    name_events(&mut outcome.findings, context.accesses);
    sort_findings(&mut outcome.findings);
    Ok(outcome)
}

/// Returns the tables of the logs beside flow logs; none if there are no such logs.
fn tables_of_accesses(context: &Context<'_>) -> Result<AccessTables, DetectError> {
    // Whoever rents a machine in a cloud shares its owner with all others who do.
    let owner_of = |address: Address| {
        context.networks.lookup(address).map(|network| network.owner).filter(|owner| *owner != AWS_OWNER)
    };
    let is_internal = |address: Address| context.internal.contains(address);
    let surroundings = Surroundings { owner_of: &owner_of, is_internal: &is_internal };
    let window = AccessWindow { from_s: context.window.from_s, to_s: context.window.to_s };
    Ok(access_tables(context.accesses, &surroundings, &window)?)
}

/// The parameters that every detection has besides its own.
#[derive(Clone, Copy)]
struct RunParameters {
    window: Window,
    fdr: f64,
    egress_hosts: i64,
}

/// Plans a detection's query, or its first part that runs on its own.
async fn prepare(
    detection: &Detection,
    session: &SessionContext,
    given: RunParameters,
) -> Result<StagedQuery, DetectError> {
    let mut parameters: BTreeMap<String, Literal> =
        detection.parameters.iter().map(|p| (p.name.clone(), p.default.clone())).collect();
    parameters.insert("window_from_s".to_owned(), Literal::Integer(given.window.from_s));
    parameters.insert("baseline_from_s".to_owned(), Literal::Integer(given.window.baseline_from_s));
    parameters.insert("window_to_s".to_owned(), Literal::Integer(given.window.to_s));
    parameters.insert("hosts".to_owned(), Literal::Integer(given.egress_hosts));
    parameters.insert("has_history".to_owned(), Literal::Boolean(given.window.has_history()));
    parameters.insert("fdr".to_owned(), Literal::Float(given.fdr));
    let label = format!("detection {}", detection.name);
    let sql = bind(&label, &detection.sql, &parameters)?;
    Ok(StagedQuery::in_stages(session, &label, &sql, &detection.once).await?)
}

async fn run_detection(
    detection: Detection,
    plan: StagedQuery,
    session: SessionContext,
    given: RunParameters,
) -> Result<Outcome, DetectError> {
    let started = std::time::Instant::now();
    let mut outcome = Outcome::default();
    let batches = if detection.discovery {
        let keep = |p_values: &[f64]| {
            let (kept, expected_false) = discover(p_values, given.fdr);
            (outcome.candidates, outcome.expected_false) = (p_values.len() as u64, expected_false);
            kept
        };
        let batches = run_candidates(&session, plan, "p_value", keep).await?;
        if batches.iter().any(|batch| batch.column_by_name("p_value").is_none()) {
            return Err(missing(&detection.name, "p_value", "a number, as the header says `discovery`"));
        }
        batches
    } else {
        plan.run(&session).await?
    };
    let found = batches.par_iter().map(|batch| findings(&detection, batch, &given.window));
    outcome.findings = found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    tracing::debug!(
        detection = detection.name,
        candidates = outcome.candidates,
        findings = outcome.findings.len(),
        seconds = started.elapsed().as_secs_f64()
    );
    Ok(outcome)
}

/// Returns which candidates have a q-value within the false-discovery rate (Benjamini and Hochberg 1995), and how many of
/// them are expected by chance. A p-value that is not a number counts as a test that found nothing.
fn discover(p_values: &[f64], fdr: f64) -> (Vec<bool>, f64) {
    let kept: Vec<bool> = benjamini_hochberg(p_values).into_iter().map(|q| q <= fdr).collect();
    // Of m candidates, at most m·p with a p-value as small as the largest kept one are expected by chance.
    let largest = p_values.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(p, _)| *p).fold(0.0, f64::max);
    (kept, largest * p_values.len() as f64)
}

fn complete(finding: &mut Finding, context: &Context<'_>, coverage: &BTreeMap<String, f64>) {
    if let Some(name) = finding.interface_id.clone() {
        if let Some(facts) = context.host_facts.get(&name) {
            finding.instance_id = facts.instance_id.clone();
            finding.vpc_id = facts.vpc_id.clone();
        }
        finding.coverage = Some(coverage.get(&name).copied().unwrap_or(0.0));
    }
    let contact = Contact {
        host: finding.host,
        remote: finding.remote,
        port: finding.port,
        protocol: finding.protocol,
        owner: finding.remote.and_then(|remote| context.networks.lookup(remote)),
        detection: &finding.detection,
        at_s: finding.last_seen_s,
    };
    let allowed = context.allow.allowed(&contact);
    if let Some(entry) = allowed {
        let reason = entry.reason();
        finding.severity = Severity::Informational;
        finding.explanation.push_str(&format!(" Lowered: {reason}."));
        finding.evidence.insert(ALLOWED_BY.to_owned(), reason.into());
    }
    let suspect = Suspect {
        subject: &finding.subject,
        account_id: finding.account_id.as_deref(),
        host: finding.host,
        remote: finding.remote,
        at_s: finding.last_seen_s,
    };
    if let Some(reason) = context.verdicts.lowering(&suspect).map(VerdictEntry::reason) {
        finding.severity = Severity::Informational;
        finding.explanation.push_str(&format!(" Lowered: {reason}."));
        finding.evidence.insert(VERDICT.to_owned(), reason.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery_keeps_what_the_rate_allows_and_counts_every_candidate() {
        let p_values = [0.9, 0.001, f64::NAN, 0.0119, 0.012, 1.0];
        // Ascending: 0.001·6/1, 0.0119·6/2, 0.012·6/3 = 0.024, which carries the second as well.
        let (kept, expected_false) = discover(&p_values, 0.0241);
        assert_eq!(kept, [false, true, false, true, true, false]);
        assert!((expected_false - 6.0 * 0.012).abs() < 1e-12);
        assert_eq!(discover(&p_values, 0.005), (vec![false; 6], 0.0));
        assert_eq!(discover(&[], 0.1), (Vec::new(), 0.0));
    }

    #[test]
    fn candidates_beyond_the_rate_need_no_exact_p_value() {
        let fdr = 0.05;
        let exact = [0.3, 0.0001, 0.051, 0.01, 0.04, 0.6, 0.05, 0.002];
        let rough = exact.map(|p| if p > fdr { 1.0 } else { p });
        assert_eq!(discover(&exact, fdr), discover(&rough, fdr));
    }
}
