//! The scenarios that beacon detection is measured on: implants of every habit among benign traffic of the same volume.
//!
//! A *cell* is one scenario in one form of the log. It has hosts with an implant and hosts with benign random traffic,
//! with as many connections each; [`write_cell`] writes them as flow logs. [`Ranking`] evaluates what a detector
//! reports about the hosts: the area under the curve, and the share of implants found when one benign host in a hundred
//! is reported. Benign services that really are periodic are not ranked, since malware can be just as periodic; they
//! have cells of their own, in which findings are counted by severity. So have sleepers beside schedules of the same
//! period, and operators at work beside clients in bursts.

mod habit;
mod logs;
mod matched;
mod periodic;
mod plot;
mod ranking;
mod scenarios;
mod table;

pub use habit::{Contact, ImplantHabit, RotationOrder};
pub use logs::{CellLogs, write_cell, write_periodic};
pub use periodic::PeriodicService;
pub use plot::calibration_plot;
pub use ranking::Ranking;
pub use scenarios::{Cell, Recorded, Scenario, SuiteSize, cells, scenario_names, scenarios};
pub use table::{BenignRate, CellResult, HabitResult, PeriodicResult, SuiteResult, suite_table};
