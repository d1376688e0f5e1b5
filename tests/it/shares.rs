//! `flowsift roll`: any number of processes roll up a source in any order, and what is found afterwards is the same.

use crate::program::{Corpus, Ran, finish, flowsift, kept_files, parquet_files, program, scratch};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

fn detect(source: &str, more: &[&str]) -> Ran {
    flowsift([&["detect", source, "--min-severity", "informational"][..], more].concat()).expect(0)
}

fn roll(source: &str, state: &Path, more: &[&str]) -> Ran {
    flowsift([&["roll", source, "--state", state.to_str().unwrap()][..], more].concat())
}

#[test]
fn any_number_of_shares_gives_the_findings_of_one_process() {
    let corpus = Corpus::shared();
    let expected = detect(corpus.source(), &[]).out;
    for of in [1, 3, 16] {
        let state = scratch();
        for index in (0..of).rev() {
            let share = format!("{index}/{of}");
            let rolled = roll(corpus.source(), state.path(), &["--share", &share, "--threads", "1"]).expect(0);
            assert!(rolled.out.is_empty() && rolled.err.contains(&format!("share     {share}: ")), "{}", rolled.err);
        }
        assert_eq!(kept_files(state.path()).len(), 6);
        let found = detect(corpus.source(), &["--state", state.path().to_str().unwrap()]);
        assert!(found.out == expected, "{of} shares give other findings");
        assert!(found.err.contains(" 0 read (0 B), 18 reused from state"), "{}", found.err);
    }
}

#[test]
fn a_share_that_was_killed_costs_only_what_it_had_not_kept() {
    let corpus = Corpus::shared();
    let expected = detect(corpus.source(), &[]).out;
    let state = scratch();
    let args = ["roll", corpus.source(), "-q", "--threads", "1", "--share", "1/2", "--state"];
    let mut killed = program().args(args).arg(state.path()).spawn().unwrap();
    // Until it has kept something.
    for _ in 0..2_000 {
        if !kept_files(state.path()).is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let left = kept_files(state.path()).len();
    roll(corpus.source(), state.path(), &["-q", "--share", "0/2"]).expect(0);
    let found = detect(corpus.source(), &["--state", state.path().to_str().unwrap()]);
    assert!(found.out == expected, "other findings after {left} units of the share were kept");
    assert_eq!(kept_files(state.path()).len(), 6);
}

#[test]
fn a_second_roll_reads_nothing() {
    let corpus = Corpus::shared();
    let state = scratch();
    let first = roll(corpus.source(), state.path(), &[]).expect(0);
    assert!(first.err.contains("rolled up 6, 0 kept before") && first.err.contains("18 read"), "{}", first.err);
    let second = roll(corpus.source(), state.path(), &[]).expect(0);
    assert!(
        second.err.contains("rolled up 0, 6 kept before") && second.err.contains(" 0 read (0 B)"),
        "{}",
        second.err
    );
}

#[test]
fn published_hours_are_parquet_of_plain_types() {
    let corpus = Corpus::shared();
    let (state, place) = (scratch(), scratch());
    let publish = ["--publish", place.path().to_str().unwrap()];
    // The first run keeps and publishes nothing, so the second publishes from what is kept.
    roll(corpus.source(), state.path(), &["-q"]).expect(0);
    let ran = roll(corpus.source(), state.path(), &publish).expect(0);
    assert!(ran.err.contains("published 6") && ran.err.contains(" 0 read (0 B)"), "{}", ran.err);
    let files = parquet_files(place.path());
    assert_eq!(files.len(), 6);
    assert!(!files[0].to_str().unwrap().contains('='), "{}", files[0].display());
    let ran = roll(corpus.source(), state.path(), &publish).expect(0);
    assert!(ran.err.contains("published 0"), "{}", ran.err);
    // Published while it is rolled up, it is the same.
    let (other_state, other_place) = (scratch(), scratch());
    roll(corpus.source(), other_state.path(), &["-q", "--publish", other_place.path().to_str().unwrap()]).expect(0);
    let others = parquet_files(other_place.path());
    assert_eq!(files.iter().map(fs::read).map(Result::unwrap).collect::<Vec<_>>(), {
        others.iter().map(fs::read).map(Result::unwrap).collect::<Vec<_>>()
    });
    let rows: i64 = files
        .iter()
        .map(|file| SerializedFileReader::new(File::open(file).unwrap()).unwrap().metadata().file_metadata().num_rows())
        .sum();
    let state = state.path().to_str().unwrap();
    let sums = "count(*), sum(bytes_out), min(host), max(remote), sum(array_length(starts)), min(hour)";
    let ask = |from: &str| {
        let sql = format!("SELECT {sums} FROM {from}");
        finish(program().args(["sql", corpus.source(), "-q", "--state", state, "--format", "csv", "-c", &sql]))
            .expect(0)
    };
    let kept = ask("pair_hours");
    assert!(kept.text().contains(&format!("\n{rows},")), "{rows} rows: {}", kept.text());
    let all: Vec<String> = files.iter().map(|file| format!("SELECT * FROM '{}'", file.display())).collect();
    assert_eq!(kept.text(), ask(&format!("({})", all.join(" UNION ALL "))).text());
}

#[test]
fn what_cannot_be_rolled_up_shows_in_the_exit_code() {
    let (nothing, state) = (scratch(), scratch());
    let source = nothing.path().to_str().unwrap();
    let ran = roll(source, state.path(), &["-q"]);
    assert!([1, 3].contains(&ran.code) && !ran.err.is_empty(), "{}: {}", ran.code, ran.err);
    let ran = roll(source, state.path(), &["--share", "3/3"]).expect(2);
    assert!(ran.err.contains("such as 0/16"), "{}", ran.err);
    let corpus = Corpus::shared();
    flowsift(["roll", corpus.source()]).expect(2);
    // Nothing can be kept below a file.
    let file = state.path().join("file");
    fs::write(&file, "").unwrap();
    let ran = roll(corpus.source(), &file.join("state"), &["-q"]).expect(3);
    assert!(ran.err.contains("warning: kept hours: "), "{}", ran.err);
}
