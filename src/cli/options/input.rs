//! The inputs of a run besides the sources: the window, kept hours, feeds, owners of networks and internal networks.

use super::time::{GivenBounds, is_relative};
use crate::accesses::KeptAccesses;
use crate::cli::exit::Failure;
use crate::cli::stderr::tell;
use crate::hours::{KeptHours, settings_hash};
use crate::incident::life::KeptIncidents;
use crate::intel::{Indicators, InternalNetworks, Networks, Warning};
use crate::notify::OUTBOX_FOLDER;
use crate::source::{LogRule, Source, SourceError, SourceOptions, Store};
use access::Tz;
use clap::Args;
use flow::Network;
use flow::error_text;
use flow::time::{DAY_S, parse_duration_s};
use rollup::window::{HABIT_S, WindowOptions};
use std::path::PathBuf;

/// Default of `--habit-days`.
const HABIT_DAYS: i64 = HABIT_S / DAY_S;

/// The options.
#[derive(Debug, Args)]
pub(in crate::cli) struct InputArgs {
    /// Start of the window: RFC 3339, a date, or relative such as 24h [default: the start of the logs]
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// End of the window [default: the end of the logs]
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// History before the window to compare it with
    #[arg(long, value_name = "D", default_value = "14d")]
    baseline: String,
    /// Days before the window by which a contact must have been met to be a habit
    #[arg(long, value_name = "N", default_value_t = HABIT_DAYS, value_parser = clap::value_parser!(i64).range(0..=3650))]
    habit_days: i64,
    /// Folder or s3:// URL that keeps hours and incidents between runs: unchanged partitions are not read again
    #[arg(long, value_name = "URL")]
    state: Option<String>,
    /// Feed of malicious addresses: list, CIDR list, Feodo CSV; may be given several times
    #[arg(long, value_name = "FILE")]
    indicators: Vec<PathBuf>,
    /// Owners of networks: AWS ip-ranges.json or CSV; may be given several times
    #[arg(long, value_name = "FILE")]
    networks: Vec<PathBuf>,
    /// What objects are whose names and content do not tell, such as okta=exports/*.json; `unknown` leaves them out; may be
    /// given several times
    #[arg(long, value_name = "KIND=GLOB")]
    logs: Vec<LogRule>,
    /// Time zone of logs that write local time, such as Bitbucket's access log: Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE", value_parser = parse_zone)]
    timezone: Option<Tz>,
    /// Monitored network; may be given several times [default: RFC 1918, 100.64.0.0/10, fc00::/7]
    #[arg(long, value_name = "CIDR")]
    internal: Vec<Network>,
}

/// The inputs, read and checked before any log is read.
pub(in crate::cli) struct Input {
    pub(in crate::cli) window: WindowOptions,
    /// The zone of logs that write local time.
    pub(in crate::cli) zone: Option<Tz>,
    pub(in crate::cli) indicators: Indicators,
    pub(in crate::cli) networks: Networks,
    pub(in crate::cli) internal: InternalNetworks,
    /// What kept hours depend on besides the records.
    pub(in crate::cli) settings: u64,
}

/// The sources, and the hours kept of them.
pub(in crate::cli) struct OpenedSource {
    pub(in crate::cli) source: Source,
    pub(in crate::cli) kept: Option<KeptHours>,
    pub(in crate::cli) kept_accesses: Option<KeptAccesses>,
    /// Why no hours are kept although `--state` asks for it.
    pub(in crate::cli) kept_unusable: Option<String>,
    /// The place of `--state`.
    pub(in crate::cli) state: Option<Store>,
}

/// What a run that only rolls up is given of the inputs.
pub(in crate::cli) struct RollInput<'a> {
    pub(in crate::cli) from: Option<&'a str>,
    pub(in crate::cli) to: Option<&'a str>,
    pub(in crate::cli) baseline: &'a str,
    pub(in crate::cli) state: &'a str,
    pub(in crate::cli) logs: &'a [LogRule],
    pub(in crate::cli) internal: &'a [Network],
}

impl InputArgs {
    /// Returns the inputs of a run that only rolls up: those that decide which objects are read, and what is kept of them.
    pub(in crate::cli) fn to_roll_up(given: &RollInput<'_>) -> Self {
        Self {
            from: given.from.map(str::to_owned),
            to: given.to.map(str::to_owned),
            baseline: given.baseline.to_owned(),
            habit_days: HABIT_DAYS,
            state: Some(given.state.to_owned()),
            indicators: Vec::new(),
            networks: Vec::new(),
            logs: given.logs.to_vec(),
            timezone: None,
            internal: given.internal.to_vec(),
        }
    }

