//! The list of scenarios.

use super::habit::{Contact, ImplantHabit, RotationOrder};
use super::matched::benign_contacts;
use kernels::simulation::{Benign, Draws, Implant};

/// How the log records the start of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Aggregation interval in seconds, 60 or 600.
    pub window_s: u32,
    /// Whether `start` is the start of the window instead of the second of the first packet.
    pub rounded: bool,
}

impl Recorded {
    /// Windows of a minute, exact seconds: what AWS writes for Nitro instances.
    pub const MINUTE: Self = Self { window_s: 60, rounded: false };
    /// Windows of a minute, with times no finer than the windows.
    pub const ROUNDED_MINUTE: Self = Self { window_s: 60, rounded: true };
    /// Windows of ten minutes, with times no finer than the windows.
    pub const ROUNDED_TEN: Self = Self { window_s: 600, rounded: true };

    /// `60 s` for exact seconds, `60 s grid` when times are those of the windows.
    pub fn text(self) -> String {
        if self.rounded { format!("{} s grid", self.window_s) } else { format!("{} s", self.window_s) }
    }
}

/// One row of the table before it is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scenario {
    /// Its description in the table.
    pub name: &'static str,
    /// What the implants do.
    pub habit: ImplantHabit,
    /// Hours of logs.
    pub hours: u32,
    /// Hours at the end that are judged; those before are the baseline.
    pub judged_hours: u32,
    /// Forms of the log in which it is measured.
    pub recorded: &'static [Recorded],
    /// Whether it is also part of the small suite.
    pub small: bool,
}

/// How many hosts a cell has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuiteSize {
    /// Hosts with an implant.
    pub implants: usize,
    /// Hosts with benign random traffic.
    pub benign: usize,
}

impl SuiteSize {
    /// For a reliable table.
    pub const FULL: Self = Self { implants: 60, benign: 300 };
    /// For a result in seconds.
    pub const SMALL: Self = Self { implants: 16, benign: 100 };
}

const EXACT: &[Recorded] = &[Recorded::MINUTE];
const FINE: &[Recorded] = &[Recorded::MINUTE, Recorded::ROUNDED_MINUTE];
const ALL: &[Recorded] = &[Recorded::MINUTE, Recorded::ROUNDED_MINUTE, Recorded::ROUNDED_TEN];
const TEN: &[Recorded] = &[Recorded::ROUNDED_TEN];
const SLOW: &[Recorded] = &[Recorded::MINUTE, Recorded::ROUNDED_TEN];

const DAY: u32 = 24;
const DAY_S: f64 = 86_400.0;

const fn sleeping(low_s: f64, high_s: f64) -> Implant {
    Implant::sleeping(low_s, high_s)
}

const fn row(name: &'static str, habit: ImplantHabit, hours: u32, recorded: &'static [Recorded]) -> Scenario {
    Scenario { name, habit, hours, judged_hours: hours, recorded, small: false }
}

const fn rotating(low_s: f64, high_s: f64, remotes: u32, order: RotationOrder) -> ImplantHabit {
    ImplantHabit::Rotating { implant: sleeping(low_s, high_s), remotes, order }
}

