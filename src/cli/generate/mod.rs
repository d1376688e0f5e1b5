//! `flowsift generate`: a corpus with planted attacks.

mod story;

use super::exit::{Exit, Failure};
use super::options::Global;
use clap::{Args, ValueEnum};
use corpus::{
    CampaignSpec, FolderLayout, FolderPeriod, GenerateOptions, HubShares, PageCodec, PageVersion, generate,
    parse_attacks, parse_campaigns,
};
use flow::time::parse_time;
use flow::units::{bytes_text, count_text, counted};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use story::StoryArgs;

/// Make a seeded corpus of realistic flow logs with planted attacks and labels.csv
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  flowsift generate --out corpus --rows 1000000 --hosts 300\n  \
    flowsift generate --out corpus --hours 72 --campaigns datasets/demo-campaign.toml    # see docs/corpus.md\n  \
    flowsift generate --out story --story --seed 7")]
pub(super) struct GenerateArgs {
    /// Folder to write AWSLogs/, labels.csv, corpus.json and, with --campaigns, campaigns.csv to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Rows to aim at; the corpus comes within 2 %
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    rows: u64,
    /// Monitored hosts
    #[arg(long, value_name = "H", default_value_t = 2_000)]
    hosts: u32,
    /// Hours of logs
    #[arg(long, value_name = "T", default_value_t = 24)]
    hours: u32,
    /// Seed: the same options give the same bytes
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// First hour, such as 2024-01-15T00:00:00Z
    #[arg(long, value_name = "T", default_value = "2024-01-15")]
    start: String,
    /// TOML file of [[attack]] tables; without it every kind is planted in --attack-hosts hosts
    #[arg(long, value_name = "FILE")]
    attacks: Option<PathBuf>,
    /// Hosts for each kind of attack without --attacks; 0 makes a benign corpus [default: 3, with --campaigns 0]
    #[arg(long, value_name = "N")]
    attack_hosts: Option<u32>,
    /// TOML file of [[campaign]] tables: attacks of several stages on several hosts, told in campaigns.csv
    #[arg(long, value_name = "FILE")]
    campaigns: Option<PathBuf>,
    /// Hubs such as a directory server and a jump host: on, off, or shares such as jump=0.2 [default: on from 200 hosts a site]
    #[arg(long, value_name = "SHARES")]
    hubs: Option<String>,
    /// Share of hosts that regularly call a remote of their own and are benign [default: one in three]
    #[arg(long, value_name = "SHARE", default_value_t = 1.0 / 3.0, hide_default_value = true)]
    benign_callers: f64,
    /// AWS account; may be given several times
    #[arg(long = "account", value_name = "ID", default_value = "123456789012")]
    accounts: Vec<String>,
    /// AWS region of the logs; may be given several times
    #[arg(long = "log-region", value_name = "REGION", default_value = "us-east-1")]
    regions: Vec<String>,
    /// Aggregation interval in seconds: 60 or 600
    #[arg(long, value_name = "S", default_value_t = 60)]
    window: u32,
    /// Names of folders
    #[arg(long, value_enum, default_value_t = LayoutArg::Hive, value_name = "LAYOUT")]
    layout: LayoutArg,
    /// Division of folders
    #[arg(long, value_enum, default_value_t = PartitionArg::Hourly, value_name = "PARTITION")]
    partition: PartitionArg,
    /// Compression of pages
    #[arg(long, value_enum, default_value_t = CodecArg::Gzip, value_name = "CODEC")]
    codec: CodecArg,
    /// Level of the compression [default: the codec's own]
    #[arg(long, value_name = "N")]
    codec_level: Option<u32>,
    /// Write plain columns without dictionaries
    #[arg(long)]
    no_dictionary: bool,
    /// Most rows in a row group
    #[arg(long, value_name = "N", default_value_t = 131_072)]
    row_group_rows: usize,
    /// Files for each hour, account and region
    #[arg(long, value_name = "N", default_value_t = 12)]
    files_per_hour: u32,
    /// Version of the record's fields: 2, 3, 4 or 5
    #[arg(long, value_name = "V", default_value_t = 5)]
    fields: u8,
    /// Version of Parquet's data pages: 1 or 2
    #[arg(long, value_name = "V", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    page_version: u8,
    /// Share of private hosts behind a NAT gateway that is logged too
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    nat: f64,
    /// Make the NATs instances rather than NAT gateways
    #[arg(long)]
    nat_instances: bool,
    /// Share of external destinations reached over IPv6
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    ipv6: f64,
    /// Share of rows that say SKIPDATA
    #[arg(long, value_name = "SHARE", default_value_t = 0.0001)]
    skipdata: f64,
    /// Share of rows that say NODATA
    #[arg(long, value_name = "SHARE", default_value_t = 0.001)]
    nodata: f64,
    #[command(flatten)]
    story: StoryArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LayoutArg {
    Hive,
    Plain,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PartitionArg {
    Hourly,
    Daily,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CodecArg {
    Gzip,
    Snappy,
    Zstd,
    None,
}

impl GenerateArgs {
    fn campaigns(&self) -> Result<Vec<CampaignSpec>, Failure> {
        let Some(path) = &self.campaigns else { return Ok(Vec::new()) };
        let (text, name) = read_option("--campaigns", path)?;
        parse_campaigns(&text, &name).map_err(Failure::usage)
    }

    fn options(&self) -> Result<GenerateOptions, Failure> {
        let attacks = match &self.attacks {
            None => None,
            Some(path) => {
                let (text, name) = read_option("--attacks", path)?;
                Some(parse_attacks(&text, &name).map_err(Failure::usage)?)
            }
        };
        let hubs = self.hubs.as_deref().map(HubShares::parse).transpose().map_err(Failure::usage)?;
        Ok(GenerateOptions {
            out: self.out.clone(),
            rows: self.rows,
            hosts: self.hosts,
            hours: self.hours,
            start_s: parse_time(&self.start, 0).map_err(|error| Failure::usage_at("--start", error))?,
            seed: self.seed,
            attacks,
            attack_hosts: self.attack_hosts.unwrap_or(if self.campaigns.is_some() { 0 } else { 3 }),
            campaigns: self.campaigns()?,
            hubs,
            benign_callers: self.benign_callers,
            accounts: self.accounts.clone(),
            regions: self.regions.clone(),
            window_s: self.window,
            layout: match self.layout {
                LayoutArg::Hive => FolderLayout::Hive,
                LayoutArg::Plain => FolderLayout::Plain,
            },
            partition: match self.partition {
                PartitionArg::Hourly => FolderPeriod::Hourly,
                PartitionArg::Daily => FolderPeriod::Daily,
            },
            codec: match self.codec {
                CodecArg::Gzip => PageCodec::Gzip,
                CodecArg::Snappy => PageCodec::Snappy,
                CodecArg::Zstd => PageCodec::Zstd,
                CodecArg::None => PageCodec::None,
            },
            codec_level: self.codec_level,
            dictionary: !self.no_dictionary,
            row_group_rows: self.row_group_rows,
            files_per_hour: self.files_per_hour,
            fields_version: self.fields,
            page_version: if self.page_version == 2 { PageVersion::V2 } else { PageVersion::V1 },
            nat_share: self.nat,
            nat_instances: self.nat_instances,
            ipv6_share: self.ipv6,
            skipdata_share: self.skipdata,
            nodata_share: self.nodata,
        })
    }
}

/// Returns the text of a file that an option names, and its name.
fn read_option(option: &str, path: &Path) -> Result<(String, String), Failure> {
    let name = path.display().to_string();
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::usage_at(format_args!("{option} {name}"), error))?;
    Ok((text, name))
}

pub(super) fn run(global: &Global, args: &GenerateArgs) -> Result<Exit, Failure> {
    if args.story.story {
        return story::run(global, &args.story, &args.out, args.seed);
    }
    let options = args.options()?;
    options.validate().map_err(Failure::usage)?;
    let runtime = global.start_threads(None)?;
    let bar = ProgressBar::new(options.rows);
    let shown = global.shows_progress(std::io::stderr().is_terminal());
    bar.set_draw_target(if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3}%  {human_pos} rows  {per_sec}  left {eta}") {
        bar.set_style(style);
    }
    let started = std::time::Instant::now();
    let made = generate(&options, &|rows| bar.set_position(bar.position().max(rows))).map_err(Failure::failed)?;
    bar.finish_and_clear();
    drop(runtime);
    if !global.is_quiet() {
        let seconds = started.elapsed().as_secs_f64();
        let mut err = std::io::stderr().lock();
        let campaigns = match made.planted_campaigns as u64 {
            0 => String::new(),
            count => format!(", {}", counted(count, "campaign", "campaigns")),
        };
        writeln!(
            err,
            "{} rows in {} files, {} in {}: {} labels, {} of them attacks{campaigns}; {:.1} s, {} rows/s",
            count_text(made.rows),
            count_text(made.files.len() as u64),
            bytes_text(made.bytes),
            options.out.display(),
            made.labels,
            made.attack_labels,
            seconds,
            count_text((made.rows as f64 / seconds.max(1e-9)) as u64),
        )?;
    }
    Ok(Exit::Done)
}
