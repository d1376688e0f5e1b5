//! Generates a corpus hour by hour and site by site, so that memory holds one hour of one site.

mod site_hour;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::attacks::planted::{self, PlantedAttack};
use crate::attacks::{AttackSpec, default_attacks};
use crate::campaigns::spec::CampaignSpec;
use crate::campaigns::truth::{StageTruth, write_campaigns};
use crate::campaigns::{self, Campaign};
use crate::error::CorpusError;
use crate::generate::site_hour::{SiteHour, SiteState, before_first_hour};
use crate::labels::{Label, write_labels};
use crate::objects::columns;
use crate::objects::flow_file::CorpusFile;
use crate::objects::flow_file::properties;
use crate::options::GenerateOptions;
use crate::traffic::callers::{Caller, caller_of};
use crate::traffic::hubs;
use crate::traffic::periodic_services::services_of;
use crate::traffic::records::HourRecords;
use crate::world::World;
use crate::world::endpoints::Endpoint;
use crate::world::hubs::{Hub, HubShares};

/// Largest share of the rows that benign periodic services may take.
const MAX_PERIODIC_SHARE: f64 = 0.35;

/// Largest share of the rows that benign callers of a remote of their own may take.
const MAX_CALLER_SHARE: f64 = 0.2;

/// Largest share of the rows that hubs may take, where polls and log-ons can be rare enough.
const MAX_HUB_SHARE: f64 = 0.3;

/// The benign traffic that the rows have room for: shares of periodic traffic (0 to 1), rarest last, and how rare polls
/// and log-ons of hubs are.
#[derive(Clone, Copy, Debug)]
struct PeriodicRoom {
    /// Of periodic services.
    services: f64,
    /// Of callers of a remote of their own.
    callers: f64,
    /// How many times rarer polls and log-ons of hubs are than where the rows suffice.
    hub_pace: f64,
}

/// A summary of a generated corpus.
#[derive(Clone, Debug, Serialize)]
pub struct GenerateSummary {
    /// Rows of all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The files, ordered by time and site.
    pub files: Vec<CorpusFile>,
    /// Rows that belong to attacks.
    pub attack_rows: u64,
    /// Lines of `labels.csv` that name attacks.
    pub attack_labels: usize,
    /// Lines of `labels.csv`.
    pub labels: usize,
    /// Campaigns that were planted, each copy by itself.
    #[serde(skip_serializing_if = "is_zero")]
    pub planted_campaigns: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Generates a corpus: Parquet files in AWS's S3 layout, `labels.csv` and `corpus.json` in `options.out`, and
/// `campaigns.csv` where campaigns are planted.
///
/// `progress` receives the number of rows written after each file; it may be called from several threads. The same
/// options give the same bytes on any number of threads.
///
/// # Errors
/// [`CorpusError::InvalidOption`] when an option is out of range, when attacks leave no room in the rows, or when
/// `options.out` already holds `AWSLogs/`; [`CorpusError::InvalidCampaigns`] when campaigns do not fit into the corpus;
/// otherwise the file that could not be written, and the reason.
pub fn generate(options: &GenerateOptions, progress: &(dyn Fn(u64) + Sync)) -> Result<GenerateSummary, CorpusError> {
    options.validate()?;
    properties(options)?;
    let logs = options.out.join("AWSLogs");
    if logs.exists() {
        let expected = "a folder without `AWSLogs/`, so that two corpora never mix; remove it or choose another folder";
        return Err(CorpusError::option("out", options.out.display(), expected));
    }
    let world = World::new(options);
    let attacks = options.attacks.clone().unwrap_or_else(|| default_attacks(options.attack_hosts));
    attacks.iter().try_for_each(|attack| attack.validate())?;
    let planted = planted::place(&world, &attacks, options.span_s())?;
    let campaigns = campaigns::place(&world, options, &planted.iter().map(|attack| attack.host).collect())?;
    let attack_rows = room_for(&world, options, &planted, &campaigns)?;
    let room = periodic_room(&world, options, options.rows as f64 - attack_rows)?;
    let mut labels = labels_of(&world, options, &planted, room);
    labels.extend(campaigns.iter().flat_map(|campaign| campaign.labels.iter().cloned()));
    let truth: Vec<StageTruth> = campaigns.iter().flat_map(|campaign| campaign.truth.iter().cloned()).collect();
    std::fs::create_dir_all(&options.out).map_err(CorpusError::io(&options.out, "create"))?;
    let schema = columns::schema(options.fields_version);
    let mut states = before_first_hour(&world, options, planted, campaigns);
    let mut summary = GenerateSummary {
        rows: 0,
        bytes: 0,
        files: Vec::new(),
        attack_rows: 0,
        attack_labels: labels.iter().filter(|label| label.is_attack()).count(),
        labels: labels.len(),
        planted_campaigns: truth.iter().map(|stage| stage.campaign.as_str()).collect::<BTreeSet<&str>>().len(),
    };
    for hour in 0..options.hours {
        for (number, state) in states.iter_mut().enumerate() {
            let batch = SiteHour { world: &world, options, number, hour, room };
            let chunks = batch.make(state);
            let files = batch.write(&schema, chunks, summary.rows, progress)?;
            for file in files {
                summary.rows += file.rows;
                summary.bytes += file.bytes;
                summary.files.push(file);
            }
        }
    }
    summary.attack_rows = states.iter().map(|state| state.attack_rows).sum();
    write_labels(&options.out.join("labels.csv"), &labels)?;
    if !truth.is_empty() {
        write_campaigns(&options.out.join("campaigns.csv"), &truth)?;
    }
    write_manifest(options, &world, &attacks, room, &summary)?;
    Ok(summary)
}

/// The benign traffic of a world, hour by hour, for corpora that add traffic of their own to it.
pub struct Background<'a> {
    world: &'a World,
    options: &'a GenerateOptions,
    room: PeriodicRoom,
    states: Vec<SiteState>,
}

