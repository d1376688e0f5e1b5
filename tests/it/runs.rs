//! Runs that always tell what they found: disks that are full or read-only, files that appear whole or not at all, what
//! killed runs leave behind, windows without data.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::program::{Corpus, Ran, copy, flowsift, program, scratch};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Every file below a folder, by its path from there.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path.strip_prefix(folder).unwrap().to_owned()) }
        }
    }
    found.sort();
    found
}

/// A file system of its own, as small as a test wants it; `None` where nobody may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(options: &str) -> Option<Self> {
        let folder = scratch();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder.path())
            .stderr(std::process::Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

fn detect(corpus: &Corpus, more: &[&str]) -> Ran {
    flowsift([&["detect", corpus.source(), "-q"], more].concat())
}

#[test]
fn a_state_that_takes_nothing_costs_a_warning() {
    let corpus = Corpus::shared();
    let expected = detect(&corpus, &[]).expect(0).out;
    let folder = scratch();
    fs::write(folder.path().join("file"), "").unwrap();
    // Root may write where permissions forbid it, so this place cannot exist at all.
    let below_file = folder.path().join("file/state");
    let full = SmallDisk::new("size=64k");
    let sealed = SmallDisk::new("size=1m,ro");
    let places =
        [Some(below_file.to_str().unwrap()), full.as_ref().map(SmallDisk::path), sealed.as_ref().map(SmallDisk::path)];
    for place in places.into_iter().flatten() {
        let ran = detect(&corpus, &["--state", place]).expect(3);
        assert!(ran.out == expected, "{place}: other findings");
        let said = ran.err.lines().collect::<Vec<_>>();
        assert!(said.len() == 1 && said[0].starts_with("warning: kept hours: those of "), "{place}: {}", ran.err);
        assert!(
            said[0].contains("could not be kept: cannot write") || said[0].contains("could not be read"),
            "{}",
            ran.err
        );
        let asked = ["sql", corpus.source(), "-q", "--format", "csv", "--state", place, "-c"];
        let rows = flowsift([&asked[..], &["SELECT count(*) > 0 FROM pair_hours"]].concat()).expect(3);
        assert!(rows.text().ends_with("\ntrue\n") && rows.err.contains("warning: kept hours: "), "{}", rows.err);
    }
}

#[test]
fn an_out_that_takes_nothing_leaves_the_findings_on_stdout() {
    let corpus = Corpus::shared();
    let expected = detect(&corpus, &[]).expect(0).out;
    let folder = scratch();
    fs::write(folder.path().join("file"), "").unwrap();
    let below_file = folder.path().join("file/out");
    let ran = detect(&corpus, &["--out", below_file.to_str().unwrap()]).expect(3);
    assert!(ran.out == expected);
    let missing = "findings.jsonl, findings.parquet, incidents.jsonl, summary.json, manifest.json could not be written: cannot write";
    assert!(ran.err.contains(missing) && ran.err.contains("stdout has the findings"), "{}", ran.err);
    // Room for some of the files, and for no more.
    let Some(disk) = SmallDisk::new("size=24k") else { return };
    let ran = detect(&corpus, &["--out", disk.path(), "--min-severity", "informational"]).expect(3);
    assert!(ran.err.contains("manifest.json could not be written") && ran.err.contains("No space left"), "{}", ran.err);
    assert!(!ran.out.is_empty());
    for file in files_below(disk.0.path()) {
        assert!(!file.to_string_lossy().contains("unfinished") && file != Path::new("manifest.json"), "{file:?}");
    }
}

/// Returns whether a folder holds the files of one run, as a reader would tell.
fn is_one_set(out: &Path) -> bool {
    let manifest = json(&out.join("manifest.json"));
    let files = manifest["files"].as_array().unwrap();
    let sum = |file: &Value| {
        let path = out.join(file["name"].as_str().unwrap());
        let told = std::process::Command::new("sha256sum").arg(&path).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let size = fs::metadata(&path).unwrap().len();
        told.starts_with(file["sha256"].as_str().unwrap()) && size == file["bytes"].as_u64().unwrap()
    };
    files.len() == 4 && files.iter().all(sum)
}

#[test]
fn the_files_of_a_run_are_a_set() {
    let corpus = Corpus::shared();
    let folder = scratch();
    let out = folder.path();
    let run_id = || json(&out.join("manifest.json"))["run_id"].as_str().unwrap().to_owned();
    detect(&corpus, &["--out", out.to_str().unwrap()]).expect(0);
    assert!(is_one_set(out));
    let first = run_id();
    assert_eq!(json(&out.join("summary.json"))["run_id"], first);
    let file = Bytes::from(fs::read(out.join("findings.parquet")).unwrap());
    let file = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let metadata = file.metadata().file_metadata().key_value_metadata().unwrap();
    let entry = metadata.iter().find(|entry| entry.key == "flowsift.run_id").unwrap();
    assert_eq!(entry.value.as_deref(), Some(first.as_str()));
    let lines = fs::read(out.join("findings.jsonl")).unwrap();
    detect(&corpus, &["--out", out.to_str().unwrap(), "--threads", "1"]).expect(0);
    assert_eq!((run_id(), fs::read(out.join("findings.jsonl")).unwrap()), (first.clone(), lines.clone()));
    // Other findings are another run, and a file of the first run among those of the second is told.
    detect(&corpus, &["--out", out.to_str().unwrap(), "--min-severity", "informational"]).expect(0);
    assert!(run_id() != first && is_one_set(out));
    fs::write(out.join("findings.jsonl"), lines).unwrap();
    assert!(!is_one_set(out));
}

#[test]
fn what_killed_runs_leave_goes_with_the_next_run() {
    let corpus = Corpus::shared();
    let folder = scratch();
    let (state, out) = (folder.path().join("state"), folder.path().join("out"));
    let places = ["--state", state.to_str().unwrap(), "--out", out.to_str().unwrap()];
    detect(&corpus, &places).expect(0);
    let (kept, written) = (files_below(&state), files_below(&out));
    // A write that was cut off, and a unit whose outdated file was not removed before the new one was written.
    let hours = kept.iter().find(|file| file.extension().is_some_and(|extension| extension == "hours")).unwrap();
    let day = state.join(hours.parent().unwrap());
    fs::write(day.join(".flowsift-0123456789abcdef.unfinished"), "half").unwrap();
    fs::write(out.join(".flowsift-0123456789abcdef.unfinished"), "half").unwrap();
    let name = hours.file_name().unwrap().to_str().unwrap();
    // Fingerprint, settings and origin are the last three words.
    let words: Vec<&str> = name.rsplitn(4, '-').collect();
    let outdated = format!("{}-{}-{}-{}", words[3], "0".repeat(words[2].len()), words[1], words[0]);
    fs::rename(state.join(hours), day.join(outdated)).unwrap();
    detect(&corpus, &places).expect(0);
    assert_eq!((files_below(&state), files_below(&out)), (kept, written));
}

#[test]
fn runs_side_by_side_share_a_state() {
    let corpus = Corpus::shared();
    let expected = detect(&corpus, &[]).expect(0).out;
    let folder = scratch();
    let (state, out) = (folder.path().join("state"), folder.path().join("out"));
    let places = ["--state", state.to_str().unwrap(), "--out", out.to_str().unwrap()];
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| detect(&corpus, &places))).collect();
        for run in runs {
            assert!(run.join().unwrap().expect(0).out == expected);
        }
    });
    assert!(files_below(folder.path()).iter().all(|file| !file.to_string_lossy().contains("unfinished")));
}

