//! The judgement of incidents as text.

use crate::evaluate::aligned;
use crate::evaluate::campaigns::IncidentEvaluation;

impl IncidentEvaluation {
    /// Returns the evaluation as aligned lines of text: campaigns, incidents by score, and totals.
    pub fn table(&self) -> Vec<String> {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let optional = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), percent);
        let number =
            |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |value| format!("{value:.digits$}"));
        let heads = ["campaign", "hosts", "incidents", "rank", "score", "hosts in one", "silent victims", "named"];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        rows.extend(self.by_campaign.iter().map(|campaign| {
            vec![
                campaign.campaign.clone(),
                campaign.compromised.to_string(),
                campaign.incidents.to_string(),
                campaign.rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string()),
                number(campaign.score, 1),
                percent(campaign.host_share),
                campaign.silent_victims.to_string(),
                campaign.silent_victims_named.to_string(),
            ]
        }));
        let mut lines = aligned(&rows);
        let heads = ["score", "incidents", "true", "precision", "campaigns", "benign", "benign per 10,000 host-days"];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        rows.extend(self.at_score.iter().map(|line| {
            vec![
                line.min_score.map_or_else(|| "any".to_owned(), |least| format!("{least:.0} or more")),
                line.incidents.to_string(),
                line.true_incidents.to_string(),
                optional(line.precision),
                line.campaigns_found.to_string(),
                line.benign.to_string(),
                number(line.benign_per_10000_host_days, 2),
            ]
        }));
        lines.push(String::new());
        lines.extend(aligned(&rows));
        lines.push(String::new());
        let rank = self.first_true_rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string());
        lines.extend([
            format!("campaign recall {} ({} of {} campaigns)", optional(self.recall), self.found, self.campaigns),
            format!(
                "incidents a campaign {}, mixed incidents {}, purity {}",
                number(self.fragmentation, 2),
                self.mixed,
                optional(self.purity)
            ),
            format!(
                "B-cubed over findings: precision {}, recall {}",
                optional(self.bcubed_precision),
                optional(self.bcubed_recall)
            ),
            format!("share of compromised hosts in the best incident {}", optional(self.host_share)),
            format!("rank of the first true incident {rank}"),
            format!("silent victims named, or among the first ten reached {}", optional(self.victim_recall_at_10)),
        ]);
        if let Some(churn) = &self.churn {
            lines.push(format!("ids lost {} of {} in {} steps", churn.lost_ids, churn.carried, churn.steps));
        }
        lines
    }
}