impl<'a> Background<'a> {
    /// Prepares traffic of about `options.rows` rows, without attacks and campaigns.
    ///
    /// # Errors
    /// [`CorpusError::InvalidOption`] when an option is out of range, or hubs need more than half of the rows.
    pub fn new(world: &'a World, options: &'a GenerateOptions) -> Result<Self, CorpusError> {
        options.validate()?;
        let room = periodic_room(world, options, options.rows as f64)?;
        Ok(Self { world, options, room, states: before_first_hour(world, options, Vec::new(), Vec::new()) })
    }

    /// Returns the records of an hour; hours must be asked for in their order.
    pub fn hour(&mut self, hour: u32) -> Vec<HourRecords> {
        let (world, options, room) = (self.world, self.options, self.room);
        let of_site = |(number, state)| SiteHour { world, options, number, hour, room }.make(state);
        self.states.iter_mut().enumerate().flat_map(of_site).collect()
    }
}

/// Estimates the rows of all attacks, and fails when they leave no room for anything else.
fn room_for(
    world: &World,
    options: &GenerateOptions,
    planted: &[PlantedAttack],
    campaigns: &[Campaign],
) -> Result<f64, CorpusError> {
    let (window_s, span_s) = (options.window_s, options.span_s());
    let rows = planted.iter().map(|attack| attack.rows(world, window_s, span_s)).sum::<f64>()
        + campaigns.iter().map(|campaign| campaign.rows(world, window_s, span_s)).sum::<f64>();
    let least = rows / 0.9;
    if least > options.rows as f64 {
        let expected = format!(
            "at least {least:.0}: the attacks alone make about {rows:.0} rows in {} hours; \
             ask for more rows, fewer hours, or fewer or slower attacks",
            options.hours
        );
        return Err(CorpusError::option("rows", options.rows, expected));
    }
    Ok(rows)
}

/// Returns the benign periodic traffic that fits into the rows that attacks leave: in the order of rarity, until the rows
/// of its kind are used up.
///
/// # Errors
/// [`CorpusError::InvalidOption`] when scans, deployments and people of hubs alone need more than half of the rows.
fn periodic_room(world: &World, options: &GenerateOptions, free_rows: f64) -> Result<PeriodicRoom, CorpusError> {
    let every = (world.hosts / 50_000).max(1);
    let hosts = || (0..world.hosts).step_by(every as usize);
    let rows_per_hour = free_rows / f64::from(every) / f64::from(options.hours);
    let callers = hosts()
        .filter_map(|host| caller_of(world, host, options.benign_callers))
        .map(|caller| (caller.rarity, caller.rows_per_hour(world)))
        .collect();
    let services = hosts()
        .flat_map(|host| services_of(world, host, 1.0))
        .map(|service| (service.rarity, service.rows_per_hour(world, options.window_s)))
        .collect();
    let hub_rows = hosts().map(|host| hubs::rows_per_hour(world, host, options.window_s));
    let (fixed, paced) = hub_rows.fold((0.0, 0.0), |sums, rows| (sums.0 + rows.0, sums.1 + rows.1));
    if fixed > 0.5 * rows_per_hour {
        let expected = format!(
            "at least {:.0} for the hubs; ask for more rows, or for smaller --hubs",
            options.rows as f64 * fixed / rows_per_hour * 2.0
        );
        return Err(CorpusError::option("rows", options.rows, expected));
    }
    let left = (MAX_HUB_SHARE * rows_per_hour - fixed).max(0.01 * rows_per_hour);
    Ok(PeriodicRoom {
        services: kept_share(services, MAX_PERIODIC_SHARE * rows_per_hour),
        callers: kept_share(callers, MAX_CALLER_SHARE * rows_per_hour),
        hub_pace: (paced / left).max(1.0),
    })
}

