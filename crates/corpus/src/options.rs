//! Options of a corpus, their defaults and their legal ranges.

use std::path::PathBuf;

use serde::Serialize;

use crate::attacks::AttackSpec;
use crate::campaigns::spec::CampaignSpec;
use crate::error::CorpusError;
use crate::world::hubs::HubShares;

/// How the folders of an S3 layout are named.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FolderLayout {
    /// `aws-account-id=…/aws-service=vpcflowlogs/aws-region=…/year=…/month=…/day=…`.
    Hive,
    /// `account/vpcflowlogs/region/YYYY/MM/DD`.
    Plain,
}

/// How the folders of an S3 layout divide time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FolderPeriod {
    /// One folder per hour below the day.
    Hourly,
    /// The day is the last folder.
    Daily,
}

/// How pages are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PageCodec {
    /// What AWS writes; levels 0–9.
    Gzip,
    /// No levels.
    Snappy,
    /// Levels 1–22.
    Zstd,
    /// No compression.
    None,
}

/// Which version's data pages are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub enum PageVersion {
    /// Data pages of the first format.
    V1,
    /// Data pages of the second format, whose levels are not compressed.
    V2,
}

/// Everything that determines the content of a corpus; the same options give the same bytes on any number of threads.
#[derive(Clone, Debug, Serialize)]
pub struct GenerateOptions {
    /// Folder to write to; `AWSLogs/`, `labels.csv` and `corpus.json` are created in it.
    #[serde(skip)]
    pub out: PathBuf,
    /// Target number of rows; the corpus comes within 2 %. Attacks must leave room: havoc alone makes 86,000 rows a
    /// day.
    pub rows: u64,
    /// Monitored hosts over all accounts and regions: at least 8, at most 4,000,000.
    pub hosts: u32,
    /// Hours of the corpus: 1 to 17,520.
    pub hours: u32,
    /// First second of the corpus, in seconds since 1970 UTC; a whole hour.
    pub start_s: i64,
    /// Seed of every random draw.
    pub seed: u64,
    /// Attacks to plant; `None` plants every kind in `attack_hosts` hosts each.
    pub attacks: Option<Vec<AttackSpec>>,
    /// Hosts for each kind of attack when `attacks` is `None`; 0 makes a benign corpus.
    pub attack_hosts: u32,
    /// Campaigns to plant besides, as [`parse_campaigns`](crate::parse_campaigns) returns them.
    #[serde(skip)]
    pub campaigns: Vec<CampaignSpec>,
    /// Shares of hosts that have to do with the hubs of their site; `None` is the default from 200 hosts a site and 200
    /// rows a host and day, and else no hubs.
    #[serde(skip)]
    pub hubs: Option<HubShares>,
    /// Share of hosts that call a remote which nobody else calls, and are benign: 0 to 1. Fewer have one where the rows
    /// do not suffice.
    pub benign_callers: f64,
    /// Account numbers of twelve digits; hosts are distributed evenly over every account and region.
    pub accounts: Vec<String>,
    /// Regions such as `us-east-1`.
    pub regions: Vec<String>,
    /// Maximum aggregation interval in seconds: 60 or 600.
    pub window_s: u32,
    /// How folders are named.
    pub layout: FolderLayout,
    /// How folders divide time.
    pub partition: FolderPeriod,
    /// Compression of pages.
    pub codec: PageCodec,
    /// Level of the compression; `None` is the codec's own default (gzip 6, zstd 3).
    pub codec_level: Option<u32>,
    /// Whether columns are dictionary-encoded.
    pub dictionary: bool,
    /// Maximum number of rows in a row group: at least 1.
    pub row_group_rows: usize,
    /// Files for each hour, account and region: 1 to 720.
    pub files_per_hour: u32,
    /// Version of the record's fields: 2 (14 columns), 3 (21), 4 (25) or 5 (29).
    pub fields_version: u8,
    /// Version of data pages.
    pub page_version: PageVersion,
    /// Share of private hosts behind a NAT gateway whose interface is logged too: 0 to 1.
    pub nat_share: f64,
    /// NATs are instances, with an instance of their own, rather than NAT gateways.
    pub nat_instances: bool,
    /// Share of external destinations reached over IPv6: 0 to 1.
    pub ipv6_share: f64,
    /// Share of SKIPDATA rows (records lost by AWS): 0 to 0.2.
    pub skipdata_share: f64,
    /// Share of NODATA rows (idle interfaces): 0 to 0.5.
    pub nodata_share: f64,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            out: PathBuf::from("corpus"),
            rows: 10_000_000,
            hosts: 2_000,
            hours: 24,
            start_s: 1_705_276_800,
            seed: 1,
            attacks: None,
            attack_hosts: 3,
            campaigns: Vec::new(),
            hubs: None,
            benign_callers: 1.0 / 3.0,
            accounts: vec!["123456789012".to_owned()],
            regions: vec!["us-east-1".to_owned()],
            window_s: 60,
            layout: FolderLayout::Hive,
            partition: FolderPeriod::Hourly,
            codec: PageCodec::Gzip,
            codec_level: None,
            dictionary: true,
            row_group_rows: 128 * 1024,
            files_per_hour: 12,
            fields_version: 5,
            page_version: PageVersion::V1,
            nat_share: 0.2,
            nat_instances: false,
            ipv6_share: 0.05,
            skipdata_share: 0.0001,
            nodata_share: 0.001,
        }
    }
}