/// Returns every scenario, in the order of the table.
pub fn scenarios() -> Vec<Scenario> {
    use ImplantHabit::{Both, Single};
    let lossy = |low_s, high_s| Single(Implant { dropped: 0.2, ..sleeping(low_s, high_s) });
    let noisy = |low_s, high_s, noise| Single(Implant { noise, ..sleeping(low_s, high_s) });
    let threes = |low_s, high_s| Single(Implant { connections: 3, ..sleeping(low_s, high_s) });
    let doubled = |doubled| Single(Implant { doubled, ..sleeping(360.0, 900.0) });
    let mut rows = vec![
        row("300 s +50 %", Single(sleeping(300.0, 450.0)), DAY, ALL),
        row("Cobalt Strike 300 s −60 %", Single(sleeping(120.0, 300.0)), DAY, ALL),
        row("300 s ±60 %, 20 % lost", lossy(120.0, 480.0), DAY, FINE),
        row("1800 s +50 %", Single(sleeping(1800.0, 2700.0)), DAY, ALL),
        row("1 h +50 %, 20 % lost, 7 d", lossy(3600.0, 5400.0), 7 * DAY, ALL),
        row("12 h ±50 %, 20 % lost, 30 d", lossy(21_600.0, 64_800.0), 30 * DAY, SLOW),
        row("daily +20 %, 30 d", Single(sleeping(DAY_S, 1.2 * DAY_S)), 30 * DAY, SLOW),
        row("weekly ±5 %, 8 weeks", Single(sleeping(6.65 * DAY_S, 7.35 * DAY_S)), 56 * DAY, SLOW),
        row("300 s +10 %, 100 % noise", noisy(300.0, 330.0, 1.0), DAY, FINE),
        row("300 s +10 %, 300 % noise", noisy(300.0, 330.0, 3.0), DAY, FINE),
        row("300 s +50 %, 50 % noise", noisy(300.0, 450.0, 0.5), DAY, FINE),
        row("two implants, 300 s and 410 s +10 %", Both(sleeping(300.0, 330.0), sleeping(410.0, 451.0)), DAY, FINE),
        row("working hours, 300 s +20 %", Single(Implant { working_hours: true, ..sleeping(300.0, 360.0) }), DAY, ALL),
        row("3 connections, 300 s +20 %", threes(300.0, 360.0), DAY, FINE),
        row("3 connections, 300 s +50 %", threes(300.0, 450.0), DAY, FINE),
        row("900 s −60 %, 2 % doubled", doubled(0.02), DAY, EXACT),
        row("900 s −60 %, 5 % doubled", doubled(0.05), DAY, EXACT),
        row("900 s −60 %, 10 % doubled", doubled(0.1), DAY, EXACT),
        row("900 s −60 %, 20 % doubled", doubled(0.2), DAY, EXACT),
        row("900 s −60 %, 30 % doubled", doubled(0.3), DAY, EXACT),
        row("one of 4 at random, 300 s +20 %", rotating(300.0, 360.0, 4, RotationOrder::Random), DAY, FINE),
        row("one of 4 at random, 300 s +50 %", rotating(300.0, 450.0, 4, RotationOrder::Random), DAY, FINE),
        row("4 in order, 300 s +50 %", rotating(300.0, 450.0, 4, RotationOrder::InOrder), DAY, FINE),
        row("8, a new one every 3 h, 300 s +50 %", rotating(300.0, 450.0, 8, RotationOrder::MovesOn(3.0)), DAY, FINE),
        row(
            "12, a new one every 2 h, 20 min ±20 %",
            rotating(960.0, 1440.0, 12, RotationOrder::MovesOn(2.0)),
            DAY,
            FINE,
        ),
        row(
            "12 h ±20 %, 4 hosts each, 2 d",
            ImplantHabit::Shared { implant: sleeping(34_560.0, 51_840.0), hosts: 4 },
            2 * DAY,
            SLOW,
        ),
        row("Sliver, 60 s + 0–30 s", Single(sleeping(60.0, 90.0)), 6, ALL),
        row("Sliver HTTP, 3 connections", threes(60.0, 90.0), 6, ALL),
        row("Cobalt Strike, 60 s −20 %", Single(sleeping(48.0, 60.0)), 6, ALL),
        row("Mythic, 10 s ±23 %", Single(sleeping(7.7, 12.3)), 2, ALL),
        row("Havoc, 2 s ±15 %", Single(sleeping(1.7, 2.3)), 1, FINE),
        row("Empire, 5 s", Single(sleeping(5.05, 5.15)), 1, FINE),
        row("Empire, 5 s, 3 h of logs", Single(sleeping(5.05, 5.15)), 3, TEN),
        row("meterpreter, 10 s, 3 h of logs", Single(sleeping(10.05, 10.3)), 3, TEN),
        row("Havoc, 2 s ±15 %, 3 h of logs", Single(sleeping(1.7, 2.3)), 3, TEN),
        row("Merlin, 30 s + 0–3 s", Single(sleeping(30.0, 33.0)), 3, ALL),
        row("meterpreter, 10 s", Single(sleeping(10.05, 10.3)), 1, FINE),
        Scenario {
            judged_hours: DAY,
            ..row("12 h ±20 %, one day judged, 14 d before", Single(sleeping(34_560.0, 51_840.0)), 15 * DAY, EXACT)
        },
        Scenario {
            judged_hours: DAY,
            ..row(
                "daily ±10 %, one day judged, 14 d before",
                Single(sleeping(0.9 * DAY_S, 1.1 * DAY_S)),
                15 * DAY,
                EXACT,
            )
        },
    ];
    for scenario in &mut rows {
        scenario.small = scenario.hours <= 24 && scenario.recorded[0] == Recorded::MINUTE;
    }
    rows
}

