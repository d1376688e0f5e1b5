//! A company with one intrusion in all of its logs: flow logs, CloudTrail, Okta, Jira, Bitbucket and the balancer.
//!
//! [`generate_story()`] writes it day by day. What happens on a day is drawn first, as small values (`acts`): the life of
//! people and programs (`life`) and the story itself (`plot`). Each log's own text is made of them when an object is
//! written (`records`, `deliver`), and the connections that carried them become flow records (`flows`).
//!
//! **What joins.** The balancer's `client:port` is the remote and its port in the flow record of the balancer's node; its
//! target is the private address of the product's server; what is taken from Bitbucket comes from the Jira server's
//! private address; a long-term key is in the list of keys; people have one name in Okta, AWS, Jira and Bitbucket.
//!
//! **Cost.** Memory holds the acts of one day (50 to 100 bytes each) and the text of one object for each thread. The
//! same options give the same bytes on any number of threads.

mod acts;
mod deliver;
mod estate;
mod flows;
mod ids;
pub mod labels;
mod life;
mod moment;
mod networks;
pub mod options;
mod people;
mod plot;
mod records;
#[cfg(test)]
mod tests;
mod timeline;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use self::acts::{Acts, Caller, Product, WebPath};
use self::estate::{Estate, NEW_USER, dotted};
use self::flows::Flows;
use self::labels::write_story_labels;
use self::networks::networks_csv;
use self::options::{StoryOptions, Variation};
use self::plot::plot;
use self::records::{atlassian, iam};
use self::timeline::DAY_S;
use crate::error::CorpusError;
use crate::objects::flow_file::CorpusFile;
use flow::time::rfc3339;

/// A summary of a generated story.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StorySummary {
    /// Days of the logs.
    pub days: u32,
    /// Events of all logs beside the flow logs.
    pub events: u64,
    /// Events by log.
    pub events_by_log: BTreeMap<&'static str, u64>,
    /// Records of the flow logs.
    pub flow_records: u64,
    /// Objects of all logs, and their bytes.
    pub objects: u64,
    /// Bytes of all objects.
    pub bytes: u64,
    /// Lines of `labels.csv`.
    pub labels: u64,
}

impl StorySummary {
    fn add(&mut self, files: &[CorpusFile]) {
        self.objects += files.len() as u64;
        self.bytes += files.iter().map(|file| file.bytes).sum::<u64>();
    }

    fn count(&mut self, acts: &Acts) {
        self.events += acts.events();
        for (log, count) in [
            ("alb", acts.requests.len()),
            ("atlassian_audit", acts.audits.len()),
            ("bitbucket_access", acts.gits.len()),
            ("cloudtrail", acts.calls.len()),
            ("okta", acts.okta.len()),
        ] {
            *self.events_by_log.entry(log).or_default() += count as u64;
        }
    }
}

/// Writes a story: all logs in their layouts, `iam/`, `networks.csv`, `labels.csv` and `corpus.json` in `options.out`.
///
/// `progress` receives the number of events of each object once it is written; it may be called from several threads.
///
/// # Errors
/// [`CorpusError::InvalidOption`] when an option is out of range or `options.out` already holds `AWSLogs/`; otherwise the
/// file that could not be written, and the reason.
pub fn generate_story(options: &StoryOptions, progress: &(dyn Fn(u64) + Sync)) -> Result<StorySummary, CorpusError> {
    options.validate()?;
    if options.out.join("AWSLogs").exists() {
        let expected = "a folder without `AWSLogs/`, so that two corpora never mix; remove it or choose another folder";
        return Err(CorpusError::option("out", options.out.display(), expected));
    }
    std::fs::create_dir_all(&options.out).map_err(CorpusError::io(&options.out, "create"))?;
    let busyness = options.events.map_or(1.0, |events| busyness_for(options, events));
    let estate = Estate::new(options, busyness);
    let mut told = plot(&estate);
    told.acts.sort();
    let mut summary =
        StorySummary { days: estate.times.days(), labels: told.labels.len() as u64, ..StorySummary::default() };
    let mut flows = Flows::new(&estate)?;
    for day in 0..estate.times.days() {
        let day_s = estate.times.day_s(day);
        let mut acts = life::of_day(&estate, day_s);
        acts.append(told.acts.within(&estate, day_s));
        acts.sort();
        let files = flows.write_day(day, &acts.connections)?;
        summary.flow_records += files.iter().map(|file| file.rows).sum::<u64>();
        summary.add(&files);
        if options.variation == Variation::AuditAtBase {
            acts.audits.retain(atlassian::is_base);
        }
        if estate.times.is_kept(day_s) {
            summary.count(&acts);
            summary.add(&deliver::write_day(&estate, &options.out, day_s, &acts, progress)?);
        }
    }
    write_text(&options.out.join("iam/credential-report.csv"), &iam::credential_report(&estate))?;
    write_text(&options.out.join("iam/access-keys.json"), &iam::access_keys(&estate))?;
    write_text(&options.out.join("networks.csv"), &networks_csv())?;
    write_story_labels(&options.out.join("labels.csv"), &told.labels)?;
    write_manifest(options, &estate, &summary)?;
    Ok(summary)
}