/// Returns the rarity below which the rows per hour, given with their rarity, are at most `most_rows`; 1 for all.
fn kept_share(mut parts: Vec<(f64, f64)>, most_rows: f64) -> f64 {
    parts.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut left = most_rows;
    for (rarity, rows) in parts {
        left -= rows;
        if left < 0.0 {
            return rarity;
        }
    }
    1.0
}

/// Returns the caller on a host, if it has one that the rows have room for.
fn kept_caller(world: &World, options: &GenerateOptions, host: u32, room: PeriodicRoom) -> Option<Caller> {
    caller_of(world, host, options.benign_callers).filter(|caller| caller.rarity < room.callers)
}

fn labels_of(world: &World, options: &GenerateOptions, planted: &[PlantedAttack], room: PeriodicRoom) -> Vec<Label> {
    let benign = |src, dst, port, protocol, source| Label {
        src: world.address(src),
        dst: world.address(dst),
        port: Some(port),
        protocol: Some(protocol),
        label: "benign-periodic".to_owned(),
        source,
    };
    let mut labels: Vec<Label> = planted.iter().flat_map(|attack| attack.labels(world)).collect();
    let periodic = (0..world.hosts).flat_map(|host| services_of(world, host, room.services));
    labels.extend(periodic.map(|service| {
        let source = format!("{} every {} s", service.name, service.period_s);
        benign(service.client, service.server, service.port, service.protocol, source)
    }));
    let callers = (0..world.hosts).filter_map(|host| kept_caller(world, options, host, room));
    labels.extend(callers.filter_map(|caller| {
        let source = format!("{} every {} s, drifting", caller.name, caller.period_s);
        Some(benign(Endpoint::interface(caller.host), caller.remote?, caller.port, caller.protocol, source))
    }));
    labels
}

#[derive(Serialize)]
struct Manifest<'a> {
    schema_version: u32,
    seed: u64,
    options: &'a GenerateOptions,
    attacks: &'a [AttackSpec],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    campaigns: &'a [CampaignSpec],
    #[serde(skip_serializing_if = "Option::is_none")]
    hubs: Option<HubFacts<'a>>,
    #[serde(flatten)]
    summary: &'a GenerateSummary,
}

/// The hubs of a corpus: the shares of hosts, how much rarer than usual polls and log-ons are, and where they stand.
#[derive(Serialize)]
struct HubFacts<'a> {
    shares: &'a HubShares,
    pace: f64,
    interfaces: Vec<HubInterface>,
}

#[derive(Serialize)]
struct HubInterface {
    hub: Hub,
    account: String,
    region: String,
    address: String,
}

impl<'a> HubFacts<'a> {
    fn of(world: &'a World, room: PeriodicRoom) -> Option<Self> {
        let interfaces = world.sites.iter().flat_map(|site| {
            let hubs = Hub::ALL.into_iter().zip(site.hubs);
            hubs.filter_map(move |(hub, index)| {
                let address = world.address(Endpoint::interface(index?)).to_string();
                Some(HubInterface { hub, account: site.account.clone(), region: site.region.clone(), address })
            })
        });
        let facts = Self { shares: &world.hubs, pace: room.hub_pace, interfaces: interfaces.collect() };
        (!world.hubs.is_none()).then_some(facts)
    }
}

fn write_manifest(
    options: &GenerateOptions,
    world: &World,
    attacks: &[AttackSpec],
    room: PeriodicRoom,
    summary: &GenerateSummary,
) -> Result<(), CorpusError> {
    let path: PathBuf = options.out.join("corpus.json");
    let manifest = Manifest {
        schema_version: 2,
        seed: options.seed,
        options,
        attacks,
        campaigns: &options.campaigns,
        hubs: HubFacts::of(world, room),
        summary,
    };
    let mut text = serde_json::to_string_pretty(&manifest)
        .map_err(|error| CorpusError::io(&path, "write")(std::io::Error::other(error)))?;
    text.push('\n');
    write_text(&path, &text)
}

fn write_text(path: &Path, text: &str) -> Result<(), CorpusError> {
    std::fs::write(path, text).map_err(CorpusError::io(path, "write"))
}