/// One scenario in one form of the log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// The scenario.
    pub scenario: Scenario,
    /// The form of the log.
    pub recorded: Recorded,
    /// The number of hosts.
    pub size: SuiteSize,
    /// Seed of all its draws.
    pub seed: u64,
}

/// Returns the names of the scenarios, in the order of the suite; the small suite has only the shorter ones.
pub fn scenario_names(small: bool) -> Vec<&'static str> {
    scenarios().into_iter().filter(|row| row.small || !small).map(|row| row.name).collect()
}

/// Returns every cell whose scenario's name contains `name`, ignoring case; the small suite has only the shorter
/// scenarios, in exact seconds.
pub fn cells(name: &str, small: bool, seed: u64) -> Vec<Cell> {
    let size = if small { SuiteSize::SMALL } else { SuiteSize::FULL };
    let name = name.to_lowercase();
    let named = |row: &Scenario| row.name.to_lowercase().contains(&name);
    let wanted = scenarios().into_iter().filter(|row| named(row) && (row.small || !small));
    let cells = wanted.flat_map(|scenario| {
        let recorded = if small { &scenario.recorded[..1] } else { scenario.recorded };
        recorded.iter().map(move |&recorded| Cell { scenario, recorded, size, seed })
    });
    cells.collect()
}

/// One host of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CellHost {
    /// Whether an implant runs on it.
    pub(super) implant: bool,
    /// Its connections, sorted.
    pub(super) contacts: Vec<Contact>,
}

impl Cell {
    /// Draws the hosts: those with implants first, then benign ones of each family in turn, each with as many
    /// connections as one of the implants.
    ///
    /// All forms of the log show the same traffic.
    pub(super) fn hosts(&self) -> Vec<CellHost> {
        let span_s = f64::from(self.scenario.hours) * 3600.0;
        let name = self
            .scenario
            .name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let draws = |host: usize| Draws::seeded((self.seed ^ name).wrapping_add((host as u64) << 32));
        let mut hosts: Vec<CellHost> = (0..self.size.implants)
            .map(|host| CellHost { implant: true, contacts: self.scenario.habit.contacts(&mut draws(host), span_s) })
            .collect();
        for benign in 0..self.size.benign {
            let family = Benign::ALL[benign % Benign::ALL.len()];
            let count = hosts[benign % self.size.implants].contacts.len();
            let mut draws = draws(self.size.implants + benign);
            let remotes = self.scenario.habit.remotes();
            let contacts = benign_contacts(family, &mut draws, count, span_s, remotes);
            hosts.push(CellHost { implant: false, contacts });
        }
        hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_found_in_any_case() {
        let count = cells("Sliver", false, 1).len();
        assert!(count > 0);
        assert_eq!(cells("sLIVER", false, 1).len(), count);
    }

    #[test]
    fn scenarios_are_told_apart_by_name_and_forms_show_the_same_traffic() {
        let names: std::collections::BTreeSet<&str> = scenarios().iter().map(|row| row.name).collect();
        assert_eq!(names.len(), scenarios().len());
        let cells = cells("Merlin", false, 7);
        assert_eq!(cells.len(), 3);
        let size = SuiteSize { implants: 4, benign: 8 };
        let [one, other] = [cells[0], cells[2]].map(|cell| Cell { size, ..cell }.hosts());
        assert_eq!(one, other);
        assert_eq!(one.iter().filter(|host| host.implant).count(), 4);
        assert_ne!(one, Cell { size, seed: 8, ..cells[0] }.hosts());
    }

    #[test]
    fn benign_hosts_are_as_busy_as_implants() {
        let cell = cells("300 s +50 %", true, 1)[0];
        let hosts = cell.hosts();
        let mean = |implant: bool| {
            let counts: Vec<usize> = hosts.iter().filter(|h| h.implant == implant).map(|h| h.contacts.len()).collect();
            counts.iter().sum::<usize>() as f64 / counts.len() as f64
        };
        assert!((mean(true) / mean(false) - 1.0).abs() < 0.1, "{} {}", mean(true), mean(false));
    }
}