/// Returns how much busier than usual a company is that makes so many events: a week of it is drawn, and of that week
/// what grows with busyness is told from what does not.
fn busyness_for(options: &StoryOptions, events: u64) -> f64 {
    let estate = Estate::new(options, 1.0);
    let days = estate.times.days();
    let (mut growing, mut fixed) = (0.0, 0.0);
    for day in 0..7 {
        let acts = life::of_day(&estate, estate.times.day_s(day));
        let pages = acts.requests.iter().filter(|request| !matches!(request.path, WebPath::Git(_))).count();
        // In a busy company all hosts call, not only the three products' servers.
        let of_instances = acts.calls.iter().filter(|call| matches!(call.caller, Caller::Instance(..))).count();
        let hosts = f64::from(estate.flows.hosts - 8 + Product::ALL.len() as u32) / Product::ALL.len() as f64;
        growing += pages as f64 + of_instances as f64 * hosts;
        fixed += acts.events() as f64 - (pages + of_instances) as f64;
    }
    let weeks = f64::from(days) / 7.0;
    ((events as f64 / weeks - fixed) / growing.max(1.0)).max(1.0)
}

fn write_text(path: &Path, text: &str) -> Result<(), CorpusError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(CorpusError::io(folder, "create"))?;
    }
    std::fs::write(path, text).map_err(CorpusError::io(path, "write"))
}

#[derive(Serialize)]
struct Manifest<'a> {
    schema_version: u32,
    kind: &'static str,
    seed: u64,
    options: &'a StoryOptions,
    begin: String,
    end: String,
    /// Addresses of the company's servers.
    servers: BTreeMap<&'static str, String>,
    /// Addresses of the intruder, and the user that the intruder makes.
    intruder: BTreeMap<&'static str, String>,
    #[serde(flatten)]
    summary: &'a StorySummary,
}

fn write_manifest(options: &StoryOptions, estate: &Estate, summary: &StorySummary) -> Result<(), CorpusError> {
    let path = options.out.join("corpus.json");
    let text = |address: u32| dotted(address).to_string();
    let intruder = estate.intruder;
    let manifest = Manifest {
        schema_version: 2,
        kind: "story",
        seed: options.seed,
        options,
        begin: rfc3339(estate.times.begin_s),
        end: rfc3339(estate.times.end_s),
        servers: [
            ("jira", estate.server(Product::Jira).private),
            ("confluence", estate.server(Product::Confluence).private),
            ("bitbucket", estate.server(Product::Bitbucket).private),
            ("builder", estate.builder.private),
            ("backup", estate.backup.private),
            ("console", estate.console.private),
        ]
        .map(|(name, address)| (name, text(address)))
        .into(),
        intruder: [
            ("okta", text(intruder.okta)),
            ("aws", text(intruder.aws)),
            ("web", text(intruder.web)),
            ("controller", text(intruder.controller)),
            ("drop", text(intruder.drop)),
            ("user", NEW_USER.to_owned()),
        ]
        .into(),
        summary,
    };
    let mut json = serde_json::to_string_pretty(&manifest)
        .map_err(|error| CorpusError::io(&path, "write")(std::io::Error::other(error)))?;
    json.push('\n');
    write_text(&path, &json)
}

impl Acts {
    /// Returns the part of sorted acts that happens on a day; connections count by their start.
    fn within(&self, estate: &Estate, day_s: i64) -> Self {
        let is_within = |second: i64| (day_s..day_s + DAY_S).contains(&second);
        let begin_s = estate.times.begin_s;
        Self {
            calls: self.calls.iter().copied().filter(|call| is_within(call.time_s)).collect(),
            okta: self.okta.iter().copied().filter(|event| is_within(event.time_ms.div_euclid(1_000))).collect(),
            audits: self.audits.iter().copied().filter(|of| is_within(of.time_us.div_euclid(1_000_000))).collect(),
            gits: self.gits.iter().copied().filter(|of| is_within(of.time_ms.div_euclid(1_000))).collect(),
            requests: self.requests.iter().copied().filter(|of| is_within(of.time_us.div_euclid(1_000_000))).collect(),
            connections: self
                .connections
                .iter()
                .copied()
                .filter(|of| is_within(begin_s + i64::from(of.begin)))
                .collect(),
        }
    }
}
