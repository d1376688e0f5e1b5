//! Keys and folders of every layout.

use super::*;
use proptest::prelude::*;

const FILE: &str = "123456789012_vpcflowlogs_eu-west-1_fl-0a1b_20240419T0605Z_9f8e7d6c.log.parquet";
const DAY: i64 = 1_713_484_800;

fn facts(folder: &str) -> KeyFacts {
    parse_key(&format!("{folder}/{FILE}"))
}

#[test]
fn reads_the_four_layouts_wherever_they_begin() {
    let plain = "123456789012/vpcflowlogs/eu-west-1/2024/04/19";
    let hive = "aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=eu-west-1/year=2024/month=04/day=19";
    for before in ["", "AWSLogs/", "a/b/AWSLogs/", "AWSLogs/o-abc123/", "999999999999/vpc-name/AWSLogs/", "/data/2023/"]
    {
        for (body, layout, hour_folder) in [(plain, Layout::Plain, "06"), (hive, Layout::Hive, "hour=06")] {
            let daily = facts(&format!("{before}{body}"));
            assert_eq!(daily.account_id.as_deref(), Some("123456789012"), "{before}{body}");
            assert_eq!(daily.region.as_deref(), Some("eu-west-1"));
            assert_eq!(daily.flow_log_id.as_deref(), Some("fl-0a1b"));
            assert_eq!(daily.file_time_s, Some(DAY + 6 * 3600 + 300));
            assert_eq!((daily.layout, daily.partition), (layout, Some(Partition { from_s: DAY, to_s: DAY + DAY_S })));
            let hourly = facts(&format!("{before}{body}/{hour_folder}"));
            let from_s = DAY + 6 * HOUR_S;
            assert_eq!(hourly.partition, Some(Partition { from_s, to_s: from_s + HOUR_S }), "{before}{body}");
            assert!(hourly.partition.unwrap().is_hour());
        }
    }
}

#[test]
fn folders_win_over_the_file_name_and_the_name_serves_alone() {
    let moved = facts("AWSLogs/210987654321/vpcflowlogs/us-east-1/2024/04/18");
    assert_eq!(moved.account_id.as_deref(), Some("210987654321"));
    assert_eq!(moved.partition, Some(Partition::day_of(DAY - 1)));
    let flat = parse_key(FILE);
    assert_eq!((flat.layout, flat.partition), (Layout::Bare, Some(Partition::day_of(DAY))));
    assert_eq!(flat.region.as_deref(), Some("eu-west-1"));
    assert_eq!(parse_key("data/part-0.parquet"), KeyFacts::default());
}

#[test]
fn dated_folders_of_other_writers_are_read_but_not_believed() {
    for folder in [
        "lake/year=2024/month=04/day=19",
        "lake/dt=2024-04-19",
        "lake/date=20240419",
        "lake/region=eu-west-1/accountId=123456789012/eventDay=20240419",
        "lake/tp_index=123456789012/tp_date=2024-04-19",
    ] {
        let found = parse_key(&format!("{folder}/part-0.parquet"));
        assert_eq!((found.layout, found.partition), (Layout::Dated, Some(Partition::day_of(DAY))), "{folder}");
        let account = (folder.contains("1234")).then_some("123456789012");
        assert_eq!(found.account_id.as_deref(), account, "{folder}");
    }
    assert_eq!(undated_folders("lake/region=r/eventDay=20240419/x.parquet"), "lake/region=r/");
    assert_eq!(undated_folders("lake/x.parquet"), "lake/");
    for value in ["2024-13-01", "2024041", "20240419T", "yesterday", "2024/04/19", "éééé-"] {
        assert_eq!(parse_key(&format!("dt={value}/x.parquet")).partition, None, "{value}");
    }
}

#[test]
fn damaged_dates_and_names_say_nothing() {
    for folder in ["2024/13/01", "2024/02/30", "2024/04/1", "24/04/19", "2024/xx/19", "2024/04"] {
        let key = format!("AWSLogs/123456789012/vpcflowlogs/eu-west-1/{folder}/x.parquet");
        assert_eq!(parse_key(&key).partition, None, "{key}");
    }
    for name in [
        "123456789012_vpcflowlogs_eu-west-1_fl-1_20240419T2460Z_h.log.parquet",
        "123456789012_vpcflowlogs_eu-west-1_fl-1_2024041T00600Z_h.log.parquet",
        "12345_vpcflowlogs_eu-west-1_fl-1_20240419T0605Z_h.log.parquet",
        "123456789012_elb_eu-west-1_fl-1_20240419T0605Z_h.log.parquet",
    ] {
        assert_eq!(parse_key(name), KeyFacts::default(), "{name}");
    }
}

