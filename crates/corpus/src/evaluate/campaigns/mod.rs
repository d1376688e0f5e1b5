//! Judges incidents against campaigns: who was found, whether what belongs together is together, and nothing else.
//!
//! **Truth.** A line of `campaigns.csv` makes its `src` a compromised host of its campaign (unless it comes from outside,
//! or is only a pivot), and gives `dst` its part. Hosts of attacks in `labels.csv` that no campaign has are attacks of
//! their own. All other hosts are benign.
//!
//! **Whose an incident is.** That of every campaign that has one of its hosts with signs of their own as a compromised
//! host. A target of the campaign counts where a compromised host is in the incident, or where a finding is about both; by
//! itself it may show a sign of its benign life. An incident is true when it is some campaign's or attack's, and mixed when hosts with signs of two
//! campaigns, or of a campaign and of none, are in it. Pivots count for nobody, since others use them too.
//!
//! **Findings.** A finding belongs to a campaign when its host is compromised, or when both of its sides have a part in
//! the campaign. B-cubed precision is the mean, over findings in an incident, of the share of that incident's findings that
//! belong to the same campaign (or benign host); recall is the mean, over findings of campaigns, of the share of the
//! campaign's findings that are in the same incident.

mod measures;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use measures::{bcubed, churn};

use crate::campaigns::truth::{Part, StageTruth};
use crate::evaluate::findings::{FindingSeverity, JudgedFinding};
use crate::evaluate::incidents::{IncidentStatus, JudgedIncident};
use crate::labels::Label;
use flow::Address;

/// How well one campaign was found.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct CampaignResult {
    /// Its name.
    pub campaign: String,
    /// Compromised hosts.
    pub compromised: usize,
    /// Incidents that are about it.
    pub incidents: usize,
    /// Rank of the first of them in the order of the file, from 1; `None` when it was missed.
    pub rank: Option<usize>,
    /// The highest of their scores.
    pub score: Option<f64>,
    /// Largest share of its compromised hosts in one incident.
    pub host_share: f64,
    /// Inside hosts of the campaign that no finding is about.
    pub silent_victims: usize,
    /// Those of them that its best incident names as its hosts, or among the first ten reached.
    pub silent_victims_named: usize,
}

/// The incidents of at least one score.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct IncidentsAtScore {
    /// The least score; `None` for all incidents.
    pub min_score: Option<f64>,
    /// Incidents.
    pub incidents: usize,
    /// Incidents that are about a campaign or another attack.
    pub true_incidents: usize,
    /// `true_incidents` / `incidents`; `None` without incidents.
    pub precision: Option<f64>,
    /// Campaigns that one of them is about.
    pub campaigns_found: usize,
    /// Incidents about benign hosts alone.
    pub benign: usize,
    /// Those in a day of 10,000 hosts; `None` where the number of hosts and days is not known.
    pub benign_per_10000_host_days: Option<f64>,
}

/// How well incidents kept their ids from window to window.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct IdChurn {
    /// Pairs of successive windows.
    pub steps: usize,
    /// Open incidents that the next window tells too, by host or subject.
    pub carried: usize,
    /// Those of them whose id the next window does not have.
    pub lost_ids: usize,
}

/// Incidents evaluated against campaigns.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct IncidentEvaluation {
    /// Campaigns.
    pub campaigns: usize,
    /// Campaigns that some incident is about.
    pub found: usize,
    /// `found` / `campaigns`; `None` without campaigns.
    pub recall: Option<f64>,
    /// All incidents, and those of at least score 4 and 6.
    pub at_score: Vec<IncidentsAtScore>,
    /// Incidents in which two campaigns, or a campaign and benign hosts, are mixed.
    pub mixed: usize,
    /// Mean share of the main campaign among the hosts with signs, over true incidents; `None` without.
    pub purity: Option<f64>,
    /// Mean number of incidents about a campaign, over those found; `None` without.
    pub fragmentation: Option<f64>,
    /// B-cubed precision over findings; `None` without findings in incidents.
    pub bcubed_precision: Option<f64>,
    /// B-cubed recall over findings; `None` without findings of campaigns.
    pub bcubed_recall: Option<f64>,
    /// Mean of the campaigns' `host_share`; `None` without campaigns.
    pub host_share: Option<f64>,
    /// Rank of the first true incident in the order of the file, from 1.
    pub first_true_rank: Option<usize>,
    /// Share of silent victims named by the best incident, of campaigns found; `None` without any.
    pub victim_recall_at_10: Option<f64>,
    /// Ids from window to window; `None` for one window.
    pub churn: Option<IdChurn>,
    /// By campaign, in the order of names.
    pub by_campaign: Vec<CampaignResult>,
}

