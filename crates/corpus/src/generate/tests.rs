use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::*;
use crate::attacks::{AttackKind, AttackSpec};
use crate::options::{FolderLayout, FolderPeriod, PageCodec, PageVersion};

fn small(folder: &Path) -> GenerateOptions {
    GenerateOptions {
        out: folder.to_owned(),
        rows: 60_000,
        hosts: 60,
        hours: 3,
        files_per_hour: 4,
        nat_share: 0.5,
        skipdata_share: 0.002,
        nodata_share: 0.002,
        attacks: Some(vec![
            AttackSpec::new(AttackKind::Sliver, 2),
            AttackSpec::new(AttackKind::CobaltStrike, 1),
            AttackSpec::new(AttackKind::Mythic, 1),
            AttackSpec::new(AttackKind::ExfilSplit, 1),
            AttackSpec::new(AttackKind::ExfilDrip, 1),
            AttackSpec::new(AttackKind::ExfilBurst, 1),
        ]),
        ..Default::default()
    }
}

fn batches(folder: &Path, summary: &GenerateSummary) -> Vec<RecordBatch> {
    let open = |file: &CorpusFile| std::fs::File::open(folder.join(&file.path)).unwrap();
    let read = |file| ParquetRecordBatchReaderBuilder::try_new(open(file)).unwrap().build().unwrap();
    summary.files.iter().flat_map(read).map(Result::unwrap).collect()
}

fn text<'a>(batch: &'a RecordBatch, name: &str, row: usize) -> &'a str {
    batch.column_by_name(name).unwrap().as_string::<i32>().value(row)
}

fn number(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = batch.column_by_name(name).unwrap();
    let value = || match column.as_primitive_opt::<Int64Type>() {
        Some(column) => column.value(row),
        None => column.as_primitive::<Int32Type>().value(row).into(),
    };
    column.is_valid(row).then(value)
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut pending = vec![folder.to_owned()];
    let mut contents = BTreeMap::new();
    while let Some(path) = pending.pop() {
        for entry in std::fs::read_dir(&path).unwrap().flatten() {
            if entry.path().is_dir() {
                pending.push(entry.path());
            } else {
                let bytes = std::fs::read(entry.path()).unwrap();
                contents.insert(entry.path().strip_prefix(folder).unwrap().to_owned(), bytes);
            }
        }
    }
    assert!(contents.len() > 10);
    contents
}

#[test]
fn any_number_of_threads_writes_the_same_bytes_and_another_seed_others() {
    let made = |threads: usize, seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let options = GenerateOptions { seed, hosts: 300, ..small(folder.path()) };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| generate(&options, &|_| ())).unwrap();
        contents(folder.path())
    };
    let one = made(1, 1);
    assert!(one == made(2, 1));
    assert!(one == made(5, 1));
    assert!(one != made(1, 2));
}