#[test]
fn a_result_is_written_whole_or_not_at_all() {
    let corpus = Corpus::shared();
    let folder = scratch();
    let file = folder.path().join("rows.csv");
    let sql = |file: &Path, statements: &str| {
        flowsift(["sql", corpus.source(), "-q", "-o", file.to_str().unwrap(), "--format", "csv", "-c", statements])
    };
    fs::write(&file, "before").unwrap();
    // The second statement fails after the first has written its rows.
    sql(&file, "SELECT srcaddr FROM flows; SELECT 1 / (SELECT count(*) FROM flows WHERE bytes < 0)").expect(1);
    assert_eq!(fs::read(&file).unwrap(), b"before");
    sql(&file, "SELECT 1 AS a; SELECT 2 AS b").expect(0);
    assert_eq!(fs::read(&file).unwrap(), b"a\n1\nb\n2\n");
    assert_eq!(files_below(folder.path()), [Path::new("rows.csv")]);
    sql(Path::new("/dev/null"), "SELECT 1").expect(0);
    #[cfg(unix)]
    {
        let link = folder.path().join("link.csv");
        std::os::unix::fs::symlink("rows.csv", &link).unwrap();
        sql(&link, "SELECT 3 AS c").expect(0);
        assert!(link.is_symlink() && fs::read(&file).unwrap() == b"c\n3\n");
    }
    #[cfg(target_os = "linux")]
    {
        let ran = sql(Path::new("/dev/full"), "SELECT 1").expect(1);
        assert!(ran.err.contains("/dev/full: not written: ") && ran.err.contains("No space left"), "{}", ran.err);
    }
    let Some(disk) = SmallDisk::new("size=16k") else { return };
    let small = Path::new(disk.path()).join("rows.csv");
    fs::write(&small, "before").unwrap();
    let ran = sql(&small, "SELECT * FROM flows").expect(1);
    assert!(ran.err.contains("rows.csv: not written: ") && ran.err.contains("No space left"), "{}", ran.err);
    assert_eq!((fs::read(&small).unwrap(), files_below(disk.0.path()).len()), (b"before".to_vec(), 1));
}