/// What incidents are compared with.
#[derive(Clone, Copy, Debug)]
pub struct IncidentTruth<'a> {
    /// The stages of all campaigns.
    pub stages: &'a [StageTruth],
    /// The labels of the corpus.
    pub labels: &'a [Label],
    /// Hosts times days of the window, for rates; `None` where not known.
    pub host_days: Option<f64>,
}

/// The hosts and addresses of one campaign.
#[derive(Debug, Default)]
struct Involved {
    compromised: BTreeSet<Address>,
    pivots: BTreeSet<Address>,
    targets: BTreeSet<Address>,
    /// All of them, and the addresses outside.
    all: BTreeSet<Address>,
}

impl Involved {
    fn by_campaign(stages: &[StageTruth]) -> BTreeMap<&str, Self> {
        let mut campaigns = BTreeMap::<&str, Self>::new();
        for stage in stages {
            let of = campaigns.entry(&stage.campaign).or_default();
            of.all.extend([Some(stage.src), stage.dst].into_iter().flatten());
            match (stage.part, stage.dst) {
                (Some(Part::Compromised), dst) => of.compromised.extend(dst),
                (Some(Part::Pivot), dst) => of.pivots.extend(dst),
                (Some(Part::Target), dst) => of.targets.extend(dst),
                _ => {}
            }
        }
        // Who comes in, or is called, lies outside, also where it acts in another stage.
        let outside = |stage: &StageTruth| match stage.part {
            _ if stage.tactic == "initial-access" => Some(stage.src),
            Some(part) if !part.is_inside() => stage.dst,
            _ => None,
        };
        for (name, of) in &mut campaigns {
            let own = || stages.iter().filter(|stage| stage.campaign == *name);
            let outside: BTreeSet<Address> = own().filter_map(outside).collect();
            let acting = own().map(|stage| stage.src).filter(|src| !outside.contains(src) && !of.pivots.contains(src));
            of.compromised.extend(acting);
            of.targets = of.targets.difference(&of.compromised).copied().collect();
        }
        campaigns
    }

    fn owns(&self, host: Address) -> bool {
        self.compromised.contains(&host) || self.targets.contains(&host)
    }

    /// Returns whether both sides of a finding have a part in the campaign.
    fn is_between(&self, finding: &JudgedFinding) -> bool {
        let sides = [finding.host, finding.remote];
        sides.iter().all(|side| side.is_some_and(|side| self.all.contains(&side)))
    }

    fn inside(&self) -> impl Iterator<Item = Address> {
        self.compromised.iter().chain(&self.pivots).chain(&self.targets).copied()
    }
}

/// Whose a host or a finding is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Owner<'a> {
    Campaign(&'a str),
    Attack(Address),
    Benign(Option<Address>),
}

struct Judge<'a> {
    campaigns: BTreeMap<&'a str, Involved>,
    attacked: BTreeSet<Address>,
    pivots: BTreeSet<Address>,
    /// Targets with a finding about their campaign, and its name.
    told: BTreeSet<(Address, &'a str)>,
}