impl GenerateOptions {
    /// Checks every option against its legal range.
    ///
    /// # Errors
    /// [`CorpusError::InvalidOption`] names the first option that is out of range.
    pub fn validate(&self) -> Result<(), CorpusError> {
        let whole = |option, got: u64, low: u64, high: u64| {
            if (low..=high).contains(&got) {
                Ok(())
            } else {
                Err(CorpusError::option(option, got, format!("a whole number from {low} to {high}")))
            }
        };
        let share = |option, got: f64, high: f64| {
            if (0.0..=high).contains(&got) {
                Ok(())
            } else {
                Err(CorpusError::option(option, got, format!("a share from 0 to {high}")))
            }
        };
        whole("rows", self.rows, 1, 1 << 40)?;
        whole("hosts", self.hosts.into(), 8, 4_000_000)?;
        whole("hours", self.hours.into(), 1, 17_520)?;
        whole("files-per-hour", self.files_per_hour.into(), 1, 720)?;
        whole("row-group-rows", self.row_group_rows as u64, 1, 1 << 24)?;
        share("benign-callers", self.benign_callers, 1.0)?;
        self.hub_shares().validate()?;
        share("nat", self.nat_share, 1.0)?;
        share("ipv6", self.ipv6_share, 1.0)?;
        share("skipdata", self.skipdata_share, 0.2)?;
        share("nodata", self.nodata_share, 0.5)?;
        let last_s = self.start_s.saturating_add(i64::from(self.hours) * 3_600);
        if self.start_s % 3_600 != 0 || self.start_s < 0 || last_s > 253_402_300_800 {
            return Err(CorpusError::option("start", self.start_s, "a whole hour between 1970 and 9999"));
        }
        if ![60, 600].contains(&self.window_s) {
            return Err(CorpusError::option("window", self.window_s, "60 or 600 seconds"));
        }
        if !(2..=5).contains(&self.fields_version) {
            return Err(CorpusError::option("fields", self.fields_version, "a version of the record: 2, 3, 4 or 5"));
        }
        let level_range = match self.codec {
            PageCodec::Gzip => Some((0, 9)),
            PageCodec::Zstd => Some((1, 22)),
            PageCodec::Snappy | PageCodec::None => None,
        };
        match (self.codec_level, level_range) {
            (Some(level), Some((low, high))) => whole("level", level.into(), low, high)?,
            (Some(level), None) => {
                return Err(CorpusError::option("level", level, "no level: this codec has none"));
            }
            (None, _) => {}
        }
        for account in &self.accounts {
            if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(CorpusError::option("accounts", account, "account numbers of twelve digits"));
            }
        }
        for region in &self.regions {
            let words: Vec<&str> = region.split('-').collect();
            let plain = words.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric()));
            if words.len() < 3 || !plain {
                return Err(CorpusError::option("regions", region, "region names such as us-east-1"));
            }
        }
        let places = self.places();
        if places == 0 || places > 256 || places as u64 * 8 > u64::from(self.hosts) {
            return Err(CorpusError::option(
                "accounts × regions",
                places,
                format!("1 to 256 sites (accounts times regions) with at least 8 of the {} hosts each", self.hosts),
            ));
        }
        Ok(())
    }

    /// Counts the sites of the corpus: accounts times regions.
    pub fn places(&self) -> usize {
        self.accounts.len() * self.regions.len()
    }

    /// Returns the shares of hosts that have to do with hubs: those given, or the default where hosts and rows suffice.
    pub fn hub_shares(&self) -> HubShares {
        let hosts_a_site = self.hosts / (self.places() as u32).max(1);
        let host_days = f64::from(self.hosts) * f64::from(self.hours) / 24.0;
        let suffice = hosts_a_site >= 200 && self.rows as f64 >= 200.0 * host_days;
        self.hubs.unwrap_or(if suffice { HubShares::default() } else { HubShares::NONE })
    }

    /// Returns the length of the corpus in seconds.
    pub fn span_s(&self) -> u32 {
        self.hours * 3_600
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_legal_and_nonsense_is_named() {
        assert!(GenerateOptions::default().validate().is_ok());
        let wrong = |change: fn(&mut GenerateOptions)| {
            let mut options = GenerateOptions::default();
            change(&mut options);
            options.validate().map_err(|error| error.to_string()).unwrap_err()
        };
        assert_eq!(wrong(|o| o.window_s = 300), "option `window` is 300; expected 60 or 600 seconds");
        assert!(wrong(|o| o.nat_share = 1.5).contains("a share from 0 to 1"));
        assert!(wrong(|o| o.codec_level = Some(10)).contains("0 to 9"));
        assert!(wrong(|o| o.start_s += 1).contains("whole hour"));
        assert!(wrong(|o| o.accounts = vec!["12".into()]).contains("twelve digits"));
        assert!(wrong(|o| o.nat_share = f64::NAN).contains("nat"));
    }
}
