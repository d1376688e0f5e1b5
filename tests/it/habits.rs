//! Daily runs: what was flagged while it was new does not become a habit, and runs may be repeated in any order.

use crate::network::{DAY, Network};
use crate::program::{Ran, flowsift, scratch};
use crate::records::DAY_S;
use std::path::Path;

/// Eight days with an implant of host 1 from the second day on.
fn week() -> tempfile::TempDir {
    let mut net = Network::new(8);
    for beat in 0..7 * 280 {
        let late = net.below(30);
        net.call(1, "192.0.2.75", 443, DAY + 308 * beat + late, [700, 400]);
    }
    net.write()
}

/// Judges one day by those before it.
fn judge(source: &Path, day: i64, more: &[&str]) -> Ran {
    let at = |day: i64| chrono::DateTime::from_timestamp(DAY_S + day * DAY, 0).unwrap().to_rfc3339();
    let (from, to, source) = (at(day), at(day + 1), source.to_str().unwrap());
    let args = ["detect", source, "--from", &from, "--to", &to, "--min-severity", "informational"];
    flowsift([&args, more].concat()).expect(0)
}

/// The severity of the implant's beacon.
fn severity(ran: &Ran) -> String {
    let findings = ran.findings();
    let found = findings.iter().find(|f| f["detection"] == "beacon" && f["remote"] == "192.0.2.75");
    found.map_or_else(String::new, |found| found["severity"].as_str().unwrap().to_owned())
}

#[test]
fn an_implant_stays_high_while_it_is_flagged_day_after_day() {
    let (logs, state) = (week(), scratch());
    let kept = ["-q", "--state", state.path().to_str().unwrap()];
    let runs: Vec<Ran> = (1..8).map(|day| judge(logs.path(), day, &kept)).collect();
    assert_eq!(runs.iter().map(severity).collect::<Vec<_>>(), ["high"; 7]);
    // A run again, whatever ran after it, says the same.
    for day in [6, 2, 7] {
        assert_eq!(judge(logs.path(), day, &kept).text(), runs[day as usize - 1].text(), "day {day}");
    }
    // Without state nothing is remembered.
    assert_eq!(severity(&judge(logs.path(), 7, &["-q"])), "medium");
    // Damage is told, and what was flagged on the damaged day counts no more.
    let flags: Vec<_> =
        std::fs::read_dir(state.path().join("flags/v1")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(flags.len(), 7);
    for file in &flags {
        let mut bytes = std::fs::read(file).unwrap();
        bytes[5] ^= 1;
        std::fs::write(file, bytes).unwrap();
    }
    // The incident that is open knows the implant as well.
    assert_eq!(severity(&judge(logs.path(), 7, &kept)), "high");
    std::fs::remove_dir_all(state.path().join("incidents")).unwrap();
    let ran = judge(logs.path(), 7, &kept[1..]);
    assert_eq!(severity(&ran), "medium");
    assert_eq!(ran.err.matches(": damaged, so what it flagged may count as habit").count(), 6, "{}", ran.err);
}

#[test]
fn the_days_of_a_habit_are_the_users_choice() {
    let logs = week();
    let days = |habit_days: &str, day: i64| severity(&judge(logs.path(), day, &["-q", "--habit-days", habit_days]));
    assert_eq!(["2", "3", "5", "6"].map(|habit| days(habit, 6)), ["medium", "medium", "high", "high"]);
    let refused = flowsift(["detect", ".", "--habit-days=-1"]).expect(2);
    assert!(refused.err.contains("--habit-days"), "{}", refused.err);
}