#[test]
#[cfg(target_os = "linux")]
fn a_trace_without_room_costs_a_warning() {
    let corpus = Corpus::shared();
    let ran = detect(&corpus, &["--trace", "/dev/full"]).expect(0);
    assert!(ran.err.starts_with("warning: --trace /dev/full: No space left"), "{}", ran.err);
    assert!(ran.out == detect(&corpus, &[]).expect(0).out);
    let Some(disk) = SmallDisk::new("size=1m,ro") else { return };
    let trace = format!("{}/trace.json", disk.path());
    let ran = detect(&corpus, &["--trace", &trace]).expect(0);
    assert!(ran.err.starts_with("warning: --trace") && ran.err.contains("Read-only"), "{}", ran.err);
}

#[test]
fn a_window_without_data_does_not_look_clean() {
    let corpus = Corpus::shared();
    let ran = flowsift(["detect", corpus.source(), "--from", "2030-01-01", "--to", "2030-01-02"]).expect(3);
    assert!(ran.err.contains("warning: nothing could be judged: no object lies in the time range"), "{}", ran.err);
    // Years of nothing behind the data.
    let ran = flowsift(["detect", corpus.source(), "--to", "2026-01-01"]).expect(0);
    assert!(ran.err.contains("warning: the window has no data for its last"), "{}", ran.err);
    assert!(ran.err.contains("the logs lie from 2024-01-15T00:00:00Z to 2024-01-15T06:00:00Z"), "{}", ran.err);
    // Logs that were to reach up to now.
    let ran = flowsift(["detect", corpus.source(), "--from", "9000d"]).expect(3);
    assert!(ran.err.contains("warning: the logs end at 2024-01-15T06:00:00Z, "), "{}", ran.err);
    // Nothing that can be read tells no time.
    let folder = scratch();
    fs::write(folder.path().join("a.parquet"), b"PAR1 and no more").unwrap();
    let ran = flowsift(["detect", folder.path().to_str().unwrap()]).expect(3);
    assert!(ran.err.contains("window    unknown: no record was read") && !ran.err.contains("1970"), "{}", ran.err);
}

/// Rows that `sql` counts.
fn counted(source: &Path, more: &[&str]) -> (Vec<u64>, String) {
    let asked = "SELECT count(*), sum(packets), sum(bytes) FROM flows";
    let args = [&["sql", source.to_str().unwrap(), "--format", "csv", "-c", asked], more].concat();
    let ran = flowsift(args);
    assert!(ran.code == 0 || ran.code == 3, "{}", ran.err);
    let numbers = ran.text().lines().nth(1).unwrap().split(',').map(|text| text.parse().unwrap_or(0));
    (numbers.collect(), ran.err)
}

