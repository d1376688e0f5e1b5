//! Campaigns: attacks of several stages, on several hosts, with known truth.
//!
//! A campaign is a list of stages between roles, of its own or of a built-in [`forms::CampaignForm`]. [`place`] gives the
//! roles hosts and addresses and plans the connections, which go through the same interfaces and files as all others.
//! What happened is written to `campaigns.csv`, and for `labels.csv` every pair of addresses has a label.

mod cast;
pub mod duration;
pub mod forms;
mod plan;
pub mod spec;
#[cfg(test)]
mod tests;
mod traffic;
pub mod truth;

use std::collections::HashSet;

use crate::campaigns::cast::Casting;
use crate::campaigns::plan::Plan;
use crate::campaigns::spec::{CampaignSpec, checked};
use crate::campaigns::traffic::StageTraffic;
use crate::campaigns::truth::StageTruth;
use crate::error::CorpusError;
use crate::labels::Label;
use crate::options::GenerateOptions;
use crate::traffic::connection::Connection;
use crate::world::World;

/// One campaign on its hosts; it yields its connections hour by hour.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Index in [`World::sites`]: a campaign stays in one site.
    pub site: usize,
    /// What happened, in the order of time.
    pub truth: Vec<StageTruth>,
    /// One label for each pair of addresses.
    pub labels: Vec<Label>,
    stages: Vec<StageTraffic>,
}

impl Campaign {
    /// Appends the connections that start before `until_s` (seconds from the start of the corpus).
    pub fn advance(&mut self, world: &World, until_s: u32, connections: &mut Vec<Connection>) {
        self.stages.iter_mut().for_each(|stage| stage.advance(world, until_s, connections));
    }

    /// Estimates the rows that the campaign makes in the whole corpus, over all interfaces that log it.
    pub fn rows(&self, world: &World, window_s: u32, span_s: u32) -> f64 {
        self.stages.iter().map(|stage| stage.rows(world, window_s, span_s)).sum()
    }
}

/// Plants the campaigns of the options in hosts that have no attack of `attacked` yet, each host in one campaign at most.
/// Jump hosts may be in several.
///
/// # Errors
/// [`CorpusError::InvalidCampaigns`] when a campaign does not fit into the corpus.
pub fn place(world: &World, options: &GenerateOptions, attacked: &HashSet<u32>) -> Result<Vec<Campaign>, CorpusError> {
    let wrong = |message| CorpusError::InvalidCampaigns { path: "campaigns".to_owned(), message };
    let specs = checked(options.campaigns.clone()).map_err(wrong)?;
    let specs: Vec<CampaignSpec> = specs.into_iter().map(CampaignSpec::with_stages).collect();
    let copies: Vec<(&CampaignSpec, u32)> =
        specs.iter().flat_map(|spec| (0..spec.copies).map(move |copy| (spec, copy))).collect();
    let mut casting = Casting::new(world, attacked);
    let mut casts = Vec::with_capacity(copies.len());
    for (number, (spec, _)) in copies.iter().enumerate() {
        let cast = casting.cast(spec, number % world.sites.len());
        casts.push(cast.map_err(|message| wrong(format!("campaign `{}`: {message}", spec.name)))?);
    }
    // Sweeps try hosts that have no part in any campaign, so that the truth is one.
    let bystanders = casting.bystanders();
    let planned = copies.iter().zip(&casts).map(|((spec, copy), cast)| {
        let name = if spec.copies > 1 { format!("{}-{}", spec.name, copy + 1) } else { spec.name.clone() };
        let plan = Plan::new(world, options, spec, *copy, &name, cast, &bystanders[cast.site]);
        plan.campaign().map_err(|message| wrong(format!("campaign `{name}`: {message}")))
    });
    planned.collect()
}