impl<'a> Judge<'a> {
    fn new(truth: &IncidentTruth<'a>, findings: &[JudgedFinding]) -> Self {
        let campaigns = Involved::by_campaign(truth.stages);
        let attacks = truth.labels.iter().filter(|label| label.is_attack()).map(|label| label.src);
        let attacked = attacks.filter(|src| !campaigns.values().any(|of| of.owns(*src))).collect();
        let pivots = campaigns.values().flat_map(|of| of.pivots.iter().copied()).collect();
        let hosts_told = |(name, of): (&&'a str, &Involved)| {
            let told = findings.iter().filter(|finding| of.is_between(finding)).filter_map(|finding| finding.host);
            told.map(|host| (host, *name)).collect::<Vec<_>>()
        };
        let told = campaigns.iter().flat_map(hosts_told).collect();
        Self { campaigns, attacked, pivots, told }
    }

    /// Returns whose a host is; `None` for a pivot that is nobody's own.
    fn owner_of_host(&self, host: Address) -> Option<Owner<'a>> {
        match self.campaigns.iter().find(|(_, of)| of.owns(host)) {
            Some((name, _)) => Some(Owner::Campaign(name)),
            None if self.attacked.contains(&host) => Some(Owner::Attack(host)),
            None if self.pivots.contains(&host) => None,
            None => Some(Owner::Benign(Some(host))),
        }
    }

    fn owners(&self, incident: &JudgedIncident) -> Vec<Owner<'a>> {
        let signed: Vec<Address> = incident.signed().collect();
        let is_about = |name: &str, host: Address| {
            let of = &self.campaigns[name];
            signed.iter().any(|host| of.compromised.contains(host)) || self.told.contains(&(host, name))
        };
        let owner = |host: Address| match self.owner_of_host(host)? {
            Owner::Campaign(name) if !is_about(name, host) => Some(Owner::Benign(Some(host))),
            owner => Some(owner),
        };
        signed.iter().copied().filter_map(owner).collect()
    }

    fn owner_of_finding(&self, finding: &JudgedFinding) -> Owner<'a> {
        let Some(host) = finding.host else { return Owner::Benign(None) };
        let is_about = |of: &Involved| of.compromised.contains(&host) || of.is_between(finding);
        match self.campaigns.iter().find(|(_, of)| is_about(of)) {
            Some((name, _)) => Owner::Campaign(name),
            None if self.attacked.contains(&host) => Owner::Attack(host),
            None => Owner::Benign(Some(host)),
        }
    }
}