#[test]
fn folders_have_their_kinds() {
    let service = "AWSLogs/123456789012/vpcflowlogs";
    assert_eq!(folder_kind(""), FolderKind::Unknown);
    assert_eq!(folder_kind("logs/"), FolderKind::Unknown);
    assert_eq!(folder_kind("AWSLogs/"), FolderKind::Above);
    assert_eq!(folder_kind("AWSLogs/o-abc/123456789012/"), FolderKind::Above);
    assert_eq!(folder_kind(&format!("{service}/eu-west-1/")), FolderKind::Above);
    assert_eq!(folder_kind("AWSLogs/123456789012/Config/"), FolderKind::Foreign);
    assert_eq!(folder_kind("AWSLogs/123456789012/CloudTrail-Digest/eu-west-1/2024/"), FolderKind::Foreign);
    let access = |from_s, to_s, is_day| FolderKind::Access { from_s, to_s, is_day };
    assert_eq!(folder_kind("AWSLogs/o-abc/123456789012/CloudTrail/eu-west-1/"), access(i64::MIN, i64::MAX, false));
    let balancer = "AWSLogs/123456789012/elasticloadbalancing/eu-west-1/2024/04/";
    assert_eq!(folder_kind(balancer), access(DAY - 18 * DAY_S, DAY + 12 * DAY_S, false));
    assert_eq!(folder_kind(&format!("{balancer}19/")), access(DAY, DAY + DAY_S, true));
    assert_eq!(folder_kind("AWSLogs/aws-account-id=123456789012/aws-service=elb/"), FolderKind::Foreign);
    // Before AWSLogs/ an account's folder may hold anything.
    assert_eq!(folder_kind("123456789012/vpc-name/"), FolderKind::Above);
    assert_eq!(folder_kind(&format!("{service}/r/2024/04/19/")), FolderKind::Dated { from_s: DAY, to_s: DAY + DAY_S });
    let april = FolderKind::Dated { from_s: DAY - 18 * DAY_S, to_s: DAY + 12 * DAY_S };
    assert_eq!(folder_kind(&format!("{service}/r/2024/04/")), april);
    assert_eq!(
        folder_kind("aws-service=vpcflowlogs/year=2024/month=4/day=19/hour=1/"),
        FolderKind::Hour { from_s: DAY + 3600, to_s: DAY + 7200 }
    );
    assert_eq!(folder_kind("lake/year=2024/"), FolderKind::Claimed { is_year: true });
    assert_eq!(folder_kind("lake/year=2024/month=4/day=19/hour=1/"), FolderKind::Claimed { is_year: false });
    for (folder, stored) in
        [("CloudTrail", Stored::Accesses), ("WAFLogs", Stored::Foreign), ("vpcflowlogs", Stored::Flows)]
    {
        assert_eq!(stored_at(&format!("AWSLogs/123456789012/{folder}/eu-west-1/2024/04/19/a.gz")), stored);
        assert_eq!(stored_at(&format!("AWSLogs/123456789012/{folder}/")), stored);
    }
    assert_eq!(stored_at("okta/2024/04/19/a.gz"), Stored::Anything);
}

#[test]
fn any_writer_may_name_days_by_its_folders() {
    let day = Some(Partition::day_of(DAY));
    for folder in ["okta/2024/04/19", "jira/audit/2024/04/19/06", "AWSLogs/123456789012/CloudTrail/r/2024/04/19"] {
        assert_eq!(claimed_day(&format!("{folder}/x.json")), day, "{folder}");
    }
    for key in ["okta/2024/04/x.json", "okta/2024/13/19/x.json", "2024/4/19/x.json", "2024-04-19/x", "x"] {
        assert_eq!(claimed_day(key), None, "{key}");
    }
    assert_eq!(folders_before_dates("a/okta/2024/04/19/x.json"), "a/okta/");
    assert_eq!(folders_before_dates("lake/dt=2024-04-19/x.json"), "lake/");
    assert_eq!(folders_before_dates("port/8080/x.json"), "port/8080/");
}

proptest! {
    #[test]
    fn any_text_is_read_without_harm(key in ".{0,80}") {
        parse_key(&key);
        folder_kind(&key);
        claimed_day(&key);
        assert!(key.starts_with(folders_before_dates(&key)));
    }

    #[test]
    fn written_times_are_read_back(second in 0i64..4_000_000_000) {
        let minute = second / 60 * 60;
        let time = chrono::DateTime::from_timestamp(minute, 0).unwrap();
        prop_assert_eq!(parse_file_time(&time.format("%Y%m%dT%H%MZ").to_string()), Some(minute));
        let folder = time.format("AWSLogs/123456789012/vpcflowlogs/r/%Y/%m/%d/%H/x.parquet").to_string();
        prop_assert_eq!(parse_key(&folder).partition.map(|p| p.from_s), Some(minute / 3600 * 3600));
    }
}
