//! The scenarios that beacon detection is measured on: implants of every habit beside benign traffic of the same volume.
//!
//! A *cell* is one scenario in one form of the log. It has hosts with an implant and hosts with benign random traffic, as
//! many connections in each; [`write_cell`] writes them as flow logs. [`Ranking`] judges what a detector reports of the hosts: the area under the curve, and the share of implants found when one benign host in a hundred is.
//! Benign services that truly keep time are no matter of ranking, since malware may keep time as well as they do; they
//! have cells of their own, in which findings are counted by severity.

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
pub use table::{BenignRate, CellResult, PeriodicResult, SuiteResult, suite_table};