    /// Returns `from` and `to` as they were given.
    pub(in crate::cli) fn bounds(&self) -> impl Iterator<Item = (String, String)> {
        let given = [("from", &self.from), ("to", &self.to)].into_iter();
        given.filter_map(|(name, time)| Some((name.to_owned(), time.clone()?)))
    }

    /// Reads the files and checks the options; prints warnings about entries that were left out.
    pub(in crate::cli) fn read(&self) -> Result<Input, Failure> {
        self.read_behind(None)
    }

    /// Does what [`InputArgs::read`] does, with a window that ends a lag behind now.
    pub(in crate::cli) fn read_behind(&self, lag: Option<&str>) -> Result<Input, Failure> {
        let bounds = GivenBounds { from: self.from.as_deref(), to: self.to.as_deref(), lag };
        let (from_s, to_s) = bounds.read(chrono::Utc::now().timestamp())?;
        let baseline_s = parse_duration_s(&self.baseline).map_err(|error| Failure::usage_at("--baseline", error))?;
        let indicators = Indicators::load(&self.indicators).map_err(Failure::usage)?;
        let networks = Networks::load(&self.networks).map_err(Failure::usage)?;
        warn(indicators.warnings());
        warn(networks.warnings());
        let window = WindowOptions { from_s, to_s, baseline_s, habit_s: self.habit_days * DAY_S };
        Ok(Input {
            window,
            zone: self.timezone,
            indicators,
            networks,
            internal: self.internal(),
            settings: self.settings(),
        })
    }

    fn internal(&self) -> InternalNetworks {
        if self.internal.is_empty() { InternalNetworks::default() } else { InternalNetworks::new(&self.internal) }
    }

    fn settings(&self) -> u64 {
        if self.internal.is_empty() {
            return settings_hash(["default"]);
        }
        let mut networks: Vec<String> = self.internal.iter().map(Network::to_string).collect();
        networks.sort_unstable();
        settings_hash(networks.iter().map(String::as_str))
    }

    /// Returns now if the window begins at a time before now, such as `24h`, and has no other end.
    pub(in crate::cli) fn until_now_s(&self) -> Option<i64> {
        let relative = self.from.as_ref().is_some_and(|from| is_relative(from));
        (relative && self.to.is_none()).then(|| chrono::Utc::now().timestamp())
    }

    /// Opens the sources and the hours kept of them; listings of the sources then leave out the kept files.
    pub(in crate::cli) async fn open(
        &self,
        sources: &[String],
        input: &Input,
        options: &SourceOptions,
    ) -> Result<OpenedSource, Failure> {
        let (mut store, mut kept_unusable) = (None, None);
        if let Some(url) = &self.state {
            match Store::open(url, options).await {
                Ok(opened) => store = Some(opened),
                // A cache that does not answer must not end the run; one that was misspelt is better told at once.
                Err(error @ (SourceError::Unreachable { .. } | SourceError::S3 { .. })) => {
                    kept_unusable = Some(format!("{url} cannot be used: {}", error_text(&error)));
                }
                Err(error) => return Err(Failure::failed(error)),
            }
        }
        let options = &SourceOptions { log_rules: self.logs.clone(), ..options.clone() };
        let mut source = Source::open(sources, options).await.map_err(Failure::failed)?;
        if let Some(store) = &store {
            source.leave_out(store, KeptHours::FOLDERS);
            source.leave_out(store, &[KeptIncidents::FOLDER, OUTBOX_FOLDER]);
            source.leave_out(store, KeptAccesses::FOLDERS);
        }
        let kept = store.clone().map(|store| KeptHours::new(store, input.settings));
        let kept_accesses = store.clone().map(|store| {
            let mut settings: Vec<String> = sources.to_vec();
            settings.sort_unstable();
            settings.extend(self.logs.iter().map(ToString::to_string));
            settings.extend(input.zone.map(|zone| zone.to_string()));
            KeptAccesses::new(store, settings.iter().map(String::as_str))
        });
        Ok(OpenedSource { source, kept, kept_accesses, kept_unusable, state: store })
    }
}

/// Reads the name of a time zone.
fn parse_zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| format!("`{text}` is no time zone: name one as Europe/Berlin or UTC"))
}

/// Prints warnings about lists.
pub(in crate::cli) fn warn(warnings: &[Warning]) {
    warnings.iter().for_each(|warning| tell(format_args!("warning: {warning}")));
}
