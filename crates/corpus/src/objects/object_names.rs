//! Keys of objects in AWS's S3 layouts.

use chrono::{DateTime, Datelike, Timelike};

use crate::options::{FolderLayout, FolderPeriod, GenerateOptions};
use crate::random::mix2;
use crate::world::Site;

/// Returns the key of one file below the output folder, with `/` between folders.
///
/// `delivered_s` is the start of the file's share of time, in seconds since 1970 UTC; `part` distinguishes files of the
/// same share.
pub fn object_key(options: &GenerateOptions, site: &Site, number: usize, delivered_s: i64, part: u32) -> String {
    let time = DateTime::from_timestamp(delivered_s, 0).unwrap_or_default();
    let (account, region) = (&site.account, &site.region);
    let (year, month, day, hour) = (time.year(), time.month(), time.day(), time.hour());
    let folder = match options.layout {
        FolderLayout::Hive => {
            let day = format!(
                "AWSLogs/aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}\
                 /year={year:04}/month={month:02}/day={day:02}"
            );
            if options.partition == FolderPeriod::Hourly { format!("{day}/hour={hour:02}") } else { day }
        }
        FolderLayout::Plain => {
            let day = format!("AWSLogs/{account}/vpcflowlogs/{region}/{year:04}/{month:02}/{day:02}");
            if options.partition == FolderPeriod::Hourly { format!("{day}/{hour:02}") } else { day }
        }
    };
    let log = mix2(options.seed ^ 0xf1, number as u64);
    let hash = mix2(mix2(log, delivered_s as u64), part.into()) as u32;
    let stamp = time.format("%Y%m%dT%H%MZ");
    format!("{folder}/{account}_vpcflowlogs_{region}_fl-0{log:016x}_{stamp}_{hash:08x}.log.parquet")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::World;

    #[test]
    fn keys_follow_the_four_layouts() {
        let mut options = GenerateOptions::default();
        let world = World::new(&options);
        let mut key = |layout, partition| {
            (options.layout, options.partition) = (layout, partition);
            object_key(&options, &world.sites[0], 0, 1_705_276_800 + 3 * 3_600 + 300, 0)
        };
        let hive = "AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2024/month=01/day=15/";
        let plain = "AWSLogs/123456789012/vpcflowlogs/us-east-1/2024/01/15/";
        let file = "123456789012_vpcflowlogs_us-east-1_fl-0";
        assert!(key(FolderLayout::Hive, FolderPeriod::Hourly).starts_with(&format!("{hive}hour=03/{file}")));
        assert!(key(FolderLayout::Hive, FolderPeriod::Daily).starts_with(&format!("{hive}{file}")));
        assert!(key(FolderLayout::Plain, FolderPeriod::Hourly).starts_with(&format!("{plain}03/{file}")));
        assert!(key(FolderLayout::Plain, FolderPeriod::Daily).starts_with(&format!("{plain}{file}")));
        assert!(key(FolderLayout::Plain, FolderPeriod::Daily).contains("_20240115T0305Z_"));
        assert!(key(FolderLayout::Plain, FolderPeriod::Daily).ends_with(".log.parquet"));
    }
}