#[test]
fn rows_come_within_two_percent_and_progress_counts_them() {
    for (rows, hosts, hours, window_s) in
        [(20_000, 30, 2, 60), (60_000, 200, 24, 60), (50_000, 50, 1, 600), (80_000, 1_000, 30, 600)]
    {
        let folder = tempfile::tempdir().unwrap();
        let attacks = Some(vec![AttackSpec::new(AttackKind::CobaltStrike, 2)]);
        let options = GenerateOptions { rows, hosts, hours, window_s, attacks, ..small(folder.path()) };
        let seen = std::sync::atomic::AtomicU64::new(0);
        let most = |rows| {
            seen.fetch_max(rows, std::sync::atomic::Ordering::Relaxed);
        };
        let summary = generate(&options, &most).unwrap();
        let error = (summary.rows as f64 / rows as f64 - 1.0).abs();
        assert!(error < 0.02, "{rows} wanted, {} made", summary.rows);
        assert_eq!(summary.rows, seen.into_inner());
        let manifest = std::fs::read_to_string(folder.path().join("corpus.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!(manifest["rows"], summary.rows);
    }
}

#[test]
fn records_are_what_aws_would_write() {
    let folder = tempfile::tempdir().unwrap();
    let options = small(folder.path());
    let summary = generate(&options, &|_| ()).unwrap();
    let (mut rows, mut kinds) = (0, HashMap::<String, u64>::new());
    let mut nat_rows = 0;
    for batch in batches(folder.path(), &summary) {
        rows += batch.num_rows() as u64;
        for row in 0..batch.num_rows() {
            let status = text(&batch, "log_status", row);
            let length_s = number(&batch, "end", row).unwrap() - number(&batch, "start", row).unwrap();
            assert!((0..=60).contains(&length_s), "{length_s}");
            assert!(number(&batch, "start", row).unwrap() >= options.start_s);
            assert!(number(&batch, "end", row).unwrap() <= options.start_s + 3 * 3_600);
            assert_eq!(text(&batch, "sublocation_id", row), "-");
            *kinds.entry(status.to_owned()).or_default() += 1;
            if status != "OK" {
                let numbers = ["srcport", "dstport", "protocol", "packets", "bytes", "tcp_flags", "traffic_path"];
                assert!(numbers.iter().all(|name| number(&batch, name, row).is_none()));
                let texts = ["srcaddr", "dstaddr", "action", "type", "flow_direction", "instance_id"];
                assert!(texts.iter().all(|name| text(&batch, name, row) == "-"));
                continue;
            }
            let (packets, bytes) = (number(&batch, "packets", row).unwrap(), number(&batch, "bytes", row).unwrap());
            assert!(packets >= 1 && bytes >= 40 * packets, "{packets} {bytes}");
            let egress = text(&batch, "flow_direction", row) == "egress";
            assert_eq!(number(&batch, "traffic_path", row).is_some(), egress);
            let flags = number(&batch, "tcp_flags", row).unwrap();
            assert!([0, 1, 2, 3, 4, 6, 18, 19].contains(&flags), "{flags}");
            nat_rows += u32::from(text(&batch, "srcaddr", row) != text(&batch, "pkt_srcaddr", row));
            if text(&batch, "srcaddr", row) != text(&batch, "pkt_srcaddr", row) {
                assert_eq!(text(&batch, "instance_id", row), "-");
            }
        }
    }
    assert_eq!(rows, summary.rows);
    assert!(kinds["NODATA"] > 60 && kinds["SKIPDATA"] > 60 && nat_rows > 100, "{kinds:?} {nat_rows}");
}

/// Returns the seconds between the calls of a benign service, from the source of its label.
fn period_s(source: &str) -> u32 {
    let (_, after) = source.split_once(" every ").unwrap();
    after.split_once(" s").unwrap().0.parse().unwrap()
}

#[test]
fn planted_check_ins_are_in_the_data_with_the_tools_intervals() {
    let folder = tempfile::tempdir().unwrap();
    let options = small(folder.path());
    let summary = generate(&options, &|_| ()).unwrap();
    let labels = crate::read_labels(&folder.path().join("labels.csv")).unwrap();
    assert_eq!(labels.len(), summary.labels);
    let mut starts = HashMap::<(String, String), Vec<i64>>::new();
    let mut pairs = HashSet::new();
    let mut bytes_out = HashMap::<String, i64>::new();
    for batch in batches(folder.path(), &summary) {
        for row in 0..batch.num_rows() {
            let (src, dst) = (text(&batch, "srcaddr", row), text(&batch, "dstaddr", row));
            pairs.insert((src.to_owned(), dst.to_owned()));
            if text(&batch, "instance_id", row) != "-" && text(&batch, "flow_direction", row) == "egress" {
                *bytes_out.entry(dst.to_owned()).or_default() += number(&batch, "bytes", row).unwrap();
                if number(&batch, "tcp_flags", row).unwrap() & 18 == 2 {
                    let key = (src.to_owned(), dst.to_owned());
                    starts.entry(key).or_default().push(number(&batch, "start", row).unwrap());
                }
            }
        }
    }
    let mut split_bytes = 0;
    for label in labels {
        let key = (label.src.to_string(), label.dst.to_string());
        // What calls less than three times in three hours may fall outside, or be down just then.
        let rare = !label.is_attack() && period_s(&label.source) > 3_600;
        assert!(pairs.contains(&key) || rare, "{label:?}");
        let (low, high) = match label.label.as_str() {
            "c2-sliver" => (60, 91),
            "c2-cobalt-strike" => (60, 61),
            "c2-mythic" => (8, 13),
            "exfil-split" => {
                split_bytes += bytes_out[&key.1];
                continue;
            }
            "exfil-burst" => {
                assert!(bytes_out[&key.1] > 2_000_000_000, "{}", bytes_out[&key.1]);
                continue;
            }
            _ => continue,
        };
        let mut starts = starts.remove(&key).unwrap();
        starts.sort_unstable();
        let gaps: Vec<i64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let tasks = gaps.iter().filter(|gap| !(low..=high).contains(*gap)).count();
        // Tasks take seconds, after which the sleep begins.
        assert!(gaps.len() > 90 && tasks * 20 < gaps.len(), "{} {gaps:?}", label.label);
    }
    assert!(split_bytes > 2_000_000_000, "{split_bytes}");
}

#[test]
fn every_combination_of_layout_codec_pages_and_fields_can_be_read() {
    for (n, (layout, partition)) in [FolderLayout::Hive, FolderLayout::Plain]
        .into_iter()
        .flat_map(|l| [(l, FolderPeriod::Hourly), (l, FolderPeriod::Daily)])
        .enumerate()
    {
        let folder = tempfile::tempdir().unwrap();
        let options = GenerateOptions {
            layout,
            partition,
            codec: [PageCodec::Gzip, PageCodec::Snappy, PageCodec::Zstd, PageCodec::None][n],
            fields_version: n as u8 + 2,
            page_version: [PageVersion::V1, PageVersion::V2][n % 2],
            dictionary: n < 2,
            row_group_rows: 1_000,
            accounts: vec!["111122223333".into(), "444455556666".into()],
            regions: vec!["us-east-1".into(), "eu-west-1".into()],
            rows: 40_000,
            ..small(folder.path())
        };
        let summary = generate(&options, &|_| ()).unwrap();
        let rows: usize = batches(folder.path(), &summary).iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows as u64, summary.rows);
        let paths: HashSet<&str> = summary.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths.len(), summary.files.len());
        assert_eq!(summary.files.len(), 4 * 3 * 4);
        let file = std::fs::File::open(folder.path().join(&summary.files[0].path)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let metadata = reader.metadata();
        assert!(metadata.file_metadata().key_value_metadata().is_none(), "no embedded schema");
        assert_eq!(metadata.file_metadata().schema_descr().num_columns(), [14, 21, 25, 29][n]);
        assert!(metadata.row_groups().iter().all(|group| group.num_rows() <= 1_000));
    }
}

#[test]
fn a_second_corpus_never_mixes_with_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let options = small(folder.path());
    generate(&options, &|_| ()).unwrap();
    let error = generate(&options, &|_| ()).unwrap_err().to_string();
    assert!(error.contains("expected a folder without `AWSLogs/`"), "{error}");
}

#[test]
fn attacks_that_leave_no_room_are_refused_with_a_number() {
    let folder = tempfile::tempdir().unwrap();
    let options = GenerateOptions { rows: 1_000, ..small(folder.path()) };
    let error = generate(&options, &|_| ()).unwrap_err().to_string();
    assert!(error.starts_with("option `rows` is 1000; expected at least "), "{error}");
}