#[test]
fn a_damaged_object_counts_with_none_of_its_rows() {
    let corpus = Corpus::shared();
    let folder = scratch();
    for file in &corpus.files()[1..] {
        copy(file, &folder.path().join(file.strip_prefix(corpus.path()).unwrap()));
    }
    let (without, _) = counted(folder.path(), &[]);
    // An object of several row groups, of which the last is damaged in the columns that all read.
    let whole = fs::read(&corpus.files()[0]).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(whole)).unwrap();
    let schema = builder.schema().clone();
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_max_row_group_row_count(Some(500))
        .set_compression(parquet::basic::Compression::SNAPPY)
        .build();
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), schema, Some(properties)).unwrap();
    for batch in builder.build().unwrap() {
        writer.write(&batch.unwrap()).unwrap();
    }
    let mut damaged = writer.into_inner().unwrap();
    let read = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(damaged.clone())).unwrap();
    let groups = read.metadata().row_groups();
    let (rows, groups_count) = (read.metadata().file_metadata().num_rows(), groups.len());
    assert!(groups_count > 2);
    for column in groups[groups_count - 1].columns() {
        let (from, length) = column.byte_range();
        let (from, to) = (from as usize + 30, (from + length) as usize);
        let to = to.max(from);
        damaged[from..to].iter_mut().for_each(|byte| *byte ^= 0x5a);
    }
    fs::write(folder.path().join("damaged.parquet"), damaged).unwrap();
    for threads in ["1", "3"] {
        let (counts, err) = counted(folder.path(), &["--threads", threads]);
        assert_eq!(counts, without, "{err}");
        let said = format!("1 object could not be read; none of its rows counts ({} by its footer", grouped(rows));
        assert!(err.contains(&said), "{err}");
    }
    let out = scratch();
    let args = ["detect", folder.path().to_str().unwrap(), "--out", out.path().to_str().unwrap()];
    flowsift(args).expect(3);
    assert_eq!(json(&out.path().join("summary.json"))["rows"], without[0]);
}

/// A number with a comma between thousands.
fn grouped(number: i64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

/// What the disk held if the power went at the worst moment: every name is given after the bytes and before the folder is
/// synced. Needs strace.
#[test]
#[cfg(target_os = "linux")]
fn bytes_are_synced_before_a_name_counts() {
    let corpus = Corpus::shared();
    let folder = scratch();
    let log = folder.path().join("calls");
    let (state, out) = (folder.path().join("state"), folder.path().join("out"));
    let flowsift_program = program();
    let mut command = std::process::Command::new("strace");
    command
        .args([
            "-f",
            "-y",
            "-s",
            "0",
            "-e",
            "trace=fsync,fdatasync,write,pwrite64,rename,renameat,renameat2,mkdir,mkdirat",
        ])
        .args(["-o".as_ref(), log.as_os_str(), flowsift_program.get_program()])
        .args(["detect", corpus.source(), "-q", "--state"])
        .args([&state, Path::new("--out"), &out]);
    let Ok(output) = command.output() else { return };
    if !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("ptrace") {
        return;
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let calls = fs::read_to_string(&log).unwrap();
    let root = folder.path().to_str().unwrap();
    let (mut unsynced, mut unsynced_folders) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    let (mut named, mut last_named) = (0, String::new());
    let quoted = |call: &str| -> Vec<String> { call.split('"').skip(1).step_by(2).map(str::to_owned).collect() };
    let parent = |path: &str| path.rsplit_once('/').unwrap().0.to_owned();
    for call in calls.lines().filter(|call| call.contains(root)) {
        let of_descriptor =
            call.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path.to_owned());
        if call.contains(" write(") || call.contains("pwrite64(") {
            unsynced.insert(of_descriptor.unwrap());
        } else if call.contains("sync(") {
            let path = of_descriptor.unwrap();
            unsynced.remove(&path);
            unsynced_folders.remove(&path);
        } else if call.contains(" rename") {
            let paths = quoted(call);
            assert!(!unsynced.contains(&paths[0]), "named before it was synced: {call}");
            if paths[1].ends_with("manifest.json") {
                assert!(unsynced_folders.is_empty(), "the manifest before {unsynced_folders:?}");
            }
            unsynced_folders.insert(parent(&paths[1]));
            (named, last_named) = (named + 1, paths[1].clone());
        } else if call.contains(" mkdir") && call.ends_with("= 0") {
            unsynced_folders.insert(parent(&quoted(call)[0]));
        }
    }
    assert!(named >= 6 + 4 && last_named.ends_with("manifest.json"), "{named} names, the last {last_named}");
    assert!(unsynced_folders.is_empty(), "never synced: {unsynced_folders:?}");
}