/// Judges the incidents of the last window, and how ids lived over all windows; findings below `min_severity` do not
/// count.
pub fn judge_incidents(
    windows: &[Vec<JudgedIncident>],
    findings: &[JudgedFinding],
    truth: &IncidentTruth<'_>,
    min_severity: FindingSeverity,
) -> IncidentEvaluation {
    let judge = Judge::new(truth, findings);
    let incidents: Vec<&JudgedIncident> =
        windows.last().into_iter().flatten().filter(|incident| incident.status != IncidentStatus::Merged).collect();
    let owners: Vec<Vec<Owner<'_>>> = incidents.iter().map(|incident| judge.owners(incident)).collect();
    let counted: Vec<&JudgedFinding> = findings.iter().filter(|f| f.severity >= min_severity).collect();
    let by_campaign: Vec<CampaignResult> =
        judge.campaigns.iter().map(|(name, of)| campaign_result(name, of, &incidents, &owners, findings)).collect();
    let found = by_campaign.iter().filter(|campaign| campaign.rank.is_some());
    let (count, pieces) = found.clone().fold((0, 0), |sums, campaign| (sums.0 + 1, sums.1 + campaign.incidents));
    let (victims, named) = found.fold((0, 0), |sums, c| (sums.0 + c.silent_victims, sums.1 + c.silent_victims_named));
    let purities: Vec<f64> = owners.iter().filter(|owners| is_true(owners)).map(|owners| purity(owners)).collect();
    let (bcubed_precision, bcubed_recall) = bcubed(&judge, &incidents, &counted);
    let shares: Vec<f64> = by_campaign.iter().map(|campaign| campaign.host_share).collect();
    IncidentEvaluation {
        campaigns: by_campaign.len(),
        found: count,
        recall: share(count, by_campaign.len()),
        at_score: [None, Some(4.0), Some(6.0)]
            .map(|least| at_score(least, &incidents, &owners, truth.host_days))
            .to_vec(),
        mixed: owners.iter().filter(|owners| is_true(owners) && purity(owners) < 1.0).count(),
        purity: mean(&purities),
        fragmentation: share(pieces, count),
        bcubed_precision,
        bcubed_recall,
        host_share: mean(&shares),
        first_true_rank: owners.iter().position(|owners| is_true(owners)).map(|index| index + 1),
        victim_recall_at_10: share(named, victims),
        churn: (windows.len() > 1).then(|| churn(windows)),
        by_campaign,
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Returns whether an incident is about a campaign or another attack.
fn is_true(owners: &[Owner<'_>]) -> bool {
    owners.iter().any(|owner| !matches!(owner, Owner::Benign(_)))
}

/// Returns the share of the most frequent owner; all benign hosts are one.
fn purity(owners: &[Owner<'_>]) -> f64 {
    let mut counts = BTreeMap::<Owner<'_>, usize>::new();
    for owner in owners {
        let owner = if let Owner::Benign(_) = owner { Owner::Benign(None) } else { owner.clone() };
        *counts.entry(owner).or_default() += 1;
    }
    counts.values().max().map_or(1.0, |most| *most as f64 / owners.len() as f64)
}

fn campaign_result(
    name: &str,
    of: &Involved,
    incidents: &[&JudgedIncident],
    owners: &[Vec<Owner<'_>>],
    findings: &[JudgedFinding],
) -> CampaignResult {
    let about = |n: &usize| owners[*n].contains(&Owner::Campaign(name));
    let about: Vec<usize> = (0..incidents.len()).filter(about).collect();
    let held = |n: usize| of.compromised.iter().filter(|host| incidents[n].has(**host)).count();
    // The best rank wins a tie.
    let best = about.iter().copied().rev().max_by_key(|n| held(*n));
    let silent: Vec<Address> =
        of.inside().filter(|host| !findings.iter().any(|finding| finding.host == Some(*host))).collect();
    let named = best.map_or(0, |best| {
        let first_ten: Vec<Address> = incidents[best].reached().into_iter().take(10).collect();
        silent.iter().filter(|host| incidents[best].has(**host) || first_ten.contains(host)).count()
    });
    CampaignResult {
        campaign: name.to_owned(),
        compromised: of.compromised.len(),
        incidents: about.len(),
        rank: about.first().map(|first| first + 1),
        score: about.iter().map(|n| incidents[*n].score).max_by(f64::total_cmp),
        host_share: best.and_then(|best| share(held(best), of.compromised.len())).unwrap_or(0.0),
        silent_victims: silent.len(),
        silent_victims_named: named,
    }
}

fn at_score(
    min_score: Option<f64>,
    incidents: &[&JudgedIncident],
    owners: &[Vec<Owner<'_>>],
    host_days: Option<f64>,
) -> IncidentsAtScore {
    let least = min_score.unwrap_or(f64::NEG_INFINITY);
    let counted: Vec<&Vec<Owner<'_>>> = incidents
        .iter()
        .zip(owners)
        .filter(|(incident, _)| incident.score >= least)
        .map(|(_, owners)| owners)
        .collect();
    let true_incidents = counted.iter().filter(|owners| is_true(owners)).count();
    let campaigns: BTreeSet<&str> = (counted.iter().flat_map(|owners| owners.iter()))
        .filter_map(|owner| if let Owner::Campaign(name) = owner { Some(*name) } else { None })
        .collect();
    let benign = counted.len() - true_incidents;
    IncidentsAtScore {
        min_score,
        incidents: counted.len(),
        true_incidents,
        precision: share(true_incidents, counted.len()),
        campaigns_found: campaigns.len(),
        benign,
        benign_per_10000_host_days: host_days.filter(|days| *days > 0.0).map(|days| benign as f64 / days * 10_000.0),
    }
}

#[cfg(test)]
mod tests;
